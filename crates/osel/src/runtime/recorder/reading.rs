//! What the daemon's reads of an API need besides pages: their end in steps, reads that break off, and single objects.

use std::sync::Arc;

use osel_core::decode::ItemPage;
use osel_core::engine::{ReadEnd, ReadRun};
use osel_core::event::Kind;
use osel_core::ids::Id;
use osel_core::time::Timestamp;

use super::{RecordError, Recorder};

/// An object that a record asks to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Its region.
    pub region: Option<Arc<str>>,
    /// What it is.
    pub kind: Kind,
    /// Which one.
    pub id: Id,
    /// The record.
    pub cause: u64,
}

impl Recorder {
    /// Takes the end of a read, which is worked on by [`Self::read_on`].
    ///
    /// # Errors
    /// When the batch is full and cannot be committed.
    pub fn begin_read_end(&mut self, now: Timestamp, end: ReadEnd) -> Result<(), RecordError> {
        self.read_end(now, end)
    }

    /// Goes on with the ends of reads; whether there is more to do.
    ///
    /// # Errors
    /// When the batch is full and cannot be committed.
    pub fn read_on(&mut self, _now: Timestamp) -> Result<bool, RecordError> {
        Ok(false)
    }

    /// A read does not come to its end: what it has shown counts, and nothing is gone.
    ///
    /// # Errors
    /// When the batch is full and cannot be committed.
    pub fn read_broken(&mut self, now: Timestamp, run: &ReadRun) -> Result<(), RecordError> {
        let (complete, origin) = (Vec::new(), "that broke off".to_owned());
        self.read_end(now, ReadEnd { run: run.clone(), complete, origin })
    }

    /// Takes the objects that a look showed; nothing is gone for not being among them.
    ///
    /// # Errors
    /// When the batch is full and cannot be committed.
    pub fn looked(
        &mut self,
        now: Timestamp,
        region: Option<Arc<str>>,
        at: Timestamp,
        _cause: Option<u64>,
        page: ItemPage,
        _absent: Vec<(Kind, Id)>,
    ) -> Result<(), RecordError> {
        let run = self.begin_read(region.as_ref(), at, true);
        self.page(now, &run, page)?;
        self.read_end(now, ReadEnd { run, complete: Vec::new(), origin: "single object".to_owned() })
    }

    /// Objects to look at whose records are durable in these batches.
    pub fn take_looks(&mut self, _durable: u64) -> Vec<Look> {
        Vec::new()
    }
}
