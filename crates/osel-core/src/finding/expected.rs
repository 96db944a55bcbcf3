//! What may be open, by an operator's list: findings are about the rest.
//!
//! An entry is words about a place, all of which must hold. What is said of the place is in the finding; which tags stand for it is asked
//! of the cloud ([`Carried`]), and only where everything else holds.

use std::cell::LazyCell;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{Carried, Finding};
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
    /// Admitted by what carries this tag, letter by letter: see [`Carried::has`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Box<str>>,
    /// Why.
    pub reason: String,
    /// Until when; for ever when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl ExpectedExposure {
    /// Whether it holds at `now` and covers a finding by all its words but the tag.
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

    /// Whether its tag, if it names one, stands for a finding that it covers otherwise.
    fn covers_tag(&self, finding: &Finding, carried: &Carried) -> bool {
        self.tag.as_ref().is_none_or(|tag| {
            // Where nothing is admitted any more, that is for the next scan to tell; until then what was expected stays so.
            carried.has(tag).unwrap_or_else(|| finding.expected.as_ref() == Some(&self.reason))
        })
    }

    /// Whether an address is one of its own.
    pub fn has_address(&self, address: IpAddr) -> bool {
        self.prefix.is_none_or(|prefix| prefix.contains(&address))
    }
}

/// The whole list, and whom to ask about tags.
#[derive(Clone, Copy)]
pub struct ExpectedList<'a> {
    /// The entries, of which the first that covers a finding counts.
    pub entries: &'a [ExpectedExposure],
    /// What carries tags where a finding is.
    pub carried: &'a dyn Fn(&Finding) -> Carried,
}

impl ExpectedList<'_> {
    /// Why a finding is expected at `now`, if it is.
    pub(super) fn reason(&self, now: Timestamp, finding: &Finding) -> Option<String> {
        let carried = LazyCell::new(|| (self.carried)(finding));
        let mut entries = self.entries.iter().filter(|entry| entry.covers(now, finding));
        // An entry without a tag does not ask.
        let found = entries.find(|entry| entry.tag.is_none() || entry.covers_tag(finding, &carried));
        found.map(|entry| entry.reason.clone())
    }
}
