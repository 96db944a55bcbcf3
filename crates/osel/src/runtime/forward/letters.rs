//! Dead letters between the machine, which names lines, and the store, which names forwarders as well.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use osel_core::forward::{DeadLetter, LineId, Which};
use osel_core::time::Timestamp;

use crate::store::{DeadLetterChange, DeadLetterKey, DeadLetterRow, JournalError, Reader};

/// What a forwarder begins with.
pub(super) struct Letters {
    /// All that there are.
    pub(super) known: Vec<LineId>,
    /// The records of those that somebody wanted sent once more.
    pub(super) wanted: Which,
}

impl Letters {
    /// Reads them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn read(reader: &mut dyn Reader, forwarder: &str) -> Result<Self, JournalError> {
        let (mut known, mut wanted) = (Vec::new(), BTreeSet::new());
        reader.dead_letters(forwarder, &mut |DeadLetterRow { key, resend, .. }| {
            known.push(LineId { seq: key.seq, line: key.line });
            if resend {
                wanted.insert(key.seq);
            }
            ControlFlow::Continue(())
        })?;
        Ok(Self { known, wanted: Which::Records(wanted) })
    }
}

/// What a line is called in the store.
pub(super) fn key_of(forwarder: &str, id: LineId) -> DeadLetterKey {
    DeadLetterKey { forwarder: forwarder.to_owned(), seq: id.seq, line: id.line }
}

/// A dead letter that is new, or was refused once more.
pub(super) fn change_of(forwarder: &str, letter: DeadLetter, at: Timestamp) -> DeadLetterChange {
    let key = key_of(forwarder, letter.id);
    DeadLetterChange::Put(DeadLetterRow { key, why: letter.words, at, resend: false })
}
