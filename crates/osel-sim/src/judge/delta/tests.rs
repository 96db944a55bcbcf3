//! Hand-worked changes: what is new, and what was let in already.

use serde_json::{Value, json};

use super::delta;

fn row(id: &str, changes: &Value) -> Value {
    let mut row = json!({
        "address": "10.0.0.5", "via": "fixed", "fixed_ip": "10.0.0.5", "port_id": "p", "network_id": "n",
        "device_id": "vm", "ethertype": "IPv4", "protocol": "tcp", "port_min": 22, "port_max": 22,
        "icmp_type": null,
        "icmp_code": null, "source": {"prefix": "0.0.0.0/0"}, "security_group_id": "g", "rule_id": id,
    });
    for (key, value) in changes.as_object().unwrap() {
        row[key] = value.clone();
    }
    row
}

/// Whether the opened row is redundant beside rows that stood there before.
fn redundant(opened: &Value, others: &[Value]) -> bool {
    let mut after = others.to_vec();
    after.push(row("new", opened));
    let (opened, closed) = delta(others, &after);
    assert!(closed.is_empty());
    assert_eq!(opened.len(), 1);
    opened[0]["redundant"].as_bool().unwrap()
}

fn ports(from: i64, to: i64) -> Value {
    json!({"port_min": from, "port_max": to})
}

#[test]
fn a_row_whose_port_is_described_anew_is_closed_and_opened() {
    let before = [row("r", &json!({}))];
    let after = [row("r", &json!({"device_id": "another", "project_id": "t"}))];
    let (opened, closed) = delta(&before, &after);
    assert_eq!((opened.len(), closed.len()), (1, 1));
    assert_eq!(closed[0]["redundant"], true, "nothing was closed for a packet");
}

#[test]
fn a_row_that_changes_is_closed_and_opened() {
    let (opened, closed) = delta(&[row("r", &ports(22, 22))], &[row("r", &ports(22, 23))]);
    assert_eq!((opened.len(), closed.len()), (1, 1));
    assert_eq!((&opened[0]["redundant"], &closed[0]["redundant"]), (&json!(false), &json!(true)));
}

#[test]
fn the_union_of_ranges_covers() {
    let parts = [row("a", &ports(1, 500)), row("b", &ports(501, 1024))];
    assert!(redundant(&ports(400, 600), &parts));
    assert!(!redundant(&ports(400, 1025), &parts));
    assert!(!redundant(&ports(400, 600), &[row("a", &ports(1, 500)), row("b", &ports(502, 1024))]));
}

#[test]
fn two_halves_cover_a_row_without_bounds_and_the_other_way_round() {
    let halves = [row("a", &ports(1, 30_000)), row("b", &ports(30_001, 65_535))];
    assert!(redundant(&json!({"port_min": null, "port_max": null}), &halves));
    assert!(redundant(&ports(0, 22), &[row("a", &json!({"port_min": null, "port_max": null}))]));
}

#[test]
fn any_covers_every_protocol_but_none_covers_any() {
    let any = json!({"protocol": "any", "port_min": null, "port_max": null});
    assert!(redundant(&json!({}), &[row("a", &any)]));
    assert!(redundant(&json!({"protocol": "gre", "port_min": null, "port_max": null}), &[row("a", &any)]));
    assert!(!redundant(&any, &[row("a", &json!({"port_min": null, "port_max": null}))]));
    assert!(!redundant(&json!({"protocol": "udp"}), &[row("a", &json!({}))]));
}

#[test]
fn sources_cover_by_equality_containment_or_the_whole_family() {
    let from = |prefix: &str| json!({"source": {"prefix": prefix}});
    let group = json!({"source": {"security_group": "g"}});
    assert!(redundant(&from("203.0.113.0/25"), &[row("a", &from("203.0.113.0/24"))]));
    assert!(!redundant(
        &from("203.0.113.0/24"),
        &[row("a", &from("203.0.113.0/25")), row("b", &from("203.0.113.128/25"))]
    ));
    assert!(redundant(&group, &[row("a", &group)]));
    assert!(redundant(&group, &[row("a", &from("0.0.0.0/0"))]));
    assert!(!redundant(&group, &[row("a", &from("10.0.0.0/8"))]));
    assert!(!redundant(&group, &[row("a", &json!({"source": {"address_group": "g"}}))]));
}

#[test]
fn icmp_is_covered_by_type_and_code() {
    let icmp = |kind: Value, code: Value| {
        json!({
            "protocol": "icmp", "port_min": null, "port_max": null, "icmp_type": kind, "icmp_code": code,
        })
    };
    let all_of_8 = row("a", &icmp(json!(8), json!(null)));
    assert!(redundant(&icmp(json!(8), json!(0)), std::slice::from_ref(&all_of_8)));
    assert!(!redundant(&icmp(json!(3), json!(0)), std::slice::from_ref(&all_of_8)));
    assert!(!redundant(&icmp(json!(null), json!(null)), std::slice::from_ref(&all_of_8)));
    let each: Vec<Value> =
        (0..256).map(|kind| row(&format!("t{kind}"), &icmp(json!(kind), json!(null)))).collect();
    assert!(redundant(&icmp(json!(null), json!(null)), &each));
}

#[test]
fn the_same_address_in_another_network_covers_nothing_another_way_to_it_does() {
    assert!(!redundant(&json!({}), &[row("a", &json!({"network_id": "elsewhere"}))]));
    assert!(!redundant(&json!({}), &[row("a", &json!({"address": "10.0.0.6"}))]));
    assert!(redundant(&json!({"via": "pair"}), &[row("a", &json!({"port_id": "q"}))]));
}

#[test]
fn two_equal_permissions_that_open_together_cover_each_other() {
    let (opened, _) = delta(&[], &[row("a", &json!({})), row("b", &json!({}))]);
    assert!(opened.iter().all(|row| row["redundant"] == true));
}

#[test]
fn closed_rows_are_redundant_when_what_remains_covers_them() {
    let wide = row("wide", &ports(1, 100));
    let (_, closed) = delta(&[wide.clone(), row("r", &json!({}))], std::slice::from_ref(&wide));
    assert_eq!(closed[0]["redundant"], true);
    let (_, closed) = delta(&[wide, row("r", &json!({}))], &[]);
    assert!(closed.iter().all(|row| row["redundant"] == false), "what closes together covers nothing");
}
