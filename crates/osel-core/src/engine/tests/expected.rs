//! Expected exposure that hangs on tags: what a message, a look or a rule means to it, told at once.

use serde_json::{Value, json};

use super::at;
use super::drift::object;
use super::findings::{Story, options, told};
use crate::engine::record::RecordBody;
use crate::engine::{Engine, EngineLine, EngineOptions, Input, LookWhy, Looked, is_readable_format};
use crate::event::Kind;
use crate::finding::ExpectedExposure;
use crate::ids::Id;
use crate::model::StateLine;
use crate::scan::ProbeState;
use crate::trail::RecordKind;

const FOUND: &str = "high finding: exposed and answering: ";
const EXPECTED: &str = "finding is expected now: exposed and answering: ";
const UNEXPECTED: &str = "high finding that is not expected any more: exposed and answering: ";

fn tagged_options() -> EngineOptions {
    let entry = ExpectedExposure {
        tag: Some("public".into()),
        reason: "shop".to_owned(),
        ..ExpectedExposure::default()
    };
    EngineOptions { expected: vec![entry], ..options() }
}

/// Checks what records say of findings by the beginnings of their sentences.
fn check(records: &[RecordBody], wanted: &[&str]) {
    let told = told(records);
    let is_as_wanted =
        told.len() == wanted.len() && told.iter().zip(wanted).all(|(told, wanted)| told.starts_with(wanted));
    assert!(is_as_wanted, "{told:#?}, wanted {wanted:#?}");
}

impl Story {
    fn tags(&mut self, second: i64, resource: &str, id: &str, tags: &Value) -> Vec<RecordBody> {
        let body = json!({resource: {"id": id, "tags": tags}});
        self.hear(second, &format!("{resource}.update.end"), &body)
    }

    fn other_rule(&mut self, second: i64, group: &str, source: &str) -> Vec<RecordBody> {
        let rule = json!({"security_group_rule": {
            "id": format!("other{second}"), "security_group_id": group, "direction": "ingress",
            "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 20, "port_range_max": 30,
            "remote_ip_prefix": source,
        }});
        self.hear(second, "security_group_rule.create.end", &rule)
    }

    fn look(&mut self, second: i64, fields: &Value) -> Vec<RecordBody> {
        let objects = vec![object(Kind::Port, fields)];
        let (region, cause) = (Some("north".into()), Some(1));
        let looked = Looked { region, at: at(second), cause, objects, lines: Vec::new(), absent: Vec::new() };
        self.listener.handle(at(second), Input::Looked(looked))
    }
}

/// All that can happen to what is expected for a tag; its records and the state at its end.
fn story(restarts: bool) -> (Vec<String>, Vec<String>) {
    let mut all = Vec::new();
    let mut story = Story::begin(tagged_options(), restarts);
    let mut step = |records: Vec<RecordBody>, wanted: &[&str]| {
        check(&records, wanted);
        all.extend(records.iter().map(|record| format!("{record:?}")));
    };
    step(story.answer(2, ProbeState::Open), &[FOUND]);
    step(story.tags(3, "port", "p", &json!(["web", "public"])), &[EXPECTED]);
    step(story.hear(4, "port.update.end", &json!({"port": {"id": "p", "name": "www"}})), &[]);
    step(story.tags(5, "port", "p", &json!(["web"])), &[UNEXPECTED]);
    step(story.tags(6, "security_group", "g", &json!(["public"])), &[EXPECTED]);
    step(story.tags(7, "security_group", "h", &json!(["else"])), &[]);
    step(story.hear(8, "port.update.end", &json!({"port": {"id": "p", "security_groups": ["g", "h"]}})), &[]);
    // A rule of another group that admits nobody else; then it is the only one.
    step(story.other_rule(9, "h", "192.0.2.0/24"), &[]);
    step(story.unrule(10, 1), &[UNEXPECTED]);
    step(story.rule(11), &[EXPECTED]);
    step(story.other_rule(12, "h", "0.0.0.0/0"), &[]);
    step(story.tags(13, "security_group", "g", &json!([])), &[UNEXPECTED]);
    step(story.tags(14, "security_group", "g", &json!(["public"])), &[EXPECTED]);
    // Nothing is admitted any more: the scan that follows tells what there is to tell, of what was expected nothing.
    let alone = json!({"port": {"id": "p", "security_groups": []}});
    step(story.hear(15, "port.update.end", &alone), &[]);
    assert_eq!(story.only().expected.as_deref(), Some("shop"));
    step(story.tags(16, "port", "p", &json!(["other"])), &[]);
    let back = json!({"port": {"id": "p", "security_groups": ["h"]}});
    step(story.hear(17, "port.update.end", &back), &[UNEXPECTED]);
    let lines = story.listener.engine.lines().map(|line| serde_json::to_string(&line).unwrap());
    (all, lines.collect())
}

#[test]
fn what_is_expected_for_a_tag_is_told_when_the_tag_comes_and_goes() {
    let (live, restored) = (story(false), story(true));
    assert_eq!(live.0, restored.0, "an engine that is put back before each input does the same");
    assert_eq!(live.1, restored.1);
}

#[test]
fn the_record_names_the_change_as_its_cause() {
    let mut story = Story::begin(tagged_options(), false);
    story.answer(2, ProbeState::Open);
    let seq = story.listener.engine.seq();
    let records = story.tags(3, "port", "p", &json!(["public"]));
    let [change, finding] = &records[..] else { panic!("{records:?}") };
    assert_eq!((change.kind, finding.kind), (RecordKind::Change, RecordKind::Finding));
    assert_eq!(finding.cause, Some(seq + 1));
}

