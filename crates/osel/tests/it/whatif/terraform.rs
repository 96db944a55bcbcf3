//! Each type of resource of the provider.

use serde_json::{Value, json};

use super::ground::{Answer, PROJECT, Plan, cloud_with, refers};

const NOTHING: [&str; 0] = [];

fn group(plan: Plan, name: &str) -> Plan {
    let unknown = json!({"id": true, "all_tags": true, "description": true, "region": true, "stateful": true, "tenant_id": true});
    let after = json!({"name": name, "delete_default_rules": null, "tags": null, "timeouts": null});
    plan.create(
        &format!("networking_secgroup_v2.{name}"),
        after,
        unknown,
        json!({"name": {"constant_value": name}}),
    )
}

/// A rule for SSH from everywhere in a group that the plan makes.
fn ssh(plan: Plan, address: &str, group: &str) -> Plan {
    let after = json!({"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22,
        "remote_ip_prefix": "0.0.0.0/0", "description": null, "timeouts": null});
    let unknown = json!({"id": true, "region": true, "remote_address_group_id": true, "remote_group_id": true,
        "security_group_id": true, "tenant_id": true});
    let group = format!("openstack_networking_secgroup_v2.{group}");
    let expressions = json!({"remote_ip_prefix": {"constant_value": "0.0.0.0/0"}, "security_group_id": refers(&[&format!("{group}.id"), &group])});
    plan.create(address, after, unknown, expressions)
}

fn port(plan: Plan, name: &str, groups: &[&str]) -> Plan {
    let after = json!({"name": name, "network_id": "net", "no_security_groups": null, "no_fixed_ip": null, "fixed_ip": [],
        "allowed_address_pairs": [], "security_group_ids": groups.iter().map(|_| Value::Null).collect::<Vec<_>>()});
    let unknown = json!({"id": true, "all_fixed_ips": true, "all_security_group_ids": true, "binding": true, "mac_address": true,
        "device_id": true, "device_owner": true, "port_security_enabled": true, "tenant_id": true, "admin_state_up": true,
        "security_group_ids": groups.iter().map(|_| true).collect::<Vec<_>>(), "fixed_ip": [], "allowed_address_pairs": []});
    let references: Vec<String> = groups
        .iter()
        .flat_map(|group| {
            let group = format!("openstack_networking_secgroup_v2.{group}");
            [format!("{group}.id"), group]
        })
        .collect();
    let references: Vec<&str> = references.iter().map(String::as_str).collect();
    let expressions =
        json!({"network_id": {"constant_value": "net"}, "security_group_ids": refers(&references)});
    plan.create(&format!("networking_port_v2.{name}"), after, unknown, expressions)
}

fn floating(plan: Plan, name: &str, port: Option<&str>) -> Plan {
    let after = json!({"pool": "public", "subnet_ids": null, "description": null});
    let unknown = json!({"id": true, "address": true, "fixed_ip": true, "port_id": true, "tenant_id": true});
    let mut expressions = json!({"pool": {"constant_value": "public"}});
    if let Some(port) = port {
        let port = format!("openstack_networking_port_v2.{port}");
        expressions["port_id"] = refers(&[&format!("{port}.id"), &port]);
    }
    plan.create(&format!("networking_floatingip_v2.{name}"), after, unknown, expressions)
}

