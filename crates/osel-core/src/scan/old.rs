//! What earlier versions wrote about commands and their outcomes, as what it is called by now.
//!
//! They had one scanner, the built-in one, one address in a command, and no life but planned and over. Journals keep that for ever.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use serde::Deserialize;

use super::{
    CommandId, Coverage, Expected, HostResult, PortFound, ProbeState, ScanCommand, ScanEnd, ScanLife,
    ScanOutcome, ScanReason, ScanReport, ScanState, ScanStep, ScanTarget, Transport, expected_list,
};
use crate::ids::Id;
use crate::time::Timestamp;

/// The name and kind of the only scanner there was.
pub const BUILTIN: &str = "builtin";
/// Old commands had no end: the year 2100, by which they are over.
const NEVER: i64 = 4_102_444_800;

/// A command of one address.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct OldCommand {
    id: CommandId,
    seq: u64,
    address: IpAddr,
    #[serde(with = "expected_list")]
    expected: Expected,
    cause: u64,
    region: Option<Arc<str>>,
    #[serde(default)]
    network_id: Option<Id>,
    #[serde(default)]
    partial: bool,
    project_id: Option<Id>,
}

impl From<OldCommand> for ScanCommand {
    fn from(old: OldCommand) -> Self {
        let OldCommand { id, seq, address, expected, cause, region, network_id, partial, project_id } = old;
        let target = ScanTarget { address, network_id, project_id, expected, partial, causes: vec![cause] };
        Self {
            id,
            seq,
            scanner: BUILTIN.into(),
            kind: BUILTIN.into(),
            region,
            targets: vec![target],
            reason: ScanReason::Change,
            planned_at: Timestamp::EPOCH,
            expires_at: Timestamp::EPOCH.plus_seconds(NEVER),
        }
    }
}

/// What came of such a command.
#[derive(Debug, Deserialize)]
struct OldOutcome {
    id: CommandId,
    scanner: String,
    found: Vec<(Transport, u16, ProbeState)>,
    error: Option<String>,
}

impl OldOutcome {
    fn outcome(self, address: IpAddr) -> ScanOutcome {
        let found = self.found.into_iter();
        let ports = found.map(|(transport, port, state)| PortFound::new(transport, port, state)).collect();
        let coverage = self.error.clone().map_or(Coverage::Whole, Coverage::Partial);
        let end = self.error.map_or(ScanEnd::Finished, ScanEnd::Failed);
        let host = HostResult { ports, coverage, ..HostResult::new(address) };
        ScanOutcome { scanner: self.scanner, end, hosts: vec![host] }
    }
}

/// Reads the body of a journal's entry about a command; `address_of` tells the address of one that is under way.
pub fn read_report(body: &[u8], address_of: impl Fn(&CommandId) -> Option<IpAddr>) -> Option<ScanReport> {
    if let Ok(report) = serde_json::from_slice(body) {
        return Some(report);
    }
    let old: OldOutcome = serde_json::from_slice(body).ok()?;
    let id = old.id.clone();
    // Of a command that is over nothing is taken, so that its address does not matter.
    let address = address_of(&id).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    Some(ScanReport { id, step: ScanStep::Ended(old.outcome(address)) })
}

/// Reads the body of the store's row about a command whose record has this number. Of one that an earlier version ended the row has the
/// outcome alone: then there are no targets.
pub fn read_life(seq: u64, body: &[u8]) -> Option<ScanLife> {
    if let Ok(life) = serde_json::from_slice(body) {
        return Some(life);
    }
    if let Ok(old) = serde_json::from_slice::<OldCommand>(body) {
        return Some(ScanLife::planned(old.into()));
    }
    let old: OldOutcome = serde_json::from_slice(body).ok()?;
    let command = ScanCommand {
        id: old.id.clone(),
        seq,
        scanner: BUILTIN.into(),
        kind: BUILTIN.into(),
        region: None,
        targets: Vec::new(),
        reason: ScanReason::Change,
        planned_at: Timestamp::EPOCH,
        expires_at: Timestamp::EPOCH.plus_seconds(NEVER),
    };
    let outcome = old.outcome(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let state = ScanState::after(&outcome.end);
    Some(ScanLife { state, outcome: Some(outcome), ..ScanLife::planned(command) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMAND: &str = r#"{"id":"scan-7","seq":7,"address":"203.0.113.7","expected":[["tcp",22,true],["udp",53,false]],
        "cause":6,"region":"north","network_id":"n","partial":true,"project_id":"p"}"#;

    #[test]
    fn a_command_of_one_address_is_one_of_the_builtin_scanner() {
        let life = read_life(7, COMMAND.as_bytes()).expect("a command");
        assert_eq!(life.state, ScanState::Planned);
        let command = life.command;
        assert_eq!(
            (&*command.scanner, &*command.kind, command.seq, command.cause()),
            (BUILTIN, BUILTIN, 7, 6)
        );
        assert_eq!(command.region.as_deref(), Some("north"));
        let [target] = &command.targets[..] else { panic!("{command:?}") };
        assert_eq!(target.address.to_string(), "203.0.113.7");
        assert_eq!((&target.network_id, &target.project_id), (&Some(Id::new("n")), &Some(Id::new("p"))));
        assert_eq!(target.expected.get(&(Transport::Udp, 53)), Some(&false));
        assert!(target.partial);
        // Before networks were known.
        let older = r#"{"id":"scan-1","seq":1,"address":"::1","expected":[],"cause":1,"region":null,"project_id":null}"#;
        assert!(read_life(1, older.as_bytes()).is_some());
    }

    #[test]
    fn an_outcome_is_a_report_about_the_only_address() {
        let body = br#"{"id":"scan-7","scanner":"builtin","found":[["tcp",22,"open"],["udp",53,"open_filtered"]],"error":null}"#;
        let address: IpAddr = "203.0.113.7".parse().expect("an address");
        let report = read_report(body, |id| (*id == Id::new("scan-7")).then_some(address)).expect("a report");
        let ScanStep::Ended(outcome) = report.step else { panic!("it ended") };
        assert_eq!(outcome.end, ScanEnd::Finished);
        assert_eq!(outcome.hosts[0].address, address);
        assert_eq!(outcome.hosts[0].ports[1], PortFound::new(Transport::Udp, 53, ProbeState::OpenFiltered));

        let failed = br#"{"id":"scan-7","scanner":"builtin","found":[],"error":"no route"}"#;
        let life = read_life(7, failed).expect("a row of one that failed");
        assert_eq!((life.state, life.command.targets.len()), (ScanState::Failed, 0));
        assert_eq!(read_report(b"{}", |_| None), None);
        assert_eq!(read_life(7, b"[]"), None);
    }

    #[test]
    fn what_is_written_by_now_is_read_as_it_is() {
        let report = ScanReport { id: Id::new("scan-7"), step: ScanStep::Running };
        let body = serde_json::to_vec(&report).expect("JSON");
        assert_eq!(read_report(&body, |_| None), Some(report));
        let life = read_life(7, COMMAND.as_bytes()).expect("a command");
        assert_eq!(read_life(7, &serde_json::to_vec(&life).expect("JSON")), Some(life));
    }
}
