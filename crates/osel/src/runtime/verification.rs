//! Walking a store's trail: every record against its chain, its parts and the columns it is found by; and the checkpoint, and what is missing,
//! against the records that tell it.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use osel_core::trail::log::VerifierKey;
use osel_core::trail::{Bad, Canonical, Hash, NotedHead, PartCounts, StoredRecord, Verified, Verifier};

use super::checkpoint::CheckpointCheck;
use super::log::{BadLog, LogCheck, LogFound};
use super::missing::{Later, MissingCheck, PAGE, Untold};
use super::payloads::Payloads;
use super::record::parts_of;
use crate::store::{self, JournalError, PartContent, Place, Reader};

/// What verification found.
#[derive(Debug)]
pub enum Finding {
    /// Nothing bad.
    Good {
        /// How many records there are.
        records: u64,
        /// The head, to be noted elsewhere.
        head: NotedHead,
        /// What parts were there.
        parts: PartCounts,
        /// What of them is missing though no record tells of it.
        untold: Untold,
        /// What is kept and signed of the log.
        log: Box<LogFound>,
    },
    /// The records are good, as far as they were walked, and their log is not.
    BadLog(BadLog),
    /// Something bad.
    Bad {
        /// The first bad record.
        seq: u64,
        /// What is wrong with it.
        why: String,
    },
}

/// Walks the trail of a store, whoever signed its log.
///
/// # Errors
/// When the store cannot be read; damage that the trail explains is a finding, not an error.
pub fn verify(
    reader: &mut dyn Reader,
    noted: Option<NotedHead>,
    step: &mut dyn FnMut(),
) -> Result<Finding, JournalError> {
    verify_signed(reader, noted, None, None, step)
}

/// The same, where `known` is the key that must have signed the last checkpoint of the log, and `later` what became of the store of which this is an older
/// copy.
///
/// # Errors
/// As of [`verify`].
pub fn verify_signed(
    reader: &mut dyn Reader,
    noted: Option<NotedHead>,
    known: Option<VerifierKey>,
    later: Option<Later>,
    step: &mut dyn FnMut(),
) -> Result<Finding, JournalError> {
    let mut checkpoint = CheckpointCheck::begin(reader)?;
    let mut missing = MissingCheck::begin(reader, later)?;
    let head = reader.head()?;
    let mut log = match LogCheck::begin(reader, known)? {
        Ok(log) => log,
        Err(bad) => return Ok(Finding::BadLog(bad)),
    };
    let mut verifier = Verifier::new(noted);
    let mut bad: Option<(u64, String)> = None;
    let mut last = 0;
    let mut payloads = Payloads::default();
    // Two readers would see two moments: entries are fetched between pages of records.
    let mut from = 1;
    while bad.is_none() {
        let mut page = Vec::new();
        let read = reader.records(from..=from + PAGE - 1, &mut |record| {
            page.push(record);
            ControlFlow::Continue(())
        });
        let page_len = page.len();
        // What of the log cannot be read is told once the records before it are seen to be good: the first thing that is bad has its name told.
        let mut unread = match page.last() {
            Some(last) => log.turn(reader, from..=last.seq)?.err(),
            None => None,
        };
        for record in page {
            step();
            last = record.seq;
            checkpoint.see(&record);
            match push(&mut payloads, reader, &mut verifier, &record)? {
                Ok(parts) => missing.see(&record, &parts),
                Err(found) => {
                    bad = Some(found);
                    break;
                }
            }
            if let Some(bad) = unread.take_if(|unread| unread.size <= last) {
                return Ok(Finding::BadLog(bad));
            }
            if let Err(bad) = log.push(Hash(record.hash)) {
                return Ok(Finding::BadLog(bad));
            }
        }
        if bad.is_none()
            && let Some(unread) = unread
        {
            return Ok(Finding::BadLog(unread));
        }
        if bad.is_none()
            && let Err(error) = read
        {
            match error.place() {
                Some(Place::Record(seq)) => bad = Some((seq, error.to_string())),
                _ => return Err(error),
            }
        }
        missing.turn(reader)?;
        if page_len == 0 {
            break;
        }
        from = last + 1;
    }
    if let Some((seq, why)) = bad {
        return Ok(Finding::Bad { seq, why });
    }
    let verified = match verifier.finish() {
        Err(Bad { seq, why }) => return Ok(Finding::Bad { seq, why: why.to_string() }),
        Ok(verified) => verified,
    };
    // A daemon may have written meanwhile: its head moves with its records.
    let is_growing = verified.head.seq > head.seq;
    let head = if is_growing { reader.head()? } else { head };
    let fits = match verified.head.seq.cmp(&head.seq) {
        Ordering::Equal => verified.head.hash.0 == head.hash,
        Ordering::Less => is_growing,
        Ordering::Greater => false,
    };
    if !fits {
        let (said, found) = (head.seq, verified.head.seq);
        return Ok(match said == found {
            true => {
                let why = "the store says that its last record has another hash than it has".to_owned();
                Finding::Bad { seq: said, why }
            }
            false => {
                let why = format!("the store says that its last record is {said}, found is {found}");
                Finding::Bad { seq: said.min(found) + 1, why }
            }
        });
    }
    if let Some((seq, why)) = checkpoint.finish(reader)? {
        return Ok(Finding::Bad { seq, why });
    }
    let log = match log.finish(reader)? {
        Ok(log) => log,
        Err(bad) => return Ok(Finding::BadLog(bad)),
    };
    let untold = missing.finish(reader, verified.head.seq)?;
    let Verified { head, records, parts } = verified;
    Ok(Finding::Good { records, head: head.noted(), parts, untold, log: Box::new(log) })
}

/// Records are found by columns that no hash covers: they must say what the canonical bytes say.
fn columns_fit(record: &store::StoredRecord) -> Result<(), String> {
    // Bytes that cannot be read are the verifier's to name.
    let Ok(canonical) = Canonical::read(&record.canonical) else { return Ok(()) };
    let header = canonical.header;
    let fits = [
        ("kind", header.kind.code() == record.kind),
        ("time", header.time == record.time),
        ("as_of", header.as_of == record.as_of),
    ];
    match fits.into_iter().find(|(_, fits)| !fits) {
        Some((column, _)) => {
            Err(format!("its column `{column}` says something else than its canonical bytes"))
        }
        None => Ok(()),
    }
}

/// Checks one record with the entry that it stems from; says which of its parts are missing.
fn push(
    payloads: &mut Payloads,
    reader: &mut dyn Reader,
    verifier: &mut Verifier,
    record: &store::StoredRecord,
) -> Result<Result<Vec<usize>, (u64, String)>, JournalError> {
    if let Err(why) = columns_fit(record) {
        return Ok(Err((record.seq, why)));
    }
    let in_entry = record.parts.iter().any(|part| part.content == PartContent::InEntry);
    let payload = if in_entry {
        match payloads.body(reader, record.entry) {
            Ok(body) => body,
            Err(error) if error.place().is_some() => return Ok(Err((record.seq, error.to_string()))),
            Err(error) => return Err(error),
        }
    } else {
        None
    };
    let parts = match parts_of(record, payload.as_deref()) {
        Ok(parts) => parts,
        Err(why) => return Ok(Err((record.seq, why))),
    };
    let stored = StoredRecord {
        seq: record.seq,
        canonical: &record.canonical,
        hash: Some(&record.hash),
        parts: &parts,
    };
    Ok(match verifier.push(&stored) {
        Ok(checked) => Ok(checked.missing),
        Err(Bad { seq, why }) => Err((seq, why.to_string())),
    })
}
