//! What answers for an address.

use super::*;
use crate::model::Via;

fn ports(verdict: &Verdict) -> Vec<(Via, Option<String>)> {
    let ports = verdict.candidates.iter();
    ports.map(|candidate| (candidate.via, candidate.port_id.as_ref().map(Id::to_string))).collect()
}

fn of(via: Via, port: &str) -> (Via, Option<String>) {
    (via, Some(port.to_owned()))
}

#[test]
fn families_that_differ_come_before_anything_else() {
    let verdict = Cloud::new().ask("2001:db8::1", "10.0.0.5", 22);
    assert_eq!(verdict, Verdict::nothing(Reason::Family, vec![]));
    assert_eq!(Cloud::empty(ModelOptions::default()).reason("10.0.0.1", "2001:db8::1", 22), "family");
}

#[test]
fn an_address_that_nobody_holds_is_no_such_address() {
    assert_eq!(Cloud::new().ask(OUTSIDE, "10.99.0.1", 22), Verdict::nothing(Reason::NoSuchAddress, vec![]));
}

#[test]
fn a_floating_ip_with_port_and_router_leads_to_its_port() {
    let verdict = Cloud::new().ask(OUTSIDE, "198.51.100.7", 22);
    assert!(verdict.reachable);
    assert_eq!(verdict.reason.as_str(), "admitted");
    assert_eq!(verdict.rule_id, Some(Id::new("ssh")));
    assert_eq!(ports(&verdict), [of(Via::Floating, "web")]);
    assert_eq!(Cloud::new().reason(OUTSIDE, "198.51.100.7", 23), "no_rule");
}

#[test]
fn a_floating_ip_that_leads_nowhere_is_no_such_address_and_says_why() {
    let why = |change: &dyn Fn(&mut Cloud)| {
        let mut cloud = Cloud::new();
        change(&mut cloud);
        let verdict = cloud.ask(OUTSIDE, "198.51.100.7", 22);
        assert_eq!((verdict.reason, verdict.candidates.len()), (Reason::NoSuchAddress, 0));
        assert!(verdict.path[0].blocked && verdict.path[0].id == Some(Id::new("f")));
        verdict.path[0].note.clone().expect("it is blocked")
    };
    let free = || floating("f", "198.51.100.7", None, "");
    assert_eq!(why(&|cloud| cloud.tell(free())), "leads to no port");
    assert_eq!(
        why(&|cloud| cloud.tell(FloatingIp {
            router_id: Some(None),
            ..floating("f", "198.51.100.7", Some("web"), "10.0.0.5")
        })),
        "has no router"
    );
    // Of one that nobody showed nobody has said that it was deleted.
    let unknown = "is not known: deleted, or never shown to osel's user";
    assert_eq!(why(&|cloud| cloud.delete(Kind::Port, "web")), format!("its port web {unknown}"));
    assert_eq!(
        why(&|cloud| cloud.tell(floating("f", "198.51.100.7", Some("hidden"), "10.0.0.5"))),
        format!("its port hidden {unknown}")
    );
    let forwards = |cloud: &mut Cloud| {
        cloud.tell(free());
        cloud.tell(forwarding("pf", "f", (2222, 2222), (22, 22)));
    };
    assert_eq!(why(&forwards), "no forwarding of it takes this packet");
    assert_eq!(
        why(&|cloud| {
            cloud.tell(FloatingIp { router_id: Some(None), ..free() });
            cloud.tell(forwarding("pf", "f", (22, 22), (22, 22)));
        }),
        "has no router"
    );
    assert_eq!(
        why(&|cloud| {
            cloud.tell(free());
            cloud.tell(forwarding("pf", "f", (22, 22), (22, 22)));
            cloud.delete(Kind::Port, "web");
        }),
        format!("the port of its forwarding {unknown}")
    );
}

fn forwarded(external: (u16, u16), internal: (u16, u16)) -> Cloud {
    let mut cloud = Cloud::new();
    cloud.tell(floating("f2", "198.51.100.8", None, ""));
    cloud.tell(forwarding("pf", "f2", external, internal));
    cloud
}

