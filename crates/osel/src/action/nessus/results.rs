//! From a report to results: one for each address that was asked for, with what is not known said to be so.

use osel_core::scan::{Coverage, HostResult, PortFound, ProbeState, ScanTarget, Transport};

use super::report::{Host, Report};
use crate::action::scanner::{ScanOrder, complete};
use crate::config::CoveredPorts;

/// Why an address that was asked for is not in a report.
const ABSENT: &str = "it is not in the report: the scanner held it for dead, or did not come to it";
/// Why a host that is in a report was not scanned.
const DEAD: &str = "the scanner held it for dead, and did not scan it";
/// Why a host was not scanned to its end.
const NOT_ENDED: &str =
    "the report does not say that the host was scanned to its end (plugin 19506 is missing)";
/// Why not all of a host's weaknesses are told.
const CUT: &str = "more weaknesses were found than are kept of one host";

/// One result for each address of the order. `short` says why the scan as a whole was not finished, `covers` what it looks at when it is.
pub(super) fn results(
    order: &ScanOrder,
    mut report: Report,
    short: Option<&str>,
    covers: &[CoveredPorts],
) -> Vec<HostResult> {
    let targets = &order.command.targets;
    let told = targets.iter().filter_map(|target| {
        report.hosts.remove(&target.address).map(|host| result(target, host, short, covers))
    });
    let hosts = told.collect();
    complete(order, hosts, short.unwrap_or(ABSENT))
}

fn result(target: &ScanTarget, mut host: Host, short: Option<&str>, covers: &[CoveredPorts]) -> HostResult {
    if host.is_dead && host.ports.is_empty() {
        return HostResult::not_scanned(target.address, DEAD);
    }
    let why = short.map(str::to_owned).or_else(|| (!host.is_ended).then(|| NOT_ENDED.to_owned()));
    let mut result = HostResult::new(target.address);
    for (&(transport, port), seen) in &host.ports {
        if seen.answers {
            let service = seen.service.clone();
            let found = PortFound { service, ..PortFound::new(transport, port, ProbeState::Open) };
            result.ports.push(found);
        }
    }
    // What was asked for and does not answer: whether it was looked at is known only by the profile, of a scan that came to its end.
    for &(transport, port) in target.expected.keys() {
        let is_known = host.ports.get(&(transport, port)).is_some_and(|seen| seen.answers);
        let is_heard = host.ports.contains_key(&(transport, port));
        if !is_known {
            // A port that the host itself says to listen on was perhaps not knocked at.
            let is_covered =
                why.is_none() && !is_heard && covers.iter().any(|covered| covered.has(transport, port));
            let state = match (is_covered, transport) {
                (false, _) => ProbeState::NotProbed,
                // The report does not tell silence from a refusal.
                (true, Transport::Tcp) => ProbeState::Filtered,
                (true, Transport::Udp) => ProbeState::OpenFiltered,
            };
            result.ports.push(PortFound::new(transport, port, state));
        }
    }
    result.ports.sort_by_key(|found| (found.transport, found.port));
    host.keep_the_worst();
    result.vulnerabilities = host.weaknesses.into_values().collect();
    // Of a weakness that is not among those that are kept nobody knows whether it is gone.
    if let Some(why) = why.or_else(|| host.is_cut.then(|| CUT.to_owned())) {
        result.coverage = Coverage::Partial(why);
    }
    result
}
