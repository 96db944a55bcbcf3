//! Scans by policy: what waits for what, what is told not to be scanned, and how commands end.

use std::num::NonZeroU32;

use serde_json::json;

use super::scans::{only, port, refusals, rule};
use super::{Listener, at};
use crate::engine::record::RecordBody;
use crate::engine::{EngineOptions, Input, Output};
use crate::event::Outcome;
use crate::ids::Id;
use crate::plan::{Place, Projects, ScanPolicy, ScannerPolicy, Target, Vantage};
use crate::scan::{
    Coverage, Expected, HostResult, LeftOut, PortFound, ProbeState, ScanCommand, ScanEnd, ScanOutcome,
    ScanReason, ScanState, ScanStep, Severity, Transport, Vulnerability,
};
use crate::trail::RecordKind;

const TCP: Transport = Transport::Tcp;

fn policy() -> ScanPolicy {
    ScanPolicy { allowed_prefixes: vec!["10.0.0.0/8".parse().unwrap()], ..ScanPolicy::default() }
}

/// One that takes many addresses together, a minute after the first, and neither ports, UDP nor IPv6.
fn batching(name: &str) -> ScannerPolicy {
    ScannerPolicy {
        name: name.into(),
        kind: "qualys".into(),
        window_seconds: 60,
        batch_addresses_max: NonZeroU32::new(3).unwrap(),
        running_max: NonZeroU32::MIN,
        takes_ports: false,
        takes_udp: false,
        takes_ipv6: false,
        life_seconds_max: 1000,
    }
}

fn listener(policy: ScanPolicy) -> Listener {
    Listener::with(EngineOptions { scan: Some(policy), ..EngineOptions::default() })
}

impl Listener {
    fn tick(&mut self, second: i64) -> Vec<RecordBody> {
        self.handle(at(second), Input::Tick)
    }

    /// When something about scans is due, in the seconds of a test.
    fn wakes(&self, second: i64) -> Option<i64> {
        let wake = self.engine.scans_wake_at(at(second))?;
        Some((wake.micros() - at(0).micros()) / 1_000_000)
    }

    /// Has ports of the group `g` created, one a second from 1 on, which a rule makes reachable.
    fn ports(&mut self, count: i64) {
        self.heard(0, "security_group_rule.create.end", &rule("r", 22, 22));
        for number in 1..=count {
            let port = port(&format!("p{number}"), "n", &format!("10.0.0.{number}"));
            self.heard(number, "port.create.end", &port);
        }
    }
}

fn addresses(command: &ScanCommand) -> Vec<String> {
    command.targets.iter().map(|target| target.address.to_string()).collect()
}

