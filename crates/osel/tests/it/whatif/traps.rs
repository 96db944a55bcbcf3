//! What a plan says otherwise than it seems, and what it does not say.

use serde_json::{Value, json};

use super::ground::{Answer, Plan, cloud_with, refers};

/// A rule in the group `web`, with what a test says otherwise; `written` is how it stands in the configuration.
fn rule(more: Value, unknown: Value, written: Value) -> Plan {
    let mut after = json!({"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22,
        "remote_ip_prefix": "192.0.2.0/24", "security_group_id": "web"});
    for (key, value) in more.as_object().unwrap() {
        after[key] = value.clone();
    }
    Plan::default().create("networking_secgroup_rule_v2.r", after, unknown, written)
}

/// What the fixed address of the port in `web` is opened for.
fn opened(plan: &Plan) -> String {
    let rows = plan.answer().opened();
    let row = rows.iter().find_map(|row| row.strip_prefix("10.0.0.6 fixed ")).unwrap_or_default();
    row.replace(" by secgroup_rule_v2.r", "")
}

#[test]
fn zeros_are_not_sent() {
    let range = |protocol: &str, min: u16, max: u16| {
        rule(
            json!({"protocol": protocol, "port_range_min": min, "port_range_max": max}),
            json!({"id": true}),
            json!({}),
        )
    };
    assert_eq!(opened(&range("tcp", 0, 0)), "tcp all 192.0.2.0/24");
    assert_eq!(opened(&range("icmp", 0, 0)), "icmp all 192.0.2.0/24");
    assert_eq!(opened(&range("icmp", 8, 0)), "icmp type-8 192.0.2.0/24");
    assert_eq!(
        range("tcp", 0, 0).answer().notes(),
        ["remark secgroup_rule_v2.r: its range 0 to 0 is not sent, and so means all ports or ICMP types"]
    );
    assert_eq!(
        range("tcp", 0, 80).outcome(cloud_with(json!({}))).unwrap_err().to_string(),
        "openstack_networking_secgroup_rule_v2.r: its `port_range_min` 0 is not sent, and Neutron refuses such a range"
    );
    assert_eq!(opened(&range("tcp", 1, 65535)), "tcp all 192.0.2.0/24");
}

#[test]
fn what_nobody_wrote_is_any() {
    let nothing = json!({"protocol": null, "port_range_min": null, "port_range_max": null});
    assert_eq!(opened(&rule(nothing, json!({"id": true}), json!({}))), "any all 192.0.2.0/24");
    // The provider leaves the three sources unknown where none is written.
    let unknown = json!({"id": true, "remote_ip_prefix": true, "remote_group_id": true, "remote_address_group_id": true});
    let plan = rule(
        json!({"remote_ip_prefix": null}),
        unknown.clone(),
        json!({"protocol": {"constant_value": "tcp"}}),
    );
    assert_eq!(opened(&plan), "tcp 22 0.0.0.0/0");
    assert!(plan.answer().notes().is_empty());
    // Written and not known, it may be any too, and that is said.
    let plan = rule(
        json!({"remote_ip_prefix": null}),
        unknown.clone(),
        json!({"remote_ip_prefix": refers(&["local.office"])}),
    );
    assert_eq!(opened(&plan), "tcp 22 0.0.0.0/0");
    assert_eq!(
        plan.answer().notes(),
        ["unknown secgroup_rule_v2.r: `remote_ip_prefix` is not known; judged as any source"]
    );
    // A group that the plan makes is that group.
    let group = "openstack_networking_secgroup_v2.g";
    let written = json!({"remote_group_id": refers(&[&format!("{group}.id"), group])});
    let plan = rule(json!({"remote_ip_prefix": null}), unknown.clone(), written).create(
        "networking_secgroup_v2.g",
        json!({"name": "g"}),
        json!({"id": true}),
        json!({}),
    );
    assert_eq!(opened(&plan), "tcp 22 secgroup_v2.g");
    // Without a configuration nobody can tell.
    let plan = rule(json!({"remote_ip_prefix": null}), unknown, json!({})).with("configuration", Value::Null);
    assert_eq!(opened(&plan), "tcp 22 0.0.0.0/0");
    assert_eq!(plan.answer().notes().len(), 2);
}

#[test]
fn values_that_are_not_known_are_judged_as_the_widest() {
    let plan = rule(
        json!({"protocol": null, "port_range_min": null, "port_range_max": null}),
        json!({"id": true, "protocol": true, "port_range_min": true, "port_range_max": true}),
        json!({"protocol": refers(&["local.p"]), "port_range_min": refers(&["local.a"]), "port_range_max": refers(&["local.b"])}),
    );
    assert_eq!(opened(&plan), "any all 192.0.2.0/24");
    assert_eq!(
        plan.answer().notes(),
        ["unknown secgroup_rule_v2.r: `protocol` is not known; judged as any, with all ports"]
    );
}

