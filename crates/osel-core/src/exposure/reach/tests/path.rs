//! Whether anything leads there.

use super::*;

#[test]
fn a_fixed_ip_of_another_port_of_the_network_has_a_path_a_pair_has_none() {
    let mut cloud = Cloud::new();
    assert_eq!(cloud.reason("10.0.0.9", "10.0.0.5", 22), "admitted");
    cloud.tell(pairs(port("peer", "a", "10.0.0.9", &[]), &["10.0.0.50/32"]));
    assert_eq!(cloud.reason("10.0.0.50", "10.0.0.5", 22), "no_path");
    assert_eq!(cloud.reason("10.0.0.5", "10.0.0.5", 22), "no_path", "a port is not another one");
    cloud.tell(port("twin", "a", "10.0.0.5", &[]));
    assert_eq!(cloud.reason("10.0.0.5", "10.0.0.5", 22), "admitted");
}

#[test]
fn the_same_address_on_another_network_is_not_on_this_one() {
    let mut cloud = Cloud::new();
    cloud.tell(port("stranger", "b", "10.2.0.7", &[]));
    assert_eq!(cloud.reason("10.2.0.7", "10.2.0.9", 22), "no_path");
    cloud.tell(port("friend", "lonely", "10.2.0.7", &[]));
    assert_eq!(cloud.reason("10.2.0.7", "10.2.0.9", 22), "admitted");
}

#[test]
fn an_external_network_is_a_path_by_flag_and_by_policy() {
    let mut cloud = Cloud::new();
    assert_eq!(cloud.reason(OUTSIDE, "10.2.0.9", 22), "no_path");
    cloud.tell(Network { version: version("lonely"), external: Some(true), ..Network::default() });
    assert_eq!(cloud.reason(OUTSIDE, "10.2.0.9", 22), "admitted");
    cloud.tell(Network { version: version("lonely"), external: Some(false), ..Network::default() });
    assert_eq!(cloud.reason(OUTSIDE, "10.2.0.9", 22), "no_path");
    let policy = |action: &str| RbacPolicy {
        version: version("policy"),
        object_type: Some("network".into()),
        object_id: Some(Id::new("lonely")),
        action: Some(action.into()),
        target_project: Some("*".into()),
    };
    cloud.tell(policy("access_as_shared"));
    assert_eq!(cloud.reason(OUTSIDE, "10.2.0.9", 22), "no_path");
    cloud.tell(policy("access_as_external"));
    assert_eq!(cloud.reason(OUTSIDE, "10.2.0.9", 22), "admitted");
    cloud.delete(Kind::RbacPolicy, "policy");
    assert_eq!(cloud.reason(OUTSIDE, "10.2.0.9", 22), "no_path");
}

#[test]
fn a_routed_prefix_is_a_path_even_to_a_port_of_an_unknown_network() {
    let routed_prefixes = vec!["10.2.0.0/24".parse().expect("a prefix")];
    let mut cloud = Cloud::with(ModelOptions { routed_prefixes, ..ModelOptions::default() });
    assert_eq!(cloud.reason(OUTSIDE, "10.2.0.9", 22), "admitted");
    assert_eq!(cloud.reason(OUTSIDE, "10.0.0.5", 22), "no_path");
    cloud.tell(Port { network_id: None, ..port("loose", "", "10.2.0.10", &["g"]) });
    assert_eq!(cloud.reason(OUTSIDE, "10.2.0.10", 22), "admitted");
    cloud.tell(Port { network_id: None, ..port("lost", "", "10.3.0.10", &["g"]) });
    assert_eq!(cloud.reason(OUTSIDE, "10.3.0.10", 22), "no_path");
    assert_eq!(cloud.reason("10.2.0.10", "10.3.0.10", 22), "no_path", "no network is not one network");
}

#[test]
fn a_router_leads_from_the_networks_it_stands_on() {
    let mut cloud = Cloud::new();
    assert_eq!(cloud.reason("10.1.0.9", "10.0.0.5", 22), "admitted");
    assert_eq!(cloud.reason("10.2.0.9", "10.0.0.5", 22), "no_path");
    assert_eq!(cloud.reason("10.1.0.9", "10.2.0.9", 22), "no_path");
    assert_eq!(
        cloud.reason("10.1.0.1", "10.0.0.5", 22),
        "admitted",
        "the interface's own address is a port's"
    );
    cloud.tell(pairs(port("far", "b", "10.1.0.9", &[]), &["10.1.0.50/32"]));
    assert_eq!(cloud.reason("10.1.0.50", "10.0.0.5", 22), "no_path", "a pair does not stand there");
    cloud.delete(Kind::Port, "if-b");
    assert_eq!(cloud.reason("10.1.0.9", "10.0.0.5", 22), "no_path");
}

#[test]
fn three_owners_are_interfaces_and_no_other() {
    for (owner, expected) in [
        ("network:router_interface", "admitted"),
        ("network:router_interface_distributed", "admitted"),
        ("network:ha_router_replicated_interface", "admitted"),
        ("network:router_gateway", "no_path"),
        ("network:router_centralized_snat", "no_path"),
        ("network:dhcp", "no_path"),
        ("compute:nova", "no_path"),
    ] {
        let mut cloud = Cloud::new();
        cloud.tell(owned("if-b", "b", "10.1.0.1", owner, "r"));
        assert_eq!(cloud.reason("10.1.0.9", "10.0.0.5", 22), expected, "{owner}");
    }
}

