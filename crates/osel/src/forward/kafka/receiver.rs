//! A topic of Kafka as a receiver.

use std::collections::BTreeMap;
use std::time::Duration;

use osel_core::format::Format;
use osel_core::forward::{RefusalKind, Taken};
use serde_json::Value;

use super::cluster::Cluster;
use super::connection::place;
use super::fault::KafkaFault;
use super::messages::Produced;
use super::partition::partition;
use super::records::{self, Keyed};
use crate::config::{ForwardConfig, KafkaConfig, KafkaKey, ReceiverConfig};
use crate::forward::now::ConfigNow;
use crate::forward::receiver::{Batch, BatchLimits, Handed, Item, Receiver};

/// The most records of one batch.
const ITEMS_MAX: usize = 2000;
/// The key of records that have none of their own: one for all, so that they are in one partition, in their order.
const KEY: &str = "osel";
/// The longest key: what it is made of is foreign.
const KEY_BYTES_MAX: usize = 256;

/// Sends to a topic.
pub struct KafkaReceiver {
    config: KafkaConfig,
    format: Format,
    now: ConfigNow,
    /// Which of the configured brokers is asked first.
    at: usize,
    cluster: Option<Cluster>,
    /// Which partition has its turn, where records have no key.
    turn: usize,
}

impl KafkaReceiver {
    /// The receiver of that table; `now` gives the table anew whenever the cluster is reached anew, since passwords change.
    pub fn new(config: KafkaConfig, format: Format, now: ConfigNow) -> Self {
        Self { config, format, now, at: 0, cluster: None, turn: 0 }
    }

    /// The cluster, read if that is needed. Whoever gets it gives it back, unless it is to be read anew.
    async fn reached(&mut self) -> Result<Cluster, KafkaFault> {
        if let Some(cluster) = self.cluster.take().filter(|cluster| !cluster.is_old()) {
            return Ok(cluster);
        }
        let (now, before) = (self.now.clone(), self.config.clone());
        // It reads files.
        let read = tokio::task::spawn_blocking(move || match now() {
            ForwardConfig { receiver: ReceiverConfig::Kafka(config), .. } => *config,
            // It has become something else, which the next start makes of it.
            _ => before,
        });
        if let Ok(config) = read.await {
            self.config = config;
        }
        Cluster::read(&self.config, &mut self.at).await
    }

    /// Hands a batch over, or says how many of its items, from the first, were taken.
    async fn given(&mut self, batch: &Batch) -> Result<(), (usize, KafkaFault)> {
        let mut cluster = self.reached().await.map_err(|fault| (0, fault))?;
        self.turn = self.turn.wrapping_add(1);
        let ended = self.hand_over(&mut cluster, batch).await;
        match &ended {
            Err((_, fault)) if !fault.is_of_records() => {
                // Another broker may lead by now; and an answer that comes late must not be taken for that of the next request.
                self.at = self.at.wrapping_add(1);
            }
            _ => self.cluster = Some(cluster),
        }
        ended
    }

    async fn hand_over(&self, cluster: &mut Cluster, batch: &Batch) -> Result<(), (usize, KafkaFault)> {
        let keyed: Vec<Keyed<'_>> = batch
            .items
            .iter()
            .map(|item| Keyed { item, key: key(item, &self.config.key, self.format) })
            .collect();
        // By leader and partition, the places of their records, in order.
        let mut routed: BTreeMap<i32, BTreeMap<usize, Vec<usize>>> = BTreeMap::new();
        let turn = cluster.turn(self.turn);
        for (at, record) in keyed.iter().enumerate() {
            let of_key = |key: &String| partition(key.as_bytes(), cluster.partitions());
            let partition = record.key.as_ref().map_or(turn, of_key);
            if let Some(leader) = cluster.leader(partition) {
                routed.entry(leader).or_default().entry(partition).or_default().push(at);
            }
        }
        let mut fates: Vec<Option<Result<(), KafkaFault>>> = vec![None; keyed.len()];
        for (leader, routed) in routed {
            let of_partition = |(partition, places): (&usize, &Vec<usize>)| {
                let records: Vec<&Keyed<'_>> = places.iter().filter_map(|at| keyed.get(*at)).collect();
                (
                    i32::try_from(*partition).unwrap_or(i32::MAX),
                    records::batch(&records, self.config.compression),
                )
            };
            let batches: Vec<(i32, Vec<u8>)> = routed.iter().map(of_partition).collect();
            let answer = cluster.produce(&self.config, leader, &batches).await;
            for (partition, places) in routed {
                let said = match &answer {
                    Err(fault) => Err(fault.clone()),
                    Ok(produced) => judged(produced, partition, &places, &self.config.topic),
                };
                for at in places {
                    if let Some(fate) = fates.get_mut(at) {
                        *fate = Some(said.clone());
                    }
                }
            }
        }
        let missed = fates.into_iter().enumerate().find_map(|(taken, fate)| match fate {
            Some(said) => Some((taken, said.err()?)),
            None => {
                let words = "a partition has no leader: no replica of it that is in step is there";
                Some((taken, KafkaFault::new(RefusalKind::Unavailable, words)))
            }
        });
        missed.map_or(Ok(()), Err)
    }
}