/// Locals are not in a plan: the group may be any that the plan makes, and is judged as each of them.
#[test]
fn a_group_that_cannot_be_told_is_all_that_are_made() {
    let plan = rule(
        json!({"security_group_id": null}),
        json!({"id": true, "security_group_id": true}),
        json!({"security_group_id": refers(&["local.group"])}),
    );
    let plan = ["a", "b"].into_iter().fold(plan, |plan, name| {
        plan.create(
            &format!("networking_secgroup_v2.{name}"),
            json!({"name": name}),
            json!({"id": true}),
            json!({}),
        )
    });
    let group = "openstack_networking_secgroup_v2.b";
    let plan = plan.create(
        "networking_port_v2.p",
        json!({"network_id": "net", "security_group_ids": [null]}),
        json!({"id": true, "security_group_ids": [true]}),
        json!({"security_group_ids": refers(&[&format!("{group}.id"), group])}),
    );
    let answer = plan.answer();
    assert_eq!(answer.opened(), ["? fixed tcp 22 192.0.2.0/24 by secgroup_rule_v2.r"]);
    assert_eq!(
        answer.notes(),
        [
            "unknown secgroup_rule_v2.r: which security_group `security_group_id` is cannot be told; judged as any of the 2 that the plan makes"
        ]
    );
}

#[test]
fn a_data_source_that_is_read_later_is_found_by_its_name() {
    let mut plan: Value = serde_json::from_str(
        &rule(json!({"security_group_id": null}), json!({"id": true, "security_group_id": true}),
            json!({"security_group_id": refers(&["data.openstack_networking_secgroup_v2.web.id", "data.openstack_networking_secgroup_v2.web"])}))
        .text(),
    )
    .unwrap();
    plan["resource_changes"].as_array_mut().unwrap().push(json!({
        "address": "data.openstack_networking_secgroup_v2.web", "mode": "data", "type": "openstack_networking_secgroup_v2", "name": "web",
        "change": {"actions": ["read"], "before": null, "after": {"name": "web"}, "after_unknown": {"id": true}}}));
    let cloud = cloud_with(json!({}));
    let planned = osel::planned::read_terraform(plan.to_string().as_bytes(), &cloud, None).unwrap();
    let outcome = osel::planned::Overlay::new(cloud, super::ground::now(), None).perform(planned).unwrap();
    assert_eq!(Answer::of(&outcome).opened().len(), 2);
}

#[test]
fn ports_with_and_without_groups() {
    let port = |more: Value, unknown: Value| {
        let mut after = json!({"network_id": "net", "security_group_ids": null, "no_security_groups": null, "fixed_ip": [{"subnet_id": null, "ip_address": "10.0.0.50"}]});
        after.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut all = json!({"id": true, "all_security_group_ids": true, "port_security_enabled": true, "tenant_id": true});
        all.as_object_mut().unwrap().extend(unknown.as_object().unwrap().clone());
        Plan::default()
            .create("networking_port_v2.p", after, all, json!({"network_id": {"constant_value": "net"}}))
            .answer()
    };
    // Without any it gets the default group of its project.
    assert_eq!(port(json!({}), json!({})).opened(), ["10.0.0.50 fixed any all def by port_v2.p"]);
    // The provider sends no list of none.
    assert_eq!(
        port(json!({"security_group_ids": []}), json!({})).opened(),
        ["10.0.0.50 fixed any all def by port_v2.p"]
    );
    assert!(port(json!({"no_security_groups": true}), json!({})).opened().is_empty());
    let open = port(json!({"port_security_enabled": false}), json!({"port_security_enabled": false}));
    assert_eq!(open.opened(), ["10.0.0.50 fixed any all 0.0.0.0/0 by port_v2.p"]);
    let pair =
        port(json!({"allowed_address_pairs": [{"ip_address": "0.0.0.0/0", "mac_address": null}]}), json!({}));
    assert!(pair.opened().contains(&"0.0.0.0/0 pair any all def by port_v2.p".to_owned()), "{pair:?}");
}

#[test]
fn what_leaves_the_state_stays_in_the_cloud() {
    let before = json!({"id": "http", "security_group_id": "web"});
    let forget = json!({"actions": ["forget"], "before": before, "after": null});
    let answer = Plan::default().change("networking_secgroup_rule_v2.http", forget, json!({})).answer();
    assert!(answer.closed().is_empty());
    assert_eq!(
        answer.notes(),
        ["remark secgroup_rule_v2.http: leaves Terraform's state; what it stands for stays as it is"]
    );
}

#[test]
fn what_is_known_of_the_plan_itself_is_told() {
    let name = |address: &str| json!({"address": address, "type": address.split('.').next().unwrap()});
    let plan = Plan::default()
        .with("errored", json!(true))
        .with("complete", json!(false))
        .with(
            "deferred_changes",
            json!([{"reason": "x", "resource_change": name("openstack_networking_port_v2.p")}]),
        )
        .with("resource_drift", json!([name("openstack_networking_port_v2.q"), name("terraform_data.x")]));
    assert_eq!(
        plan.answer().notes(),
        [
            "not_evaluated -: planning ended with an error: the plan has only a part of the changes",
            "not_evaluated -: the plan is not complete: applying it leaves changes for another run",
            "not_evaluated port_v2.p: its change is left for another run",
            "remark port_v2.q: was changed outside of Terraform",
        ]
    );
}

