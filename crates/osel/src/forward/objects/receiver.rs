//! A store of objects as the forwarder sees it.
//!
//! A batch is an object, which is there as a whole or not at all. A process that was killed may have written objects that are not in the
//! account, and the next one need not cut batches as it did. So that no line is written twice for that, the store is asked for objects that
//! begin with the first line at hand, after a start and after anything that went wrong, until there is none: what such an object has, by the
//! digest in its name, is there. Dead letters come outside the order of the trail: they are asked for each time, and say nothing of what
//! comes next.

use std::sync::Arc;

use osel_core::forward::{Refusal, RefusalKind, Taken};
use tokio::task::spawn_blocking;

use super::depot::{Depot, Object};
use super::name::{LinesDigest, beginning, ending, line};
use super::pack::{content_type, extension, packed};
use crate::config::ObjectsConfig;
use crate::forward::http::refusal;
use crate::forward::receiver::{Batch, BatchLimits, Handed, Item, Receiver};

/// The most lines of an object: two of them, on their way and waiting, are fewer than a forwarder holds.
const ITEMS_MAX: usize = 50_000;

/// Writes objects to a store.
pub struct ObjectReceiver<D> {
    depot: D,
    config: ObjectsConfig,
    is_json: bool,
    /// No object begins with what comes next of the trail.
    is_new: bool,
}

impl<D: Depot> ObjectReceiver<D> {
    /// The receiver of such objects in that store.
    pub(in crate::forward) fn new(depot: D, config: ObjectsConfig, is_json: bool) -> Self {
        Self { depot, config, is_json, is_new: false }
    }

    async fn written(&mut self, batch: &Batch) -> Result<(), Refusal> {
        let items: Arc<[Item]> = batch.items.as_slice().into();
        let mut taken = 0;
        let mut is_new = self.is_new && !batch.is_fetched;
        while !is_new {
            let there = self.there(&items, taken).await.map_err(|refusal| Refusal { taken, ..refusal })?;
            is_new = there == 0;
            taken += there;
            if taken == items.len() {
                return Ok(());
            }
        }
        let put = self.put(&items, taken).await;
        if !batch.is_fetched {
            // An answer that was lost says nothing of whether it was written.
            self.is_new = put.is_ok();
        }
        put.map_err(|refusal| Refusal { taken, ..refusal })
    }

    /// How many lines from there on are in an object already.
    async fn there(&mut self, items: &Arc<[Item]>, from: usize) -> Result<usize, Refusal> {
        let beginning = beginning(&self.config.prefix, &items[from]);
        let names = self.depot.listed(&beginning).await?;
        let endings: Vec<String> =
            names.iter().filter_map(|name| Some(name.strip_prefix(&beginning)?.to_owned())).collect();
        if endings.is_empty() {
            return Ok(0);
        }
        let items = Arc::clone(items);
        at_work(move || within(&items[from..], &endings)).await
    }

    async fn put(&mut self, items: &Arc<[Item]>, from: usize) -> Result<(), Refusal> {
        let ObjectsConfig { content, compression, .. } = self.config;
        let lines = Arc::clone(items);
        let packed = at_work(move || packed(&lines[from..], content, compression)).await?;
        let packed =
            packed.map_err(|error| refusal(RefusalKind::Unavailable, &format!("cannot pack: {error}")))?;
        let (first, last) = (&items[from], &items[items.len() - 1]);
        let beginning = beginning(&self.config.prefix, first);
        let ending = ending(last, &packed.digest);
        let extension = extension(&self.config, self.is_json);
        let object = Object {
            name: format!("{beginning}{ending}{extension}"),
            body: packed.body.into(),
            content_type: content_type(&self.config, self.is_json),
        };
        self.depot.put(object).await
    }
}

/// How many of these lines, from the first, are in an object whose name ends so: the longest of them counts.
fn within(items: &[Item], endings: &[String]) -> usize {
    let mut digest = LinesDigest::default();
    let mut there = 0;
    for (place, item) in items.iter().enumerate() {
        digest.add(&item.line);
        let last = line(item);
        if endings.iter().any(|known| known.starts_with(&last)) {
            let ending = ending(item, &digest);
            if endings.iter().any(|known| known.starts_with(&ending)) {
                there = place + 1;
            }
        }
    }
    there
}

