//! Findings on the way of inputs: which records tell them, what is scanned again, what people order, and who reads.

use std::num::NonZeroU32;

use serde_json::{Value, json};

use super::{Listener, at};
use crate::engine::record::RecordBody;
use crate::engine::{EngineLine, EngineOptions, Input, OperatorOrder, Order, OrderRefusal, Output};
use crate::event::Outcome;
use crate::finding::{ExpectedExposure, Finding, FindingKind, FindingState, Resolution};
use crate::ids::Id;
use crate::plan::ScanPolicy;
use crate::scan::{
    HostResult, PortFound, ProbeState, ScanCommand, ScanEnd, ScanOutcome, ScanReport, ScanStep, Transport,
};
use crate::trail::RecordKind;

const TCP_22: (Transport, u16) = (Transport::Tcp, 22);
const WEEK: u32 = 7 * 86_400;

pub(super) fn options() -> EngineOptions {
    EngineOptions {
        scan: Some(ScanPolicy {
            allowed_prefixes: vec!["10.0.0.0/8".parse().unwrap()],
            sensitive_ports: vec![22],
            ..ScanPolicy::default()
        }),
        unread_alarm_seconds: NonZeroU32::new(WEEK),
        ..EngineOptions::default()
    }
}

/// One address with port 22 open to everybody, as told by two messages.
pub(super) struct Story {
    pub(super) listener: Listener,
    /// Whether the engine is put back from its own lines before each input.
    restarts: bool,
}

impl Story {
    pub(super) fn begin(options: EngineOptions, restarts: bool) -> Self {
        let mut story = Self { listener: Listener::with(options), restarts };
        let port = json!({"port": {
            "id": "p", "network_id": "n", "security_groups": ["g"], "project_id": "shop",
            "fixed_ips": [{"ip_address": "10.0.0.5", "subnet_id": "s"}],
        }});
        story.hear(0, "port.create.end", &port);
        story.rule(1);
        story
    }

    fn ready(&mut self) {
        if self.restarts {
            self.listener.restart();
        }
    }

    pub(super) fn hear(&mut self, second: i64, event_type: &str, payload: &Value) -> Vec<RecordBody> {
        self.ready();
        self.listener.hear(second, second, &format!("r{second}"), event_type, payload)
    }

    pub(super) fn rule(&mut self, second: i64) -> Vec<RecordBody> {
        let rule = json!({"security_group_rule": {
            "id": format!("rule{second}"), "security_group_id": "g", "direction": "ingress", "ethertype": "IPv4",
            "protocol": "tcp", "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "0.0.0.0/0",
        }});
        self.hear(second, "security_group_rule.create.end", &rule)
    }

    pub(super) fn unrule(&mut self, second: i64, made: i64) -> Vec<RecordBody> {
        let rule = json!({"security_group_rule_id": format!("rule{made}")});
        self.hear(second, "security_group_rule.delete.end", &rule)
    }

    /// The port goes.
    pub(super) fn unport(&mut self, second: i64) -> Vec<RecordBody> {
        self.hear(second, "port.delete.end", &json!({"port_id": "p"}))
    }

    /// Answers the last command: each port that it asks for is in that state.
    pub(super) fn answer(&mut self, second: i64, state: ProbeState) -> Vec<RecordBody> {
        let command = self.listener.commands.last().cloned().unwrap();
        self.report(second, result(&command, state))
    }

    /// The last command fails.
    pub(super) fn fail(&mut self, second: i64) -> Vec<RecordBody> {
        let command = self.listener.commands.last().cloned().unwrap();
        self.report(second, failed(&command))
    }

    fn report(&mut self, second: i64, report: ScanReport) -> Vec<RecordBody> {
        self.ready();
        self.listener.handle(at(second), Input::Scan(report))
    }

    fn order(&mut self, second: i64, what: OperatorOrder) -> Vec<RecordBody> {
        self.ready();
        self.listener.handle(at(second), Input::Order(Order { actor: "alice".to_owned(), what }))
    }

    pub(super) fn tick(&mut self, second: i64) -> Vec<RecordBody> {
        self.ready();
        self.listener.handle(at(second), Input::Tick)
    }

    pub(super) fn options(&mut self, second: i64, options: EngineOptions) -> Vec<RecordBody> {
        self.ready();
        self.listener.handle(at(second), Input::Options(options))
    }

