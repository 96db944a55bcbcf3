//! One host's result beside what the model admits there: what is seen, what is gone, and of what nothing can be said.
//!
//! A port that answers is evidence whatever else was looked at; silence is evidence only where everything that was asked for was looked
//! at. What changed while it was scanned is left to the scan that follows from the change.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Admitted, Finding, FindingKey, FindingKind, FindingPlace, Resolution};
use crate::scan::{
    Coverage, EVIDENCE_CHARS_MAX, HOST_VULNERABILITIES_MAX, HostResult, PortFound, ProbeState, ScanTarget,
    Severity, TEXT_CHARS_MAX, Transport, Vulnerability, cut,
};

/// The most numbers of the list of common vulnerabilities that are kept of one weakness: summaries of missing updates name hundreds.
const CVES_MAX: usize = 32;

/// A scanned host, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// Its region.
    pub region: Option<&'a Arc<str>>,
    /// What was asked for.
    pub target: &'a ScanTarget,
    /// What was seen.
    pub host: &'a HostResult,
    /// The scanner's name in the configuration.
    pub scanner_name: &'a str,
    /// Whether that scanner looks at the ports that it is asked for alone.
    pub takes_ports: bool,
    /// What the model admits there.
    pub admitted: &'a Admitted,
    /// Ports that nobody should open to everybody.
    pub sensitive_ports: &'a [u16],
}

/// What a scan says of one finding, known or new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Of which.
    pub key: FindingKey,
    /// What.
    pub seen: Seen,
}

/// Whether something is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It is, and looks so.
    Here(Picture),
    /// It is not.
    Gone(Gone),
}

/// How a finding looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// How serious it is.
    pub severity: Severity,
    /// What it is, in a line.
    pub title: String,
    /// What the scan saw and the model admits, cut to a limit.
    pub evidence: String,
    /// The weakness.
    pub vulnerability: Option<Vulnerability>,
}

/// That something is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// By what.
    pub by: Resolution,
    /// How that is known, as a clause.
    pub why: &'static str,
}

/// What a scan says of a port, as far as it says anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AtPort {
    /// One of the kinds that are about ports.
    Is(FindingKind),
    /// Neither admitted nor answering: as it should be.
    Silent,
}

/// What a scan says of findings at one address: of those that are known there, which are not resolved, and of new ones.
pub fn sights(scene: &Scene<'_>, known: &[&Finding]) -> Vec<Sight> {
    let is_unknown = matches!(scene.host.coverage, Coverage::NotScanned(_)) || scene.host.answers_everywhere;
    if is_unknown {
        return Vec::new();
    }
    let found: BTreeMap<(Transport, u16), &PortFound> =
        scene.host.ports.iter().map(|found| ((found.transport, found.port), found)).collect();
    let ports: BTreeMap<(Transport, u16), AtPort> = scene
        .target
        .expected
        .keys()
        .filter_map(|&at| Some((at, scene.at_port(at, found.get(&at)?.state)?)))
        .collect();
    let mut sights = Vec::new();
    for finding in known {
        let gone = match finding.kind {
            FindingKind::VulnerableReachable => scene.vulnerability_gone(finding, &ports),
            kind => finding.port.and_then(|at| port_gone(kind, *ports.get(&at)?)),
        };
        if let Some(gone) = gone {
            sights.push(Sight { key: key_of(finding), seen: Seen::Gone(gone) });
        }
    }
    for (&at, port) in &ports {
        if let (AtPort::Is(kind), Some(found)) = (port, found.get(&at)) {
            let key = FindingKey { place: scene.place(), kind: *kind, port: Some(at), vulnerability: None };
            sights.push(Sight { key, seen: Seen::Here(scene.port_picture(*kind, at, found)) });
        }
    }
    for vulnerability in scene.host.vulnerabilities.iter().take(HOST_VULNERABILITIES_MAX) {
        let key = scene.vulnerability_key(vulnerability);
        // What a scanner only tells for information is no weakness, unless it was called one before.
        let counts = vulnerability_severity(vulnerability) > Severity::Info
            || known.iter().any(|finding| key_of(finding) == key);
        if counts && scene.admitted.admits_internet(vulnerability.at) {
            sights.push(Sight { key, seen: Seen::Here(scene.vulnerability_picture(vulnerability)) });
        }
    }
    sights
}