/// Values that the plan marks as sensitive are judged and never shown.
#[test]
fn secrets_are_judged_and_not_shown() {
    let change = |after: Value, sensitive: Value| json!({"actions": ["create"], "before": null, "after": after, "after_unknown": {"id": true}, "after_sensitive": sensitive});
    let rule = json!({"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22,
        "remote_ip_prefix": "93.184.216.0/24", "security_group_id": "web"});
    let wide = json!({"direction": "ingress", "ethertype": "IPv4", "protocol": "udp", "remote_ip_prefix": "10.0.0.0/7", "security_group_id": "web"});
    let port = json!({"network_id": "net", "name": "hunter2", "security_group_ids": ["web"], "fixed_ip": [{"ip_address": "10.0.0.66"}]});
    let group = json!({"name": "hunter2", "addresses": ["203.0.113.77/32"]});
    let plan = Plan::default()
        .change("networking_secgroup_rule_v2.r", change(rule, json!({"remote_ip_prefix": true})), json!({}))
        .change(
            "networking_secgroup_rule_v2.wide",
            change(wide, json!({"remote_ip_prefix": true})),
            json!({}),
        )
        .change(
            "networking_port_v2.p",
            change(port, json!({"name": true, "fixed_ip": [{"ip_address": true}]})),
            json!({}),
        )
        .change(
            "networking_address_group_v2.a",
            change(group, json!({"name": true, "addresses": [true]})),
            json!({}),
        );
    let outcome = plan.outcome(cloud_with(json!({}))).unwrap();
    let answer = Answer::of(&outcome);
    assert!(
        answer
            .opened()
            .contains(&"198.51.100.10 floating tcp 22 sensitive by secgroup_rule_v2.r *".to_owned()),
        "{answer:?}"
    );
    assert_eq!(answer.0["members"][0]["gained_hidden"], 1);
    let artifact = osel::planned::Artifact { uri: "plan.json".to_owned() };
    let sarif = osel::planned::sarif(&outcome, &artifact, "1", true).to_string();
    for text in [answer.0.to_string(), sarif] {
        for secret in ["93.184.216", "10.0.0.0/7", "11.0.0.0", "10.0.0.66", "hunter2", "203.0.113.77"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

/// A module whose whole input is sensitive marks every value: ids are none that may be shown either, in rows, ways and notes.
#[test]
fn ids_that_are_marked_are_not_shown() {
    let change = |after: Value| json!({"actions": ["create"], "before": null, "after": after, "after_unknown": {"id": true}, "after_sensitive": true});
    let rule = |group: &str, remote: Value| {
        let mut rule = json!({"direction": "ingress", "ethertype": "IPv4", "security_group_id": group});
        rule.as_object_mut().unwrap().extend(remote.as_object().unwrap().clone());
        change(rule)
    };
    let plan = Plan::default()
        .change(
            "networking_port_v2.p",
            change(json!({"network_id": "secret-net", "device_id": "secret-device", "tenant_id": "secret-project",
                "security_group_ids": ["secret-group", "secret-gap"]})),
            json!({}),
        )
        .change("networking_port_v2.q", change(json!({"network_id": "secret-net", "port_security_enabled": false})), json!({}))
        .change("networking_secgroup_rule_v2.a", rule("secret-group", json!({"remote_group_id": "secret-source"})), json!({}))
        .change("networking_secgroup_rule_v2.b", rule("secret-nobody", json!({"remote_ip_prefix": "0.0.0.0/0"})), json!({}));
    let more = json!({
        "networks": [{"id": "secret-net", "name": "flat", "router:external": true}],
        "subnets": [{"id": "s", "network_id": "secret-net", "cidr": "198.18.0.0/24"}],
        "security_groups": [{"id": "secret-group", "name": "x"}, {"id": "secret-source", "name": "y"}],
        "security_group_rules": [
            {"id": "own", "security_group_id": "secret-group", "direction": "ingress", "ethertype": "IPv4", "remote_group_id": "secret-group"},
            {"id": "all", "security_group_id": "secret-group", "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp"},
        ],
    });
    let outcome = plan.outcome(cloud_with(more)).unwrap();
    let answer = Answer::of(&outcome);
    assert!(answer.opened().len() >= 3 && answer.notes().len() >= 2, "{answer:?}");
    assert!(answer.0["opened"].as_array().unwrap().iter().any(|row| row["internet"] == true), "{answer:?}");
    let artifact = osel::planned::Artifact { uri: "plan.json".to_owned() };
    let sarif = osel::planned::sarif(&outcome, &artifact, "1", true).to_string();
    for text in [answer.0.to_string(), sarif] {
        let at = text.find("secret-");
        assert_eq!(at.map(|at| &text[at.saturating_sub(100)..]), None);
    }
}