    /// When a tick is wanted, in seconds.
    fn wake_at(&mut self, second: i64) -> Option<i64> {
        let mut out = Output::default();
        self.listener.engine.handle(at(second), Input::Tick, &mut out);
        assert!(out.records.is_empty(), "{:?}", out.records);
        out.wake_at.map(|wake| (wake.micros() - at(0).micros()) / 1_000_000)
    }

    pub(super) fn findings(&self) -> Vec<Finding> {
        self.listener.engine.findings().cloned().collect()
    }

    pub(super) fn only(&self) -> Finding {
        let [finding] = &self.findings()[..] else { panic!("{:?}", self.findings()) };
        finding.clone()
    }

    fn lines(&self) -> Vec<String> {
        let text = |line: EngineLine| serde_json::to_string(&line).unwrap();
        self.listener.engine.lines().map(text).collect()
    }
}

fn result(command: &ScanCommand, state: ProbeState) -> ScanReport {
    let hosts = command.targets.iter().map(|target| {
        let found = |&(transport, port): &_| PortFound::new(transport, port, state);
        HostResult { ports: target.expected.keys().map(found).collect(), ..HostResult::new(target.address) }
    });
    let outcome =
        ScanOutcome { scanner: "test 1".to_owned(), end: ScanEnd::Finished, hosts: hosts.collect() };
    ScanReport { id: command.id.clone(), step: ScanStep::Ended(outcome) }
}

/// That a scanner could not look.
fn failed(command: &ScanCommand) -> ScanReport {
    let end = ScanEnd::Failed("no route".to_owned());
    let outcome = ScanOutcome { scanner: "test 1".to_owned(), end, hosts: Vec::new() };
    ScanReport { id: command.id.clone(), step: ScanStep::Ended(outcome) }
}

/// The sentences of the records about findings.
pub(super) fn told(records: &[RecordBody]) -> Vec<&str> {
    let findings = records.iter().filter(|record| record.kind == RecordKind::Finding);
    findings.map(|record| record.detail["text"].as_str()).collect()
}

#[test]
fn a_finding_is_a_record_that_follows_from_the_scans_and_is_its_projects() {
    let mut story = Story::begin(options(), false);
    let records = story.answer(2, ProbeState::Open);
    assert_eq!(
        told(&records),
        [
            "high finding: exposed and answering: 10.0.0.5 tcp 22 (network n): admitted from 0.0.0.0/0; the scan found it open"
        ]
    );
    let scan = story.listener.engine.seq() - 1;
    let [judged, finding] = &records[..] else { panic!("{records:?}") };
    assert_eq!((judged.kind, finding.cause), (RecordKind::Scan, Some(scan)));
    let target = finding.target.as_ref().unwrap();
    assert_eq!((&*target.kind, target.project_id.as_ref()), ("address", Some(&Id::new("shop"))));
    let id = story.only().id;
    for (key, value) in [
        ("finding", id.to_string().as_str()),
        ("kind", "exposed_answering"),
        ("state", "open"),
        ("severity", "high"),
        ("scanner", "builtin"),
        ("program", "test 1"),
        ("port", "tcp 22"),
        ("address", "10.0.0.5"),
        ("network", "n"),
    ] {
        assert_eq!(finding.detail[key], value);
    }
    let projected = story.listener.findings.last().unwrap();
    assert_eq!((projected, projected.opened_seq), (&story.only(), scan));
}

#[test]
fn what_only_looks_odd_is_scanned_once_more_and_once_only() {
    let mut story = Story::begin(options(), false);
    assert_eq!(story.listener.commands.len(), 1);
    assert_eq!(told(&story.answer(2, ProbeState::Closed)).len(), 1);
    story.tick(500);
    assert_eq!(story.listener.commands.len(), 2, "agents may only need a moment");
    let again = story.listener.commands.last().unwrap();
    assert_eq!(again.targets[0].expected, [(TCP_22, true)].into());
    assert_eq!(
        told(&story.answer(501, ProbeState::Closed)),
        [
            "finding confirmed by builtin: exposed, not answering: 10.0.0.5 tcp 22 (network n): admitted from 0.0.0.0/0; the scan found it \
          closed"
        ]
    );
    story.tick(2000);
    assert_eq!(story.listener.commands.len(), 2);
}

