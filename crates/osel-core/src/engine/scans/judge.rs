//! What a scan says of one address, beside what was expected: `unknown` is never `clean`.

use std::collections::BTreeMap;

use super::last::Difference;
use super::text::{first_of, ports_text};
use crate::engine::record::{Detail, RecordBody};
use crate::engine::system_record;
use crate::event::{self, Outcome};
use crate::ids::Id;
use crate::plan::{SCAN_PORTS_MAX, ScanVerdict};
use crate::scan::{
    Coverage, HostResult, PortFound, ProbeState, ScanCommand, ScanEnd, ScanLife, ScanOutcome, ScanTarget,
    Severity, TEXT_CHARS_MAX, Transport, cut,
};
use crate::time::Timestamp;
use crate::trail::RecordKind;

/// The most services that a record names; the rest is counted.
const SERVICES_NAMED_MAX: usize = 20;

/// The result of an address that the outcome is silent about: it was not scanned, and why.
pub(super) fn unseen(life: &ScanLife, target: &ScanTarget, outcome: &ScanOutcome) -> HostResult {
    let left_out = life.left_out.iter().find(|left| left.address == target.address);
    let why = match (&outcome.end, left_out) {
        (_, Some(left)) => cut(&left.why, TEXT_CHARS_MAX),
        (ScanEnd::Finished, None) => "the scanner says nothing of it".to_owned(),
        (ScanEnd::Failed(why), None) => format!("the scan failed: {}", cut(why, TEXT_CHARS_MAX)),
        (ScanEnd::Cancelled, None) => "the scan was called off".to_owned(),
        (ScanEnd::Expired, None) => "the scan took longer than it may".to_owned(),
    };
    HostResult::not_scanned(target.address, why)
}

/// The record of one address: `host` is what was seen of it, and `states` what that proves.
pub(super) fn judged_record(
    now: Timestamp,
    command: &ScanCommand,
    target: &ScanTarget,
    outcome: &ScanOutcome,
    (host, states): (&HostResult, &BTreeMap<(Transport, u16), ProbeState>),
    difference: &Difference,
) -> RecordBody {
    let mut verdicts: BTreeMap<ScanVerdict, Vec<(Transport, u16)>> = BTreeMap::new();
    for (port, exposed) in &target.expected {
        let state = states.get(port).copied().unwrap_or(ProbeState::NotProbed);
        verdicts.entry(ScanVerdict::of(*exposed, state)).or_default().push(*port);
    }
    let sums =
        verdicts.iter().map(|(verdict, ports)| format!("{}: {}", verdict.as_str(), ports_text(ports.iter())));
    let sums = sums.collect::<Vec<_>>().join("; ");
    let scan = format!("scan of {} by {}", target.address, command.scanner);
    let ended = match &outcome.end {
        ScanEnd::Finished => None,
        ScanEnd::Failed(why) => Some(format!("{scan} failed: {}", cut(why, TEXT_CHARS_MAX))),
        ScanEnd::Cancelled => Some(format!("{scan} was called off")),
        ScanEnd::Expired => Some(format!("{scan} took longer than it may")),
    };
    let is_known = verdicts.keys().any(|verdict| *verdict != ScanVerdict::Unknown);
    let is_ended = ended.is_some();
    let text = match ended {
        None => format!("{scan}: {sums}"),
        Some(ended) if is_known => format!("{ended}; before that {sums}"),
        Some(ended) => ended,
    };
    let mut record = address_record(now, RecordKind::Scan, command, target, text);
    let is_scanned = !matches!(host.coverage, Coverage::NotScanned(_));
    record.outcome = if is_ended || !is_scanned { Outcome::Failure } else { Outcome::Success };
    let detail = &mut record.detail;
    detail.insert("scanner".into(), command.scanner.to_string());
    detail.insert("program".into(), cut(&outcome.scanner, TEXT_CHARS_MAX));
    for (verdict, ports) in &verdicts {
        detail.insert(verdict.as_str().replace(' ', "_").into(), ports_text(ports.iter()));
    }
    // That all of it ended is said already.
    if let Some(note) = note(host).filter(|_| is_scanned || !is_ended) {
        detail.insert("note".into(), note);
    }
    let is_unasked = |port: &&(Transport, u16)| !target.expected.contains_key(*port);
    let open = states.iter().filter(|(_, state)| **state == ProbeState::Open).map(|(port, _)| port);
    insert_ports(detail, "also_open", &open.filter(is_unasked).copied().collect::<Vec<_>>());
    insert_ports(detail, "newly_open", &difference.newly_open);
    insert_ports(detail, "no_longer_open", &difference.no_longer_open);
    if !(difference.newly_open.is_empty() && difference.no_longer_open.is_empty()) {
        detail.insert("compared_with".into(), difference.since.to_string());
    }
    let has_name = |found: &&PortFound| found.service.is_some() || found.product.is_some();
    let services: Vec<&PortFound> = host.ports.iter().filter(has_name).collect();
    if !services.is_empty() {
        detail
            .insert("services".into(), first_of(services.into_iter().map(service_text), SERVICES_NAMED_MAX));
    }
    if !host.vulnerabilities.is_empty() {
        detail.insert("vulnerabilities".into(), severities_text(host));
    }
    record
}

