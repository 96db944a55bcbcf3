//! A record as the store has it, read back into what it says.

use osel_core::engine::record::Record;
use osel_core::trail::{Canonical, Hash, PartClass};

use crate::store::{PartContent, StoredRecord};

/// Reads a record of the store; none when it is damaged.
pub fn record(stored: &StoredRecord) -> Option<Record> {
    let header = Canonical::read(&stored.canonical).ok()?.header;
    let parts = stored.parts.iter().filter_map(|part| {
        let bytes = match &part.content {
            PartContent::Bytes(bytes) => Some(bytes.as_slice()),
            // The message itself is not needed to say what a record says.
            PartContent::InEntry => Some(&[][..]),
            PartContent::Gone => None,
        };
        Some((PartClass::from_code(part.class)?, part.project.as_deref(), bytes))
    });
    Some(Record::read(header, Hash(stored.hash), parts))
}
