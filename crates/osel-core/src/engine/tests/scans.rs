//! Scans under load: what waits is bounded, one per address, and what finds no room is said.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Listener, at};
use crate::engine::record::RecordBody;
use crate::engine::scans::UNSCANNED_NAMED_MAX;
use crate::engine::{EngineLine, EngineOptions, Input, PENDING_SCANS_MAX};
use crate::event::{FixedIp, Object, Outcome, Port, Version};
use crate::ids::Id;
use crate::plan::{SCAN_PORTS_MAX, ScanPolicy};
use crate::scan::{
    HostResult, PortFound, ProbeState, ScanCommand, ScanEnd, ScanOutcome, ScanReport, ScanState, ScanStep,
    ScanTarget, Transport,
};
use crate::trail::RecordKind;

/// As many as the built-in scanner does at once.
const RUNNING_SCANS_MAX: usize = crate::plan::RUNNING_SCANS_MAX as usize;

/// One that may scan the addresses of projects.
fn scanner() -> Listener {
    let allowed_prefixes = vec!["10.0.0.0/8".parse().unwrap()];
    Listener::with(EngineOptions {
        scan: Some(ScanPolicy { allowed_prefixes, ..ScanPolicy::default() }),
        ..EngineOptions::default()
    })
}

pub(super) fn port(id: &str, network: &str, address: &str) -> Value {
    json!({"port": {
        "id": id, "network_id": network, "security_groups": ["g"], "project_id": format!("project-{id}"),
        "fixed_ips": [{"ip_address": address, "subnet_id": "s"}],
    }})
}

pub(super) fn rule(id: &str, first: u16, last: u16) -> Value {
    json!({"security_group_rule": {
        "id": id, "security_group_id": "g", "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp",
        "port_range_min": first, "port_range_max": last, "remote_ip_prefix": "0.0.0.0/0",
    }})
}

impl Listener {
    /// Many ports of one group, as a read shows them: nothing is exposed yet.
    fn many_ports(&mut self, count: usize) {
        let ports = (0..count).map(|number| {
            let address = format!("10.{}.{}.{}", number >> 16, number >> 8 & 255, number & 255);
            let id = Some(Id::new(&format!("p{number}")));
            Object::Port(Port {
                version: Version { id, revision: Some(1), ..Version::default() },
                network_id: Some(Id::new("n")),
                security_groups: Some(vec![Id::new("g")]),
                fixed_ips: Some(vec![FixedIp { address: address.parse().unwrap(), subnet_id: None }]),
                ..Port::default()
            })
        });
        self.page("north", 0, ports.collect());
        self.read_end("north", 0);
    }

    pub(super) fn heard(&mut self, second: i64, event_type: &str, payload: &Value) -> Vec<RecordBody> {
        self.hear(second, second, &format!("r{second}"), event_type, payload)
    }

    /// Answers a command: everything it asked for is open.
    pub(super) fn answer(&mut self, second: i64, command: &ScanCommand) -> Vec<RecordBody> {
        let hosts = command.targets.iter().map(|target| {
            let open = |&(transport, port): &_| PortFound::new(transport, port, ProbeState::Open);
            HostResult {
                ports: target.expected.keys().map(open).collect(),
                ..HostResult::new(target.address)
            }
        });
        let hosts = hosts.collect();
        self.ended(second, command, ScanOutcome { scanner: "test".to_owned(), end: ScanEnd::Finished, hosts })
    }

    pub(super) fn ended(
        &mut self,
        second: i64,
        command: &ScanCommand,
        outcome: ScanOutcome,
    ) -> Vec<RecordBody> {
        self.step(second, command, ScanStep::Ended(outcome))
    }

    pub(super) fn step(&mut self, second: i64, command: &ScanCommand, step: ScanStep) -> Vec<RecordBody> {
        self.handle(at(second), Input::Scan(ScanReport { id: command.id.clone(), step }))
    }
}

/// The only target of a command of one address.
pub(super) fn only(command: &ScanCommand) -> &ScanTarget {
    let [target] = &command.targets[..] else { panic!("{command:?}") };
    target
}

