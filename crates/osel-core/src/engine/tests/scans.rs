//! Scans under load: what waits is bounded, one per address, and what finds no room is said.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Listener, at};
use crate::engine::record::RecordBody;
use crate::engine::scans::UNSCANNED_NAMED_MAX;
use crate::engine::{EngineOptions, Input, PENDING_SCANS_MAX, RUNNING_SCANS_MAX, ScanCommand, ScanOutcome};
use crate::event::{FixedIp, Object, Outcome, Port, Version};
use crate::ids::Id;
use crate::plan::{ProbeState, SCAN_PORTS_MAX, ScanPolicy, Transport};
use crate::trail::RecordKind;

/// One that may scan the addresses of projects.
fn scanner() -> Listener {
    let allowed_prefixes = vec!["10.0.0.0/8".parse().unwrap()];
    Listener::with(EngineOptions { scan: Some(ScanPolicy { allowed_prefixes }), ..EngineOptions::default() })
}

fn port(id: &str, network: &str, address: &str) -> Value {
    json!({"port": {
        "id": id, "network_id": network, "security_groups": ["g"], "project_id": format!("project-{id}"),
        "fixed_ips": [{"ip_address": address, "subnet_id": "s"}],
    }})
}

fn rule(id: &str, first: u16, last: u16) -> Value {
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

    fn heard(&mut self, second: i64, event_type: &str, payload: &Value) -> Vec<RecordBody> {
        self.hear(second, second, &format!("r{second}"), event_type, payload)
    }

    /// Answers a command: everything it asked for is open.
    fn answer(&mut self, second: i64, command: &ScanCommand) -> Vec<RecordBody> {
        let found = command.expected.keys().map(|&(transport, port)| (transport, port, ProbeState::Open));
        let outcome = ScanOutcome {
            id: command.id.clone(),
            scanner: "test".to_owned(),
            found: found.collect(),
            error: None,
        };
        self.handle(at(second), Input::Scanned(outcome))
    }
}

/// The records that say what is not scanned.
fn refusals(records: &[RecordBody]) -> Vec<&RecordBody> {
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
    let scanned: BTreeSet<_> = listener.commands.iter().map(|command| command.address).collect();
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
    assert_eq!((command.address.to_string().as_str(), command.cause), ("10.9.9.9", first), "the oldest");
    let tcp = Transport::Tcp;
    let expected: Vec<_> = command.expected.iter().map(|(port, exposed)| (*port, *exposed)).collect();
    assert_eq!(expected, [((tcp, 22), false), ((tcp, 80), true), ((tcp, 81), true)]);
    assert!(!command.partial);
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
    let commands = listener.commands.clone();
    let whose: Vec<_> = commands
        .iter()
        .map(|command| {
            let text = |id: &Option<Id>| id.as_ref().map(Id::to_string).unwrap_or_default();
            (command.region.as_deref().unwrap(), text(&command.network_id), text(&command.project_id))
        })
        .collect();
    let wanted =
        [("north", "n1", "project-p1"), ("north", "n2", "project-p2"), ("south", "n1", "project-p3")];
    assert_eq!(whose, wanted.map(|(region, network, project)| (region, network.into(), project.into())));
    let records = listener.answer(90, &commands[1]);
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
    for command in &running[..3] {
        listener.answer(8, command);
    }
    let exposed = listener.commands.iter().map(|command| command.expected[&(Transport::Tcp, 22)]);
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
    assert_eq!((command.address.to_string(), &command.network_id), ("10.9.9.9".to_owned(), &None));
    assert!(command.expected[&(Transport::Tcp, 22)], "it leads somewhere else and is as open as before");
}

#[test]
fn a_scan_of_less_than_what_changed_said_nothing_of_it() {
    let mut listener = scanner();
    listener.heard(1, "security_group_rule.create.end", &rule("r", 1, 60_000));
    let records = listener.heard(2, "port.create.end", &port("p", "n", "10.0.0.5"));
    let planned = records.iter().find(|record| record.kind == RecordKind::Command).unwrap();
    assert_eq!(planned.detail["note"], "a sample: more ports changed");
    assert!(listener.commands[0].partial && listener.commands[0].expected.len() <= SCAN_PORTS_MAX);
}
