//! One test for each sentence of the contract's "Rows" that can be got wrong.

use serde_json::{Value, json};

use super::rows;

/// A port of group `g` with one fixed IP of each family.
fn port() -> Value {
    json!({
        "id": "p", "network_id": "n", "project_id": "t", "device_id": "vm", "device_owner": "compute:nova",
        "security_groups": ["g"], "fixed_ips": [{"ip_address": "10.0.0.5"}, {"ip_address": "fd00::5"}],
    })
}

fn with(mut object: Value, changes: &Value) -> Value {
    for (key, value) in changes.as_object().unwrap() {
        object[key] = value.clone();
    }
    object
}

/// An ingress rule of group `g`: tcp 22 from anywhere unless changed.
fn rule(id: &str, changes: &Value) -> Value {
    let rule = json!({
        "id": id, "security_group_id": "g", "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp",
        "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": null, "remote_group_id": null,
    });
    with(rule, changes)
}

fn state(port: &Value, rules: &[Value]) -> Value {
    json!({"ports": [port], "security_groups": [{"id": "g"}, {"id": "other"}], "security_group_rules": rules})
}

/// The named keys of each row, in the order of the rows.
fn pick(rows: &[Value], keys: &[&str]) -> Vec<Value> {
    rows.iter().map(|row| keys.iter().map(|key| row[*key].clone()).collect()).collect()
}