/// The records that say what is not scanned.
pub(super) fn refusals(records: &[RecordBody]) -> Vec<&RecordBody> {
    records.iter().filter(|record| record.detail.contains_key("unscanned")).collect()
}

#[test]
fn what_finds_no_room_among_the_waiting_is_said_and_all_else_is_scanned() {
    const MORE: usize = UNSCANNED_NAMED_MAX + 7;
    let mut listener = scanner();
    listener.many_ports(PENDING_SCANS_MAX + MORE);
    let records = listener.heard(1, "security_group_rule.create.end", &rule("r", 22, 22));
    let change = listener.engine.seq() - records.len() as u64 + 1;
    let [refused] = refusals(&records)[..] else { panic!("{} records", records.len()) };
    assert_eq!((refused.kind, refused.cause), (RecordKind::Command, Some(change)));
    assert_eq!(refused.outcome, Outcome::Failure);
    assert_eq!(
        refused.detail["text"],
        format!("{MORE} addresses are not scanned: {PENDING_SCANS_MAX} others wait already")
    );
    let named = &refused.detail["unscanned"];
    assert_eq!(named.split(", ").count(), UNSCANNED_NAMED_MAX);
    assert!(named.ends_with(" and 7 more"), "{named}");
    assert_eq!(listener.commands.len(), RUNNING_SCANS_MAX);

    // The places that the first commands left are taken by the next change; then it is full again.
    let more = RUNNING_SCANS_MAX + 1;
    for number in 0..more {
        let port = port(&format!("q{number}"), "n", &format!("10.200.0.{number}"));
        let records = listener.heard(2 + number as i64, "port.create.end", &port);
        assert_eq!(refusals(&records).len(), usize::from(number == RUNNING_SCANS_MAX), "port {number}");
    }
    // An address that waits already needs no room.
    let records = listener.heard(90, "security_group_rule.create.end", &rule("r2", 23, 23));
    let [refused] = refusals(&records)[..] else { panic!("{} records", records.len()) };
    // Those that are under way wait once more in vain, like those that were refused before.
    let again = RUNNING_SCANS_MAX + MORE + 1;
    assert!(refused.detail["text"].starts_with(&format!("{again} addresses ")), "{:?}", refused.detail);

    // Each scan that ends lets the next one begin, until all that waited were scanned, once each.
    let mut answered = 0;
    while answered < listener.commands.len() {
        let command = listener.commands[answered].clone();
        listener.answer(100, &command);
        answered += 1;
        assert!(listener.commands.len() - answered <= RUNNING_SCANS_MAX);
    }
    assert!(!listener.engine.scans_are_open());
    let scanned: BTreeSet<_> = listener.commands.iter().map(|command| only(command).address).collect();
    assert_eq!((listener.commands.len(), scanned.len()), (answered, answered));
    assert_eq!(answered, PENDING_SCANS_MAX + RUNNING_SCANS_MAX);
}

#[test]
fn what_changes_while_an_address_waits_is_one_scan_under_its_first_cause() {
    let mut listener = scanner();
    listener.many_ports(RUNNING_SCANS_MAX);
    listener.heard(1, "security_group_rule.create.end", &rule("r", 22, 22));
    assert_eq!(listener.commands.len(), RUNNING_SCANS_MAX);
    let first = listener.engine.seq() + 1;
    listener.heard(2, "port.create.end", &port("p", "n", "10.9.9.9"));
    listener.heard(3, "security_group_rule.create.end", &rule("r2", 80, 81));
    listener.heard(4, "security_group_rule.delete.end", &json!({"security_group_rule_id": "r"}));
    listener.restart();
    let running = listener.commands.clone();
    listener.commands.clear();
    listener.answer(5, &running[0]);
    let [command] = &listener.commands[..] else { panic!("{:?}", listener.commands) };
    assert_eq!(
        (only(command).address.to_string().as_str(), command.cause()),
        ("10.9.9.9", first),
        "the oldest"
    );
    let tcp = Transport::Tcp;
    let expected: Vec<_> = only(command).expected.iter().map(|(port, exposed)| (*port, *exposed)).collect();
    assert_eq!(expected, [((tcp, 22), false), ((tcp, 80), true), ((tcp, 81), true)]);
    assert!(!only(command).partial);
}

