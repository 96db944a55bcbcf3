//! Plays a script of what happens at one address, and writes down what is told of findings there.
//!
//! `admit 22 world`, `admit tcp 80-90 10.0.0.0/8`, `deny` and `gone` change the model; `settle` tells findings that no scan will look;
//! `scan KIND WORDS…` is a result, of ports `22=open`, of weaknesses `V@22:98` (its number, its port, its score in tenths; `V@host`), of
//! `partial`, `unscanned` and `everywhere`; `was 22` says that 22 was admitted when the scan was planned, `wasnot 22` that it was not;
//! `expect 22 REASON [SECONDS]`, `expect tag TAG REASON`, `expect none` and `later SECONDS` are about expected exposure; `tags TAG…` puts
//! tags on what is admitted from then on, in place of others; `ack`, `unack` are about the last finding.

use std::net::IpAddr;
use std::sync::Arc;

use crate::finding::{
    Ack, Admitted, Carried, ExpectedExposure, ExpectedList, Finding, FindingId, FindingPlace, Findings,
    Scene, Sighting, Turn, overtaken, sights,
};
use crate::ids::Id;
use crate::model::{Permission, Row, Source, Tags, Via};
use crate::scan::{
    Coverage, HostResult, PortFound, ProbeState, ScanTarget, Severity, Transport, Vulnerability,
};
use crate::time::Timestamp;

pub(super) const ADDRESS: &str = "192.0.2.7";
const SENSITIVE: [u16; 1] = [22];

/// Everything at one address.
#[derive(Default)]
pub(super) struct World {
    pub(super) findings: Findings,
    rows: Vec<(Row, bool)>,
    tags: Tags,
    is_gone: bool,
    expected: Vec<ExpectedExposure>,
    seq: u64,
    second: i64,
    /// What was told of last.
    last: Option<FindingId>,
    told: Vec<String>,
}

/// Plays a script and compares what is told, a line each.
pub(super) fn check(script: &str, wanted: &str) {
    let mut world = World::default();
    let told: Vec<String> = script.lines().flat_map(|line| world.step(line.trim())).collect();
    let wanted: Vec<&str> = wanted.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(told, wanted, "{script}");
}

pub(super) fn place() -> FindingPlace {
    (None, None, ADDRESS.parse().unwrap())
}

fn row(transport: &str, ports: (u16, u16), source: Source) -> Row {
    Row {
        address: format!("{ADDRESS}/32").parse().unwrap(),
        via: Via::Floating,
        fixed_ip: None,
        port_id: Id::new("p"),
        device_id: None,
        device_owner: None,
        project_id: None,
        network_id: None,
        region: None,
        permission: Permission::new(
            false,
            Some(transport),
            Some(ports.0.into()),
            Some(ports.1.into()),
            source,
        ),
        security_group_id: None,
        rule_id: None,
    }
}

fn state(word: &str) -> ProbeState {
    match word {
        "open" => ProbeState::Open,
        "closed" => ProbeState::Closed,
        "filtered" => ProbeState::Filtered,
        "open|filtered" => ProbeState::OpenFiltered,
        _ => ProbeState::NotProbed,
    }
}

