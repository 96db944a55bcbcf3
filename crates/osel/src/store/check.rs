//! What a commit must be before it is written; pure, and the same for every store.
//!
//! These are the writer's own promises: numbers without gaps, `as_of` that never goes back, ledgers that
//! balance. A fault here is a defect of the caller, found before it is durable.

use osel_core::search::block_of;
use osel_core::time::Timestamp;

use super::code::ContentView;
use super::data::{
    Commit, Counters, Expiry, Head, LogKeyRow, SignedCheckpoint, VALUE_BYTES_MAX, WitnessedRow,
};
use super::index::NewSegment;
use super::new_records::{NewHead, NewRecord};

/// What is wrong with a commit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitFault {
    /// It does not go on from the head.
    #[error(
        "it goes on from entry {} and record {}, the store ends with entry {} and record {}",
        previous.entry, previous.seq, head.entry, head.seq
    )]
    Previous {
        /// Where the commit goes on.
        previous: Head,
        /// Where the store ends.
        head: Head,
    },
    /// Entries are not numbered on.
    #[error("entry {found} stands where entry {expected} must")]
    Entry {
        /// The number that is due.
        expected: u64,
        /// The number that is there.
        found: u64,
    },
    /// Records are not numbered on.
    #[error("record {found} stands where record {expected} must")]
    Record {
        /// The number that is due.
        expected: u64,
        /// The number that is there.
        found: u64,
    },
    /// A record stems from an entry that is not there, or leaves a part in an entry it does not have.
    #[error("record {seq} refers to entry {entry}, which is not there")]
    RecordEntry {
        /// The record.
        seq: u64,
        /// The entry.
        entry: u64,
    },
    /// A record's `as_of` lies before its predecessor's.
    #[error("record {seq} is as of {as_of}, its predecessor as of {before}")]
    AsOf {
        /// The record.
        seq: u64,
        /// Its time.
        as_of: Timestamp,
        /// Its predecessor's.
        before: Timestamp,
    },
    /// A segment of the search index is of records that are not there, or of more than one block.
    #[error("the search index cannot have a segment of records {first} to {last}")]
    Segment {
        /// The first of them.
        first: u64,
        /// The last.
        last: u64,
    },
    /// A ledger does not balance.
    #[error("the ledger of source `{source_name}` does not balance: {received} received, {settled} settled")]
    Ledger {
        /// The source.
        source_name: String,
        /// Messages received.
        received: u64,
        /// Messages recorded, duplicate, ignored or quarantined.
        settled: u64,
    },
    /// A quarantined message's entry is not there.
    #[error("quarantined message {id} refers to entry {entry}, which is not there")]
    Quarantine {
        /// The message.
        id: u64,
        /// The entry.
        entry: u64,
    },
    /// A command's record is not there.
    #[error("command `{id}` refers to record {seq}, which is not there")]
    Command {
        /// The command.
        id: String,
        /// The record.
        seq: u64,
    },
    /// A finding's record is not there.
    #[error("finding `{id}` refers to record {seq}, which is not there")]
    Finding {
        /// The finding.
        id: String,
        /// The record.
        seq: u64,
    },
    /// Versions are not in order, or of a record that is not in this commit.
    #[error("object versions of record {seq} are out of order")]
    Versions {
        /// The record.
        seq: u64,
    },
    /// A value is too large for a store.
    #[error("{what} {number} has more than {VALUE_BYTES_MAX} bytes")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// Its number.
        number: u64,
    },
    /// Something is to go of which the store has not as much.
    #[error("content up to record {seq} and entry {entry} is to go, before which the store ends")]
    Expiry {
        /// The last record whose content is to go.
        seq: u64,
        /// The last entry that is to go.
        entry: u64,
    },
    /// Inputs are to go behind a snapshot that is not there.
    #[error("inputs are to go behind snapshot {snapshot}, which is not there")]
    Checkpoint {
        /// The snapshot.
        snapshot: u64,
    },
    /// A node of the log stands for records that are not there, or none can be where it is said to be.
    #[error("node {index} of level {level} of the log stands for records that are not there")]
    Node {
        /// Its level.
        level: u8,
        /// Its place there.
        index: u64,
    },
    /// A checkpoint of the log stands for what is not durable yet.
    #[error("a checkpoint of the log stands for {size} records, of which {durable} are durable")]
    SignedCheckpoint {
        /// For how many records it stands.
        size: u64,
        /// How many are durable.
        durable: u64,
    },
    /// A key begins to sign with a checkpoint that is not there.
    #[error("a key begins to sign the log with a checkpoint of {size} records, which is not there")]
    LogKey {
        /// For how many records that checkpoint should stand.
        size: u64,
    },
    /// A forwarder's account does not balance, or it is beyond the last record.
    #[error("the account of forwarder `{name}` does not balance at record {place}")]
    Forwarder {
        /// Its name.
        name: String,
        /// How far it says it has come.
        place: u64,
    },
    /// A snapshot is ahead of the store.
    #[error("the snapshot is of record {seq}, the store ends with record {head}")]
    Snapshot {
        /// The snapshot's record.
        seq: u64,
        /// The store's.
        head: u64,
    },
}

