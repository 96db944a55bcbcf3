//! What an intake is told and what it orders.

use std::fmt;

use super::continuity::{Cursor, Gap, GapCause, QueueReport};
use crate::pace::{Severity, Turn, Wrong};
use crate::time::Timestamp;

/// One attempt to connect and what comes of it. Given out by [`IntakeOrder::ConnectAt`], never twice by the
/// same intake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionNumber(pub u64);

/// A batch. Given out by [`IntakeOrder::Commit`], never twice to different batches by the same intake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchNumber(pub u64);

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BrokerTrouble {
    /// The broker cannot be reached, or nobody listens there.
    Unreachable,
    /// The connection was closed by the broker or broke.
    Closed,
    /// Nothing was heard for longer than the heartbeat allows.
    Silent,
    /// The consumer was cancelled or its stream ended: the queue was deleted or moved.
    Cancelled,
    /// Credentials or permissions are refused.
    Denied,
    /// No trust can be established: certificate, name, version.
    Untrusted,
    /// The other side does not keep to the protocol, or delivery tags do not follow one another.
    Disorder,
    /// Whoever carried out the orders has broken down, which is a defect. Another one takes them from here on.
    Failed,
}

/// Why a commit failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoreTrouble {
    /// It may go well without anybody's help.
    Transient,
    /// Somebody has to act: the disk is full, the store is damaged.
    Permanent,
}

/// What is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// There is no connection to the broker.
    Broker(BrokerTrouble),
    /// The store takes nothing.
    Store(StoreTrouble),
    /// Messages were or may have been lost before they reached the queue or in it.
    Queue(GapCause),
    /// The broker holds publishers back: memory or disk alarm.
    Alarm,
}

impl Why {
    /// Whether it will not end before somebody acts.
    pub fn needs_person(self) -> bool {
        matches!(
            self,
            Self::Broker(BrokerTrouble::Denied | BrokerTrouble::Untrusted | BrokerTrouble::Failed)
                | Self::Store(StoreTrouble::Permanent)
        )
    }
}

impl Wrong for Why {
    fn needs_person(self) -> bool {
        self.needs_person()
    }
}

/// One trouble that lasts.
pub type Ongoing = crate::pace::Ongoing<Why>;

/// A line for the log: constant text by variant, the rest in fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogLine {
    /// The first connection since the start.
    Connected {
        /// The index of the host.
        host: usize,
    },
    /// A trouble began, or became one that needs somebody.
    Began(Ongoing),
    /// A trouble ended, so far as can be seen.
    Ended(Ongoing),
    /// A trouble that had ended began again within a minute. Nothing more is said of its coming and going
    /// until it is steady.
    Unsteady(Ongoing),
    /// What was unsteady has gone well for a minute.
    Steady(Ongoing),
    /// The reminder: all troubles that last.
    Still(Vec<Ongoing>),
    /// Messages were or may have been lost.
    Gap(Gap),
    /// Another process leads the store; consuming has stopped.
    Deposed,
    /// A stop did not wait any longer for the store; the broker will deliver these messages again.
    Unfinished {
        /// How many were handed over and not committed.
        messages: u64,
    },
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

impl LogLine {
    /// How much the line matters.
    pub fn severity(&self) -> Severity {
        let of = |why: Why| match why {
            Why::Queue(_) | Why::Store(_) => Severity::Error,
            why if why.needs_person() => Severity::Error,
            _ => Severity::Warn,
        };
        match self {
            Self::Connected { .. } | Self::Ended(_) | Self::Steady(_) => Severity::Info,
            Self::Began(ongoing) | Self::Unsteady(ongoing) => of(ongoing.why),
            Self::Still(all) => all.iter().map(|ongoing| of(ongoing.why)).max().unwrap_or(Severity::Warn),
            Self::Gap(_) => Severity::Error,
            Self::Deposed | Self::Unfinished { .. } => Severity::Warn,
        }
    }
}

