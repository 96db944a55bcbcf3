//! What is missing of a trail, held against what the trail tells.
//!
//! Parts go by retention and by erasures, and records of the kind `system` tell both: any other part was taken by somebody. The tables that say what may
//! go are read first, since they say it of records that the walk has still to come to; that they say no more than the records do is seen when it
//! has come to the end. Nothing here verifies a record: whoever walks the trail does.

mod account;
mod later;
mod of_record;
mod told;

use std::ops::ControlFlow;

use osel_core::trail::RecordKind;

use self::account::{Account, Lost};
pub use self::later::{Later, NotLater};
pub use self::of_record::{UntoldParts, untold_parts};
use self::told::Told;
use super::payloads::Payloads;
use crate::store::{JournalError, PartContent, Reader, StoredRecord};

/// So many records are looked through between two looks at what may go: a daemon may let go meanwhile.
pub(super) const PAGE: u64 = 1000;

/// The parts that are missing though no record tells of it.
///
/// A store that is as it was left has none of either. One that is read with later keys than its own has parts that are locked: whether their keys went as
/// they should is known of the store that it is a copy of ([`Later`]), and without that nobody can tell it from keys that somebody took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Untold {
    /// How many are not there.
    pub parts: u64,
    /// The first record that lacks one.
    pub first: Option<u64>,
    /// How many parts about persons are there, sealed, and cannot be read, since their keys are not.
    pub locked: u64,
    /// The first record that has one.
    pub first_locked: Option<u64>,
    /// Whether the store says that more may go than its records tell, of which nothing need be missing yet. It was not believed here, and nobody else may.
    pub is_overstated: bool,
}

impl Untold {
    /// Whether there is none.
    pub fn is_nothing(&self) -> bool {
        self.parts == 0 && self.locked == 0
    }

    fn count(&mut self, lost: &Lost) {
        let (count, first) = match lost.is_locked {
            true => (&mut self.locked, &mut self.first_locked),
            false => (&mut self.parts, &mut self.first),
        };
        *count += 1;
        first.get_or_insert(lost.seq);
    }
}

/// Holds what is missing against what is told, while somebody walks the trail.
#[derive(Debug)]
pub struct MissingCheck {
    account: Account,
    told: Told,
}

impl MissingCheck {
    /// For a store as it is now, or an older copy with what became of the store since; begun before the walk, so that the walk comes to the records that tell.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn begin(reader: &mut dyn Reader, later: Option<Later>) -> Result<Self, JournalError> {
        let mut account = Account::beside(later);
        account.refresh(reader)?;
        Ok(Self { account, told: Told::default() })
    }

    /// Takes a record of the trail and which of its parts are missing, counted from 0.
    pub fn see(&mut self, record: &StoredRecord, missing: &[usize]) {
        if record.kind == RecordKind::System.code() {
            self.told.see(record);
        }
        self.account.see(record, missing);
    }

    /// Settles what was seen since the last time: after [`PAGE`] records at most, which bounds what waits.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn turn(&mut self, reader: &mut dyn Reader) -> Result<(), JournalError> {
        self.account.settle(reader)
    }

    /// What is missing untold of a trail that ends there.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn finish(self, reader: &mut dyn Reader, last: u64) -> Result<Untold, JournalError> {
        let Self { account, told } = self;
        let is_overstated = !told.vouches_for(&account);
        if account.untold().parts == 0 && !is_overstated {
            return Ok(account.untold());
        }
        // Only in a store that somebody tampered with: what the tables say is worth nothing where no record says it.
        let mut strict = account.strict(told, last);
        let mut payloads = Payloads::default();
        let mut from = 1;
        while from <= last {
            let mut page = Vec::new();
            reader.records(from..=last.min(from + PAGE - 1), &mut |record| {
                page.push(record);
                ControlFlow::Continue(())
            })?;
            for record in &page {
                let missing = missing_parts(reader, &mut payloads, record)?;
                strict.see(record, &missing);
            }
            strict.settle(reader)?;
            from += PAGE;
        }
        Ok(Untold { is_overstated, ..strict.untold() })
    }
}

/// Which parts of a record are not there, counted from 0.
fn missing_parts(
    reader: &mut dyn Reader,
    payloads: &mut Payloads,
    record: &StoredRecord,
) -> Result<Vec<usize>, JournalError> {
    let mut missing = Vec::new();
    for (place, part) in record.parts.iter().enumerate() {
        let is_missing = match part.content {
            PartContent::Gone => true,
            PartContent::InEntry => payloads.body(reader, record.entry)?.is_none(),
            PartContent::Bytes(_) => false,
        };
        if is_missing {
            missing.push(place);
        }
    }
    Ok(missing)
}