/// What has to be known beside the verdicts.
fn note(host: &HostResult) -> Option<String> {
    let coverage = match &host.coverage {
        Coverage::Whole => None,
        Coverage::Partial(why) => Some(format!("not all of it was looked at: {}", cut(why, TEXT_CHARS_MAX))),
        Coverage::NotScanned(why) => Some(format!("it was not scanned: {}", cut(why, TEXT_CHARS_MAX))),
    };
    let everywhere = host
        .answers_everywhere
        .then(|| "it answers where nobody listens, so that an open port proves nothing".to_owned());
    let notes: Vec<String> = coverage.into_iter().chain(everywhere).collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}

fn insert_ports(detail: &mut Detail, key: &'static str, ports: &[(Transport, u16)]) {
    if !ports.is_empty() {
        let mut text = ports_text(ports.iter().take(SCAN_PORTS_MAX));
        if ports.len() > SCAN_PORTS_MAX {
            text.push_str(&format!(" and {} more", ports.len() - SCAN_PORTS_MAX));
        }
        detail.insert(key.into(), text);
    }
}

/// A service as people write it: `tcp 22 ssh OpenSSH 9.2p1`.
fn service_text(found: &PortFound) -> String {
    let mut text = format!("{} {}", found.transport.as_str(), found.port);
    for word in [&found.service, &found.product, &found.version].into_iter().flatten() {
        text.push(' ');
        text.push_str(&cut(word, TEXT_CHARS_MAX));
    }
    text
}

/// How many weaknesses there are of each severity, the worst first: `1 critical, 3 high`.
fn severities_text(host: &HostResult) -> String {
    let mut counts: BTreeMap<Severity, usize> = BTreeMap::new();
    for vulnerability in &host.vulnerabilities {
        *counts.entry(vulnerability.severity).or_default() += 1;
    }
    let texts = counts.iter().rev().map(|(severity, count)| format!("{count} {}", severity.as_str()));
    texts.collect::<Vec<_>>().join(", ")
}

/// A record about one address of a command, which is its project's.
pub(super) fn address_record(
    now: Timestamp,
    kind: RecordKind,
    command: &ScanCommand,
    target: &ScanTarget,
    text: String,
) -> RecordBody {
    let mut detail = Detail::from([("text".into(), text)]);
    detail.insert("command".into(), command.id.to_string());
    detail.insert("address".into(), target.address.to_string());
    detail.insert("ports".into(), ports_text(target.expected.keys()));
    if let Some(network) = &target.network_id {
        detail.insert("network".into(), network.to_string());
    }
    RecordBody {
        cause: target.causes.first().copied(),
        region: command.region.clone(),
        target: Some(event::Target {
            kind: "address".into(),
            id: Some(Id::new(&target.address.to_string())),
            name: None,
            project_id: target.project_id.clone(),
        }),
        detail,
        ..system_record(now, now, kind, String::new())
    }
}
