//! A scan as it is shown: what was expected beside what was seen, per host and port.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use osel_core::plan::ScanVerdict;
use osel_core::scan::{
    Coverage, HostResult, PortFound, ProbeState, ScanEnd, ScanLife, ScanReason, ScanTarget, Transport,
    Vulnerability,
};
use osel_core::time::Timestamp;
use serde::Serialize;

/// One scan in a line.
#[derive(Debug, Serialize)]
pub(super) struct ScanDocument<'a> {
    pub(super) id: String,
    /// The record that planned it.
    seq: u64,
    pub(super) state: &'static str,
    pub(super) scanner: &'a str,
    /// The scanner's type.
    pub(super) kind: &'a str,
    /// What the scanner calls it.
    pub(super) reference: Option<&'a str>,
    /// `change` or `confirm`.
    pub(super) reason: &'static str,
    pub(super) region: Option<&'a str>,
    /// Null for scans of versions that did not write it down.
    pub(super) planned_at: Option<String>,
    pub(super) launched_at: Option<String>,
    pub(super) running_at: Option<String>,
    pub(super) ended_at: Option<String>,
    /// Whether somebody has called it off.
    cancel_ordered: bool,
    /// How it ended: `finished`, `failed`, `cancelled`, `expired`.
    pub(super) result: Option<&'static str>,
    /// Why it failed.
    pub(super) error: Option<&'a str>,
    /// Who scanned, with the version.
    pub(super) scanned_by: Option<&'a str>,
    /// How many addresses and ports were asked for.
    pub(super) addresses: usize,
    pub(super) ports: usize,
    /// How many ports answered, of all that were seen; null where nothing was looked at.
    pub(super) open: Option<usize>,
    pub(super) vulnerabilities: Option<usize>,
    /// How many of the addresses were looked at in part, or not at all; null until it is over.
    pub(super) incomplete: Option<usize>,
}

impl<'a> From<&'a ScanLife> for ScanDocument<'a> {
    fn from(life: &'a ScanLife) -> Self {
        let command = &life.command;
        let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
        let planned = (command.planned_at > Timestamp::EPOCH).then_some(command.planned_at);
        let hosts = life.outcome.as_ref().map(|outcome| &outcome.hosts);
        let was_seen = |host: &HostResult| !matches!(host.coverage, Coverage::NotScanned(_));
        let seen = hosts.filter(|hosts| hosts.iter().any(was_seen));
        let whole = hosts.into_iter().flatten().filter(|host| host.coverage == Coverage::Whole);
        let whole: BTreeSet<IpAddr> = whole.map(|host| host.address).collect();
        let is_incomplete = |target: &&ScanTarget| !whole.contains(&target.address);
        let is_open = |port: &&PortFound| port.state == ProbeState::Open;
        let end = life.outcome.as_ref().map(|outcome| &outcome.end);
        Self {
            id: command.id.to_string(),
            seq: command.seq,
            state: life.state.as_str(),
            scanner: &command.scanner,
            kind: &command.kind,
            reference: life.reference.as_deref(),
            reason: match command.reason {
                ScanReason::Change => "change",
                ScanReason::Confirm => "confirm",
            },
            region: command.region.as_deref(),
            planned_at: time(planned),
            launched_at: time(life.launched_at),
            running_at: time(life.running_at),
            ended_at: time(life.ended_at),
            cancel_ordered: life.is_cancelled,
            result: end.map(|end| match end {
                ScanEnd::Finished => "finished",
                ScanEnd::Failed(_) => "failed",
                ScanEnd::Cancelled => "cancelled",
                ScanEnd::Expired => "expired",
            }),
            error: match end {
                Some(ScanEnd::Failed(why)) => Some(why),
                _ => None,
            },
            scanned_by: life.outcome.as_ref().map(|outcome| outcome.scanner.as_str()),
            addresses: command.targets.len(),
            ports: command.targets.iter().map(|target| target.expected.len()).sum(),
            open: seen.map(|hosts| hosts.iter().flat_map(|host| &host.ports).filter(is_open).count()),
            vulnerabilities: seen.map(|hosts| hosts.iter().map(|host| host.vulnerabilities.len()).sum()),
            incomplete: hosts.map(|_| command.targets.iter().filter(is_incomplete).count()),
        }
    }
}

/// One scan with all there is to it.
#[derive(Debug, Serialize)]
pub(super) struct LifeDocument<'a> {
    #[serde(flatten)]
    pub(super) scan: ScanDocument<'a>,
    /// After this it is given up.
    pub(super) expires_at: String,
    pub(super) hosts: Vec<HostDocument<'a>>,
}

/// One address of a scan.
#[derive(Debug, Serialize)]
pub(super) struct HostDocument<'a> {
    /// Null where the version that wrote it down did not say it.
    pub(super) address: Option<IpAddr>,
    network_id: Option<String>,
    project_id: Option<String>,
    /// The records that asked for it.
    causes: &'a [u64],
    /// How much was looked at: `whole`, `partial`, `not_scanned`; null until it is known.
    pub(super) coverage: Option<&'static str>,
    /// Why not all.
    pub(super) why: Option<&'a str>,
    /// Whether it answers everywhere, so that an open port proves nothing.
    pub(super) answers_everywhere: bool,
    pub(super) ports: Vec<PortDocument<'a>>,
    pub(super) vulnerabilities: &'a [Vulnerability],
}

