//! The account of a forwarder: where it stands, and what became of every record before.

/// What became of the records after `begin` up to `place`, exact at all times: `place - begin = delivered + filtered + dead`.
///
/// Everything is counted since `begin`, and kept with the place in one transaction; what a process counted beyond the last place that
/// was kept is counted anew when it is done again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The record after which it began, or to which it was last set back.
    pub begin: u64,
    /// The last record of which, and of all before it, nothing remains to be done.
    pub place: u64,
    /// Records of which all lines are where they are to be.
    pub delivered: u64,
    /// Records that did not pass the filter, or of which the form says nothing.
    pub filtered: u64,
    /// Records of which the receiver would not take all lines.
    pub dead: u64,
    /// Lines that are where they are to be.
    pub lines: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Batches that were taken.
    pub batches: u64,
    /// Batches that were not taken whole, or were sent again because nobody knows.
    pub retries: u64,
}

impl Account {
    /// One that begins after this record.
    pub fn after(seq: u64) -> Self {
        Self { begin: seq, place: seq, ..Self::default() }
    }

    /// Whether what became of all records adds up.
    pub fn is_balanced(&self) -> bool {
        self.place.checked_sub(self.begin) == Some(self.delivered + self.filtered + self.dead)
    }
}
