//! A read that finds much is merged in many small steps, and tells the same as if it had been one: what explains a difference may go in
//! another step, and what has rows in common is not torn apart.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::drift::{group, network, object, port, rule};
use super::{Listener, at, run};
use crate::decode::decode;
use crate::engine::record::RecordBody;
use crate::engine::{
    EngineOptions, Input, MERGED_MAX, Output, ReadDifferences, ReadEnd, ReadPage, ReadRun, ReadStep,
};
use crate::event::{Kind, Object};
use crate::ids::Id;
use crate::plan::ScanPolicy;

const ALL: [Kind; 7] = [
    Kind::Network,
    Kind::Subnet,
    Kind::SecurityGroup,
    Kind::Rule,
    Kind::Port,
    Kind::FloatingIp,
    Kind::FirewallGroup,
];

/// A server's port at `10.0.0.0` and so many.
pub(super) fn server(number: usize, revision: u64, groups: &[&str]) -> Object {
    let address = format!("10.0.{}.{}", number >> 8, number & 255);
    let fields = json!({
        "security_groups": groups, "fixed_ips": [{"ip_address": address, "subnet_id": "s"}],
        "name": format!("server {revision}"),
    });
    port(&format!("w{number}"), revision, &fields)
}

pub(super) fn group_of(id: &str, name: &str) -> Object {
    object(Kind::SecurityGroup, &json!({"id": id, "name": name, "revision_number": 1, "project_id": "p"}))
}

pub(super) fn rule_of(group: &str, id: &str, port: usize) -> Object {
    let fields = json!({
        "id": id, "revision_number": 0, "project_id": "p", "security_group_id": group, "direction": "ingress",
        "ethertype": "IPv4", "protocol": "tcp", "port_range_min": port, "port_range_max": port,
    });
    object(Kind::Rule, &fields)
}

pub(super) fn floating(id: &str, address: &str, port: Option<&str>) -> Object {
    let fields = json!({
        "id": id, "revision_number": if port.is_some() { 1 } else { 2 }, "project_id": "p",
        "floating_ip_address": address, "port_id": port,
    });
    object(Kind::FloatingIp, &fields)
}

/// What a read that was made in steps gave.
#[derive(Default)]
pub(super) struct Steps {
    pub(super) parts: Vec<ReadDifferences>,
    pub(super) records: Vec<RecordBody>,
}

impl Steps {
    /// Each kind of difference with its explanation, and how many there were.
    pub(super) fn explained(&self) -> BTreeMap<(&str, &str, &str), usize> {
        let mut counts = BTreeMap::new();
        for record in self.records.iter().filter(|record| record.target.is_some()) {
            let of = |key: &str| record.detail[key].as_str();
            let kind = &*record.target.as_ref().unwrap().kind;
            *counts.entry((kind, of("difference"), of("explanation"))).or_default() += 1;
        }
        counts
    }

    /// Rows that were told as opened and as closed: those that are not open besides.
    pub(super) fn rows(&self) -> (usize, usize) {
        let exposures = || self.records.iter().map(|record| &record.exposure);
        let opened = exposures().flat_map(|exposure| &exposure.opened).filter(|row| !row.covered_before);
        let closed = exposures().flat_map(|exposure| &exposure.closed).filter(|row| !row.redundant);
        (opened.count(), closed.count())
    }
}

impl Listener {
    pub(super) fn scanning() -> Self {
        let allowed_prefixes = vec!["10.0.0.0/8".parse().unwrap(), "203.0.113.0/24".parse().unwrap()];
        let scan = Some(ScanPolicy { allowed_prefixes, ..ScanPolicy::default() });
        Self::with(EngineOptions { scan, ..EngineOptions::default() })
    }

    /// One step; nothing that was merged is more than a step may have.
    pub(super) fn one_step(&mut self, second: i64, input: Input<'_>, steps: &mut Steps) {
        let mut out = Output::default();
        self.engine.handle(at(second), input, &mut out);
        self.commands.append(&mut out.commands);
        steps.records.append(&mut out.records);
        steps.parts.extend(out.differences.take());
    }

