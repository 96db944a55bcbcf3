//! Plans that nobody could carry out: in which a value is not what the provider's schema says, and which Neutron would refuse.

use osel::planned::read_terraform;
use serde_json::{Value, json};

use super::ground::{Plan, ask, cloud_with, outcome, request};

/// Why a plan of Terraform is refused.
fn refused(plan: &Plan) -> String {
    plan.outcome(cloud_with(json!({})))
        .expect_err("it is judged")
        .to_string()
        .replace("openstack_networking_", "")
}

/// Why requests are refused.
fn not_taken(requests: &[String]) -> String {
    outcome(&requests.join("\n"), cloud_with(json!({}))).expect_err("they are judged").to_string()
}

/// An object with other values in it.
fn with(mut object: Value, more: Value) -> Value {
    object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    object
}

/// A rule of the group `web`, otherwise in one value.
fn rule(more: Value) -> Plan {
    let rule = json!({"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22,
        "remote_ip_prefix": "0.0.0.0/0", "security_group_id": "web"});
    Plan::default().create("networking_secgroup_rule_v2.r", with(rule, more), json!({"id": true}), json!({}))
}

#[test]
fn a_rule_whose_values_are_not_the_providers_is_refused() {
    assert_eq!(rule(json!({})).answer().opened().len(), 2);
    for (more, wanted) in [
        (json!({"security_group_id": 7}), "`security_group_id` is no text"),
        (json!({"security_group_id": ["web"]}), "`security_group_id` is no text"),
        (json!({"security_group_id": null}), "`security_group_id` is missing"),
        (json!({"port_range_min": "22"}), "`port_range_min` is no whole number"),
        (json!({"direction": "in"}), "`direction` is none of ingress, egress"),
        (json!({"ethertype": 4}), "`ethertype` is none of IPv4, IPv6"),
        (json!({"ethertype": null}), "`ethertype` is missing"),
        (json!({"remote_ip_prefix": 0}), "`remote_ip_prefix` is no text"),
        (
            json!({"port_range_min": 100, "port_range_max": 50}),
            "its ports need a `port_range_min` from 1 on and a `port_range_max` that is not below it",
        ),
        (json!({"protocol": null}), "it has ports, and no `protocol`"),
        (
            json!({"remote_group_id": "def"}),
            "it has more than one of `remote_ip_prefix`, `remote_group_id`, `remote_address_group_id`",
        ),
    ] {
        assert_eq!(refused(&rule(more.clone())), format!("secgroup_rule_v2.r: {wanted}"), "{more}");
    }
}

/// The last one of two would count, and a reader may go by the first.
#[test]
fn a_name_that_stands_twice_in_an_object_is_refused() {
    let plan = rule(json!({})).with("variables", json!({"x": {"value": {"y": "z"}}})).text();
    let cloud = cloud_with(json!({}));
    assert!(read_terraform(plan.as_bytes(), &cloud, None).is_ok());
    for (once, twice) in [
        (r#""direction":"ingress""#, r#""direction":"ingress","direction":"egress""#),
        (r#""before":null"#, r#""before":{"id":"a","id":"b"}"#),
        (r#""after_unknown":{"id":true}"#, r#""after_unknown":{"id":true,"id":false}"#),
        (r#""expressions":{}"#, r#""expressions":{"a":{"references":[],"references":["local.a"]}}"#),
        (r#""root_module":{"#, r#""root_module":{"module_calls":{"a":{},"a":{}},"#),
        (r#""y":"z""#, r#""y":"z","y":"a""#),
        (r#""x":{"#, r#""x":{"value":1},"x":{"#),
        (r#""actions":["create"]"#, r#""actions":["create"],"actions":["no-op"]"#),
    ] {
        assert!(plan.contains(once), "{once}");
        let twice = plan.replacen(once, twice, 1);
        let error = read_terraform(twice.as_bytes(), &cloud, None).expect_err(once).to_string();
        assert!(error.ends_with("has a name for the second time in one object"), "{once}: {error}");
    }
}

#[test]
fn an_action_that_nobody_knows_is_refused() {
    let wrong = "secgroup_rule_v2.http: `actions` are not of no-op, create, read, update, delete, forget";
    for actions in [json!(["frobnicate"]), json!([]), json!(["CREATE"])] {
        let change = json!({"actions": actions, "before": null, "after": {}, "after_unknown": {}});
        assert_eq!(
            refused(&Plan::default().change("networking_secgroup_rule_v2.http", change, json!({}))),
            wrong
        );
    }
    let nameless = json!({"actions": ["delete"], "before": {"security_group_id": "web"}, "after": null});
    let nameless = Plan::default().change("networking_secgroup_rule_v2.http", nameless, json!({}));
    assert_eq!(refused(&nameless), "secgroup_rule_v2.http: it is there, and its `id` is missing");
}

#[test]
fn what_leads_to_ports_is_what_the_schema_says() {
    let port = |more: Value| {
        let port = with(json!({"network_id": "net", "security_group_ids": ["web"]}), more);
        refused(&Plan::default().create("networking_port_v2.p", port, json!({"id": true}), json!({})))
    };
    assert_eq!(port(json!({"security_group_ids": [7]})), "port_v2.p: `security_group_ids[0]` is no text");
    assert_eq!(port(json!({"security_group_ids": "web"})), "port_v2.p: `security_group_ids` is no list");
    assert_eq!(
        port(json!({"allowed_address_pairs": "0.0.0.0/0"})),
        "port_v2.p: `allowed_address_pairs` is no list"
    );
    assert_eq!(
        port(json!({"no_security_groups": true})),
        "port_v2.p: it has `no_security_groups`, and yet `security_group_ids`"
    );
    assert_eq!(
        port(json!({"port_security_enabled": false})),
        "port_v2.p: port security is off, and then a port has no `security_groups`"
    );
    let floating = Plan::default().create(
        "networking_floatingip_v2.f",
        json!({"pool": "public", "port_id": 7}),
        json!({"id": true, "address": true}),
        json!({}),
    );
    assert_eq!(refused(&floating), "floatingip_v2.f: `port_id` is no text");
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
fn a_member_that_is_missing_is_named() {
    let plan = r#"{"resource_changes":[{"type":"openstack_x"}]}"#;
    let error = read_terraform(plan.as_bytes(), &cloud_with(json!({})), None).unwrap_err();
    assert_eq!(error.to_string(), "line 1 column 43 ends an object without `address`");
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