#[test]
fn a_batch_waits_for_its_window_and_the_next_for_the_end_of_the_first() {
    let mut listener = listener(ScanPolicy { scanners: vec![batching("q")], ..policy() });
    listener.ports(4);
    assert_eq!((listener.commands.len(), listener.wakes(4)), (0, Some(61)));
    listener.restart();
    assert_eq!(listener.wakes(60), Some(61));
    let records = listener.tick(61);
    let [planned] = &records[..] else { panic!("{records:?}") };
    let command = listener.commands[0].clone();
    assert_eq!(addresses(&command), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    assert_eq!((&*command.kind, command.cause()), ("qualys", 2));
    assert_eq!(
        (planned.kind, planned.outcome, planned.cause),
        (RecordKind::Command, Outcome::Pending, Some(2))
    );
    assert_eq!(planned.detail["text"], "scan of 3 addresses by q planned");
    assert_eq!(planned.detail["addresses"], "10.0.0.1, 10.0.0.2, 10.0.0.3");
    assert_eq!(planned.detail["ports"], "tcp 22");
    assert_eq!(planned.project(), None, "no project may see the others' addresses");
    assert_eq!(listener.wakes(64), Some(1061), "no more than one at once: it is over by then");

    let launched = ScanStep::Launched {
        reference: "scan/17".to_owned(),
        left_out: vec![LeftOut {
            address: "10.0.0.2".parse().unwrap(),
            why: "not in subscription".to_owned(),
        }],
    };
    let records = listener.step(65, &command, launched);
    assert_eq!(records[0].detail["left_out"], "10.0.0.2: not in subscription");
    listener.restart();
    let host = |number: u8, state| HostResult {
        ports: vec![PortFound::new(TCP, 22, state)],
        ..HostResult::new([10, 0, 0, number].into())
    };
    let hosts = vec![host(1, ProbeState::Open), host(9, ProbeState::Open)];
    let outcome = ScanOutcome { scanner: "Qualys 10".to_owned(), end: ScanEnd::Finished, hosts };
    let mut records = listener.ended(66, &command, outcome);
    records.retain(|record| record.kind != RecordKind::Finding);
    let told: Vec<_> = records.iter().map(|record| record.detail["text"].as_str()).collect();
    assert_eq!(
        told,
        [
            "scan of 10.0.0.1 by q: as predicted: tcp 22",
            "scan of 10.0.0.2 by q: unknown: tcp 22",
            "scan of 10.0.0.3 by q: unknown: tcp 22",
            "scan of 10.0.0.4, tcp 22, planned",
        ]
    );
    assert_eq!(["scanner", "program"].map(|key| records[0].detail[key].as_str()), ["q", "Qualys 10"]);
    assert_eq!(records[1].detail["note"], "it was not scanned: not in subscription");
    assert_eq!(records[2].detail["note"], "it was not scanned: the scanner says nothing of it");
    let outcomes: Vec<_> = records[..3].iter().map(|record| record.outcome).collect();
    assert_eq!(outcomes, [Outcome::Success, Outcome::Failure, Outcome::Failure]);
    let projects: Vec<_> = records[..3].iter().map(RecordBody::project).collect();
    assert_eq!(projects, [1, 2, 3].map(|number| Some(Id::new(&format!("project-p{number}")))));
    assert_eq!(records[1].cause, Some(4));
}

#[test]
fn each_scanner_scans_what_it_can_and_the_rest_is_told() {
    let scanners = vec![ScannerPolicy::builtin(), batching("q")];
    let mut listener = listener(ScanPolicy { scanners, ..policy() });
    let mut udp = rule("r", 22, 53);
    udp["security_group_rule"]["protocol"] = "udp".into();
    listener.heard(0, "security_group_rule.create.end", &udp);
    let records = listener.heard(1, "port.create.end", &port("p", "n", "10.0.0.1"));
    let [refused] = refusals(&records)[..] else { panic!("{records:?}") };
    assert_eq!(
        refused.detail["text"],
        "1 address is not scanned by q: the scanner does no UDP, and only ports of UDP are left out"
    );
    let told = ["unscanned", "why", "scanner"].map(|key| refused.detail[key].as_str());
    assert_eq!((told, refused.cause), (["10.0.0.1", "udp", "q"], Some(2)));
    assert_eq!(&*listener.commands[0].scanner, "builtin");
    // Of both transports the one is left.
    listener.heard(2, "security_group_rule.create.end", &rule("r2", 22, 22));
    listener.tick(62);
    let command = listener.commands.iter().find(|command| &*command.scanner == "q").unwrap();
    assert_eq!(only(command).expected, Expected::from([((TCP, 22), true)]));
}

#[test]
fn what_the_policy_leaves_out_is_told_once_an_event_and_reason() {
    let never_prefixes = vec!["10.0.0.2/32".parse().unwrap()];
    let projects = Projects::Except(vec![Id::new("project-p3")]);
    let mut listener = listener(ScanPolicy { never_prefixes, projects, closed: false, ..policy() });
    let mut told = Vec::new();
    listener.heard(0, "security_group_rule.create.end", &rule("r", 22, 22));
    for number in 1..=3 {
        let port = port(&format!("p{number}"), "n", &format!("10.0.0.{number}"));
        let records = listener.heard(number, "port.create.end", &port);
        told.extend(refusals(&records).iter().map(|record| record.detail["why"].clone()));
    }
    assert_eq!(told, ["never_prefix", "project"]);
    let records = listener.heard(4, "security_group_rule.create.end", &rule("r2", 23, 23));
    assert_eq!(refusals(&records).len(), 2);
    let before = listener.commands.len();
    let records =
        listener.heard(5, "security_group_rule.delete.end", &json!({"security_group_rule_id": "r"}));
    assert!(refusals(&records).is_empty(), "what closed is not asked for");
    assert_eq!(listener.commands.len(), before);
    assert!(listener.commands.iter().all(|command| addresses(command) == ["10.0.0.1"]));
}

#[test]
fn a_vantage_within_the_cloud_sees_what_it_may_reach() {
    let vantage = Vantage::Prefix("10.1.0.9/32".parse().unwrap());
    let mut listener = listener(ScanPolicy { vantage, ..ScanPolicy::default() });
    // The scanner's own port stands on the network of one of the two.
    listener.heard(0, "port.create.end", &port("scanner", "n", "10.1.0.9"));
    listener.heard(1, "port.create.end", &port("p", "n", "10.1.0.5"));
    listener.heard(2, "port.create.end", &port("far", "n2", "10.2.0.5"));
    listener.heard(3, "security_group_rule.create.end", &rule("r", 22, 22));
    let mut other = rule("r2", 80, 80);
    other["security_group_rule"]["remote_ip_prefix"] = "192.168.0.0/16".into();
    listener.heard(4, "security_group_rule.create.end", &other);
    let commands = listener.commands.iter().filter(|command| addresses(command) != ["10.1.0.9"]);
    let scanned: Vec<_> =
        commands.map(|command| (addresses(command), only(command).expected.clone())).collect();
    let wanted = (vec!["10.1.0.5".to_owned()], Expected::from([((TCP, 22), true)]));
    assert_eq!(scanned, [wanted], "80 is not open to the vantage, and nothing leads to the other network");
}

#[test]
fn what_waits_too_long_or_for_a_scanner_that_is_gone_is_told() {
    let scanners = vec![batching("q")];
    let mut listener = listener(ScanPolicy { wait_seconds_max: 100, scanners, ..policy() });
    listener.ports(5);
    listener.tick(61);
    assert_eq!(listener.wakes(100), Some(164), "the first of the others is late then");
    let records = listener.tick(166);
    let [refused] = refusals(&records)[..] else { panic!("{records:?}") };
    assert_eq!((refused.detail["unscanned"].as_str(), refused.cause), ("10.0.0.4, 10.0.0.5", Some(8)));
    assert_eq!(refused.detail["why"], "waited");

    listener.heard(170, "security_group_rule.create.end", &rule("r2", 23, 23));
    assert_eq!(listener.engine.waiting_scans(), 5);
    let options = EngineOptions { scan: None, ..EngineOptions::default() };
    listener.options = options.clone();
    listener.handle(at(171), Input::Options(options));
    listener.restart();
    let records = listener.tick(172);
    let [refused] = refusals(&records)[..] else { panic!("{records:?}") };
    assert_eq!(refused.detail["why"], "scanner");
    assert_eq!((listener.engine.waiting_scans(), listener.wakes(173)), (0, Some(1061)));
}

#[test]
fn a_command_over_its_time_is_over_and_a_late_result_changes_nothing() {
    let mut listener = listener(ScanPolicy { scanners: vec![batching("q")], ..policy() });
    listener.ports(2);
    listener.tick(61);
    let command = listener.commands[0].clone();
    listener.step(62, &command, ScanStep::Running);
    assert_eq!(listener.wakes(1060), Some(1061));
    let records = listener.tick(1061);
    let told: Vec<_> = records.iter().map(|record| (record.kind, record.detail["text"].as_str())).collect();
    assert_eq!(
        told,
        [
            (RecordKind::Command, "scan scan-6 of 2 addresses by q took longer than it may"),
            (RecordKind::Scan, "scan of 10.0.0.1 by q took longer than it may"),
            (RecordKind::Scan, "scan of 10.0.0.2 by q took longer than it may"),
        ]
    );
    assert!(records.iter().all(|record| record.outcome == Outcome::Failure));
    assert_eq!(records[1].detail["unknown"], "tcp 22");
    assert_eq!(listener.lives.last().unwrap().state, ScanState::Expired);
    assert_eq!(listener.cancels, std::slice::from_ref(&command.id));
    assert!(listener.answer(1062, &command).is_empty());
    assert!(!listener.engine.scans_are_open());
}

#[test]
fn an_order_calls_a_command_off_once() {
    let mut listener = listener(policy());
    listener.ports(1);
    let command = listener.commands[0].clone();
    let mut out = Output::default();
    assert!(listener.engine.cancel_scan(at(3), "ada", &command.id, &mut out));
    let record = &out.records[0];
    assert_eq!(record.detail["text"], format!("scan {} by builtin is called off by ada", command.id));
    assert_eq!((record.actor.user_name.as_deref(), record.cause), (Some("ada"), Some(command.seq)));
    assert_eq!((&out.cancels, out.lives[0].is_cancelled), (&vec![command.id.clone()], true));
    listener.restart();
    assert!(!listener.engine.cancel_scan(at(4), "ada", &command.id, &mut out));
    assert!(!listener.engine.cancel_scan(at(4), "ada", &Id::new("scan-99"), &mut out));
    let outcome = ScanOutcome { scanner: "nmap 7.93".to_owned(), end: ScanEnd::Cancelled, hosts: Vec::new() };
    let records = listener.ended(5, &command, outcome);
    assert_eq!(records[0].detail["text"], "scan of 10.0.0.1 by builtin was called off");
    assert_eq!(listener.lives.last().unwrap().state, ScanState::Cancelled);
}

#[test]
fn what_was_under_way_was_scanned_though_it_had_come_to_be_never_scanned() {
    let mut listener = listener(policy());
    listener.ports(2);
    let mut options = listener.options.clone();
    let never = |policy: &mut ScanPolicy| policy.never_prefixes = vec!["10.0.0.2/32".parse().unwrap()];
    options.scan.as_mut().map(never).unwrap();
    listener.handle(at(3), Input::Options(options));
    listener.restart();
    assert_eq!(listener.wakes(3), Some(3));
    let records = listener.tick(4);
    let [record] = &records[..] else { panic!("{records:?}") };
    let id = &listener.commands[1].id;
    let text = format!("scan {id} by builtin is called off by the policy: an address of it is never scanned");
    assert_eq!((&record.detail["text"], &listener.cancels), (&text, &vec![id.clone()]));
    listener.restart();
    assert!(listener.tick(5).is_empty() && listener.wakes(5) != Some(5), "once");
}

#[test]
fn what_else_was_under_way_with_an_address_that_came_to_be_never_scanned_is_scanned_anew() {
    let mut listener = listener(ScanPolicy { scanners: vec![batching("q")], ..policy() });
    listener.ports(3);
    listener.tick(61);
    let first = listener.commands[0].clone();
    assert_eq!(addresses(&first), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    let mut options = listener.options.clone();
    let never = |policy: &mut ScanPolicy| policy.never_prefixes = vec!["10.0.0.2/32".parse().unwrap()];
    options.scan.as_mut().map(never).unwrap();
    listener.options = options.clone();
    listener.handle(at(62), Input::Options(options));
    let records = listener.tick(63);
    let [_, refused] = &records[..] else { panic!("{records:?}") };
    assert_eq!(["unscanned", "why"].map(|key| refused.detail[key].as_str()), ["10.0.0.2", "never_prefix"]);
    assert_eq!((refused.cause, &listener.cancels), (Some(2), &vec![first.id.clone()]));
    assert_eq!(listener.engine.waiting_scans(), 2);
    listener.restart();
    assert!(listener.tick(64).is_empty(), "not before the first is over");
    let outcome = ScanOutcome { scanner: "q".to_owned(), end: ScanEnd::Cancelled, hosts: Vec::new() };
    listener.ended(65, &first, outcome);
    let again = listener.commands.last().unwrap();
    assert_eq!(addresses(again), ["10.0.0.1", "10.0.0.3"]);
    let causes = |command: &ScanCommand, place: usize| command.targets[place].causes.clone();
    assert_eq!([causes(again, 0), causes(again, 1)], [causes(&first, 0), causes(&first, 2)]);
}

#[test]
fn what_waits_is_dropped_when_its_project_comes_to_be_left_out() {
    let mut listener = listener(ScanPolicy { scanners: vec![batching("q")], ..policy() });
    listener.ports(2);
    let mut options = listener.options.clone();
    let projects = Projects::Except(vec![Id::new("project-p2")]);
    options.scan.as_mut().map(|policy| policy.projects = projects).unwrap();
    listener.handle(at(3), Input::Options(options));
    let records = listener.tick(70);
    let [refused] = refusals(&records)[..] else { panic!("{records:?}") };
    assert_eq!(["unscanned", "why"].map(|key| refused.detail[key].as_str()), ["10.0.0.2", "project"]);
    assert_eq!(addresses(&listener.commands[0]), ["10.0.0.1"]);
}

#[test]
fn after_a_start_time_is_wanted_for_what_waits_but_not_while_calls_do() {
    let mut listener = listener(ScanPolicy { scanners: vec![batching("q")], ..policy() });
    listener.ports(1);
    listener.tick(40);
    listener.restart();
    assert_eq!(listener.engine.first_wake_at(at(40)), Some(at(61)));
    listener.asked(41, 41, "r1");
    listener.restart();
    assert_eq!(listener.engine.first_wake_at(at(42)), None, "the end may wait to be read");
}

#[test]
fn what_is_odd_is_looked_at_once_more_in_its_time() {
    let mut listener = listener(policy());
    listener.ports(1);
    let command = listener.commands[0].clone();
    listener.answer(2, &command);
    let place = Place { network_id: Some(Id::new("n")), address: "10.0.0.1".parse().unwrap() };
    let target = Target { ports: Expected::from([((TCP, 22), true)]), ..Target::default() };
    let scanner = &command.scanner;
    let region = command.region.clone();
    listener.engine.rescan(at(2), at(62), scanner, region.clone(), place.clone(), target.clone(), 4);
    listener.engine.rescan(at(2), at(62), &"gone".into(), region.clone(), place.clone(), target.clone(), 4);
    let elsewhere = Place { address: "10.0.0.9".parse().unwrap(), ..place };
    listener.options.scan.as_mut().unwrap().never_prefixes = vec!["10.0.0.9/32".parse().unwrap()];
    listener.handle(at(3), Input::Options(listener.options.clone()));
    listener.engine.rescan(at(3), at(62), scanner, region, elsewhere, target, 4);
    listener.restart();
    assert_eq!((listener.engine.waiting_scans(), listener.wakes(61)), (1, Some(62)));
    let records = listener.tick(62);
    assert_eq!(records[0].detail["text"], "scan of 10.0.0.1, tcp 22, planned once more");
    let again = listener.commands.last().unwrap();
    assert_eq!((again.reason, again.cause()), (ScanReason::Confirm, 4));
}

#[test]
fn what_was_not_looked_at_is_unknown_and_what_a_scan_saw_is_told() {
    let mut listener = listener(policy());
    listener.ports(1);
    let port_of = |port, state| PortFound::new(TCP, port, state);
    let weakness = |severity| Vulnerability {
        id: format!("qid:{}", severity as u32),
        title: "odd".to_owned(),
        cves: Vec::new(),
        cvss_tenths: None,
        severity,
        at: None,
        is_certain: true,
        evidence: String::new(),
    };
    let mut second = 10;
    let mut see = |listener: &mut Listener, host: HostResult| {
        let command = listener.commands.last().unwrap().clone();
        let hosts = vec![HostResult { address: only(&command).address, ..host }];
        let outcome = ScanOutcome { scanner: "test".to_owned(), end: ScanEnd::Finished, hosts };
        second += 10;
        let records = listener.ended(second, &command, outcome);
        // The next one looks at other ports of the same place.
        let number = u16::try_from(second).unwrap();
        listener.heard(
            second + 1,
            "security_group_rule.create.end",
            &rule(&format!("r{second}"), number, number),
        );
        records[0].clone()
    };
    let new = || HostResult::new("0.0.0.0".parse().unwrap());
    let ssh = PortFound {
        service: Some("ssh".to_owned()),
        product: Some("OpenSSH".to_owned()),
        version: Some("9.2p1".to_owned()),
        ..port_of(22, ProbeState::Open)
    };
    let ports = vec![ssh, port_of(80, ProbeState::Closed), port_of(443, ProbeState::Open)];
    let vulnerabilities = [Severity::High, Severity::Critical, Severity::High].map(weakness).to_vec();
    let record = see(&mut listener, HostResult { ports, vulnerabilities, ..new() });
    let told =
        ["as_predicted", "also_open", "services", "vulnerabilities"].map(|key| record.detail[key].as_str());
    assert_eq!(told, ["tcp 22", "tcp 443", "tcp 22 ssh OpenSSH 9.2p1", "1 critical, 2 high"]);
    assert!(!record.detail.contains_key("compared_with") && record.outcome == Outcome::Success);

    let first = listener.engine.seq();
    listener.restart();
    let ports = vec![port_of(22, ProbeState::Closed), port_of(80, ProbeState::Open)];
    let record = see(
        &mut listener,
        HostResult { ports, coverage: Coverage::Partial("truncated".to_owned()), ..new() },
    );
    let told = ["unknown", "note", "newly_open", "no_longer_open"].map(|key| record.detail[key].as_str());
    assert_eq!(told, ["tcp 20", "not all of it was looked at: truncated", "tcp 80", "tcp 22"]);
    assert!(record.detail["compared_with"].parse::<u64>().unwrap() < first);

    let ports = vec![port_of(30, ProbeState::Open)];
    let record = see(&mut listener, HostResult { ports, answers_everywhere: true, ..new() });
    assert_eq!(record.detail["unknown"], "tcp 30");
    assert!(record.detail["note"].contains("proves nothing") && !record.detail.contains_key("as_predicted"));
}