    /// A message that comes between two steps.
    pub(super) fn hear_between(&mut self, second: i64, received: i64, event_type: &str, payload: &Value) {
        let text = json!({
            "message_id": format!("m{second}"), "event_type": event_type, "publisher_id": "network.ctl1",
            "priority": "INFO", "timestamp": at(second).to_string().trim_end_matches('Z'), "payload": payload,
        });
        let raw = self.raw(received, &text);
        self.engine.handle(at(received), Input::Message(&raw, decode(&raw)), &mut Output::default());
    }

    pub(super) fn finish(&mut self, second: i64, steps: &mut Steps) {
        while self.engine.is_closing() {
            self.one_step(second, Input::ReadOn, steps);
        }
    }

    /// A whole read in pages as an API's driver hands them over, up to its end.
    pub(super) fn begin_end(&mut self, run: &ReadRun, second: i64, objects: &[Object]) -> Steps {
        let mut steps = Steps::default();
        for objects in objects.chunks(100) {
            let page = ReadPage { run: run.clone(), objects: objects.to_vec(), lines: Vec::new() };
            self.one_step(second, Input::Page(page), &mut steps);
        }
        let (run, complete) = (run.clone(), ALL.to_vec());
        let end = ReadEnd { run, complete, has_all_assignments: false, origin: "test".to_owned() };
        self.one_step(second, Input::ReadEnd(end), &mut steps);
        steps
    }

    pub(super) fn in_steps(&mut self, number: u64, second: i64, objects: &[Object]) -> Steps {
        let mut steps = self.begin_end(&run(Some(number), "north", second), second, objects);
        self.finish(second, &mut steps);
        steps
    }
}

/// What many and different things that went and came in silence are told to be, and that whoever folds the journal is told the same.
#[test]
fn what_explains_a_difference_may_go_in_another_step() {
    const MANY: usize = 3 * MERGED_MAX;
    let before: Vec<Object> = [network(), group()]
        .into_iter()
        .chain((0..MANY).map(|number| rule_of("g", &format!("r{number}"), 1000 + number)))
        .chain((0..MANY).map(|number| server(number, 1, &[])))
        .chain((0..MANY).map(|number| {
            let address = format!("203.0.113.{number}");
            floating(&format!("f{number}"), &address, Some(&format!("w{number}")))
        }))
        .collect();
    let wall =
        |ports: Vec<String>| object(Kind::FirewallGroup, &json!({"id": "fg", "name": "w", "ports": ports}));
    let walled = wall((0..MANY).map(|number| format!("w{number}")).collect());
    // The network, the group and all that hung on them have gone; in another group, which was made, are rules.
    let after: Vec<Object> = [group_of("d", "default"), wall(Vec::new())]
        .into_iter()
        .chain((0..MANY).map(|number| rule_of("d", &format!("d{number}"), 1000 + number)))
        .chain((0..MANY).map(|number| floating(&format!("f{number}"), &format!("203.0.113.{number}"), None)))
        .collect();

    let (mut live, mut folded) = (Listener::new(), Listener::new());
    for listener in [&mut live, &mut folded] {
        listener.in_steps(1, 0, &[&before[..], std::slice::from_ref(&walled)].concat());
    }
    let steps = live.in_steps(2, 1_000, &after);
    assert_eq!(
        steps.explained(),
        BTreeMap::from([
            (("firewall_group", "changed", "firewall_ports"), 1),
            (("floatingip", "changed", "port_deleted"), MANY),
            (("network", "gone", "unexplained"), 1),
            (("port", "gone", "network_deleted"), MANY),
            (("security_group", "created", "default_group"), 1),
            (("security_group", "gone", "unexplained"), 1),
            (("security_group_rule", "created", "default_group"), MANY),
            (("security_group_rule", "gone", "group_deleted"), MANY),
        ])
    );
    let sizes: Vec<usize> = steps.parts.iter().map(|part| part.objects.len() + part.gone.len()).collect();
    assert!(sizes.iter().all(|size| *size <= MERGED_MAX) && sizes.len() > 4 * MANY / MERGED_MAX, "{sizes:?}");
    let [first, .., last] = &steps.parts[..] else { panic!("{sizes:?}") };
    assert!(matches!(first.step, ReadStep::Closing { .. }) && matches!(last.step, ReadStep::End { .. }));

    let mut told = Steps::default();
    for part in steps.parts {
        folded.one_step(1_000, Input::Differences(part), &mut told);
    }
    assert_eq!(format!("{:?}", told.records), format!("{:?}", steps.records));
    let lines =
        |listener: &Listener| listener.engine.lines().map(|line| format!("{line:?}")).collect::<Vec<_>>();
    assert_eq!(lines(&live), lines(&folded));
}