/// What happened. `chance` is a random number of 64 bits: the core draws none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntakeInput {
    /// This process leads its store: consume. At the start, and again after [`Self::Deposed`].
    Start {
        /// Under which epoch of the store this process leads.
        epoch: u64,
        /// What the store's last commit of this source said.
        cursor: Cursor,
    },
    /// There are so many hosts to try in turn by now: the configuration may have been changed.
    Hosts {
        /// How many.
        count: usize,
    },
    /// What kept connections from being made may be mended: an operator says so by having the configuration read again.
    Renewed,
    /// An ordered connection stands. No delivery comes by it before this is told.
    Connected {
        /// Which.
        connection: ConnectionNumber,
        /// How the queue was found, before anything was mended.
        report: QueueReport,
    },
    /// An ordered connection could not be made. Every [`IntakeOrder::ConnectAt`] ends in this or in
    /// `Connected`, within a time that the caller bounds.
    ConnectFailed {
        /// Which.
        connection: ConnectionNumber,
        /// Why.
        why: BrokerTrouble,
        /// For the jitter.
        chance: u64,
    },
    /// A connection is gone. The end of the consumer's stream counts, whatever the client library says of the
    /// connection.
    Lost {
        /// Which.
        connection: ConnectionNumber,
        /// Why.
        why: BrokerTrouble,
        /// For the jitter.
        chance: u64,
    },
    /// The queue was looked at: after [`IntakeOrder::Mend`], and every [`super::CURSOR_AGE_MICROS`] while
    /// connected.
    Checked {
        /// By which connection.
        connection: ConnectionNumber,
        /// How it was found.
        report: QueueReport,
    },
    /// A message was handed to the engine. Each one is told, also one of an older connection; none comes
    /// between [`IntakeOrder::Pause`] and [`IntakeOrder::Resume`].
    Delivered {
        /// The connection it came by.
        connection: ConnectionNumber,
        /// Its number on that connection: the first is 1, each next one 1 more.
        tag: u64,
        /// The size of its body.
        bytes: usize,
    },
    /// The caller has no further delivery at hand.
    Idle,
    /// A batch is durable.
    Committed {
        /// Which.
        batch: BatchNumber,
    },
    /// A batch is not known to be durable. It is kept as it is, to be repeated byte for byte.
    CommitFailed {
        /// Which.
        batch: BatchNumber,
        /// Why.
        why: StoreTrouble,
    },
    /// The broker holds publishers back (`connection.blocked`). Consuming goes on: it is what helps.
    Blocked {
        /// Who said so.
        connection: ConnectionNumber,
    },
    /// The broker does so no longer.
    Unblocked {
        /// Who said so.
        connection: ConnectionNumber,
    },
    /// Another process leads the store, or the engine was thrown away: what was not committed is no more.
    Deposed {
        /// The epoch that is over; a late word of an earlier one changes nothing.
        epoch: u64,
    },
    /// A source that ends has ended: commit what there is and exit, however long that takes.
    Ended,
    /// Stop: commit what there is and exit, within [`super::STOP_WAIT_MICROS`].
    Stop,
    /// Time has passed: see [`super::Intake::wake_at`].
    Tick,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IntakeOrder {
    /// Connect then to that host. The time is a span from the step's `now`: a clock that is set meanwhile
    /// must not change it.
    ConnectAt {
        /// When.
        at: Timestamp,
        /// To which of the hosts.
        host: usize,
        /// What the connection will be called.
        connection: ConnectionNumber,
    },
    /// Close the connection, or make it no more. Nothing needs to be answered.
    Disconnect {
        /// Which.
        connection: ConnectionNumber,
    },
    /// Put the queue right: declare and bind it. Then check it ([`IntakeInput::Checked`]). Make sure before
    /// that this process still leads: a leader that was deposed without knowing would mend what its successor
    /// has not seen broken.
    Mend {
        /// By which connection.
        connection: ConnectionNumber,
        /// What was written down. From [`GapCause::Overflowed`] on, what the queue has dropped so far is
        /// accounted for; before, it has still to be reported.
        why: GapCause,
    },
    /// Take no more deliveries, by whatever connection.
    Pause,
    /// Take deliveries again.
    Resume,
    /// Close the open batch: everything handed to the engine since the batch before, gaps included, and the
    /// cursor, in one durable transaction. When the number was ordered before, that batch again, byte for
    /// byte. A batch may be empty but for its cursor.
    Commit {
        /// Which.
        batch: BatchNumber,
        /// What to give to [`IntakeInput::Start`] once this is the last durable batch.
        cursor: Cursor,
    },
    /// Acknowledge all deliveries of the connection up to the tag.
    Acknowledge {
        /// Of which connection.
        connection: ConnectionNumber,
        /// The last of them.
        up_to: u64,
    },
    /// Hand this to the engine at once, so that it belongs to the open batch.
    Gap(Gap),
    /// Write a line.
    Log(LogLine),
    /// All is done: whatever is told from here on, no order follows.
    Exit,
}

impl fmt::Display for ConnectionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for BatchNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