#[test]
fn a_scan_names_whose_address_it_is_for() {
    let mut listener = scanner();
    for (second, region, network) in [(1, "north", "n1"), (2, "north", "n2"), (3, "south", "n1")] {
        listener.region = region;
        if network == "n1" {
            listener.heard(10 * second, "security_group_rule.create.end", &rule("r", 22, 22));
        }
        let id = format!("p{second}");
        listener.heard(10 * second + 1, "port.create.end", &port(&id, network, "10.0.0.5"));
    }
    let mut commands = listener.commands.clone();
    assert_eq!(commands.len(), 1, "one address is not scanned twice at once");
    let first = listener.answer(90, &commands[0]);
    assert_eq!(first[0].detail["network"], "n1");
    commands.push(listener.commands[1].clone());
    let records = listener.answer(91, &commands[1]);
    commands.push(listener.commands[2].clone());
    let whose: Vec<_> = commands
        .iter()
        .map(|command| {
            let text = |id: &Option<Id>| id.as_ref().map(Id::to_string).unwrap_or_default();
            (
                command.region.as_deref().unwrap(),
                text(&only(command).network_id),
                text(&only(command).project_id),
            )
        })
        .collect();
    let wanted =
        [("north", "n1", "project-p1"), ("north", "n2", "project-p2"), ("south", "n1", "project-p3")];
    assert_eq!(whose, wanted.map(|(region, network, project)| (region, network.into(), project.into())));
    assert_eq!(records[0].detail["network"], "n2");
}

#[test]
fn waiting_scans_of_one_address_in_two_networks_or_regions_were_one() {
    let mut listener = scanner();
    listener.many_ports(RUNNING_SCANS_MAX);
    listener.heard(1, "security_group_rule.create.end", &rule("r", 22, 22));
    let running = listener.commands.clone();
    listener.heard(2, "port.create.end", &port("p", "n1", "10.9.9.9"));
    listener.heard(3, "port.create.end", &port("q", "n2", "10.9.9.9"));
    listener.heard(4, "port.delete.end", &json!({"port_id": "q"}));
    listener.region = "south";
    listener.heard(5, "security_group_rule.create.end", &rule("r", 22, 22));
    listener.heard(6, "port.create.end", &port("p", "n1", "10.9.9.9"));
    listener.heard(7, "port.delete.end", &json!({"port_id": "p"}));
    listener.commands.clear();
    listener.answer(8, &running[0]);
    for next in 0..2 {
        let command = listener.commands[next].clone();
        listener.answer(9, &command);
    }
    let exposed = listener.commands.iter().map(|command| only(command).expected[&(Transport::Tcp, 22)]);
    assert_eq!(
        exposed.collect::<Vec<_>>(),
        [true, false, false],
        "those that are gone say nothing of the first"
    );
}

#[test]
fn a_floating_ip_is_one_address_whatever_network_it_leads_to() {
    let mut listener = scanner();
    listener.many_ports(RUNNING_SCANS_MAX);
    listener.heard(1, "security_group_rule.create.end", &rule("r", 22, 22));
    let running = listener.commands.clone();
    // No scan of their own: their addresses are not among those that may be scanned.
    listener.heard(2, "port.create.end", &port("p", "n1", "192.168.0.5"));
    listener.heard(3, "port.create.end", &port("q", "n2", "192.168.0.6"));
    for (second, port, fixed) in [(4, "p", "192.168.0.5"), (5, "q", "192.168.0.6")] {
        let floating = json!({"floatingip": {
            "id": "f", "floating_ip_address": "10.9.9.9", "fixed_ip_address": fixed, "port_id": port,
            "router_id": "r", "floating_network_id": "outside",
        }});
        listener.heard(second, "floatingip.update.end", &floating);
    }
    listener.commands.clear();
    for command in &running[..2] {
        listener.answer(6, command);
    }
    let [command] = &listener.commands[..] else { panic!("{:?}", listener.commands) };
    assert_eq!(
        (only(command).address.to_string(), &only(command).network_id),
        ("10.9.9.9".to_owned(), &None)
    );
    assert!(
        only(command).expected[&(Transport::Tcp, 22)],
        "it leads somewhere else and is as open as before"
    );
}

