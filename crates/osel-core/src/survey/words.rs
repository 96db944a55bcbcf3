//! What a survey is told and what it orders.

use std::fmt;
use std::time::Duration;

use crate::event::Kind;
use crate::ids::Id;
use crate::pace::{Severity, Turn, Wrong};

/// One order to the driver. Given out by [`SurveyOrder::ReadAll`] and [`SurveyOrder::ReadOne`]; a later one has a greater number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Why an order failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApiTrouble {
    /// Nobody answers, or not in time.
    Unreachable,
    /// No trust can be established: certificate, name.
    Untrusted,
    /// Keystone does not let us in, or there is nothing to log in with.
    Denied,
    /// We are in, and a policy refuses the read.
    Refused,
    /// The service wants to be left alone for a while.
    Throttled {
        /// For how long, where it says so.
        retry_after: Option<Duration>,
    },
    /// What was answered makes no sense, or the service failed.
    Broken,
}

/// What is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// An order failed.
    Api(ApiTrouble),
    /// The driver said nothing for [`super::SILENT_MICROS`].
    Silent,
}

impl Wrong for Why {
    fn needs_person(self) -> bool {
        matches!(self, Self::Api(ApiTrouble::Untrusted | ApiTrouble::Denied | ApiTrouble::Refused))
    }
}

/// One trouble that lasts.
pub type Ongoing = crate::pace::Ongoing<Why>;

/// Why everything is read; a later one of these is the better reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// It is time to.
    Schedule,
    /// More looks were wished than may wait.
    Looks,
    /// Messages of a source were or may have been lost, or nobody had listened to it before.
    Gap,
    /// What happened before the start is not known.
    Start,
}

/// An object that is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// What it is.
    pub kind: Kind,
    /// Which one.
    pub id: Id,
    /// The record that asks for it.
    pub cause: u64,
}

/// What happened. What is told of an order that is not under way changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SurveyInput {
    /// This process leads its store: the API may be asked.
    Start,
    /// A gap of a source of the region was written down, or its queue is in place that was not: what was missed can be read now.
    Gap,
    /// An object should be looked at.
    Wished(Look),
    /// A read of everything has begun to ask.
    Began(Ticket),
    /// A page of it has come.
    Paged(Ticket),
    /// The oldest page that has come was handled.
    Handled(Ticket),
    /// The end of an order has come and waits to be handled: the driver has no more to say.
    Told(Ticket),
    /// A read of everything came to its end, and all its pages were handled.
    Ended(Ticket),
    /// A look was answered: the object, or that there is none.
    Answered(Ticket),
    /// An order ended without an answer.
    Failed(Ticket, ApiTrouble),
    /// The configuration was read again: what a person had to mend may be mended.
    Renewed {
        /// The longest time between two reads.
        every_micros: u64,
    },
    /// Time has passed: see [`super::Survey::wake_at`].
    Tick,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SurveyOrder {
    /// Read everything. Ends in [`SurveyInput::Ended`] or [`SurveyInput::Failed`].
    ReadAll {
        /// The order.
        ticket: Ticket,
        /// Why.
        reason: Reason,
    },
    /// Look at one object. Ends in [`SurveyInput::Answered`] or [`SurveyInput::Failed`].
    ReadOne {
        /// The order.
        ticket: Ticket,
        /// At what.
        look: Look,
    },
    /// The driver may bring one page more.
    Taken(Ticket),
    /// Do no more for this order; it counts as failed.
    Abort(Ticket),
    /// Write a line.
    Log(LogLine),
}

/// A line for the log: constant text by variant, the rest in fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLine {
    /// A trouble began, or became one that needs somebody.
    Began(Ongoing),
    /// A trouble ended, so far as can be seen.
    Ended(Ongoing),
    /// A trouble that had ended began again within a minute. Nothing more is said of its coming and going until it is steady.
    Unsteady(Ongoing),
    /// What was unsteady has gone well for a minute.
    Steady(Ongoing),
    /// The reminder: it lasts.
    Still(Ongoing),
}

impl LogLine {
    /// How much the line matters. Events do not need the API: it is an error only where a person has to act.
    pub fn severity(self) -> Severity {
        match self {
            Self::Ended(_) | Self::Steady(_) => Severity::Info,
            Self::Began(ongoing) | Self::Unsteady(ongoing) | Self::Still(ongoing) => {
                if ongoing.why.needs_person() { Severity::Error } else { Severity::Warn }
            }
        }
    }
}

impl From<Turn<Why>> for LogLine {
    fn from(turn: Turn<Why>) -> Self {
        match turn {
            Turn::Began(ongoing) => Self::Began(ongoing),
            Turn::Ended(ongoing) => Self::Ended(ongoing),
            Turn::Unsteady(ongoing) => Self::Unsteady(ongoing),
            Turn::Steady(ongoing) => Self::Steady(ongoing),
        }
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