/// Whether a commit may be added to a store at `head` whose last record is as of `as_of`.
///
/// # Errors
/// The first fault found.
pub fn check(commit: &Commit<'_>, head: Head, as_of: Timestamp) -> Result<(), CommitFault> {
    if commit.previous != head {
        return Err(CommitFault::Previous { previous: commit.previous, head });
    }
    let after = commit.head_after();
    for (expected, entry) in (head.entry + 1..).zip(commit.entries) {
        if entry.number != expected {
            return Err(CommitFault::Entry { expected, found: entry.number });
        }
        if entry.source.len().saturating_add(entry.head.len()).saturating_add(entry.body.len())
            > VALUE_BYTES_MAX
        {
            return Err(CommitFault::TooLarge { what: "entry", number: entry.number });
        }
    }
    let mut before = as_of;
    for (expected, record) in (head.seq + 1..).zip(commit.records.iter()) {
        check_record(&record, expected, after.entry, before)?;
        before = record.head.as_of;
    }
    for counters in commit.counters {
        check_ledger(counters)?;
    }
    for item in commit.quarantine {
        if item.entry == 0 || item.entry > after.entry {
            return Err(CommitFault::Quarantine { id: item.id, entry: item.entry });
        }
    }
    for command in commit.commands {
        if command.seq == 0 || command.seq > after.seq {
            return Err(CommitFault::Command { id: command.id.clone(), seq: command.seq });
        }
    }
    for finding in commit.findings {
        if finding.seq == 0 || finding.seq > after.seq {
            return Err(CommitFault::Finding { id: finding.id.clone(), seq: finding.seq });
        }
    }
    let mut least = head.seq + 1;
    for versions in commit.versions {
        if !(least..=after.seq + 1).contains(&versions.seq) {
            return Err(CommitFault::Versions { seq: versions.seq });
        }
        if versions.data.len() > VALUE_BYTES_MAX {
            return Err(CommitFault::TooLarge { what: "version of record", number: versions.seq });
        }
        least = versions.seq;
    }
    check_log(commit, head, after)?;
    for row in commit.forwarders {
        let settled =
            [row.delivered, row.filtered, row.dead].into_iter().fold(row.begin, u64::saturating_add);
        if settled != row.place || row.place > after.seq {
            return Err(CommitFault::Forwarder { name: row.name.clone(), place: row.place });
        }
    }
    commit.expiry.map_or(Ok(()), |expiry| check_expiry(expiry, head))
}