#[test]
fn a_whole_server_is_opened_by_its_rule() {
    let plan = floating(
        port(ssh(group(Plan::default(), "ssh"), "networking_secgroup_rule_v2.ssh", "ssh"), "vm", &["ssh"]),
        "vm",
        Some("vm"),
    );
    let answer = plan.answer();
    // Both addresses are known after the change; the rule is told, although port and floating IP are new too.
    assert_eq!(
        answer.opened(),
        [
            "? fixed tcp 22 0.0.0.0/0 by secgroup_rule_v2.ssh",
            "? floating tcp 22 0.0.0.0/0 by secgroup_rule_v2.ssh *",
        ]
    );
    assert_eq!(answer.notes(), NOTHING);
    let row = &answer.0["opened"][1];
    assert_eq!(row["hidden"]["address"]["resource"], "openstack_networking_floatingip_v2.vm");
    assert_eq!(row["hidden"]["fixed_ip"]["resource"], "openstack_networking_port_v2.vm");
    let path = row["reach"]["path"].as_array().unwrap();
    let resources: Vec<_> = path.iter().map(|hop| hop["resource"].as_str().unwrap_or("-")).collect();
    assert_eq!(
        resources,
        [
            "openstack_networking_floatingip_v2.vm",
            "-",
            "-",
            "openstack_networking_port_v2.vm",
            "openstack_networking_secgroup_v2.ssh",
            "openstack_networking_secgroup_rule_v2.ssh",
        ]
    );
    assert_eq!(path[0]["note"], "(new) to (new)");
    assert!(!answer.0.to_string().contains("240.0."), "no made-up address is shown: {}", answer.0);
}

#[test]
fn a_rule_for_a_group_that_is_there_opens_its_ports() {
    let after = json!({"direction": "ingress", "ethertype": "IPv4", "protocol": "udp", "port_range_min": 53, "port_range_max": 53,
        "remote_ip_prefix": "198.51.100.0/24", "security_group_id": "web"});
    let plan =
        Plan::default().create("networking_secgroup_rule_v2.dns", after, json!({"id": true}), json!({}));
    assert_eq!(
        plan.answer().opened(),
        [
            "10.0.0.6 fixed udp 53 198.51.100.0/24 by secgroup_rule_v2.dns",
            "198.51.100.10 floating udp 53 198.51.100.0/24 by secgroup_rule_v2.dns",
        ]
    );
}

#[test]
fn a_rule_that_is_replaced_by_its_like_changes_nothing() {
    let before = json!({"id": "http", "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 80,
        "port_range_max": 80, "remote_ip_prefix": "0.0.0.0/0", "security_group_id": "web", "description": "a"});
    let mut after = before.clone();
    after.as_object_mut().unwrap().remove("id");
    for actions in [json!(["delete", "create"]), json!(["create", "delete"])] {
        let change =
            json!({"actions": actions, "before": before, "after": after, "after_unknown": {"id": true}});
        let answer = Plan::default().change("networking_secgroup_rule_v2.http", change, json!({})).answer();
        assert_eq!((answer.opened(), answer.closed()), (vec![], vec![]));
        assert_eq!(answer.0["opened"].as_array().unwrap().len(), 2, "another id is another row");
    }
    // Narrowed, it closes what is not admitted any more; widened it opens.
    for (prefix, opened, closed) in [("198.51.100.0/24", 0, 2), ("0.0.0.0/0", 0, 0)] {
        after["remote_ip_prefix"] = json!(prefix);
        let change = json!({"actions": ["delete", "create"], "before": before, "after": after, "after_unknown": {"id": true}});
        let answer = Plan::default().change("networking_secgroup_rule_v2.http", change, json!({})).answer();
        assert_eq!((answer.opened().len(), answer.closed().len()), (opened, closed), "{prefix}");
    }
}

#[test]
fn deletions_close() {
    let plan = Plan::default()
        .delete("networking_secgroup_v2.web", json!({"id": "web", "name": "web"}))
        .delete("networking_secgroup_rule_v2.http", json!({"id": "http", "security_group_id": "web"}));
    let answer = plan.answer();
    assert_eq!(
        answer.closed(),
        [
            "10.0.0.6 fixed tcp 80 0.0.0.0/0 by secgroup_rule_v2.http",
            "198.51.100.10 floating tcp 80 0.0.0.0/0 by secgroup_rule_v2.http",
        ]
    );
    // That the rule went with its group is no surprise.
    assert_eq!(
        answer.notes(),
        [
            "unknown -: port vm2 has security group web still, which goes: Neutron refuses that; judged as if it could"
        ]
    );
}

