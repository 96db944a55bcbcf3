//! Notifications of the network service, in the shapes of all releases.

use super::super::{DefectKind, read_named, read_object};
use super::{defect, event};
use crate::event::{Change, Kind, Object, Outcome, PortRange, TAGS_MAX, Verb};
use crate::ids::Id;

fn objects(event_type: &str, payload: &str) -> Vec<Object> {
    match event(event_type, payload).change {
        Change::Objects { objects, .. } => objects,
        other => panic!("{other:?}"),
    }
}

fn only(event_type: &str, payload: &str) -> Object {
    let mut objects = objects(event_type, payload);
    assert_eq!(objects.len(), 1);
    objects.remove(0)
}

#[test]
fn a_port_with_everything() {
    let port = only(
        "port.update.end",
        r#"{"port":{"id":"p1","name":"web","tenant_id":"t1","project_id":"t1","network_id":"n1","device_id":"","device_owner":
        "compute:nova","admin_state_up":true,"port_security_enabled":false,"revision_number":7,"fixed_ips":[{"subnet_id":"s1",
        "ip_address":"10.0.0.5"},{"subnet_id":"s2"},{"subnet_id":"s3","ip_address":"FD00::1"}],"allowed_address_pairs":
        [{"ip_address":"10.1.2.3/8","mac_address":"x"},{"ip_address":"10.0.0.9"}],"security_groups":["g1","g2"]}}"#,
    );
    let Object::Port(port) = port else { panic!("{port:?}") };
    assert_eq!(port.version.revision, Some(7));
    assert_eq!(port.device_id, Some(None));
    assert_eq!(port.device_owner, Some(Some("compute:nova".into())));
    assert_eq!(port.port_security_enabled, Some(false));
    let addresses: Vec<_> = port.fixed_ips.unwrap().iter().map(|fixed| fixed.address.to_string()).collect();
    assert_eq!(addresses, ["10.0.0.5", "fd00::1"]);
    let pairs: Vec<_> = port.allowed_address_pairs.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(pairs, ["10.0.0.0/8", "10.0.0.9/32"]);
    assert_eq!(port.security_groups.unwrap().len(), 2);
}

/// Neutron takes 255 characters for it, whatever they are. A port that is refused for them is one that nobody sees.
#[test]
fn a_device_id_is_taken_as_it_was_chosen() {
    let long = |letter: char, letters| letter.to_string().repeat(letters);
    for (chosen, wanted) in [
        (long('\u{fc}', 255), long('\u{fc}', 255)),
        (long('\u{1f600}', 255), long('\u{1f600}', 255)),
        (long('x', 5000), long('x', 1020)),
    ] {
        let body =
            serde_json::json!({"port": {"id": "p1", "device_id": chosen, "port_security_enabled": false}});
        let Object::Port(port) = only("port.create.end", &body.to_string()) else { panic!("no port") };
        assert_eq!(port.device_id, Some(Some(Id::new(&wanted))));
    }
}

