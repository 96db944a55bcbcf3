//! Role assignments: what the bus told is not told again, and what a read of Keystone shows otherwise is, once.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Listener, at, run};
use crate::decode::decode;
use crate::engine::record::RecordBody;
use crate::engine::{
    AssignmentDifferences, AssignmentPage, Engine, EngineLine, Input, Named, Output, ReadEnd, ReadPage,
    ReadRun, is_readable_format,
};
use crate::event::{Assignment, AssignmentScope, Holder};
use crate::ids::Id;
use crate::names::{DOUBT_SECONDS, NameKind};
use crate::trail::RecordKind;

fn admin(user: &str) -> Assignment {
    let (holder, scope) = (Holder::User(Id::new(user)), AssignmentScope::Project(Id::new("prod")));
    Assignment { holder, scope, role: Id::new("admin"), inherited: false }
}

impl Listener {
    /// Keystone tells that a role was given or taken, or that a user is gone.
    fn keystone(&mut self, sent: i64, received: i64, what: &str, mut payload: Value) {
        self.sent += 1;
        let own = json!({
            "typeURI": "http://schemas.dmtf.org/cloud/audit/1.0/event", "eventType": "activity", "id": "e",
            "eventTime": at(sent).to_string(), "action": what, "outcome": "success",
            "initiator": {"id": "boss", "typeURI": "service/security/account/user"},
            "target": {"id": "made up", "typeURI": "service/security/account/user"},
        });
        payload.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        let body = json!({
            "message_id": format!("k{}", self.sent), "event_type": format!("identity.{what}"),
            "publisher_id": "identity.ctl1", "priority": "INFO", "payload": payload,
            "timestamp": at(sent).to_string().trim_end_matches('Z'),
        });
        let raw = self.raw(received, &body);
        self.handle(at(received), Input::Message(&raw, decode(&raw)));
    }

    fn role(&mut self, sent: i64, verb: &str, user: &str) {
        let told = json!({"role": "admin", "user": user, "project": "prod", "inherited_to_projects": false});
        self.keystone(sent, sent, &format!("role_assignment.{verb}"), told);
    }

    /// A whole read of assignments at one second.
    fn assigned(&mut self, number: u64, second: i64, shown: &[Assignment]) -> Vec<RecordBody> {
        let region = self.region;
        self.show(number, second, shown);
        self.assigned_end(&run(Some(number), region, second))
    }

    fn show(&mut self, number: u64, second: i64, shown: &[Assignment]) -> Vec<RecordBody> {
        let run = run(Some(number), self.region, second);
        self.handle(
            at(second),
            Input::Page(ReadPage { run: run.clone(), objects: Vec::new(), lines: Vec::new() }),
        );
        self.handle(at(second), Input::Assignments(AssignmentPage { run, assignments: shown.to_vec() }))
    }

    fn assigned_end(&mut self, run: &ReadRun) -> Vec<RecordBody> {
        let (run, origin) = (run.clone(), "test".to_owned());
        let (now, complete) = (run.at, Vec::new());
        self.handle(now, Input::ReadEnd(ReadEnd { run, complete, has_all_assignments: true, origin }))
    }

    fn has(&self, user: &str, second: i64) -> bool {
        self.engine.assigned_since(&admin(user), at(second)).is_some()
    }
}

/// What records of drift say: difference, user, explanation.
fn told(records: &[RecordBody]) -> Vec<[&str; 3]> {
    let drifts = records.iter().filter(|record| record.kind == RecordKind::Drift && record.target.is_some());
    drifts
        .map(|record| {
            ["difference", "user", "explanation"].map(|key| record.detail.get(key).map_or("", String::as_str))
        })
        .collect()
}

