//! Whether new ports are filtered, by what a plan says of their network.

use serde_json::{Value, json};

use super::ground::{Answer, Plan, cloud_with, refers};

/// A port on a network, with what it says of its groups.
fn port_on(plan: Plan, network: &str, groups: Value) -> Plan {
    let network = format!("openstack_networking_network_v2.{network}");
    plan.create(
        "networking_port_v2.p",
        json!({"security_group_ids": groups, "fixed_ip": []}),
        json!({"id": true, "network_id": true, "port_security_enabled": true}),
        json!({"network_id": refers(&[&format!("{network}.id"), &network])}),
    )
}

const OPEN: &str = "? fixed any all 0.0.0.0/0 by port_v2.p";

#[test]
fn a_network_whose_port_security_is_not_known_filters_nothing() {
    let network = |expressions: Value| {
        let subnet = "openstack_networking_network_v2.n";
        Plan::default()
            .create(
                "networking_network_v2.n",
                json!({"name": "n"}),
                json!({"id": true, "port_security_enabled": true}),
                expressions,
            )
            .create(
                "networking_subnet_v2.s",
                json!({"cidr": "10.3.0.0/24", "ip_version": 4}),
                json!({"id": true, "network_id": true}),
                json!({"network_id": refers(&[&format!("{subnet}.id"), subnet])}),
            )
    };
    let doubt = "unknown network_v2.n: `port_security_enabled` is not known; new ports on it are judged as if it were off";
    for groups in [json!(["web"]), Value::Null] {
        let written =
            json!({"port_security_enabled": refers(&["terraform_data.t.output", "terraform_data.t"])});
        let answer = port_on(network(written), "n", groups).answer();
        assert_eq!((answer.opened(), answer.notes()), (vec![OPEN.to_owned()], vec![doubt.to_owned()]));
    }
    // The provider leaves unknown what nobody wrote, and then it is on.
    let answer = port_on(network(json!({})), "n", json!(["web"])).answer();
    assert_eq!(answer.opened(), ["? fixed tcp 80 0.0.0.0/0 by port_v2.p"]);
    // What the port says itself counts.
    let written = json!({"port_security_enabled": refers(&["terraform_data.t.output", "terraform_data.t"])});
    let own = network(written).create(
        "networking_port_v2.p",
        json!({"security_group_ids": ["web"], "port_security_enabled": true}),
        json!({"id": true, "network_id": true}),
        json!({"network_id": refers(&["openstack_networking_network_v2.n.id", "openstack_networking_network_v2.n"])}),
    );
    assert_eq!(own.answer().opened(), ["? fixed tcp 80 0.0.0.0/0 by port_v2.p"]);
}

/// The model does not have what a network says of port security; a plan that has the network does.
#[test]
fn a_network_that_stays_as_it_is_says_whether_ports_are_filtered() {
    let network = |on: bool| {
        let values = json!({"id": "net", "name": "inside", "port_security_enabled": on});
        Plan::default().change(
            "networking_network_v2.n",
            json!({"actions": ["no-op"], "before": values, "after": values, "after_unknown": {}}),
            json!({}),
        )
    };
    let answer = port_on(network(false), "n", Value::Null).answer();
    assert_eq!((answer.opened(), answer.notes()), (vec![OPEN.to_owned()], vec![]));
    let answer = port_on(network(true), "n", Value::Null).answer();
    assert_eq!(answer.opened(), ["? fixed any all def by port_v2.p"]);
    let refused = port_on(network(false), "n", json!(["web"])).outcome(cloud_with(json!({}))).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "openstack_networking_port_v2.p: port security is off, and then a port has no `security_groups`"
    );
    // All ports there are unfiltered, and yet a new one will be: nothing is left to be guessed.
    let flat = json!({"networks": [{"id": "flat", "name": "flat"}], "ports": [
        {"id": "open", "network_id": "flat", "port_security_enabled": false, "fixed_ips": [{"ip_address": "10.7.0.5"}]}]});
    let values = json!({"id": "flat", "name": "flat", "port_security_enabled": true});
    let plan = Plan::default().change(
        "networking_network_v2.n",
        json!({"actions": ["no-op"], "before": values, "after": values, "after_unknown": {}}),
        json!({}),
    );
    let answer = Answer::of(&port_on(plan, "n", json!(["web"])).outcome(cloud_with(flat)).unwrap());
    assert_eq!(answer.opened(), ["? fixed tcp 80 0.0.0.0/0 by port_v2.p"]);
}