/// What takes a while, on a thread for such.
async fn at_work<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    let broken = |error: tokio::task::JoinError| refusal(RefusalKind::Unavailable, &error.to_string());
    spawn_blocking(work).await.map_err(broken)
}

impl<D: Depot> Receiver for ObjectReceiver<D> {
    fn target(&self) -> String {
        self.depot.target()
    }

    fn limits(&self) -> BatchLimits {
        BatchLimits {
            items: ITEMS_MAX,
            bytes: self.config.object_bytes,
            awaited: 1,
            linger: self.config.object_age,
        }
    }

    fn send<'a>(&'a mut self, batch: &'a Batch) -> Handed<'a, Taken> {
        Box::pin(async move {
            self.written(batch).await?;
            Ok(Taken::Kept)
        })
    }

    fn reset(&mut self) {
        // A call may have been dropped at any point, or the place set back.
        self.is_new = false;
        self.depot.reset();
    }
}

#[cfg(test)]
mod tests {
    use osel_core::forward::BatchNumber;

    use super::*;
    use crate::config::{ObjectCompression, ObjectContent};
    use crate::forward::http::tests::item;

    /// A store in memory, by name.
    #[derive(Default)]
    struct Shelf(Vec<String>);

    impl Depot for Shelf {
        fn target(&self) -> String {
            String::new()
        }

        fn put(&mut self, object: Object) -> Handed<'_, ()> {
            self.0.push(object.name);
            Box::pin(async { Ok(()) })
        }

        fn listed<'a>(&'a mut self, beginning: &'a str) -> Handed<'a, Vec<String>> {
            let names = self.0.iter().filter(|name| name.starts_with(beginning)).cloned().collect();
            Box::pin(async { Ok(names) })
        }

        fn reset(&mut self) {}
    }

    fn receiver(shelf: Shelf) -> ObjectReceiver<Shelf> {
        let config = ObjectsConfig {
            prefix: String::new(),
            content: ObjectContent::Lines,
            compression: ObjectCompression::None,
            object_bytes: 1_000_000,
            object_age: std::time::Duration::ZERO,
        };
        ObjectReceiver::new(shelf, config, true)
    }

    fn batch(is_fetched: bool, seqs: std::ops::RangeInclusive<u64>) -> Batch {
        let items = seqs.map(|seq| item(seq, &format!("{{\"seq\":{seq}}}"))).collect();
        Batch { number: BatchNumber(1), is_fetched, items }
    }

    #[tokio::test]
    async fn a_dead_letter_says_nothing_of_what_comes_next() {
        let mut before = receiver(Shelf::default());
        before.send(&batch(false, 5..=7)).await.unwrap();
        // A process that was killed has not written down that these are there; the next one begins with a dead letter.
        let mut receiver = receiver(before.depot);
        for (is_fetched, seqs, objects) in [
            (true, 2..=2, 2),
            (false, 5..=7, 2),
            (false, 8..=9, 3),
            // One that was sent before its answer was lost, and does not turn the search on for what is new.
            (true, 2..=2, 3),
            (false, 10..=10, 4),
        ] {
            assert_eq!(receiver.send(&batch(is_fetched, seqs.clone())).await, Ok(Taken::Kept));
            assert_eq!(receiver.depot.0.len(), objects, "{seqs:?}: {:?}", receiver.depot.0);
        }
    }

    fn digest(items: &[Item]) -> LinesDigest {
        let mut digest = LinesDigest::default();
        items.iter().for_each(|item| digest.add(&item.line));
        digest
    }

    #[test]
    fn what_is_there_is_what_a_name_says_of_these_very_lines() {
        let items: Vec<Item> = (1..=5).map(|seq| item(seq, &format!("{{\"seq\":{seq}}}"))).collect();
        let other = digest(&items[..2]);
        let name = |last: usize| format!("{}.jsonl.gz", ending(&items[last - 1], &digest(&items[..last])));
        assert_eq!(within(&items, &[name(3)]), 3);
        assert_eq!(within(&items, &[name(4), name(5), name(1)]), 5);
        // Of other lines, and of more than there are.
        assert_eq!(within(&items, &[format!("{}.jsonl", ending(&items[2], &other))]), 0);
        assert_eq!(within(&items[..2], &[name(3)]), 0);
        assert_eq!(within(&items, &["odd".to_owned()]), 0);
    }
}