#[test]
fn a_closed_exposure_that_still_answers_is_looked_at_again_and_then_resolved() {
    let mut story = Story::begin(options(), false);
    story.answer(2, ProbeState::Open);
    assert_eq!(told(&story.unrule(3, 1)), Vec::<&str>::new(), "the scan that follows will show it");
    let records = story.answer(4, ProbeState::Open);
    assert_eq!(
        told(&records),
        [
            "finding resolved by a change: exposed and answering: 10.0.0.5 tcp 22 (network n): no rule admits it any more, though it \
             still answers",
            "high finding: answering though not exposed: 10.0.0.5 tcp 22 (network n): a broken agent, a way around the filter, or a \
             fault of the model, which has port p with security groups g, and nothing that is admitted there; the scan found it open",
        ]
    );
    let resolved = records.iter().find(|record| record.detail.contains_key("resolved_by")).unwrap();
    assert_eq!((resolved.outcome, resolved.detail["resolved_by"].as_str()), (Outcome::Success, "change"));
    story.tick(500);
    assert_eq!(
        told(&story.answer(501, ProbeState::Filtered)),
        [
            "finding resolved by a scan: answering though not exposed: 10.0.0.5 tcp 22 (network n): it does not answer any more"
        ]
    );
    assert!(story.findings().iter().all(Finding::is_resolved));
}

#[test]
fn what_no_scan_will_show_is_resolved_by_the_model_without_proof() {
    let mut story = Story::begin(options(), false);
    story.answer(2, ProbeState::Open);
    story.options(3, EngineOptions { scan: None, ..options() });
    let records = story.unrule(4, 1);
    assert_eq!(
        told(&records),
        [
            "finding resolved without proof: exposed and answering: 10.0.0.5 tcp 22 (network n): no rule admits it any more, which no scan \
          will prove"
        ]
    );
    assert_eq!(records[1].cause, Some(story.listener.engine.seq() - 1), "it follows from the change");
    assert_eq!(story.only().resolved_by, Some(Resolution::Model));
}

#[test]
fn a_scan_under_way_that_was_planned_before_a_change_says_nothing_of_it() {
    let mut story = Story::begin(options(), false);
    let first = story.listener.commands[0].clone();
    story.unrule(2, 1);
    let records = story.listener.handle(at(3), Input::Scan(result(&first, ProbeState::Open)));
    assert_eq!(told(&records), Vec::<&str>::new());
    assert_eq!(story.findings(), []);
}

#[test]
fn acknowledgements_are_ordered_with_a_reason_and_told() {
    let mut story = Story::begin(options(), false);
    story.answer(2, ProbeState::Open);
    let id = story.only().id;
    let ack = |reason: &str, until: Option<i64>| OperatorOrder::AckFinding {
        id: id.clone(),
        reason: reason.to_owned(),
        until: until.map(at),
    };
    let refused = |story: &Story, second: i64, what: OperatorOrder| {
        let order = Order { actor: "alice".to_owned(), what };
        story.listener.engine.judge_order(at(second), &order).unwrap_err().to_string()
    };
    let other = OperatorOrder::UnackFinding { id: Id::new("0123") };
    assert_eq!(refused(&story, 3, other), "there is no finding `0123`");
    assert_eq!(refused(&story, 3, ack(" ", None)), "an acknowledgement needs a reason");
    let past = format!("an acknowledgement until `{}` is over already", at(3));
    assert_eq!(refused(&story, 3, ack("known", Some(3))), past);
    assert_eq!(
        refused(&story, 3, OperatorOrder::UnackFinding { id: id.clone() }),
        format!("finding `{id}` is not acknowledged")
    );
    let scan = OperatorOrder::CancelScan { id: Id::new("scan-99") };
    assert_eq!(refused(&story, 3, scan), "no scan `scan-99` is under way that was not called off before");

    let records = story.order(4, ack("bastion, see T-17", Some(100)));
    let text = format!(
        "alice acknowledged a finding until {}: exposed and answering: 10.0.0.5 tcp 22 (network n): bastion, see T-17",
        at(100)
    );
    assert_eq!(told(&records), [text]);
    assert_eq!(records[0].detail["ordered_by"], "alice");
    assert_eq!(records[0].actor.user_name.as_deref(), Some("alice"));
    let finding = story.only();
    assert_eq!(finding.ack.as_ref().map(|ack| ack.seq), Some(story.listener.engine.seq()));
    assert!(finding.acknowledged(at(99)).is_some() && finding.acknowledged(at(100)).is_none());
    assert_eq!(
        refused(&story, 100, OperatorOrder::UnackFinding { id: id.clone() }),
        format!("finding `{id}` is not acknowledged")
    );
    let records = story.order(5, OperatorOrder::UnackFinding { id: id.clone() });
    assert!(told(&records)[0].starts_with("alice took back the acknowledgement of a finding: "));
    assert_eq!(story.only().ack, None);

    story.options(6, EngineOptions { scan: None, ..options() });
    story.unrule(7, 1);
    assert_eq!(
        refused(&story, 8, ack("known", None)),
        format!("finding `{id}` is resolved already: there is nothing to acknowledge")
    );
    let lines = story.lines();
    assert_eq!(story.order(8, ack("known", None)).len(), 0);
    assert_eq!(story.lines(), lines, "what is refused changes nothing");
}

