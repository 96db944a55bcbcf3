//! What a read showed, against messages of before it that come while it is under way, between its steps, or after it: whatever the order,
//! the API's word of its time stays, and what it did not show is gone.

use serde_json::{Value, json};

use super::drift::{KINDS, group, network, object, port, rule};
use super::{Listener, at, run};
use crate::engine::record::RecordBody;
use crate::engine::{
    Input, Look, LookWhy, Looked, Output, ReadEnd, ReadPage, ReadRun, ReadStep, SLOTS_PER_STEP, SourceGap,
    SourceGapCause,
};
use crate::event::{Kind, Object};
use crate::ids::Id;
use crate::plan::ScanPolicy;

fn web(id: &str, revision: u64) -> Object {
    port(id, revision, &json!({}))
}

fn all() -> Vec<Object> {
    vec![network(), group(), rule("r1", 22), web("p1", 1)]
}

fn body(id: &str, revision: u64, name: &str) -> Value {
    json!({"port": {"id": id, "revision_number": revision, "project_id": "p", "network_id": "n", "name": name,
        "device_owner": "compute:nova", "device_id": "s", "security_groups": ["g"],
        "fixed_ips": [{"ip_address": "10.0.0.5", "subnet_id": "s"}]}})
}

fn deleted(id: &str) -> Value {
    json!({"port_id": id})
}

