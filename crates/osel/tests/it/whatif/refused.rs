//! Plans that nobody could carry out, because Neutron would refuse them.

use serde_json::{Value, json};

use super::ground::{Plan, ask, cloud_with, outcome, request};

/// Why requests are refused.
fn not_taken(requests: &[String]) -> String {
    outcome(&requests.join("\n"), cloud_with(json!({}))).expect_err("they are judged").to_string()
}

/// An object with other values in it.
fn with(mut object: Value, more: Value) -> Value {
    object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    object
}

/// Port security that is not known is taken as off, and that is no mistake of the plan.
#[test]
fn what_is_only_assumed_is_not_refused() {
    let port = Plan::default().create(
        "networking_port_v2.p",
        json!({"network_id": "net", "security_group_ids": ["web"]}),
        json!({"id": true, "port_security_enabled": true}),
        json!({"port_security_enabled": {"references": ["local.on"]}}),
    );
    assert_eq!(port.answer().opened(), ["? fixed any all 0.0.0.0/0 by port_v2.p"]);
    // One bound that is not known leaves no range.
    let written = json!({"port_range_min": {"references": ["local.from"]}});
    let rule = json!({"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": null, "port_range_max": 22,
        "remote_ip_prefix": "192.0.2.0/24", "security_group_id": "web"});
    let unknown = json!({"id": true, "port_range_min": true});
    let answer = Plan::default().create("networking_secgroup_rule_v2.r", rule, unknown, written).answer();
    assert!(
        answer.opened().contains(&"10.0.0.6 fixed tcp all 192.0.2.0/24 by secgroup_rule_v2.r".to_owned())
    );
    assert_eq!(
        answer.notes(),
        ["unknown secgroup_rule_v2.r: `port_range_min` is not known; judged as all ports or ICMP types"]
    );
}

#[test]
fn rules_that_neutron_refuses_are_refused() {
    let post = |more: Value| {
        let rule = with(json!({"security_group_id": "web", "direction": "ingress"}), more);
        not_taken(&[request("POST", "security-group-rules", json!({"security_group_rule": rule}))])
    };
    for (more, wanted) in [
        (json!({"port_range_min": 22, "port_range_max": 22}), "it has ports, and no `protocol`"),
        (json!({"protocol": "foo"}), "Neutron knows no such `protocol`"),
        (json!({"remote_ip_prefix": "::/0"}), "its `remote_ip_prefix` is not of its `ethertype`"),
        (json!({"direction": "in"}), "its `direction` is neither ingress nor egress"),
    ] {
        assert_eq!(post(more), format!("request 1: {wanted}"));
    }
}

#[test]
fn a_key_that_neutron_does_not_have_is_refused() {
    let put = |body: Value| request("PUT", "ports/vm1", json!({"port": body}));
    assert_eq!(
        not_taken(&[put(json!({"security_group": ["x"], "port_security": false}))]),
        "request 1 (line 1): Neutron knows no `port_security` of a port"
    );
    assert_eq!(
        not_taken(&[json!({"security_groups": [{"name": "a"}, {"nmae": "b"}]}).to_string()]),
        "request 1 (line 1): Neutron knows no `nmae` of a security_group"
    );
    // What others add to Neutron has their name before it, and may mean anything.
    assert_eq!(
        ask(&put(json!({"apic:erspan": 1}))).notes(),
        ["not_evaluated request 1: `apic:erspan` is of an extension that osel does not know"]
    );
    // What the API shows and does not take changes nothing.
    let shown = json!({"id": "vm1", "status": "ACTIVE", "revision_number": 7, "name": "vm1"});
    assert!(ask(&put(shown)).notes().is_empty());
}

#[test]
fn a_group_in_use_is_not_deleted() {
    let delete = request("DELETE", "security-groups/web", json!(null));
    let in_use = "port vm2 has security group web, and Neutron deletes none in use";
    assert_eq!(not_taken(std::slice::from_ref(&delete)), format!("request 1: {in_use}"));
    let put = request("PUT", "ports/vm2", json!({"port": {"security_groups": []}}));
    assert_eq!(not_taken(&[delete.clone(), put.clone()]), format!("request 1: {in_use}"));
    assert_eq!(ask(&[put, delete].join("\n")).closed().len(), 2);
}

/// Terraform finds its own order, and not all that it does is judged: what is in use still is told and not refused.
#[test]
fn a_group_that_goes_with_terraform_is_in_use_only_at_the_end() {
    let gone = || Plan::default().delete("networking_secgroup_v2.web", json!({"id": "web", "name": "web"}));
    assert_eq!(
        gone().answer().notes(),
        [
            "unknown -: port vm2 has security group web still, which goes: Neutron refuses that; judged as if it could"
        ]
    );
    let port = |groups: Value| json!({"id": "vm2", "network_id": "net", "security_group_ids": groups});
    let plan = gone().update("networking_port_v2.vm2", port(json!(["web"])), port(json!(["def"])));
    let answer = plan.answer();
    assert!(answer.notes().is_empty(), "{answer:?}");
    assert_eq!(answer.closed().len(), 2);
}

#[test]
fn a_port_without_filter_has_no_groups_and_no_pairs() {
    let put = |body: Value| request("PUT", "ports/vm2", json!({"port": body}));
    let no_groups = "port security is off, and then a port has no `security_groups`";
    assert_eq!(not_taken(&[put(json!({"port_security_enabled": false}))]), format!("request 1: {no_groups}"));
    let pairs = json!([{"ip_address": "10.0.0.77"}]);
    let off = json!({"port_security_enabled": false, "security_groups": []});
    assert_eq!(
        not_taken(&[put(with(off.clone(), json!({"allowed_address_pairs": pairs})))]),
        "request 1: port security is off, and then a port has no `allowed_address_pairs`"
    );
    assert_eq!(ask(&put(off.clone())).opened().len(), 2);
    // Once it is off, groups alone are refused, and other changes are not.
    let groups = put(json!({"security_groups": ["web"]}));
    assert_eq!(not_taken(&[put(off.clone()), groups]), format!("request 2: {no_groups}"));
    assert_eq!(ask(&[put(off), put(json!({"name": "x"}))].join("\n")).opened().len(), 2);
    let network =
        request("POST", "networks", json!({"network": {"id": "open", "port_security_enabled": false}}));
    let port = request("POST", "ports", json!({"port": {"network_id": "open", "security_groups": ["web"]}}));
    assert_eq!(not_taken(&[network, port]), format!("request 2: {no_groups}"));
}
