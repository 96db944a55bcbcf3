//! A simulated cloud that speaks in notifications, and the judges that know the truth about it.
//!
//! - [`judge`] works out exposure and reachability from the API's JSON alone, slowly and obviously, without a
//!   line of `osel-core`'s model: what it and the engine agree on is right for a reason, not by a shared
//!   mistake.
//! - [`corpus`] loads the recorded clouds and says which of their ports the recordings describe in full.
//! - [`cloud`] is a simulated cloud: operations by chance from a seed, the notifications they make in the
//!   shapes of a release, and the truth beside them. [`schedule`] does to its messages what a bus may do.
//! - [`generate`] writes clouds of up to a million ports and endless streams, fast, for the benchmarks.
//! - [`api`] serves a cloud as Keystone and Neutron would, and fails as they do.
//! - [`scanners`] are vulnerability scanners that take orders, work at them and answer, and fail as they do.
//! - [`splunk`] is a Splunk that takes records, and loses what it has not written when it goes down.
//! - [`check`] plays seeds: clouds, schedules, the engine that listens, and whether it was right.
//! - [`paths`] asks `reach` and the judge the same about clouds where everything meets everything.
//! - [`fault`] says when something goes wrong with a simulated service.
//! - [`files`] reads what both need: JSON and JSON Lines, plain or gzip.
//! - [`conduct`] puts the life of a scan under fire: scanner, store and process fail at any step.
//! - [`forward`] puts the sending of records under fire: receivers that fail in every way, and processes that are killed.
//! - [`intake`] puts the intake of one source under fire: broker, store and process fail at any action.
//!
//! Nothing here is shipped, and nothing of `osel` may import it outside tests.

pub mod api;
pub mod check;
pub mod cloud;
pub mod command;
pub mod conduct;
pub mod corpus;
pub mod fault;
pub mod files;
pub mod forward;
pub mod generate;
pub mod intake;
pub mod judge;
#[cfg(test)]
mod listener;
pub mod paths;
pub mod random;
pub mod scanners;
pub mod schedule;
mod serving;
pub mod splunk;
