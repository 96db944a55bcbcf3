//! What a driver of the API is ordered and what it tells: `survey` decides by these words when a cloud is asked.
//!
//! An order is named by a [`Ticket`], which whoever orders chooses and each event of the order carries. The driver neither schedules nor
//! waits between orders; what it hands over is bounded by pages that have to be [`ApiOrder::Taken`].

use osel_core::decode::ItemPage;
use osel_core::event::Kind;
use osel_core::ids::Id;
pub use osel_core::survey::{ApiTrouble, Ticket};
use osel_core::time::Timestamp;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiOrder {
    /// Read everything, page by page. Ends in [`ApiEvent::Ended`] or [`ApiEvent::Failed`].
    ReadAll {
        /// The order.
        ticket: Ticket,
    },
    /// Read one object and what hangs on it. Ends in [`ApiEvent::Found`], [`ApiEvent::Absent`] or [`ApiEvent::Failed`]. It goes before the
    /// next page of a [`Self::ReadAll`] that is under way.
    ReadOne {
        /// The order.
        ticket: Ticket,
        /// What it is.
        kind: Kind,
        /// Which one.
        id: Id,
    },
    /// A page was handled: the driver reads on, never more than so many pages ahead as two of the API have.
    Taken {
        /// The order that the page is of.
        ticket: Ticket,
    },
    /// Do no more for this order; nothing needs to be answered.
    Abort {
        /// The order.
        ticket: Ticket,
    },
}

/// What happened.
#[derive(Debug)]
pub enum ApiEvent {
    /// A read of everything begins.
    Began {
        /// The order.
        ticket: Ticket,
        /// The local time just before the first request whose answer is shown.
        at: Timestamp,
    },
    /// Objects of a read of everything.
    Page {
        /// The order.
        ticket: Ticket,
        /// Objects of Neutron, names and role assignments of Keystone, names of servers.
        page: ItemPage,
    },
    /// A read of everything came to its end.
    Ended {
        /// The order.
        ticket: Ticket,
        /// The kinds that were shown whole: of a collection that was refused, absent or shown in part, absences mean nothing.
        complete: Vec<Kind>,
        /// Whether all role assignments were shown.
        has_all_assignments: bool,
        /// What was refused.
        refused: Vec<Refusal>,
        /// Where it was read, for the record.
        origin: String,
    },
    /// The object of a [`ApiOrder::ReadOne`], and what hangs on it.
    Found {
        /// The order.
        ticket: Ticket,
        /// The objects.
        page: ItemPage,
        /// The local time just before the request.
        at: Timestamp,
    },
    /// There is no such object.
    Absent {
        /// The order.
        ticket: Ticket,
        /// What it would be.
        kind: Kind,
        /// Which one.
        id: Id,
        /// The local time just before the request.
        at: Timestamp,
    },
    /// The order ended without an answer.
    Failed {
        /// The order.
        ticket: Ticket,
        /// What kind of trouble it is.
        trouble: ApiTrouble,
        /// The same in words, without a secret.
        words: String,
    },
}

/// A collection that may not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The collection.
    pub what: String,
    /// What osel cannot know without it.
    pub hides: &'static str,
    /// What the service says of it, or what was seen: for whoever has to mend it, without a secret.
    pub why: String,
}

impl ApiEvent {
    /// The order that it is of.
    pub fn ticket(&self) -> Ticket {
        match self {
            Self::Began { ticket, .. }
            | Self::Page { ticket, .. }
            | Self::Ended { ticket, .. }
            | Self::Found { ticket, .. }
            | Self::Absent { ticket, .. }
            | Self::Failed { ticket, .. } => *ticket,
        }
    }
}
