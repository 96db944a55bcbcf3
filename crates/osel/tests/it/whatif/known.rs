//! Values that are unknown as a whole, of which a part was known when the plan was made.

use serde_json::{Value, json};

use super::ground::{Answer, Plan, cloud_with, refers};

const FRESH: [&str; 2] =
    ["openstack_networking_secgroup_v2.fresh.id", "openstack_networking_secgroup_v2.fresh"];
const DATA: [&str; 2] =
    ["data.openstack_networking_secgroup_v2.web.id", "data.openstack_networking_secgroup_v2.web"];

fn both(more: &[&str]) -> Value {
    refers(&[&FRESH, more].concat())
}

fn fresh(plan: Plan) -> Plan {
    plan.create("networking_secgroup_v2.fresh", json!({"name": "fresh"}), json!({"id": true}), json!({}))
}

/// What there was when the plan was made: the group `web`, and a network.
fn with_data(plan: Plan) -> Plan {
    let data = |kind: &str, name: &str, values: Value| json!({"address": format!("data.{kind}.{name}"), "mode": "data", "type": kind, "name": name, "values": values});
    let resources = json!([
        data("openstack_networking_secgroup_v2", "web", json!({"id": "web", "name": "web"})),
        data("openstack_networking_network_v2", "n", json!({"id": "net", "name": "inside"})),
    ]);
    plan.with(
        "prior_state",
        json!({"format_version": "1.0", "values": {"root_module": {"resources": resources}}}),
    )
}

/// A new port whose groups are unknown as a whole: `compact([…])`.
fn port(groups: Value) -> Plan {
    let plan = Plan::default().create(
        "networking_port_v2.p",
        json!({"network_id": "net"}),
        json!({"id": true, "security_group_ids": true}),
        json!({"security_group_ids": groups}),
    );
    fresh(plan)
}

const OPEN: &str = "? fixed tcp 80 0.0.0.0/0 by port_v2.p";
const DEFAULT: &str = "? fixed any all def by port_v2.p";
const EMPTY: &str = "unknown port_v2.p: its list of groups may turn out empty, and then it gets the default group def; judged with that and with those that it may have";
const DOUBT: &str =
    "unknown port_v2.p: `security_group_ids` may be something else too, which the plan does not tell";

fn doubts() -> Vec<String> {
    vec![EMPTY.to_owned(), DOUBT.to_owned()]
}

#[test]
fn a_group_that_was_read_while_planning_is_among_those_of_a_port() {
    let answer = with_data(port(both(&DATA))).answer();
    assert_eq!((answer.opened(), answer.notes()), (vec![OPEN.to_owned()], vec![]));
    // What is no group, and decides which one it is, is none of them.
    let by_network = ["data.openstack_networking_network_v2.n.id", "data.openstack_networking_network_v2.n"];
    let answer = with_data(port(both(&by_network))).answer();
    assert_eq!((answer.opened(), answer.notes()), (vec![DEFAULT.to_owned()], vec![EMPTY.to_owned()]));
    // A plan that does not tell what was read.
    let answer = port(both(&DATA)).answer();
    assert_eq!((answer.opened(), answer.notes()), (vec![DEFAULT.to_owned()], doubts()));
}

