//! What Neutron adds by itself to what it is asked for.

use osel_core::ids::Id;
use osel_core::model::{Kind, View};
use serde_json::{Value, json};

use super::ground::{Answer, PROJECT, ask, cloud_with, outcome, request};

fn post_port(body: Value) -> String {
    let mut port = json!({"network_id": "net"});
    port.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    request("POST", "ports", json!({"port": port}))
}

#[test]
fn a_port_without_groups_gets_the_default_group_and_an_address() {
    let answer = ask(&post_port(json!({})));
    assert_eq!(answer.opened(), ["? fixed any all def by request 1"]);
    let row = &answer.0["opened"][0];
    let hidden = json!({"why": "known_after_apply", "resource": "request 1"});
    for key in ["address", "fixed_ip", "port_id"] {
        assert_eq!((&row[key], &row["hidden"][key]), (&json!(null), &hidden), "{key}");
    }
    assert_eq!((&row["rule_id"], &row["project_id"]), (&json!("def4"), &json!(PROJECT)));
    // It is one more of the group's addresses, which nobody knows yet.
    let members = &answer.0["members"][0];
    assert_eq!((&members["gained"], &members["gained_hidden"]), (&json!([]), &json!(1)));
    // Null is no list.
    assert_eq!(ask(&post_port(json!({"security_groups": null}))).opened(), answer.opened());
    // An empty list is no group at all.
    assert!(ask(&post_port(json!({"security_groups": []}))).0["opened"].as_array().unwrap().is_empty());
    // Neutron's own ports are not filtered, and have no rows.
    assert!(
        ask(&post_port(json!({"device_owner": "network:dhcp"}))).0["opened"].as_array().unwrap().is_empty()
    );
}

#[test]
fn a_default_group_that_is_not_known_is_told() {
    let port = post_port(json!({"project_id": "another"}));
    assert_eq!(
        ask(&port).notes(),
        ["unknown request 1: it gets the default group of project another, which osel does not know"]
    );
}

#[test]
fn port_security_is_the_networks() {
    let network = |on: bool| {
        request("POST", "networks", json!({"network": {"id": "open", "port_security_enabled": on}}))
    };
    let subnet = request("POST", "subnets", json!({"subnet": {"network_id": "open", "cidr": "10.9.0.0/24"}}));
    let port = request(
        "POST",
        "ports",
        json!({"port": {"network_id": "open", "fixed_ips": [{"ip_address": "10.9.0.9"}]}}),
    );
    let plan = |on| [network(on), subnet.clone(), port.clone()].concat();
    assert_eq!(ask(&plan(false)).opened(), ["10.9.0.9 fixed any all 0.0.0.0/0 by request 3"]);
    assert_eq!(ask(&plan(true)).opened(), ["10.9.0.9 fixed any all def by request 3"]);
    // Of a network that was there its ports tell.
    let more = json!({"networks": [{"id": "flat"}],
        "ports": [{"id": "x", "network_id": "flat", "port_security_enabled": false, "device_owner": "compute:nova"},
            {"id": "dhcp", "network_id": "flat", "device_owner": "network:dhcp"}]});
    let port = request(
        "POST",
        "ports",
        json!({"port": {"network_id": "flat", "fixed_ips": [{"ip_address": "10.9.0.9"}]}}),
    );
    let answer = Answer::of(&outcome(&port, cloud_with(more)).unwrap());
    assert_eq!(answer.opened(), ["10.9.0.9 fixed any all 0.0.0.0/0 by request 1"]);
    assert_eq!(
        answer.notes(),
        [
            "unknown request 1: whether its network turns port security off cannot be told; judged as off, as for all other ports there"
        ]
    );
}