#[test]
fn an_acknowledgement_that_ends_is_told_once() {
    let play = |restarts: bool| {
        let mut story = Story::begin(options(), restarts);
        story.answer(2, ProbeState::Open);
        let id = story.only().id;
        let ack = |until: Option<i64>| OperatorOrder::AckFinding {
            id: id.clone(),
            reason: "bastion".to_owned(),
            until: until.map(at),
        };
        // The later one counts.
        story.order(3, ack(Some(150)));
        story.order(4, ack(Some(200)));
        assert_eq!(story.wake_at(99), Some(200));
        assert_eq!(story.tick(199).len(), 0);
        let records = story.tick(200);
        assert_eq!(
            told(&records),
            [
                "high finding that is not acknowledged any more: exposed and answering: 10.0.0.5 tcp 22 (network n): admitted from \
              0.0.0.0/0; the scan found it open"
            ]
        );
        assert_eq!((records[0].outcome, records[0].cause), (Outcome::Unknown, Some(story.only().seen_seq)));
        assert_eq!(story.only().ack, None);
        assert_eq!(story.tick(201).len(), 0, "it is told once");

        // One that has no end, or was taken back before, ends without a word.
        story.order(202, ack(None));
        story.order(203, ack(Some(210)));
        story.order(204, OperatorOrder::UnackFinding { id: id.clone() });
        assert_eq!(story.tick(300).len(), 0);
        // So does that of a finding that is resolved.
        story.order(301, ack(Some(310)));
        story.options(302, EngineOptions { scan: None, ..options() });
        story.unrule(303, 1);
        assert!(story.only().is_resolved());
        assert_eq!(story.tick(310).len(), 0);
        story.lines()
    };
    assert_eq!(play(false), play(true), "an engine that is put back before each input does the same");
}

#[test]
fn an_order_comes_back_as_it_was_written_down() {
    let (id, until) = (Id::new("00ff"), Some(at(9)));
    for what in [
        OperatorOrder::AckFinding { id: id.clone(), reason: "r".to_owned(), until },
        OperatorOrder::UnackFinding { id: id.clone() },
        OperatorOrder::CancelScan { id },
        OperatorOrder::FindingsRead { consumer: "siem".to_owned(), seq: 7 },
    ] {
        let order = Order { actor: "alice".to_owned(), what };
        let line = serde_json::to_string(&order).unwrap();
        assert_eq!(serde_json::from_str::<Order>(&line).unwrap(), order);
    }
}

#[test]
fn expected_exposure_is_told_when_it_is_not_expected_any_more() {
    let expected = |until: Option<i64>| {
        let entry = ExpectedExposure {
            project_id: Some(Id::new("shop")),
            ports: vec![(22, 22)],
            reason: "bastion".to_owned(),
            until: until.map(at),
            ..ExpectedExposure::default()
        };
        EngineOptions { expected: vec![entry], ..options() }
    };
    let mut story = Story::begin(expected(Some(1000)), false);
    assert_eq!(told(&story.answer(2, ProbeState::Open)), Vec::<&str>::new());
    assert_eq!(story.only().expected.as_deref(), Some("bastion"));
    // What the story's calls wait for is over by then.
    assert_eq!(story.wake_at(99), Some(1000));
    assert_eq!(told(&story.tick(999)), Vec::<&str>::new());
    let records = story.tick(1000);
    assert_eq!(
        told(&records),
        [
            "high finding that is not expected any more: exposed and answering: 10.0.0.5 tcp 22 (network n): admitted from 0.0.0.0/0; the \
          scan found it open"
        ]
    );
    assert_eq!(records[0].cause, Some(story.only().seen_seq));

    // Other options are looked at with the next input, which is wanted at once.
    assert_eq!(story.options(1001, expected(None)).len(), 0);
    let records = story.tick(1001);
    assert_eq!(
        told(&records),
        ["finding is expected now: exposed and answering: 10.0.0.5 tcp 22 (network n): bastion"]
    );
    story.options(1002, options());
    assert_eq!(told(&story.tick(1002)).len(), 1);
    assert_eq!(story.only().expected, None);
}

