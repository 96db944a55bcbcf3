//! The engine as the shell drives it, with mistakes it once made: each test is named after what was wrong.

mod assignments;
mod broken_off;
mod drift;
mod drift_folds;
mod erasure;
mod expected;
mod findings;
mod forwarder_orders;
mod gaps;
mod late;
mod log_key;
mod read_order;
mod reads;
mod retention;
mod scan_plans;
mod scans;
mod servers;
mod step_sizes;
mod steps;
mod ties;
mod told_by_id;
mod vanished;

use std::sync::Arc;

use serde_json::{Value, json};

use super::record::RecordBody;
use super::{
    ATTEMPT_SECONDS, Engine, EngineLine, EngineOptions, Input, Look, Output, ReadEnd, ReadPage, ReadRun,
    RunId,
};
use crate::decode::decode;
use crate::event::{FixedIp, Kind, Object, Outcome, Port, Properties, RawMessage, Rule, Version};
use crate::finding::Finding;
use crate::ids::Id;
use crate::scan::{CommandId, ScanCommand, ScanLife};
use crate::time::Timestamp;

/// When the messages of a test are sent.
const BEGIN: i64 = 1_795_219_200;

fn at(second: i64) -> Timestamp {
    Timestamp::EPOCH.plus_seconds(BEGIN + second)
}

/// An engine that listens to one region.
struct Listener {
    engine: Engine,
    options: EngineOptions,
    region: &'static str,
    sent: usize,
    /// What was given out to be carried out.
    commands: Vec<ScanCommand>,
    /// How far commands have come, in the order of telling.
    lives: Vec<ScanLife>,
    /// What is to be given up.
    cancels: Vec<CommandId>,
    /// How findings are, in the order of telling.
    findings: Vec<Finding>,
    /// What was wished to be looked at.
    looks: Vec<Look>,
}

impl Listener {
    fn new() -> Self {
        Self::with(EngineOptions::default())
    }

    fn with(options: EngineOptions) -> Self {
        let engine = Engine::new(options.clone());
        Self {
            engine,
            options,
            region: "north",
            sent: 0,
            commands: Vec::new(),
            lives: Vec::new(),
            cancels: Vec::new(),
            findings: Vec::new(),
            looks: Vec::new(),
        }
    }

    fn handle(&mut self, now: Timestamp, input: Input<'_>) -> Vec<RecordBody> {
        let mut out = Output::default();
        self.engine.handle(now, input, &mut out);
        self.commands.append(&mut out.commands);
        self.lives.append(&mut out.lives);
        self.cancels.append(&mut out.cancels);
        self.findings.append(&mut out.findings);
        self.looks.append(&mut out.looks);
        while self.engine.is_closing() {
            self.engine.handle(now, Input::ReadOn, &mut out);
        }
        out.records
    }

    /// Hears a notification that was sent at one second and received at another.
    fn hear(
        &mut self,
        sent: i64,
        received: i64,
        request: &str,
        event_type: &str,
        payload: &Value,
    ) -> Vec<RecordBody> {
        self.sent += 1;
        let body = json!({
            "message_id": format!("m{}", self.sent), "event_type": event_type, "publisher_id": "network.ctl1",
            "priority": "INFO", "timestamp": at(sent).to_string().trim_end_matches('Z'), "payload": payload,
            "_context_request_id": request, "_context_user_id": "u", "_context_project_id": "p",
        });
        let raw = self.raw(received, &body);
        self.handle(at(received), Input::Message(&raw, decode(&raw)))
    }

    /// A message as it comes from the bus.
    fn raw(&self, received: i64, body: &Value) -> RawMessage {
        RawMessage {
            source: Arc::from("bus"),
            region: Some(Arc::from(self.region)),
            exchange: "neutron".into(),
            routing_key: "notifications.info".into(),
            redelivered: false,
            received_at: at(received),
            properties: Properties::default(),
            body: body.to_string().into_bytes(),
        }
    }

    fn asked(&mut self, sent: i64, received: i64, request: &str) -> Vec<RecordBody> {
        self.hear(sent, received, request, "network.create.start", &json!({"network": {"name": request}}))
    }

