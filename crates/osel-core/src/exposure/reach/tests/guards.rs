//! Trunks, firewall groups and listeners.

use super::*;

fn firewall_rule(id: &str, allows: bool, ports: Option<(u16, u16)>) -> FirewallRule {
    FirewallRule {
        version: version(id),
        allows: Some(allows),
        ipv6: Some(false),
        protocol: Some(Some("tcp".into())),
        destination_ports: Some(ports.map(|(min, max)| PortRange { min, max })),
        ..FirewallRule::default()
    }
}

fn policy(id: &str, rules: &[&str]) -> FirewallPolicy {
    FirewallPolicy {
        version: version(id),
        rules: Some(rules.iter().map(|rule| Id::new(rule)).collect()),
        ..FirewallPolicy::default()
    }
}

fn firewall(port: &str, ingress: Option<&str>, egress: Option<&str>) -> FirewallGroup {
    FirewallGroup {
        version: version("wall"),
        ports: Some(vec![Id::new(port)]),
        ingress_policy_id: Some(ingress.map(Id::new)),
        egress_policy_id: Some(egress.map(Id::new)),
        ..FirewallGroup::default()
    }
}

/// `open` allows tcp 22 and nothing else, `shut` denies it and allows the rest of tcp.
fn with_policies() -> Cloud {
    let mut cloud = Cloud::new();
    cloud.tell(firewall_rule("ssh-yes", true, Some((22, 22))));
    cloud.tell(firewall_rule("ssh-no", false, Some((22, 22))));
    cloud.tell(firewall_rule("tcp-yes", true, None));
    cloud.tell(policy("open", &["ssh-yes"]));
    cloud.tell(policy("shut", &["ssh-no", "tcp-yes"]));
    cloud
}

/// What stops the packet.
fn stop(verdict: &Verdict) -> String {
    let stop = verdict.path.iter().find(|hop| hop.blocked);
    stop.map_or_else(String::new, |hop| {
        format!("{}: {}", hop.kind.singular(), hop.note.as_deref().unwrap_or_default())
    })
}

#[test]
fn the_firewall_of_a_routers_interface_is_asked_on_the_way_to_its_network() {
    let mut cloud = with_policies();
    cloud.tell(firewall("if-a", Some("open"), None));
    let verdict = cloud.ask("10.1.0.9", "10.0.0.5", 22);
    assert_eq!(verdict.reason.as_str(), "admitted");
    assert!(verdict.path.iter().any(|hop| hop.kind == Kind::FirewallGroup && !hop.blocked), "{verdict:?}");
    assert_eq!(cloud.reason(OUTSIDE, "198.51.100.7", 22), "admitted");
    cloud.tell(firewall("if-a", Some("shut"), Some("open")));
    let verdict = cloud.ask("10.1.0.9", "10.0.0.5", 22);
    assert_eq!(
        (verdict.reason.as_str(), verdict.rule_id.clone(), stop(&verdict).as_str()),
        ("no_rule", None, "firewall_group: on port if-a: ingress rule ssh-no denies it")
    );
    assert_eq!(cloud.reason(OUTSIDE, "198.51.100.7", 22), "no_rule", "what is translated is forwarded too");
    assert_eq!(
        cloud.reason("10.0.0.9", "10.0.0.5", 22),
        "admitted",
        "on the network itself there is no router"
    );
    assert_eq!(
        cloud.reason("10.1.0.9", "10.0.0.1", 22),
        "admitted",
        "the router's own address is not forwarded to"
    );
}

#[test]
fn the_firewall_of_the_interface_on_the_senders_side_is_asked_for_egress() {
    let mut cloud = with_policies();
    cloud.tell(firewall("if-b", Some("shut"), Some("open")));
    assert_eq!(cloud.reason("10.1.0.9", "10.0.0.5", 22), "admitted");
    cloud.tell(firewall("if-b", Some("open"), Some("shut")));
    let verdict = cloud.ask("10.1.0.9", "10.0.0.5", 22);
    assert_eq!(stop(&verdict), "firewall_group: on port if-b: egress rule ssh-no denies it");
    // The sender's own firewall is asked as little as its own rules.
    cloud.tell(firewall("far", Some("shut"), Some("shut")));
    assert_eq!(cloud.reason("10.1.0.9", "10.0.0.5", 22), "admitted");
}

#[test]
fn the_firewall_of_the_port_itself_comes_beside_its_groups() {
    let mut cloud = with_policies();
    cloud.tell(firewall("web", Some("shut"), Some("open")));
    assert_eq!(cloud.reason("10.0.0.9", "10.0.0.5", 22), "no_rule");
    cloud.tell(firewall("web", Some("open"), None));
    assert_eq!(cloud.reason("10.0.0.9", "10.0.0.5", 22), "admitted");
    assert_eq!(cloud.reason("10.0.0.9", "10.0.0.5", 23), "no_rule", "the group's rules still count");
}

