//! What is switched off.

use super::*;

const DOWN: Option<bool> = Some(false);

#[test]
fn port_network_and_router_must_be_up_before_any_rule_is_asked() {
    let changes: [(Kind, Object); 3] = [
        (Kind::Port, Port { admin_state_up: DOWN, ..port("web", "a", "10.0.0.5", &["g"]) }.into()),
        (Kind::Network, Network { version: version("a"), admin_state_up: DOWN, ..Network::default() }.into()),
        (Kind::Router, Router { version: version("r"), admin_state_up: DOWN, ..Router::default() }.into()),
    ];
    for (kind, change) in changes {
        let mut cloud = Cloud::new();
        cloud.tell(change);
        for (from, to) in [(OUTSIDE, "198.51.100.7"), ("10.1.0.9", "10.0.0.5")] {
            for tcp_port in [22, 23] {
                let verdict = cloud.ask(from, to, tcp_port);
                assert_eq!(verdict.reason, Reason::AdminDown, "{kind:?} {to}");
                let stops: Vec<_> = verdict.path.iter().filter(|hop| hop.blocked).collect();
                assert_eq!(stops.len(), 1);
                assert_eq!((stops[0].kind, stops[0].note.as_deref()), (kind, Some("administratively down")));
            }
        }
    }
}

#[test]
fn a_router_that_is_not_used_may_be_down() {
    let mut cloud = Cloud::new();
    cloud.tell(Router { version: version("r"), admin_state_up: DOWN, ..Router::default() });
    assert_eq!(cloud.reason("10.0.0.9", "10.0.0.5", 22), "admitted");
}

#[test]
fn other_ports_and_networks_may_be_down() {
    let mut cloud = Cloud::new();
    for network in ["b", "x"] {
        cloud.tell(Network { version: version(network), admin_state_up: DOWN, ..Network::default() });
    }
    cloud.tell(Port { admin_state_up: DOWN, ..port("far", "b", "10.1.0.9", &[]) });
    assert_eq!(cloud.reason("10.1.0.9", "10.0.0.5", 22), "admitted");
    assert_eq!(cloud.reason(OUTSIDE, "198.51.100.7", 22), "admitted");
}

#[test]
fn what_nobody_described_is_up() {
    let mut cloud = Cloud::empty(ModelOptions::default());
    cloud.tell(port("web", "a", "10.0.0.5", &["g"]));
    cloud.tell(rule("ssh", 22));
    cloud.tell(floating("f", "198.51.100.7", Some("web"), "10.0.0.5"));
    assert_eq!(cloud.reason(OUTSIDE, "198.51.100.7", 22), "admitted");
}

#[test]
fn a_trusted_port_that_is_down_is_down() {
    let mut cloud = Cloud::new();
    cloud.tell(Port { admin_state_up: DOWN, ..interface("if-a", "a", "10.0.0.1", "r") });
    assert_eq!(cloud.reason("10.0.0.9", "10.0.0.1", 22), "admin_down");
}
