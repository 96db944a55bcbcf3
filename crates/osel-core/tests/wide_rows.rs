//! A rule on 50,000 ports: a small record, and every row of it when it is read.

use osel_core::decode::{decode, read_object};
use osel_core::engine::record::{Record, RecordBody};
use osel_core::engine::{Engine, EngineOptions, Input, Output, ReadPage, ReadRun};
use osel_core::event::{Kind, Object, Properties, RawMessage};
use osel_core::exposure::Judged;
use osel_core::time::Timestamp;
use osel_core::trail::{Canonical, Chain, Draft, Part, PartClass};
use serde_json::{Value, json};

const PORTS: usize = 50_000;
const NETWORK: &str = "20000000-0000-4000-8000-000000000000";
const WEB: &str = "30000000-0000-4000-8000-000000000001";
const ADMIN: &str = "30000000-0000-4000-8000-000000000002";
const RULE: &str = "40000000-0000-4000-8000-000000000001";
const SHOP: &str = "22ffbaae067b4d47a76b0f21e83638bb";
const BANK: &str = "33ffbaae067b4d47a76b0f21e83638bb";
const TINY: &str = "44ffbaae067b4d47a76b0f21e83638bb";

fn port_id(number: usize) -> String {
    format!("10000000-0000-4000-8000-{number:012x}")
}

/// Ports of one group, of three projects; some with another group that opens SSH already, some with a virtual IP that two share.
fn port(number: usize) -> Value {
    let project = match number {
        0 | 1 => TINY,
        _ if number.is_multiple_of(50) => BANK,
        _ => SHOP,
    };
    let groups = if number.is_multiple_of(3) { json!([WEB, ADMIN]) } else { json!([WEB]) };
    let (high, low) = (number / 250, number % 250 + 1);
    let pairs = match number {
        100..120 => json!([{"ip_address": format!("10.250.0.{}", number / 2)}]),
        _ => json!([]),
    };
    json!({"id": port_id(number), "project_id": project, "network_id": NETWORK, "device_id": format!("server-{number}"),
        "device_owner": "compute:nova", "security_groups": groups, "allowed_address_pairs": pairs,
        "fixed_ips": [{"subnet_id": "s", "ip_address": format!("10.{}.{}.{low}", high / 250, high % 250)}]})
}

fn cloud(ports: usize) -> Vec<Object> {
    let mut objects: Vec<(Kind, Value)> = vec![
        (Kind::SecurityGroup, json!({"id": WEB, "name": "web", "project_id": SHOP})),
        (Kind::SecurityGroup, json!({"id": ADMIN, "name": "admin", "project_id": SHOP})),
        (Kind::Rule, rule("50000000-0000-4000-8000-000000000001", ADMIN, "0.0.0.0/0")),
    ];
    objects.extend((0..ports).map(|number| (Kind::Port, port(number))));
    for number in 0..5 {
        let address = format!("198.51.100.{number}");
        let floating =
            json!({"id": format!("floating-{number}"), "floating_ip_address": address, "port_id": null});
        objects.push((Kind::FloatingIp, floating));
        let forwarding = json!({"id": format!("forwarding-{number}"), "floatingip_id": format!("floating-{number}"),
            "internal_port_id": port_id(10 + number), "internal_ip_address": "10.0.0.1", "internal_port": 22,
            "external_port": 2200 + number, "protocol": "tcp"});
        objects.push((Kind::Forwarding, forwarding));
    }
    objects
        .iter()
        .map(|(kind, object)| read_object(*kind, object.to_string().as_bytes()).expect("an object"))
        .collect()
}

fn rule(id: &str, group: &str, source: &str) -> Value {
    json!({"id": id, "security_group_id": group, "project_id": SHOP, "direction": "ingress", "ethertype": "IPv4",
        "protocol": "tcp", "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": source,
        "remote_group_id": null, "revision_number": 0})
}

struct Cloud {
    engine: Engine,
    messages: u32,
}

impl Cloud {
    fn new(ports: usize) -> Self {
        let mut engine = Engine::new(EngineOptions::default());
        let at = Timestamp::from_micros(1);
        let run = ReadRun { id: None, region: None, at, exact: false, actor: None };
        let page = ReadPage { run, objects: cloud(ports), lines: Vec::new() };
        engine.handle(at, Input::Page(page), &mut Output::default());
        Self { engine, messages: 0 }
    }

    /// What is recorded of a notification.
    fn tell(&mut self, event_type: &str, payload: &Value) -> RecordBody {
        self.messages += 1;
        let number = self.messages;
        let message = json!({"message_id": format!("m-{number}"), "publisher_id": "network.ctl1", "event_type": event_type,
            "priority": "INFO", "payload": payload, "timestamp": format!("2026-11-21 00:38:{number:02}.151199"),
            "_context_user_id": "ad1a2f5bda504db0867c3433513b8d62", "_context_project_id": SHOP});
        let body = json!({"oslo.version": "2.0", "oslo.message": message.to_string()}).to_string();
        let received_at = Timestamp::parse("2026-11-21T00:40:00Z").expect("a time");
        let raw = RawMessage {
            source: "bus".into(),
            region: None,
            exchange: "neutron".into(),
            routing_key: "notifications.info".into(),
            redelivered: false,
            received_at,
            properties: Properties::default(),
            body: body.into_bytes(),
        };
        let mut out = Output::default();
        self.engine.handle(received_at, Input::Message(&raw, decode(&raw)), &mut out);
        out.records.swap_remove(0)
    }
}