#[test]
fn ports_are_changed_by_what_differs() {
    let before = json!({"id": "vm1", "network_id": "net", "security_group_ids": ["def"], "name": "old", "admin_state_up": true});
    let with_all = |values: Value| {
        let mut after = before.clone();
        after.as_object_mut().unwrap().extend(values.as_object().unwrap().clone());
        Plan::default().update("networking_port_v2.vm1", before.clone(), after).answer()
    };
    let with = |key: &str, value: Value| with_all(json!({key: value}));
    let answer = with("security_group_ids", json!(["web"]));
    assert_eq!(answer.opened(), ["10.0.0.5 fixed tcp 80 0.0.0.0/0 by port_v2.vm1"]);
    assert_eq!(answer.closed(), ["10.0.0.5 fixed any all def by port_v2.vm1"]);
    // Taken out of the configuration: the provider sends an empty list.
    let answer = with("security_group_ids", Value::Null);
    assert_eq!((answer.opened().len(), answer.closed().len()), (0, 1));
    let answer = with_all(json!({"port_security_enabled": false, "security_group_ids": null}));
    assert_eq!(answer.opened(), ["10.0.0.5 fixed any all 0.0.0.0/0 by port_v2.vm1"]);
    let answer = with("allowed_address_pairs", json!([{"ip_address": "10.0.0.77", "mac_address": null}]));
    assert_eq!(answer.opened(), ["10.0.0.77 pair any all def by port_v2.vm1"]);
    let answer = with("name", json!("new"));
    assert_eq!((answer.opened().len(), answer.closed().len()), (0, 0));
}

/// The provider sends that a port has no groups when that changes. Groups that came to it elsewhere stay with another change.
#[test]
fn groups_that_came_elsewhere_stay_with_a_port_without_own_ones() {
    let closed = |before: Value, after: Value| {
        let port = |more: Value| {
            let mut port =
                json!({"id": "vm2", "network_id": "net", "name": "old", "security_group_ids": null});
            port.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            port
        };
        Plan::default().update("networking_port_v2.vm2", port(before), port(after)).answer().closed().len()
    };
    let none = json!({"no_security_groups": true});
    assert_eq!(closed(none.clone(), json!({"no_security_groups": true, "name": "new"})), 0);
    assert_eq!(closed(json!({"no_security_groups": null}), none.clone()), 2);
    assert_eq!(closed(json!({"no_security_groups": true, "security_group_ids": ["web"]}), none), 2);
    // No groups and a list of none are the same.
    assert_eq!(closed(json!({}), json!({"security_group_ids": []})), 0);
    assert_eq!(closed(json!({"security_group_ids": ["web"]}), json!({"security_group_ids": []})), 2);
}

#[test]
fn groups_are_added_to_a_port_or_put_in_place() {
    let change = |enforce: bool| {
        let after = json!({"port_id": "vm1", "security_group_ids": ["web"], "enforce": enforce});
        let plan = Plan::default();
        plan.create(
            "networking_port_secgroup_associate_v2.vm1",
            after,
            json!({"id": true, "all_security_group_ids": true}),
            json!({}),
        )
        .answer()
    };
    let (added, enforced) = (change(false), change(true));
    let row = "10.0.0.5 fixed tcp 80 0.0.0.0/0 by port_secgroup_associate_v2.vm1";
    assert_eq!((added.opened(), added.closed().len()), (vec![row.to_owned()], 0));
    assert_eq!((enforced.opened(), enforced.closed().len()), (vec![row.to_owned()], 1));
    let before = json!({"id": "vm1", "port_id": "vm1", "security_group_ids": ["def"], "enforce": false});
    let gone = Plan::default().delete("networking_port_secgroup_associate_v2.vm1", before.clone()).answer();
    assert_eq!(gone.closed().len(), 1);
    let mut after = before.clone();
    after["security_group_ids"] = json!(["web"]);
    let moved = Plan::default().update("networking_port_secgroup_associate_v2.vm1", before, after).answer();
    assert_eq!((moved.opened().len(), moved.closed().len()), (1, 1));
}

