//! Differences that a read shows: each told once, with what was known, what is, and why; never against what is later.

use serde_json::{Value, json};

use super::{Listener, at, run, sums};
use crate::decode::read_object;
use crate::engine::record::RecordBody;
use crate::engine::{
    DRIFT_RECORDS_MAX, HELD_MAX, Input, LookWhy, Looked, Output, ReadEnd, ReadPage, ReadRun, ReadStep,
    SourceGap, SourceGapCause, all_rows,
};
use crate::event::{Kind, Object};
use crate::ids::Id;
use crate::plan::ScanPolicy;
use crate::trail::RecordKind;

pub(super) fn object(kind: Kind, fields: &Value) -> Object {
    read_object(kind, fields.to_string().as_bytes()).unwrap()
}

pub(super) fn port(id: &str, revision: u64, more: &Value) -> Object {
    let mut fields = json!({
        "id": id, "revision_number": revision, "project_id": "p", "network_id": "n", "name": "web",
        "device_owner": "compute:nova", "device_id": "s", "security_groups": ["g"],
        "fixed_ips": [{"ip_address": "10.0.0.5", "subnet_id": "s"}],
    });
    fields.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
    object(Kind::Port, &fields)
}

pub(super) fn network() -> Object {
    object(Kind::Network, &json!({"id": "n", "name": "net", "revision_number": 1}))
}

pub(super) fn group() -> Object {
    object(Kind::SecurityGroup, &json!({"id": "g", "name": "web", "revision_number": 1, "project_id": "p"}))
}

pub(super) fn rule(id: &str, port: u16) -> Object {
    let fields = json!({
        "id": id, "revision_number": 0, "project_id": "p", "security_group_id": "g", "direction": "ingress",
        "ethertype": "IPv4", "protocol": "tcp", "port_range_min": port, "port_range_max": port,
    });
    object(Kind::Rule, &fields)
}

pub(super) const KINDS: [Kind; 4] = [Kind::Network, Kind::SecurityGroup, Kind::Rule, Kind::Port];

/// The end of a read that showed these kinds whole.
fn ended(run: ReadRun) -> ReadEnd {
    ReadEnd { run, complete: KINDS.to_vec(), has_all_assignments: false, origin: "test".to_owned() }
}

impl Listener {
    /// A whole read of these kinds at one second.
    pub(super) fn whole(&mut self, number: u64, second: i64, objects: Vec<Object>) -> Vec<RecordBody> {
        let run = run(Some(number), "north", second);
        let page = ReadPage { run: run.clone(), objects, lines: Vec::new() };
        let mut records = self.handle(at(second), Input::Page(page));
        records.extend(self.handle(at(second), Input::ReadEnd(ended(run))));
        records
    }

    /// A cloud with one port, its group and one rule.
    pub(super) fn with_one_port() -> Self {
        let mut listener = Self::new();
        listener.whole(1, 0, vec![network(), group(), rule("r1", 22), port("p1", 1, &json!({}))]);
        listener
    }

    fn port_name(&self) -> Option<&str> {
        self.engine.clouds().next()?.name_of(Kind::Port, &Id::new("p1"))
    }

    fn look(
        &mut self,
        second: i64,
        cause: u64,
        objects: Vec<Object>,
        absent: &[(Kind, &str)],
    ) -> Vec<RecordBody> {
        let absent = absent.iter().map(|(kind, id)| (*kind, Id::new(id))).collect();
        let (region, cause) = (Some("north".into()), Some(cause));
        let looked = Looked { region, at: at(second), cause, objects, lines: Vec::new(), absent };
        self.handle(at(second), Input::Looked(looked))
    }
}

/// What records of drift say: change, explanation, what was, what is.
fn told(records: &[RecordBody]) -> Vec<[&str; 4]> {
    let drifts = records.iter().filter(|record| record.kind == RecordKind::Drift && record.target.is_some());
    drifts
        .map(|record| {
            ["difference", "explanation", "was", "is"]
                .map(|key| record.detail.get(key).map_or("", String::as_str))
        })
        .collect()
}