/// A floating IP's tag stands for its own address, and not for the inner one; a port's for both.
#[test]
fn a_tag_of_a_floating_ip_stands_for_the_outer_address() {
    let mut story = Story::begin(tagged_options(), false);
    check(&story.answer(2, ProbeState::Open), &[FOUND]);
    let floating = json!({"floatingip": {
        "id": "f", "floating_ip_address": "10.9.0.1", "port_id": "p", "fixed_ip_address": "10.0.0.5",
        "tags": ["public"],
    }});
    story.hear(3, "floatingip.create.end", &floating);
    story.tick(500);
    assert_eq!(story.listener.commands.len(), 2, "the outer address is scanned");
    check(&story.answer(501, ProbeState::Open), &[]);
    let expected = |story: &Story| {
        let findings = story.findings().into_iter();
        let mut found: Vec<_> =
            findings.map(|finding| (finding.address.to_string(), finding.expected.is_some())).collect();
        found.sort_unstable();
        found
    };
    let of = |inner: bool, outer: bool| [("10.0.0.5".to_owned(), inner), ("10.9.0.1".to_owned(), outer)];
    assert_eq!(expected(&story), of(false, true));
    check(&story.tags(502, "floatingip", "f", &json!([])), &[UNEXPECTED]);
    assert_eq!(expected(&story), of(false, false));
    check(&story.tags(503, "port", "p", &json!(["public"])), &[EXPECTED, EXPECTED]);
    assert_eq!(expected(&story), of(true, true));
}

/// A message about tags names the object; what is true of it now is what the API shows.
#[test]
fn the_api_is_asked_for_the_object_of_a_message_about_tags() {
    let mut story = Story::begin(tagged_options(), false);
    story.answer(2, ProbeState::Open);
    story.listener.looks.clear();
    let tag = |resource: &str, id: &str| json!({"parent_resource": resource, "parent_resource_id": id, "tags": ["x"]});
    story.hear(3, "tag.create.start", &tag("ports", "p"));
    story.hear(3, "tag.update.end", &tag("networks", "n"));
    story.hear(3, "tag.update.end", &tag("ports", "../q"));
    assert!(story.listener.looks.is_empty());
    story.hear(4, "tag.create.end", &tag("ports", "p"));
    let delete = json!({"obj_resource": "security_groups", "obj_resource_id": "h"});
    story.hear(5, "tag.delete_all.end", &delete);
    let looks = story.listener.looks.iter().map(|look| (look.kind, look.id.to_string(), look.why));
    let silent = LookWhy::SilentAction;
    let wanted = [(Kind::Port, "p".to_owned(), silent), (Kind::SecurityGroup, "h".to_owned(), silent)];
    assert_eq!(looks.collect::<Vec<_>>(), wanted);

    let records = story.look(6, &json!({"id": "p", "tags": ["x", "public"]}));
    check(&records, &[EXPECTED]);
    assert!(story.look(7, &json!({"id": "p", "tags": ["public", "x"]})).is_empty(), "in whatever order");
    let records = story.look(8, &json!({"id": "p", "tags": []}));
    check(&records, &[UNEXPECTED]);
    let drift = records.iter().find(|record| record.kind == RecordKind::Drift).unwrap();
    assert_eq!(drift.detail["explanation"], "tag_action");
    assert_eq!(drift.detail["was"], r#"{"tags":["public","x"]}"#);
    assert_eq!(
        drift.detail["text"],
        "port p has tags none, was [\"public\",\"x\"] (tags are set by calls that do not tell the whole list on the bus)"
    );
}

/// As a version of before tags were kept wrote it down.
fn without_tags(line: &EngineLine) -> String {
    let mut line = serde_json::to_value(line).unwrap();
    for (kind, field) in [("port", 10), ("security_group", 3), ("floating_ip", 7)] {
        if let Some(Value::Object(state)) = line.pointer_mut(&format!("/object/{kind}")) {
            state.remove("tags");
            let said = state["stamps"]["said"].as_u64().unwrap();
            state["stamps"]["said"] = (said & !(1 << field)).into();
        }
    }
    line.to_string()
}

#[test]
fn a_snapshot_of_before_tags_were_kept_is_read_and_learns_them_in_silence() {
    assert!(is_readable_format(407));
    let mut story = Story::begin(tagged_options(), false);
    story.answer(2, ProbeState::Open);
    story.tags(3, "port", "p", &json!(["public"]));
    let mut engine = Engine::new(tagged_options());
    let mut region = None;
    for line in story.listener.engine.lines() {
        let line = without_tags(&line);
        engine.restore(serde_json::from_str(&line).unwrap(), &mut region);
    }
    story.listener.engine = engine;
    // Nobody says any more that the port is public, and nobody is told of tags that were there all the time.
    check(&story.tick(10), &[UNEXPECTED]);
    let records = story.look(11, &json!({"id": "p", "tags": ["public"]}));
    check(&records, &[EXPECTED]);
    assert!(records.iter().all(|record| record.kind != RecordKind::Drift), "{records:?}");
    let cloud = story.listener.engine.clouds().next().unwrap();
    let StateLine::Port(port) = cloud.line(Kind::Port, &Id::new("p")) else { panic!("no port") };
    assert!(port.tags.has("public"));
    let records = story.look(12, &json!({"id": "p", "tags": []}));
    check(&records, &[UNEXPECTED]);
    assert!(records.iter().any(|record| record.kind == RecordKind::Drift), "{records:?}");
}
