//! Addresses that Neutron gives to ports by itself, and of which families.

use serde_json::{Value, json};

use super::ground::{Answer, Plan, cloud_with, outcome, refers, request};

/// A rule of IPv6 in the group `web`.
fn ssh6() -> Value {
    json!({"security_group_rules": [{"id": "ssh6", "security_group_id": "web", "direction": "ingress", "ethertype": "IPv6",
        "protocol": "tcp", "port_range_min": 22, "port_range_max": 22}]})
}

fn answer(requests: &[String]) -> Answer {
    Answer::of(&outcome(&requests.join("\n"), cloud_with(ssh6())).unwrap())
}

fn subnet(more: Value) -> String {
    let mut subnet = json!({"id": "six", "network_id": "net"});
    subnet.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request("POST", "subnets", json!({"subnet": subnet}))
}

fn port(more: Value) -> String {
    let mut port = json!({"network_id": "net", "security_groups": ["web"]});
    port.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request("POST", "ports", json!({"port": port}))
}

const HTTP: &str = "? fixed tcp 80 0.0.0.0/0 by request 2";
const SSH6: &str = "? fixed tcp 22 ::/0 by request 2 *";

/// A pool gives the range when the subnet is made: it may be a public one.
#[test]
fn a_subnet_of_ipv6_without_a_range_gives_addresses_of_ipv6() {
    let pool = || subnet(json!({"ip_version": 6, "subnetpool_id": "pool"}));
    assert_eq!(answer(&[pool(), port(json!({}))]).opened(), [HTTP, SSH6]);
    assert_eq!(answer(&[pool(), port(json!({"fixed_ips": [{"subnet_id": "six"}]}))]).opened(), [SSH6]);
    // The pool alone tells the version.
    let either = answer(&[
        subnet(json!({"subnetpool_id": "pool"})),
        port(json!({"fixed_ips": [{"subnet_id": "six"}]})),
    ]);
    assert_eq!(either.opened(), [HTTP, SSH6]);
    assert!(!either.0.to_string().contains("3fff"), "no made-up address is shown: {}", either.0);
}

#[test]
fn a_subnet_of_a_pool_in_terraform_has_its_version() {
    let plan = |fixed: Value, unknown: Value| {
        let subnet = "openstack_networking_subnet_v2.six";
        let written = json!({"fixed_ip": [{"subnet_id": refers(&[&format!("{subnet}.id"), subnet])}]});
        let plan = Plan::default()
            .create(
                "networking_subnet_v2.six",
                json!({"network_id": "net", "ip_version": 6, "subnetpool_id": "pool", "prefix_length": 64}),
                json!({"id": true, "cidr": true}),
                json!({}),
            )
            .create(
                "networking_port_v2.p",
                json!({"network_id": "net", "security_group_ids": ["web"], "fixed_ip": fixed}),
                json!({"id": true, "fixed_ip": unknown}),
                written,
            );
        Answer::of(&plan.outcome(cloud_with(ssh6())).unwrap()).opened()
    };
    let (http, ssh6) = ("? fixed tcp 80 0.0.0.0/0 by port_v2.p", "? fixed tcp 22 ::/0 by port_v2.p *");
    assert_eq!(plan(json!([]), json!([])), [http, ssh6]);
    assert_eq!(plan(json!([{"ip_address": ""}]), json!([{"subnet_id": true}])), [ssh6]);
}
