//! Ways over extra routes and between address scopes.

use super::*;

/// Behind router `r` of the small cloud: a transfer network `t` with router `s`, and `deep` (10.9.0.5) on `d` behind that.
fn with_transfer() -> Cloud {
    let mut cloud = Cloud::new();
    for network in ["t", "d"] {
        cloud.tell(Network { version: version(network), ..Network::default() });
    }
    cloud.tell(interface("if-t", "t", "10.8.0.1", "r"));
    cloud.tell(interface("if-t2", "t", "10.8.0.2", "s"));
    cloud.tell(interface("if-d", "d", "10.9.0.1", "s"));
    cloud.tell(router("s", &[]));
    cloud.tell(port("deep", "d", "10.9.0.5", &["g"]));
    cloud
}

fn routed(id: &str, gateways: &[Gateway], routes: &[(&str, &str)]) -> Router {
    let route = |(destination, next_hop): &(&str, &str)| Route {
        destination: destination.parse().expect(destination),
        next_hop: address(next_hop),
    };
    Router { routes: Some(routes.iter().map(route).collect()), ..router(id, gateways) }
}

#[test]
fn an_extra_route_leads_on_to_another_router() {
    let mut cloud = with_transfer();
    assert_eq!(cloud.reason("10.0.0.9", "10.9.0.5", 22), "no_path");
    cloud.tell(routed("r", &[], &[("10.9.0.0/24", "10.8.0.2")]));
    let verdict = cloud.ask("10.0.0.9", "10.9.0.5", 22);
    let told: Vec<String> =
        verdict.path.iter().map(|hop| format!("{} {:?}", hop.kind.singular(), hop.note)).collect();
    assert_eq!(verdict.reason.as_str(), "admitted", "{told:?}");
    assert_eq!(
        told[..4],
        [
            r#"router Some("from network a")"#,
            "network None",
            r#"router Some("next hop 10.8.0.2 of an extra route")"#,
            "network None"
        ]
    );
    cloud.tell(Network { version: version("t"), admin_state_up: Some(false), ..Network::default() });
    assert_eq!(cloud.reason("10.0.0.9", "10.9.0.5", 22), "admin_down", "the transfer network is on the way");
    cloud.tell(Network { version: version("t"), admin_state_up: Some(true), ..Network::default() });
    cloud.tell(Router { admin_state_up: Some(false), ..router("s", &[]) });
    assert_eq!(cloud.reason("10.0.0.9", "10.9.0.5", 22), "admin_down");
}

#[test]
fn the_narrowest_extra_route_counts() {
    let mut cloud = with_transfer();
    cloud.tell(routed("r", &[], &[("10.9.0.0/16", "10.8.0.2"), ("10.9.0.0/24", "10.8.0.99")]));
    assert_eq!(cloud.reason("10.0.0.9", "10.9.0.5", 22), "no_path");
    cloud.tell(routed("r", &[], &[("10.9.0.0/16", "10.8.0.99"), ("10.9.0.0/24", "10.8.0.2")]));
    assert_eq!(cloud.reason("10.0.0.9", "10.9.0.5", 22), "admitted");
    cloud.delete(Kind::Router, "r");
    assert_eq!(cloud.reason("10.0.0.9", "10.9.0.5", 22), "no_path");
}

#[test]
fn the_outside_comes_over_an_extra_route_where_the_first_router_does_not_translate() {
    let mut cloud = with_transfer();
    let out = |snat| [gateway("x", "198.51.100.2", Some(snat))];
    cloud.tell(routed("r", &out(true), &[("0.0.0.0/0", "10.8.0.2")]));
    assert_eq!(cloud.reason(OUTSIDE, "10.9.0.5", 22), "no_path");
    cloud.tell(routed("r", &out(false), &[("0.0.0.0/0", "10.8.0.2")]));
    assert_eq!(cloud.reason(OUTSIDE, "10.9.0.5", 22), "admitted");
}

#[test]
fn routers_that_lead_in_a_circle_end() {
    let mut cloud = with_transfer();
    cloud.delete(Kind::Port, "if-d");
    cloud.tell(routed("r", &[], &[("10.9.0.0/24", "10.8.0.2")]));
    cloud.tell(routed("s", &[], &[("10.9.0.0/24", "10.8.0.1")]));
    assert_eq!(cloud.reason("10.0.0.9", "10.9.0.5", 22), "no_path");
}