#[test]
fn what_is_as_it_was_known_leaves_no_trace() {
    let mut listener = Listener::with_one_port();
    let before: Vec<String> = listener.engine.lines().map(|line| format!("{line:?}")).collect();
    let page = ReadPage {
        run: run(Some(2), "north", 5),
        objects: vec![network(), group(), rule("r1", 22), port("p1", 1, &json!({}))],
        lines: Vec::new(),
    };
    let mut out = Output::default();
    listener.engine.handle(at(5), Input::Page(page), &mut out);
    assert!(out.differences.is_none() && out.records.is_empty() && out.versions.is_empty());
    let after: Vec<String> = listener.engine.lines().map(|line| format!("{line:?}")).collect();
    assert_eq!(before, after);
    let end = ended(run(Some(2), "north", 5));
    listener.engine.handle(at(5), Input::ReadEnd(end), &mut out);
    let part = out.differences.unwrap();
    assert!(part.objects.is_empty() && part.gone.is_empty() && matches!(part.step, ReadStep::End { .. }));
    let [summary] = &out.records[..] else { panic!("{:?}", out.records) };
    assert_eq!(summary.kind, RecordKind::System);
    assert_eq!(
        summary.detail["text"],
        "inventory test read: 1 networks, 1 security_groups, 1 security_group_rules, 1 ports"
    );
}

#[test]
fn each_difference_has_a_record_with_its_fields_and_its_rows() {
    let mut listener = Listener::with_one_port();
    let gap = SourceGap {
        source: "bus".into(),
        region: Some("north".into()),
        from: at(1),
        to: at(2),
        cause: SourceGapCause::Unbound,
    };
    listener.handle(at(2), Input::SourceGap(gap));
    let lost = listener.engine.seq();
    // One rule is gone, another has come, and the port was renamed.
    let shown = vec![network(), group(), rule("r2", 80), port("p1", 3, &json!({"name": "www"}))];
    let records = listener.whole(2, 5, shown);
    assert_eq!(
        told(&records),
        [
            [
                "created",
                "unexplained",
                "",
                "{\"direction\":\"ingress\",\"ethertype\":\"IPv4\",\"port_range_max\":80,\"port_range_min\":80,\
                 \"project_id\":\"p\",\"protocol\":\"tcp\",\"security_group_id\":\"g\"}"
            ],
            ["changed", "lost_message", "{\"name\":\"web\"}", "{\"name\":\"www\"}"],
            [
                "gone",
                "unexplained",
                "{\"direction\":\"ingress\",\"ethertype\":\"IPv4\",\"port_range_max\":22,\"port_range_min\":22,\
                 \"project_id\":\"p\",\"protocol\":\"tcp\",\"security_group_id\":\"g\"}",
                ""
            ],
        ]
    );
    assert_eq!(records.iter().map(|record| record.cause).collect::<Vec<_>>(), [Some(lost); 4]);
    let rows = |record: &RecordBody| (record.exposure.opened.len(), record.exposure.closed.len());
    assert_eq!(records.iter().map(rows).collect::<Vec<_>>(), [(1, 0), (0, 0), (0, 1), (0, 0)]);
    assert_eq!(
        records[1].detail["text"],
        "port www has name www, was web (a message was lost: the revision moved on from 1 to 3)"
    );
    assert_eq!((records[3].kind, &*records[3].detail["differences"]), (RecordKind::Drift, "3"));
    let target = records[1].target.clone().unwrap();
    assert_eq!(
        (&*target.kind, target.id, target.project_id),
        ("port", Some(Id::new("p1")), Some(Id::new("p")))
    );
    let counts: Vec<_> = listener.engine.drift().iter().map(|((_, kind), count)| (*kind, *count)).collect();
    assert_eq!(counts, [(Kind::Port, 1), (Kind::Rule, 2)]);
    // The gap has its read.
    let records = listener.whole(3, 9, vec![network(), group(), rule("r2", 80), port("p1", 3, &json!({}))]);
    assert_eq!(records.iter().map(|record| record.cause).collect::<Vec<_>>(), [None; 2]);
}

