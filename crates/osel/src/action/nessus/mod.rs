//! Nessus, on a server of one's own, and Tenable Vulnerability Management, in the vendor's cloud: the same API but for a few paths.
//!
//! A scan is made under the order's title, launched, asked for its state, and its report read as it comes in. Titles need not be unique
//! for either product, so that a scan is looked for before one is made; what was made and not launched is launched then. Only what is
//! deleted by its number is ever deleted.
//!
//! What is absent: pausing and resuming (whoever pauses a scan by hand has it paused), schedules, credentials for the scanned hosts
//! (they belong into the policy), and anything that Nessus Professional refuses.

mod client;
mod download;
mod names;
mod report;
mod results;
mod scanner;
mod session;
mod trouble;

pub use scanner::Nessus;