/// Whether a segment of the search index is of records that are there, and within a block.
///
/// # Errors
/// When it is not.
pub fn check_segment(segment: &NewSegment, head: Head) -> Result<(), CommitFault> {
    let NewSegment { first, last, .. } = *segment;
    let is_good = (1..=last).contains(&first) && last <= head.seq && block_of(first) == block_of(last);
    if is_good { Ok(()) } else { Err(CommitFault::Segment { first, last }) }
}

fn check_log(commit: &Commit<'_>, head: Head, after: Head) -> Result<(), CommitFault> {
    for node in commit.nodes {
        if node.level == 0 || node.last_seq().is_none_or(|last| last > after.seq) {
            return Err(CommitFault::Node { level: node.level, index: node.index });
        }
    }
    for SignedCheckpoint { size, note, .. } in commit.checkpoints {
        // Of the records of this very commit none is durable yet.
        if *size == 0 || *size > head.seq {
            return Err(CommitFault::SignedCheckpoint { size: *size, durable: head.seq });
        }
        if note.len() > VALUE_BYTES_MAX {
            return Err(CommitFault::TooLarge { what: "checkpoint of the log", number: *size });
        }
    }
    for WitnessedRow { size, note, witness, .. } in commit.witnessed {
        if *size == 0 || *size > head.seq {
            return Err(CommitFault::SignedCheckpoint { size: *size, durable: head.seq });
        }
        if note.len() > VALUE_BYTES_MAX || witness.len() > VALUE_BYTES_MAX {
            return Err(CommitFault::TooLarge { what: "cosigned checkpoint of the log", number: *size });
        }
    }
    for LogKeyRow { size, key } in commit.log_keys {
        if !commit.checkpoints.iter().any(|checkpoint| checkpoint.size == *size) {
            return Err(CommitFault::LogKey { size: *size });
        }
        if key.len() > VALUE_BYTES_MAX {
            return Err(CommitFault::TooLarge { what: "key of the log since checkpoint", number: *size });
        }
    }
    Ok(())
}

fn check_expiry(expiry: &Expiry, head: Head) -> Result<(), CommitFault> {
    let limits = expiry.parts.values().chain(expiry.kinds.values());
    let last = limits.copied().fold(expiry.checkpoint.seq, u64::max);
    let entry = expiry.checkpoint.entry;
    if last > head.seq || entry > head.entry {
        return Err(CommitFault::Expiry { seq: last, entry });
    }
    Ok(())
}

fn check_record(
    record: &NewRecord<'_>,
    expected: u64,
    last_entry: u64,
    before: Timestamp,
) -> Result<(), CommitFault> {
    let NewHead { seq, entry, as_of, .. } = *record.head;
    if seq != expected {
        return Err(CommitFault::Record { expected, found: seq });
    }
    let in_entry = record.parts().any(|part| matches!(part.content, ContentView::InEntry));
    if entry > last_entry || (in_entry && entry == 0) {
        return Err(CommitFault::RecordEntry { seq, entry });
    }
    if as_of < before {
        return Err(CommitFault::AsOf { seq, as_of, before });
    }
    let bytes = record.parts().fold(record.canonical.len(), |sum, part| {
        let content = if let ContentView::Bytes(bytes) = part.content { bytes.len() } else { 0 };
        let project = part.project.map_or(0, <[u8]>::len);
        // 32: class, salt, lengths and tags of one part.
        sum.saturating_add(content).saturating_add(project).saturating_add(32)
    });
    if bytes > VALUE_BYTES_MAX {
        return Err(CommitFault::TooLarge { what: "record", number: seq });
    }
    Ok(())
}

fn check_ledger(counters: &Counters) -> Result<(), CommitFault> {
    let settled = [counters.recorded, counters.duplicate, counters.ignored, counters.quarantined]
        .into_iter()
        .fold(0, u64::saturating_add);
    if settled == counters.received {
        return Ok(());
    }
    let received = counters.received;
    Err(CommitFault::Ledger { source_name: counters.source.clone(), received, settled })
}
