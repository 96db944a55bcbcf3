//! Random clouds, object by object: few addresses, few ids, so that they meet.

use serde_json::{Value, json};

use super::firewalls;
use crate::random::Random;

/// How many there are of each kind; ids are made of a letter and a number.
pub(super) const NETWORKS: u64 = 5;
const ROUTERS: u64 = 4;
/// The network on which most routers stand.
const MEETING: u64 = 1;
const INTERFACES: u64 = 9;
const HOSTS: u64 = 9;
const FLOATING: u64 = 3;
const GROUPS: u64 = 3;
const RULES: u64 = 9;
const SCOPES: u64 = 2;
const POOLS: u64 = 3;
const POLICIES: u64 = 2;
const TRUNKS: u64 = 2;

/// Makes a version of the object of a kind with this number.
pub(super) type Make = fn(u64, &mut Random) -> Value;

/// One object of a cloud: a collection and an id, with what it may be made of.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) collection: &'static str,
    /// The kind's name in a notification.
    pub(super) singular: &'static str,
    pub(super) id: String,
    number: u64,
    make: Make,
    /// Whether it may be deleted without anything else going with it.
    pub(super) may_go: bool,
}

impl Slot {
    pub(super) fn new(
        (collection, singular): (&'static str, &'static str),
        letter: &str,
        number: u64,
        make: Make,
        may_go: bool,
    ) -> Self {
        Self { collection, singular, id: format!("{letter}{number}"), number, make, may_go }
    }

    /// One version of the object.
    pub(super) fn version(&self, revision: u64, random: &mut Random) -> Value {
        let mut body = (self.make)(self.number, random);
        body["id"] = json!(self.id);
        body["revision_number"] = json!(revision);
        body
    }
}

/// Every object that a cloud has.
pub(super) fn slots() -> Vec<Slot> {
    let kinds: [(_, &str, u64, Make, bool); 15] = [
        (("networks", "network"), "n", NETWORKS, network, false),
        (("subnets", "subnet"), "s", NETWORKS * 2, subnet, true),
        (("subnetpools", "subnetpool"), "q", POOLS, subnet_pool, true),
        (("address_scopes", "address_scope"), "a", SCOPES, |_, _| json!({"name": "scope"}), true),
        (("routers", "router"), "r", ROUTERS, router, true),
        (("ports", "port"), "i", INTERFACES, interface, false),
        (("ports", "port"), "p", HOSTS, host, false),
        (("security_groups", "security_group"), "g", GROUPS, |_, _| json!({"name": "group"}), false),
        (("security_group_rules", "security_group_rule"), "u", RULES, rule, true),
        (("address_groups", "address_group"), "e", 1, address_group, true),
        (("floatingips", "floatingip"), "f", FLOATING, floating_ip, false),
        (("rbac_policies", "rbac_policy"), "b", POLICIES, rbac_policy, true),
        (("trunks", "trunk"), "t", TRUNKS, trunk, true),
        (("loadbalancers", "loadbalancer"), "l", 2, firewalls::load_balancer, true),
        (("listeners", "listener"), "k", 3, firewalls::listener, true),
    ];
    let each = kinds.into_iter().flat_map(|(names, letter, count, make, may_go)| {
        (0..count).map(move |number| Slot::new(names, letter, number, make, may_go))
    });
    each.chain(firewalls::slots()).collect()
}

/// An id of a kind; now and then one that nobody has.
pub(super) fn any(letter: &str, count: u64, random: &mut Random) -> String {
    let count = if random.percent(4) { count + 1 } else { count };
    format!("{letter}{}", random.below(count))
}

/// One of some values.
pub(super) fn of<const N: usize>(values: &[Value; N], random: &mut Random) -> Value {
    random.pick(values).cloned().unwrap_or_default()
}

/// True, nearly always. Never null, which tells nothing: a later version would keep what an earlier one said.
pub(super) fn up(random: &mut Random) -> Value {
    json!(!random.percent(10))
}

/// The IPv4 range of a network; two of them are the same, as projects have it.
fn range(network: u64) -> String {
    format!("10.0.{}", network % (NETWORKS - 1))
}

/// The IPv6 range of a network: some private, some for the world.
fn range_v6(network: u64) -> String {
    if network.is_multiple_of(2) { format!("2001:db8:{network}::") } else { format!("fd00:{network}::") }
}

fn network(number: u64, random: &mut Random) -> Value {
    let scope = |random: &mut Random| match random.below(16) {
        0 => json!("a0"),
        1 => json!("a1"),
        _ => Value::Null,
    };
    json!({
        "name": "net", "admin_state_up": up(random), "router:external": number == 0 || random.percent(6),
        "ipv4_address_scope": scope(random), "ipv6_address_scope": scope(random),
    })
}

