//! Requests to Neutron's API.

use serde_json::json;

use super::ground::{Answer, ask, cloud_with, outcome, request};

/// Requests on lines of their own.
fn lines(requests: &[String]) -> String {
    requests.join("\n")
}

#[test]
fn a_rule_opens_a_row_for_each_address_of_its_ports() {
    let rule = json!({"security_group_rule": {"security_group_id": "web", "direction": "ingress", "protocol": "tcp",
        "port_range_min": 22, "port_range_max": 22}});
    let answer = ask(&request("POST", "security-group-rules", rule.clone()));
    assert_eq!(
        answer.opened(),
        [
            "10.0.0.6 fixed tcp 22 0.0.0.0/0 by request 1",
            "198.51.100.10 floating tcp 22 0.0.0.0/0 by request 1 *",
        ]
    );
    let way = &answer.0["opened"][1]["reach"];
    assert_eq!(way["reachable"], true);
    let hops: Vec<_> =
        way["path"].as_array().unwrap().iter().map(|hop| hop["type"].as_str().unwrap()).collect();
    assert_eq!(hops, ["floatingip", "router", "network", "port", "security_group", "security_group_rule"]);
    assert_eq!(way["path"][5]["id"], json!(null));
    assert_eq!(way["path"][5]["resource"], "request 1");
    assert_eq!(answer.0["opened"][0]["rule_id"], json!(null));
    assert_eq!(
        answer.0["opened"][0]["hidden"],
        json!({"rule_id": {"why": "known_after_apply", "resource": "request 1"}})
    );
    assert_eq!(answer.0["opened"][0]["reach"]["reason"], "no_path");
    // A bare body is the same request, and so is a list.
    assert_eq!(ask(&rule.to_string()).0, answer.0);
    assert_eq!(ask(&json!([rule]).to_string()).0, answer.0);
}

#[test]
fn what_is_open_anyway_is_not_new() {
    let rule = |port: u16| {
        json!({"security_group_rule": {"security_group_id": "web", "direction": "ingress", "protocol": "tcp",
            "port_range_min": port, "port_range_max": port, "remote_ip_prefix": "192.0.2.0/24"}})
        .to_string()
    };
    let answer = ask(&rule(80));
    assert_eq!(answer.0["opened"].as_array().unwrap().len(), 2);
    assert!(answer.opened().is_empty());
    // Two equal rules cover each other, and yet open something together.
    let answer = ask(&lines(&[rule(22), rule(22)]));
    assert!(answer.0["opened"].as_array().unwrap().iter().all(|row| row["redundant"] == true));
    assert_eq!(answer.opened().len(), 4);
}

#[test]
fn later_requests_refer_to_what_earlier_ones_made() {
    let requests = [
        request("POST", "security-groups", json!({"security_group": {"id": "new", "name": "new"}})),
        request(
            "POST",
            "security-group-rules",
            json!({"security_group_rule": {"security_group_id": "new", "direction": "ingress",
            "protocol": "udp", "port_range_min": 53, "port_range_max": 53, "remote_ip_prefix": "192.0.2.7"}}),
        ),
        request("PUT", "ports/vm1", json!({"port": {"security_groups": ["new"]}})),
    ];
    let answer = ask(&lines(&requests));
    assert_eq!(answer.opened(), ["10.0.0.5 fixed udp 53 192.0.2.7/32 by request 3"]);
    assert_eq!(answer.closed(), ["10.0.0.5 fixed any all def by request 3"]);
    assert_eq!(answer.0["opened"][0]["hidden"]["security_group_id"]["resource"], "request 1");
    let members = &answer.0["members"][0];
    assert_eq!((&members["security_group"], &members["lost"]), (&json!("def"), &json!(["10.0.0.5"])));
    // Made and taken away again, nothing happened.
    let undone = [
        requests.concat(),
        request("PUT", "ports/vm1", json!({"port": {"security_groups": ["def"]}})),
        request("DELETE", "security-groups/new", json!(null)),
    ];
    let answer = ask(&undone.concat());
    assert_eq!((answer.0["opened"].clone(), answer.0["closed"].clone()), (json!([]), json!([])));
    assert_eq!(answer.0["members"], json!([]));
}

#[test]
fn deletions_close_what_went_with_them() {
    let answer = ask(&request("DELETE", "security-group-rules/http", json!(null)));
    assert_eq!(
        answer.closed(),
        [
            "10.0.0.6 fixed tcp 80 0.0.0.0/0 by request 1",
            "198.51.100.10 floating tcp 80 0.0.0.0/0 by request 1"
        ]
    );
    let answer = ask(&request("DELETE", "ports/vm2", json!(null)));
    assert_eq!(answer.closed().len(), 2);
    let answer = ask(&request("DELETE", "ports/nobody", json!(null)));
    assert_eq!(answer.notes(), ["not_known request 1: osel does not know port nobody"]);
}

