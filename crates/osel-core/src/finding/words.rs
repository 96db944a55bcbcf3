//! Findings as they are kept, shown and written down.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ids::Id;
use crate::scan::{Severity, Transport, Vulnerability};
use crate::time::Timestamp;

/// Names a finding for ever: sixteen hexadecimal digits of the fingerprint of what it is about. Among as many as are kept, two that share
/// one are a matter of one to ten thousand million.
pub type FindingId = Id;

/// The longest reason of an acknowledgement, in characters: a sentence or two with a ticket's number.
pub const REASON_CHARS_MAX: usize = 500;
/// How many bytes of the fingerprint make an id.
const ID_BYTES: usize = 8;

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Rules admit it and it answers.
    ExposedAnswering,
    /// Rules admit it and nothing answers: a rule that nobody needs, or a service that is down.
    ExposedNotAnswering,
    /// It answers and no rule admits it: a broken agent, a way around the filter, or the model's fault.
    AnsweringNotExposed,
    /// A scanner knows a weakness of what the internet is admitted to.
    VulnerableReachable,
}

impl FindingKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [
        Self::ExposedAnswering,
        Self::ExposedNotAnswering,
        Self::AnsweringNotExposed,
        Self::VulnerableReachable,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExposedAnswering => "exposed_answering",
            Self::ExposedNotAnswering => "exposed_not_answering",
            Self::AnsweringNotExposed => "answering_not_exposed",
            Self::VulnerableReachable => "vulnerable_reachable",
        }
    }

    /// Whether an entry of the list of expected exposure may cover it: the others are wrong whatever is expected.
    pub fn can_be_expected(self) -> bool {
        matches!(self, Self::ExposedAnswering | Self::ExposedNotAnswering)
    }
}

/// How far a finding has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingState {
    /// One scan has shown it.
    Open,
    /// A second one has, too.
    Confirmed,
    /// It is gone.
    Resolved,
}

impl FindingState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Confirmed => "confirmed",
            Self::Resolved => "resolved",
        }
    }
}

/// By what a finding was resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// A scan showed that it is gone.
    Scan,
    /// The cloud was changed so that it is another matter now, and a scan after that showed which.
    Change,
    /// The model says so and no scan can prove it.
    Model,
}

impl Resolution {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Change => "change",
            Self::Model => "model",
        }
    }
}

/// That somebody knows of a finding and lets it be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Until when; for ever when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Since when.
    pub at: Timestamp,
    /// The record of it.
    pub seq: u64,
}

/// An address of a network of a region; the network is none for a floating IP.
pub type FindingPlace = (Option<Arc<str>>, Option<Id>, IpAddr);

/// What makes a finding the same one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FindingKey {
    /// Where.
    pub place: FindingPlace,
    /// What it is about.
    pub kind: FindingKind,
    /// The port; none for the host as a whole.
    pub port: Option<(Transport, u16)>,
    /// The weakness by its scanner's number.
    pub vulnerability: Option<String>,
}

impl FindingKey {
    /// The id of the finding.
    pub fn id(&self) -> FindingId {
        let (region, network_id, address) = &self.place;
        let port = self.port.map(|(transport, port)| format!("{} {port}", transport.as_str()));
        let fields = [
            Some(self.kind.as_str().to_owned()),
            region.as_deref().map(str::to_owned),
            network_id.as_ref().map(Id::to_string),
            Some(address.to_string()),
            port,
            self.vulnerability.clone(),
        ];
        let mut digest = Sha256::new();
        for field in fields {
            // A length before each, so that no two lists of fields are the same bytes.
            let length = field.as_ref().map_or(u64::MAX, |field| field.len() as u64);
            digest.update(length.to_be_bytes());
            digest.update(field.unwrap_or_default());
        }
        let digest = digest.finalize();
        Id::new(&digest.iter().take(ID_BYTES).map(|byte| format!("{byte:02x}")).collect::<String>())
    }
}

/// Something that a person should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its id, the same whenever the same is found at the same place.
    pub id: FindingId,
    /// What it is about.
    pub kind: FindingKind,
    /// The region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Arc<str>>,
    /// The network that has the address; none for a floating IP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_id: Option<Id>,
    /// The address.
    pub address: IpAddr,
    /// The port; none for the host as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<(Transport, u16)>,
    /// Whose it is: the project of the address when it was seen last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<Id>,
    /// What the server with the address was called when it was seen last, as far as that was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// How serious it is.
    pub severity: Severity,
    /// How far it has come.
    pub state: FindingState,
    /// How often it was opened again after it was resolved.
    #[serde(default)]
    pub reopened: u32,
    /// When it was opened, or opened again last: its age counts from here.
    pub opened_at: Timestamp,
    /// The record of the scan that opened it.
    pub opened_seq: u64,
    /// When a scan saw it last.
    pub seen_at: Timestamp,
    /// The record of that scan.
    pub seen_seq: u64,
    /// When it was resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// By what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_by: Option<Resolution>,
    /// The program that saw it last, with its version where it says one.
    pub scanner: String,
    /// The scanner's name in the configuration: what another one, or the same program with another profile or at another place, does not
    /// see says nothing about a weakness. Empty where an earlier version has written it.
    #[serde(default)]
    pub scanner_name: Arc<str>,
    /// What it is, in a line.
    pub title: String,
    /// What the scan saw and what the model admits, cut to a limit.
    pub evidence: String,
    /// The weakness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vulnerability: Option<Vulnerability>,
    /// That somebody lets it be; see [`Self::acknowledged`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack: Option<Ack>,
    /// The reason of the entry of the list of expected exposure that covers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
}

impl Finding {
    /// Where it is.
    pub fn place(&self) -> FindingPlace {
        (self.region.clone(), self.network_id.clone(), self.address)
    }

    /// Whether it is resolved.
    pub fn is_resolved(&self) -> bool {
        self.state == FindingState::Resolved
    }

    /// The acknowledgement that holds at `now`: one that has expired does not count.
    pub fn acknowledged(&self, now: Timestamp) -> Option<&Ack> {
        self.ack.as_ref().filter(|ack| ack.until.is_none_or(|until| now < until))
    }

    /// Whole seconds since it was opened; until it was resolved, if it is.
    pub fn age_seconds(&self, now: Timestamp) -> i64 {
        let end = self.resolved_at.unwrap_or(now);
        (end.micros().saturating_sub(self.opened_at.micros()) / 1_000_000).max(0)
    }

    /// Which scanner saw it last: its name in the configuration, or the program of one that nobody named.
    pub fn seen_by(&self) -> &str {
        if self.scanner_name.is_empty() { &self.scanner } else { &self.scanner_name }
    }

    /// What it is, in a line, with the server's name where it is known.
    pub fn title_with_server(&self) -> String {
        match &self.server_name {
            Some(name) => format!("{} (server {name})", self.title),
            None => self.title.clone(),
        }
    }

    /// Where it is, as a sentence has it: `10.0.0.5 tcp 22 (network n)`.
    pub fn place_text(&self) -> String {
        place_text(self.address, self.network_id.as_ref(), self.port)
    }
}

/// A place as a sentence has it: `10.0.0.5 tcp 22 (network n)`.
pub fn place_text(address: IpAddr, network_id: Option<&Id>, port: Option<(Transport, u16)>) -> String {
    let network = network_id.map(|id| format!(" (network {id})")).unwrap_or_default();
    let port = port.map(|(transport, port)| format!(" {} {port}", transport.as_str())).unwrap_or_default();
    format!("{address}{port}{network}")
}
