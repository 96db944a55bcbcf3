//! What is kept of forwarders: how far each has come, and what its receiver will not take.
//!
//! Rows are absolute, as ledgers are: a commit that is written twice leaves the same.

use osel_core::time::Timestamp;

/// How far a forwarder has come. `place - begin` is always the sum of what was delivered, filtered out and is dead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForwarderRow {
    /// Its name.
    pub name: String,
    /// The record behind which it began, or was last set back to.
    pub begin: u64,
    /// The last record of which nothing remains to be done.
    pub place: u64,
    /// Records since then that its receiver has.
    pub delivered: u64,
    /// Records since then that it is not to send, or that have no line in its format.
    pub filtered: u64,
    /// Records since then of which a line is dead.
    pub dead: u64,
    /// Lines since then that its receiver has.
    pub lines: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Batches since then that its receiver has taken.
    pub batches: u64,
    /// Batches since then that were not taken whole, or were sent again because nobody knows.
    pub retries: u64,
    /// What its driver has to know of a run before, in the words of its driver.
    pub mark: Option<String>,
    /// What stands in its way, and since when.
    pub trouble: Option<(Timestamp, String)>,
    /// When this was last so.
    pub updated_at: Timestamp,
}

/// Names a line that a receiver was to get.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeadLetterKey {
    /// The forwarder.
    pub forwarder: String,
    /// The record.
    pub seq: u64,
    /// Its line, from 0.
    pub line: u32,
}

/// A line that a receiver will not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterRow {
    /// Which.
    pub key: DeadLetterKey,
    /// What the receiver said.
    pub why: String,
    /// When.
    pub at: Timestamp,
    /// Whether somebody wants it sent once more.
    pub resend: bool,
}

/// What a commit does to dead letters; several are done in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeadLetterChange {
    /// There is one, or it is another than before.
    Put(DeadLetterRow),
    /// It was taken after all.
    Drop(DeadLetterKey),
    /// Somebody gives them up.
    Discard {
        /// The forwarder.
        forwarder: String,
        /// Those of this record; all where there is none.
        seq: Option<u64>,
    },
    /// The forwarder was set back behind this record: what comes after it is sent again anyhow.
    DropAfter {
        /// The forwarder.
        forwarder: String,
        /// The record.
        seq: u64,
    },
    /// Somebody wants them sent once more.
    Resend {
        /// The forwarder.
        forwarder: String,
        /// Those of this record; all where there is none.
        seq: Option<u64>,
    },
}
