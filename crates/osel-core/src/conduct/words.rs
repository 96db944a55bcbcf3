//! What happens to a conductor, and what it orders.

use std::fmt;
use std::sync::Arc;

use crate::pace::{Ongoing, Severity, Turn, Wrong};
use crate::scan::{CommandId, HostResult, RemoteState, ScanCommand, ScanLife, ScanReport, Trouble};

/// Names one call; the answer carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ask(pub u64);

/// Names one step that was told; that it is durable carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Told(pub u64);

/// What a scanner is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// Whether it has a scan of that title.
    Find,
    /// To begin one.
    Launch,
    /// How far it is.
    Status,
    /// What it saw; of a scanner that works here: to scan.
    Fetch,
    /// To call it off.
    Cancel,
    /// To remove what was made for it.
    Forget,
}

/// A scan that a scanner has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// What the scanner calls it.
    pub reference: String,
    /// What it did not take.
    pub left_out: Vec<crate::scan::LeftOut>,
}

/// What a scanner answers, each to its call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Call::Find`].
    Found(Option<Taken>),
    /// To [`Call::Launch`].
    Launched(Taken),
    /// To [`Call::Status`].
    State(RemoteState),
    /// To [`Call::Fetch`].
    Seen {
        /// Who saw it.
        scanner: String,
        /// One for each address of the command that was asked with.
        hosts: Vec<HostResult>,
    },
    /// To [`Call::Cancel`] and [`Call::Forget`].
    Done,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum ConductInput {
    /// A command is to be carried out, or one that is over is to be removed from the scanner.
    Given {
        /// The command and how far it had come.
        life: Box<ScanLife>,
        /// Whether another process may have asked the scanner already.
        is_resumed: bool,
    },
    /// A call was answered.
    Answered(Ask, Result<Answer, Trouble>),
    /// What was told is durable.
    Durable(Told),
    /// A command is to end: somebody called it off, or the engine has ended it.
    Cancel(CommandId),
    /// The configuration was read again: what was wrong may be mended.
    Renewed {
        /// The most scans at one time.
        running_max: usize,
    },
    /// No more calls; those under way are dropped.
    Stop,
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConductOrder {
    /// Ask the scanner.
    Call {
        /// Under this number.
        ask: Ask,
        /// What.
        call: Call,
        /// The command, without what is left out.
        command: Arc<ScanCommand>,
        /// What the scanner calls the scan; empty where that is not known.
        reference: String,
    },
    /// Give a call up: its answer is not waited for any more.
    Drop(Ask),
    /// Have the engine told, and say when that is durable.
    Tell(Told, Box<ScanReport>),
    /// Say something in the log.
    Log(ConductLine),
}

/// What is wrong with a scanner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConductWhy {
    /// Nobody is there, or it is being mended.
    Unavailable,
    /// It does not answer in time.
    Silent,
    /// It does not know us.
    Denied,
    /// Its answers cannot be understood.
    Garbled,
}

/// What could not be done at a scanner and is not tried any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undone {
    /// The scan could not be called off.
    Cancel,
    /// What was made for it could not be removed.
    Forget,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConductLine {
    /// It began, or became one that needs somebody.
    Began(Ongoing<ConductWhy>),
    /// It ended.
    Ended(Ongoing<ConductWhy>),
    /// It comes and goes.
    Unsteady(Ongoing<ConductWhy>),
    /// What came and went has gone well for a minute.
    Steady(Ongoing<ConductWhy>),
    /// It still lasts.
    Still(Ongoing<ConductWhy>),
    /// Something of a command is left at the scanner.
    Left(CommandId, Undone),
}

impl ConductLine {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Ended(_) | Self::Steady(_) => Severity::Info,
            Self::Began(ongoing) | Self::Still(ongoing) if ongoing.why.needs_person() => Severity::Error,
            Self::Began(_) | Self::Unsteady(_) | Self::Still(_) | Self::Left(..) => Severity::Warn,
        }
    }
}

impl Wrong for ConductWhy {
    fn needs_person(self) -> bool {
        matches!(self, Self::Denied)
    }
}

impl From<Turn<ConductWhy>> for ConductLine {
    fn from(turn: Turn<ConductWhy>) -> Self {
        match turn {
            Turn::Began(ongoing) => Self::Began(ongoing),
            Turn::Ended(ongoing) => Self::Ended(ongoing),
            Turn::Unsteady(ongoing) => Self::Unsteady(ongoing),
            Turn::Steady(ongoing) => Self::Steady(ongoing),
        }
    }
}

impl fmt::Display for ConductWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unavailable => "unavailable",
            Self::Silent => "silent",
            Self::Denied => "access denied",
            Self::Garbled => "answers cannot be understood",
        })
    }
}