#[test]
fn a_scan_of_less_than_what_changed_said_nothing_of_it() {
    let mut listener = scanner();
    listener.heard(1, "security_group_rule.create.end", &rule("r", 1, 60_000));
    let records = listener.heard(2, "port.create.end", &port("p", "n", "10.0.0.5"));
    let planned = records.iter().find(|record| record.kind == RecordKind::Command).unwrap();
    assert_eq!(planned.detail["note"], "a sample: more ports changed");
    assert!(
        only(&listener.commands[0]).partial && only(&listener.commands[0]).expected.len() <= SCAN_PORTS_MAX
    );
}

/// What was under way when an earlier version wrote its snapshot, to the letter.
#[test]
fn a_snapshot_of_an_earlier_form_has_scans_under_way_that_go_on() {
    let lines = [
        r#"{"scan":{"pending":[["north",{"network_id":"n","address":"10.9.9.9"}],{"target":{"ports":[["tcp",22,true]],"partial":false,"project_id":"p"},"cause":3}]}}"#,
        r#"{"scan":{"running":{"id":"scan-2","seq":2,"address":"10.0.0.5","expected":[["tcp",22,true]],"cause":1,"region":"north","network_id":"n","partial":false,"project_id":"p"}}}"#,
        r#"{"seq":4}"#,
    ];
    let mut listener = scanner();
    let mut region = None;
    for line in lines {
        listener.engine.restore(serde_json::from_str::<EngineLine>(line).unwrap(), &mut region);
    }
    listener.restart();
    let life = listener.engine.running_scans().next().unwrap().clone();
    assert_eq!((life.state, &*life.command.kind), (ScanState::Planned, "builtin"));
    let records = listener.answer(1, &life.command);
    let told = |key| records[0].detail.get(key).map(String::as_str);
    assert_eq!((records[0].cause, told("as_predicted")), (Some(1), Some("tcp 22")));
    let [command] = &listener.commands[..] else { panic!("{:?}", listener.commands) };
    assert_eq!((only(command).address.to_string().as_str(), command.cause()), ("10.9.9.9", 3));
}

#[test]
fn what_is_said_twice_of_a_command_counts_once() {
    let mut listener = scanner();
    listener.heard(1, "security_group_rule.create.end", &rule("r", 22, 22));
    listener.heard(2, "port.create.end", &port("p", "n", "10.0.0.5"));
    let command = listener.commands[0].clone();
    let launched = ScanStep::Launched { reference: "scan/17".to_owned(), left_out: Vec::new() };
    let records = listener.step(3, &command, launched.clone());
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!((record.kind, record.cause), (RecordKind::Command, Some(command.seq)));
    assert_eq!(record.detail["reference"], "scan/17");
    listener.restart();
    assert!(listener.step(4, &command, launched).is_empty());
    assert!(listener.step(5, &command, ScanStep::Running).is_empty());
    assert_eq!(listener.answer(6, &command).len(), 1);
    assert!(listener.answer(7, &command).is_empty(), "a second result is not judged");
    let states: Vec<_> = listener.lives.iter().map(|life| life.state).collect();
    use ScanState::{Judged, Launched, Planned, Running};
    assert_eq!(states, [Planned, Launched, Running, Judged]);
    let last = listener.lives.last().unwrap();
    assert_eq!(last.reference.as_deref(), Some("scan/17"));
    assert_eq!((last.launched_at, last.running_at, last.ended_at), (Some(at(3)), Some(at(5)), Some(at(6))));
    assert!(last.outcome.is_some() && !listener.engine.scans_are_open());
}
