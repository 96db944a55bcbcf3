//! What happens to a forwarder, and what it orders.

use std::collections::BTreeSet;
use std::fmt;

use super::account::Account;
use super::receiver::{BatchNumber, Refusal, Taken};
use crate::pace::{Ongoing, Severity, Turn, Wrong};

/// Names one question whether something has arrived; the answer carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asked(pub u64);

/// Names one line of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineId {
    /// The record.
    pub seq: u64,
    /// Which of its lines, from 0.
    pub line: u32,
}

/// What was made of one record, or of several that follow each other and are told together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The record; of several, the last one.
    pub seq: u64,
    /// How many records these are, this one included; at least one.
    pub covers: u64,
    /// How many of them are told; the others did not pass the filter.
    pub told: u64,
    /// How many bytes each of its lines has, in their order. A record that was filtered out has none, nor has one of which the form says
    /// nothing.
    pub lines: Vec<usize>,
}

impl Rendered {
    /// Of one record alone, with lines of so many bytes.
    pub fn of(seq: u64, lines: Vec<usize>) -> Self {
        Self { seq, covers: 1, told: 1, lines }
    }
}

/// What was read: every record from `after` to `through` was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// As it was ordered.
    pub after: u64,
    /// The last record that was looked at; more than `after`.
    pub through: u64,
    /// Those with lines, in order; those without may be left out.
    pub records: Vec<Rendered>,
}

/// Which records an order of somebody is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// All.
    All,
    /// These.
    Records(BTreeSet<u64>),
}

/// What happened.
#[derive(Clone, Debug)]
pub enum ForwardInput {
    /// All records up to this one are durable.
    Head(u64),
    /// What [`ForwardOrder::Read`] asked for.
    Read(Page),
    /// What [`ForwardOrder::Fetch`] asked for: one for each of these records, without asking the filter.
    Fetched(Vec<Rendered>),
    /// A batch was handed over, or was not.
    Sent(BatchNumber, Result<Taken, Refusal>),
    /// Which batches have arrived.
    Confirmed(Asked, Result<Vec<BatchNumber>, Refusal>),
    /// The receiver was closed: which batches have arrived.
    Closed(Result<Vec<BatchNumber>, Refusal>),
    /// Somebody wants everything after this record sent, again or for the first time, and nothing before it. The caller drops all lines
    /// that it holds before it says so.
    Rewind(u64),
    /// Somebody wants dead letters of these records tried again.
    Resend(Which),
    /// Somebody gives dead letters of these records up.
    Discard(Which),
    /// The configuration was read again: what was wrong may be mended. A new filter, form or receiver needs a new forwarder from the place
    /// of this one instead.
    Renewed,
    /// No more batches; the receiver is closed in order.
    Stop,
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardOrder {
    /// Read records and render those that pass the filter. It is always answered, at last with what came before a stop; one such order is
    /// given at a time. The caller holds the lines until [`Progress::account`]'s place has passed their record.
    Read {
        /// From the one behind this.
        after: u64,
        /// At most so many.
        records: u64,
        /// No more, once their lines have so many bytes.
        bytes: usize,
    },
    /// Render these records once more, whether they pass the filter or not. It is always answered; one such order is given at a time. The
    /// caller holds the lines until the next one.
    Fetch(Vec<u64>),
    /// Hand a batch over.
    Send {
        /// Its number.
        batch: BatchNumber,
        /// Whether its lines are of [`ForwardOrder::Fetch`] and not of [`ForwardOrder::Read`].
        is_fetched: bool,
        /// At least one, in their order.
        lines: Vec<LineId>,
    },
    /// Ask the receiver what has arrived.
    Confirm(Asked),
    /// Drop the call that is under way, if one is, and have the receiver let go of its connection and of all that it awaits.
    Reset,
    /// Have the receiver close; no other call is under way.
    Close,
    /// Keep this, all of it or nothing. It need not be waited for: what was not kept when the process ends is sent again.
    Place(Box<Progress>),
    /// Say something in the log.
    Log(ForwardLine),
}

/// How far a forwarder has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Its account, with its place.
    pub account: Account,
    /// Which mark of the receiver belongs to that place.
    pub mark: Mark,
    /// Dead letters that are new.
    pub dead: Vec<DeadLetter>,
    /// Dead letters that are none any more.
    pub gone: Vec<LineId>,
}

