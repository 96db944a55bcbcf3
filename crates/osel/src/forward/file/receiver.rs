//! A file as a receiver.

use std::sync::Arc;
use std::time::Duration;

use osel_core::forward::{Refusal, RefusalKind, Taken};
use tokio::task::{JoinHandle, spawn_blocking};

use super::keeper::Keeper;
use super::mark::Mark;
use super::writer::{FileFault, Line, Pack, Writer};
use crate::config::FileReceiverConfig;
use crate::forward::receiver::{Batch, BatchLimits, Handed, Receiver};

/// As much as is synced at once: a sync costs milliseconds, and some thousand lines in one make it cheap.
const LIMITS: BatchLimits = BatchLimits { items: 10_000, bytes: 8 << 20, awaited: 1, linger: Duration::ZERO };

/// What work on the file comes to.
type Worked = Result<(Writer, Option<Mark>), FileFault>;

/// Writes to a file.
pub struct FileReceiver {
    settings: Arc<FileReceiverConfig>,
    /// All that was taken is there.
    mark: Option<Mark>,
    writer: Option<Writer>,
    /// It goes on when whoever asked for it does not wait any more.
    work: Option<JoinHandle<Worked>>,
    keeper: Option<Keeper>,
}

impl FileReceiver {
    /// The receiver of a table. Nothing is opened before something is sent.
    pub fn new(settings: FileReceiverConfig) -> Self {
        Self { settings: Arc::new(settings), mark: None, writer: None, work: None, keeper: None }
    }

    async fn write(&mut self, batch: &Batch) -> Result<(), Refusal> {
        if let Some(left) = &mut self.work {
            // What it wrote was not told as taken, and is found in the file.
            let _ = left.await;
            (self.work, self.writer) = (None, None);
        }
        let keeper = match &self.keeper {
            Some(keeper) => keeper.clone(),
            None => {
                let started = Keeper::start(Arc::clone(&self.settings));
                let started = started.map_err(|error| {
                    refusal(RefusalKind::Unavailable, format!("cannot start a thread: {error}"))
                })?;
                self.keeper.insert(started).clone()
            }
        };
        let (settings, mark, writer) = (Arc::clone(&self.settings), self.mark.clone(), self.writer.take());
        let pack = pack(batch);
        let work = self.work.insert(spawn_blocking(move || {
            let mut writer = match writer.filter(Writer::has_its_name) {
                Some(writer) => writer,
                None => Writer::open(settings, mark.as_ref(), keeper)?,
            };
            let mark = writer.append(&pack)?;
            Ok((writer, mark))
        }));
        let worked = work.await;
        self.work = None;
        match worked {
            Ok(Ok((writer, mark))) => {
                (self.writer, self.mark) = (Some(writer), mark);
                Ok(())
            }
            Ok(Err(fault)) => Err(refusal(fault.kind(), fault.to_string())),
            Err(_) => Err(refusal(RefusalKind::Failed, "writing was broken off".to_owned())),
        }
    }
}

impl Receiver for FileReceiver {
    fn target(&self) -> String {
        self.settings.path.display().to_string()
    }

    fn limits(&self) -> BatchLimits {
        LIMITS
    }

    fn resume(&mut self, mark: Option<&str>) {
        self.mark = mark.and_then(Mark::parse);
        self.reset();
    }

    fn send<'a>(&'a mut self, batch: &'a Batch) -> Handed<'a, Taken> {
        Box::pin(async move { self.write(batch).await.map(|()| Taken::Kept) })
    }

    fn reset(&mut self) {
        self.writer = None;
    }

    fn mark(&self) -> Option<String> {
        self.mark.as_ref().map(Mark::to_string)
    }
}

fn pack(batch: &Batch) -> Pack {
    let size = batch.items.iter().map(|item| item.line.len() + 1).sum();
    let mut pack = Pack { bytes: Vec::with_capacity(size), lines: Vec::with_capacity(batch.items.len()) };
    for item in &batch.items {
        let start = pack.bytes.len();
        pack.bytes.extend_from_slice(&item.line);
        pack.bytes.push(b'\n');
        pack.lines.push(Line { start, end: pack.bytes.len(), seq: item.seq, recorded_at: item.recorded_at });
    }
    pack
}

fn refusal(kind: RefusalKind, words: String) -> Refusal {
    Refusal { kind, words, taken: 0, wait: None }
}