#[test]
fn floating_ips_are_led_to_ports_by_address_or_reference() {
    let known = json!({"floating_ip": "198.51.100.11", "port_id": "vm2"});
    let plan = Plan::default().create(
        "networking_floatingip_associate_v2.a",
        known,
        json!({"id": true, "fixed_ip": true}),
        json!({}),
    );
    assert_eq!(
        plan.answer().opened(),
        ["198.51.100.11 floating tcp 80 0.0.0.0/0 by floatingip_associate_v2.a *"]
    );

    let (floating_ip, vm) = ("openstack_networking_floatingip_v2.new", "openstack_networking_port_v2.vm");
    let plan = port(floating(group(Plan::default(), "g"), "new", None), "vm", &["g"]);
    let plan = ssh(plan, "networking_secgroup_rule_v2.r", "g").create(
        "networking_floatingip_associate_v2.a",
        json!({}),
        json!({"floating_ip": true, "port_id": true, "fixed_ip": true, "id": true}),
        json!({"floating_ip": refers(&[&format!("{floating_ip}.address"), floating_ip]), "port_id": refers(&[&format!("{vm}.id"), vm])}),
    );
    let answer = plan.answer();
    assert_eq!(answer.opened().len(), 2);
    assert!(answer.opened()[1].starts_with("? floating tcp 22"), "{answer:?}");
    assert_eq!(answer.notes(), NOTHING);

    let before = json!({"id": "f1", "floating_ip": "198.51.100.10", "port_id": "vm2"});
    let gone = Plan::default().delete("networking_floatingip_associate_v2.a", before).answer();
    assert_eq!(gone.closed(), ["198.51.100.10 floating tcp 80 0.0.0.0/0 by floatingip_associate_v2.a"]);
    let nobody = json!({"floating_ip": "198.51.100.99", "port_id": "vm2"});
    let plan = Plan::default().create("networking_floatingip_associate_v2.a", nobody, json!({}), json!({}));
    assert_eq!(
        plan.answer().notes(),
        ["not_known floatingip_associate_v2.a: osel knows no floating IP with this address"]
    );
}

#[test]
fn a_forwarding_of_a_new_floating_ip() {
    let floating_ip = "openstack_networking_floatingip_v2.new";
    let plan = floating(Plan::default(), "new", None).create(
        "networking_portforwarding_v2.web",
        json!({"internal_port": 80, "external_port": 8080, "protocol": "tcp", "internal_port_id": "vm2", "internal_ip_address": "10.0.0.6"}),
        json!({"id": true, "floatingip_id": true}),
        json!({"floatingip_id": refers(&[&format!("{floating_ip}.id"), floating_ip])}),
    );
    let answer = plan.answer();
    assert_eq!(answer.opened(), ["? forwarding tcp 8080 0.0.0.0/0 by portforwarding_v2.web *"]);
    assert_eq!(answer.notes(), NOTHING);
}

