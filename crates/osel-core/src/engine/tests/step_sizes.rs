//! A step of a read merges little, however much was found: few objects, and fewer of those that make many rows.

use serde_json::json;

use super::drift::{group, network, object, port, rule};
use super::steps::{Steps, floating, group_of, rule_of, server};
use super::{Listener, run};
use crate::engine::{GONE_HELD_MAX, HELD_MAX, Input, MERGED_MAX, ROWS_AS_ONE, ROWS_MAX, ReadPage};
use crate::event::{Kind, Object};

/// Beyond what is held the first are merged on the way, no more than a page brings and at least a step's worth.
#[test]
fn what_is_held_and_what_a_step_merges_is_bounded() {
    let mut listener = Listener::with_one_port();
    let many = 2 * HELD_MAX;
    let servers: Vec<Object> = (0..many).map(|number| server(number, 1, &[])).collect();
    let one = [network(), group(), rule("r1", 22), port("p1", 1, &json!({}))];
    let steps = listener.in_steps(2, 1_000, &[&one[..], &servers].concat());
    assert_eq!(steps.parts.iter().map(|part| part.objects.len()).sum::<usize>(), many);
    assert!(steps.parts.iter().all(|part| part.objects.len() <= 100), "a page has no more");
    // And all of them gone again.
    let steps = listener.in_steps(3, 2_000, &one);
    assert_eq!(steps.parts.iter().map(|part| part.gone.len()).sum::<usize>(), many);
    assert!(steps.parts.iter().all(|part| part.gone.len() <= MERGED_MAX));
    assert_eq!(listener.engine.clouds().map(|cloud| cloud.count(Kind::Port)).sum::<usize>(), 1);
}

/// What is merged before the end of a read makes room for what comes, and is nothing that could be told as open on a port that is gone.
#[test]
fn what_is_shown_beyond_what_is_held_is_merged_on_the_way_and_what_opens_comes_last() {
    let mut listener = Listener::with_one_port();
    let base = [network(), group(), rule("r1", 22), port("p1", 1, &json!({}))];
    // What opens is shown first.
    let rules = (0..HELD_MAX / 2).map(|number| rule_of("g", &format!("n{number}"), 1000 + number));
    let groups = (0..10).map(|number| group_of(&format!("e{number}"), "made"));
    let servers = (0..HELD_MAX).map(|number| server(number, 1, &["g"]));
    let shown: Vec<Object> = base.into_iter().chain(rules).chain(groups).chain(servers).collect();
    let differing = shown.len() - 4;
    let (mut steps, mut come) = (Steps::default(), 0);
    for objects in shown.chunks(100) {
        let page =
            ReadPage { run: run(Some(2), "north", 1_000), objects: objects.to_vec(), lines: Vec::new() };
        listener.one_step(1_000, Input::Page(page), &mut steps);
        come += objects.len();
        let merged: usize = steps.parts.iter().map(|part| part.objects.len()).sum();
        assert!(come <= merged + HELD_MAX + 4, "{merged} of {come} are merged");
    }
    let merged: Vec<&Object> = steps.parts.iter().flat_map(|part| &part.objects).collect();
    assert!(differing - merged.len() > HELD_MAX - 2 * MERGED_MAX, "no more than has to be: {}", merged.len());
    assert!(merged.iter().all(|object| object.kind() == Kind::Port), "{merged:?}");
    let ports: usize = listener.engine.clouds().map(|cloud| cloud.count(Kind::Port)).sum();
    assert_eq!(ports, 1 + merged.len());
}

/// Rules that came while servers went: of more than a thousand differences the first were merged before all was found that is gone, and
/// told as open on ports that the same read had not shown.
#[test]
fn nothing_is_told_as_open_on_a_port_that_the_same_read_shows_to_be_gone() {
    for (gone, come) in [(GONE_HELD_MAX + MERGED_MAX, 8), (100, 1_200)] {
        let stays: Vec<Object> = [network(), group(), rule("r1", 22), port("p1", 1, &json!({}))].into();
        let servers = (0..gone).map(|number| server(number, 1, &["g"]));
        let before: Vec<Object> = stays.iter().cloned().chain(servers).collect();
        let mut listener = Listener::new();
        listener.in_steps(1, 0, &before);
        let rules = (0..come).map(|number| rule_of("g", &format!("n{number}"), 1000 + number));
        let after: Vec<Object> = stays.into_iter().chain(rules).collect();
        let steps = listener.in_steps(2, 1_000, &after);
        let opened = steps.records.iter().flat_map(|record| &record.exposure.opened);
        let opened: Vec<String> = opened.map(|row| row.row.port_id.to_string()).collect();
        assert_eq!(opened.len(), come, "{gone}");
        assert!(opened.iter().all(|port| port == "p1"), "{gone}");
    }
}

/// A step has fewer of those that open many rows.
#[test]
fn a_step_is_bounded_by_rows_too() {
    let many = 3 * ROWS_AS_ONE;
    let stays: Vec<Object> =
        [network(), group()].into_iter().chain((0..many).map(|number| server(number, 1, &["g"]))).collect();
    let mut listener = Listener::new();
    listener.in_steps(1, 0, &stays);
    let rules = (0..MERGED_MAX / 2).map(|number| rule_of("g", &format!("r{number}"), 1000 + number));
    let mut steps = listener.in_steps(2, 1_000, &stays.iter().cloned().chain(rules).collect::<Vec<_>>());
    steps.parts.append(&mut listener.in_steps(3, 2_000, &stays).parts);
    let sizes: Vec<usize> = steps.parts.iter().map(|part| part.objects.len() + part.gone.len()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), MERGED_MAX);
    assert_eq!(sizes.iter().max(), Some(&(MERGED_MAX / 4)), "each counts as four: {sizes:?}");
    let rows = |part: &usize| part * many;
    assert!(sizes.iter().map(rows).all(|rows| rows <= ROWS_MAX), "{sizes:?}");
}

