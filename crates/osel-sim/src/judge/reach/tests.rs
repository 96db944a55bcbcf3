//! One test for each sentence of the contract's "Reach" that can be got wrong, in a small cloud.

use serde_json::{Value, json};

use super::{ReachOptions, reach};

/// Two networks behind router `r` with a gateway on the external network `x`; `web` (10.0.0.5) has a floating
/// IP.
fn cloud() -> Value {
    json!({
        "networks": [{"id": "a"}, {"id": "b"}, {"id": "lonely"}, {"id": "x", "router:external": true}],
        "routers": [{"id": "r", "external_gateway_info": {
            "network_id": "x", "external_fixed_ips": [{"ip_address": "198.51.100.2"}],
        }}],
        "ports": [
            interface("if-a", "a", "10.0.0.1", "network:router_interface"),
            interface("if-b", "b", "10.1.0.1", "network:router_interface_distributed"),
            port("web", "a", "10.0.0.5", &json!({"security_groups": ["g"]})),
            port("peer", "a", "10.0.0.9", &json!({"security_groups": ["friends"]})),
            port("far", "b", "10.1.0.9", &json!({"security_groups": ["friends"]})),
            port("alone", "lonely", "10.2.0.9", &json!({"security_groups": ["g"]})),
        ],
        "security_groups": [{"id": "g"}, {"id": "friends"}],
        "security_group_rules": [rule("ssh", &json!({"port_range_min": 22, "port_range_max": 22}))],
        "floatingips": [{
            "floating_ip_address": "198.51.100.7", "port_id": "web", "router_id": "r",
            "fixed_ip_address": "10.0.0.5",
        }],
    })
}

fn interface(id: &str, network: &str, address: &str, owner: &str) -> Value {
    port(id, network, address, &json!({"device_owner": owner, "device_id": "r"}))
}

fn port(id: &str, network: &str, address: &str, changes: &Value) -> Value {
    let port = json!({"id": id, "network_id": network, "fixed_ips": [{"ip_address": address}]});
    with(port, changes)
}

fn rule(id: &str, changes: &Value) -> Value {
    with(
        json!({
            "id": id, "security_group_id": "g", "direction": "ingress", "ethertype": "IPv4",
            "protocol": "tcp",
        }),
        changes,
    )
}

fn with(mut object: Value, changes: &Value) -> Value {
    for (key, value) in changes.as_object().unwrap() {
        object[key] = value.clone();
    }
    object
}

/// The object of that id in the cloud.
fn object<'a>(cloud: &'a mut Value, collection: &str, id: &str) -> &'a mut Value {
    let all = cloud[collection].as_array_mut().unwrap();
    all.iter_mut().find(|object| object["id"] == id).unwrap()
}

fn ask(cloud: &Value, from: &str, to: &str, port: u16) -> Value {
    reach(cloud, &json!({"from": from, "to": to, "protocol": "tcp", "port": port}), &ReachOptions::default())
}

fn reason(cloud: &Value, from: &str, to: &str, port: u16) -> String {
    ask(cloud, from, to, port)["reason"].as_str().unwrap().to_owned()
}

const OUTSIDE: &str = "192.0.2.77";

#[test]
fn families_that_differ_come_before_everything_else() {
    assert_eq!(reason(&cloud(), "2001:db8::1", "10.99.0.1", 22), "family");
}

#[test]
fn an_address_nobody_holds_and_a_floating_ip_that_leads_nowhere_are_no_address() {
    let mut cloud = cloud();
    assert_eq!(reason(&cloud, OUTSIDE, "10.99.0.1", 22), "no_such_address");
    cloud["floatingips"][0]["router_id"] = json!(null);
    assert_eq!(reason(&cloud, OUTSIDE, "198.51.100.7", 22), "no_such_address");
    cloud["floatingips"][0] =
        json!({"floating_ip_address": "198.51.100.7", "router_id": "r", "port_id": "deleted"});
    assert_eq!(reason(&cloud, OUTSIDE, "198.51.100.7", 22), "no_such_address");
}