    fn done(&mut self, sent: i64, received: i64, request: &str) -> Vec<RecordBody> {
        self.hear(sent, received, request, "network.create.end", &json!({"network": {"id": request}}))
    }

    /// The engine of another process that goes on from this one's snapshot.
    fn restart(&mut self) {
        let mut engine = Engine::new(self.options.clone());
        let mut region = None;
        for line in self.engine.lines() {
            let line = serde_json::to_string(&line).unwrap();
            engine.restore(serde_json::from_str::<EngineLine>(&line).unwrap(), &mut region);
        }
        self.engine = engine;
    }
}

fn failures(records: &[RecordBody]) -> Vec<String> {
    let failed = records.iter().filter(|record| record.outcome == Outcome::Failure);
    failed.filter_map(|record| Some(record.request_id.as_ref()?.to_string())).collect()
}

#[test]
fn calls_whose_end_waited_in_the_queue_were_reported_as_failed() {
    let mut listener = Listener::new();
    let mut records = listener.asked(0, 600, "r1");
    records.extend(listener.asked(1, 601, "r2"));
    listener.restart();
    records.extend(listener.done(2, 700, "r1"));
    records.extend(listener.done(3, 800, "r2"));
    records.extend(listener.handle(at(9000), Input::Tick));
    assert_eq!(failures(&records), Vec::<String>::new());
}

#[test]
fn a_call_of_a_sender_whose_clock_is_behind_was_reported_as_failed() {
    let mut listener = Listener::new();
    let mut records = listener.done(100, 100, "r0");
    records.extend(listener.asked(40, 101, "r1"));
    records.extend(listener.done(101, 101, "r2"));
    records.extend(listener.done(41, 102, "r1"));
    assert_eq!(failures(&records), Vec::<String>::new());
}

#[test]
fn a_call_that_never_ends_has_failed_by_event_time_or_by_the_clock() {
    let mut listener = Listener::new();
    listener.asked(0, 600, "r1");
    assert_eq!(failures(&listener.done(ATTEMPT_SECONDS, 601, "r2")), Vec::<String>::new());
    assert_eq!(failures(&listener.done(ATTEMPT_SECONDS + 1, 602, "r3")), ["r1"]);

    listener.asked(700, 700, "r4");
    let over = at(700 + ATTEMPT_SECONDS);
    assert_eq!(failures(&listener.handle(over, Input::Tick)), Vec::<String>::new());
    assert_eq!(failures(&listener.handle(over.plus_seconds(1), Input::Tick)), ["r4"]);
    assert_eq!(failures(&listener.handle(over.plus_seconds(99), Input::Tick)), Vec::<String>::new());
}