#[test]
fn what_the_bus_told_is_no_news_and_what_it_did_not_tell_is() {
    let mut listener = Listener::new();
    // Nobody claimed anything before the first read.
    assert_eq!(told(&listener.assigned(1, 0, &[admin("old"), admin("gone")])), [[""; 3]; 0]);
    listener.role(100, "created", "told");
    let mut system = admin("root");
    system.scope = AssignmentScope::System;
    let shown = [admin("old"), admin("told"), admin("silent"), system];
    let names = [(NameKind::User, "silent", "mallory"), (NameKind::Role, "admin", "admin")];
    let named = names.map(|(kind, id, name)| Named { kind, id: Id::new(id), name: name.into(), at: at(0) });
    listener.handle(at(200), Input::Names(named.into()));
    let records = listener.assigned(2, 1000, &shown);
    let wanted = [
        ["created", "root", "system_assignment"],
        ["created", "silent", "unexplained"],
        ["gone", "gone", "unexplained"],
    ];
    let mut found = told(&records);
    found.sort_unstable();
    assert_eq!(found, wanted);
    let silent = records.iter().find(|record| record.detail.get("user").is_some_and(|user| user == "silent"));
    let silent = silent.unwrap();
    assert_eq!(
        silent.detail["text"],
        "role admin on project prod for user silent is there and was not told by the bus (no silent action explains it)"
    );
    // A person's name stands with the personal data only.
    assert_eq!(silent.personal["user_name"], "mallory");
    assert!(!silent.detail.values().any(|value| value.contains("mallory")));
    assert_eq!(listener.engine.assignment_drift().values().sum::<u64>(), 3);
    assert!(listener.has("silent", 1000) && !listener.has("gone", 1000) && listener.has("gone", 500));
    assert_eq!(told(&listener.assigned(3, 2000, &shown)), [[""; 3]; 0], "each is told once");
}

/// A role on the system stands in the list of all and in that of the system.
#[test]
fn what_one_read_shows_twice_is_told_once() {
    let mut listener = Listener::new();
    listener.assigned(1, 0, &[admin("old")]);
    let mut system = admin("root");
    system.scope = AssignmentScope::System;
    let records = listener.assigned(2, 1000, &[admin("old"), system.clone(), admin("old"), system]);
    assert_eq!(told(&records), [["created", "root", "system_assignment"]]);
    assert_eq!(listener.engine.assignment_drift().values().sum::<u64>(), 1);
}

#[test]
fn the_bus_keeps_its_word_about_the_last_minute_before_a_read() {
    let mut listener = Listener::new();
    listener.assigned(1, 0, &[admin("a")]);
    listener.role(1000 - DOUBT_SECONDS, "created", "late");
    listener.role(1000 - DOUBT_SECONDS, "deleted", "a");
    assert_eq!(told(&listener.assigned(2, 1000, &[admin("a")])), [[""; 3]; 0]);
    assert!(listener.has("late", 1000) && !listener.has("a", 1000));
    let records = listener.assigned(3, 2000, &[admin("a")]);
    let mut found = told(&records);
    found.sort_unstable();
    assert_eq!(
        found.iter().map(|[what, user, _]| (*what, *user)).collect::<Vec<_>>(),
        [("created", "a"), ("gone", "late")]
    );
}

#[test]
fn what_the_bus_tells_before_the_end_of_a_read_that_showed_it_is_no_drift() {
    let mut listener = Listener::new();
    listener.assigned(1, 0, &[]);
    let read = run(Some(2), "north", 1000);
    listener.show(2, 1000, &[admin("new")]);
    // It was given after the read began, and its message was still under way when the page came.
    listener.role(1001, "created", "new");
    assert_eq!(told(&listener.assigned_end(&read)), [[""; 3]; 0]);
    assert!(listener.has("new", 1001));
}

#[test]
fn a_message_of_long_before_does_not_undo_what_a_read_has_shown() {
    for is_ended in [false, true] {
        let mut listener = Listener::new();
        listener.assigned(1, 0, &[admin("a")]);
        let read = run(Some(2), "north", 1000);
        listener.show(2, 1000, &[admin("a")]);
        if is_ended {
            assert_eq!(told(&listener.assigned_end(&read)), [[""; 3]; 0]);
        }
        listener.role(500, "deleted", "a");
        listener.role(500, "created", "b");
        let records = if is_ended { Vec::new() } else { listener.assigned_end(&read) };
        assert!(listener.has("a", 1000) && !listener.has("b", 1000), "{is_ended}");
        assert!(!listener.has("a", 600) && listener.has("b", 600), "history is as it was told: {is_ended}");
        // The grant that no read has shown was told and taken back in silence.
        assert_eq!(told(&records).len(), usize::from(!is_ended), "{is_ended}");
    }
}