#[test]
fn member_actions_change_what_they_say() {
    let add = request(
        "PUT",
        "address-groups/office/add_addresses",
        json!({"address_group": {"addresses": ["198.51.100.0/24", "192.0.2.0/28"]}}),
    );
    let remove = request(
        "PUT",
        "address-groups/office/remove_addresses",
        json!({"addresses": ["192.0.2.0/255.255.255.240"]}),
    );
    let answer = ask(&lines(&[add, remove]));
    let members = &answer.0["members"];
    assert_eq!(members.as_array().unwrap().len(), 1);
    assert_eq!(members[0]["address_group"], "office");
    assert_eq!(
        (&members[0]["gained"], &members[0]["lost"]),
        (&json!(["198.51.100.0/24"]), &json!(["192.0.2.0/28"]))
    );
    let answer = ask(&request("PUT", "routers/r1/add_extraroutes", json!({"router": {"routes": []}})));
    assert_eq!(answer.notes(), ["not_evaluated request 1: add_extraroutes is not judged"]);
}

/// A router that comes to a network opens no row, and the ways of those that come with it.
#[test]
fn an_interface_makes_a_way() {
    let more = json!({
        "networks": [{"id": "net6", "name": "six"}],
        "subnets": [{"id": "sub6", "network_id": "net6", "cidr": "2001:470:1::/64"}],
        "security_groups": [{"id": "six", "name": "six"}],
        "ports": [{"id": "vm6", "network_id": "net6", "security_groups": ["six"],
            "fixed_ips": [{"subnet_id": "sub6", "ip_address": "2001:470:1::5"}]}],
    });
    let rule = request(
        "POST",
        "security-group-rules",
        json!({"security_group_rule": {"security_group_id": "six",
        "direction": "ingress", "ethertype": "IPv6", "protocol": "icmp"}}),
    );
    let attach = request("PUT", "routers/r1/add_router_interface", json!({"subnet_id": "sub6"}));
    let detach = request("PUT", "routers/r1/remove_router_interface", json!({"subnet_id": "sub6"}));
    let opened = |requests: &[&String]| {
        let requests: String = requests.iter().map(|request| request.as_str()).collect();
        Answer::of(&outcome(&requests, cloud_with(more.clone())).unwrap()).opened()
    };
    let row = "2001:470:1::5 fixed ipv6-icmp all ::/0 by request";
    assert_eq!(opened(&[&rule]), [format!("{row} 1")]);
    assert_eq!(opened(&[&attach, &rule]), [format!("{row} 2 *")]);
    assert_eq!(opened(&[&attach, &detach, &rule]), [format!("{row} 3")]);
}

#[test]
fn a_forwarding_leads_to_the_port_that_it_names() {
    let forwarding = json!({"port_forwarding": {"protocol": "tcp", "external_port": 8080, "internal_port": 80,
        "internal_port_id": "vm2", "internal_ip_address": "10.0.0.6"}});
    let answer = ask(&request("POST", "floatingips/f2/port_forwardings", forwarding));
    assert_eq!(answer.opened(), ["198.51.100.11 forwarding tcp 8080 0.0.0.0/0 by request 1 *"]);
    assert!(answer.notes().is_empty());
}

#[test]
fn what_neutron_would_refuse_is_refused_with_its_place() {
    let refused = |text: &str| {
        let error = outcome(text, cloud_with(json!({}))).unwrap_err();
        format!("{:#}", anyhow_chain(&error))
    };
    let rule = |rule: serde_json::Value| {
        request("POST", "security-group-rules", json!({"security_group_rule": rule}))
    };
    assert_eq!(
        refused(&rule(json!({"direction": "ingress"}))),
        "request 1: a security_group_rule needs `security_group_id`"
    );
    assert_eq!(
        refused(&rule(json!({"security_group_id": "web"}))),
        "request 1: a security_group_rule needs `direction`"
    );
    assert_eq!(
        refused(&rule(
            json!({"security_group_id": "web", "direction": "ingress", "remote_ip_prefix": "office"})
        )),
        "request 1: `security_group_rule` cannot be read: a text is neither an address nor a prefix, at remote_ip_prefix"
    );
    assert_eq!(
        refused(&request(
            "PUT",
            "security-group-rules/http",
            json!({"security_group_rule": {"protocol": "udp"}})
        )),
        "request 1: Neutron changes no rule; delete it and make another"
    );
    let spare = request("DELETE", "ports/vm1", json!(null));
    assert_eq!(
        refused(&format!("{spare}\n{}", rule(json!({"direction": "egress"})))),
        "request 2: a security_group_rule needs `security_group_id`"
    );
}

/// An error with its causes, as the program prints it.
fn anyhow_chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[test]
fn what_is_made_again_can_go_again() {
    let rule = json!({"security_group_rule": {"id": "again", "security_group_id": "web", "direction": "ingress", "protocol": "tcp",
        "port_range_min": 22, "port_range_max": 22}});
    let made = request("POST", "security-group-rules", rule);
    let gone = request("DELETE", "security-group-rules/again", json!(null));
    assert_eq!(ask(&lines(&[made.clone(), gone.clone(), made.clone()])).opened().len(), 2);
    assert!(ask(&lines(&[made.clone(), gone.clone(), made, gone])).opened().is_empty());
}

