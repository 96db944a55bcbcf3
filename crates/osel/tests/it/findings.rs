//! Findings are rows of the store, and orders about them are in its journal: folding it gives the engine that wrote it.

use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::path::Path;

use osel::runtime::{Recorder, state};
use osel::store::{Journal, NewStore, Reader, Store};
use osel_core::decode::decode;
use osel_core::engine::{Engine, EngineOptions, OperatorOrder, Order};
use osel_core::finding::{Finding, READ_EVERY_SECONDS};
use osel_core::plan::ScanPolicy;
use osel_core::scan::{HostResult, PortFound, ProbeState, ScanEnd, ScanOutcome, ScanReport, ScanStep};
use osel_core::time::Timestamp;
use serde_json::json;

use crate::command::Place;
use crate::fold::message;

fn at(second: i64) -> Timestamp {
    Timestamp::EPOCH.plus_seconds(1_795_219_200 + second)
}

fn options() -> EngineOptions {
    let allowed_prefixes = vec!["10.0.0.0/8".parse().unwrap()];
    EngineOptions {
        scan: Some(ScanPolicy { allowed_prefixes, ..ScanPolicy::default() }),
        unread_alarm_seconds: NonZeroU32::new(1000),
        ..EngineOptions::default()
    }
}

fn create(path: &str) -> Box<dyn Journal> {
    Box::new(Store::create(Path::new(path), &NewStore { id: [7; 16], created_at: Timestamp::EPOCH }).unwrap())
}

/// The state that is about findings. A tick without a record is not written down, and forgets calls that are over.
fn lines(engine: &Engine) -> Vec<String> {
    let lines = engine.lines().map(|line| serde_json::to_string(&line).unwrap());
    lines
        .filter(|line| ["{\"seq", "{\"finding", "{\"reader"].iter().any(|word| line.starts_with(word)))
        .collect()
}

fn resumed(path: &str) -> Engine {
    state::resume(&mut Store::open_reader(Path::new(path)).unwrap(), &options()).unwrap()
}

/// The rows of the store in a state, each with the finding that it holds.
fn rows(path: &str, state: Option<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut reader = Store::open_reader(Path::new(path)).unwrap();
    reader
        .findings(state, &mut |row| {
            let finding: Finding = serde_json::from_slice(&row.body).unwrap();
            assert_eq!((row.id, row.seq), (finding.id.to_string(), finding.opened_seq));
            assert_eq!(row.state, finding.state.as_str());
            findings.push(finding);
            ControlFlow::Continue(())
        })
        .unwrap();
    findings
}

/// One address with a port that is open to everybody and answers.
fn found(recorder: &mut Recorder) -> Finding {
    let rule = json!({"security_group_rule": {
        "id": "r", "security_group_id": "g", "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp",
        "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "0.0.0.0/0",
    }});
    let port = json!({"port": {
        "id": "p", "network_id": "n", "security_groups": ["g"],
        "fixed_ips": [{"ip_address": "10.0.0.5", "subnet_id": "s"}],
    }});
    for raw in [message(1, "security_group_rule.create.end", &rule), message(2, "port.create.end", &port)] {
        recorder.message(raw.received_at, &raw, decode(&raw)).unwrap();
    }
    let [life] = &recorder.flush().unwrap()[..] else { panic!("one scan") };
    let target = &life.command.targets[0];
    let open = |&(transport, port): &_| PortFound::new(transport, port, ProbeState::Open);
    let host =
        HostResult { ports: target.expected.keys().map(open).collect(), ..HostResult::new(target.address) };
    let outcome = ScanOutcome { scanner: "test".to_owned(), end: ScanEnd::Finished, hosts: vec![host] };
    let report = ScanReport { id: life.command.id.clone(), step: ScanStep::Ended(outcome) };
    recorder.scan_reported(at(3), report).unwrap();
    recorder.engine().findings().next().unwrap().clone()
}

fn order(what: OperatorOrder) -> Order {
    Order { actor: "alice".to_owned(), what }
}

fn read(seq: u64) -> Order {
    order(OperatorOrder::FindingsRead { consumer: "siem".to_owned(), seq })
}

#[test]
fn findings_and_orders_about_them_survive_a_killed_writer() {
    let place = Place::new("findings");
    let store = place.path("store");
    let mut recorder = Recorder::resume(create(&store), &options()).unwrap();
    let finding = found(&mut recorder);
    let ack = |reason: &str| {
        order(OperatorOrder::AckFinding { id: finding.id.clone(), reason: reason.to_owned(), until: None })
    };
    assert_eq!(recorder.order(at(4), ack("")).unwrap(), None, "it needs a reason");
    let seq = recorder.order(at(5), ack("a bastion")).unwrap();
    assert_eq!(seq, Some(recorder.engine().seq()));
    recorder.flush().unwrap();
    let before = lines(recorder.engine());
    // Killed: nothing is finished, no snapshot is written.
    drop(recorder);
    assert_eq!(lines(&resumed(&store)), before);
    let [row] = &rows(&store, Some("open"))[..] else { panic!("one finding") };
    assert_eq!(row.ack.as_ref().map(|ack| (ack.by.as_str(), ack.seq)), seq.map(|seq| ("alice", seq)));
    assert_eq!(resumed(&store).finding(&finding.id), Some(row));
    assert_eq!(rows(&store, Some("resolved")), []);
}

#[test]
fn what_is_read_between_is_written_down_later_or_at_once_when_it_ends_an_alarm() {
    let place = Place::new("findings-read");
    let store = place.path("store");
    let mut recorder = Recorder::resume(create(&store), &options()).unwrap();
    let finding = found(&mut recorder);
    recorder.tick(at(60)).unwrap();
    let told = recorder.engine().seq();
    let first = finding.opened_seq;
    assert_eq!(recorder.order(at(61), read(first)).unwrap(), None);
    assert_eq!(
        recorder.engine().unread_since(),
        Some(at(3)),
        "the record of the finding itself was not read"
    );

    // It comes too soon after the last one, and waits.
    let entries = recorder.flush().map(|_| recorder.head().entry).unwrap();
    assert_eq!(recorder.order(at(62), read(told)).unwrap(), None);
    recorder.flush().unwrap();
    assert_eq!(recorder.head().entry, entries);
    assert_eq!(recorder.wake_at(), Some(at(61 + READ_EVERY_SECONDS)));
    recorder.tick(at(61 + READ_EVERY_SECONDS)).unwrap();
    assert_eq!(recorder.engine().unread_since(), None);
    recorder.flush().unwrap();
    assert_eq!(recorder.head().entry, entries + 1);
    let before = lines(recorder.engine());
    drop(recorder);
    assert_eq!(lines(&resumed(&store)), before);
}
