//! From what the store has of a record to what the record says.

use osel_core::engine::record::Record;
use osel_core::trail::{self, Canonical, Hash, PartClass, StoredContent, StoredPart};

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

/// The parts of a record as the trail knows them; `message` is the body of its entry, where it is a part and is there.
///
/// # Errors
/// When one is of a class that nobody knows, in words.
pub fn parts_of<'a>(
    stored: &'a StoredRecord,
    message: Option<&'a [u8]>,
) -> Result<Vec<StoredPart<'a>>, String> {
    let of = |part: &'a crate::store::StoredPart| {
        let class = PartClass::from_code(part.class);
        let class = class.ok_or_else(|| format!("a part has the unknown class {}", part.class))?;
        let bytes = match &part.content {
            PartContent::Bytes(bytes) => Some(bytes.as_slice()),
            PartContent::InEntry => message,
            PartContent::Gone => None,
        };
        let content = match bytes {
            Some(bytes) => StoredContent::Present { salt: &part.salt, bytes },
            None => StoredContent::Missing,
        };
        Ok(StoredPart { class, project: part.project.as_deref(), content })
    };
    stored.parts.iter().map(of).collect()
}

/// Checks a record on its own before it is shown to anybody: what was altered in the store is not what happened. Its message is checked
/// where it is given.
///
/// # Errors
/// What is wrong with it, in words.
pub fn check_record(stored: &StoredRecord, message: Option<&[u8]>) -> Result<(), String> {
    let parts = parts_of(stored, message)?;
    let (canonical, hash) = (stored.canonical.as_slice(), Some(stored.hash.as_slice()));
    let stored = trail::StoredRecord { seq: stored.seq, canonical, hash, parts: &parts };
    trail::check_alone(&stored).map_err(|why| why.to_string())
}