fn subnet(number: u64, random: &mut Random) -> Value {
    let network = number / 2;
    let cidr = match (number % 2, random.below(4)) {
        (0, 0) => format!("{}.0/25", range(network)),
        (0, _) => format!("{}.0/24", range(network)),
        _ => format!("{}/64", range_v6(network)),
    };
    let pool = if random.percent(12) { json!(any("q", POOLS, random)) } else { Value::Null };
    json!({"network_id": format!("n{network}"), "cidr": cidr, "subnetpool_id": pool, "gateway_ip": null})
}

fn subnet_pool(_: u64, random: &mut Random) -> Value {
    json!({"address_scope_id": of(&[json!("a0"), json!("a1"), Value::Null], random)})
}

fn router(number: u64, random: &mut Random) -> Value {
    let gateway = |network: u64, at: u64, random: &mut Random| {
        let mut fixed = vec![json!({"ip_address": format!("{}.{}", range(network), 200 + at)})];
        if random.percent(40) {
            fixed.push(json!({"ip_address": format!("{}{:x}", range_v6(network), 200 + at)}));
        }
        json!({
            "network_id": format!("n{network}"), "external_fixed_ips": fixed,
            "enable_snat": of(&[json!(true), json!(false), Value::Null], random),
        })
    };
    let mut routes = Vec::new();
    for _ in 0..random.below(5) {
        let to = random.below(NETWORKS);
        let (destination, next_hop) = if random.percent(25) {
            let destination = random.pick(&[format!("{}/64", range_v6(to)), "::/0".to_owned()]).cloned();
            (destination, door_v6(random))
        } else {
            let near = [
                format!("{}.0/24", range(to)),
                format!("{}.0/28", range(to)),
                "10.0.0.0/8".to_owned(),
                "0.0.0.0/0".to_owned(),
            ];
            (random.pick(&near).cloned(), door_v4(random))
        };
        routes.push(json!({"destination": destination, "nexthop": next_hop}));
    }
    let mut router = json!({
        "name": "router", "admin_state_up": up(random), "routes": routes, "external_gateway_info": null,
    });
    if random.percent(45) {
        router["external_gateway_info"] = gateway(0, number, random);
        if random.percent(25) {
            let second = gateway(1, number, random);
            router["external_gateways"] = json!([router["external_gateway_info"], second]);
        }
    }
    router
}

/// An address at which some router may stand.
fn door_v4(random: &mut Random) -> String {
    let network = random.below(NETWORKS);
    match random.below(5) {
        0 => format!("{}.{}", range(0), 200 + random.below(ROUTERS)),
        1 => format!("{}.{}", range(network), 1 + random.below(INTERFACES)),
        _ => format!("{}.{}", range(MEETING), 1 + random.below(ROUTERS)),
    }
}

fn door_v6(random: &mut Random) -> String {
    match random.below(3) {
        0 => format!("{}{:x}", range_v6(0), 200 + random.below(ROUTERS)),
        _ => format!("{}{:x}", range_v6(MEETING), 1 + random.below(ROUTERS)),
    }
}

fn interface(number: u64, random: &mut Random) -> Value {
    // Most routers meet on one network, to which extra routes lead. The first network is the outside; interfaces there are rare.
    let meets = number < ROUTERS && random.percent(85);
    let network = match random.below(10) {
        _ if meets => MEETING,
        0 => 0,
        _ => 1 + random.below(NETWORKS - 1),
    };
    let router = if meets { number } else { random.below(ROUTERS) };
    let mut fixed = vec![json!({
        "ip_address": format!("{}.{}", range(network), 1 + number), "subnet_id": format!("s{}", network * 2),
    })];
    if random.percent(50) {
        let address = format!("{}{:x}", range_v6(network), 1 + number);
        fixed.push(json!({"ip_address": address, "subnet_id": format!("s{}", network * 2 + 1)}));
    }
    let owners = [
        "network:router_interface",
        "network:router_interface_distributed",
        "network:ha_router_replicated_interface",
        "network:router_interface",
        "network:router_centralized_snat",
    ];
    json!({
        "network_id": format!("n{network}"), "device_id": format!("r{router}"),
        "device_owner": random.pick(&owners), "admin_state_up": true, "fixed_ips": fixed,
        "security_groups": [], "allowed_address_pairs": [],
    })
}