fn scoped(id: &str, scope: Option<&str>, external: bool) -> Network {
    Network {
        version: version(id),
        external: Some(external),
        ipv4_address_scope: Some(scope.map(Id::new)),
        ..Network::default()
    }
}

/// A subnet of network `a` that is taken from a pool.
fn pooled(pool: &str) -> Subnet {
    Subnet {
        version: version("sub"),
        network_id: Some(Id::new("a")),
        cidr: Some("10.0.0.0/24".parse().expect("a prefix")),
        subnetpool_id: Some(Some(Id::new(pool))),
        ..Subnet::default()
    }
}

#[test]
fn nothing_is_routed_between_address_scopes() {
    let mut cloud = Cloud::new();
    cloud.tell(scoped("a", Some("inside"), false));
    cloud.tell(scoped("b", None, false));
    assert_eq!(cloud.reason("10.1.0.9", "10.0.0.5", 22), "no_path", "no scope is another one");
    assert_eq!(cloud.reason("10.0.0.9", "10.0.0.5", 22), "admitted", "within a network nothing is routed");
    assert_eq!(cloud.reason(OUTSIDE, "198.51.100.7", 22), "admitted", "a floating IP is translated");
    cloud.tell(scoped("b", Some("inside"), false));
    assert_eq!(cloud.reason("10.1.0.9", "10.0.0.5", 22), "admitted");
    cloud.tell(router("r", &[gateway("x", "198.51.100.2", Some(false))]));
    cloud.tell(scoped("x", None, true));
    assert_eq!(cloud.reason(OUTSIDE, "10.0.0.5", 22), "no_path");
    cloud.tell(router("r", &[gateway("x", "198.51.100.2", Some(true))]));
    cloud.tell(scoped("x", Some("inside"), true));
    assert_eq!(cloud.reason(OUTSIDE, "10.0.0.5", 22), "admitted", "within a scope nothing is translated");
}

#[test]
fn the_pool_of_a_subnet_tells_its_scope_before_the_network_does() {
    let mut cloud = Cloud::new();
    cloud.tell(scoped("a", None, false));
    cloud.tell(scoped("b", None, false));
    cloud.tell(pooled("pool"));
    let pool = |scope: Option<&str>| SubnetPool {
        version: version("pool"),
        address_scope_id: Some(scope.map(Id::new)),
        ..SubnetPool::default()
    };
    cloud.tell(pool(Some("inside")));
    assert_eq!(cloud.reason("10.1.0.9", "10.0.0.5", 22), "no_path");
    cloud.tell(pool(None));
    assert_eq!(cloud.reason("10.1.0.9", "10.0.0.5", 22), "admitted");
}

#[test]
fn an_address_scope_that_nobody_told_is_not_held_against_a_packet() {
    let mut cloud = Cloud::new();
    cloud.tell(scoped("b", Some("inside"), false));
    assert_eq!(cloud.reason("10.1.0.9", "10.0.0.5", 22), "admitted", "the network's body did not say");
    // What the network said when it was made, without any subnet, is not true any more.
    cloud.tell(scoped("a", None, false));
    assert_eq!(cloud.reason("10.1.0.9", "10.0.0.5", 22), "no_path");
    cloud.tell(pooled("unseen"));
    assert_eq!(cloud.reason("10.1.0.9", "10.0.0.5", 22), "admitted");
    cloud.tell(pooled("prefix_delegation"));
    assert_eq!(cloud.reason("10.1.0.9", "10.0.0.5", 22), "no_path", "a word, not a pool");
    // That a scope is unknown makes no gateway one that does not translate.
    cloud.tell(pooled("unseen"));
    cloud.tell(scoped("x", Some("inside"), true));
    assert_eq!(cloud.reason(OUTSIDE, "10.0.0.5", 22), "no_path");
}

#[test]
fn any_gateway_of_several_may_let_in() {
    let mut cloud = Cloud::new();
    let second = gateway("y", "203.0.113.2", Some(false));
    cloud.tell(router("r", &[gateway("x", "198.51.100.2", None), second]));
    assert_eq!(cloud.reason(OUTSIDE, "10.0.0.5", 22), "admitted");
}
