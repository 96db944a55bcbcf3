//! Whether what witnesses cosigned is what the log is: signed by the witness and by the log, with the root of our records.

use std::collections::BTreeSet;

use osel_core::trail::log::{Checkpoint, Note, VerifierKey};

use super::check::{BadLog, Judged, damage};
use super::proof::root;
use super::resource::ReadError;
use crate::store::{Reader, WitnessedRow};

/// Looks at all of it, once the records and their nodes were seen to be good up to `size`: how many witnesses there are.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn check(reader: &mut dyn Reader, keys: &[(u64, VerifierKey)], size: u64) -> Judged<u64> {
    let rows = match reader.witnessed() {
        Ok(rows) => rows,
        Err(error) => return damage(error, 0),
    };
    let keys: Vec<VerifierKey> = keys.iter().map(|(_, key)| key.clone()).collect();
    // Only what is durable is cosigned, so that a store which ends before that was cut.
    let head = match reader.head() {
        Ok(head) => head.seq,
        Err(error) => return damage(error, 0),
    };
    if let Some(row) = rows.iter().find(|row| row.size > head) {
        let why = format!("{} has cosigned {} records, and the store has {head}", row.witness, row.size);
        return Ok(Err(BadLog { size: row.size, why }));
    }
    // A daemon may have had more cosigned meanwhile: that is for the next one to look at.
    let rows: Vec<WitnessedRow> = rows.into_iter().filter(|row| row.size <= size).collect();
    for row in &rows {
        if let Err(why) = one(row, &keys) {
            return Ok(Err(BadLog { size: row.size, why }));
        }
        let cosigned =
            Checkpoint::read_unverified(row.note.as_bytes()).map(|checkpoint| checkpoint.root).ok();
        match root(reader, row.size) {
            Ok(root) if Some(root) == cosigned => {}
            Ok(_) => {
                let why = format!("{} has cosigned another root than that of the records", row.witness);
                return Ok(Err(BadLog { size: row.size, why }));
            }
            Err(ReadError::Store(error)) => return damage(error, row.size),
            Err(error) => return Ok(Err(BadLog { size: row.size, why: error.to_string() })),
        }
    }
    let witnesses: BTreeSet<&str> = rows.iter().map(|row| row.witness.as_str()).collect();
    Ok(Ok(u64::try_from(witnesses.len()).unwrap_or(u64::MAX)))
}

fn one(row: &WitnessedRow, keys: &[VerifierKey]) -> Result<(), String> {
    let witness: VerifierKey =
        row.witness.parse().map_err(|error| format!("the key of a witness is none: {error}"))?;
    let note = Note::read(row.note.as_bytes()).map_err(|error| error.to_string())?;
    if note.cosigned_at(&witness).is_none() {
        return Err(format!("what {witness} cosigned is not signed by it"));
    }
    let checkpoint = Checkpoint::open(row.note.as_bytes(), keys)
        .map_err(|error| format!("what {witness} cosigned: {error}"))?;
    if checkpoint.size == row.size {
        Ok(())
    } else {
        Err(format!("what {witness} cosigned stands for {} records", checkpoint.size))
    }
}
