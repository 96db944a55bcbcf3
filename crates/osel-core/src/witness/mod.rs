//! Witnesses of logs (C2SP `tlog-witness`): who keeps the largest tree that was seen of a log, and cosigns only what goes on from it.
//!
//! [`judge`] is the witness' side: whether a request is cosigned. [`WitnessClient`] is the log's side: when a witness is asked, and what its
//! answer means, up to the alarm that the log is not what was seen of it; [`Common`] has all asked about the same. Nothing here signs, keeps or sends anything, and there is no
//! clock: a witness' memory must be durable before it answers, which is the affair of whoever has a disk.

mod client;
mod common;
mod judge;
mod request;

#[cfg(test)]
mod tests;

pub use client::{
    ASK_EVERY_MICROS, Alarm, ClientInput, ClientOrder, ClientStatus, Reply, Shown, WitnessClient,
    WitnessLine, WitnessWhy,
};
pub use common::Common;
pub use judge::{Refused, Seen, judge, origin};
pub use request::{AddCheckpoint, REQUEST_BYTES_MAX, RequestError, cosigned};
