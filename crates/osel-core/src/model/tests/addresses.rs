//! What Neutron does to addresses without a word, in every order in which the rest may be heard.

use super::*;
use crate::event::{FixedIp, Mac, PortRange};

const OWN: &str = "2001:db8::f816:3eff:fe00:1";

fn port(revision: u64, addresses: &[(&str, &str)]) -> Port {
    let fixed = |(subnet, address): &(&str, &str)| FixedIp {
        subnet_id: Some(Id::new(subnet)),
        address: address.parse().unwrap(),
    };
    Port {
        version: version("p", revision),
        network_id: Some(Id::new("n")),
        mac_address: Mac::parse("fa:16:3e:00:00:01"),
        fixed_ips: Some(addresses.iter().map(fixed).collect()),
        ..Port::default()
    }
}

/// A subnet that gives addresses, made at that second.
fn giving(second: i64) -> Subnet {
    Subnet {
        version: version("s6", 0),
        network_id: Some(Id::new("n")),
        cidr: Some("2001:db8::/64".parse().unwrap()),
        gives_addresses: Some(true),
        created_at: Some(at(second)),
        ..Subnet::default()
    }
}

/// The addresses of the port, heard in every order; each statement is of the second after the one before, from 1.
fn addresses(told: &[Told]) -> Vec<String> {
    let mut found = None;
    for order in orders(told.len()) {
        let mut cloud = CloudModel::new(None, ModelOptions::default());
        for &which in &order {
            hear(&mut cloud, which as i64 + 1, &told[which]);
        }
        for cloud in [written_and_restored(&cloud), cloud] {
            let port = cloud.ports.get(&Id::new("p"));
            let has: Vec<String> = port
                .iter()
                .flat_map(|port| port.fixed_ips.iter())
                .map(|fixed| fixed.address.to_string())
                .collect();
            assert_eq!(found.get_or_insert_with(|| has.clone()), &has, "{order:?}");
        }
    }
    found.unwrap_or_default()
}

#[test]
fn a_subnet_gives_ports_that_are_there_an_address_of_their_own() {
    let before = || made(Object::Port(port(1, &[("s4", "10.0.0.5")])));
    assert_eq!(addresses(&[before(), made(Object::Subnet(giving(2)))]), ["10.0.0.5", OWN]);
    // What is said of the port later is what it has.
    let after = made(Object::Port(port(2, &[("s4", "10.0.0.6")])));
    assert_eq!(addresses(&[before(), made(Object::Subnet(giving(2))), after]), ["10.0.0.6"]);
    // Also when what is said of it later says nothing of addresses, or something of the subnet comes again.
    let silent = Port { version: version("p", 2), name: Some("web".into()), ..Port::default() };
    let again = Subnet { version: version("s6", 1), ..giving(2) };
    let told =
        [before(), made(Object::Subnet(giving(2))), made(Object::Port(silent)), made(Object::Subnet(again))];
    assert_eq!(addresses(&told), ["10.0.0.5", OWN]);
}

#[test]
fn addresses_of_several_subnets_are_listed_as_neutron_lists_them() {
    let other =
        Subnet { version: version("a6", 0), cidr: Some("2001:db8:a::/64".parse().unwrap()), ..giving(3) };
    let told = [
        made(Object::Port(port(1, &[("s4", "203.0.113.5")]))),
        made(Object::Subnet(giving(2))),
        made(Object::Subnet(other)),
    ];
    assert_eq!(addresses(&told), [OWN, "2001:db8:a:0:f816:3eff:fe00:1", "203.0.113.5"]);
}

#[test]
fn a_subnet_that_gets_its_prefix_later_gives_addresses_of_that() {
    let delegated = Subnet { version: version("s6", 0), cidr: Some("::/64".parse().unwrap()), ..giving(2) };
    let there = Subnet { version: version("s6", 1), ..giving(2) };
    // Made before the port was told of, in the same second with it, and after that.
    for created in [1, 2] {
        let of = |subnet: &Subnet| {
            made(Object::Subnet(Subnet { created_at: Some(at(created)), ..subnet.clone() }))
        };
        let told = [made(Object::Port(port(1, &[("s4", "10.0.0.5")]))), of(&delegated), of(&there)];
        assert_eq!(addresses(&told), ["10.0.0.5", OWN]);
    }
}

