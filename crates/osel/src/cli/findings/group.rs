//! The lines of the table of findings: ports of one address at which nothing answers are one line, since a rule for a hundred ports has a
//! hundred findings and is one thing to look at. Only what is shown is put together; each finding keeps its id.

use std::collections::BTreeMap;

use osel_core::finding::{Finding, FindingKind, FindingPlace, FindingState};
use osel_core::ids::Id;
use osel_core::scan::{Severity, Transport};

/// The most ranges of ports that a line names; the rest is counted. A cell is to fit beside the others.
const RANGES_MAX: usize = 3;

/// A line: a finding, or several of which it is the first.
#[derive(Debug)]
pub(super) struct Line<'f> {
    pub(super) finding: &'f Finding,
    /// Whether somebody lets it be, as the line says it.
    pub(super) settled: String,
    ports: Vec<(Transport, u16)>,
}

/// What findings have in common that are one line.
type Key<'f> = (FindingPlace, Option<&'f Id>, FindingState, Severity, String);

impl Line<'_> {
    /// How many findings it is.
    pub(super) fn count(&self) -> usize {
        self.ports.len().max(1)
    }

    /// Its ports: `80/tcp`, or `1-3,80/tcp`.
    pub(super) fn ports(&self) -> String {
        let mut ports = self.ports.clone();
        ports.sort_unstable();
        let mut ranges: Vec<(Transport, u16, u16)> = Vec::new();
        for (transport, port) in ports {
            match ranges.last_mut() {
                Some((of, _, last)) if *of == transport && last.checked_add(1) == Some(port) => *last = port,
                _ => ranges.push((transport, port, port)),
            }
        }
        let mut text = String::new();
        for (place, (transport, first, last)) in ranges.iter().take(RANGES_MAX).enumerate() {
            let next = ranges.get(place + 1).filter(|_| place + 1 < RANGES_MAX);
            text.push_str(&if first == last { first.to_string() } else { format!("{first}-{last}") });
            // The transport stands behind the last range of it.
            if next.is_none_or(|(next, ..)| next != transport) {
                text.push_str(&format!("/{}", transport.as_str()));
            }
            text.push_str(if next.is_some() { "," } else { "" });
        }
        if ranges.len() > RANGES_MAX {
            text.push_str(&format!(" and {} more", ranges.len() - RANGES_MAX));
        }
        text
    }
}

/// The lines of findings, in their order; `settled` says whether somebody lets one be.
pub(super) fn lines(
    findings: &[Finding],
    has_all_ports: bool,
    settled: impl Fn(&Finding) -> String,
) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut silent: BTreeMap<Key<'_>, usize> = BTreeMap::new();
    for finding in findings {
        let settled = settled(finding);
        if let (FindingKind::ExposedNotAnswering, false, Some(port)) =
            (finding.kind, has_all_ports, finding.port)
        {
            let Finding { project_id, state, severity, .. } = finding;
            let key = (finding.place(), project_id.as_ref(), *state, *severity, settled.clone());
            let place = *silent.entry(key).or_insert(lines.len());
            if let Some(line) = lines.get_mut(place) {
                line.ports.push(port);
                continue;
            }
        }
        lines.push(Line { finding, settled, ports: finding.port.into_iter().collect() });
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn finding(kind: &str, address: &str, transport: &str, port: u16) -> Finding {
        let document = json!({
            "id": format!("{address} {transport} {port}"), "kind": kind, "address": address, "port": [transport, port],
            "severity": "info", "state": "confirmed", "opened_at": 0, "opened_seq": 1, "seen_at": 0, "seen_seq": 1,
            "scanner": "s", "title": "t", "evidence": "e",
        });
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn silent_ports_of_an_address_are_one_line_and_all_else_is_not() {
        let silent = |address, transport, port| finding("exposed_not_answering", address, transport, port);
        let mut findings: Vec<_> = (20..30).map(|port| silent("192.0.2.1", "tcp", port)).collect();
        findings.push(finding("exposed_answering", "192.0.2.1", "tcp", 80));
        findings.push(silent("192.0.2.2", "tcp", 22));
        findings.extend([40, 42, 53].map(|port| silent("192.0.2.1", "udp", port)));
        findings.push(silent("192.0.2.1", "udp", 69));
        let shown = |all| {
            let lines = lines(&findings, all, |_| String::new());
            lines.iter().map(|line| (line.ports(), line.count())).collect::<Vec<_>>()
        };
        let wanted = [("20-29/tcp,40,42/udp and 2 more", 14), ("80/tcp", 1), ("22/tcp", 1)];
        assert_eq!(shown(false), wanted.map(|(ports, count)| (ports.to_owned(), count)));
        assert_eq!(shown(true).len(), findings.len());
        // One that somebody has let be is not hidden among others.
        let lines = lines(&findings, false, |finding| match finding.port {
            Some((_, 25)) => " (acknowledged)".to_owned(),
            _ => String::new(),
        });
        assert_eq!(lines.iter().map(Line::count).collect::<Vec<_>>(), [13, 1, 1, 1]);
    }
}