#[test]
fn silent_actions_explain_what_they_do() {
    let mut listener = Listener::with_one_port();
    let default = object(Kind::SecurityGroup, &json!({"id": "d", "name": "default", "project_id": "q"}));
    let of_default = object(
        Kind::Rule,
        &json!({"id": "dr", "security_group_id": "d", "direction": "ingress", "ethertype": "IPv4"}),
    );
    let gateway = port("p2", 1, &json!({"device_owner": "network:router_gateway", "security_groups": []}));
    let shared = object(Kind::Network, &json!({"id": "n", "shared": true, "revision_number": 2}));
    let records = listener.whole(
        2,
        5,
        vec![shared, group(), default, rule("r1", 22), of_default, port("p1", 1, &json!({})), gateway],
    );
    let explained: Vec<_> = told(&records).iter().map(|[change, why, ..]| (*change, *why)).collect();
    assert_eq!(
        explained,
        [
            ("changed", "network_shared"),
            ("created", "default_group"),
            ("created", "default_group"),
            ("created", "service_port"),
        ]
    );
    let records = listener.whole(3, 9, vec![]);
    let gone: Vec<_> = told(&records).iter().map(|[change, why, ..]| (*change, *why)).collect();
    assert!(
        gone.contains(&("gone", "network_deleted")) && gone.contains(&("gone", "group_deleted")),
        "{gone:?}"
    );
    assert_eq!(
        listener
            .engine
            .clouds()
            .map(|cloud| cloud.lines().filter(|line| line.subject().is_some()).count())
            .sum::<usize>(),
        0
    );
}

/// Firewalls, load balancers and address scopes: most of it happens beside the bus.
#[test]
fn differences_of_services_are_told_in_their_own_words() {
    let mut listener = Listener::with_one_port();
    let firewall_rule = |id: &str, name: &str, port: &str| {
        let fields = json!({
            "id": id, "name": name, "ip_version": 4, "protocol": "tcp", "action": "allow",
            "destination_port": port,
        });
        object(Kind::FirewallRule, &fields)
    };
    let policy = |rules: Value| {
        object(Kind::FirewallPolicy, &json!({"id": "fp", "name": "web", "firewall_rules": rules}))
    };
    let wall = |ports: Value| {
        let fields = json!({
            "id": "fg", "name": "default", "ports": ports, "ingress_firewall_policy_id": "fp",
        });
        object(Kind::FirewallGroup, &fields)
    };
    let hear = |listener: &mut Listener, second, kind: &str, fields: Value| {
        let payload = json!({ kind: fields });
        listener.hear(second, second, kind, &format!("{kind}.create.end"), &payload);
    };
    let rule_fields = json!({
        "id": "fr", "name": "ssh", "ip_version": 4, "protocol": "tcp", "action": "deny", "destination_port": "22",
    });
    hear(&mut listener, 1, "firewall_rule", rule_fields);
    hear(&mut listener, 2, "firewall_policy", json!({"id": "fp", "name": "web", "firewall_rules": ["fr"]}));
    let more = json!({"id": "fg", "name": "default", "ports": [], "ingress_firewall_policy_id": "fp"});
    hear(&mut listener, 3, "firewall_group", more);
    let scoped = json!({"id": "n", "name": "net", "revision_number": 2, "ipv4_address_scope": "a"});
    let listens = json!({"id": "l", "loadbalancers": [{"id": "b"}], "protocol": "TCP", "protocol_port": 80});
    let shown = vec![
        object(Kind::Network, &scoped),
        group(),
        rule("r1", 22),
        port("p1", 1, &json!({})),
        object(Kind::Listener, &listens),
        policy(json!(["new", "fr"])),
        wall(json!(["p1"])),
        firewall_rule("new", "default ingress ipv4", "80:90"),
        firewall_rule("fr", "ssh", "22"),
    ];
    let records = listener.whole(2, 9, shown);
    let mut explained: Vec<_> = told(&records).iter().map(|[change, why, ..]| (*change, *why)).collect();
    explained.sort_unstable();
    assert_eq!(
        explained,
        [
            ("changed", "address_scope"),
            ("changed", "firewall_action"),
            ("changed", "firewall_ports"),
            ("changed", "unexplained"),
            ("created", "default_firewall"),
            ("created", "listener"),
        ]
    );
    let texts: Vec<&str> =
        records.iter().filter_map(|record| record.detail.get("text").map(|text| &**text)).collect();
    for part in [
        "action allow, was deny",
        "firewall_rules [\"new\",\"fr\"], was [\"fr\"]",
        "ports [\"p1\"], was none",
    ] {
        assert!(texts.iter().any(|text| text.contains(part)), "{part}: {texts:#?}");
    }
    let made = records.iter().find(|record| record.detail["explanation"] == "default_firewall").unwrap();
    let is: Value = serde_json::from_str(&made.detail["is"]).unwrap();
    assert_eq!((&is["destination_port"], &is["ip_version"]), (&json!("80:90"), &json!(4)));
}