/// Neutron gives the default group to a port that asks for none, and a list that something else decides on may be of none.
#[test]
fn a_list_that_may_turn_out_empty_is_judged_with_the_default_group_too() {
    let only = |references: &[&str]| {
        let answer = with_data(port(refers(references))).with("variables", json!({"open": {"value": true}}));
        let answer = answer.answer();
        let has = answer.opened().contains(&DEFAULT.to_owned());
        assert_eq!(has, answer.notes().contains(&EMPTY.to_owned()), "{references:?}: {:?}", answer.notes());
        has
    };
    let name = "data.openstack_networking_network_v2.n.name";
    for decided in [&["var.open"][..], &["count.index"], &["each.key"], &["local.groups"], &[name], &[]] {
        assert!(only(&[&FRESH, decided].concat()) || decided.is_empty(), "{decided:?}");
    }
    assert!(only(&[]), "made by a function of nothing");
    for certain in [&FRESH[..], &DATA, &[FRESH[0], FRESH[1], DATA[0], DATA[1]], &[FRESH[1], "each.key"]] {
        assert!(!only(certain), "{certain:?}");
    }

    // A server that names its groups, and one that may name none.
    let server = |references: &[&str]| {
        let after = json!({"network": [{"uuid": "net"}]});
        let unknown = json!({"id": true, "security_groups": true});
        let written =
            json!({"security_groups": refers(references), "network": [{"uuid": {"constant_value": "net"}}]});
        fresh(Plan::default().create("compute_instance_v2.s", after, unknown, written)).answer().opened()
    };
    let name = ["openstack_networking_secgroup_v2.fresh.name", FRESH[1]];
    assert_eq!(server(&name), [""; 0]);
    assert_eq!(
        server(&[&name[..], &["var.open"]].concat()),
        ["? fixed any all def by compute_instance_v2.s"]
    );

    // One that is there keeps what it has.
    let update = |had: Value| {
        let before = json!({"id": "vm2", "network_id": "net", "security_group_ids": had});
        let change = json!({"actions": ["update"], "before": before, "after": {"id": "vm2", "network_id": "net"},
            "after_unknown": {"security_group_ids": true}});
        let written = json!({"security_group_ids": both(&["count.index"])});
        let plan = fresh(Plan::default().change("networking_port_v2.p", change, written));
        (plan.answer().closed().len(), plan.answer().notes())
    };
    let kept = "unknown port_v2.p: `security_group_ids` may turn out empty, and then the port keeps its groups; judged with both";
    assert_eq!(update(json!([])), (0, vec![kept.to_owned()]));
    let (closed, notes) = update(json!(["web"]));
    assert!(closed > 0 && notes.is_empty(), "{notes:?}");
}

/// `for_each` says what `each.value` may be.
#[test]
fn what_a_port_is_made_for_each_of_is_followed_to_its_groups() {
    let port = |value: &[&str], each: Value| {
        let plan = Plan::default()
            .create(
                "networking_port_v2.p[\"a\"]",
                json!({"network_id": "net"}),
                json!({"id": true, "security_group_ids": true}),
                json!({"security_group_ids": refers(value)}),
            )
            .for_each(each);
        let rule = |plan: Plan, group: &str, port: u16| {
            let address = format!("openstack_networking_secgroup_v2.{group}");
            let after = json!({"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": port, "port_range_max": port,
                "remote_ip_prefix": "0.0.0.0/0"});
            let (name, _) = group.split_once('[').unwrap_or((group, ""));
            let reference = if name == group {
                refers(&[&format!("{address}.id"), &address])
            } else {
                refers(&[&format!("openstack_networking_secgroup_v2.{name}"), "each.key"])
            };
            let key = if name == group { "" } else { &group[name.len()..] };
            plan.create(
                &format!("networking_secgroup_v2.{group}"),
                json!({"name": group}),
                json!({"id": true}),
                json!({}),
            )
            .create(
                &format!("networking_secgroup_rule_v2.of_{name}{key}"),
                after,
                json!({"id": true, "security_group_id": true}),
                json!({"security_group_id": reference}),
            )
        };
        let groups = ["fresh", "other", "all[\"a\"]", "all[\"b\"]"].into_iter().zip(2000..);
        let answer = groups.fold(plan, |plan, (group, port)| rule(plan, group, port)).answer();
        let ports: Vec<String> =
            answer.opened().iter().map(|row| row.split(' ').nth(3).unwrap().to_owned()).collect();
        (ports, answer.notes())
    };
    let named = |references: &[&str], more: &[&str]| {
        let all: Vec<String> = references
            .iter()
            .flat_map(|name| {
                let address = format!("openstack_networking_{name}");
                [format!("{address}.id"), address]
            })
            .collect();
        let all: Vec<&str> = all.iter().map(String::as_str).chain(more.iter().copied()).collect();
        refers(&all)
    };
    let value = ["each.value.group", "each.value"];
    let (ports, notes) = port(&value, named(&["secgroup_v2.fresh"], &[]));
    assert_eq!((ports, notes), (vec!["2000".to_owned()], vec![]));
    let (ports, notes) = port(&value[1..], named(&["secgroup_v2.fresh", "secgroup_v2.other"], &[]));
    assert_eq!((ports, notes), (vec!["2000".to_owned(), "2001".to_owned()], vec![]));
    // Of a map of resources it is the one of the same key.
    let (ports, notes) =
        port(&["each.value.id", "each.value"], refers(&["openstack_networking_secgroup_v2.all"]));
    assert_eq!((ports, notes), (vec!["2002".to_owned()], vec![]));
    let (ports, _) = port(&value[1..], refers(&["openstack_networking_secgroup_v2.all"]));
    assert_eq!(ports, ["2002", "2003"], "what the map makes of them nobody tells");
    // What an element has besides groups is none of them.
    let (ports, notes) = port(&value, named(&["secgroup_v2.fresh", "port_v2.p"], &[]));
    assert_eq!((ports, notes), (vec!["2000".to_owned()], vec![]));
    // Of locals a plan has nothing.
    let (ports, notes) = port(&value, named(&["secgroup_v2.fresh"], &["local.more"]));
    assert!(
        ports.contains(&"2000".to_owned()) && notes.iter().any(|note| note.contains("something else too")),
        "{notes:?}"
    );
}