/// A mark of the receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    /// The one that is kept already.
    #[default]
    Same,
    /// The one that it had right after it was handed this batch. Those of earlier batches will not be asked for any more.
    After(BatchNumber),
    /// None fits: what was sent is beyond the place in a way that no mark can say.
    Nothing,
}

/// A line that its receiver will never take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Which.
    pub id: LineId,
    /// What the receiver said.
    pub words: String,
}

/// What is wrong with a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ForwardWhy {
    /// Nobody is there, or it has too much to do.
    Unavailable,
    /// It does not answer in time, or does not say in time that something has arrived.
    Silent,
    /// It says that it failed.
    Failed,
    /// It does not know us, or is not set up for what it is sent.
    Denied,
    /// What is addressed is not there, or leads elsewhere.
    Misplaced,
    /// It takes nothing of what it is sent as that is set up.
    Unfit,
    /// Its answers cannot be understood.
    Garbled,
    /// It has refused so many lines that no more can be kept as dead letters.
    Full,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardLine {
    /// It began, or became one that needs somebody.
    Began(Ongoing<ForwardWhy>),
    /// It ended.
    Ended(Ongoing<ForwardWhy>),
    /// It comes and goes.
    Unsteady(Ongoing<ForwardWhy>),
    /// What came and went has gone well for a minute.
    Steady(Ongoing<ForwardWhy>),
    /// It still lasts.
    Still(Ongoing<ForwardWhy>),
    /// Nothing is left to be sent: whether it lasts shows when something is.
    NothingLeft(Ongoing<ForwardWhy>),
    /// A line became a dead letter, and was told with the place; told at most once a minute.
    Dead {
        /// Which, and what the receiver said.
        letter: DeadLetter,
        /// How many dead letters there are with it.
        letters: usize,
    },
    /// The place lies behind the end of the trail: nothing is sent before it is set back or the trail has come so far.
    Ahead {
        /// The place.
        place: u64,
        /// The last record of the trail.
        head: u64,
    },
}

impl ForwardLine {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Ended(_) | Self::Steady(_) | Self::NothingLeft(_) => Severity::Info,
            Self::Began(ongoing) | Self::Unsteady(ongoing) | Self::Still(ongoing)
                if ongoing.why.needs_person() =>
            {
                Severity::Error
            }
            Self::Ahead { .. } => Severity::Error,
            Self::Began(_) | Self::Unsteady(_) | Self::Still(_) | Self::Dead { .. } => Severity::Warn,
        }
    }
}

impl Wrong for ForwardWhy {
    fn needs_person(self) -> bool {
        matches!(self, Self::Denied | Self::Misplaced | Self::Unfit | Self::Garbled | Self::Full)
    }
}

impl From<Turn<ForwardWhy>> for ForwardLine {
    fn from(turn: Turn<ForwardWhy>) -> Self {
        match turn {
            Turn::Began(ongoing) => Self::Began(ongoing),
            Turn::Ended(ongoing) => Self::Ended(ongoing),
            Turn::Unsteady(ongoing) => Self::Unsteady(ongoing),
            Turn::Steady(ongoing) => Self::Steady(ongoing),
        }
    }
}

impl fmt::Display for LineId {
    /// As the id of a line has it behind the store's: the number of the record alone for its first line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.seq),
            line => write!(f, "{}-{line}", self.seq),
        }
    }
}

impl fmt::Display for ForwardWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unavailable => "unavailable",
            Self::Silent => "silent",
            Self::Failed => "fails",
            Self::Denied => "access denied",
            Self::Misplaced => "wrong address",
            Self::Unfit => "refuses what it is sent",
            Self::Garbled => "answers cannot be understood",
            Self::Full => "too many dead letters",
        })
    }
}
