//! What becomes of a command: how far a scanner has come with it, how it ended, and what may go wrong on the way.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{CommandId, HostResult};

/// An address that the scanner did not take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The address.
    pub address: IpAddr,
    /// Why.
    pub why: String,
}

/// Something that has become of a command. Each is an input of the engine and durable before the next step is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanReport {
    /// The command.
    pub id: CommandId,
    /// What.
    pub step: ScanStep,
}

/// A step of a command's life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScanStep {
    /// The scanner has taken it, under this reference of its own.
    Launched {
        /// What the scanner calls the scan.
        reference: String,
        /// What it did not take.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left_out: Vec<LeftOut>,
    },
    /// The scanner is at it.
    Running,
    /// It is over.
    Ended(ScanOutcome),
}

/// What came of a scan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanOutcome {
    /// Which scanner, with its version where it says one: `nmap 7.93`.
    pub scanner: String,
    /// How it ended.
    pub end: ScanEnd,
    /// What was seen. An address of the command that is not among them was not scanned.
    #[serde(default)]
    pub hosts: Vec<HostResult>,
}

/// How a scan ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScanEnd {
    /// With a result.
    Finished,
    /// Without: why.
    Failed(String),
    /// Somebody has called it off; what had been seen by then is there.
    Cancelled,
    /// It took longer than it may.
    Expired,
}

/// How far a scanner that works elsewhere has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteState {
    /// It will begin.
    Waiting,
    /// It is at it.
    Running,
    /// There is a result.
    Finished,
    /// There is a part of a result: why not all.
    Partial(String),
    /// There will be none: why.
    Failed(String),
    /// Somebody has called it off; there may be a part of a result.
    Cancelled,
}

/// Why a scanner does not do what it was asked. What follows from each is decided in `conduct`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// As much as may run at once does: again in so many seconds, if it says so.
    Busy {
        /// Seconds.
        after_seconds: Option<u32>,
    },
    /// It was asked too often: again in so many seconds, if it says so.
    Limited {
        /// Seconds.
        after_seconds: Option<u32>,
    },
    /// Nobody is there, or it is being mended: again later.
    Unavailable(String),
    /// It may or may not have taken the order: to be found out before it is given again.
    Uncertain(String),
    /// It does not know us, or we may not: again much later, since asking often locks accounts.
    Denied(String),
    /// It will not do this, however often it is asked.
    Refused {
        /// Why.
        why: String,
        /// The addresses that are the reason, where it names them: without them it may.
        addresses: Vec<IpAddr>,
    },
    /// It does not know the reference.
    Gone(String),
    /// Its answer cannot be understood, or is larger than may be.
    Garbled(String),
}