/// What the model alone says of a finding after a change, when no scan will show it; none when it says nothing.
pub fn overtaken(finding: &Finding, admitted: &Admitted) -> Option<Gone> {
    let gone = |why| Some(Gone { by: Resolution::Model, why });
    let is_admitted = match finding.kind {
        FindingKind::VulnerableReachable => admitted.admits_internet(finding.port),
        _ => finding.port.is_some_and(|at| admitted.admits(at)),
    };
    match (finding.kind, is_admitted) {
        (FindingKind::AnsweringNotExposed, true) => gone("a rule admits it now, and no scan will look at it"),
        (FindingKind::AnsweringNotExposed, false) if admitted.is_held() => None,
        (_, false) if !admitted.is_held() => {
            gone("the address is not in the model any more, so no scan can prove it")
        }
        (FindingKind::VulnerableReachable, false) => gone(
            "the internet is not admitted any more, which no scan will prove; the weakness may be there still",
        ),
        (_, false) => gone("no rule admits it any more, which no scan will prove"),
        (_, true) => None,
    }
}

fn key_of(finding: &Finding) -> FindingKey {
    FindingKey {
        place: finding.place(),
        kind: finding.kind,
        port: finding.port,
        vulnerability: finding.vulnerability.as_ref().map(|vulnerability| vulnerability.id.clone()),
    }
}

/// What becomes of a finding of one kind when a scan says something of its port.
fn port_gone(kind: FindingKind, seen: AtPort) -> Option<Gone> {
    use AtPort::{Is, Silent};
    use FindingKind::{AnsweringNotExposed, ExposedAnswering, ExposedNotAnswering};

    let (by, why) = match (kind, seen) {
        (_, Is(seen)) if seen == kind => return None,
        (ExposedAnswering, Is(AnsweringNotExposed)) => {
            (Resolution::Change, "no rule admits it any more, though it still answers")
        }
        (ExposedAnswering, Silent) => {
            (Resolution::Scan, "no rule admits it any more, and nothing answers there")
        }
        (ExposedAnswering, Is(_)) => (Resolution::Scan, "nothing answers there any more"),
        (ExposedNotAnswering, Is(ExposedAnswering)) => (Resolution::Scan, "it answers"),
        (ExposedNotAnswering, _) => (Resolution::Change, "no rule admits it any more"),
        (AnsweringNotExposed, Is(ExposedAnswering)) => (Resolution::Change, "a rule admits it now"),
        (AnsweringNotExposed, _) => (Resolution::Scan, "it does not answer any more"),
        (FindingKind::VulnerableReachable, _) => return None,
    };
    Some(Gone { by, why })
}

/// How serious a weakness is: by its score where it has one.
fn vulnerability_severity(vulnerability: &Vulnerability) -> Severity {
    vulnerability.cvss_tenths.map_or(vulnerability.severity, Severity::of_cvss)
}

