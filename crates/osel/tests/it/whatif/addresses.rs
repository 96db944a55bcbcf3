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

fn range(mode: &str) -> Value {
    json!({"ip_version": 6, "cidr": "2001:db8:1::/64", "ipv6_address_mode": mode})
}

/// Neutron gives them one when the subnet is made, and leaves it to them when their other addresses change.
#[test]
fn a_subnet_whose_addresses_come_by_themselves_gives_one_to_each_port() {
    for (mode, wanted) in [
        ("slaac", &["? fixed tcp 22 ::/0 by request 1 *"][..]),
        ("dhcpv6-stateless", &["? fixed tcp 22 ::/0 by request 1 *"]),
        ("dhcpv6-stateful", &[]),
    ] {
        let moved = json!({"port": {"fixed_ips": [{"subnet_id": "sub", "ip_address": "10.0.0.66"}]}});
        let moved = request("PUT", "ports/vm2", moved);
        for requests in [&[subnet(range(mode))][..], &[subnet(range(mode)), moved]] {
            let answer = answer(requests);
            let six: Vec<_> = answer.opened().into_iter().filter(|row| row.contains("::/0")).collect();
            assert_eq!(six, wanted, "{mode} {requests:?}");
        }
    }
}

#[test]
fn a_new_port_gets_such_an_address_beside_those_that_it_asks_for() {
    let asks = || port(json!({"fixed_ips": [{"subnet_id": "sub"}]}));
    assert_eq!(answer(&[subnet(range("slaac")), asks()]).opened().len(), 3, "vm2, and both of the new one");
    assert_eq!(answer(&[subnet(range("dhcpv6-stateful")), asks()]).opened(), [HTTP]);
    // Nobody knows of a subnet that is there.
    let mut more = ssh6();
    more["subnets"] = json!([{"id": "six", "network_id": "net", "cidr": "2001:db8:1::/64"}]);
    let there = Answer::of(&outcome(&asks(), cloud_with(more)).unwrap());
    let rows = ["? fixed tcp 80 0.0.0.0/0 by request 1", "? fixed tcp 22 ::/0 by request 1 *"];
    assert_eq!(there.opened(), rows);
    assert_eq!(
        there.notes(),
        [
            "unknown request 1: whether subnet six gives every port on its network an address is not known; judged as if it did"
        ]
    );
}

#[test]
fn a_mode_that_terraform_does_not_tell_gives_addresses() {
    let answer = |version: u8, written: Value| {
        let plan = Plan::default().create(
            "networking_subnet_v2.s",
            json!({"network_id": "net", "ip_version": version, "cidr": if version == 6 { "2001:db8:1::/64" } else { "10.1.0.0/24" }}),
            json!({"id": true, "ipv6_address_mode": true}),
            written,
        );
        Answer::of(&plan.outcome(cloud_with(ssh6())).unwrap())
    };
    let told = answer(6, json!({"ipv6_address_mode": refers(&["var.mode"])}));
    assert_eq!(told.opened(), ["? fixed tcp 22 ::/0 by subnet_v2.s *"]);
    assert_eq!(
        told.notes(),
        [
            "unknown subnet_v2.s: `ipv6_address_mode` is not known; judged as if every port on its network got an address"
        ]
    );
    for (version, written) in [(6, json!({})), (4, json!({"ipv6_address_mode": refers(&["var.mode"])}))] {
        let answer = answer(version, written);
        assert!(answer.opened().is_empty() && answer.notes().is_empty(), "{version} {:?}", answer.notes());
    }
}