#[test]
fn no_policy_and_no_state_let_nothing_through() {
    let mut cloud = with_policies();
    for (group, expected) in [
        (
            firewall("if-a", None, Some("open")),
            "firewall_group: on port if-a: no ingress policy, nothing passes",
        ),
        (firewall("if-a", Some("empty"), None), "firewall_group: on port if-a: no ingress rule allows it"),
        (
            FirewallGroup { admin_state_up: Some(false), ..firewall("if-a", Some("open"), None) },
            "firewall_group: on port if-a: administratively down, nothing passes",
        ),
    ] {
        cloud.tell(policy("empty", &[]));
        cloud.tell(group);
        let verdict = cloud.ask("10.1.0.9", "10.0.0.5", 22);
        assert_eq!((verdict.reason.as_str(), stop(&verdict).as_str()), ("no_rule", expected));
    }
}

#[test]
fn what_nobody_described_and_what_is_not_in_force_are_not_held_against_a_packet() {
    let mut cloud = with_policies();
    let noted = |cloud: &Cloud| {
        let verdict = cloud.ask("10.1.0.9", "10.0.0.5", 22);
        let wall = verdict.path.iter().find(|hop| hop.kind == Kind::FirewallGroup);
        (verdict.reason.as_str(), wall.and_then(|hop| hop.note.clone()).unwrap_or_default())
    };
    cloud.tell(firewall("if-a", Some("unknown"), None));
    let unknown = "on port if-a: nobody described its ingress policy unknown yet";
    assert_eq!(noted(&cloud), ("admitted", unknown.to_owned()));
    cloud.tell(firewall("if-a", None, None));
    assert_eq!(noted(&cloud), ("admitted", "on port if-a: has no policy, not in force".to_owned()));
    cloud.tell(FirewallGroup { admin_state_up: Some(false), ..firewall("if-a", None, None) });
    assert_eq!(cloud.reason("10.1.0.9", "10.0.0.5", 22), "admitted", "no agent was told that it is down");
    cloud.tell(FirewallGroup { admin_state_up: Some(true), ..firewall("if-a", None, None) });
    // Rules that were there before anybody listened: the first may allow what the second denies.
    cloud.tell(firewall("if-a", Some("shut"), None));
    cloud.tell(policy("shut", &["unseen", "ssh-no"]));
    let unseen = "on port if-a: nobody described its ingress rule unseen yet";
    assert_eq!(noted(&cloud), ("admitted", unseen.to_owned()));
    cloud.tell(policy("shut", &["ssh-no", "unseen"]));
    let denied = "on port if-a: ingress rule ssh-no denies it";
    assert_eq!(noted(&cloud), ("no_rule", denied.to_owned()));
}

#[test]
fn disabled_rules_are_skipped_and_the_first_that_matches_decides() {
    let mut cloud = with_policies();
    cloud.tell(firewall("if-a", Some("shut"), None));
    cloud.tell(FirewallRule { enabled: Some(false), ..firewall_rule("ssh-no", false, Some((22, 22))) });
    assert_eq!(cloud.reason("10.1.0.9", "10.0.0.5", 22), "admitted");
    cloud.tell(FirewallRule { enabled: Some(true), ..firewall_rule("ssh-no", false, Some((22, 22))) });
    cloud.tell(policy("shut", &["tcp-yes", "ssh-no"]));
    assert_eq!(cloud.reason("10.1.0.9", "10.0.0.5", 22), "admitted");
    cloud.tell(FirewallRule {
        source: Some(Some("192.0.2.0/24".parse().expect("a prefix"))),
        ..firewall_rule("tcp-yes", true, None)
    });
    assert_eq!(cloud.reason("10.1.0.9", "10.0.0.5", 22), "no_rule", "the sender is another one");
}

#[test]
fn an_open_question_is_answered_by_one_packet_that_all_let_pass() {
    let mut cloud = with_policies();
    cloud.tell(rule("many", 80));
    let ask = |cloud: &Cloud, protocol: &str| {
        reach(&cloud.model, &question("10.1.0.9", "10.0.0.5", protocol, None))
            .rule_id
            .map(|id| id.to_string())
    };
    cloud.tell(firewall("if-a", Some("shut"), None));
    assert_eq!(ask(&cloud, "tcp").as_deref(), Some("many"), "22 is denied, 80 is not");
    cloud.tell(firewall("if-a", Some("open"), None));
    assert_eq!(ask(&cloud, "any").as_deref(), Some("ssh"));
    // Each of the two lets something pass, and there is nothing that both do.
    cloud.tell(firewall_rule("ssh-yes", true, Some((8080, 8090))));
    assert_eq!(ask(&cloud, "tcp"), None);
}

