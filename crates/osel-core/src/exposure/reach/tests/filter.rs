//! What the port's rules say.

use super::*;

#[test]
fn a_trusted_or_unfiltered_port_needs_no_rule() {
    let mut cloud = Cloud::new();
    for owner in ["network:dhcp", "neutron:LOADBALANCERV2", "network:router_interface"] {
        cloud.tell(owned("own", "a", "10.0.0.2", owner, "d"));
        let verdict = cloud.ask("10.0.0.9", "10.0.0.2", 80);
        assert_eq!((verdict.reason, verdict.rule_id), (Reason::Admitted, None), "{owner}");
    }
    cloud.tell(owned("own", "a", "10.0.0.2", "compute:nova", "d"));
    assert_eq!(cloud.reason("10.0.0.9", "10.0.0.2", 80), "no_rule");
    cloud.tell(Port { port_security_enabled: Some(false), ..port("own", "a", "10.0.0.2", &[]) });
    let verdict = cloud.ask("10.0.0.9", "10.0.0.2", 80);
    assert_eq!((verdict.reason, verdict.rule_id), (Reason::Admitted, None));
}

#[test]
fn a_port_without_groups_admits_nothing() {
    let mut cloud = Cloud::new();
    cloud.tell(port("web", "a", "10.0.0.5", &[]));
    let verdict = cloud.ask("10.0.0.9", "10.0.0.5", 22);
    assert_eq!(verdict.reason, Reason::NoRule);
    let last = verdict.path.last().expect("the port");
    assert_eq!((last.kind, last.note.as_deref()), (Kind::Port, Some("has no security group")));
}

#[test]
fn only_ingress_rules_of_the_ports_own_groups_count() {
    let mut cloud = Cloud::new();
    cloud.tell(Rule { ingress: Some(false), ..rule("out", 80) });
    cloud.tell(Rule { security_group_id: Some(Id::new("friends")), ..rule("theirs", 80) });
    assert_eq!(cloud.reason("10.0.0.9", "10.0.0.5", 80), "no_rule");
    cloud.tell(port("web", "a", "10.0.0.5", &["g", "friends"]));
    let verdict = cloud.ask("10.0.0.9", "10.0.0.5", 80);
    assert_eq!(verdict.rule_id, Some(Id::new("theirs")));
}

#[test]
fn of_several_rules_that_admit_the_first_id_is_named() {
    let mut cloud = Cloud::new();
    for id in ["zz", "aa", "mm"] {
        cloud.tell(rule(id, 22));
    }
    assert_eq!(cloud.ask("10.0.0.9", "10.0.0.5", 22).rule_id, Some(Id::new("aa")));
}

#[test]
fn the_family_of_a_rule_is_that_of_the_address() {
    let mut cloud = Cloud::new();
    cloud.tell(port("six", "a", "2001:db8::5", &["g"]));
    assert_eq!(cloud.reason("2001:db8::1", "2001:db8::5", 22), "no_rule");
    cloud.tell(Rule { ipv6: Some(true), ..rule("ssh6", 22) });
    assert_eq!(cloud.reason("2001:db8::1", "2001:db8::5", 22), "admitted");
}

/// Whether a rule with this protocol and these bounds admits a packet.
fn admits(rule_protocol: Option<&str>, bounds: [Option<i32>; 2], asked: &str, number: Option<u16>) -> bool {
    let mut cloud = Cloud::new();
    let [port_range_min, port_range_max] = bounds.map(Some);
    let protocol = Some(rule_protocol.map(Box::from));
    cloud.tell(Rule { protocol, port_range_min, port_range_max, ..rule("ssh", 0) });
    reach(&cloud.model, &question("10.0.0.9", "10.0.0.5", asked, number)).reachable
}

