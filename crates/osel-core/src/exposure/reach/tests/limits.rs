//! What an answer says it does not know, only where that could matter.

use super::*;
use crate::exposure::NotModelled;

fn of(cloud: &Cloud, from: &str, to: &str, protocol: &str, port: u16) -> Vec<NotModelled> {
    reach(&cloud.model, &question(from, to, protocol, Some(port))).not_modelled
}

#[test]
fn nothing_is_said_where_nothing_is_missing() {
    let cloud = Cloud::new();
    assert_eq!(of(&cloud, "10.0.0.9", "10.0.0.5", "tcp", 22), []);
    assert_eq!(of(&cloud, "10.0.0.9", "10.0.0.5", "tcp", 23), []);
    assert_eq!(of(&cloud, OUTSIDE, "198.51.100.7", "tcp", 22), []);
    assert_eq!(of(&cloud, OUTSIDE, "10.99.0.1", "tcp", 22), []);
    assert_eq!(of(&cloud, OUTSIDE, "10.0.0.5", "tcp", 22), []);
}

#[test]
fn replies_of_a_stateless_group() {
    let mut cloud = Cloud::new();
    cloud.tell(SecurityGroup { version: version("g"), stateful: Some(false), ..SecurityGroup::default() });
    assert_eq!(of(&cloud, "10.0.0.9", "10.0.0.5", "tcp", 22), [NotModelled::StatelessReplies]);
    assert_eq!(of(&cloud, "10.0.0.9", "10.0.0.5", "tcp", 23), []);
}

#[test]
fn routes_of_the_outside_to_what_nobody_translates() {
    let mut cloud = Cloud::new();
    cloud.tell(router("r", &[gateway("x", "198.51.100.2", Some(false))]));
    assert_eq!(of(&cloud, OUTSIDE, "10.0.0.5", "tcp", 22), [NotModelled::UpstreamRoutes]);
    assert_eq!(of(&cloud, "10.1.0.9", "10.0.0.5", "tcp", 22), []);
}

#[test]
fn routes_of_the_outside_over_an_external_network() {
    let mut cloud = Cloud::new();
    cloud.tell(port("dmz", "x", "198.51.100.50", &["g"]));
    assert_eq!(of(&cloud, OUTSIDE, "198.51.100.50", "tcp", 22), [NotModelled::UpstreamRoutes]);
    assert_eq!(of(&cloud, "198.51.100.2", "198.51.100.50", "tcp", 22), [], "the sender stands on it, too");
}

#[test]
fn what_could_lead_where_no_path_is_known() {
    let mut cloud = Cloud::new();
    assert_eq!(of(&cloud, "172.16.0.9", "10.0.0.5", "tcp", 22), [NotModelled::Vpn]);
    cloud.tell(Subnet {
        version: version("sub"),
        network_id: Some(Id::new("lonely")),
        cidr: Some("10.2.0.0/24".parse().expect("a prefix")),
        gateway_ip: Some(Some(address("10.2.0.1"))),
        ..Subnet::default()
    });
    assert_eq!(of(&cloud, OUTSIDE, "10.2.0.9", "tcp", 22), [NotModelled::PhysicalRouters]);
    let route =
        Route { destination: "10.2.0.0/24".parse().expect("a prefix"), next_hop: address("10.1.0.9") };
    cloud.tell(Router { routes: Some(vec![route]), ..router("r", &[]) });
    assert_eq!(
        of(&cloud, "10.0.0.9", "10.2.0.9", "tcp", 22),
        [NotModelled::PhysicalRouters, NotModelled::Appliances]
    );
}

/// The sender's address stands in more networks than are looked at: which of them are does not depend on the order of what was told.
#[test]
fn a_server_on_the_way_is_told_of_in_whatever_order_the_cloud_was_told() {
    let told = |numbers: &[usize]| {
        let mut cloud = Cloud::new();
        let route =
            Route { destination: "10.2.0.0/24".parse().expect("a prefix"), next_hop: address("10.1.0.9") };
        cloud.tell(Router { routes: Some(vec![route]), ..router("r", &[]) });
        cloud.delete(Kind::Port, "peer");
        for number in numbers {
            // Network `a` is the first of them.
            let network = if *number == 0 { "a".to_owned() } else { format!("c{number}") };
            cloud.tell(port(&format!("sender{number}"), &network, "10.0.0.9", &[]));
        }
        of(&cloud, "10.0.0.9", "10.2.0.9", "tcp", 22)
    };
    let numbers: Vec<usize> = (0..20).collect();
    let backwards: Vec<usize> = numbers.iter().rev().copied().collect();
    assert!(told(&numbers).contains(&NotModelled::Appliances));
    assert_eq!(told(&backwards), told(&numbers));
}

#[test]
fn what_every_backend_lets_through() {
    let mut cloud = Cloud::new();
    assert_eq!(of(&cloud, "10.0.0.9", "10.0.0.5", "udp", 68), [NotModelled::BaseRules]);
    assert_eq!(of(&cloud, "10.0.0.9", "10.0.0.5", "udp", 69), []);
    cloud.tell(Rule { protocol: Some(Some("udp".into())), ..rule("dhcp", 68) });
    cloud.tell(FirewallPolicy {
        version: version("shut"),
        rules: Some(Vec::new()),
        ..FirewallPolicy::default()
    });
    cloud.tell(FirewallGroup {
        version: version("wall"),
        ports: Some(vec![Id::new("web")]),
        ingress_policy_id: Some(Some(Id::new("shut"))),
        ..FirewallGroup::default()
    });
    assert_eq!(of(&cloud, "10.0.0.9", "10.0.0.5", "udp", 68), [], "a firewall stops it, and no group");
}

#[test]
fn trunks_and_load_balancers() {
    let mut cloud = Cloud::new();
    cloud.tell(Port { device_owner: Some(Some("Octavia".into())), ..port("web", "a", "10.0.0.5", &["g"]) });
    assert_eq!(of(&cloud, "10.0.0.9", "10.0.0.5", "tcp", 22), [NotModelled::UnknownListeners]);
    assert_eq!(of(&cloud, "10.0.0.9", "10.0.0.5", "tcp", 23), [NotModelled::BalancerBackends]);
    // Another provider's port has another owner; and an amphora is a server.
    cloud
        .tell(Port { device_owner: Some(Some("ovn-lb-vip".into())), ..port("web", "a", "10.0.0.5", &["g"]) });
    assert_eq!(of(&cloud, "10.0.0.9", "10.0.0.5", "tcp", 22), []);
    cloud.tell(LoadBalancer {
        version: version("lb"),
        vip_port_id: Some(Some(Id::new("web"))),
        ..LoadBalancer::default()
    });
    assert_eq!(of(&cloud, "10.0.0.9", "10.0.0.5", "tcp", 22), [NotModelled::UnknownListeners]);
    assert_eq!(of(&cloud, "10.0.0.9", "10.0.0.5", "tcp", 23), [NotModelled::BalancerBackends]);
    cloud.tell(Listener {
        version: version("listener"),
        loadbalancer_id: Some(Id::new("lb")),
        protocol_port: Some(22),
        ..Listener::default()
    });
    assert_eq!(of(&cloud, "10.0.0.9", "10.0.0.5", "tcp", 22), [NotModelled::Pools]);
    cloud.tell(Trunk {
        version: version("trunk"),
        port_id: Some(Id::new("peer")),
        sub_ports: Some(vec![Id::new("web")]),
        admin_state_up: Some(false),
    });
    assert_eq!(of(&cloud, "10.0.0.9", "10.0.0.5", "tcp", 22), [NotModelled::TrunkBackends]);
}