#[test]
fn a_later_event_keeps_its_word_and_the_higher_revision_wins() {
    let mut listener = Listener::with_one_port();
    let renamed =
        |name: &str, revision: u64| json!({"port": {"id": "p1", "name": name, "revision_number": revision}});
    // The read began at 5 and is told at 8; the event of 6 is later.
    listener.hear(6, 6, "r", "port.update.end", &renamed("event", 3));
    assert_eq!(
        told(&listener.whole(
            2,
            5,
            vec![network(), group(), rule("r1", 22), port("p1", 2, &json!({"name": "read"}))]
        ))
        .len(),
        0
    );
    assert_eq!(listener.port_name(), Some("event"));
    // The clock of the cloud is ahead: by its revision the read is later.
    let shown = vec![network(), group(), rule("r1", 22), port("p1", 4, &json!({"name": "read"}))];
    assert_eq!(told(&listener.whole(3, 5, shown)).len(), 1);
    assert_eq!(listener.port_name(), Some("read"));
    // The clock of the cloud is behind: by its revision the event is later.
    listener.whole(4, 30, vec![network(), group(), rule("r1", 22), port("p1", 4, &json!({"name": "read"}))]);
    listener.hear(25, 31, "r", "port.update.end", &renamed("next", 5));
    assert_eq!(listener.port_name(), Some("next"));
    // History that comes late, and a revision that nobody can have reached.
    listener.hear(26, 32, "r", "port.update.end", &renamed("old", 3));
    listener.hear(27, 33, "r", "port.update.end", &renamed("forged", 4_000));
    assert_eq!(listener.port_name(), Some("next"));
}

#[test]
fn what_the_bus_speaks_of_beside_a_read_is_looked_at_and_not_taken_for_gone() {
    let mut listener = Listener::with_one_port();
    let begun = run(Some(2), "north", 10);
    let page = |objects| ReadPage { run: begun.clone(), objects, lines: Vec::new() };
    listener.handle(at(10), Input::Page(page(vec![network(), group(), rule("r1", 22)])));
    // Made while the read was under way, by a cloud whose clock is behind; no page shows it.
    let made = json!({"port": {"id": "new", "network_id": "n", "security_groups": [], "fixed_ips": []}});
    listener.hear(9, 11, "r", "port.create.end", &made);
    let end = ended(begun);
    let records = listener.handle(at(12), Input::ReadEnd(end));
    assert_eq!(told(&records).len(), 1, "only the port that nobody spoke of is gone");
    let [look] = &listener.looks[..] else { panic!("{:?}", listener.looks) };
    assert_eq!((look.kind, &look.id, look.why), (Kind::Port, &Id::new("new"), LookWhy::UnsureClock));
    // It is not there, and was made before the look.
    let records = listener.look(13, look.cause, vec![], &[(Kind::Port, "new")]);
    assert_eq!(told(&records).iter().map(|told| told[0]).collect::<Vec<_>>(), ["gone"]);
}

