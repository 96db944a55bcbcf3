//! From what an event opened or closed to the smallest scan that shows it, and from the scan's answer to a verdict.
//!
//! Only what the event changed is scanned: these addresses, these ports. Addresses are scanned without an order of a person only when the
//! vantage has a path to them, or an operator has allowed their prefix: 10.0.0.5 on osel's host is somebody else's. Nothing here
//! sends a packet.

mod hours;
mod policy;
mod queue;
mod rank;
mod verdict;
mod wanted;
mod why_not;

pub use hours::{BUDGET_PROJECTS_MAX, Spent};
pub use policy::{Projects, QuietHours, RUNNING_SCANS_MAX, ScanPolicy, ScannerPolicy, Vantage};
pub use queue::{CAUSES_MAX, DUE_LONG_AGO, PENDING_SCANS_MAX, Queue, STARVING_SECONDS, Taken, Wish, WishKey};
pub use rank::Rank;
pub use verdict::ScanVerdict;
pub use wanted::{Candidate, Place, SCAN_PORTS_MAX, Target, wanted};
pub use why_not::WhyNot;

pub use crate::scan::{CommandId, Expected, ProbeState, Transport};