#[test]
fn findings_that_nobody_reads_raise_one_alarm_until_somebody_reads() {
    let week = i64::from(WEEK);
    let mut story = Story::begin(options(), false);
    story.answer(2, ProbeState::Open);
    let found = story.listener.engine.seq();
    assert_eq!(story.listener.engine.unread_since(), Some(at(2)));
    assert_eq!(story.wake_at(99), Some(2 + week));
    let records = story.tick(2 + week);
    let [alarm] = &records[..] else { panic!("{records:?}") };
    assert_eq!((alarm.kind, alarm.outcome), (RecordKind::System, Outcome::Failure));
    assert_eq!(
        alarm.detail["text"],
        format!(
            "findings are told and nobody has read any since {}: no forwarder, program or person has asked for them for 604800 s",
            at(2)
        )
    );
    assert!(story.listener.engine.is_unread_alarmed());
    assert_eq!(story.tick(3 + week).len(), 0, "it is told once");
    let read = |seq| OperatorOrder::FindingsRead { consumer: "siem".to_owned(), seq };
    assert_eq!(story.order(4 + week, read(found - 1)).len(), 0, "not what nobody has read");
    let records = story.order(5 + week, read(found));
    let [end] = &records[..] else { panic!("{records:?}") };
    assert_eq!((end.kind, end.cause), (RecordKind::System, Some(found + 1)));
    assert_eq!(
        end.detail["text"],
        format!(
            "siem reads findings again, up to record {found}: nobody had since record {} told so",
            found + 1
        )
    );
    assert_eq!(story.listener.engine.unread_since(), None);

    // How far somebody has come is written down now and then.
    let order = Order { actor: "siem".to_owned(), what: read(found) };
    assert!(!story.listener.engine.is_worth_noting(at(6 + week), &order));
    let unknown = story.listener.engine.judge_order(at(6 + week), &Order { what: read(1 << 40), ..order });
    assert_eq!(unknown, Err(OrderRefusal::UnknownRecord { seq: 1 << 40 }));
}

#[test]
fn no_alarm_is_raised_where_none_is_wanted() {
    let mut story = Story::begin(EngineOptions { unread_alarm_seconds: None, ..options() }, false);
    story.answer(2, ProbeState::Open);
    assert_eq!(story.tick(100 * i64::from(WEEK)).len(), 0);
    assert_eq!(story.listener.engine.unread_since(), Some(at(2)));
}

/// Plays a story with all that can happen to findings; gives back its records and the state at its end.
fn long_story(restarts: bool) -> (Vec<String>, Vec<String>) {
    let entry = ExpectedExposure {
        ports: vec![(22, 22)],
        reason: "bastion".to_owned(),
        until: Some(at(60)),
        ..ExpectedExposure::default()
    };
    let mut story = Story::begin(EngineOptions { expected: vec![entry], ..options() }, restarts);
    let mut records = story.answer(2, ProbeState::Open);
    records.extend(story.tick(70));
    records.extend(story.unrule(71, 1));
    records.extend(story.answer(72, ProbeState::Open));
    let open = story.findings().into_iter().find(|finding| !finding.is_resolved()).unwrap();
    let what = OperatorOrder::AckFinding { id: open.id, reason: "agent".to_owned(), until: None };
    records.extend(story.order(73, what));
    records.extend(story.tick(300));
    records.extend(story.answer(301, ProbeState::Filtered));
    records.extend(story.rule(302));
    records.extend(story.answer(303, ProbeState::Open));
    records.extend(story.tick(303 + i64::from(WEEK)));
    let what = OperatorOrder::FindingsRead { consumer: "siem".to_owned(), seq: story.listener.engine.seq() };
    records.extend(story.order(304 + i64::from(WEEK), what));
    let kinds: Vec<_> =
        story.findings().iter().map(|finding| (finding.kind, finding.state, finding.reopened)).collect();
    assert!(kinds.contains(&(FindingKind::ExposedAnswering, FindingState::Open, 1)), "{kinds:?}");
    assert!(kinds.contains(&(FindingKind::AnsweringNotExposed, FindingState::Resolved, 0)), "{kinds:?}");
    (records.iter().map(|record| format!("{record:?}")).collect(), story.lines())
}

#[test]
fn an_engine_that_is_put_back_after_each_input_does_the_same() {
    let (live, restored) = (long_story(false), long_story(true));
    assert_eq!(live.0, restored.0);
    // Options are told by lines alone; the engine that was put back has them from there.
    assert_eq!(live.1, restored.1);
}