#[test]
fn what_a_body_leaves_out_is_not_null() {
    let port =
        only("port.update.end", r#"{"port":{"id":"p1","fixed_ips":null,"device_id":null,"tenant_id":""}}"#);
    let Object::Port(port) = port else { panic!("{port:?}") };
    assert_eq!(port.fixed_ips, Some(vec![]));
    assert_eq!(port.device_id, Some(None));
    assert_eq!(port.version.project_id, Some(None));
    assert_eq!((port.security_groups, port.device_owner, port.admin_state_up), (None, None, None));
}

#[test]
fn tags_are_read_as_far_as_they_are_texts() {
    let tags_of = |resource: &str, tags: &str| {
        let body = format!(r#"{{"{resource}":{{"id":"x","tags":{tags}}}}}"#);
        let tags = match only(&format!("{resource}.update.end"), &body) {
            Object::Port(port) => port.tags,
            Object::SecurityGroup(group) => group.tags,
            Object::FloatingIp(floating) => floating.tags,
            other => panic!("{other:?}"),
        };
        tags.map(|tags| tags.iter().map(str::to_owned).collect::<Vec<_>>())
    };
    let list = |tags: &[&str]| Some(tags.iter().map(|tag| (*tag).to_owned()).collect());
    for resource in ["port", "security_group", "floatingip"] {
        assert_eq!(tags_of(resource, r#"["web","b\u00e4","web",""]"#), list(&["bä", "web"]));
        assert_eq!(tags_of(resource, "[]"), list(&[]));
        assert_eq!(tags_of(resource, r#"[1,null,["x"],{"a":"b"},"ok"]"#), list(&["ok"]));
        for none in ["null", "5", r#""web""#, r#"{"web":"web"}"#] {
            assert_eq!(tags_of(resource, none), None, "{none}");
        }
        let many: Vec<String> = (0..5000).map(|number| format!("\"{number:05}\"")).collect();
        let kept = tags_of(resource, &format!("[{}]", many.join(","))).unwrap();
        assert_eq!((kept.len(), kept.last().map(String::as_str)), (TAGS_MAX, Some("00063")));
    }
    let port = only("port.update.end", r#"{"port":{"id":"x","name":"web"}}"#);
    let Object::Port(port) = port else { panic!("{port:?}") };
    assert_eq!(port.tags, None);
}

#[test]
fn rules_of_all_ages() {
    let rule = |fields: &str| {
        let body = format!(r#"{{"security_group_rule":{{"id":"r1","security_group_id":"g1",{fields}}}}}"#);
        match only("security_group_rule.create.end", &body) {
            Object::Rule(rule) => rule,
            other => panic!("{other:?}"),
        }
    };
    let icehouse =
        rule(r#""protocol":10,"ethertype":"IPv4","direction":"ingress","dscp":null,"port_range_min":null"#);
    assert_eq!(icehouse.protocol, Some(Some("10".into())));
    assert_eq!(
        (icehouse.ingress, icehouse.ipv6, icehouse.port_range_min),
        (Some(true), Some(false), Some(None))
    );
    let sloppy =
        rule(r#""ethertype":"ipv6","remote_ip_prefix":"10.0.0.9/8","port_range_max":65535,"protocol":null"#);
    assert_eq!(sloppy.remote_ip_prefix.unwrap().unwrap().to_string(), "10.0.0.0/8");
    assert_eq!(
        (sloppy.ipv6, sloppy.port_range_max, sloppy.protocol),
        (Some(true), Some(Some(65535)), Some(None))
    );
    let normalized = rule(r#""remote_ip_prefix":"10.0.0/8","normalized_cidr":"10.0.0.0/8""#);
    assert_eq!(normalized.remote_ip_prefix.unwrap().unwrap().to_string(), "10.0.0.0/8");
    assert_eq!(rule(r#""ethertype":"0x4008""#).ipv6, None);
    assert_eq!(rule(r#""ethertype":6,"remote_group_id":"g2""#).ipv6, Some(true));
}

#[test]
fn a_group_gives_its_rules_its_id() {
    let group = only(
        "security_group.create.end",
        r#"{"security_group":{"id":"g1","name":"default","stateful":true,"security_group_rules":[{"id":"r1"},
        {"id":"r2","security_group_id":"g9"}]}}"#,
    );
    let Object::SecurityGroup(group) = group else { panic!("{group:?}") };
    let ids: Vec<_> =
        group.rules.unwrap().iter().map(|rule| rule.security_group_id.clone().unwrap().to_string()).collect();
    assert_eq!(ids, ["g1", "g9"]);
}

#[test]
fn gateways_are_told_once() {
    let router = only(
        "router.update.end",
        r#"{"router":{"id":"r1","external_gateway_info":{"network_id":"n1","enable_snat":false,"external_fixed_ips":
        [{"subnet_id":"s1","ip_address":"203.0.113.4"}]},"external_gateways":[{"network_id":"n1","external_fixed_ips":
        [{"subnet_id":"s1","ip_address":"203.0.113.4"}]},{"network_id":"n2","external_fixed_ips":[]}]}}"#,
    );
    let Object::Router(router) = router else { panic!("{router:?}") };
    let gateways = router.gateways.unwrap();
    assert_eq!(gateways.len(), 2);
    assert_eq!(gateways[0].enable_snat, Some(false));
    let Object::Router(closed) =
        only("router.update.end", r#"{"router":{"id":"r1","external_gateway_info":null}}"#)
    else {
        panic!()
    };
    assert_eq!(closed.gateways, Some(vec![]));
}

#[test]
fn forwardings_inside_and_outside_of_their_floating_ip() {
    let floating = only(
        "floatingip.update.end",
        r#"{"floatingip":{"id":"f1","floating_ip_address":"203.0.113.9","port_id":null,"port_forwardings":[{"protocol":"tcp",
        "internal_ip_address":"10.0.0.5","internal_port":80,"external_port":8080,"internal_port_id":"p1"}]}}"#,
    );
    let Object::FloatingIp(floating) = floating else { panic!("{floating:?}") };
    assert_eq!(floating.port_id, Some(None));
    let inside = &floating.forwardings.unwrap()[0];
    assert_eq!(inside.floatingip_id.as_ref().unwrap().to_string(), "f1");
    assert_eq!(inside.external, Some(PortRange { min: 8080, max: 8080 }));
    let ranged = only(
        "port_forwarding.create.end",
        r#"{"port_forwarding":{"id":"w1","protocol":"udp","internal_port":null,"internal_port_range":"80:90",
        "external_port_range":"8080:8090","external_port":null}}"#,
    );
    let Object::Forwarding(ranged) = ranged else { panic!("{ranged:?}") };
    assert_eq!(ranged.internal, Some(PortRange { min: 80, max: 90 }));
    assert_eq!(ranged.external, Some(PortRange { min: 8080, max: 8090 }));
}

#[test]
fn the_other_kinds() {
    let Object::AddressGroup(group) =
        only("address_group.update.end", r#"{"address_group":{"id":"a1","addresses":["10.0.0.7/24"]}}"#)
    else {
        panic!()
    };
    assert_eq!(group.addresses.unwrap()[0].to_string(), "10.0.0.0/24");
    let Object::RbacPolicy(policy) = only(
        "rbac_policy.create.end",
        r#"{"rbac_policy":{"id":"b1","object_type":"network","object_id":"n1","action":"access_as_external","target_tenant":"*"}}"#,
    ) else {
        panic!()
    };
    assert_eq!(policy.target_project.as_deref(), Some("*"));
    let Object::Trunk(trunk) = only(
        "trunk.create.end",
        r#"{"trunk":{"id":"t1","port_id":"p1","sub_ports":[{"port_id":"p2"},{"port_id":"p3"}]}}"#,
    ) else {
        panic!()
    };
    assert_eq!(trunk.sub_ports.unwrap().len(), 2);
    let Object::Network(network) =
        only("network.create.end", r#"{"network":{"id":"n1","router:external":true}}"#)
    else {
        panic!()
    };
    assert_eq!(network.external, Some(true));
    let Object::Subnet(subnet) = only("subnet.create.end", r#"{"subnet":{"id":"s1","cidr":"10.0.0.0/24"}}"#)
    else {
        panic!()
    };
    assert_eq!(subnet.cidr.unwrap().to_string(), "10.0.0.0/24");
}

#[test]
fn objects_that_decide_about_paths() {
    let Object::Router(router) = only(
        "router.update.end",
        r#"{"router":{"id":"r1","distributed":true,"routes":[{"destination":"10.9.1.1/16","nexthop":"10.0.0.9"},
        {"destination":"10.8.0.0/16"},null]}}"#,
    ) else {
        panic!()
    };
    assert_eq!(router.distributed, Some(true));
    let routes: Vec<_> = router
        .routes
        .unwrap()
        .iter()
        .map(|route| format!("{} {}", route.destination, route.next_hop))
        .collect();
    assert_eq!(routes, ["10.9.0.0/16 10.0.0.9"]);
    let Object::Network(network) = only(
        "network.create.end",
        r#"{"network":{"id":"n1","ipv4_address_scope":"s4","ipv6_address_scope":null}}"#,
    ) else {
        panic!()
    };
    assert_eq!((network.ipv4_address_scope, network.ipv6_address_scope), (Some(id("s4")), Some(None)));
    let Object::Subnet(subnet) =
        only("subnet.create.end", r#"{"subnet":{"id":"s1","gateway_ip":"10.0.0.1","subnetpool_id":"pool"}}"#)
    else {
        panic!()
    };
    assert_eq!(
        (subnet.gateway_ip.flatten().unwrap().to_string(), subnet.subnetpool_id),
        ("10.0.0.1".into(), Some(id("pool")))
    );
    let Object::SubnetPool(pool) =
        only("subnetpool.create.end", r#"{"subnetpool":{"id":"pool","address_scope_id":"s4"}}"#)
    else {
        panic!()
    };
    assert_eq!(pool.address_scope_id, Some(id("s4")));
    let Object::AddressScope(scope) =
        only("address_scope.create.end", r#"{"address_scope":{"id":"s4","name":"inside"}}"#)
    else {
        panic!()
    };
    assert_eq!(scope.name.as_deref(), Some("inside"));
}

#[test]
fn firewalls() {
    let Object::FirewallGroup(group) = only(
        "firewall_group.update.end",
        r#"{"firewall_group":{"id":"w1","ports":["p1","p2"],"ingress_firewall_policy_id":"y1",
        "egress_firewall_policy_id":null,"admin_state_up":true}}"#,
    ) else {
        panic!()
    };
    assert_eq!(group.ports.unwrap().len(), 2);
    assert_eq!((group.ingress_policy_id, group.egress_policy_id), (Some(id("y1")), Some(None)));
    let Object::FirewallPolicy(policy) =
        only("firewall_policy.create.end", r#"{"firewall_policy":{"id":"y1","firewall_rules":["u2","u1"]}}"#)
    else {
        panic!()
    };
    assert_eq!(policy.rules, Some(vec![Id::new("u2"), Id::new("u1")]));
    let Object::FirewallRule(rule) = only(
        "firewall_rule.create.end",
        r#"{"firewall_rule":{"id":"u1","enabled":false,"action":"reject","ip_version":6,"protocol":"tcp",
        "source_ip_address":"2001:db8::7","destination_ip_address":null,"source_port":null,"destination_port":"80:90"}}"#,
    ) else {
        panic!()
    };
    assert_eq!((rule.enabled, rule.allows, rule.ipv6), (Some(false), Some(false), Some(true)));
    assert_eq!(
        (rule.source_ports, rule.destination_ports),
        (Some(None), Some(Some(PortRange { min: 80, max: 90 })))
    );
    assert_eq!(rule.source.flatten().unwrap().to_string(), "2001:db8::7/128");
}

#[test]
fn load_balancers_and_listeners_of_the_api() {
    let read = |kind, json: &str| read_object(kind, json.as_bytes()).unwrap();
    let json = r#"{"id":"l1","vip_port_id":"v1","vip_address":"10.0.0.7","listeners":[{"id":"k1"}]}"#;
    let Object::LoadBalancer(balancer) = read(Kind::LoadBalancer, json) else { panic!() };
    assert_eq!(balancer.vip_port_id, Some(id("v1")));
    let json = r#"{"id":"k1","loadbalancers":[{"id":"l1"}],"protocol":"TERMINATED_HTTPS","protocol_port":443,
        "allowed_cidrs":["192.0.2.7/24"],"admin_state_up":true}"#;
    let Object::Listener(listener) = read(Kind::Listener, json) else { panic!() };
    assert_eq!((listener.loadbalancer_id, listener.protocol_port), (id("l1"), Some(443)));
    assert_eq!(listener.allowed_cidrs.unwrap()[0].to_string(), "192.0.2.0/24");
    let Object::Listener(listener) = read(Kind::Listener, r#"{"id":"k1","allowed_cidrs":null}"#) else {
        panic!()
    };
    assert_eq!(listener.allowed_cidrs, Some(Vec::new()));
}

fn id(text: &str) -> Option<Id> {
    Some(Id::new(text))
}

#[test]
fn bulk_and_exists() {
    let event = event(
        "port.create.end",
        r#"{"ports":[{"id":"p1","project_id":"t1"},{"id":"p2","project_id":"t1"}]}"#,
    );
    let target = event.target.unwrap();
    assert_eq!((target.id, target.project_id.unwrap().to_string().as_str()), (None, "t1"));
    let Change::Objects { verb: Some(Verb::Create), objects } = event.change else { panic!() };
    assert_eq!(objects.len(), 2);
    let exists = super::event("network.exists", r#"{"network":{"id":"n1"}}"#);
    assert!(matches!(exists.change, Change::Objects { verb: None, .. }));
    assert_eq!(exists.outcome, Outcome::Unknown);
}

#[test]
fn deletions_with_and_without_a_body() {
    let bare = event("security_group_rule.delete.end", r#"{"security_group_rule_id":"r1"}"#);
    let Change::Deleted { kind: Kind::Rule, id, last: None } = bare.change else { panic!("{bare:?}") };
    assert_eq!(id.to_string(), "r1");
    let full =
        event("port.delete.end", r#"{"port_id":"p1","port":{"id":"p1","name":"web","project_id":"t1"}}"#);
    assert_eq!(full.target.unwrap().name.as_deref(), Some("web"));
    let Change::Deleted { last: Some(last), .. } = full.change else { panic!() };
    assert_eq!(last.id().unwrap().to_string(), "p1");
    assert_eq!(defect("port.delete.end", r#"{"port":{}}"#).kind, DefectKind::MissingId);
}

#[test]
fn interfaces() {
    let zed = event(
        "router.interface.create",
        r#"{"router_interface":{"id":"r1","tenant_id":"t1","port_id":"p1","network_id":"n1","subnet_id":"s1","subnet_ids":["s1"]}}"#,
    );
    let Change::Interface(interface) = zed.change else { panic!() };
    assert!(interface.attached);
    assert_eq!(interface.project_id.unwrap().to_string(), "t1");
    assert_eq!(interface.subnet_ids.len(), 1);
    assert_eq!(
        defect("router.interface.delete", r#"{"router_interface":{"id":"r1"}}"#).kind,
        DefectKind::MissingId
    );
}

#[test]
fn attempts_are_read_as_far_as_it_goes() {
    let attempt = |event_type: &str, payload: &str| match event(event_type, payload) {
        event if event.outcome == Outcome::Pending => match event.change {
            Change::Attempt(attempt) => attempt,
            other => panic!("{other:?}"),
        },
        event => panic!("{event:?}"),
    };
    let create = attempt(
        "security_group_rule.create.start",
        r#"{"security_group_rule":{"protocol":"tcp","port_range_min":22}}"#,
    );
    assert_eq!((create.verb, create.id, create.asked.len()), (Verb::Create, None, 1));
    let wrong = attempt(
        "security_group_rule.create.start",
        r#"{"security_group_rule":{"protocol":{},"port_range_min":"x"}}"#,
    );
    assert!(wrong.asked.is_empty());
    for payload in ["null", "\"text\"", "[]", "{}", r#"{"port":5}"#, r#"{"ports":{"a":1}}"#] {
        assert!(attempt("port.create.start", payload).asked.is_empty(), "{payload}");
    }
    let update = attempt("port.update.start", r#"{"port":{"name":"x"},"id":"p1"}"#);
    assert_eq!(update.id.unwrap().to_string(), "p1");
    let named =
        |event_type: &str| event(event_type, r#"{"port":{"name":"x"},"id":"p1"}"#).target.unwrap().name;
    assert_eq!((named("port.update.start"), named("port.create.start").as_deref()), (None, Some("x")));
    let delete = attempt("subnetpool.delete.start", r#"{"subnetpool_id":"s1"}"#);
    assert_eq!((&*delete.resource, delete.id.unwrap().to_string().as_str()), ("subnetpool", "s1"));
}

#[test]
fn resources_without_a_model_are_activities() {
    let rule = event(
        "default_security_group_rule.delete.end",
        r#"{"default_security_group_rule_id":"d1","default_security_group_rule":{"id":"d1"}}"#,
    );
    assert_eq!(rule.target.unwrap().id.unwrap().to_string(), "d1");
    let Change::Activity(activity) = rule.change else { panic!() };
    assert_eq!((&*activity.service, &*activity.action, activity.done), ("network", "delete", true));
    let tag =
        event("tag.create.end", r#"{"parent_resource":"ports","parent_resource_id":"p1","tags":["a"]}"#);
    let target = tag.target.unwrap();
    assert_eq!((&*target.kind, target.id.unwrap().to_string().as_str()), ("ports", "p1"));
}

#[test]
fn wrong_types_are_named_with_their_path() {
    let at = |event_type: &str, payload: &str| {
        let defect = defect(event_type, payload);
        (defect.kind, defect.at.to_string())
    };
    let wrong = |path: &str| (DefectKind::WrongType, path.to_owned());
    assert_eq!(
        at("port.update.end", r#"{"port":{"id":"p","fixed_ips":"x"}}"#),
        wrong("payload.port.fixed_ips")
    );
    assert_eq!(
        at("port.update.end", r#"{"port":{"id":"p","fixed_ips":[1]}}"#),
        wrong("payload.port.fixed_ips[0]")
    );
    assert_eq!(at("port.update.end", r#"{"port":{"id":5}}"#), wrong("payload.port.id"));
    assert_eq!(at("port.update.end", r#"{"port":[]}"#), wrong("payload.port"));
    assert_eq!(at("port.update.end", "[]"), wrong("payload"));
    assert_eq!(at("port.update.end", "null"), wrong("the top"));
    assert_eq!(
        at("port.create.end", r#"{"ports":[{"id":"a"},{"id":"b","admin_state_up":1}]}"#),
        wrong("payload.ports[1].admin_state_up")
    );
    assert_eq!(
        at("port.update.end", r#"{"port":{"name":"x"}}"#),
        (DefectKind::MissingId, "payload.port".into())
    );
    assert_eq!(
        at("port.update.end", r#"{"port":{"id":"p","fixed_ips":[{"ip_address":"10.0.0.256"}]}}"#),
        (DefectKind::NotAnAddress, "payload.port.fixed_ips[0].ip_address".into())
    );
    assert_eq!(
        at("security_group_rule.create.end", r#"{"security_group_rule":{"id":"r","port_range_min":65536}}"#),
        (DefectKind::NumberRange, "payload.security_group_rule.port_range_min".into())
    );
}

#[test]
fn answers_of_the_api_are_read_in_the_same_way() {
    let object = read_object(Kind::Network, br#"{"id":"n1","name":"x","shared":true}"#).unwrap();
    assert_eq!(object.kind(), Kind::Network);
    assert_eq!(read_object(Kind::Port, b"{}").unwrap_err().kind, DefectKind::MissingId);
    assert_eq!(read_object(Kind::Port, b"{\xff}").unwrap_err().kind, DefectKind::NotUtf8);
    assert_eq!(read_object(Kind::Port, br#"{"id":"p","name":4}"#).unwrap_err().at.as_ref(), "name");
    let (id, name, domain) =
        read_named(br#"{"id":"u1","name":"alice","domain_id":"default","links":{}}"#).unwrap();
    assert_eq!((id.to_string().as_str(), name.as_deref()), ("u1", Some("alice")));
    assert_eq!(domain.unwrap().to_string(), "default");
    assert_eq!(read_named(b"[]").unwrap_err().kind, DefectKind::WrongType);
}