#[test]
fn a_floating_ip_leads_to_its_port_and_its_rules() {
    let answer = ask(&cloud(), OUTSIDE, "198.51.100.7", 22);
    assert_eq!(answer, json!({"reachable": true, "reason": "admitted", "rule_ids": ["ssh"]}));
    assert_eq!(
        ask(&cloud(), OUTSIDE, "198.51.100.7", 23),
        json!({"reachable": false, "reason": "no_rule", "rule_ids": [null]})
    );
}

#[test]
fn the_floating_ips_own_port_is_no_candidate() {
    let mut cloud = cloud();
    let own = port(
        "fip",
        "x",
        "198.51.100.7",
        &json!({"device_owner": "network:floatingip", "port_security_enabled": false}),
    );
    cloud["ports"].as_array_mut().unwrap().push(own);
    assert_eq!(reason(&cloud, OUTSIDE, "198.51.100.7", 23), "no_rule");
}

#[test]
fn a_forwarding_leads_to_the_internal_port() {
    let mut cloud = cloud();
    cloud["floatingips"] = json!([{
        "floating_ip_address": "198.51.100.8", "port_id": null, "router_id": "r",
        "port_forwardings": [{
            "internal_port_id": "web", "internal_port_range": "20:29", "external_port_range": "2020:2029",
            "protocol": "tcp",
        }],
    }]);
    assert_eq!(reason(&cloud, OUTSIDE, "198.51.100.8", 2022), "admitted");
    assert_eq!(reason(&cloud, OUTSIDE, "198.51.100.8", 2023), "no_rule");
    assert_eq!(reason(&cloud, OUTSIDE, "198.51.100.8", 22), "no_such_address");
    let any_port = json!({"from": OUTSIDE, "to": "198.51.100.8", "protocol": "tcp"});
    assert_eq!(reach(&cloud, &any_port, &ReachOptions::default())["reason"], "admitted");
    let other = json!({"from": OUTSIDE, "to": "198.51.100.8", "protocol": "udp"});
    assert_eq!(reach(&cloud, &other, &ReachOptions::default())["reason"], "no_such_address");
}

#[test]
fn a_neighbour_has_a_path_though_not_by_a_pair() {
    let mut cloud = cloud();
    assert_eq!(reason(&cloud, "10.0.0.9", "10.0.0.5", 22), "admitted");
    object(&mut cloud, "ports", "peer")["allowed_address_pairs"] = json!([{"ip_address": "10.0.0.50"}]);
    assert_eq!(reason(&cloud, "10.0.0.50", "10.0.0.5", 22), "no_path");
    assert_eq!(reason(&cloud, "10.0.0.5", "10.0.0.5", 22), "no_path", "a port is not its own neighbour");
}

#[test]
fn a_router_joins_the_networks_it_has_interfaces_on() {
    assert_eq!(reason(&cloud(), "10.1.0.9", "10.0.0.5", 22), "admitted");
    assert_eq!(reason(&cloud(), "10.2.0.9", "10.0.0.5", 22), "no_path");
    assert_eq!(reason(&cloud(), "10.1.0.9", "10.2.0.9", 22), "no_path");
}

#[test]
fn from_outside_a_private_address_needs_a_gateway_that_does_not_translate() {
    let mut cloud = cloud();
    assert_eq!(reason(&cloud, OUTSIDE, "10.0.0.5", 22), "no_path");
    cloud["routers"][0]["external_gateway_info"]["enable_snat"] = json!(false);
    assert_eq!(reason(&cloud, OUTSIDE, "10.0.0.5", 22), "admitted");
    cloud["routers"][0]["external_gateway_info"] = json!(null);
    assert_eq!(reason(&cloud, OUTSIDE, "10.0.0.5", 22), "no_path");
}

#[test]
fn a_global_address_of_version_6_is_reached_through_any_gateway() {
    let mut cloud = cloud();
    for (address, expected) in [("2001:db8::5", "admitted"), ("fd00::5", "no_path")] {
        object(&mut cloud, "ports", "web")["fixed_ips"] = json!([{"ip_address": address}]);
        cloud["security_group_rules"] = json!([rule("six", &json!({"ethertype": "IPv6"}))]);
        assert_eq!(reason(&cloud, "2600::1", address, 22), expected);
    }
}