#[test]
fn with_a_user_the_assignments_go_and_that_is_no_drift() {
    let mut listener = Listener::new();
    listener.assigned(1, 0, &[admin("u")]);
    listener.keystone(100, 100, "user.deleted", json!({"resource_info": "u"}));
    assert!(listener.has("u", 99) && !listener.has("u", 100));
    assert_eq!(told(&listener.assigned(2, 1000, &[])), [[""; 3]; 0]);
}

#[test]
fn what_another_region_told_of_a_shared_keystone_is_no_drift() {
    let mut listener = Listener::new();
    listener.assigned(1, 0, &[admin("a")]);
    listener.region = "south";
    listener.assigned(2, 0, &[admin("a")]);
    listener.region = "north";
    listener.role(100, "created", "b");
    listener.role(100, "deleted", "a");
    listener.region = "south";
    assert_eq!(told(&listener.assigned(3, 1000, &[admin("b")])), [[""; 3]; 0]);
    assert_eq!(told(&listener.assigned(4, 2000, &[])).len(), 1, "that b is gone no bus told");
}

#[test]
fn a_read_that_breaks_off_says_nothing_of_what_is_gone() {
    let mut listener = Listener::new();
    listener.assigned(1, 0, &[admin("a"), admin("b")]);
    listener.show(2, 1000, &[admin("a")]);
    listener.handle(at(1000), Input::ReadBroken(run(Some(2), "north", 1000)));
    assert!(listener.has("b", 1000));
    let records = listener.assigned(3, 2000, &[admin("a")]);
    assert_eq!(told(&records), [["gone", "b", "unexplained"]]);
}

#[test]
fn the_folded_engine_and_the_one_read_back_are_as_the_live_one() {
    let mut live = Listener::new();
    let mut parts: Vec<AssignmentDifferences> = Vec::new();
    let mut other = Engine::new(live.options.clone());
    let shown = [vec![admin("a"), admin("b")], vec![admin("b"), admin("c")], Vec::new()];
    for (number, shown) in shown.into_iter().enumerate() {
        let (second, id) = (1000 * number as i64, number as u64 + 1);
        let run = run(Some(id), "north", second);
        let page = AssignmentPage { run: run.clone(), assignments: shown };
        let end = ReadEnd { run, complete: Vec::new(), has_all_assignments: true, origin: "test".to_owned() };
        let mut out = Output::default();
        let mut fold = |engine: &mut Engine, out: &mut Output| {
            let (object, assigned) = (out.differences.take(), out.assignments.take());
            let mut ignored = Output::default();
            if let Some(part) = object {
                engine.handle(at(second), Input::Differences(part), &mut ignored);
            }
            if let Some(part) = assigned {
                parts.push(part.clone());
                engine.handle(at(second), Input::AssignmentDifferences(part), &mut ignored);
            }
            out.clear();
        };
        live.engine.handle(at(second), Input::Assignments(page), &mut out);
        fold(&mut other, &mut out);
        live.engine.handle(at(second), Input::ReadEnd(end), &mut out);
        fold(&mut other, &mut out);
        while live.engine.is_closing() {
            live.engine.handle(at(second), Input::ReadOn, &mut out);
            fold(&mut other, &mut out);
        }
    }
    let lines = |engine: &Engine| -> Vec<String> {
        engine.lines().map(|line| serde_json::to_string(&line).unwrap()).collect()
    };
    assert!(!parts.is_empty() && other.assignment_drift().is_empty());
    assert_eq!(lines(&live.engine), lines(&other));
    let (mut again, mut region) = (Engine::new(live.options.clone()), None);
    for line in lines(&live.engine) {
        again.restore(serde_json::from_str::<EngineLine>(&line).unwrap(), &mut region);
    }
    assert_eq!(lines(&live.engine), lines(&again));
    let book = &again.assignments()[&Some(Arc::from("north"))];
    assert_eq!((book.len(), book.read_at()), (3, Some(at(2000))));
    assert!(is_readable_format(508), "stores with a horizon have lines without assignments");
}