#[test]
fn protocol_and_port_must_match() {
    let web = [Some(80), Some(443)];
    for (port, expected) in
        [(Some(79), false), (Some(80), true), (Some(443), true), (Some(444), false), (None, true)]
    {
        assert_eq!(admits(Some("tcp"), web, "tcp", port), expected, "{port:?}");
        assert_eq!(admits(Some("6"), web, "6", port), expected, "{port:?}");
        assert!(!admits(Some("tcp"), web, "udp", port));
    }
    for protocol in [None, Some("any"), Some("-1")] {
        assert!(admits(protocol, [None, None], "tcp", Some(22)));
        assert!(admits(protocol, [None, None], "gre", None));
        assert!(admits(protocol, [None, None], "icmp", Some(8)));
    }
    assert!(admits(Some("tcp"), [None, None], "tcp", Some(65_535)));
    assert!(admits(Some("47"), [None, None], "gre", Some(22)), "gre has no ports");
}

#[test]
fn any_asks_for_some_protocol() {
    let web = [Some(80), Some(80)];
    assert!(admits(Some("tcp"), web, "any", Some(80)));
    assert!(!admits(Some("tcp"), web, "any", Some(81)));
    assert!(admits(Some("gre"), [None, None], "any", None));
}

#[test]
fn icmp_asks_for_type_and_code() {
    let mut cloud = Cloud::new();
    let echo = |id, protocol: &str, ipv6| Rule {
        protocol: Some(Some(protocol.into())),
        ipv6: Some(ipv6),
        port_range_max: Some(Some(0)),
        ..rule(id, 8)
    };
    cloud.tell(echo("echo", "icmp", false));
    cloud.tell(port("six", "a", "2001:db8::5", &["g"]));
    for (from, to, protocol) in [
        ("10.0.0.9", "10.0.0.5", "icmp"),
        ("2001:db8::1", "2001:db8::5", "icmp"),
        ("2001:db8::1", "2001:db8::5", "ipv6-icmp"),
    ] {
        cloud.tell(echo("echo6", "1", true));
        let ask = |icmp_type, icmp_code| {
            let question = Question { icmp_code, ..question(from, to, protocol, icmp_type) };
            reach(&cloud.model, &question).reachable
        };
        assert!(ask(Some(8), Some(0)) && ask(Some(8), None) && ask(None, Some(0)) && ask(None, None));
        assert!(!ask(Some(8), Some(1)) && !ask(Some(0), Some(0)) && !ask(None, Some(1)));
    }
    // A question that was not read from text may hold the number of the other family's ICMP.
    let icmp =
        Question { protocol: Protocol::Number(1), ..question("2001:db8::1", "2001:db8::5", "tcp", None) };
    assert!(reach(&cloud.model, &icmp).reachable);
}

#[test]
fn a_floating_ips_packet_keeps_its_source() {
    let mut cloud = Cloud::new();
    cloud.tell(Rule { remote_ip_prefix: Some("192.0.2.0/24".parse().ok()), ..rule("ssh", 22) });
    assert_eq!(cloud.reason(OUTSIDE, "198.51.100.7", 22), "admitted");
    assert_eq!(cloud.reason("203.0.113.1", "198.51.100.7", 22), "no_rule");
}

fn from_group(options: ModelOptions) -> Cloud {
    let mut cloud = Cloud::with(options);
    cloud.tell(Rule { remote_group_id: Some(Some(Id::new("friends"))), ..rule("ssh", 22) });
    cloud
}

#[test]
fn a_remote_group_is_the_fixed_ips_of_its_ports_in_whatever_network() {
    let mut cloud = from_group(ModelOptions::default());
    assert_eq!(cloud.reason("10.0.0.9", "10.0.0.5", 22), "admitted");
    assert_eq!(cloud.reason("10.1.0.9", "10.0.0.5", 22), "admitted");
    assert_eq!(cloud.reason("10.0.0.1", "10.0.0.5", 22), "no_rule");
    // The sender stands on `a` without the group; a namesake on another network has it.
    cloud.tell(port("peer", "a", "10.0.0.9", &[]));
    assert_eq!(cloud.reason("10.0.0.9", "10.0.0.5", 22), "no_rule");
    cloud.tell(port("namesake", "lonely", "10.0.0.9", &["friends"]));
    assert_eq!(cloud.reason("10.0.0.9", "10.0.0.5", 22), "admitted");
    // Not the floating IPs of its ports.
    cloud.tell(floating("f3", "198.51.100.9", Some("far"), "10.1.0.9"));
    assert_eq!(cloud.reason("198.51.100.9", "198.51.100.7", 22), "no_rule");
}