/// How many of what differs fit into a step where each makes a little more than [`ROWS_AS_ONE`] rows and so counts as two.
fn sizes(stays: &[Object], comes: &[Object]) -> Vec<usize> {
    let mut listener = Listener::new();
    listener.in_steps(1, 0, stays);
    let after: Vec<Object> = stays.iter().chain(comes).cloned().collect();
    let steps = listener.in_steps(2, 1_000, &after);
    let merged = steps.parts.iter().map(|part| part.objects.len() + part.gone.len());
    merged.filter(|size| *size > 0).collect()
}

/// Whatever makes the rows: a port with its groups, each of its addresses, a group with its rules, an outer address or a forwarding.
#[test]
fn whatever_makes_rows_counts_by_them() {
    const MANY: usize = MERGED_MAX / 2 + 1;
    let halves = [MERGED_MAX / 2, 1];
    let rules = |group: &'static str, count: usize| (0..count).map(move |number| open_to(group, number));
    let base = |rules_of_group: usize| -> Vec<Object> {
        [network(), group()].into_iter().chain(rules("g", rules_of_group)).collect()
    };

    let ports: Vec<Object> = (0..MANY).map(|number| server(number, 1, &["g"])).collect();
    assert_eq!(sizes(&base(ROWS_AS_ONE), &ports), halves, "ports");

    let pairs = json!([{"ip_address": "10.9.0.1"}, {"ip_address": "10.9.0.2"}, {"ip_address": "10.9.0.3"}]);
    let paired = |number: usize| {
        let fixed = json!([{"ip_address": format!("10.0.0.{number}"), "subnet_id": "s"}]);
        port(&format!("w{number}"), 1, &json!({"fixed_ips": fixed, "allowed_address_pairs": pairs}))
    };
    let ports: Vec<Object> = (0..MANY).map(paired).collect();
    assert_eq!(sizes(&base(ROWS_AS_ONE / 4), &ports), halves, "addresses of ports");

    let groups: Vec<String> = (0..MANY).map(|number| format!("g{number}")).collect();
    let of_ports = groups
        .iter()
        .enumerate()
        .flat_map(|(number, group)| (0..4).map(move |of| server(4 * number + of, 1, &[group.as_str()])));
    let empty = groups.iter().map(|group| group_of(group, group));
    let stays: Vec<Object> = base(0).into_iter().chain(empty).chain(of_ports).collect();
    let filled: Vec<Object> = groups.iter().map(|group| with_rules(group, ROWS_AS_ONE / 4)).collect();
    assert_eq!(sizes(&stays, &filled), halves, "groups");

    let stays: Vec<Object> = base(ROWS_AS_ONE).into_iter().chain([server(0, 1, &["g"])]).collect();
    let outer: Vec<Object> = (0..MANY)
        .map(|number| floating(&format!("f{number}"), &format!("203.0.113.{number}"), Some("w0")))
        .collect();
    assert_eq!(sizes(&stays, &outer), halves, "floating IPs");

    let stays: Vec<Object> = stays.into_iter().chain([floating("f", "203.0.113.9", None)]).collect();
    let forwarded: Vec<Object> = (0..MANY).map(|number| forwarding(number, "w0")).collect();
    assert_eq!(sizes(&stays, &forwarded), halves, "forwardings");

    // One that is listed, and the floating IP that goes with its forwardings.
    let listed: Vec<Object> = (0..MANY).map(|number| with_forwarding(number, "w0")).collect();
    assert_eq!(sizes(&stays, &listed), halves, "lists of forwardings");
    let mut listener = Listener::new();
    listener.in_steps(1, 0, &[&stays[..], &listed].concat());
    let steps = listener.in_steps(2, 1_000, &stays);
    let gone: Vec<usize> = steps.parts.iter().map(|part| part.gone.len()).filter(|gone| *gone > 0).collect();
    assert_eq!(gone, halves, "floating IPs that go");
}

/// A rule of which each admits port 22 and none is like another.
fn open_to(group: &str, number: usize) -> Object {
    object(Kind::Rule, &rule_fields(group, number))
}

fn rule_fields(group: &str, number: usize) -> serde_json::Value {
    json!({
        "id": format!("{group}-{number}"), "revision_number": 0, "project_id": "p", "security_group_id": group,
        "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22,
        "port_range_max": 1000 + number,
    })
}

fn with_rules(group: &str, count: usize) -> Object {
    let rules: Vec<serde_json::Value> = (0..count).map(|number| rule_fields(group, number)).collect();
    let fields = json!({"id": group, "name": group, "revision_number": 2, "project_id": "p", "security_group_rules": rules});
    object(Kind::SecurityGroup, &fields)
}

fn forwarding_fields(number: usize, port: &str) -> serde_json::Value {
    json!({
        "id": format!("x{number}"), "protocol": "tcp", "external_port": 2000 + number, "internal_port": 22,
        "internal_ip_address": "10.0.0.0", "internal_port_id": port,
    })
}

fn forwarding(number: usize, port: &str) -> Object {
    let mut fields = forwarding_fields(number, port);
    fields["floatingip_id"] = json!("f");
    object(Kind::Forwarding, &fields)
}

fn with_forwarding(number: usize, port: &str) -> Object {
    let fields = json!({
        "id": format!("f{number}"), "revision_number": 1, "project_id": "p", "port_id": null,
        "floating_ip_address": format!("203.0.113.{}", 100 + number),
        "port_forwardings": [forwarding_fields(number, port)],
    });
    object(Kind::FloatingIp, &fields)
}
