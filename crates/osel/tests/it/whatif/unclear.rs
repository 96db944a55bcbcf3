//! Values of which a plan tells only what they may come from.

use osel::planned::{Overlay, read_requests};
use osel_core::ids::Id;
use serde_json::{Value, json};

use super::ground::{Answer, PROJECT, Plan, ask, cloud_with, now, refers, request};

/// How a reference to a resource of networking stands in a configuration.
fn refers_to(address: &str, value: &str) -> Value {
    let address = format!("openstack_{address}");
    refers(&[&format!("{address}.{value}"), &address])
}

fn made(plan: Plan, kind: &str, names: &[&str]) -> Plan {
    names.iter().fold(plan, |plan, name| {
        plan.create(&format!("{kind}.{name}"), json!({"name": name}), json!({"id": true}), json!({}))
    })
}

/// `remote_group_id = each.value.own ? group : null`: where it is null, the provider leaves it unknown too, and everybody is admitted.
#[test]
fn a_source_that_may_be_unset_is_any() {
    let rule = |references: &[&str]| {
        let after = json!({"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22,
            "port_range_max": 22, "security_group_id": "web"});
        let unknown = json!({"id": true, "remote_ip_prefix": true, "remote_group_id": true, "remote_address_group_id": true});
        let plan = Plan::default().create(
            "networking_secgroup_rule_v2.r",
            after,
            unknown,
            json!({"remote_group_id": refers(references)}),
        );
        let plan = made(plan, "networking_secgroup_v2", &["g"]).change(
            "networking_port_v2.other",
            json!({"actions": ["no-op"], "before": {"id": "vm1"}, "after": {"id": "vm1"}}),
            json!({}),
        );
        let answer = plan.answer();
        (answer.opened()[0].clone(), answer.notes())
    };
    let any = "10.0.0.6 fixed tcp 22 0.0.0.0/0 by secgroup_rule_v2.r";
    let doubt = "unknown secgroup_rule_v2.r: `remote_group_id` is not known; judged as any source";
    let (id, group) = ("openstack_networking_secgroup_v2.g.id", "openstack_networking_secgroup_v2.g");
    let network = "data.openstack_networking_network_v2.n";
    for references in [
        &["each.value.group"][..],
        &["var.group"],
        &["each.value.own", id, group],
        &["local.group"],
        // Conditions that are no variables.
        &["each.key", id, group],
        &["each.key", group, "each.key"],
        &["count.index", id, group],
        &["terraform.workspace", id, group],
        &[&format!("{network}.external"), network, id, group],
        &["openstack_networking_port_v2.other.name", "openstack_networking_port_v2.other", id, group],
        &["openstack_networking_secgroup_v2.g.name", group, id, group],
    ] {
        assert_eq!(rule(references), (any.to_owned(), vec![doubt.to_owned()]), "{references:?}");
    }
    let own = "10.0.0.6 fixed tcp 22 secgroup_v2.g by secgroup_rule_v2.r";
    for references in [&[id, group][..], &[group, "each.key"], &[group, "count.index"]] {
        assert_eq!(rule(references), (own.to_owned(), Vec::new()), "{references:?}");
    }
}

/// A server on a new network and with a port of its own: each block has references of its own.
#[test]
fn each_block_of_a_server_is_what_is_written_for_it() {
    let block = json!({"port": null, "name": null});
    let unknown = json!({"uuid": true, "port": true, "name": true});
    let plan = Plan::default().create(
        "compute_instance_v2.s",
        json!({"security_groups": ["web"], "network": [block, block, block]}),
        json!({"id": true, "network": [unknown, unknown, unknown]}),
        json!({"network": [
            {"uuid": refers_to("networking_network_v2.a", "id")},
            {"port": refers_to("networking_port_v2.p", "id")},
            {"uuid": refers_to("networking_network_v2.b", "id")},
        ]}),
    );
    let plan = made(plan, "networking_network_v2", &["a", "b"]).create(
        "networking_port_v2.p",
        json!({"network_id": "net", "no_security_groups": true}),
        json!({"id": true}),
        json!({}),
    );
    let answer = plan.answer();
    let networks: Vec<_> = answer.0["opened"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["hidden"]["network_id"]["resource"].as_str().unwrap())
        .collect();
    assert_eq!(networks, ["openstack_networking_network_v2.a", "openstack_networking_network_v2.b"]);
}