#[test]
fn ports_on_an_external_network_are_reached_by_flag_and_by_policy() {
    let mut cloud = cloud();
    object(&mut cloud, "networks", "lonely")["router:external"] = json!(true);
    assert_eq!(reason(&cloud, OUTSIDE, "10.2.0.9", 22), "admitted");
    object(&mut cloud, "networks", "lonely")["router:external"] = json!(false);
    cloud["rbac_policies"] =
        json!([{"object_type": "network", "object_id": "lonely", "action": "access_as_external"}]);
    assert_eq!(reason(&cloud, OUTSIDE, "10.2.0.9", 22), "admitted");
}

#[test]
fn routed_prefixes_are_a_path() {
    let options =
        ReachOptions { routed_prefixes: vec!["10.2.0.0/16".parse().unwrap()], ..ReachOptions::default() };
    let question = json!({"from": OUTSIDE, "to": "10.2.0.9", "protocol": "tcp", "port": 22});
    assert_eq!(reach(&cloud(), &question, &options)["reason"], "admitted");
    assert_eq!(reach(&cloud(), &question, &ReachOptions::default())["reason"], "no_path");
}

#[test]
fn what_is_down_on_the_way_stops_the_packet_before_any_rule_is_asked() {
    for (collection, id) in [("ports", "web"), ("networks", "a"), ("routers", "r")] {
        let mut cloud = cloud();
        object(&mut cloud, collection, id)["admin_state_up"] = json!(false);
        assert_eq!(reason(&cloud, OUTSIDE, "198.51.100.7", 80), "admin_down", "{collection}");
    }
    let mut cloud = cloud();
    object(&mut cloud, "routers", "r")["admin_state_up"] = json!(false);
    assert_eq!(reason(&cloud, "10.0.0.9", "10.0.0.5", 22), "admitted", "neighbours need no router");
    assert_eq!(reason(&cloud, "10.1.0.9", "10.0.0.5", 22), "admin_down");
}

#[test]
fn of_several_routers_one_that_is_up_is_used() {
    let mut cloud = cloud();
    object(&mut cloud, "routers", "r")["admin_state_up"] = json!(false);
    cloud["routers"].as_array_mut().unwrap().push(json!({"id": "spare"}));
    for (id, network, address) in [("s-a", "a", "10.0.0.2"), ("s-b", "b", "10.1.0.2")] {
        let changes = json!({"device_owner": "network:ha_router_replicated_interface", "device_id": "spare"});
        cloud["ports"].as_array_mut().unwrap().push(port(id, network, address, &changes));
    }
    assert_eq!(reason(&cloud, "10.1.0.9", "10.0.0.5", 22), "admitted");
}

#[test]
fn trusted_and_unfiltered_ports_need_no_rule() {
    let mut cloud = cloud();
    assert_eq!(ask(&cloud, "10.0.0.9", "10.0.0.1", 80)["rule_ids"], json!([null]));
    object(&mut cloud, "ports", "web")["port_security_enabled"] = json!(false);
    assert_eq!(
        ask(&cloud, "10.0.0.9", "10.0.0.5", 80),
        json!({"reachable": true, "reason": "admitted", "rule_ids": [null]})
    );
}

#[test]
fn a_routers_outer_address_counts_as_its_port() {
    assert_eq!(reason(&cloud(), OUTSIDE, "198.51.100.2", 179), "admitted");
}

