//! What a scan saw, in one form for all scanners.
//!
//! `unknown` is never `clean`: what was not looked at is said, by [`Coverage`] of a host and by [`ProbeState::NotProbed`] of a port.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{ProbeState, Transport};

/// The most ports that are told of one host: all of TCP and of UDP.
pub const HOST_PORTS_MAX: usize = 2 * 65_536;
/// The most vulnerabilities that are told of one host; the most severe are kept. Full scans of neglected hosts find some hundreds.
pub const HOST_VULNERABILITIES_MAX: usize = 1000;
/// The longest text of a title, service or product, in characters.
pub const TEXT_CHARS_MAX: usize = 200;
/// The longest evidence of one vulnerability, in characters: enough to see why, too little to hold a file of the host.
pub const EVIDENCE_CHARS_MAX: usize = 500;

/// How serious something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    #[default]
    Info,
    /// CVSS below 4.
    Low,
    /// CVSS from 4.
    Medium,
    /// CVSS from 7.
    High,
    /// CVSS from 9.
    Critical,
}

impl Severity {
    /// All of them, the least first.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// By a CVSS score in tenths (FIRST's scale of version 3.1; 98 is 9.8).
    pub fn of_cvss(tenths: u8) -> Self {
        match tenths {
            0 => Self::Info,
            1..40 => Self::Low,
            40..70 => Self::Medium,
            70..90 => Self::High,
            _ => Self::Critical,
        }
    }
}

/// How much of what was asked for was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// All of it.
    #[default]
    Whole,
    /// Some of it: why not all.
    Partial(String),
    /// Nothing: why.
    NotScanned(String),
}

/// What was found at one port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortFound {
    /// Of which transport.
    pub transport: Transport,
    /// Its number.
    pub port: u16,
    /// What it does.
    pub state: ProbeState,
    /// The service that answers, as the scanner names it (`ssh`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The product (`OpenSSH`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// The product's version (`9.2p1`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl PortFound {
    /// A port of which nothing but the state is known.
    pub fn new(transport: Transport, port: u16, state: ProbeState) -> Self {
        Self { transport, port, state, service: None, product: None, version: None }
    }
}

/// One weakness of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vulnerability {
    /// What the scanner calls it, with whose number it is: `qid:38170`, `nvt:1.3.6.1.4.1.25623.1.0.108440`, `plugin:10335`,
    /// `template:CVE-2021-41773`. The same for ever.
    pub id: String,
    /// What it is, in a line.
    pub title: String,
    /// Its numbers in the list of common vulnerabilities (`CVE-2024-6387`), sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cves: Vec<String>,
    /// Its CVSS base score in tenths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cvss_tenths: Option<u8>,
    /// How serious the scanner holds it to be.
    pub severity: Severity,
    /// Where; none for the host as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<(Transport, u16)>,
    /// Whether the scanner saw it, and does not only suppose it by a version or the like.
    pub is_certain: bool,
    /// What the scanner saw, cut to a limit; empty for nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub evidence: String,
}

/// What a scan saw of one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostResult {
    /// The address.
    pub address: IpAddr,
    /// How much was looked at.
    #[serde(default)]
    pub coverage: Coverage,
    /// The ports, each once. One that was asked for and is not among them was not probed.
    #[serde(default)]
    pub ports: Vec<PortFound>,
    /// The weaknesses, none twice by id and place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vulnerabilities: Vec<Vulnerability>,
    /// Whether it answers at ports that nobody listens on, as a SYN proxy before it does: then an open port proves nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answers_everywhere: bool,
}

impl HostResult {
    /// An address that was not scanned, and why.
    pub fn not_scanned(address: IpAddr, why: impl Into<String>) -> Self {
        Self { coverage: Coverage::NotScanned(why.into()), ..Self::new(address) }
    }

    /// What is proven of each port: nothing of a host that was not scanned, nor of an open port of one that answers everywhere.
    pub fn states(&self) -> BTreeMap<(Transport, u16), ProbeState> {
        let is_scanned = !matches!(self.coverage, Coverage::NotScanned(_));
        let ports = self.ports.iter().filter(|_| is_scanned);
        let is_proof = |state| state != ProbeState::Open || !self.answers_everywhere;
        ports
            .map(|found| {
                let state = if is_proof(found.state) { found.state } else { ProbeState::NotProbed };
                ((found.transport, found.port), state)
            })
            .collect()
    }

    /// An address of which nothing was found.
    pub fn new(address: IpAddr) -> Self {
        Self {
            address,
            coverage: Coverage::Whole,
            ports: Vec::new(),
            vulnerabilities: Vec::new(),
            answers_everywhere: false,
        }
    }
}

/// A text of a scanner, in at most so many characters, control characters as spaces: it is shown on terminals and kept for ever.
pub fn cut(text: &str, chars_max: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut chars = text.trim().chars().map(clean);
    let mut cut: String = chars.by_ref().take(chars_max).collect();
    if chars.next().is_some() {
        cut.pop();
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_scanners_are_cut_and_harmless() {
        assert_eq!(cut(" a\u{1b}[31mb\n", 10), "a [31mb");
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
    }

    #[test]
    fn severities_follow_the_scale_of_cvss() {
        let of = |tenths| Severity::of_cvss(tenths).as_str();
        assert_eq!(
            [0, 1, 39, 40, 69, 70, 89, 90, 100].map(of),
            ["info", "low", "low", "medium", "medium", "high", "high", "critical", "critical"]
        );
    }
}