#[test]
fn a_forwarding_leads_to_the_internal_port() {
    let cloud = forwarded((2020, 2029), (20, 29));
    let verdict = cloud.ask(OUTSIDE, "198.51.100.8", 2022);
    assert_eq!((verdict.reason, &verdict.rule_id), (Reason::Admitted, &Some(Id::new("ssh"))));
    assert_eq!(ports(&verdict), [of(Via::Forwarding, "web")]);
    assert_eq!(cloud.reason(OUTSIDE, "198.51.100.8", 2023), "no_rule");
    assert_eq!(cloud.reason(OUTSIDE, "198.51.100.8", 2030), "no_such_address");
    assert_eq!(cloud.reason(OUTSIDE, "198.51.100.8", 22), "no_such_address");
    let udp = reach(&cloud.model, &question(OUTSIDE, "198.51.100.8", "udp", Some(2022)));
    assert_eq!(udp.reason.as_str(), "no_such_address");
    let icmp = reach(&cloud.model, &question(OUTSIDE, "198.51.100.8", "icmp", None));
    assert_eq!(icmp.reason.as_str(), "no_such_address");
}

#[test]
fn a_forwarding_of_many_ports_to_one_leads_to_that_one() {
    let cloud = forwarded((2000, 2009), (22, 22));
    assert_eq!(cloud.reason(OUTSIDE, "198.51.100.8", 2009), "admitted");
}

#[test]
fn a_forwarding_without_a_port_asked_admits_when_any_inner_port_is_admitted() {
    let any = |internal| {
        let cloud = forwarded((2000, 2009), internal);
        reach(&cloud.model, &question(OUTSIDE, "198.51.100.8", "tcp", None)).reason.as_str()
    };
    assert_eq!(any((20, 29)), "admitted");
    assert_eq!(any((30, 39)), "no_rule");
}

#[test]
fn a_forwarding_gone_from_its_floating_ips_list_is_not_in_force() {
    let mut cloud = forwarded((2022, 2022), (22, 22));
    cloud.tell(FloatingIp { forwardings: Some(vec![]), ..floating("f2", "198.51.100.8", None, "") });
    assert_eq!(cloud.reason(OUTSIDE, "198.51.100.8", 2022), "no_such_address");
}

#[test]
fn every_port_holding_the_address_is_a_candidate_by_fixed_ip_or_pair_in_a_fixed_order() {
    let mut cloud = Cloud::new();
    cloud.tell(pairs(port("vip-2", "b", "10.1.0.21", &["g"]), &["10.0.0.0/24", "10.0.0.4/30", "0.0.0.0/0"]));
    cloud.tell(pairs(port("vip-1", "a", "10.0.0.21", &["g"]), &["10.0.0.5/32"]));
    cloud.tell(pairs(port("both", "a", "10.0.0.5", &["g"]), &["10.0.0.0/24"]));
    let verdict = cloud.ask(OUTSIDE, "10.0.0.5", 22);
    let expected =
        [of(Via::Fixed, "both"), of(Via::Fixed, "web"), of(Via::Pair, "vip-1"), of(Via::Pair, "vip-2")];
    assert_eq!(ports(&verdict), expected);
    let held: Vec<_> = verdict.candidates.iter().map(|candidate| candidate.address.to_string()).collect();
    assert_eq!(held, ["10.0.0.5/32", "10.0.0.5/32", "10.0.0.5/32", "10.0.0.4/30"]);
}

#[test]
fn a_floating_ips_own_port_is_no_candidate() {
    let mut cloud = Cloud::new();
    cloud.tell(owned("own", "x", "198.51.100.7", "network:floatingip", "f"));
    let verdict = cloud.ask(OUTSIDE, "198.51.100.7", 23);
    assert_eq!((verdict.reason, ports(&verdict)), (Reason::NoRule, vec![of(Via::Floating, "web")]));
    cloud.delete(Kind::FloatingIp, "f");
    assert_eq!(cloud.reason(OUTSIDE, "198.51.100.7", 23), "no_such_address");
}

#[test]
fn a_routers_outer_address_is_a_trusted_port_on_the_external_network() {
    let mut cloud = Cloud::new();
    let verdict = cloud.ask(OUTSIDE, "198.51.100.2", 179);
    assert_eq!((verdict.reason, &verdict.rule_id), (Reason::Admitted, &None));
    assert_eq!(ports(&verdict), [(Via::Fixed, None)]);
    // The inventory of an administrator shows the port itself: it is not there twice.
    cloud.tell(owned("gw", "x", "198.51.100.2", "network:router_gateway", "r"));
    assert_eq!(ports(&cloud.ask(OUTSIDE, "198.51.100.2", 179)), [of(Via::Fixed, "gw")]);
    cloud.tell(router("r", &[]));
    cloud.delete(Kind::Port, "gw");
    assert_eq!(cloud.reason(OUTSIDE, "198.51.100.2", 179), "no_such_address");
}