#[test]
fn rows_stand_with_what_hangs_on_others() {
    let mut listener = Listener::with_one_port();
    let steps = listener.in_steps(2, 1_000, &[group()]);
    let rows: Vec<_> = steps.records.iter().map(|record| record.exposure.closed.len()).collect();
    let kinds: Vec<_> =
        steps.records.iter().filter_map(|record| Some(&*record.target.as_ref()?.kind)).collect();
    assert_eq!((kinds, rows), (vec!["port", "security_group_rule", "network"], vec![1, 0, 0, 0]));
}

/// Some steps' worth of rules, of floating IPs and of ports at their old addresses, all with other ids.
#[test]
fn what_was_replaced_opens_and_closes_nothing() {
    const MANY: usize = 2 * MERGED_MAX;
    let cloud = |of: &str| -> Vec<Object> {
        let rules = (0..MANY).map(|number| rule_of("g", &format!("{of}-r{number}"), 1000 + number));
        let ports = (1..MANY).map(|number| {
            let fixed = json!([{"ip_address": format!("10.0.0.{number}"), "subnet_id": "s"}]);
            port(&format!("{of}-p{number}"), 1, &json!({"fixed_ips": fixed, "security_groups": ["h"]}))
        });
        let floating = (1..MANY)
            .map(|number| floating(&format!("{of}-f{number}"), &format!("203.0.113.{number}"), Some("w0")));
        let stay = [network(), group(), group_of("h", "h"), rule_of("h", "h1", 22)];
        let stay = stay.into_iter().chain([server(0, 1, &["h"]), server(999, 1, &["g"])]);
        stay.chain(rules).chain(ports).chain(floating).collect()
    };
    let mut listener = Listener::scanning();
    listener.in_steps(1, 0, &cloud("old"));
    let steps = listener.in_steps(2, 1_000, &cloud("new"));
    assert_eq!(steps.explained().values().sum::<usize>(), 6 * MANY - 4);
    assert_eq!((steps.rows(), listener.commands.len()), ((0, 0), 0));
}

/// In one group a rule came and servers went, in another it was the other way round. However it is merged, no rule was ever open on a
/// server that was not there, and none is scanned.
#[test]
fn what_came_was_never_open_on_what_went() {
    // So many that all of a group go into one step, and so many that they do not.
    for servers in [MERGED_MAX / 4, 3 * MERGED_MAX] {
        let stays = [network(), group(), group_of("h", "h"), server(999, 1, &["g", "h"])];
        let leaving = (0..servers).map(|number| server(number, 1, &["g"]));
        let coming = (servers..2 * servers).map(|number| server(number, 1, &["h"]));
        // What has nothing to do with it lies between, in the order of pages as in that of ids.
        let others = |revision| (600..600 + 2 * MERGED_MAX).map(move |number| server(number, revision, &[]));
        let mut listener = Listener::scanning();
        let before: Vec<Object> =
            stays.iter().cloned().chain([rule_of("h", "h1", 80)]).chain(leaving).chain(others(1)).collect();
        listener.in_steps(1, 0, &before);
        let after: Vec<Object> =
            stays.iter().cloned().chain([rule_of("g", "g1", 22)]).chain(coming).chain(others(2)).collect();
        let steps = listener.in_steps(2, 1_000, &after);
        let told = steps
            .records
            .iter()
            .flat_map(|record| record.exposure.opened.iter().chain(&record.exposure.closed));
        let ports: Vec<String> = told.map(|judged| judged.row.port_id.to_string()).collect();
        assert_eq!(ports, ["w999", "w999"], "{servers}: one rule came to it, and one went");
        assert_eq!(listener.commands.len(), 1, "{servers}");
        assert!(steps.parts.iter().all(|part| part.objects.len() + part.gone.len() <= MERGED_MAX));
    }
}