#[test]
fn a_group_that_a_variable_gives_is_among_those_of_a_port() {
    let given = |value: Value| {
        let answer = port(both(&["var.more"])).with("variables", json!({"more": {"value": value}})).answer();
        (answer.opened(), answer.notes())
    };
    // The variable may decide that it is none of them, and then the port has the default group.
    let open = vec![DEFAULT.to_owned(), OPEN.to_owned()];
    let (default, empty) = (vec![DEFAULT.to_owned()], vec![EMPTY.to_owned()]);
    assert_eq!(given(json!(["web"])), (open.clone(), empty.clone()));
    assert_eq!(given(json!({"first": {"group": "web"}})), (open, empty.clone()));
    assert_eq!(given(json!(["production", true, null])), (default.clone(), empty));
    // An id that osel does not know.
    assert_eq!(given(json!("5fa3cbd1-03c1-4d2f-9c20-8ed2a3fb4b23")), (default.clone(), doubts()));
    let untold = port(both(&["var.more"])).answer();
    assert_eq!((untold.opened(), untold.notes()), (default.clone(), doubts()));
    let each = port(both(&["each.value.group", "each.value"])).answer();
    assert_eq!((each.opened(), each.notes()), (default, doubts()));
    // As the key of an instance it is no group.
    let key = port(refers(&[FRESH[1], "each.value.group", "each.value"])).answer();
    assert_eq!(key.notes(), Vec::<String>::new());
}

/// A module gets a constant, or leaves its variable at the default.
#[test]
fn a_group_that_a_module_is_given_is_among_those_of_a_port() {
    for (given, default) in
        [(json!({"more": {"constant_value": ["web"]}}), Value::Null), (json!({}), json!(["web"]))]
    {
        let mut plan: Value = serde_json::from_str(&port(json!({})).text()).unwrap();
        for change in plan["resource_changes"].as_array_mut().unwrap() {
            let address = format!("module.m.{}", change["address"].as_str().unwrap());
            change["address"] = json!(address);
            change["module_address"] = json!("module.m");
        }
        let mut module = plan["configuration"]["root_module"].take();
        module["variables"] = json!({"more": {"default": default}});
        for resource in module["resources"].as_array_mut().unwrap() {
            if resource["name"] == "p" {
                resource["expressions"] = json!({"security_group_ids": both(&["var.more"])});
            }
        }
        plan["configuration"]["root_module"] =
            json!({"module_calls": {"m": {"expressions": given, "module": module}}});
        let cloud = cloud_with(json!({}));
        let planned = osel::planned::read_terraform(plan.to_string().as_bytes(), &cloud, None).unwrap();
        let outcome = osel::planned::Overlay::new(cloud, super::ground::now(), None).perform(planned);
        let answer = Answer::of(&outcome.unwrap());
        let by = "by module.m.openstack_networking_port_v2.p";
        let rows = [format!("? fixed any all def {by}"), format!("? fixed tcp 80 0.0.0.0/0 {by}")];
        assert_eq!(answer.opened(), rows);
    }
}

