//! From what the store has of a record to what the record says.

use osel_core::engine::record::Record;
use osel_core::trail::{Canonical, Hash, PartClass};

use crate::store::{PartContent, StoredRecord};

/// Reads a record of the store, as far as its parts are still there; none of one that is damaged.
pub fn read_record(stored: &StoredRecord) -> Option<Record> {
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