fn group_with(rules: &[&str]) -> Object {
    let rules: Vec<Value> = rules
        .iter()
        .map(|id| {
            json!({"id": id, "revision_number": 0, "project_id": "p", "security_group_id": "g",
            "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22})
        })
        .collect();
    let fields = json!({"id": "g", "name": "web", "revision_number": 1, "project_id": "p", "security_group_rules": rules});
    object(Kind::SecurityGroup, &fields)
}

impl Listener {
    fn knows(&self, kind: Kind, id: &str) -> bool {
        self.engine.clouds().any(|cloud| cloud.knows(kind, &Id::new(id)))
    }

    fn name(&self, id: &str) -> Option<&str> {
        self.engine.clouds().next()?.name_of(Kind::Port, &Id::new(id))
    }

    pub(super) fn shows(&mut self, run: &ReadRun, second: i64, objects: Vec<Object>) -> Vec<RecordBody> {
        self.handle(at(second), Input::Page(ReadPage { run: run.clone(), objects, lines: Vec::new() }))
    }

    fn ends(&mut self, run: &ReadRun, second: i64) -> Vec<RecordBody> {
        let end = ReadEnd {
            run: run.clone(),
            complete: KINDS.to_vec(),
            has_all_assignments: false,
            origin: "test".to_owned(),
        };
        self.handle(at(second), Input::ReadEnd(end))
    }

    /// What the API said at one second of single objects, handled at another.
    pub(super) fn looked(
        &mut self,
        second: i64,
        now: i64,
        objects: Vec<Object>,
        absent: &[(Kind, &str)],
    ) -> Vec<RecordBody> {
        let absent = absent.iter().map(|(kind, id)| (*kind, Id::new(id))).collect();
        let region = Some("north".into());
        let looked = Looked { region, at: at(second), cause: Some(1), objects, lines: Vec::new(), absent };
        self.handle(at(now), Input::Looked(looked))
    }
}

#[test]
fn an_object_that_both_a_page_and_an_old_message_told_of_was_deleted() {
    let mut listener = Listener::with_one_port();
    let run = run(Some(2), "north", 1_000);
    let shown = all().into_iter().chain([web("p2", 2), group_with(&["r1", "r2"])]).collect();
    listener.shows(&run, 1_000, shown);
    // Minutes of backlog are handled beside the read.
    listener.hear(700, 1_001, "r", "port.create.end", &body("p2", 1, "old"));
    let made = json!({"security_group_rule": {"id": "r2", "security_group_id": "g", "direction": "ingress", "ethertype": "IPv4"}});
    listener.hear(700, 1_001, "r", "security_group_rule.create.end", &made);
    assert!(listener.knows(Kind::Port, "p2") && listener.knows(Kind::Rule, "r2"));
    listener.ends(&run, 1_002);
    assert_eq!((listener.name("p2"), listener.knows(Kind::Rule, "r2")), (Some("web"), true));
}

/// What is shown to be otherwise waits for the end of the read; until then the bus may tell who has made it so.
#[test]
fn a_message_that_told_what_a_read_had_shown_was_refused_until_its_end() {
    let renamed = || port("p1", 2, &json!({"name": "renamed"}));
    let begin = || {
        let mut listener = Listener::with_one_port();
        let run = run(Some(2), "north", 1_000);
        listener.shows(&run, 1_000, vec![network(), group(), rule("r1", 22), renamed()]);
        (listener, run)
    };
    let (mut listener, run) = begin();
    listener.hear(700, 1_001, "r", "port.update.end", &body("p1", 2, "renamed"));
    assert_eq!(listener.name("p1"), Some("renamed"));
    let ended = listener.ends(&run, 1_002);
    assert_eq!(ended.len(), 1, "nothing is told to differ: {ended:?}");

    // The read has the last word.
    let (mut listener, run) = begin();
    listener.hear(700, 1_001, "r", "port.update.end", &body("p1", 2, "in between"));
    assert_eq!(listener.name("p1"), Some("in between"));
    listener.ends(&run, 1_002);
    assert_eq!(listener.name("p1"), Some("renamed"));

    // That it is gone is against what was shown.
    let (mut listener, run) = begin();
    listener.hear(700, 1_001, "r", "port.delete.end", &deleted("p1"));
    assert!(listener.knows(Kind::Port, "p1"));
    listener.ends(&run, 1_002);
    assert_eq!(listener.name("p1"), Some("renamed"));

    // As a router's interface as well.
    let (mut listener, run) = begin();
    let interface = json!({"router_interface": {"id": "ro", "port_id": "p1", "subnet_id": "s"}});
    listener.hear(700, 1_001, "r", "router.interface.delete", &interface);
    assert!(listener.knows(Kind::Port, "p1"));
    listener.ends(&run, 1_002);
    assert_eq!(listener.name("p1"), Some("renamed"));
}

#[test]
fn rules_in_the_body_of_their_group_were_taken_for_gone() {
    let shown = || vec![network(), group_with(&["r1"]), web("p1", 1)];
    let mut listener = Listener::with_one_port();
    let records = listener.whole(2, 10, shown());
    assert!(listener.knows(Kind::Rule, "r1"));
    let text = &records.last().unwrap().detail["text"];
    assert!(text.contains("1 security_group_rules"), "{text}");

    // The same in entries of journals from before only differences were written down.
    let mut listener = Listener::with_one_port();
    let run = run(Some(2), "north", 10);
    let page = ReadPage { run: run.clone(), objects: shown(), lines: Vec::new() };
    listener.handle(at(10), Input::OldPage(page));
    let end =
        ReadEnd { run, complete: KINDS.to_vec(), has_all_assignments: false, origin: "test".to_owned() };
    listener.handle(at(10), Input::OldReadEnd(end));
    assert!(listener.knows(Kind::Rule, "r1"));
}

#[test]
fn a_late_message_made_again_what_a_look_had_not_found() {
    for id in ["p1", "unknown"] {
        let mut listener = Listener::with_one_port();
        listener.looked(200, 201, vec![], &[(Kind::Port, id)]);
        listener.restart();
        listener.hear(90, 202, "r", "port.update.end", &body(id, 2, "late"));
        assert!(!listener.knows(Kind::Port, id), "{id}");
        assert_eq!(listener.looks, [], "{id}");
        // By another clock it may have been made after the look.
        listener.hear(195, 203, "r", "port.update.end", &body(id, 3, "unsure"));
        let [Look { why: LookWhy::UnsureClock, .. }] = &listener.looks[..] else {
            panic!("{:?}", listener.looks)
        };
        // It was seen in vain, not deleted: what is said later of it is true.
        listener.hear(210, 211, "r", "port.update.end", &body(id, 4, "later"));
        assert_eq!(listener.name(id), Some("later"));
    }
}

#[test]
fn an_older_read_or_look_undid_a_newer_read() {
    for is_look in [true, false] {
        let mut listener = Listener::with_one_port();
        listener.whole(2, 100, all());
        match is_look {
            true => listener.looked(50, 101, vec![], &[(Kind::Port, "p1")]),
            false => listener.whole(3, 50, vec![network(), group(), rule("r1", 22)]),
        };
        assert!(listener.knows(Kind::Port, "p1"), "{is_look}");
    }
}

#[test]
fn a_page_that_was_fetched_before_a_deletion_of_a_slow_clock_raised_the_dead_for_hours() {
    let mut listener = Listener::with_one_port();
    let run = run(Some(2), "north", 100);
    listener.shows(&run, 100, vec![network(), group(), rule("r1", 22)]);
    // Deleted at 103; the page was fetched at 102 and is handled at 104.
    listener.hear(93, 103, "r", "port.delete.end", &deleted("p1"));
    listener.shows(&run, 104, vec![web("p1", 1)]);
    listener.ends(&run, 105);
    let [look] = &listener.looks[..] else { panic!("{:?}", listener.looks) };
    assert_eq!((look.kind, &look.id, look.why), (Kind::Port, &Id::new("p1"), LookWhy::UnsureClock));
}

#[test]
fn messages_of_before_a_read_undid_what_a_page_had_shown() {
    let mut listener = Listener::with_one_port();
    let begun = run(Some(2), "north", 1_000);
    let mut differing = all();
    differing.push(web("p2", 5));
    listener.whole(2, 10, differing.clone());
    let begun = ReadRun { id: run(Some(3), "north", 0).id, ..begun };
    // One port is as it is known, the other was renamed.
    let renamed = port("p2", 6, &json!({"name": "www"}));
    listener.shows(&begun, 1_000, all().into_iter().chain([renamed]).collect());
    for id in ["p1", "p2"] {
        listener.hear(500, 1_001, "r", "port.delete.end", &deleted(id));
        listener.hear(600, 1_001, "r", "port.update.end", &body(id, 1_000_000, "forged"));
        assert_eq!(listener.name(id), Some("web"), "{id}");
    }
    listener.hear(550, 1_001, "r", "network.delete.end", &json!({"network_id": "n"}));
    listener.hear(550, 1_001, "r", "security_group.delete.end", &json!({"security_group_id": "g"}));
    listener.ends(&begun, 1_002);
    assert_eq!((listener.name("p1"), listener.name("p2")), (Some("web"), Some("www")));
    assert!(listener.knows(Kind::Network, "n") && listener.knows(Kind::Rule, "r1"));
    // What is of after the read is believed.
    listener.hear(1_003, 1_003, "r", "port.delete.end", &deleted("p1"));
    assert!(!listener.knows(Kind::Port, "p1"));
}

/// What hangs on something that no page has shown yet does not go with it.
#[test]
fn what_was_shown_does_not_go_with_what_was_not_shown_yet() {
    let mut listener = Listener::with_one_port();
    let run = run(Some(2), "north", 1_000);
    listener.shows(&run, 1_000, vec![rule("r1", 22), web("p1", 1)]);
    listener.hear(550, 1_001, "r", "network.delete.end", &json!({"network_id": "n"}));
    listener.hear(550, 1_001, "r", "security_group.delete.end", &json!({"security_group_id": "g"}));
    listener.shows(&run, 1_002, vec![network(), group()]);
    listener.ends(&run, 1_003);
    for (kind, id) in
        [(Kind::Network, "n"), (Kind::SecurityGroup, "g"), (Kind::Rule, "r1"), (Kind::Port, "p1")]
    {
        assert!(listener.knows(kind, id), "{kind:?}");
    }
}

#[test]
fn what_holds_fast_a_shown_object_is_written_down_before_the_message_and_only_once() {
    let mut listener = Listener::with_one_port();
    let run = run(Some(2), "north", 1_000);
    listener.shows(&run, 1_000, all());
    let hear = |listener: &mut Listener, sent: i64| {
        let mut out = Output::default();
        listener.sent += 1;
        let text = json!({
            "message_id": format!("m{sent}"), "event_type": "port.update.end", "publisher_id": "network.ctl1",
            "priority": "INFO", "timestamp": at(sent).to_string().trim_end_matches('Z'), "payload": body("p1", 9, "old"),
        });
        let raw = listener.raw(1_001, &text);
        listener.engine.handle(at(1_001), Input::Message(&raw, crate::decode::decode(&raw)), &mut out);
        out.differences
    };
    let part = hear(&mut listener, 500).unwrap();
    let ids: Vec<_> = part.confirmed.iter().map(|(kind, id, _)| (*kind, id.clone())).collect();
    assert_eq!((part.step, ids), (ReadStep::Confirmed, vec![(Kind::Port, Id::new("p1"))]));
    assert!(hear(&mut listener, 501).is_none(), "it is held fast already");
    assert!(hear(&mut listener, 1_001).is_none(), "it is of after the read");
}

#[test]
fn a_look_that_found_an_object_as_it_was_did_not_protect_it() {
    let mut listener = Listener::with_one_port();
    assert_eq!(listener.looked(100, 101, vec![web("p1", 1), group_with(&["r1"])], &[]).len(), 0);
    listener.hear(20, 102, "r", "port.update.end", &body("p1", 1_000_000, "forged"));
    listener.hear(20, 102, "r", "security_group_rule.delete.end", &json!({"security_group_rule_id": "r1"}));
    assert_eq!((listener.name("p1"), listener.knows(Kind::Rule, "r1")), (Some("web"), true));
}

/// The slots of a kind are looked through in steps. What the bus says in between of before the read makes nothing behind them.
#[test]
fn old_messages_between_two_steps_of_the_end_made_phantoms() {
    let mut listener = Listener::with_one_port();
    let many = SLOTS_PER_STEP as usize + 10;
    let small = |number: usize| object(Kind::Trunk, &json!({"id": format!("t{number}")}));
    listener.whole(2, 5, all().into_iter().chain((0..many).map(small)).collect());
    let run = run(Some(3), "north", 1_000);
    listener.shows(&run, 1_000, all().into_iter().chain((0..many).map(small)).collect());
    let complete = KINDS.into_iter().chain([Kind::Trunk]).collect();
    let mut out = Output::default();
    let end = ReadEnd { run: run.clone(), complete, has_all_assignments: false, origin: "test".to_owned() };
    listener.engine.handle(at(1_001), Input::ReadEnd(end), &mut out);
    assert!(listener.engine.is_closing());
    let part = out.differences.unwrap();
    assert!(matches!(part.step, ReadStep::Closing { .. }) && out.records.is_empty());
    let raw = listener.raw(1_002, &json!({
        "message_id": "late", "event_type": "port.create.end", "publisher_id": "network.ctl1", "priority": "INFO",
        "timestamp": at(700).to_string().trim_end_matches('Z'), "payload": body("phantom", 1, "web"),
    }));
    listener.engine.handle(
        at(1_002),
        Input::Message(&raw, crate::decode::decode(&raw)),
        &mut Output::default(),
    );
    while listener.engine.is_closing() {
        listener.engine.handle(at(1_003), Input::ReadOn, &mut Output::default());
    }
    assert!(!listener.knows(Kind::Port, "phantom") && listener.knows(Kind::Port, "p1"));
}

#[test]
fn a_region_that_was_read_is_not_empty_for_want_of_ports() {
    let mut listener = Listener::with_one_port();
    listener.hear(5, 5, "r", "port.delete.end", &deleted("p1"));
    let records = listener.whole(2, 100, vec![network(), group(), rule("r1", 22), web("p2", 1)]);
    assert_eq!(records.len(), 2, "the new port, and the end: {records:?}");
}

#[test]
fn a_gap_that_is_found_during_a_read_is_the_reason_of_the_next() {
    let mut listener = Listener::with_one_port();
    let begun = run(Some(2), "north", 1_000);
    listener.shows(&begun, 1_000, all());
    let gap = SourceGap {
        source: "bus".into(),
        region: Some("north".into()),
        from: at(1_000),
        to: at(1_001),
        cause: SourceGapCause::Unbound,
    };
    listener.handle(at(1_001), Input::SourceGap(gap));
    let lost = listener.engine.seq();
    listener.ends(&begun, 1_002);
    listener.restart();
    let records = listener.whole(3, 1_010, all());
    assert_eq!(records[0].cause, Some(lost));
    let records = listener.whole(4, 1_020, all());
    assert_eq!(records[0].cause, None);
}

#[test]
fn a_snapshot_of_the_earlier_form_says_that_its_region_was_read() {
    let mut listener = Listener::with_one_port();
    let mut engine = crate::engine::Engine::new(listener.options.clone());
    let mut region = None;
    for line in listener.engine.lines() {
        let mut line = serde_json::to_value(&line).unwrap();
        if line.get("informed").is_some() {
            continue;
        }
        if let Some(read) = line.pointer_mut("/object/read_at") {
            read.as_object_mut().unwrap().remove("given");
        }
        engine.restore(serde_json::from_value(line).unwrap(), &mut region);
    }
    listener.engine = engine;
    let records = listener.whole(2, 10, all().into_iter().chain([web("p2", 1)]).collect());
    assert_eq!(records[0].detail["difference"], "created", "{records:?}");
}

#[test]
fn what_is_told_together_is_scanned_too() {
    let allowed_prefixes = vec!["10.0.0.0/8".parse().unwrap()];
    let options = crate::engine::EngineOptions {
        scan: Some(ScanPolicy { allowed_prefixes, ..ScanPolicy::default() }),
        ..Default::default()
    };
    let mut listener = Listener::with(options);
    // A region that was never read as a whole, with a port that the bus told of.
    listener.hear(0, 0, "r", "port.create.end", &body("p1", 1, "web"));
    let records = listener.whole(1, 5, all());
    let together = records.iter().find(|record| record.detail["text"].starts_with("not told one by one"));
    assert_eq!(together.unwrap().exposure.opened.len(), 1);
    assert_eq!(listener.commands.len(), 1);
}

#[test]
fn a_rule_in_a_default_group_that_was_long_known_was_called_harmless() {
    let mut listener = Listener::new();
    let default =
        || object(Kind::SecurityGroup, &json!({"id": "g", "name": "default", "revision_number": 1}));
    listener.whole(1, 0, vec![network(), default(), web("p1", 1)]);
    let records = listener.whole(2, 100, vec![network(), default(), rule("r1", 22), web("p1", 1)]);
    assert_eq!(records[0].detail["explanation"], "unexplained");

    // Nor did a port go with a network that nobody ever described.
    let mut listener = Listener::new();
    listener.whole(1, 0, vec![group(), web("p1", 1), web("p3", 1)]);
    let records = listener.whole(2, 100, vec![group(), web("p3", 1)]);
    assert_eq!(records[0].detail["explanation"], "unexplained");
}

#[test]
fn what_is_not_there_is_asked_for_once() {
    let mut listener = Listener::with_one_port();
    let call = |name: &str| {
        json!({
            "typeURI": "http://schemas.dmtf.org/cloud/audit/1.0/event", "eventType": "activity",
            "action": "update/add_addresses", "outcome": "success", "id": name,
            "requestPath": "/v2.0/address-groups/a1/add_addresses",
            "eventTime": "2026-11-21T00:00:00.000000+0000",
            "target": {"id": "x", "typeURI": "service/network/address-groups"},
            "initiator": {"id": "u", "typeURI": "service/security/account/user"},
            "reason": {"reasonCode": "200", "reasonType": "HTTP"},
        })
    };
    for (second, name) in [(1, "e1"), (3, "e2")] {
        listener.hear(second, second, name, "audit.http.response", &call(name));
        assert_eq!(listener.looks.len(), 1, "{name}");
        listener.looked(second + 1, second + 1, vec![], &[(Kind::AddressGroup, "a1")]);
    }
}

#[test]
fn drift_is_counted_by_who_finds_it() {
    let mut listener = Listener::with_one_port();
    let run = run(Some(2), "north", 100);
    listener.shows(&run, 100, vec![network(), group(), rule("r1", 22)]);
    let mut out = Output::default();
    let end =
        ReadEnd { run, complete: KINDS.to_vec(), has_all_assignments: false, origin: "test".to_owned() };
    listener.engine.handle(at(100), Input::ReadEnd(end), &mut out);
    assert_eq!(listener.engine.drift().values().sum::<u64>(), 1);
    let mut other = Listener::with_one_port();
    other.handle(at(100), Input::Differences(out.differences.unwrap()));
    assert!(other.engine.drift().is_empty() && !other.knows(Kind::Port, "p1"));
}

/// Of an unchanged object a page leaves a mark only. A message of before the read undid what it had shown, once the read was over and the
/// kind had not been shown whole.
#[test]
fn what_a_read_saw_that_was_not_whole_was_not_protected() {
    for breaks_off in [true, false] {
        let mut listener = Listener::with_one_port();
        let read = run(Some(2), "north", 1_000);
        listener.shows(&read, 1_000, vec![network(), web("p1", 1), group_with(&["r1"])]);
        let (complete, origin) = (vec![Kind::Network], "test".to_owned());
        let end = ReadEnd { run: read.clone(), complete, has_all_assignments: false, origin };
        let end = if breaks_off { Input::ReadBroken(read) } else { Input::ReadEnd(end) };
        listener.handle(at(1_001), end);
        listener.hear(500, 1_002, "r", "port.update.end", &body("p1", 1_000_000, "forged"));
        let deleted = json!({"security_group_rule_id": "r1"});
        listener.hear(500, 1_002, "r", "security_group_rule.delete.end", &deleted);
        assert_eq!(
            (listener.name("p1"), listener.knows(Kind::Rule, "r1")),
            (Some("web"), true),
            "{breaks_off}"
        );
        // What is of after the read is believed as ever.
        listener.hear(1_003, 1_003, "r", "port.update.end", &body("p1", 1_000_001, "later"));
        assert_eq!(listener.name("p1"), Some("later"), "{breaks_off}");
    }
}