#[test]
fn an_end_without_its_start_is_not_forgotten_by_a_tick_that_no_journal_has() {
    let mut listener = Listener::new();
    listener.done(0, 0, "r1");
    let before: Vec<_> = listener.engine.lines().map(|line| serde_json::to_string(&line).unwrap()).collect();
    assert_eq!(listener.engine.wake_at(at(1)), None, "nothing is due that would tell anything");
    assert_eq!(listener.handle(at(1000), Input::Tick).len(), 0);
    let after: Vec<_> = listener.engine.lines().map(|line| serde_json::to_string(&line).unwrap()).collect();
    assert_eq!(after, before);
    // Event time goes on by messages, and with it goes what is remembered.
    listener.done(ATTEMPT_SECONDS + 1, 1001, "r2");
    let lines = listener.engine.lines().map(|line| serde_json::to_string(&line).unwrap());
    assert_eq!(lines.filter(|line| line.contains(r#""ended""#)).count(), 1);
}

#[test]
fn the_record_of_a_failed_call_had_no_region() {
    let mut listener = Listener::new();
    listener.asked(0, 0, "r1");
    let records = listener.handle(at(100), Input::Tick);
    assert_eq!(records.iter().map(|record| record.region.as_deref()).collect::<Vec<_>>(), [Some("north")]);
}

/// A port with one address and one group, and rules of that group, as the API shows them.
fn shown(group: &str, rules: &[&str]) -> Vec<Object> {
    let version = |id: &str| Version { id: Some(Id::new(id)), revision: Some(1), ..Version::default() };
    let rule = |id: &&str| {
        Object::Rule(Rule {
            version: version(id),
            security_group_id: Some(Id::new("g")),
            ingress: Some(true),
            ..Rule::default()
        })
    };
    let port = Object::Port(Port {
        version: version("p"),
        security_groups: Some(vec![Id::new(group)]),
        fixed_ips: Some(vec![FixedIp { address: "10.0.0.1".parse().unwrap(), subnet_id: None }]),
        ..Port::default()
    });
    rules.iter().map(rule).chain([port]).collect()
}

impl Listener {
    fn page(&mut self, region: &str, second: i64, objects: Vec<Object>) -> Vec<RecordBody> {
        let page = ReadPage { run: run(None, region, second), objects, lines: Vec::new() };
        self.handle(at(second), Input::Page(page))
    }

    fn read_end(&mut self, region: &str, second: i64) -> Vec<RecordBody> {
        self.run_end(&run(None, region, second))
    }

    fn run_end(&mut self, run: &ReadRun) -> Vec<RecordBody> {
        let complete = vec![Kind::Port, Kind::Rule];
        let end =
            ReadEnd { run: run.clone(), complete, has_all_assignments: false, origin: "test".to_owned() };
        self.handle(run.at, Input::ReadEnd(end))
    }
}

fn run(id: Option<u64>, region: &str, second: i64) -> ReadRun {
    ReadRun { id: id.map(RunId), region: Some(Arc::from(region)), at: at(second), exact: true, actor: None }
}

/// How many rows the records opened and closed.
fn sums(records: &[RecordBody]) -> (usize, usize) {
    let exposures = || records.iter().map(|record| &record.exposure);
    (exposures().map(|all| all.opened.len()).sum(), exposures().map(|all| all.closed.len()).sum())
}

#[test]
fn a_read_told_of_rows_that_one_page_opened_and_its_end_closed() {
    let mut listener = Listener::new();
    listener.page("north", 1, shown("h", &["r1"]));
    listener.read_end("north", 1);
    // The port has another group now, and that group's rule is another one.
    listener.page("north", 2, shown("g", &[]));
    listener.page("north", 2, shown("g", &["r2"]));
    let records = listener.read_end("north", 2);
    assert_eq!(sums(&records), (1, 0), "{records:?}");
    let opened = records.iter().find_map(|record| record.exposure.opened.first()).unwrap();
    assert!(!opened.redundant, "r1, which covered it between two pages, is gone");
}

#[test]
fn a_read_that_broke_off_was_taken_for_a_part_of_the_next_one() {
    let mut listener = Listener::new();
    listener.page("north", 1, shown("g", &["r1", "r2"]));
    listener.read_end("north", 1);
    listener.page("north", 2, shown("g", &["r1", "r2"]));
    let records = listener.page("north", 3, shown("g", &["r1"]));
    assert_eq!(records.len(), 1, "the one that broke off has its record");
    assert_eq!(sums(&listener.read_end("north", 3)), (0, 1), "r2 was not shown");
}

#[test]
fn reads_of_two_regions_were_one() {
    let mut listener = Listener::new();
    listener.page("north", 1, shown("g", &["r1"]));
    listener.page("south", 1, shown("g", &["r2"]));
    listener.read_end("north", 1);
    assert!(listener.engine.is_reading());
    listener.read_end("south", 1);
    assert!(!listener.engine.is_reading());
    let rules = |region: &str| listener.engine.cloud(Some(&Arc::from(region))).unwrap().ids(Kind::Rule);
    assert_eq!((rules("north"), rules("south")), (vec![Id::new("r1")], vec![Id::new("r2")]));
}

#[test]
fn an_empty_cloud_is_read_like_any_other() {
    let mut listener = Listener::new();
    listener.page("north", 1, shown("g", &["r1"]));
    listener.read_end("north", 1);
    assert_eq!(sums(&listener.read_end("north", 2)), (0, 1));
}

#[test]
fn a_region_of_which_nothing_is_known_was_lost_by_a_restart() {
    let mut listener = Listener::new();
    listener.asked(0, 0, "r1");
    listener.restart();
    assert!(listener.engine.cloud(Some(&Arc::from("north"))).is_some());
}