#[test]
fn the_past_has_what_was_given_and_taken_as_it_was() {
    let mut cloud = CloudModel::new(None, ModelOptions::default());
    let mut past = CloudModel::new(None, ModelOptions::default());
    let told = [
        made(Object::Port(port(1, &[("s4", "10.0.0.5")]))),
        made(Object::Subnet(giving(2))),
        deleted(Kind::Subnet, "s6"),
    ];
    for (second, told) in (1..).zip(&told) {
        let delta = told_of(&mut cloud, second, told);
        for (kind, id) in delta.touched {
            match cloud.written(kind, &id) {
                Some(line) => past.restore(line),
                None => past.restore(StateLine::Gone { kind, id }),
            }
        }
        let has = |cloud: &CloudModel| cloud.ports.get(&Id::new("p")).unwrap().fixed_ips.clone();
        assert_eq!(has(&past), has(&cloud), "after {second}");
    }
}

#[test]
fn who_gets_none_of_a_subnet_is_left_alone() {
    let check = |port: Port, subnet: Subnet| {
        let told = [made(Object::Port(port)), made(Object::Subnet(subnet))];
        assert_eq!(addresses(&told), ["10.0.0.5"]);
    };
    let usual = || port(1, &[("s4", "10.0.0.5")]);
    let owned = |owner: &str| Port { device_owner: Some(Some(owner.into())), ..usual() };
    check(owned("network:router_interface"), giving(2));
    check(owned("network:router_centralized_snat"), giving(2));
    check(Port { mac_address: None, ..usual() }, giving(2));
    check(Port { network_id: Some(Id::new("m")), ..usual() }, giving(2));
    check(usual(), Subnet { gives_addresses: Some(false), ..giving(2) });
    check(usual(), Subnet { created_at: None, ..giving(2) });
    check(usual(), Subnet { cidr: Some("2001:db8::/80".parse().unwrap()), ..giving(2) });
    // It was there before the port was told of.
    check(usual(), giving(0));
    let already = made(Object::Port(port(1, &[("s6", "2001:db8::7")])));
    assert_eq!(addresses(&[already, made(Object::Subnet(giving(1)))]), ["2001:db8::7"]);
}

#[test]
fn addresses_go_with_their_subnet() {
    let both = || made(Object::Port(port(1, &[("s4", "10.0.0.5"), ("s6", OWN)])));
    // Also where nobody said which network it is of.
    assert_eq!(addresses(&[both(), deleted(Kind::Subnet, "s6")]), ["10.0.0.5"]);
    let subnet = || made(Object::Subnet(giving(0)));
    assert_eq!(addresses(&[subnet(), both(), deleted(Kind::Subnet, "s6")]), ["10.0.0.5"]);
    // It gave it, and took it.
    let before = made(Object::Port(port(1, &[("s4", "10.0.0.5")])));
    assert_eq!(
        addresses(&[before, made(Object::Subnet(giving(2))), deleted(Kind::Subnet, "s6")]),
        ["10.0.0.5"]
    );
    // A later word is believed.
    let after = made(Object::Port(port(2, &[("s4", "10.0.0.5"), ("s6", "2001:db8::7")])));
    assert_eq!(addresses(&[subnet(), deleted(Kind::Subnet, "s6"), after]), ["10.0.0.5", "2001:db8::7"]);
}

#[test]
fn what_came_and_went_without_a_word_is_in_the_change_that_brought_it() {
    let mut cloud = CloudModel::new(None, ModelOptions::default());
    let open = Port { port_security_enabled: Some(false), ..port(1, &[("s4", "10.0.0.5")]) };
    hear(&mut cloud, 1, &made(Object::Port(open)));
    let own = host(OWN.parse().unwrap());
    let rows = |rows: &[Row]| rows.iter().map(|row| row.address).collect::<Vec<_>>();
    let delta = told_of(&mut cloud, 2, &made(Object::Subnet(giving(2))));
    assert_eq!((rows(&delta.opened), rows(&delta.closed)), (vec![own], vec![]));
    let delta = told_of(&mut cloud, 3, &deleted(Kind::Subnet, "s6"));
    assert_eq!((rows(&delta.opened), rows(&delta.closed)), (vec![], vec![own]));
    // A network takes its ports along, each row once.
    hear(&mut cloud, 4, &made(Object::Subnet(Subnet { version: version("t6", 0), ..giving(4) })));
    let delta = told_of(&mut cloud, 5, &deleted(Kind::Network, "n"));
    assert_eq!(rows(&delta.closed).len(), 2);
}