#[test]
fn what_the_bus_says_between_two_steps_keeps_its_word() {
    let mut listener = Listener::with_one_port();
    let servers = |revision| (0..3 * MERGED_MAX).map(move |number| server(number, revision, &[]));
    let one = || [network(), group(), rule("r1", 22), port("p1", 1, &json!({}))].into_iter();
    listener.in_steps(2, 100, &one().chain(servers(1)).collect::<Vec<_>>());
    // Half of them have another name, and half are gone.
    let run = run(Some(3), "north", 1_000);
    let half = servers(2).take(3 * MERGED_MAX / 2);
    let mut steps = listener.begin_end(&run, 1_000, &one().chain(half).collect::<Vec<_>>());
    assert!(listener.engine.is_closing());
    let mut hear = |second: i64, event_type: &str, payload: Value| {
        listener.hear_between(second, 1_010, event_type, &payload);
    };
    let renamed = |id: &str, name: &str| json!({"port": {"id": id, "name": name, "revision_number": 9}});
    let last = format!("w{}", 3 * MERGED_MAX - 1);
    hear(1_005, "port.update.end", renamed("w0", "later"));
    hear(1_006, "port.update.end", renamed(&last, "is there"));
    hear(1_007, "port.delete.end", json!({"port_id": "p1"}));
    hear(700, "port.update.end", renamed("w2", "history"));
    listener.finish(1_011, &mut steps);
    let cloud = listener.engine.clouds().next().unwrap();
    let name = |id: &str| cloud.name_of(Kind::Port, &Id::new(id));
    assert_eq!(
        [name("w0"), name(&last), name("p1"), name("w2")],
        [Some("later"), Some("is there"), None, Some("server 2")]
    );
    assert_eq!(cloud.count(Kind::Port), 3 * MERGED_MAX / 2 + 1);
}

/// Two groups of one port, and the same rules in one as there were in the other, while a server of the first goes: what still stands open
/// by another rule is not told as closed, nor scanned as opened.
#[test]
fn groups_that_a_port_has_side_by_side_are_merged_together() {
    const RULES: usize = 2 * MERGED_MAX / 3;
    let rules = |group: &'static str| {
        (0..RULES).map(move |number| rule_of(group, &format!("{group}{number}"), 1000 + number))
    };
    let stays = || [network(), group(), group_of("h", "h"), server(999, 1, &["g", "h"])].into_iter();
    let mut listener = Listener::scanning();
    listener.in_steps(1, 0, &stays().chain([server(1, 1, &["g"])]).chain(rules("g")).collect::<Vec<_>>());
    let steps = listener.in_steps(2, 1_000, &stays().chain(rules("h")).collect::<Vec<_>>());
    let of_port = |row: &&crate::exposure::JudgedRow| row.row.port_id == Id::new("w999");
    let records = || steps.records.iter().map(|record| &record.exposure);
    let opened = records().flat_map(|exposure| &exposure.opened).filter(of_port);
    let closed = records().flat_map(|exposure| &exposure.closed).filter(of_port);
    let opened = opened.filter(|row| !row.covered_before).count();
    assert_eq!((opened, closed.filter(|row| !row.redundant).count()), (0, 0));
    let scanned: Vec<_> = listener.commands.iter().flat_map(|command| &command.targets).collect();
    assert!(!scanned.is_empty());
    let gone: std::net::IpAddr = "10.0.0.1".parse().unwrap();
    assert!(scanned.iter().all(|target| target.address == gone), "what went is looked after: {scanned:?}");
}
