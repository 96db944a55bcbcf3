//! Scans from wish to verdict: what waits, what is under way, and what the answers mean.
//!
//! What waits and which of it goes together is decided in `plan`; here it becomes commands, records and state. A scan's life is in the
//! trail under its id: the command's record, further ones for what becomes of it, and one of each address when it is judged. Every
//! candidate is scanned, waits, or is told not to be scanned, with the reason.

mod forbidden;
mod judge;
mod last;
mod launch;
mod life;
mod state;
mod text;
mod wish;

pub use crate::plan::PENDING_SCANS_MAX;
pub use last::{LAST_PORTS_MAX, LAST_RESULTS_MAX};
pub use state::ScanLine;
pub(super) use state::Scans;
#[cfg(test)]
pub(super) use wish::UNSCANNED_NAMED_MAX;