#[test]
fn a_forwarding_ends_with_the_address_that_it_leads_to() {
    let outer = FloatingIp {
        version: version("i", 1),
        floating_ip_address: Some("203.0.113.8".parse().unwrap()),
        ..FloatingIp::default()
    };
    let ssh = Some(PortRange { min: 22, max: 22 });
    let forwarding = Forwarding {
        version: version("f", 0),
        floatingip_id: Some(Id::new("i")),
        protocol: Some("tcp".into()),
        internal_port_id: Some(Id::new("p")),
        internal_ip_address: Some("10.0.0.5".parse().unwrap()),
        internal: ssh,
        external: ssh,
    };
    let open = |revision, addresses: &[(&str, &str)]| {
        made(Object::Port(Port { port_security_enabled: Some(false), ..port(revision, addresses) }))
    };
    let leads = |last: Told| {
        let told = [
            open(1, &[("s4", "10.0.0.5")]),
            made(Object::FloatingIp(outer.clone())),
            made(Object::Forwarding(forwarding.clone())),
            last,
        ];
        let mut found = None;
        for order in orders(told.len()) {
            let mut cloud = CloudModel::new(None, ModelOptions::default());
            for &which in &order {
                hear(&mut cloud, which as i64 + 1, &told[which]);
            }
            let mut rows = Vec::new();
            cloud.rows_of_port(cloud.ports.slot(&Id::new("p")).unwrap(), &mut rows);
            let leads = rows.iter().any(|row| row.via == Via::Forwarding);
            assert_eq!(*found.get_or_insert(leads), leads, "{order:?}");
        }
        found.unwrap()
    };
    assert!(leads(open(2, &[("s4", "10.0.0.5"), ("s4", "10.0.0.6")])));
    assert!(!leads(open(2, &[("s4", "10.0.0.6")])));
    // Neutron looks at ports that have an address of version 4 only.
    assert!(leads(open(2, &[("s6", "2001:db8::7")])));
    assert!(leads(open(2, &[])));
}

#[test]
fn a_port_that_was_given_another_owner_is_no_interface_any_more() {
    use crate::event::InterfaceChange;
    let attached = Told::Event(Change::Interface(InterfaceChange {
        attached: true,
        router_id: Id::new("r"),
        port_id: Id::new("p"),
        network_id: Some(Id::new("n")),
        subnet_ids: Vec::new(),
        project_id: None,
    }));
    let owned = |revision, owner: Option<&str>| {
        let device_owner = Some(owner.map(Box::from));
        made(Object::Port(Port { device_owner, ..port(revision, &[("s4", "10.0.0.5")]) }))
    };
    let trusted = |told: [&Told; 3]| {
        let mut found = None;
        for order in orders(told.len()) {
            let mut cloud = CloudModel::new(None, ModelOptions::default());
            for &which in &order {
                hear(&mut cloud, which as i64 + 1, told[which]);
            }
            let port = cloud.ports.get(&Id::new("p")).unwrap();
            let is = (port.trusted(), port.router().is_some());
            assert_eq!(*found.get_or_insert(is), is, "{order:?}");
        }
        found.unwrap()
    };
    let before = owned(1, Some("compute:nova"));
    assert_eq!(trusted([&before, &attached, &owned(3, Some("network:router_interface"))]), (true, true));
    assert_eq!(trusted([&before, &attached, &owned(3, Some("compute:x"))]), (false, false));
    // It may have been read before, and sent after.
    assert_eq!(trusted([&before, &attached, &owned(1, None)]), (true, true));
    assert_eq!(trusted([&before, &owned(3, Some("compute:x")), &attached]), (true, true));
}

#[test]
fn a_network_that_is_called_not_external_has_no_policies_left_that_made_it_so() {
    let network = |revision, external| {
        made(Object::Network(Network {
            version: version("n", revision),
            external: Some(external),
            ..Network::default()
        }))
    };
    let policy = made(Object::RbacPolicy(crate::event::RbacPolicy {
        version: version("b", 0),
        object_type: Some("network".into()),
        object_id: Some(Id::new("n")),
        action: Some("access_as_external".into()),
        ..crate::event::RbacPolicy::default()
    }));
    let external = |[first, second]: [&Told; 2]| {
        let models = in_both_orders(first, second);
        let [straight, turned] = models.map(|cloud| cloud.network_is_external(&Id::new("n")));
        assert_eq!(straight, turned);
        straight
    };
    assert!(external([&network(1, false), &policy]));
    assert!(!external([&policy, &network(1, false)]));
    assert!(external([&policy, &network(1, true)]));
}