/// What is said of the batch of a partition whose items have these places.
fn judged(produced: &[Produced], partition: usize, places: &[usize], topic: &str) -> Result<(), KafkaFault> {
    let is_it = |produced: &&Produced| usize::try_from(produced.partition) == Ok(partition);
    let Some(said) = produced.iter().find(is_it) else {
        return Err(KafkaFault::new(RefusalKind::Garbled, "nothing is said of a partition"));
    };
    if said.error == 0 {
        return Ok(());
    }
    let blamed = said.blamed.iter().find_map(|(at, words)| {
        let place = places.get(usize::try_from(*at).ok()?)?;
        Some((*place, words.as_deref()))
    });
    let words = blamed.and_then(|(_, words)| words).or(said.words.as_deref());
    let mut fault =
        KafkaFault::of_code(&format!("topic `{topic}`, partition {partition}"), said.error, words);
    if let Some((place, _)) = blamed
        && fault.kind == RefusalKind::Failed
    {
        fault.kind = RefusalKind::Item(place);
    }
    Err(fault)
}

/// The key of a record.
fn key(item: &Item, wanted: &KafkaKey, format: Format) -> Option<String> {
    match wanted {
        KafkaKey::None => None,
        KafkaKey::One => Some(KEY.to_owned()),
        KafkaKey::At(pointer) => {
            let record: Option<Value> =
                format.is_json().then(|| serde_json::from_slice(&item.line).ok()).flatten();
            let found = record.as_ref().and_then(|record| match record.pointer(pointer)? {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            });
            let mut key = found.unwrap_or_else(|| KEY.to_owned());
            key.truncate(key.floor_char_boundary(KEY_BYTES_MAX));
            Some(key)
        }
    }
}

impl Receiver for KafkaReceiver {
    fn target(&self) -> String {
        let brokers: Vec<String> =
            self.config.brokers.iter().map(|(host, port)| place(host, *port)).collect();
        format!("kafka://{}, topic {}", brokers.join(","), self.config.topic)
    }

    fn limits(&self) -> BatchLimits {
        BatchLimits { items: ITEMS_MAX, bytes: self.config.batch_bytes, awaited: 1, linger: Duration::ZERO }
    }

    fn send<'a>(&'a mut self, batch: &'a Batch) -> Handed<'a, Taken> {
        Box::pin(async {
            let given = self.given(batch).await;
            given.map(|()| Taken::Kept).map_err(|(taken, fault)| fault.refusal(taken))
        })
    }

    fn check(&mut self) -> Handed<'_, Option<String>> {
        Box::pin(async {
            let cluster = self.reached().await.map_err(|fault| fault.refusal(0))?;
            let words = format!("topic `{}` has {} partitions", self.config.topic, cluster.partitions());
            self.cluster = Some(cluster);
            Ok(Some(words))
        })
    }

    fn reset(&mut self) {
        self.cluster = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::http::tests::item;

    #[test]
    fn a_key_is_one_for_all_unless_it_is_looked_up() {
        let record = item(1, r#"{"actor":{"project_id":"p1"},"seq":1}"#);
        let at = |pointer: &str| KafkaKey::At(pointer.to_owned());
        for (wanted, format, key_wanted) in [
            (KafkaKey::One, Format::Native, Some("osel")),
            (KafkaKey::None, Format::Native, None),
            (at("/actor/project_id"), Format::Native, Some("p1")),
            (at("/seq"), Format::Native, Some("1")),
            (at("/actor"), Format::Native, Some("osel")),
            (at("/actor/project_id"), Format::Sentence, Some("osel")),
        ] {
            assert_eq!(key(&record, &wanted, format).as_deref(), key_wanted, "{wanted:?}");
        }
    }

    #[test]
    fn of_a_batch_that_is_refused_for_one_record_that_one_is_to_blame() {
        let said =
            Produced { partition: 2, error: 87, blamed: vec![(1, Some("no key".to_owned()))], words: None };
        let fault = judged(&[said], 2, &[4, 7], "t").unwrap_err();
        assert_eq!(fault.kind, RefusalKind::Item(7));
        assert_eq!(judged(&[], 2, &[4, 7], "t").unwrap_err().kind, RefusalKind::Garbled);
    }
}