/// A network with everything on it, all of it new.
#[test]
fn a_new_network_with_a_router() {
    let network = "openstack_networking_network_v2.n";
    let (subnet, router) = ("openstack_networking_subnet_v2.s", "openstack_networking_router_v2.r");
    let plan = Plan::default()
        .create("networking_network_v2.n", json!({"name": "n", "port_security_enabled": true}), json!({"id": true, "external": true, "shared": true, "admin_state_up": true}), json!({}))
        .create("networking_subnet_v2.s", json!({"cidr": "2001:470:5::/64", "ip_version": 6}), json!({"id": true, "network_id": true}),
            json!({"network_id": refers(&[&format!("{network}.id"), network])}))
        .create("networking_router_v2.r", json!({"name": "r", "external_network_id": "ext"}), json!({"id": true, "enable_snat": true, "external_fixed_ip": true}), json!({}))
        .create("networking_router_interface_v2.i", json!({"force_destroy": false}), json!({"id": true, "router_id": true, "subnet_id": true, "port_id": true}),
            json!({"router_id": refers(&[&format!("{router}.id"), router]), "subnet_id": refers(&[&format!("{subnet}.id"), subnet])}))
        .create("networking_port_v2.p", json!({"security_group_ids": ["six"], "fixed_ip": []}), json!({"id": true, "network_id": true}),
            json!({"network_id": refers(&[&format!("{network}.id"), network])}));
    let more = json!({"security_groups": [{"id": "six", "name": "six"}], "security_group_rules": [
        {"id": "six6", "security_group_id": "six", "direction": "ingress", "ethertype": "IPv6", "protocol": "tcp", "port_range_min": 443, "port_range_max": 443}]});
    let answer = Answer::of(&plan.outcome(cloud_with(more)).unwrap());
    assert_eq!(answer.opened(), ["? fixed tcp 443 ::/0 by port_v2.p *"]);
    let path = answer.0["opened"][0]["reach"]["path"].as_array().unwrap();
    assert_eq!((&path[0]["type"], &path[0]["note"]), (&json!("router"), &json!("by its gateway")));
    assert_eq!(answer.notes(), NOTHING);
}

#[test]
fn address_groups_and_policies() {
    let before = json!({"id": "office", "name": "office", "addresses": ["192.0.2.0/28"]});
    let after = json!({"id": "office", "name": "office", "addresses": ["192.0.2.0/28", "198.51.100.0/24"]});
    let answer = Plan::default().update("networking_address_group_v2.office", before, after).answer();
    assert_eq!(answer.0["members"][0]["gained"], json!(["198.51.100.0/24"]));

    let policy = json!({"action": "access_as_external", "object_type": "network", "object_id": "net", "target_tenant": "*"});
    let rule = json!({"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22,
        "remote_ip_prefix": "0.0.0.0/0", "security_group_id": "def"});
    let plan = Plan::default()
        .create("networking_secgroup_rule_v2.ssh", rule, json!({"id": true}), json!({}))
        .create("networking_rbac_policy_v2.ext", policy, json!({"id": true}), json!({}));
    assert_eq!(plan.answer().opened(), ["10.0.0.5 fixed tcp 22 0.0.0.0/0 by secgroup_rule_v2.ssh *"]);
}

#[test]
fn a_server_has_a_port_on_each_network_that_it_names() {
    let server = |network: Value, groups: Value| {
        let after =
            json!({"name": "vm", "network": network, "security_groups": groups, "network_mode": null});
        let unknown: Value = network.as_array().unwrap().iter().map(|_| json!({"port": true})).collect();
        Plan::default().create(
            "compute_instance_v2.vm",
            after,
            json!({"id": true, "network": unknown}),
            json!({"network": [{"uuid": {"constant_value": "net"}}]}),
        )
    };
    let on_net = json!([{"uuid": "net", "name": null, "fixed_ip_v4": null}]);
    let answer = server(on_net.clone(), json!(["web"])).answer();
    assert_eq!(answer.opened(), ["? fixed tcp 80 0.0.0.0/0 by compute_instance_v2.vm"]);
    assert_eq!(answer.0["opened"][0]["device_owner"], "compute:");
    assert_eq!(
        server(on_net, Value::Null).answer().opened(),
        ["? fixed any all def by compute_instance_v2.vm"]
    );
    let by_name = json!([{"name": "inside", "fixed_ip_v4": "10.0.0.44"}]);
    assert_eq!(
        server(by_name, json!(["web"])).answer().opened(),
        ["10.0.0.44 fixed tcp 80 0.0.0.0/0 by compute_instance_v2.vm"]
    );
    let own_port = json!([{"uuid": null, "port": "vm1"}]);
    assert!(server(own_port, json!(["web"])).answer().0["opened"].as_array().unwrap().is_empty());
    assert_eq!(
        server(json!([]), Value::Null).answer().notes(),
        [
            "not_evaluated compute_instance_v2.vm: its networks are left to Nova, and what it gets there is not judged"
        ]
    );
    let gone = Plan::default().delete("compute_instance_v2.vm", json!({"id": "server1"})).answer();
    assert_eq!(gone.closed(), ["10.0.0.5 fixed any all def by compute_instance_v2.vm"]);
    let kept = Plan::default().delete("compute_instance_v2.vm", json!({"id": "server1"})).change(
        "networking_port_v2.vm1",
        json!({"actions": ["no-op"], "before": {"id": "vm1"}, "after": {"id": "vm1"}}),
        json!({}),
    );
    assert!(kept.answer().closed().is_empty(), "a port that somebody else made stays");
}