/// A firewall that stops the first port of a range lets others pass.
#[test]
fn a_range_is_open_where_a_firewall_lets_any_of_it_pass() {
    let firewall = json!({
        "firewall_rules": [{"id": "mail", "protocol": "tcp", "ip_version": 4, "action": "allow", "enabled": true,
            "destination_port": "25"}],
        "firewall_policies": [{"id": "policy", "firewall_rules": ["mail"]}],
        "firewall_groups": [{"id": "fw", "ports": ["gate"], "ingress_firewall_policy_id": "policy",
            "egress_firewall_policy_id": "policy"}],
    });
    let opened = |min: u16, max: u16| {
        let rule = json!({"security_group_rule": {"security_group_id": "web", "direction": "ingress", "protocol": "tcp",
            "port_range_min": min, "port_range_max": max}});
        Answer::of(&outcome(&rule.to_string(), cloud_with(firewall.clone())).unwrap()).opened()[1].clone()
    };
    assert_eq!(opened(20, 30), "198.51.100.10 floating tcp 20-30 0.0.0.0/0 by request 1 *");
    assert_eq!(opened(26, 30), "198.51.100.10 floating tcp 26-30 0.0.0.0/0 by request 1");
    assert_eq!(opened(20, 24), "198.51.100.10 floating tcp 20-24 0.0.0.0/0 by request 1");
}

/// Rows that are open already are not asked again, and so nobody may take silence for a no.
#[test]
fn a_change_of_ways_is_told() {
    let told = |method: &str, path: &str, body: serde_json::Value| {
        let notes = ask(&request(method, path, body)).notes();
        notes
            .iter()
            .any(|note| note.starts_with("not_evaluated request 1: it changes which way packets take"))
    };
    let gateway = json!({"router": {"external_gateway_info": {"network_id": "ext", "enable_snat": false}}});
    assert!(told("PUT", "routers/r1", gateway));
    assert!(told("PUT", "networks/net", json!({"network": {"router:external": true}})));
    assert!(told("PUT", "ports/vm1", json!({"port": {"admin_state_up": false}})));
    assert!(told("PUT", "routers/r2/add_router_interface", json!({"subnet_id": "sub"})));
    assert!(told("DELETE", "firewall_groups/fw", json!(null)));
    let policy = json!({"rbac_policy": {"object_type": "network", "object_id": "net", "action": "access_as_external", "target_tenant": "*"}});
    assert!(told("POST", "rbac-policies", policy));
    // A name guides nothing, and no row is where the plan makes a network.
    assert!(!told("PUT", "routers/r1", json!({"router": {"name": "r", "admin_state_up": true}})));
    assert!(!told("PUT", "networks/net", json!({"network": {"name": "n"}})));
    assert!(!told("POST", "routers", json!({"router": {"external_gateway_info": {"network_id": "ext"}}})));
}

#[test]
fn a_body_of_many_objects_is_as_many_changes() {
    let rules = vec!["{}"; osel::planned::STEPS_MAX + 1].join(",");
    for plan in [
        format!("{{\"security_group_rules\":[{rules}]}}"),
        format!(
            "{{\"method\":\"POST\",\"path\":\"/v2.0/security-group-rules\",\"body\":{{\"security_group_rules\":[{rules}]}}}}"
        ),
    ] {
        let error = outcome(&plan, cloud_with(json!({}))).unwrap_err();
        assert_eq!(error.to_string(), "it has more than 100000 changes");
    }
}

/// Who comes to a group opens no row, and yet gets in by the rules that name it.
#[test]
fn what_a_source_group_gains_is_asked_for_like_a_new_row() {
    let gains = |prefix: &str, group: &str| {
        let rules = json!({"security_group_rules": [{"id": "offices", "security_group_id": group, "direction": "ingress",
            "protocol": "tcp", "port_range_min": 22, "port_range_max": 22, "remote_address_group_id": "office"}]});
        let body = json!({"address_group": {"addresses": [prefix]}});
        let add = request("PUT", "address-groups/office/add_addresses", body);
        let members = Answer::of(&outcome(&add, cloud_with(rules)).unwrap()).0["members"][0].clone();
        [members["new"].as_bool().unwrap(), members["internet"].as_bool().unwrap()]
    };
    assert_eq!(gains("0.0.0.0/0", "web"), [true, true]);
    assert_eq!(gains("10.0.0.0/8", "web"), [true, false], "nobody out there has one");
    assert_eq!(gains("0.0.0.0/0", "def"), [true, false], "no floating IP leads to this port");
    assert_eq!(gains("::/0", "web"), [false, false], "the rule is of IPv4");
    assert_eq!(gains("0.0.0.0/0", "nobodys"), [false, false], "no port has the group of the rule");
}