#[test]
fn groups_of_a_server_that_are_not_known_are_those_that_they_may_be() {
    let plan = |written: Value| {
        let plan = Plan::default().create(
            "compute_instance_v2.s",
            json!({"network": [{"uuid": "net"}]}),
            json!({"id": true, "security_groups": true}),
            written,
        );
        made(plan, "networking_secgroup_v2", &["g"]).create(
            "networking_secgroup_rule_v2.r",
            json!({"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "remote_ip_prefix": "192.0.2.0/24"}),
            json!({"id": true, "security_group_id": true}),
            json!({"security_group_id": refers_to("networking_secgroup_v2.g", "id"), "remote_ip_prefix": {}}),
        )
    };
    let named = plan(json!({"security_groups": refers_to("networking_secgroup_v2.g", "name")}));
    assert_eq!(named.answer().opened(), ["? fixed tcp all 192.0.2.0/24 by secgroup_rule_v2.r"]);
    assert_eq!(plan(json!({})).answer().opened(), ["? fixed any all def by compute_instance_v2.s"]);
}

#[test]
fn each_address_of_a_port_is_of_its_own_subnet() {
    let subnet = |plan: Plan, name: &str, cidr: &str| {
        plan.create(
            &format!("networking_subnet_v2.{name}"),
            json!({"network_id": "net", "cidr": cidr, "ip_version": 4}),
            json!({"id": true}),
            json!({}),
        )
    };
    let plan = Plan::default().create(
        "networking_port_v2.p",
        json!({"network_id": "net", "security_group_ids": ["web"], "fixed_ip": [{"ip_address": null}, {"ip_address": null}]}),
        json!({"id": true, "fixed_ip": [{"subnet_id": true, "ip_address": true}, {"subnet_id": true, "ip_address": true}]}),
        json!({"fixed_ip": [
            {"subnet_id": refers_to("networking_subnet_v2.a", "id")},
            {"subnet_id": refers_to("networking_subnet_v2.b", "id")},
        ]}),
    );
    let plan = subnet(subnet(plan, "a", "10.1.0.0/24"), "b", "10.2.0.0/24");
    let outcome = plan.outcome(cloud_with(json!({}))).unwrap();
    let mut addresses: Vec<_> =
        outcome.opened.iter().map(|row| row.judged.row.address.addr().to_string()).collect();
    addresses.sort();
    assert_eq!(addresses, ["10.1.0.254", "10.2.0.254"]);
    assert!(outcome.notes.is_empty(), "{:?}", outcome.notes);
}

/// Of several floating IPs that one may be, and of a value that may be something else besides, the doubt is told.
#[test]
fn what_may_be_one_of_several_is_told() {
    let floating = |plan: Plan, at: usize| {
        plan.create(
            &format!("networking_floatingip_v2.f[{at}]"),
            json!({"pool": "public"}),
            json!({"id": true, "address": true}),
            json!({}),
        )
    };
    let plan = Plan::default().create(
        "networking_floatingip_associate_v2.a",
        json!({"port_id": "vm2"}),
        json!({"floating_ip": true, "fixed_ip": true}),
        json!({"port_id": {}, "floating_ip": refers(&["openstack_networking_floatingip_v2.f"])}),
    );
    let notes = floating(floating(plan, 0), 1).answer().notes();
    assert_eq!(
        notes,
        [
            "unknown floatingip_associate_v2.a: which floatingip `floating_ip` is cannot be told; judged with the first of 2"
        ]
    );
    let port = Plan::default().create(
        "networking_port_v2.p",
        json!({"network_id": "net", "security_group_ids": [null]}),
        json!({"id": true, "security_group_ids": [true]}),
        json!({"security_group_ids": refers(&["local.more", "openstack_networking_secgroup_v2.g.id", "openstack_networking_secgroup_v2.g"])}),
    );
    let notes = made(port, "networking_secgroup_v2", &["g"]).answer().notes();
    assert_eq!(
        notes,
        ["unknown port_v2.p: `security_group_ids` may be something else too, which the plan does not tell"]
    );
}

#[test]
fn without_a_configuration_no_port_becomes_a_router() {
    let plan = Plan::default()
        .create(
            "networking_port_v2.p",
            json!({"network_id": "net", "security_group_ids": ["web"]}),
            json!({"id": true}),
            json!({}),
        )
        .create(
            "networking_router_interface_v2.i",
            json!({"router_id": "r1", "subnet_id": "sub"}),
            json!({"id": true, "port_id": true}),
            json!({}),
        )
        .with("configuration", Value::Null);
    assert_eq!(plan.answer().opened(), ["? fixed tcp 80 0.0.0.0/0 by port_v2.p"]);
}

#[test]
fn addresses_of_a_group_that_are_not_known_may_be_any() {
    let before = json!({"id": "office", "name": "office", "addresses": ["192.0.2.0/28"]});
    let change = json!({"actions": ["update"], "before": before, "after": {"id": "office", "name": "office"}, "after_unknown": {"addresses": true}});
    let answer = Plan::default().change("networking_address_group_v2.a", change, json!({})).answer();
    assert_eq!(
        answer.notes(),
        ["unknown address_group_v2.a: `addresses` are not all known; judged as if it could have any"]
    );
    assert_eq!(answer.0["members"][0]["gained"], json!(["0.0.0.0/0", "::/0"]));
}

/// A source that osel does not know may have any address, and yet there has to be a way.
#[test]
fn a_source_that_is_not_known_is_told_and_needs_a_way() {
    for (key, words) in [("remote_group_id", "security group"), ("remote_address_group_id", "address group")]
    {
        let post = |group: &str| {
            let rule = json!({"security_group_id": group, "direction": "ingress", key: "nosuch"});
            ask(&request("POST", "security-group-rules", json!({"security_group_rule": rule})))
        };
        let answer = post("web");
        assert_eq!(
            answer.opened(),
            [
                "10.0.0.6 fixed any all nosuch by request 1",
                "198.51.100.10 floating any all nosuch by request 1 *"
            ]
        );
        assert_eq!(
            answer.notes(),
            [format!(
                "not_known request 1: osel does not know {words} nosuch, its source; judged as if that could have any address"
            )]
        );
        // No floating IP leads to a port of this group.
        assert_eq!(post("def").opened(), ["10.0.0.5 fixed any all nosuch by request 1"]);
    }
}

/// What else is known of a rule may leave but one family.
#[test]
fn an_ethertype_that_is_not_known_is_that_of_the_prefix_or_the_protocol() {
    for (known, wanted) in [
        (json!({"remote_ip_prefix": "::/0", "protocol": "tcp"}), "judged as IPv6"),
        (json!({"remote_ip_prefix": null, "protocol": "ipv6-icmp"}), "judged as IPv6"),
        (json!({"remote_ip_prefix": null, "protocol": "58"}), "judged as IPv6"),
        (json!({"remote_ip_prefix": "0.0.0.0/0", "protocol": "tcp"}), "judged as IPv4"),
    ] {
        let mut after = json!({"direction": "ingress", "security_group_id": "web"});
        for (name, value) in known.as_object().unwrap() {
            after[name] = value.clone();
        }
        let unknown = json!({"id": true, "ethertype": true});
        let expressions = json!({"ethertype": refers(&["var.family"])});
        let plan = Plan::default().create("networking_secgroup_rule_v2.r", after, unknown, expressions);
        let notes = plan.answer().notes();
        assert!(notes.iter().any(|note| note.contains(wanted)), "{known} {notes:?}");
    }
}

/// As Terraform told it until its version 1.3: elements of sets that are not known are left out.
#[test]
fn groups_that_are_left_out_of_a_set_are_not_none() {
    let plan = Plan::default().create(
        "networking_port_v2.p",
        json!({"network_id": "net", "security_group_ids": []}),
        json!({"id": true, "security_group_ids": [true]}),
        json!({"security_group_ids": refers_to("networking_secgroup_v2.g", "id")}),
    );
    let rule = json!({"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22,
        "port_range_max": 22, "remote_ip_prefix": "0.0.0.0/0"});
    let plan = made(plan, "networking_secgroup_v2", &["g"]).create(
        "networking_secgroup_rule_v2.r",
        rule,
        json!({"id": true, "security_group_id": true}),
        json!({"security_group_id": refers_to("networking_secgroup_v2.g", "id")}),
    );
    assert!(!plan.answer().opened().is_empty());
}

/// Nova leaves `default` to Neutron, which has no groups there.
#[test]
fn a_server_of_the_default_group_may_be_on_a_network_without_port_security() {
    let plan = Plan::default()
        .create(
            "networking_network_v2.n",
            json!({"name": "n", "port_security_enabled": false}),
            json!({"id": true}),
            json!({}),
        )
        .create(
            "compute_instance_v2.s",
            json!({"security_groups": ["default"], "network": [{"port": null, "name": null}]}),
            json!({"id": true, "network": [{"uuid": true, "port": true, "name": true}]}),
            json!({"network": [{"uuid": refers_to("networking_network_v2.n", "id")}]}),
        );
    plan.answer();
}

/// Neutron filters nothing of a port that it takes for its own: such a port has no rows.
#[test]
fn a_port_that_becomes_trusted_may_be_open() {
    let owner = json!({"port": {"network_id": "net", "device_owner": "network:own"}});
    let trusted = json!({"floatingip": {"port_id": "gate"}});
    for (request, wanted) in [
        (
            request("PUT", "ports/vm2", json!({"port": {"device_owner": "network:own"}})),
            "port vm2 becomes trusted: nothing filters it",
        ),
        (request("POST", "ports", owner), "it is trusted by its `device_owner`: nothing filters it"),
        (
            request("PUT", "floatingips/f2", trusted),
            "it leads to port gate, which is trusted: nothing filters it",
        ),
    ] {
        let notes = ask(&request).0["notes"].clone();
        let open: Vec<_> = notes.as_array().unwrap().iter().filter(|note| note["opens"] == true).collect();
        assert_eq!(open.len(), 1, "{notes}");
        assert_eq!(open[0]["text"], wanted);
    }
}

/// The owner of a shared network is not the one who makes a port there.
#[test]
fn a_port_on_a_shared_network_is_of_nobody_knows_whom() {
    let port = request("POST", "ports", json!({"port": {"network_id": "all"}}));
    let answer = |project: Option<&str>, shared: bool, policies: Value| {
        let cloud = cloud_with(json!({
            "networks": [{"id": "all", "project_id": PROJECT, "shared": shared}],
            "rbac_policies": policies,
            "subnets": [{"id": "sub2", "network_id": "all", "cidr": "10.2.0.0/24"}],
        }));
        let planned = read_requests(&port, &cloud).unwrap();
        let outcome = Overlay::new(cloud, now(), project.map(Id::new)).perform(planned).unwrap();
        Answer::of(&outcome).notes()
    };
    let policy = |action: &str, network: &str| {
        json!([{"id": "policy", "object_type": "network", "object_id": network, "action": action,
            "target_project": "70000000000000000000000000000000"}])
    };
    let nobody = || json!([]);
    assert_eq!(answer(Some(PROJECT), true, nobody()), [""; 0]);
    let doubt =
        "unknown request 1: it gets the default group of its project, which is not told; give --project";
    assert_eq!(answer(None, true, nobody()), [doubt]);
    assert_eq!(answer(None, false, nobody()), [""; 0]);
    // Neutron calls a network that one project is let use shared to that project alone.
    assert_eq!(answer(None, false, policy("access_as_shared", "all")), [doubt]);
    assert_eq!(answer(None, false, policy("access_as_shared", "net")), [""; 0]);
    assert_eq!(answer(None, false, policy("access_as_external", "all")), [""; 0]);
}

#[test]
fn an_ethertype_that_nothing_tells_is_both() {
    let after = json!({"direction": "ingress", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22,
        "security_group_id": "web"});
    let plan = Plan::default().create(
        "networking_secgroup_rule_v2.r",
        after,
        json!({"id": true, "ethertype": true}),
        json!({"ethertype": refers(&["var.family"])}),
    );
    let six = json!({"ports": [{"id": "vm6", "network_id": "net", "security_groups": ["web"],
        "fixed_ips": [{"subnet_id": "sub6", "ip_address": "2001:db8::6"}]}]});
    let answer = Answer::of(&plan.outcome(cloud_with(six)).unwrap());
    assert!(answer.notes()[0].ends_with("`ethertype` is not known; judged as both"), "{:?}", answer.notes());
    let rows = answer.opened();
    for row in ["10.0.0.6 fixed tcp 22 0.0.0.0/0", "2001:db8::6 fixed tcp 22 ::/0"] {
        assert!(rows.iter().any(|opened| opened.starts_with(row)), "{row}: {rows:?}");
    }
}

/// What is told as not known and stands in no row counts as open.
#[test]
fn what_is_not_judged_because_nobody_knows_it_may_be_open() {
    let id = json!({"id": true});
    let pair = |unknown: Value| {
        let before = json!({"id": "vm1", "network_id": "net", "allowed_address_pairs": []});
        let after = json!({"id": "vm1", "network_id": "net"});
        let change =
            json!({"actions": ["update"], "before": before, "after": after, "after_unknown": unknown});
        Plan::default().change("networking_port_v2.p", change, json!({}))
    };
    let forwarding = Plan::default().create(
        "networking_portforwarding_v2.f",
        json!({"floatingip_id": "f2", "internal_port_id": "vm1", "protocol": "tcp", "internal_port": 22}),
        json!({"id": true, "external_port": true}),
        json!({"external_port": refers(&["var.port"])}),
    );
    let floating = |references: &[&str]| {
        Plan::default().create(
            "networking_floatingip_v2.f",
            json!({"pool": "public"}),
            json!({"id": true, "address": true, "port_id": true}),
            json!({"port_id": refers(references)}),
        )
    };
    let ports = ["openstack_networking_port_v2.a.id", "openstack_networking_port_v2.b.id"];
    let two = ["a", "b"].into_iter().fold(floating(&ports), |plan, name| {
        let after = json!({"network_id": "net", "no_security_groups": true});
        plan.create(&format!("networking_port_v2.{name}"), after, id.clone(), json!({}))
    });
    for (plan, opens) in [
        (pair(json!({"allowed_address_pairs": true})), true),
        (pair(json!({})), false),
        (forwarding, true),
        (floating(&["var.port"]), true),
        (two, true),
    ] {
        let notes = plan.answer().0["notes"].clone();
        let has = notes.as_array().unwrap().iter().any(|note| note["opens"] == true);
        assert_eq!(has, opens, "{notes}");
    }
}

/// `network[1].port` of a server is the port on its second network, not that on its first.
#[test]
fn a_floating_ip_leads_to_the_network_of_a_server_that_is_named() {
    let led = |value: &str, first: Value| {
        let server = "openstack_compute_instance_v2.s";
        let given = first.get("port").is_some_and(|port| port != "");
        let unknown = json!({"port": !given, "name": true, "uuid": given});
        let written = if given {
            json!({"port": {"constant_value": "vm1"}})
        } else {
            json!({"uuid": {"constant_value": "lonely"}})
        };
        let references = [
            format!("{server}.network{value}.port"),
            format!("{server}.network{value}"),
            format!("{server}.network"),
            server.to_owned(),
        ];
        let references: Vec<&str> = references.iter().map(String::as_str).collect();
        let plan = Plan::default()
            .create(
                "compute_instance_v2.s",
                json!({"security_groups": ["web"], "network": [first, {"uuid": "net"}]}),
                json!({"id": true, "network": [unknown, {"port": true, "name": true}]}),
                json!({"network": [written, {"uuid": {"constant_value": "net"}}]}),
            )
            .create(
                "networking_floatingip_associate_v2.a",
                json!({"floating_ip": "198.51.100.11"}),
                json!({"id": true, "port_id": true, "fixed_ip": true}),
                json!({"floating_ip": {}, "port_id": refers(&references)}),
            );
        let lonely = json!({"networks": [{"id": "lonely", "name": "lonely"}],
            "subnets": [{"id": "alone", "network_id": "lonely", "cidr": "10.8.0.0/24"}]});
        let answer = Answer::of(&plan.outcome(cloud_with(lonely)).unwrap());
        let rows = answer.0["opened"].as_array().unwrap().clone();
        let floating = rows.into_iter().find(|row| row["via"] == "floating").unwrap();
        let port = floating["port_id"].as_str().or(floating["hidden"]["port_id"]["resource"].as_str());
        (format!("{} {}", port.unwrap(), floating["network_id"].as_str().unwrap_or("-")), answer.notes())
    };
    let by_network = || json!({"uuid": "lonely"});
    let (second, notes) = led("[1]", by_network());
    assert_eq!((&*second, notes), ("openstack_compute_instance_v2.s net", vec![]));
    let (second, _) = led("[1]", json!({"port": "vm1"}));
    assert_eq!(second, "openstack_compute_instance_v2.s net");
    let (first, _) = led("[0]", by_network());
    assert_eq!(first, "openstack_compute_instance_v2.s lonely");
    // A port that the server is given is that port.
    let (first, notes) = led("[0]", json!({"port": "vm1"}));
    assert_eq!((&*first, notes), ("vm1 net", vec![]));
    let (_, notes) = led("", by_network());
    let doubt = "which port `port_id` is cannot be told; judged with the first of 2";
    assert!(notes.iter().any(|note| note.ends_with(doubt)), "{notes:?}");
}
