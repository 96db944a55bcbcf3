//! From what an event opened or closed to the smallest scan that shows it, and from the scan's answer to a verdict.
//!
//! Only what the event changed is scanned: these addresses, these ports. Addresses are scanned without an order of a person only when the
//! outside has a path to them, or an operator has allowed their prefix: 10.0.0.5 on osel's host is somebody else's. Nothing here
//! sends a packet.

mod policy;
mod verdict;
mod wanted;

pub use policy::{Projects, QuietHours, RUNNING_SCANS_MAX, ScanPolicy, ScannerPolicy, Vantage};
pub use verdict::ScanVerdict;
pub use wanted::{Place, SCAN_PORTS_MAX, Target, wanted};

pub use crate::scan::{CommandId, Expected, ProbeState, Transport};