/// Nova deletes the ports that it made, not those that a server was given.
#[test]
fn ports_that_a_server_was_given_stay() {
    let gone = |networks: Value| {
        let server = json!({"id": "server2", "name": "s", "network": networks});
        Plan::default().delete("compute_instance_v2.s", server).answer()
    };
    assert_eq!(gone(json!([{"uuid": "net", "port": ""}])).closed().len(), 2);
    assert!(gone(json!([{"uuid": "net", "port": "vm2"}])).closed().is_empty());
}

#[test]
fn what_is_not_judged_is_told_once_a_type() {
    let plan = Plan::default()
        .create("lb_listener_v2.a", json!({}), json!({}), json!({}))
        .create("lb_listener_v2.b", json!({}), json!({}), json!({}))
        .create("blockstorage_volume_v3.v", json!({}), json!({}), json!({}))
        .create(
            "networking_secgroup_v2.g",
            json!({"name": "g", "value_specs": {"x": "y"}}),
            json!({"id": true}),
            json!({}),
        );
    assert_eq!(
        plan.answer().notes(),
        [
            "not_evaluated -: 2 of type openstack_lb_listener_v2 are not judged",
            "not_evaluated secgroup_v2.g: `value_specs` may set anything of the request, and is not judged",
        ]
    );
}

/// Groups by count, rules by the same count, and a rule in a module that is given the group.
#[test]
fn counts_and_modules_keep_to_themselves() {
    let mut plan = Plan::default();
    for at in 0..2 {
        let unknown = json!({"id": true});
        plan = plan.create(
            &format!("networking_secgroup_v2.g[{at}]"),
            json!({"name": format!("g{at}")}),
            unknown,
            json!({}),
        );
        let expressions =
            json!({"security_group_id": refers(&["openstack_networking_secgroup_v2.g", "count.index"])});
        let after = json!({"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 8000 + at, "port_range_max": 8000 + at,
            "remote_ip_prefix": "192.0.2.0/24"});
        plan = plan.create(
            &format!("networking_secgroup_rule_v2.r[{at}]"),
            after,
            json!({"id": true, "security_group_id": true}),
            expressions,
        );
    }
    let groups = json!({"security_group_ids": refers(&["openstack_networking_secgroup_v2.g[1].id", "openstack_networking_secgroup_v2.g[1]", "openstack_networking_secgroup_v2.g"])});
    let after = json!({"network_id": "net", "tenant_id": PROJECT, "security_group_ids": [null]});
    let plan =
        plan.create("networking_port_v2.p", after, json!({"id": true, "security_group_ids": [true]}), groups);
    let answer = plan.answer();
    assert_eq!(answer.opened(), ["? fixed tcp 8001 192.0.2.0/24 by secgroup_rule_v2.r[1]"]);
    assert_eq!(answer.notes(), NOTHING);
}
