//! Answers as objects of JSON, one on each line: the form for programs that are written for osel.

use std::net::IpAddr;

use osel_core::scan::{
    EVIDENCE_CHARS_MAX, PortFound, ProbeState, Severity, TEXT_CHARS_MAX, Transport, Vulnerability, cut,
};
use serde::Deserialize;

use crate::action::local::{Gathered, cves};

/// A line. What it does not say is not known.
#[derive(Deserialize)]
struct Line {
    address: Option<IpAddr>,
    #[serde(default = "tcp")]
    protocol: Transport,
    port: Option<u16>,
    state: Option<State>,
    service: Option<String>,
    product: Option<String>,
    version: Option<String>,
    vulnerability: Option<Weakness>,
    partial: Option<String>,
    not_scanned: Option<String>,
}

/// What a port does, in the words of nmap and of osel.
#[derive(Clone, Copy, Deserialize)]
enum State {
    #[serde(rename = "open")]
    Open,
    #[serde(rename = "closed")]
    Closed,
    #[serde(rename = "filtered")]
    Filtered,
    #[serde(rename = "open|filtered")]
    OpenFiltered,
}

#[derive(Deserialize)]
struct Weakness {
    id: String,
    title: Option<String>,
    severity: Option<Severity>,
    cvss: Option<f64>,
    #[serde(default)]
    cves: Vec<String>,
    evidence: Option<String>,
    #[serde(default = "yes")]
    certain: bool,
}

fn tcp() -> Transport {
    Transport::Tcp
}

fn yes() -> bool {
    true
}

/// Reads an answer; `address` is whom lines without one are about.
///
/// # Errors
///
/// The first line that cannot be understood, in words.
pub(super) fn read(answer: &[u8], address: Option<IpAddr>, gathered: &mut Gathered) -> Result<(), String> {
    for (number, line) in answer.split(|&byte| byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let wrong = |why: String| format!("line {}: {why}", number + 1);
        let line: Line = serde_json::from_slice(line).map_err(|error| wrong(error.to_string()))?;
        let Some(address) = line.address.or(address) else { return Err(wrong("has no address".to_owned())) };
        take(line, address, gathered);
    }
    Ok(())
}

fn take(line: Line, address: IpAddr, gathered: &mut Gathered) {
    if let Some(why) = line.not_scanned {
        return gathered.missing(address, &why);
    }
    gathered.seen(address);
    if let Some(why) = line.partial {
        gathered.missing(address, &why);
    }
    if let (Some(port), Some(state)) = (line.port, line.state) {
        let state = match state {
            State::Open => ProbeState::Open,
            State::Closed => ProbeState::Closed,
            State::Filtered => ProbeState::Filtered,
            State::OpenFiltered => ProbeState::OpenFiltered,
        };
        let word = |text: Option<String>| {
            text.map(|text| cut(&text, TEXT_CHARS_MAX)).filter(|text| !text.is_empty())
        };
        let (service, product, version) = (word(line.service), word(line.product), word(line.version));
        gathered
            .port(address, PortFound { transport: line.protocol, port, state, service, product, version });
    }
    if let Some(weakness) = line.vulnerability {
        gathered.vulnerability(address, weakness.vulnerability(line.port.map(|port| (line.protocol, port))));
    }
}

impl Weakness {
    fn vulnerability(self, at: Option<(Transport, u16)>) -> Vulnerability {
        let cvss_tenths = self.cvss.and_then(tenths);
        let title = self.title.unwrap_or_else(|| self.id.clone());
        Vulnerability {
            id: cut(&self.id, TEXT_CHARS_MAX),
            title: cut(&title, TEXT_CHARS_MAX),
            cves: cves(&self.cves.join(" ")),
            severity: self.severity.unwrap_or_else(|| cvss_tenths.map_or(Severity::Info, Severity::of_cvss)),
            cvss_tenths,
            at,
            is_certain: self.certain,
            evidence: cut(&self.evidence.unwrap_or_default(), EVIDENCE_CHARS_MAX),
        }
    }
}

/// A score of CVSS in tenths; none for what is no score.
pub(in crate::action) fn tenths(score: f64) -> Option<u8> {
    // Within these bounds nothing is lost.
    (0.0..=10.0).contains(&score).then(|| (score * 10.0).round() as u8)
}
