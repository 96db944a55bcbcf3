//! What a scanner is asked, and what it answers: the words that plan, findings, engine, conductor and every adapter share.
//!
//! Data only. Which scan is wanted is decided in `plan`, what an answer means in `finding`, when a scanner is asked in `conduct`; packets
//! are sent by the shell.

mod command;
mod life;
mod old;
mod report;
mod result;
mod words;

pub(crate) use command::expected_list;
pub use command::{CommandId, Expected, ScanCommand, ScanReason, ScanTarget};
pub use life::{ScanLife, ScanState};
pub(crate) use old::OldCommand;
pub use old::{BUILTIN, read_life, read_report};
pub use report::{LeftOut, RemoteState, ScanEnd, ScanOutcome, ScanReport, ScanStep, Trouble};
pub use result::{
    Coverage, EVIDENCE_CHARS_MAX, HOST_PORTS_MAX, HOST_VULNERABILITIES_MAX, HostResult, PortFound, Severity,
    TEXT_CHARS_MAX, Vulnerability, cut,
};
pub use words::{ProbeState, Transport};
