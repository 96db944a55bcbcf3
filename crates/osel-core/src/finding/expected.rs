//! What may be open, by an operator's list: findings are about the rest.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Finding;
use crate::ids::Id;
use crate::scan::Transport;
use crate::time::Timestamp;

/// The most entries of the list: each finding that opens is compared with all of them.
pub const EXPECTED_MAX: usize = 4096;

/// One entry of the list. What it does not name may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedExposure {
    /// At these addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<IpNet>,
    /// Of this project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<Id>,
    /// At ports of these inclusive ranges; none is all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<(u16, u16)>,
    /// Of this transport.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// Why.
    pub reason: String,
    /// Until when; for ever when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl ExpectedExposure {
    /// Whether it holds at `now` and covers a finding.
    pub(super) fn covers(&self, now: Timestamp, finding: &Finding) -> bool {
        finding.kind.can_be_expected()
            && self.until.is_none_or(|until| now < until)
            && self.prefix.is_none_or(|prefix| prefix.contains(&finding.address))
            && self.project_id.as_ref().is_none_or(|id| finding.project_id.as_ref() == Some(id))
            && finding.port.is_some_and(|(transport, port)| self.has_port(transport, port))
    }

    fn has_port(&self, transport: Transport, port: u16) -> bool {
        self.transport.is_none_or(|wanted| wanted == transport)
            && (self.ports.is_empty()
                || self.ports.iter().any(|&(first, last)| (first..=last).contains(&port)))
    }

    /// Whether an address is one of its own.
    pub fn has_address(&self, address: IpAddr) -> bool {
        self.prefix.is_none_or(|prefix| prefix.contains(&address))
    }
}