fn one(rule_changes: &Value) -> Value {
    let found = rows(&state(&port(), &[rule("r", rule_changes)]), None);
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

#[test]
fn a_row_has_exactly_the_keys_of_the_contract() {
    let found = rows(&state(&port(), &[rule("r", &json!({}))]), Some("north"));
    let expected = json!([{
        "address": "10.0.0.5", "via": "fixed", "fixed_ip": "10.0.0.5", "port_id": "p", "device_id": "vm",
        "device_owner": "compute:nova", "project_id": "t", "network_id": "n", "region": "north",
        "ethertype": "IPv4",
        "protocol": "tcp", "port_min": 22, "port_max": 22, "icmp_type": null, "icmp_code": null,
        "source": {"prefix": "0.0.0.0/0"}, "security_group_id": "g", "rule_id": "r",
    }]);
    assert_eq!(Value::from(found), expected);
}

#[test]
fn ports_that_belong_to_the_network_itself_have_no_rows() {
    for owner in ["network:dhcp", "network:router_interface", "neutron:LOADBALANCERV2"] {
        let port = with(port(), &json!({"device_owner": owner, "port_security_enabled": false}));
        assert!(rows(&state(&port, &[rule("r", &json!({}))]), None).is_empty(), "{owner}");
    }
}

#[test]
fn empty_owner_and_device_are_null_and_the_project_falls_back_to_the_tenant() {
    let mut bare = with(port(), &json!({"device_id": "", "device_owner": "", "tenant_id": "old"}));
    bare.as_object_mut().unwrap().remove("project_id");
    let found = rows(&state(&bare, &[rule("r", &json!({}))]), None);
    assert_eq!(pick(&found, &["device_id", "device_owner", "project_id"]), [json!([null, null, "old"])]);
}

#[test]
fn rules_apply_to_addresses_of_their_family_and_inwards_only() {
    let rules = [
        rule("four", &json!({})),
        rule("six", &json!({"ethertype": "IPv6"})),
        rule("out", &json!({"direction": "egress"})),
        rule("elsewhere", &json!({"security_group_id": "other"})),
    ];
    let found = rows(&state(&port(), &rules), None);
    assert_eq!(
        pick(&found, &["address", "rule_id"]),
        [json!(["10.0.0.5", "four"]), json!(["fd00::5", "six"])]
    );
    assert_eq!(found[1]["source"], json!({"prefix": "::/0"}));
}

#[test]
fn a_rule_that_is_listed_in_both_places_counts_once() {
    let mut state = state(&port(), &[rule("r", &json!({}))]);
    state["security_groups"][0]["security_group_rules"] =
        json!([rule("r", &json!({})), rule("inside", &json!({}))]);
    assert_eq!(pick(&rows(&state, None), &["rule_id"]), [json!(["inside"]), json!(["r"])]);
}

#[test]
fn a_filtered_port_without_groups_has_no_rows() {
    let port = with(port(), &json!({"security_groups": []}));
    assert!(rows(&state(&port, &[rule("r", &json!({}))]), None).is_empty());
}

#[test]
fn an_unfiltered_port_lets_everything_in_at_every_address_whatever_its_groups_say() {
    let port = with(
        port(),
        &json!({"port_security_enabled": false, "allowed_address_pairs": [{"ip_address": "10.9.0.0/16"}]}),
    );
    let mut state = state(&port, &[rule("r", &json!({}))]);
    state["floatingips"] = json!([
        {"floating_ip_address": "203.0.113.7", "port_id": "p", "fixed_ip_address": "10.0.0.5"},
        {"floating_ip_address": "203.0.113.8", "port_id": null, "port_forwardings": [{
            "internal_port_id": "p", "internal_ip_address": "10.0.0.5", "internal_port": 22,
            "external_port": 2222,
            "protocol": "tcp",
        }]},
    ]);
    let found = pick(&rows(&state, None), &["address", "via", "protocol", "port_min", "source", "rule_id"]);
    let four = json!({"prefix": "0.0.0.0/0"});
    let expected = [
        json!(["10.0.0.5", "fixed", "any", null, four, null]),
        json!(["10.9.0.0/16", "pair", "any", null, four, null]),
        json!(["203.0.113.7", "floating", "any", null, four, null]),
        json!(["203.0.113.8", "forwarding", "tcp", 2222, four, null]),
        json!(["fd00::5", "fixed", "any", null, {"prefix": "::/0"}, null]),
    ];
    assert_eq!(found, expected);
}

#[test]
fn missing_port_security_means_on() {
    let port = with(port(), &json!({"port_security_enabled": null}));
    assert_eq!(rows(&state(&port, &[rule("r", &json!({}))]), None)[0]["rule_id"], "r");
}

#[test]
fn pairs_that_are_a_fixed_ip_vanish_equal_ones_merge_and_wide_ones_stay() {
    let pairs = json!([
        {"ip_address": "10.0.0.5"}, {"ip_address": "10.0.0.5/32"},
        {"ip_address": "10.0.0.9", "mac_address": "a"},
        {"ip_address": "10.0.0.9/32", "mac_address": "b"}, {"ip_address": "10.0.0.77/24"},
        {"ip_address": "FD00::00ff"},
    ]);
    let port = with(port(), &json!({"allowed_address_pairs": pairs}));
    let found =
        rows(&state(&port, &[rule("r", &json!({})), rule("six", &json!({"ethertype": "IPv6"}))]), None);
    let expected = [
        json!(["10.0.0.0/24", "pair", "10.0.0.0/24"]),
        json!(["10.0.0.5", "fixed", "10.0.0.5"]),
        json!(["10.0.0.9", "pair", "10.0.0.9"]),
        json!(["fd00::5", "fixed", "fd00::5"]),
        json!(["fd00::ff", "pair", "fd00::ff"]),
    ];
    assert_eq!(pick(&found, &["address", "via", "fixed_ip"]), expected);
}

#[test]
fn a_floating_ip_has_the_rules_own_ports_with_or_without_a_router() {
    let mut state = state(&port(), &[rule("r", &json!({})), rule("six", &json!({"ethertype": "IPv6"}))]);
    state["floatingips"] = json!([
        {
            "floating_ip_address": "203.0.113.7", "port_id": "p", "fixed_ip_address": "10.0.0.5",
            "router_id": null,
        },
        {"floating_ip_address": "203.0.113.8", "port_id": null, "fixed_ip_address": null},
    ]);
    let found = rows(&state, None);
    let expected = [
        json!(["10.0.0.5", "fixed", "10.0.0.5", 22]),
        json!(["203.0.113.7", "floating", "10.0.0.5", 22]),
        json!(["fd00::5", "fixed", "fd00::5", 22]),
    ];
    assert_eq!(pick(&found, &["address", "via", "fixed_ip", "port_min"]), expected);
}

#[test]
fn protocols_are_named_by_number_and_family() {
    let cases = [
        (json!("TCP"), "tcp"),
        (json!("6"), "tcp"),
        (json!(17), "udp"),
        (json!("0"), "hopopt"),
        (json!("ip"), "hopopt"),
        (json!("112"), "vrrp"),
        (json!("10"), "10"),
        (json!(null), "any"),
        (json!("any"), "any"),
        (json!("-1"), "any"),
        (json!(-1), "any"),
    ];
    for (given, expected) in cases {
        assert_eq!(one(&json!({"protocol": given}))["protocol"], expected, "{given}");
    }
    for given in [json!("icmp"), json!("icmpv6"), json!("1"), json!("ipv6-icmp"), json!("58")] {
        assert_eq!(one(&json!({"ethertype": "IPv6", "protocol": given}))["protocol"], "ipv6-icmp", "{given}");
    }
    assert_eq!(one(&json!({"protocol": "1"}))["protocol"], "icmp");
}

#[test]
fn bounds_that_say_nothing_are_null_and_one_missing_bound_is_the_end_of_the_range() {
    let ports = |min: Value, max: Value| {
        let row = one(&json!({"port_range_min": min, "port_range_max": max}));
        json!([row["port_min"], row["port_max"]])
    };
    assert_eq!(ports(json!(null), json!(null)), json!([null, null]));
    assert_eq!(ports(json!(1), json!(65535)), json!([null, null]));
    assert_eq!(ports(json!(0), json!(65535)), json!([null, null]));
    assert_eq!(ports(json!(null), json!(65535)), json!([null, null]));
    assert_eq!(ports(json!(null), json!(80)), json!([1, 80]));
    assert_eq!(ports(json!(8000), json!(null)), json!([8000, 65535]));
    assert_eq!(ports(json!(2), json!(65535)), json!([2, 65535]));
}

#[test]
fn only_protocols_with_ports_have_ports_and_only_icmp_has_a_type() {
    let keys = ["port_min", "port_max", "icmp_type", "icmp_code"];
    let numbers = |protocol: Value| {
        pick(&[one(&json!({"protocol": protocol, "port_range_min": 8, "port_range_max": 0}))], &keys)
    };
    assert_eq!(numbers(json!("icmp")), [json!([null, null, 8, 0])]);
    assert_eq!(numbers(json!("gre")), [json!([null, null, null, null])]);
    assert_eq!(numbers(json!(null)), [json!([null, null, null, null])]);
    assert_eq!(numbers(json!("sctp")), [json!([8, 0, null, null])]);
}

#[test]
fn sources_are_prefixes_in_network_form_or_groups() {
    let source = |changes: Value| one(&changes)["source"].clone();
    assert_eq!(source(json!({"remote_ip_prefix": "203.0.113.77/24"})), json!({"prefix": "203.0.113.0/24"}));
    assert_eq!(source(json!({"remote_ip_prefix": "203.0.113.77"})), json!({"prefix": "203.0.113.77/32"}));
    assert_eq!(source(json!({"remote_group_id": "other"})), json!({"security_group": "other"}));
    assert_eq!(source(json!({"remote_address_group_id": "a"})), json!({"address_group": "a"}));
    assert_eq!(source(json!({"remote_ip_prefix": ""})), json!({"prefix": "0.0.0.0/0"}));
    assert_eq!(
        source(json!({"ethertype": "IPv6", "remote_ip_prefix": "2001:DB8:0::1/32"})),
        json!({"prefix": "2001:db8::/32"}),
    );
}

#[test]
fn a_rule_whose_remote_group_is_gone_is_void() {
    let rules =
        [rule("void", &json!({"remote_group_id": "gone"})), rule("own", &json!({"remote_group_id": "g"}))];
    let mut state = state(&port(), &rules);
    assert_eq!(pick(&rows(&state, None), &["rule_id"]), [json!(["own"])]);
    state.as_object_mut().unwrap().remove("security_groups");
    assert_eq!(
        rows(&state, None).len(),
        2,
        "a state that does not list its groups cannot say that one is gone"
    );
}

/// The rows of one forwarding on 203.0.113.8 for a rule: external ports and protocol.
fn forwarded(forwarding: &Value, rule_changes: &Value) -> Vec<Value> {
    let port = with(port(), &json!({"fixed_ips": []}));
    let mut state = state(&port, &[rule("r", rule_changes)]);
    let forwarding = with(
        json!({"internal_port_id": "p", "internal_ip_address": "10.0.0.5", "protocol": "tcp"}),
        forwarding,
    );
    state["floatingips"] = json!([{"floating_ip_address": "203.0.113.8", "port_forwardings": [forwarding]}]);
    pick(&rows(&state, None), &["via", "fixed_ip", "protocol", "port_min", "port_max"])
}

#[test]
fn a_forwarding_shows_its_external_port_where_the_rule_admits_the_internal_one() {
    let single = json!({"internal_port": 22, "external_port": 2222});
    assert_eq!(forwarded(&single, &json!({})), [json!(["forwarding", "10.0.0.5", "tcp", 2222, 2222])]);
    assert_eq!(forwarded(&single, &json!({"protocol": null}))[0][2], "tcp");
    assert!(forwarded(&single, &json!({"protocol": "udp"})).is_empty());
    assert!(forwarded(&single, &json!({"port_range_min": 2222, "port_range_max": 2222})).is_empty());
    assert!(forwarded(&single, &json!({"ethertype": "IPv6"})).is_empty());
}

#[test]
fn a_forwarded_range_shows_the_admitted_part_shifted_outwards() {
    let range = json!({"internal_port_range": "80:89", "external_port_range": "8080:8089"});
    let admitted = |min, max| forwarded(&range, &json!({"port_range_min": min, "port_range_max": max}));
    assert_eq!(admitted(85, 100), [json!(["forwarding", "10.0.0.5", "tcp", 8085, 8089])]);
    assert_eq!(admitted(1, 65535), [json!(["forwarding", "10.0.0.5", "tcp", 8080, 8089])]);
    assert!(admitted(90, 100).is_empty());
}

#[test]
fn a_forwarded_range_of_another_length_shows_the_whole_external_range() {
    let many_to_one = json!({"internal_port_range": "80:80", "external_port_range": "8080:8089"});
    let rule = json!({"port_range_min": 80, "port_range_max": 80});
    assert_eq!(forwarded(&many_to_one, &rule), [json!(["forwarding", "10.0.0.5", "tcp", 8080, 8089])]);
    let whole = json!({"internal_port": 22, "external_port_range": "1:65535"});
    assert_eq!(forwarded(&whole, &json!({})), [json!(["forwarding", "10.0.0.5", "tcp", null, null])]);
}

#[test]
fn rows_are_sorted_as_text_with_null_first() {
    let mut second = with(
        port(),
        &json!({"id": "a", "fixed_ips": [{"ip_address": "9.0.0.1"}, {"ip_address": "10.0.0.5"}]}),
    );
    second["security_groups"] = json!(["g", "g"]);
    let mut state = state(&port(), &[rule("r2", &json!({})), rule("r1", &json!({}))]);
    state["ports"].as_array_mut().unwrap().push(second);
    let found = rows(&state, None);
    let order = pick(&found, &["address", "port_id", "rule_id"]);
    let expected = [
        json!(["10.0.0.5", "a", "r1"]),
        json!(["10.0.0.5", "a", "r2"]),
        json!(["10.0.0.5", "p", "r1"]),
        json!(["10.0.0.5", "p", "r2"]),
        json!(["9.0.0.1", "a", "r1"]),
        json!(["9.0.0.1", "a", "r2"]),
    ];
    assert_eq!(order, expected);
}

#[test]
fn odd_objects_are_passed_over() {
    let odd = json!({
        "ports": [
            null, 5, {},
            {"id": "p", "security_groups": ["g", 7], "fixed_ips": [{"ip_address": "nonsense"}, null]},
        ],
        "security_groups": null,
        "security_group_rules": [null, {}, rule("r", &json!({"remote_group_id": 3}))],
        "floatingips": [
            {"port_id": "p"}, {"port_id": "p", "floating_ip_address": "x", "port_forwardings": [1]},
        ],
    });
    assert!(rows(&odd, None).is_empty());
}