#[test]
fn a_question_that_is_too_open_for_the_rules_on_the_way_says_so() {
    let mut cloud = with_policies();
    let names: Vec<String> = (0..100).map(|number| format!("no-{number}")).collect();
    for (number, name) in (0..).zip(&names) {
        let range = |first: u16| Some(Some(PortRange { min: first + 2 * number, max: first + 2 * number }));
        cloud.tell(FirewallRule {
            source_ports: range(30_000),
            destination_ports: range(1_000),
            ..firewall_rule(name, false, None)
        });
    }
    cloud.tell(policy("many", &names.iter().map(|name| &**name).collect::<Vec<_>>()));
    cloud.tell(firewall("if-a", Some("many"), None));
    cloud.tell(rule("all", -1));
    let port_note = |port: Option<u16>| {
        let verdict = reach(&cloud.model, &question("10.1.0.9", "10.0.0.5", "tcp", port));
        assert_eq!(verdict.reason.as_str(), "no_rule");
        verdict.path.iter().find(|hop| hop.kind == Kind::Port).and_then(|hop| hop.note.clone())
    };
    let note = "so open a question: only 4096 sorts of packets were tried";
    assert_eq!(port_note(None).as_deref(), Some(note));
    assert_eq!(port_note(Some(22)), None);
}

#[test]
fn a_port_that_a_trunk_carries_is_up_with_its_trunk_and_parent() {
    let mut cloud = Cloud::new();
    let trunk = |up| Trunk {
        version: version("trunk"),
        port_id: Some(Id::new("peer")),
        sub_ports: Some(vec![Id::new("web")]),
        admin_state_up: Some(up),
    };
    cloud.tell(trunk(true));
    assert_eq!(cloud.reason("10.0.0.9", "10.0.0.5", 22), "admitted");
    cloud.tell(trunk(false));
    let verdict = cloud.ask("10.0.0.9", "10.0.0.5", 22);
    assert_eq!(
        (verdict.reason.as_str(), stop(&verdict).as_str()),
        ("admin_down", "trunk: administratively down")
    );
    cloud.tell(trunk(true));
    cloud.tell(Port { admin_state_up: Some(false), ..port("peer", "a", "10.0.0.9", &[]) });
    assert_eq!(cloud.reason("10.0.0.9", "10.0.0.5", 22), "admin_down");
    cloud.delete(Kind::Trunk, "trunk");
    assert_eq!(cloud.reason("10.0.0.9", "10.0.0.5", 22), "admitted");
}

#[test]
fn at_the_port_of_a_load_balancer_its_listeners_decide() {
    let mut cloud = Cloud::new();
    let balancer = |up| LoadBalancer {
        version: version("lb"),
        vip_port_id: Some(Some(Id::new("web"))),
        admin_state_up: Some(up),
        ..LoadBalancer::default()
    };
    let listener = |cidrs: &[&str]| Listener {
        version: version("https"),
        loadbalancer_id: Some(Id::new("lb")),
        protocol: Some("TERMINATED_HTTPS".into()),
        protocol_port: Some(22),
        allowed_cidrs: Some(cidrs.iter().map(|cidr| cidr.parse().expect(cidr)).collect()),
        ..Listener::default()
    };
    cloud.tell(balancer(true));
    assert_eq!(cloud.reason(OUTSIDE, "198.51.100.7", 22), "admitted", "no listener is known");
    cloud.tell(listener(&[]));
    assert_eq!(cloud.reason(OUTSIDE, "198.51.100.7", 22), "admitted");
    cloud.tell(listener(&["203.0.113.0/24"]));
    let verdict = cloud.ask(OUTSIDE, "198.51.100.7", 22);
    assert_eq!(stop(&verdict), "listener: the sender is not in its allowed_cidrs");
    cloud.tell(Listener { protocol_port: Some(443), ..listener(&[]) });
    let verdict = cloud.ask(OUTSIDE, "198.51.100.7", 22);
    assert_eq!(
        (verdict.reason.as_str(), stop(&verdict).as_str()),
        ("no_rule", "loadbalancer: no listener is on that port")
    );
    cloud.tell(Listener { admin_state_up: Some(false), ..listener(&[]) });
    assert_eq!(
        cloud.reason(OUTSIDE, "198.51.100.7", 22),
        "no_rule",
        "a listener that is down does not listen"
    );
    cloud.tell(balancer(false));
    assert_eq!(cloud.reason(OUTSIDE, "198.51.100.7", 22), "admin_down");
}

#[test]
fn an_amphora_answers_for_the_address_of_its_load_balancer_as_the_listeners_say() {
    let mut cloud = Cloud::new();
    cloud.tell(pairs(port("amphora", "a", "10.0.0.60", &["g"]), &["10.0.0.5/32"]));
    cloud.tell(LoadBalancer {
        version: version("lb"),
        vip_port_id: Some(Some(Id::new("web"))),
        ..LoadBalancer::default()
    });
    cloud.tell(Listener {
        version: version("http"),
        loadbalancer_id: Some(Id::new("lb")),
        protocol_port: Some(80),
        ..Listener::default()
    });
    let reasons: Vec<&str> =
        cloud.ask("10.0.0.9", "10.0.0.5", 22).candidates.iter().map(|each| each.reason.as_str()).collect();
    assert_eq!(reasons, ["no_rule", "no_rule"]);
    assert_eq!(cloud.reason("10.0.0.9", "10.0.0.60", 22), "admitted", "its own address is another matter");
}