#[test]
fn a_deleted_router_holds_no_address() {
    let mut cloud = Cloud::new();
    cloud.delete(Kind::Router, "r");
    assert_eq!(cloud.reason(OUTSIDE, "198.51.100.2", 179), "no_such_address");
}

#[test]
fn reachable_if_any_candidate_is_else_the_reason_that_got_furthest() {
    let mut cloud = Cloud::new();
    let reason = |cloud: &Cloud, port| cloud.reason("10.0.0.9", "10.0.0.5", port);
    cloud.tell(port("twin-1", "lonely", "10.0.0.5", &["g"]));
    assert_eq!(reason(&cloud, 22), "admitted");
    assert_eq!(reason(&cloud, 23), "no_rule", "one has no path, one no rule");
    cloud.tell(Port { admin_state_up: Some(false), ..port("web", "a", "10.0.0.5", &["g"]) });
    assert_eq!(reason(&cloud, 22), "admin_down", "one has no path, one is down");
    cloud.tell(port("twin-2", "a", "10.0.0.5", &[]));
    assert_eq!(reason(&cloud, 22), "no_rule", "one is down, one has no rule");
    cloud.tell(Port { port_security_enabled: Some(false), ..port("twin-3", "a", "10.0.0.5", &[]) });
    assert_eq!(reason(&cloud, 22), "admitted");
    let verdict = cloud.ask("10.0.0.9", "10.0.0.5", 22);
    let reasons: Vec<_> = verdict.candidates.iter().map(|candidate| candidate.reason.as_str()).collect();
    assert_eq!(reasons, ["no_path", "no_rule", "admitted", "admin_down"]);
    assert_eq!(verdict.path, verdict.candidates[2].path);
}

#[test]
fn network_and_port_narrow() {
    let mut cloud = Cloud::new();
    cloud.tell(port("twin", "lonely", "10.0.0.5", &["g"]));
    let ask = |to: &str, network: Option<&str>, port_id: Option<&str>| {
        let (network, port_id) = (network.map(Id::new), port_id.map(Id::new));
        let question = Question { network, port_id, ..question("10.0.0.9", to, "tcp", Some(22)) };
        reach(&cloud.model, &question).reason.as_str()
    };
    assert_eq!(ask("10.0.0.5", None, None), "admitted");
    assert_eq!(ask("10.0.0.5", Some("lonely"), None), "no_path");
    assert_eq!(ask("10.0.0.5", Some("a"), None), "admitted");
    assert_eq!(ask("10.0.0.5", None, Some("twin")), "no_path");
    assert_eq!(ask("10.0.0.5", Some("a"), Some("twin")), "no_such_address");
    assert_eq!(ask("10.0.0.5", Some("b"), None), "no_such_address");
    assert_eq!(ask("198.51.100.7", Some("a"), Some("web")), "admitted");
    assert_eq!(ask("198.51.100.7", Some("lonely"), None), "no_such_address");
}

#[test]
fn of_several_regions_the_best_answers() {
    let (here, there) = (Cloud::new(), Cloud::empty(ModelOptions::default()));
    let asked = question(OUTSIDE, "198.51.100.7", "tcp", Some(22));
    let both = super::super::reach_any([&there.model, &here.model], &asked);
    assert_eq!(both, reach(&here.model, &asked));
    let nowhere: [&CloudModel; 0] = [];
    assert_eq!(super::super::reach_any(nowhere, &asked), Verdict::nothing(Reason::NoSuchAddress, vec![]));
}

#[test]
fn a_restored_cloud_answers_the_same() {
    let mut cloud = forwarded((2022, 2022), (22, 22));
    cloud.tell(router("r", &[gateway("x", "198.51.100.3", None)]));
    let mut copy = CloudModel::new(None, ModelOptions::default());
    for line in cloud.model.lines() {
        copy.restore(line);
    }
    for (from, to) in [
        (OUTSIDE, "198.51.100.7"),
        (OUTSIDE, "198.51.100.8"),
        (OUTSIDE, "198.51.100.2"),
        (OUTSIDE, "198.51.100.3"),
        ("10.1.0.9", "10.0.0.5"),
        (OUTSIDE, "10.0.0.5"),
    ] {
        for port in [22, 2022] {
            let question = question(from, to, "tcp", Some(port));
            assert_eq!(reach(&copy, &question), reach(&cloud.model, &question), "{from} {to} {port}");
        }
    }
    assert_eq!(cloud.reason(OUTSIDE, "198.51.100.2", 179), "no_such_address", "an earlier outer address");
    assert_eq!(cloud.reason(OUTSIDE, "198.51.100.3", 179), "admitted");
}
