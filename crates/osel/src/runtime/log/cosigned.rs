//! Checkpoints with the cosignatures that are kept of them, for whoever is shown one.
//!
//! Of each witness the last notes are kept that it cosigned, and witnesses are asked about the same checkpoints, so that one that several have
//! cosigned is not far behind the last.

use osel_core::trail::log::{Note, VerifierKey, gather_cosignatures};

use crate::store::{JournalError, Reader, SignedCheckpoint, WitnessedRow};

/// A checkpoint as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// With the log's signature and the cosignatures.
    pub note: String,
    /// How many witnesses have cosigned it.
    pub witnesses: usize,
}

/// A checkpoint with the cosignatures that are kept of it.
///
/// # Errors
/// When the store cannot be read.
pub fn cosigned(reader: &mut dyn Reader, signed: &SignedCheckpoint) -> Result<Cosigned, JournalError> {
    Ok(with_rows(&signed.note, &reader.witnessed()?, signed.size))
}

/// The latest checkpoint that so many witnesses have cosigned, and its size.
///
/// # Errors
/// When the store cannot be read.
pub fn cosigned_by(reader: &mut dyn Reader, wanted: usize) -> Result<Option<(u64, Cosigned)>, JournalError> {
    let mut rows = reader.witnessed()?;
    rows.sort_by_key(|row| std::cmp::Reverse(row.size));
    // The log's signature is on what each of them cosigned.
    let all = rows.iter().map(|row| (row.size, with_rows(&row.note, &rows, row.size)));
    let mut enough = all.filter(|(_, cosigned)| cosigned.witnesses >= wanted);
    Ok(enough.next())
}

fn with_rows(note: &str, rows: &[WitnessedRow], size: u64) -> Cosigned {
    let of_size = rows.iter().filter(|row| row.size == size);
    let keys: Vec<(VerifierKey, &str)> =
        of_size.filter_map(|row| Some((row.witness.parse().ok()?, row.note.as_str()))).collect();
    let note = gather_cosignatures(note, keys.iter().map(|(key, note)| (key, *note)));
    let read = Note::read(note.as_bytes()).ok();
    let has = |key: &VerifierKey| read.as_ref().is_some_and(|read| read.cosigned_at(key).is_some());
    let witnesses = keys.iter().filter(|(key, _)| has(key)).count();
    Cosigned { note, witnesses }
}