fn read(body: &RecordBody, parts: &[Part]) -> Record {
    let draft = Draft { time: body.time, recorded_at: body.recorded_at, kind: body.kind, parts };
    let sealed = Chain::new().seal(&draft, &mut Default::default).expect("sealed");
    let header = Canonical::read(&sealed.canonical).expect("canonical").header;
    let texts: Vec<Option<String>> =
        parts.iter().map(|part| part.project.as_ref().map(ToString::to_string)).collect();
    let parts = parts.iter().zip(&texts);
    Record::read(
        header,
        sealed.hash,
        parts.map(|(part, project)| (part.class, project.as_deref(), Some(&*part.bytes))),
    )
}

fn exposure_bytes(parts: &[Part]) -> usize {
    parts.iter().filter(|part| part.class == PartClass::Exposure).map(|part| part.bytes.len()).sum()
}

/// The record of a body says what was judged, when it is expanded; its sentence and its counts say so before.
fn check(cloud: &Cloud, body: &RecordBody, judged: &Judged) {
    let parts = body.parts();
    let mut record = read(body, &parts);
    assert_eq!((record.opened_count(), record.closed_count()), (judged.opened.len(), judged.closed.len()));
    let sentence = record.document().summary;
    assert!(record.expand(&cloud.engine), "the state is the one after the record");
    assert!(record.opened == judged.opened && record.closed == judged.closed, "rows differ");
    assert_eq!(record.document().summary, sentence, "the sentence is the same without the rows");
    assert_eq!((record.opened_count(), record.closed_count()), (judged.opened.len(), judged.closed.len()));
}

#[test]
fn a_rule_on_fifty_thousand_ports_is_a_small_record() {
    let mut cloud = Cloud::new(PORTS);
    let body = cloud.tell(
        "security_group_rule.create.end",
        &json!({"security_group_rule": rule(RULE, WEB, "203.0.113.0/24")}),
    );
    let judged = &body.exposure;
    assert_eq!(judged.opened.len(), PORTS + 20 + 5, "fixed IPs, shared pairs, forwardings");
    let redundant = judged.opened.iter().filter(|row| row.redundant).count();
    assert!(redundant > PORTS / 3 && redundant < PORTS / 3 + 30, "{redundant}");
    let only_marked_afterwards = judged.opened.iter().filter(|row| row.redundant && !row.covered_before);
    assert!(only_marked_afterwards.count() > 5, "two ports open a shared address at once");

    let parts = body.parts();
    let size = exposure_bytes(&parts);
    assert!(size < 100_000, "{size} bytes");
    let projects: Vec<_> = parts
        .iter()
        .filter(|part| part.class == PartClass::Exposure)
        .map(|part| part.project.clone())
        .collect();
    assert_eq!(projects.len(), 3, "one part per project: {projects:?}");
    check(&cloud, &body, &body.exposure);

    let deleted = cloud.tell("security_group_rule.delete.end", &json!({"security_group_rule_id": RULE}));
    assert_eq!(deleted.exposure.closed.len(), PORTS + 20 + 5);
    assert!(exposure_bytes(&deleted.parts()) < 100_000);
    check(&cloud, &deleted, &deleted.exposure);
}

#[test]
fn each_part_stands_for_its_own_project_alone() {
    let mut cloud = Cloud::new(1000);
    let payload = json!({"security_group_rule": rule(RULE, WEB, "203.0.113.0/24")});
    let body = cloud.tell("security_group_rule.create.end", &payload);
    for project in [SHOP, BANK, TINY] {
        let is_own = |part: &Part| part.project.as_ref().is_some_and(|id| id.text() == project);
        let own: Vec<Part> = body
            .parts()
            .into_iter()
            .filter(|part| part.class == PartClass::Exposure && is_own(part))
            .collect();
        let mut record = read(&body, &own);
        record.expand(&cloud.engine);
        let mut expected = body.exposure.opened.clone();
        expected.retain(|judged| judged.row.project_id.as_ref().is_some_and(|id| id.text() == project));
        assert!(!expected.is_empty());
        assert!(record.opened == expected, "{project}");
    }
}

/// What another state says is not passed off as what the record said.
#[test]
fn a_state_that_is_not_the_records_lists_nothing() {
    let mut cloud = Cloud::new(1000);
    let payload = json!({"security_group_rule": rule(RULE, WEB, "203.0.113.0/24")});
    let body = cloud.tell("security_group_rule.create.end", &payload);
    let parts = body.parts();
    let mut moved = port(7);
    moved["device_id"] = json!("another-server");
    moved["revision_number"] = json!(9);
    cloud.tell("port.update.end", &json!({"port": moved}));
    let mut record = read(&body, &parts);
    assert!(!record.expand(&cloud.engine));
    let document = serde_json::to_value(record.document()).expect("JSON");
    let exposure = &document["exposure"];
    let not_listed = exposure["not_listed"].as_array().expect("a list");
    assert_eq!(not_listed.len(), 1, "the other project's ports are as they were: {not_listed:?}");
    assert_eq!(not_listed[0]["project_id"], SHOP);
    let listed = exposure["opened"].as_array().expect("a list").len() as u64;
    let left = not_listed[0]["rows"].as_u64().expect("a number");
    assert_eq!(listed + left, body.exposure.opened.len() as u64);
    assert_eq!(not_listed[0]["examples"].as_array().expect("a list").len(), 3);
    let named = format!("and {} more", body.exposure.opened.len() - 3);
    assert!(document["summary"].as_str().expect("a text").ends_with(&named), "{}", document["summary"]);
}

#[test]
fn a_rule_on_few_ports_needs_no_state() {
    let mut cloud = Cloud::new(59);
    let payload = json!({"security_group_rule": rule(RULE, WEB, "203.0.113.0/24")});
    let body = cloud.tell("security_group_rule.create.end", &payload);
    assert_eq!(body.wide, []);
    let record = read(&body, &body.parts());
    assert_eq!(record.opened, body.exposure.opened);
}