#[test]
fn a_look_is_never_against_a_later_event() {
    let mut listener = Listener::with_one_port();
    let renamed = json!({"port": {"id": "p1", "name": "event", "revision_number": 2}});
    listener.hear(6, 6, "r", "port.update.end", &renamed);
    assert_eq!(listener.look(5, 1, vec![], &[(Kind::Port, "p1")]).len(), 0);
    assert_eq!(listener.look(5, 1, vec![port("p1", 1, &json!({}))], &[]).len(), 0);
    assert_eq!(listener.port_name(), Some("event"));
    let records = listener.look(7, 1, vec![port("p1", 3, &json!({"name": "looked"}))], &[]);
    assert_eq!((listener.port_name(), records[0].cause), (Some("looked"), Some(1)));
    let records = listener.look(8, 2, vec![], &[(Kind::Port, "p1"), (Kind::Router, "unknown")]);
    assert_eq!((told(&records).len(), sums(&records)), (1, (0, 1)));
}

#[test]
fn beyond_the_bound_differences_are_told_together_and_no_row_is_lost() {
    let mut listener = Listener::with_one_port();
    let many = DRIFT_RECORDS_MAX as usize + 2 * HELD_MAX;
    let ports = (0..many).map(|number| {
        let address = format!("10.1.{}.{}", number >> 8, number & 255);
        port(&format!("q{number}"), 1, &json!({"fixed_ips": [{"ip_address": address, "subnet_id": "s"}]}))
    });
    let objects = [network(), group(), rule("r1", 22), port("p1", 1, &json!({}))].into_iter().chain(ports);
    let records = listener.whole(2, 5, objects.collect());
    assert_eq!(told(&records).len() as u64, DRIFT_RECORDS_MAX);
    assert_eq!(sums(&records), (many, 0));
    assert_eq!(all_rows(&listener.engine, |_, _| true).len(), many + 1);
    let together = records.iter().filter(|record| record.detail["text"].starts_with("not told one by one"));
    assert_eq!(
        together.map(|record| record.detail["differences"].parse::<usize>().unwrap()).sum::<usize>(),
        2 * HELD_MAX
    );
    let text = &records.last().unwrap().detail["differences"];
    assert_eq!(*text, many.to_string());
}

/// `--at`, `diff` and `history` go by the versions of objects: all of a page stood under the first record of it.
#[test]
fn an_object_looks_as_it_does_from_the_record_on_that_tells_of_it() {
    let mut listener = Listener::with_one_port();
    let begun = listener.engine.seq();
    let objects =
        vec![network(), group(), rule("r1", 22), rule("r2", 80), port("p1", 2, &json!({"name": "www"}))];
    let page = ReadPage { run: run(Some(2), "north", 5), objects, lines: Vec::new() };
    let mut out = Output::default();
    listener.engine.handle(at(5), Input::Page(page), &mut out);
    let end = ended(run(Some(2), "north", 5));
    listener.engine.handle(at(5), Input::ReadEnd(end), &mut out);
    assert_eq!(out.records.len(), 3, "two differences and the end: {:?}", out.records);
    let versions: Vec<(Option<&str>, u64)> = out
        .versions
        .iter()
        .map(|version| {
            let line = serde_json::to_string(&version.line).unwrap();
            let of = ["\"r2\"", "\"www\""].into_iter().find(|word| line.contains(word));
            (of, version.seq - begun)
        })
        .collect();
    assert!(
        versions.contains(&(Some("\"r2\""), 1)) && versions.contains(&(Some("\"www\""), 2)),
        "{versions:?}"
    );
    assert!(versions.is_sorted_by_key(|(_, seq)| *seq));
}