#[test]
fn an_interface_learnt_from_the_bus_is_one_and_is_trusted() {
    let mut cloud = Cloud::new();
    let attach = |attached| {
        Change::Interface(crate::event::InterfaceChange {
            attached,
            router_id: Id::new("r"),
            port_id: Id::new("if-lonely"),
            network_id: Some(Id::new("lonely")),
            subnet_ids: vec![],
            project_id: None,
        })
    };
    cloud.happens(attach(true));
    assert_eq!(cloud.reason("10.0.0.9", "10.2.0.9", 22), "admitted");
    // What the API later says of the port does not make it forget whose interface it is.
    cloud.tell(Port { device_id: None, device_owner: None, ..port("if-lonely", "lonely", "10.2.0.1", &[]) });
    assert_eq!(cloud.reason("10.0.0.9", "10.2.0.9", 22), "admitted");
    assert_eq!(cloud.reason("10.2.0.9", "10.2.0.1", 80), "admitted");
    cloud.happens(attach(false));
    assert_eq!(cloud.reason("10.0.0.9", "10.2.0.9", 22), "no_path");
}

#[test]
fn from_outside_a_gateway_leads_in_only_when_it_does_not_translate() {
    let mut cloud = Cloud::new();
    assert_eq!(cloud.reason(OUTSIDE, "10.0.0.5", 22), "no_path", "a missing enable_snat is true");
    cloud.tell(router("r", &[gateway("x", "198.51.100.2", Some(true))]));
    assert_eq!(cloud.reason(OUTSIDE, "10.0.0.5", 22), "no_path");
    cloud.tell(router("r", &[gateway("x", "198.51.100.2", Some(false))]));
    assert_eq!(cloud.reason(OUTSIDE, "10.0.0.5", 22), "admitted");
    cloud.tell(router("r", &[gateway("x", "198.51.100.2", None), gateway("y", "203.0.113.2", Some(false))]));
    assert_eq!(cloud.reason(OUTSIDE, "10.0.0.5", 22), "admitted", "any gateway of it");
    cloud.tell(router("r", &[]));
    assert_eq!(cloud.reason(OUTSIDE, "10.0.0.5", 22), "no_path");
}

#[test]
fn a_global_ipv6_address_is_reached_by_any_gateway() {
    for (to, expected) in [
        ("2600:1::5", "admitted"),
        ("2001:db8::5", "admitted"),
        ("3fff:ffff::5", "admitted"),
        ("1fff:ffff::5", "no_path"),
        ("4000::5", "no_path"),
        ("fd00::5", "no_path"),
        ("fe80::5", "no_path"),
    ] {
        let mut cloud = Cloud::new();
        cloud.tell(port("six", "a", to, &["g"]));
        cloud.tell(Rule { ipv6: Some(true), ..rule("ssh6", 22) });
        assert_eq!(cloud.reason("2600::1", to, 22), expected, "{to}");
        cloud.tell(router("r", &[]));
        assert_eq!(cloud.reason("2600::1", to, 22), "no_path", "{to} without a gateway");
    }
}

#[test]
fn of_several_routers_one_that_is_up_is_used() {
    for (spare_up, first_up) in [(true, false), (false, true)] {
        let mut cloud = Cloud::new();
        for (id, up) in [("r", first_up), ("spare", spare_up)] {
            cloud.tell(Router { version: version(id), admin_state_up: Some(up), ..Router::default() });
        }
        cloud.tell(interface("s-a", "a", "10.0.0.2", "spare"));
        cloud.tell(interface("s-b", "b", "10.1.0.2", "spare"));
        let verdict = cloud.ask("10.1.0.9", "10.0.0.5", 22);
        assert_eq!(verdict.reason, Reason::Admitted);
        let used = if first_up { "r" } else { "spare" };
        assert_eq!((verdict.path[0].kind, &verdict.path[0].id), (Kind::Router, &Some(Id::new(used))));
    }
}

#[test]
fn a_sender_at_the_outer_address_of_a_router_stands_on_the_external_network() {
    let mut cloud = Cloud::new();
    cloud.tell(Network { version: version("x"), external: Some(false), ..Network::default() });
    cloud.tell(port("direct", "x", "198.51.100.20", &["g"]));
    assert_eq!(cloud.reason("198.51.100.2", "198.51.100.20", 22), "admitted");
    assert_eq!(cloud.reason("198.51.100.3", "198.51.100.20", 22), "no_path");
    assert_eq!(cloud.reason("198.51.100.2", "198.51.100.2", 22), "no_path", "a gateway is not another port");
}

#[test]
fn without_a_path_the_answer_says_what_is_in_the_way() {
    let stop = |cloud: &Cloud, from: &str, to: &str| {
        let verdict = cloud.ask(from, to, 22);
        assert_eq!(verdict.reason, Reason::NoPath);
        let hop = verdict.path.into_iter().find(|hop| hop.blocked).expect("something stops it");
        (hop.kind, hop.note.unwrap_or_default())
    };
    let mut cloud = Cloud::new();
    let hides = "its gateway hides the addresses behind it (enable_snat)".to_owned();
    assert_eq!(stop(&cloud, OUTSIDE, "10.0.0.5"), (Kind::Router, hides));
    let no_router = "not external, and no router stands on it".to_owned();
    assert_eq!(stop(&cloud, OUTSIDE, "10.2.0.9"), (Kind::Network, no_router));
    cloud.tell(router("r", &[]));
    let behind = format!("{OUTSIDE} is not behind it, and it has no gateway");
    assert_eq!(stop(&cloud, OUTSIDE, "10.0.0.5"), (Kind::Router, behind));
}
