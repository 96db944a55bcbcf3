//! The built-in scanner: asynchronous TCP connect scans and UDP probes of exactly the addresses and ports it
//! is given.
//!
//! It tells what answered, and it never claims more than it did: a probe that could not be sent is
//! [`NotProbed`] with the reason, not `closed`; a UDP port that stays silent is `open|filtered`. It needs no
//! privilege, resolves no names, decides nothing about what may be scanned and keeps nothing: results go to
//! the caller one by one, as they come.
//!
//! How it works, from the outside in:
//!
//! - [`scan`] builds one `engine::Engine`, a single future; dropping it closes every socket and ends the
//!   scan.
//! - `host` keeps what is known of one address: which ports are next, which probes are out, the round trip
//!   (`round_trip`, as in RFC 6298), how many probes may be out at once (`window`) and how fast (`pace`).
//! - `probe` makes sockets and reads verdicts from them. On loopback and on near networks the answer to a
//!   connect is there before the system call returns, so most probes never reach the runtime's poller; the
//!   others are `watched`, and `ready` tells which of them to look at.
//! - `everywhere` tells hosts that answer at every port from those whose open ports mean something; it is up to the caller to ask.
//! - Only silence is asked again: once by default, and more often on an address that proved to lose packets, or while nothing at all came
//!   from one that has answered (`witness`).

mod descriptors;
mod engine;
pub mod everywhere;
mod host;
mod outcome;
mod pace;
mod payload;
mod plan;
mod ports;
mod probe;
mod ready;
mod round_trip;
mod watched;
mod window;
mod witness;

pub use engine::scan;
pub use outcome::{NotProbed, PortResult, PortState, Protocol, ScanError, ScanSummary};
pub use plan::ScanPlan;
pub use ports::{PortRange, PortSpec, PortSpecError};