/// One port of an address.
#[derive(Debug, Serialize)]
pub(super) struct PortDocument<'a> {
    protocol: &'static str,
    pub(super) port: u16,
    /// Whether it is exposed by the model; null where nobody asked for it.
    pub(super) expected: Option<bool>,
    /// What was seen; null until it is known.
    pub(super) state: Option<&'static str>,
    pub(super) verdict: Option<&'static str>,
    service: Option<&'a str>,
    product: Option<&'a str>,
    version: Option<&'a str>,
}

impl PortDocument<'_> {
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.port, self.protocol)
    }

    /// What answers: `ssh OpenSSH 9.2p1`.
    pub(super) fn service_text(&self) -> String {
        let words = [self.service, self.product, self.version];
        words.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

impl<'a> From<&'a ScanLife> for LifeDocument<'a> {
    fn from(life: &'a ScanLife) -> Self {
        let seen: &[HostResult] = life.outcome.as_ref().map_or(&[], |outcome| &outcome.hosts);
        let mut by_address: BTreeMap<IpAddr, &HostResult> =
            seen.iter().map(|host| (host.address, host)).collect();
        let targets = life.command.targets.iter();
        let mut hosts: Vec<_> =
            targets.map(|target| host(life, Some(target), by_address.remove(&target.address))).collect();
        hosts.extend(by_address.into_values().map(|seen| host(life, None, Some(seen))));
        Self { scan: life.into(), expires_at: life.command.expires_at.to_string(), hosts }
    }
}

fn host<'a>(
    life: &'a ScanLife,
    target: Option<&'a ScanTarget>,
    seen: Option<&'a HostResult>,
) -> HostDocument<'a> {
    let address = target.map(|target| target.address).or(seen.map(|seen| seen.address));
    let left_out = life.left_out.iter().find(|left| Some(left.address) == address);
    let (coverage, why) = match (seen.map(|seen| &seen.coverage), left_out) {
        (Some(Coverage::Whole), _) => (Some("whole"), None),
        (Some(Coverage::Partial(why)), _) => (Some("partial"), Some(why.as_str())),
        (Some(Coverage::NotScanned(why)), _) => (Some("not_scanned"), Some(why.as_str())),
        (None, Some(left)) => (Some("not_scanned"), Some(left.why.as_str())),
        (None, None) => (life.state.is_over().then_some("not_scanned"), None),
    };
    let id = |id: Option<&osel_core::ids::Id>| id.map(ToString::to_string);
    HostDocument {
        // An old row does not know its address.
        address: address.filter(|address| !address.is_unspecified()),
        network_id: id(target.and_then(|target| target.network_id.as_ref())),
        project_id: id(target.and_then(|target| target.project_id.as_ref())),
        causes: target.map_or(&[], |target| &target.causes),
        coverage,
        why,
        answers_everywhere: seen.is_some_and(|seen| seen.answers_everywhere),
        ports: ports(target, seen),
        vulnerabilities: seen.map_or(&[], |seen| &seen.vulnerabilities),
    }
}

/// The ports that were asked for or seen, in order.
fn ports<'a>(target: Option<&'a ScanTarget>, seen: Option<&'a HostResult>) -> Vec<PortDocument<'a>> {
    let mut found: BTreeMap<(Transport, u16), &PortFound> = BTreeMap::new();
    for port in seen.iter().flat_map(|seen| &seen.ports) {
        found.insert((port.transport, port.port), port);
    }
    let expected = target.map(|target| &target.expected);
    let mut all: Vec<(Transport, u16)> =
        expected.iter().flat_map(|expected| expected.keys().copied()).collect();
    all.extend(found.keys());
    all.sort_unstable();
    all.dedup();
    let document = |at: (Transport, u16)| {
        let expected = expected.and_then(|expected| expected.get(&at)).copied();
        let found = found.get(&at);
        // Asked for and not among what was seen: not probed.
        let state = found.map(|found| found.state).or(seen.map(|_| ProbeState::NotProbed));
        let proves = |state| match seen.is_some_and(|seen| seen.answers_everywhere) {
            true if state == ProbeState::Open => ProbeState::NotProbed,
            _ => state,
        };
        PortDocument {
            protocol: at.0.as_str(),
            port: at.1,
            expected,
            state: state.map(ProbeState::as_str),
            verdict: expected
                .zip(state)
                .map(|(exposed, state)| ScanVerdict::of(exposed, proves(state)).as_str()),
            service: found.and_then(|found| found.service.as_deref()),
            product: found.and_then(|found| found.product.as_deref()),
            version: found.and_then(|found| found.version.as_deref()),
        }
    };
    all.into_iter().map(document).collect()
}