#[test]
fn pairs_of_a_remote_groups_ports_count_as_the_operator_says() {
    for (group_members_include_pairs, expected) in [(true, "admitted"), (false, "no_rule")] {
        let mut cloud = from_group(ModelOptions { group_members_include_pairs, ..ModelOptions::default() });
        cloud.tell(port("plain", "a", "10.0.0.77", &[]));
        assert_eq!(cloud.reason("10.0.0.77", "10.0.0.5", 22), "no_rule");
        for pair in ["10.0.0.77/32", "10.0.0.64/26", "0.0.0.0/0"] {
            cloud.tell(pairs(port("far", "b", "10.1.0.9", &["friends"]), &[pair]));
            assert_eq!(cloud.reason("10.0.0.77", "10.0.0.5", 22), expected, "{pair}");
        }
        assert_eq!(cloud.reason("10.1.0.9", "10.0.0.5", 22), "admitted");
    }
}

#[test]
fn a_deleted_remote_group_admits_nobody() {
    let mut cloud = from_group(ModelOptions::default());
    cloud.delete(Kind::SecurityGroup, "friends");
    assert_eq!(cloud.reason("10.0.0.9", "10.0.0.5", 22), "no_rule");
}

#[test]
fn an_address_group_is_its_addresses() {
    let mut cloud = Cloud::new();
    cloud.tell(Rule { remote_address_group_id: Some(Some(Id::new("office"))), ..rule("ssh", 22) });
    assert_eq!(cloud.reason("10.0.0.9", "10.0.0.5", 22), "no_rule", "nobody knows the group");
    let addresses = Some(vec!["10.0.0.8/31".parse().expect("a prefix")]);
    cloud.tell(AddressGroup { version: version("office"), name: None, addresses });
    assert_eq!(cloud.reason("10.0.0.9", "10.0.0.5", 22), "admitted");
    assert_eq!(cloud.reason("10.0.0.1", "10.0.0.5", 22), "no_rule");
}

#[test]
fn the_answer_names_everything_on_the_way() {
    let mut cloud = Cloud::new();
    let told = |verdict: &Verdict| -> Vec<String> {
        let hops = verdict.path.iter();
        let words = hops.map(|hop| {
            let name = hop.name.as_deref().map(|name| format!(" '{name}'")).unwrap_or_default();
            let note = hop.note.as_deref().map(|note| format!(" ({note})")).unwrap_or_default();
            let stop = if hop.blocked { " !" } else { "" };
            let id = hop.id.as_ref().map(Id::to_string).unwrap_or_default();
            format!("{} {id}{name}{note}{stop}", hop.kind.singular())
        });
        words.collect()
    };
    assert_eq!(
        told(&cloud.ask(OUTSIDE, "198.51.100.7", 22)),
        [
            "floatingip f (198.51.100.7 to 10.0.0.5)",
            "router r",
            "network a",
            "port web",
            "security_group g 'web'",
            "security_group_rule ssh (tcp 22 from 0.0.0.0/0)",
        ]
    );
    cloud.tell(floating("f2", "198.51.100.8", None, ""));
    cloud.tell(forwarding("pf", "f2", (2022, 2022), (23, 23)));
    assert_eq!(
        told(&cloud.ask(OUTSIDE, "198.51.100.8", 2022)),
        [
            "floatingip f2 (198.51.100.8)",
            "port_forwarding pf (tcp 2022 to 10.0.0.5 tcp 23)",
            "router r",
            "network a",
            "port web",
            "security_group g 'web' (no ingress rule admits it) !",
        ]
    );
    assert_eq!(
        told(&cloud.ask("10.1.0.9", "10.0.0.1", 22)),
        ["router r (from network b)", "network a", "port if-a (trusted: never filtered)"]
    );
    cloud.tell(port("web", "a", "10.0.0.5", &["unknown"]));
    assert_eq!(
        told(&cloud.ask("10.0.0.9", "10.0.0.5", 22)),
        ["network a (10.0.0.9 is on it)", "port web", "security_group unknown (nobody described it yet) !"]
    );
}