#[test]
fn a_port_that_is_there_and_groups_beside_its_own_may_get_it_too() {
    let before = json!({"id": "vm1", "network_id": "net", "security_group_ids": ["def"]});
    let after = json!({"id": "vm1", "network_id": "net"});
    let change = json!({"actions": ["update"], "before": before, "after": after, "after_unknown": {"security_group_ids": true}});
    let plan =
        Plan::default().change("networking_port_v2.vm1", change, json!({"security_group_ids": both(&DATA)}));
    assert_eq!(with_data(fresh(plan)).answer().opened(), ["10.0.0.5 fixed tcp 80 0.0.0.0/0 by port_v2.vm1"]);
    let plan = Plan::default().create(
        "networking_port_secgroup_associate_v2.a",
        json!({"port_id": "vm1", "enforce": false}),
        json!({"id": true, "security_group_ids": true}),
        json!({"security_group_ids": both(&DATA)}),
    );
    assert_eq!(
        with_data(fresh(plan)).answer().opened(),
        ["10.0.0.5 fixed tcp 80 0.0.0.0/0 by port_secgroup_associate_v2.a"]
    );
}

#[test]
fn a_rule_may_be_of_a_group_that_was_read_while_planning() {
    let rule = || {
        let after = json!({"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22,
            "port_range_max": 22, "remote_ip_prefix": "0.0.0.0/0"});
        let unknown = json!({"id": true, "security_group_id": true});
        let expressions = json!({"security_group_id": both(&DATA)});
        fresh(Plan::default().create("networking_secgroup_rule_v2.r", after, unknown, expressions))
    };
    let answer = with_data(rule()).answer();
    assert_eq!((answer.opened().len(), answer.notes().len()), (2, 0));
    let answer = rule().answer();
    assert_eq!(
        answer.notes(),
        [
            "unknown secgroup_rule_v2.r: `security_group_id` may be something else too, which the plan does not tell"
        ]
    );
}

/// What is known of a list stands in it: only what is not comes from references.
#[test]
fn a_list_of_which_a_part_is_known_has_nothing_else_that_was_known() {
    let plan = Plan::default().create(
        "networking_port_v2.p",
        json!({"network_id": "net", "security_group_ids": ["def", null]}),
        json!({"id": true, "security_group_ids": [false, true]}),
        json!({"security_group_ids": both(&[&DATA[..], &["each.value"]].concat())}),
    );
    let answer = with_data(fresh(plan)).answer();
    assert_eq!(answer.opened(), ["? fixed any all def by port_v2.p"]);
    assert_eq!(answer.notes(), Vec::<String>::new());
}

/// Ids that a sensitive variable gives are judged and not shown.
#[test]
fn a_group_that_is_marked_is_not_shown() {
    let change = json!({"actions": ["create"], "before": null, "after": {"network_id": "net"},
        "after_unknown": {"id": true, "security_group_ids": true}, "after_sensitive": {"security_group_ids": true}});
    let plan = Plan::default().change(
        "networking_port_v2.p",
        change,
        json!({"security_group_ids": both(&["var.more"])}),
    );
    let plan = fresh(plan).with("variables", json!({"more": {"value": ["secret-group"]}}));
    let more = json!({"security_groups": [{"id": "secret-group", "name": "x"}], "security_group_rules": [
        {"id": "all", "security_group_id": "secret-group", "direction": "ingress", "ethertype": "IPv4", "remote_group_id": "secret-group"}]});
    let answer = Answer::of(&plan.outcome(cloud_with(more)).unwrap());
    assert_eq!(answer.opened().len(), 2, "by it, and by the default group");
    assert!(!answer.0.to_string().contains("secret-group"), "{}", answer.0);
}