impl Scene<'_> {
    fn place(&self) -> FindingPlace {
        (self.region.cloned(), self.target.network_id.clone(), self.target.address)
    }

    fn is_whole(&self) -> bool {
        self.host.coverage == Coverage::Whole
    }

    /// Whether a port is admitted and was not when the scan was planned, or the other way round.
    fn has_changed(&self, at: (Transport, u16)) -> bool {
        self.target.expected.get(&at).is_some_and(|planned| *planned != self.admitted.admits(at))
    }

    fn at_port(&self, at: (Transport, u16), found: ProbeState) -> Option<AtPort> {
        if self.has_changed(at) {
            return None;
        }
        match (found, self.admitted.admits(at)) {
            (ProbeState::Open, true) => Some(AtPort::Is(FindingKind::ExposedAnswering)),
            (ProbeState::Open, false) => Some(AtPort::Is(FindingKind::AnsweringNotExposed)),
            (ProbeState::Closed | ProbeState::Filtered, _) if !self.is_whole() => None,
            (ProbeState::Closed | ProbeState::Filtered, true) => {
                Some(AtPort::Is(FindingKind::ExposedNotAnswering))
            }
            (ProbeState::Closed | ProbeState::Filtered, false) => Some(AtPort::Silent),
            (ProbeState::OpenFiltered | ProbeState::NotProbed, _) => None,
        }
    }

    fn port_picture(&self, kind: FindingKind, at: (Transport, u16), found: &PortFound) -> Picture {
        let seen = found_text(found);
        let (severity, title, evidence) = match kind {
            FindingKind::ExposedAnswering => {
                let severity = match self.admitted.is_world_open(at) {
                    true if self.sensitive_ports.contains(&at.1) => Severity::High,
                    true => Severity::Medium,
                    false => Severity::Low,
                };
                let sources = self.admitted.sources_text(Some(at));
                (
                    severity,
                    "exposed and answering",
                    format!("admitted from {sources}; the scan found it {seen}"),
                )
            }
            FindingKind::ExposedNotAnswering => {
                let sources = self.admitted.sources_text(Some(at));
                (
                    Severity::Info,
                    "exposed, not answering",
                    format!("admitted from {sources}; the scan found it {seen}"),
                )
            }
            FindingKind::AnsweringNotExposed | FindingKind::VulnerableReachable => (
                Severity::High,
                "answering though not exposed",
                format!(
                    "a broken agent, a way around the filter, or a fault of the model, {}; the scan found it {seen}",
                    self.admitted.text()
                ),
            ),
        };
        let evidence = cut(&evidence, EVIDENCE_CHARS_MAX);
        Picture { severity, title: title.to_owned(), evidence, vulnerability: None }
    }

    fn vulnerability_key(&self, vulnerability: &Vulnerability) -> FindingKey {
        FindingKey {
            place: self.place(),
            kind: FindingKind::VulnerableReachable,
            port: vulnerability.at,
            vulnerability: Some(cut(&vulnerability.id, TEXT_CHARS_MAX)),
        }
    }

    fn vulnerability_picture(&self, vulnerability: &Vulnerability) -> Picture {
        let mut parts = vec![format!(
            "vulnerable service reachable from the internet: admitted from {}",
            self.admitted.sources_text(vulnerability.at)
        )];
        let cves = vulnerability.cves.iter().map(String::as_str);
        parts.push(std::iter::once(vulnerability.id.as_str()).chain(cves).collect::<Vec<_>>().join(", "));
        parts.extend(vulnerability.cvss_tenths.map(|tenths| format!("CVSS {}.{}", tenths / 10, tenths % 10)));
        parts.extend((!vulnerability.is_certain).then(|| "supposed, not proved".to_owned()));
        parts.extend((!vulnerability.evidence.is_empty()).then(|| vulnerability.evidence.clone()));
        Picture {
            severity: vulnerability_severity(vulnerability),
            title: cut(&vulnerability.title, TEXT_CHARS_MAX),
            evidence: cut(&parts.join("; "), EVIDENCE_CHARS_MAX),
            vulnerability: Some(Vulnerability {
                id: cut(&vulnerability.id, TEXT_CHARS_MAX),
                title: cut(&vulnerability.title, TEXT_CHARS_MAX),
                cves: vulnerability.cves.iter().take(CVES_MAX).map(|cve| cut(cve, TEXT_CHARS_MAX)).collect(),
                evidence: cut(&vulnerability.evidence, EVIDENCE_CHARS_MAX),
                ..*vulnerability
            }),
        }
    }

    /// Whether a weakness is gone: the scanner that saw it looked and did not see it, or the internet is not admitted to it any more.
    fn vulnerability_gone(
        &self,
        finding: &Finding,
        ports: &BTreeMap<(Transport, u16), AtPort>,
    ) -> Option<Gone> {
        if !self.is_whole() {
            return None;
        }
        let key = key_of(finding);
        let is_seen = self.host.vulnerabilities.iter().any(|seen| self.vulnerability_key(seen) == key);
        if !self.admitted.admits_internet(finding.port) {
            // Only where the scan shows that it does not answer either, or to whom it does is the model's word.
            let is_silent = match finding.port {
                Some(at) => ports.get(&at) == Some(&AtPort::Silent),
                None => !ports.is_empty() && ports.values().all(|port| *port == AtPort::Silent),
            };
            let is_admitted = finding.port.is_none_or(|at| self.admitted.admits(at));
            return match (is_silent, is_admitted) {
                (true, _) => Some(Gone {
                    by: Resolution::Change,
                    why: "it is not admitted and does not answer any more; whether it was mended nobody looked",
                }),
                (false, true) => Some(Gone {
                    by: Resolution::Change,
                    why: "the internet is not admitted any more; the weakness may be there still",
                }),
                (false, false) => None,
            };
        }
        if is_seen || *finding.scanner_name != *self.scanner_name {
            return None;
        }
        let has_looked = match finding.port {
            Some(at) if self.has_changed(at) => false,
            _ if !self.takes_ports => true,
            Some(at) => ports.contains_key(&at),
            // As a whole is all that anything is admitted to.
            None => !self.target.partial && self.admitted.is_within(&self.target.expected),
        };
        has_looked
            .then_some(Gone { by: Resolution::Scan, why: "the same scanner looked and does not see it" })
    }
}

/// What was found at a port: `open, ssh OpenSSH 9.2p1`.
fn found_text(found: &PortFound) -> String {
    let words: Vec<&str> = [&found.service, &found.product, &found.version]
        .into_iter()
        .filter_map(|word| word.as_deref())
        .collect();
    match words.is_empty() {
        true => found.state.as_str().to_owned(),
        false => format!("{}, {}", found.state.as_str(), words.join(" ")),
    }
}