#[test]
fn a_floating_ip_gets_an_address_an_inner_address_and_a_router() {
    let floating = |body: Value| request("POST", "floatingips", json!({"floatingip": body}));
    let answer = ask(&floating(json!({"floating_network_id": "ext", "port_id": "vm2"})));
    assert_eq!(answer.opened(), ["? floating tcp 80 0.0.0.0/0 by request 1 *"]);
    let row = &answer.0["opened"][0];
    assert_eq!((&row["fixed_ip"], &row["address"]), (&json!("10.0.0.6"), &json!(null)));
    let path = row["reach"]["path"].as_array().unwrap();
    assert_eq!(path[0]["note"], "(new) to 10.0.0.6");
    assert_eq!(path[1]["id"], "r1");
    assert!(answer.notes().is_empty());
    // Without a port it opens nothing.
    assert!(ask(&floating(json!({"floating_network_id": "ext"}))).0["opened"].as_array().unwrap().is_empty());
}

#[test]
fn a_floating_ip_moves_with_all_that_hangs_on_it() {
    let to_vm1 = request("PUT", "floatingips/f1", json!({"floatingip": {"port_id": "vm1"}}));
    let cloud = cloud_with(json!({}));
    let result = outcome(&to_vm1, cloud).unwrap();
    let answer = Answer::of(&result);
    assert_eq!(answer.opened(), ["198.51.100.10 floating any all def by request 1"]);
    assert_eq!(answer.closed(), ["198.51.100.10 floating tcp 80 0.0.0.0/0 by request 1"]);
    let off = request("PUT", "floatingips/f1", json!({"floatingip": {"port_id": null}}));
    assert_eq!(ask(&off).closed(), ["198.51.100.10 floating tcp 80 0.0.0.0/0 by request 1"]);
    // A change of something else leaves it where it is.
    let described = request("PUT", "floatingips/f1", json!({"floatingip": {"description": "x"}}));
    assert!(ask(&described).0["closed"].as_array().unwrap().is_empty());
}

#[test]
fn a_router_that_nobody_knows_is_assumed() {
    let more = json!({"networks": [{"id": "lone"}], "subnets": [{"id": "ls", "network_id": "lone", "cidr": "10.8.0.0/24"}],
        "ports": [{"id": "vm9", "network_id": "lone", "security_groups": ["web"], "fixed_ips": [{"ip_address": "10.8.0.8"}]}]});
    let floating = request(
        "POST",
        "floatingips",
        json!({"floatingip": {"floating_network_id": "ext", "port_id": "vm9"}}),
    );
    let answer = Answer::of(&outcome(&floating, cloud_with(more)).unwrap());
    assert_eq!(answer.opened(), ["? floating tcp 80 0.0.0.0/0 by request 1 *"]);
    assert_eq!(
        answer.notes(),
        ["unknown request 1: no router that osel knows leads to its port; judged as if there were one"]
    );
}

/// Addresses that Neutron will choose are ones of the subnet that nobody has.
#[test]
fn new_ports_have_addresses_of_their_own() {
    let more = json!({"subnets": [{"id": "tiny", "network_id": "t", "cidr": "10.7.0.0/29"}], "networks": [{"id": "t"}],
        "ports": [{"id": "taken", "network_id": "t", "fixed_ips": [{"ip_address": "10.7.0.6"}]}]});
    let port = request(
        "POST",
        "ports",
        json!({"ports": [{"network_id": "t", "security_groups": ["web"]}, {"network_id": "t", "security_groups": ["web"]}]}),
    );
    let answer = Answer::of(&outcome(&port, cloud_with(more)).unwrap());
    assert_eq!(answer.opened(), ["? fixed tcp 80 0.0.0.0/0 by request 1"; 2]);
    let ports: Vec<_> =
        answer.0["opened"].as_array().unwrap().iter().map(|row| row["redundant"].clone()).collect();
    assert_eq!(ports, [false, false], "they are different addresses, so that neither covers the other");
}

#[test]
fn nothing_of_the_plan_stays_in_a_model_that_was_copied() {
    let cloud = cloud_with(json!({}));
    let rows = osel_core::exposure::rows(&cloud);
    outcome(&request("DELETE", "ports/vm2", json!(null)), cloud.clone()).unwrap();
    assert!(cloud.knows(Kind::Port, &Id::new("vm2")) && cloud.port_slot(&Id::new("vm2")).is_some());
    assert_eq!(osel_core::exposure::rows(&cloud), rows);
}