#[test]
fn what_a_read_opens_is_scanned_once_for_the_record_that_tells_it() {
    let allowed_prefixes = vec!["10.0.0.0/8".parse().unwrap()];
    let options = crate::engine::EngineOptions {
        scan: Some(ScanPolicy { allowed_prefixes, ..ScanPolicy::default() }),
        ..Default::default()
    };
    let mut listener = Listener::with(options);
    listener.whole(1, 0, vec![network(), group(), port("p1", 1, &json!({}))]);
    assert_eq!(listener.commands.len(), 0, "before it nothing was known");
    let begun = listener.engine.seq();
    listener.whole(2, 5, vec![network(), group(), rule("r1", 22), port("p1", 1, &json!({}))]);
    let causes: Vec<u64> = listener.commands.iter().map(|command| command.cause()).collect();
    assert_eq!(causes, [begun + 1]);
}

/// An audited call that the bus does not tell, a gap, and an interface without addresses: each is looked at once.
#[test]
fn what_events_leave_open_is_wished_once() {
    let mut listener = Listener::with_one_port();
    let call = |name: &str, outcome: &str| {
        json!({
            "typeURI": "http://schemas.dmtf.org/cloud/audit/1.0/event", "eventType": "activity",
            "action": "update/add_addresses", "outcome": outcome, "id": name,
            "requestPath": "/v2.0/address-groups/a1/add_addresses",
            "eventTime": "2026-11-21T00:00:00.000000+0000",
            "target": {"id": "x", "typeURI": "service/network/address-groups"},
            "initiator": {"id": "u", "typeURI": "service/security/account/user"},
            "reason": {"reasonCode": "200", "reasonType": "HTTP"},
        })
    };
    listener.hear(1, 1, "r1", "audit.http.request", &call("e1", "pending"));
    assert_eq!(listener.looks.len(), 0);
    listener.hear(1, 1, "r1", "audit.http.response", &call("e1", "success"));
    let wished = |listener: &mut Listener| -> Vec<(Kind, String, LookWhy, u64)> {
        let looks = std::mem::take(&mut listener.looks).into_iter();
        looks.map(|look| (look.kind, look.id.to_string(), look.why, look.cause)).collect()
    };
    let seq = listener.engine.seq();
    assert_eq!(wished(&mut listener), [(Kind::AddressGroup, "a1".to_owned(), LookWhy::SilentAction, seq)]);
    listener.hear(2, 2, "r2", "audit.http.response", &call("e2", "success"));
    assert_eq!(wished(&mut listener), [], "it is wished already");

    let unknown = json!({"port": {"id": "p2", "network_id": "n", "security_groups": ["u"], "fixed_ips": []}});
    listener.hear(3, 3, "r3", "port.create.end", &unknown);
    let seq = listener.engine.seq();
    assert_eq!(wished(&mut listener), [(Kind::SecurityGroup, "u".to_owned(), LookWhy::UnknownGroup, seq)]);

    let interface = json!({"router_interface": {"id": "router", "port_id": "p3", "network_id": "n", "subnet_id": "s",
        "subnet_ids": ["s"], "tenant_id": "p"}});
    listener.hear(4, 4, "r4", "router.interface.create", &interface);
    let seq = listener.engine.seq();
    assert_eq!(wished(&mut listener), [(Kind::Port, "p3".to_owned(), LookWhy::UnknownPort, seq)]);
    // After a read of the whole nothing is pending any more.
    listener.whole(2, 5, vec![network(), group(), rule("r1", 22), port("p1", 1, &json!({}))]);
    listener.hear(6, 6, "r6", "audit.http.response", &call("e3", "success"));
    assert_eq!(wished(&mut listener).len(), 1);
}