fn host(number: u64, random: &mut Random) -> Value {
    let network = random.below(NETWORKS);
    let mut fixed = vec![json!({"ip_address": format!("{}.{}", range(network), 50 + number % 6)})];
    if random.percent(50) {
        fixed.push(json!({"ip_address": format!("{}{:x}", range_v6(network), 50 + number % 6)}));
    }
    let pairs = match random.below(6) {
        0 => json!([{"ip_address": format!("{}.{}", range(network), 50 + random.below(6))}]),
        1 => json!([{"ip_address": format!("{}.48/29", range(network))}]),
        _ => json!([]),
    };
    let groups: Vec<String> = (0..GROUPS).filter(|_| random.percent(60)).map(|at| format!("g{at}")).collect();
    let is_vip = number < 2;
    let free = random.percent(10);
    json!({
        "network_id": format!("n{network}"), "fixed_ips": fixed, "allowed_address_pairs": pairs,
        "device_owner": if is_vip { "Octavia" } else { "compute:nova" }, "device_id": format!("d{number}"),
        "admin_state_up": up(random), "port_security_enabled": !free, "security_groups": groups,
    })
}

fn rule(_: u64, random: &mut Random) -> Value {
    let v6 = random.percent(35);
    let (protocol, bounds) = firewalls::service(random);
    let mut rule = json!({
        "security_group_id": format!("g{}", random.below(GROUPS)), "direction": "ingress",
        "ethertype": if v6 { "IPv6" } else { "IPv4" }, "protocol": protocol,
        "port_range_min": bounds.map(|(low, _)| low), "port_range_max": bounds.map(|(_, high)| high),
        "remote_ip_prefix": null, "remote_group_id": null, "remote_address_group_id": null,
    });
    match random.below(6) {
        0 => rule["remote_group_id"] = json!(format!("g{}", random.below(GROUPS))),
        1 => rule["remote_address_group_id"] = json!("e0"),
        2 => rule["remote_ip_prefix"] = json!(if v6 { "2001:db8::/32" } else { "10.0.0.0/16" }),
        _ => {}
    }
    rule
}

fn address_group(_: u64, random: &mut Random) -> Value {
    json!({"addresses": [of(&[json!("10.0.1.0/24"), json!("2001:db8:2::/64")], random), "192.0.2.9/32"]})
}

fn floating_ip(number: u64, random: &mut Random) -> Value {
    let inner = |random: &mut Random| format!("{}.{}", range(random.below(NETWORKS)), 50 + random.below(6));
    let mut floating = json!({
        "floating_ip_address": format!("10.0.0.{}", 220 + number), "floating_network_id": "n0",
        "router_id": of(&[json!("r0"), json!("r1"), json!("r2"), Value::Null], random),
        "port_id": null, "fixed_ip_address": null, "port_forwardings": [],
    });
    if random.percent(60) {
        floating["port_id"] = json!(any("p", HOSTS, random));
        floating["fixed_ip_address"] = json!(inner(random));
        return floating;
    }
    let mut forwardings = Vec::new();
    for at in 0..random.below(3) {
        let (low, high) =
            random.pick(&[(80, 80), (22, 22), (8000, 8010), (1, 65_535)]).copied().unwrap_or((1, 1));
        let shift = if random.percent(50) && high < 9000 { 100 } else { 0 };
        let mut forwarding = json!({
            "id": format!("w{number}-{at}"), "internal_port_id": any("p", HOSTS, random),
            "internal_ip_address": inner(random), "protocol": of(&[json!("tcp"), json!("udp")], random),
        });
        if low == high {
            forwarding["internal_port"] = json!(low);
            forwarding["external_port"] = json!(low + shift);
        } else {
            forwarding["internal_port_range"] = json!(format!("{low}:{high}"));
            forwarding["external_port_range"] = json!(format!("{}:{}", low + shift, high + shift));
        }
        forwardings.push(forwarding);
    }
    floating["port_forwardings"] = json!(forwardings);
    floating
}

fn rbac_policy(_: u64, random: &mut Random) -> Value {
    json!({
        "object_type": "network", "object_id": format!("n{}", random.below(NETWORKS)), "target_tenant": "*",
        "action": of(&[json!("access_as_external"), json!("access_as_shared"), json!("access_as_shared")], random),
    })
}

fn trunk(number: u64, random: &mut Random) -> Value {
    let subs: Vec<Value> =
        (0..random.below(3)).map(|_| json!({"port_id": any("p", HOSTS, random)})).collect();
    json!({"port_id": format!("p{}", 2 + number), "admin_state_up": up(random), "sub_ports": subs})
}