#[test]
fn members_of_a_remote_group_are_known_by_fixed_ip_and_by_pair_if_wanted() {
    let mut cloud = cloud();
    cloud["security_group_rules"] = json!([rule("friends", &json!({"remote_group_id": "friends"}))]);
    object(&mut cloud, "ports", "far")["allowed_address_pairs"] = json!([{"ip_address": "10.0.0.0/24"}]);
    assert_eq!(
        reason(&cloud, "10.1.0.9", "10.0.0.5", 22),
        "admitted",
        "members count in whatever network they are"
    );
    assert_eq!(
        reason(&cloud, "10.0.0.1", "10.0.0.5", 22),
        "admitted",
        "the pair of a member holds the interface"
    );
    let narrow = ReachOptions { group_members_include_pairs: false, ..ReachOptions::default() };
    let question = json!({"from": "10.0.0.1", "to": "10.0.0.5", "protocol": "tcp", "port": 22});
    assert_eq!(reach(&cloud, &question, &narrow)["reason"], "no_rule");
    cloud["security_groups"] = json!([{"id": "g"}]);
    assert_eq!(
        reason(&cloud, "10.1.0.9", "10.0.0.5", 22),
        "no_rule",
        "a remote group that is gone admits nobody"
    );
}

#[test]
fn address_groups_and_prefixes_are_asked_for_the_sender() {
    let mut cloud = cloud();
    cloud["address_groups"] = json!([{"id": "office", "addresses": ["10.0.0.8/31"]}]);
    cloud["security_group_rules"] = json!([
        rule("office", &json!({"remote_address_group_id": "office"})),
        rule("vpn", &json!({"remote_ip_prefix": "10.1.0.77/16"})),
    ]);
    assert_eq!(ask(&cloud, "10.0.0.9", "10.0.0.5", 22)["rule_ids"], json!(["office"]));
    assert_eq!(ask(&cloud, "10.1.0.9", "10.0.0.5", 22)["rule_ids"], json!(["vpn"]));
    assert_eq!(reason(&cloud, "10.0.0.1", "10.0.0.5", 22), "no_rule");
}

#[test]
fn icmp_asks_for_type_and_code() {
    let mut cloud = cloud();
    cloud["security_group_rules"] =
        json!([rule("echo", &json!({"protocol": "1", "port_range_min": 8, "port_range_max": 0}))]);
    let ask = |kind: Value, code: Value| {
        let question = json!({
            "from": "10.0.0.9", "to": "10.0.0.5", "protocol": "icmp", "port": kind, "icmp_code": code,
        });
        reach(&cloud, &question, &ReachOptions::default())["reachable"].clone()
    };
    assert_eq!(ask(json!(8), json!(0)), true);
    assert_eq!(ask(json!(8), json!(null)), true);
    assert_eq!(ask(json!(null), json!(null)), true);
    assert_eq!(ask(json!(8), json!(1)), false);
    assert_eq!(ask(json!(0), json!(0)), false);
}

#[test]
fn a_missing_port_asks_whether_any_is_admitted() {
    let question = json!({"from": "10.0.0.9", "to": "10.0.0.5", "protocol": "tcp"});
    assert_eq!(reach(&cloud(), &question, &ReachOptions::default())["reason"], "admitted");
    let question = json!({"from": "10.0.0.9", "to": "10.0.0.5", "protocol": "udp"});
    assert_eq!(reach(&cloud(), &question, &ReachOptions::default())["reason"], "no_rule");
}

#[test]
fn addresses_that_projects_reuse_are_told_apart_by_network_and_port() {
    let mut cloud = cloud();
    let twin = port("twin", "lonely", "10.0.0.5", &json!({"security_groups": ["g"]}));
    cloud["ports"].as_array_mut().unwrap().push(twin);
    let ask = |narrow: Value| {
        let question =
            with(json!({"from": "10.2.0.9", "to": "10.0.0.5", "protocol": "tcp", "port": 22}), &narrow);
        reach(&cloud, &question, &ReachOptions::default())["reason"].clone()
    };
    assert_eq!(ask(json!({})), "admitted", "reachable if any candidate is");
    assert_eq!(ask(json!({"network": "lonely"})), "admitted");
    assert_eq!(ask(json!({"port_id": "web"})), "no_path");
    assert_eq!(ask(json!({"network": "b"})), "no_such_address");
}

#[test]
fn a_question_that_cannot_be_read_is_said_to_be_bad() {
    assert_eq!(reason(&cloud(), "nonsense", "10.0.0.5", 22), "bad_question");
    assert_eq!(reach(&cloud(), &json!(null), &ReachOptions::default())["reachable"], false);
}
