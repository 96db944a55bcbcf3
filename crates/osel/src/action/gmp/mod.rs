//! Greenbone (OpenVAS) as a scanner, by GMP, the protocol of its manager gvmd.
//!
//! Each call makes one connection, logs in, and asks one thing after the other. A scan is a port list, a target and a task, all of the
//! title of the order; what a call left half done is found again by that title and completed by the next ([`scanner`]). Answers are read as
//! they come ([`session`], [`answer`], [`report`]) and told in the words of all scanners ([`hosts`]).
//!
//! What is absent: SSH, reports in other formats than gvmd's own, schedules and alerts; osel decides itself when to scan.

mod answer;
mod error;
mod hosts;
mod line;
mod pieces;
mod report;
mod request;
mod scanner;
mod session;

pub use error::GmpError;
pub use scanner::Gmp;