impl World {
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::EPOCH.plus_seconds(self.second)
    }

    pub(super) fn admitted(&self) -> Admitted {
        Admitted::of_rows(self.rows.clone(), !self.is_gone)
    }

    fn carried(&self) -> impl Fn(&Finding) -> Carried + use<> {
        let (admitted, tags) = (self.admitted(), self.tags.clone());
        move |finding| {
            let ways = finding.port.into_iter().flat_map(|at| admitted.to(at));
            Carried::of_ways(ways.map(|(row, _)| (row.permission.source.clone(), tags.clone())))
        }
    }

    /// Plays one line, and says what is told.
    pub(super) fn step(&mut self, line: &str) -> Vec<String> {
        self.second += 1;
        let words: Vec<&str> = line.split_whitespace().collect();
        match &words[..] {
            [] => {}
            ["admit", ports, source] => {
                let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
                let internet = *source == "world";
                let source = match internet {
                    true => Source::family(false),
                    false => Source::Prefix(source.parse().unwrap()),
                };
                let ports = (first.parse().unwrap(), last.parse().unwrap());
                self.rows.push((row("tcp", ports, source), internet));
            }
            ["deny"] => self.rows.clear(),
            ["gone"] => {
                self.rows.clear();
                self.is_gone = true;
            }
            ["settle"] => self.settle(),
            ["scan", kind, rest @ ..] => self.scan(kind, rest),
            ["tags", tags @ ..] => self.tags = Tags::new(tags),
            ["expect", "tag", tag, reason] => {
                self.expected.push(ExpectedExposure {
                    tag: Some((*tag).into()),
                    reason: (*reason).to_owned(),
                    ..ExpectedExposure::default()
                });
                self.findings.expect_anew();
            }
            ["expect", "none"] => {
                self.expected.clear();
                self.findings.expect_anew();
            }
            ["expect", port, reason, seconds @ ..] => {
                let port = port.parse().unwrap();
                self.expected.push(ExpectedExposure {
                    ports: vec![(port, port)],
                    reason: (*reason).to_owned(),
                    until: seconds.first().map(|seconds| self.now().plus_seconds(seconds.parse().unwrap())),
                    ..ExpectedExposure::default()
                });
                self.findings.expect_anew();
            }
            ["later", seconds] => self.second += seconds.parse::<i64>().unwrap(),
            ["ack", seconds @ ..] => {
                let (at, seq) = (self.now(), self.seq);
                let until = seconds.first().map(|seconds| at.plus_seconds(seconds.parse().unwrap()));
                let ack = Ack { by: "alice".to_owned(), reason: "known".to_owned(), until, at, seq };
                self.acknowledge(Some(ack), Turn::Acknowledged);
            }
            ["unack"] => self.acknowledge(None, Turn::Unacknowledged),
            other => panic!("{other:?}"),
        }
        let (now, carried) = (self.now(), self.carried());
        let expected = ExpectedList { entries: &self.expected, carried: &carried };
        let mut turns = self.findings.lapse(now);
        if self.expected.iter().any(|entry| entry.tag.is_some()) {
            // As an engine does after a change.
            turns.extend(self.findings.review_at(&place(), now, expected));
        }
        turns.extend(self.findings.review(now, expected));
        for turn in turns {
            self.tell(Some(turn));
        }
        std::mem::take(&mut self.told)
    }

    fn tell(&mut self, turn: Option<(FindingId, Turn)>) {
        let Some((id, turn)) = turn else { return };
        let finding = self.findings.get(&id).unwrap();
        if turn.is_told(finding) {
            self.told.push(told(finding, &turn));
        }
        self.last = Some(id);
    }

    fn acknowledge(&mut self, ack: Option<Ack>, turn: Turn) {
        let id = self.last.clone().unwrap();
        assert!(self.findings.acknowledge(&id, ack));
        self.tell(Some((id, turn)));
    }

    fn settle(&mut self) {
        let admitted = self.admitted();
        let known = self.findings.known(&place()).into_iter();
        let settled: Vec<_> =
            known.filter_map(|finding| Some((finding.id.clone(), overtaken(finding, &admitted)?))).collect();
        for (id, gone) in settled {
            let turn = self.findings.resolve(self.now(), &id, gone);
            self.tell(turn);
        }
    }

    fn scan(&mut self, kind: &str, words: &[&str]) {
        self.seq += 1;
        let address: IpAddr = ADDRESS.parse().unwrap();
        let mut host = HostResult::new(address);
        let admitted = self.admitted();
        let mut target = ScanTarget {
            address,
            network_id: None,
            project_id: Some(Id::new("project")),
            expected: Default::default(),
            partial: false,
            causes: Vec::new(),
        };
        let at = |port: &str| (Transport::Tcp, port.parse().unwrap());
        for (number, word) in words.iter().enumerate() {
            if let Some((port, found)) = word.split_once('=') {
                let at = at(port);
                host.ports.push(PortFound::new(at.0, at.1, state(found)));
                target.expected.insert(at, admitted.admits(at));
            } else if let Some((id, rest)) = word.split_once('@') {
                let (port, score) = rest.split_once(':').unwrap_or((rest, "98"));
                host.vulnerabilities.push(Vulnerability {
                    id: id.to_owned(),
                    title: format!("weakness {id}"),
                    cves: Vec::new(),
                    cvss_tenths: score.parse().ok(),
                    severity: Severity::Low,
                    at: (port != "host").then(|| at(port)),
                    is_certain: true,
                    evidence: String::new(),
                });
            } else {
                match *word {
                    "partial" => host.coverage = Coverage::Partial("it was cut".to_owned()),
                    "unscanned" => host.coverage = Coverage::NotScanned("it was excluded".to_owned()),
                    "everywhere" => host.answers_everywhere = true,
                    "sampled" => target.partial = true,
                    "was" => _ = target.expected.insert(at(words[number + 1]), true),
                    "wasnot" => _ = target.expected.insert(at(words[number + 1]), false),
                    _ => {}
                }
            }
        }
        let scanner_name: Arc<str> = kind.into();
        let scene = Scene {
            region: None,
            target: &target,
            host: &host,
            scanner_name: kind,
            takes_ports: kind != "whole",
            admitted: &admitted,
            sensitive_ports: &SENSITIVE,
        };
        let seen = sights(&scene, &self.findings.known(&place()));
        let sighting = Sighting {
            now: self.now(),
            seq: self.seq,
            scanner: kind,
            scanner_name: &scanner_name,
            project_id: target.project_id.as_ref(),
            server_name: None,
        };
        let carried = self.carried();
        for sight in seen {
            let expected = ExpectedList { entries: &self.expected, carried: &carried };
            let turn = self.findings.see(&sighting, sight, expected);
            self.tell(turn);
        }
    }
}

fn told(finding: &Finding, turn: &Turn) -> String {
    let port = finding.port.map_or("host".to_owned(), |(_, port)| port.to_string());
    let of = finding.vulnerability.as_ref().map(|vulnerability| format!(" {}", vulnerability.id));
    let what = format!("{} {port}{}", finding.kind.as_str(), of.unwrap_or_default());
    let severity = finding.severity.as_str();
    match turn {
        Turn::Opened => format!("open {what} {severity}"),
        Turn::Confirmed => format!("confirmed {what}"),
        Turn::Reopened => format!("reopened {what} {severity} {}", finding.reopened),
        Turn::Resolved(gone) => format!("resolved {what} by {}", gone.by.as_str()),
        Turn::Severity { before } => format!("severity {what} {severity}, was {}", before.as_str()),
        other => format!("{other:?} {what}").to_lowercase(),
    }
}
