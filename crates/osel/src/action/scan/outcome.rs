//! What a scan found: the state of each port, or why it was not probed, and the sums.
//!
//! The one thing that must not happen here is that a failure of our own reads like an answer of theirs:
//! [`PortResult::state`] is a `Result`, and there is no state for "unknown".

use std::fmt;
use std::net::IpAddr;

use osel_core::plan::{ProbeState, Transport};
use rustix::io::Errno;
use thiserror::Error;

/// A transport protocol that can be scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Probed with a full connect.
    Tcp,
    /// Probed with a datagram.
    Udp,
}

impl Protocol {
    /// Both, in the order in which they are scanned.
    pub const ALL: [Self; 2] = [Self::Tcp, Self::Udp];

    /// `tcp` or `udp`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl From<Transport> for Protocol {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Tcp => Self::Tcp,
            Transport::Udp => Self::Udp,
        }
    }
}

impl From<Protocol> for Transport {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Tcp => Self::Tcp,
            Protocol::Udp => Self::Udp,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// What a probe that was sent has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortState {
    /// A connection was accepted, or a datagram answered.
    Open,
    /// Refused: the address answered that nothing listens. A firewall that rejects with "port unreachable"
    /// looks the same.
    Closed,
    /// Silence after every retry, or an answer on the way that the packet may not or cannot go there.
    Filtered,
    /// A UDP port that stayed silent: it listens and does not answer this datagram, or the datagram never
    /// arrived.
    OpenFiltered,
}

impl PortState {
    /// `open`, `closed`, `filtered` or `open|filtered`, as in nmap.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Filtered => "filtered",
            Self::OpenFiltered => "open|filtered",
        }
    }
}

impl fmt::Display for PortState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// Why no probe left this machine for a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum NotProbed {
    /// The process or the system has no file descriptor left.
    #[error("no file descriptor was free")]
    NoDescriptor,
    /// No local address of the family, or no local port was free.
    #[error("no local address or port was free")]
    NoLocalAddress,
    /// The kernel had no memory or buffer for it.
    #[error("the system had no buffer free")]
    NoBuffer,
    /// The routing table of this machine has no way to the address.
    #[error("no route to the address")]
    NoRoute,
    /// This machine does not permit it: its own firewall, a sandbox, or a broadcast address.
    #[error("not permitted on this system")]
    NotPermitted,
    /// This machine does not speak the address's family.
    #[error("the address family is not supported on this system")]
    NoFamily,
    /// Any other local failure, by its number.
    #[error("{}", system_text(*errno))]
    Local {
        /// The system's error number.
        errno: i32,
    },
}

impl NotProbed {
    /// Whether waiting may help, so that the probe is worth another try.
    pub(super) fn may_pass(self) -> bool {
        matches!(self, Self::NoDescriptor | Self::NoLocalAddress | Self::NoBuffer)
    }
}

impl From<Errno> for NotProbed {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::MFILE | Errno::NFILE => Self::NoDescriptor,
            Errno::ADDRNOTAVAIL | Errno::ADDRINUSE => Self::NoLocalAddress,
            Errno::NOBUFS | Errno::NOMEM | Errno::AGAIN | Errno::NOSPC => Self::NoBuffer,
            Errno::NETUNREACH | Errno::HOSTUNREACH | Errno::NETDOWN | Errno::HOSTDOWN => Self::NoRoute,
            Errno::PERM | Errno::ACCESS => Self::NotPermitted,
            Errno::AFNOSUPPORT | Errno::PROTONOSUPPORT => Self::NoFamily,
            other => Self::Local { errno: other.raw_os_error() },
        }
    }
}

/// The system's own words for an error number.
fn system_text(errno: i32) -> std::io::Error {
    std::io::Error::from_raw_os_error(errno)
}

/// What became of one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortResult {
    /// The address probed.
    pub address: IpAddr,
    /// The protocol probed.
    pub protocol: Protocol,
    /// The port probed.
    pub port: u16,
    /// What it showed, or why it was not probed.
    pub state: Result<PortState, NotProbed>,
}

impl PortResult {
    /// What the core is told.
    pub fn probe_state(&self) -> ProbeState {
        match self.state {
            Ok(PortState::Open) => ProbeState::Open,
            Ok(PortState::Closed) => ProbeState::Closed,
            Ok(PortState::Filtered) => ProbeState::Filtered,
            Ok(PortState::OpenFiltered) => ProbeState::OpenFiltered,
            Err(_) => ProbeState::NotProbed,
        }
    }
}

/// The sums of a scan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanSummary {
    /// Ports found open.
    pub open: u64,
    /// Ports found closed.
    pub closed: u64,
    /// Ports found filtered.
    pub filtered: u64,
    /// UDP ports that stayed silent.
    pub open_filtered: u64,
    /// Ports that no probe could be sent to.
    pub not_probed: u64,
    /// Connects and datagram exchanges begun, retries included.
    pub attempts: u64,
}

impl ScanSummary {
    /// Ports with a result of any kind.
    pub fn ports(&self) -> u64 {
        self.probed() + self.not_probed
    }

    /// Ports to which at least one probe was sent. A scan without any says nothing about the addresses.
    pub fn probed(&self) -> u64 {
        self.open + self.closed + self.filtered + self.open_filtered
    }

    /// Counts one result.
    pub fn count(&mut self, state: Result<PortState, NotProbed>) {
        match state {
            Ok(PortState::Open) => self.open += 1,
            Ok(PortState::Closed) => self.closed += 1,
            Ok(PortState::Filtered) => self.filtered += 1,
            Ok(PortState::OpenFiltered) => self.open_filtered += 1,
            Err(_) => self.not_probed += 1,
        }
    }
}

/// Why a scan did not begin.
#[derive(Debug, Error)]
pub enum ScanError {
    /// The plan names no port of any address.
    #[error("the scan has no address or no port")]
    NothingToScan,
    /// The process may open too few files for even one probe.
    #[error("the limit of {limit} open files leaves none for probes")]
    Descriptors {
        /// The limit in force.
        limit: u64,
    },
}
