//! The emulated Keystone and Neutron by a client that others wrote: openstacksdk reads a recorded cloud from them, and gets what the real
//! services had answered.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use osel_sim::api::{Cloud, Emulated, Options};
use serde_json::{Value, json};

use crate::broker::python;
use crate::openstack::answered;

/// The cloud, and the floating IP that has the forwarding.
fn recorded() -> (Value, String) {
    let inventory = answered();
    let floating_ip = inventory["floatingips"][0]["id"].as_str().unwrap().to_owned();
    (inventory, floating_ip)
}

fn by_id(objects: &Value) -> BTreeMap<&str, &Value> {
    objects.as_array().unwrap().iter().map(|one| (one["id"].as_str().unwrap(), one)).collect()
}

#[test]
fn openstacksdk_reads_what_the_real_services_answered() {
    let (inventory, floating_ip) = recorded();
    let emulated = Emulated::start(Cloud::from_inventory(&inventory), Options::default()).unwrap();
    let output = Command::new(python())
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/openstack_client.py"))
        .args([&emulated.auth_url(), &floating_ip])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success());
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (what, is_right) in found["one"].as_object().unwrap() {
        assert_eq!(is_right, true, "{what}");
    }
    let shown = emulated.change(|cloud| cloud.inventory());
    let mut compared = 0;
    for key in [
        "ports",
        "security_groups",
        "security_group_rules",
        "floatingips",
        "networks",
        "subnets",
        "routers",
        "rbac_policies",
        "users",
        "projects",
        "domains",
        "roles",
    ] {
        let (recorded, shown, found) = (by_id(&inventory[key]), by_id(&shown[key]), by_id(&found[key]));
        let ids =
            |objects: &BTreeMap<&str, &Value>| objects.keys().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        assert_eq!(ids(&found), ids(&shown), "{key}");
        for (id, recorded) in recorded {
            // openstacksdk knows not all keys, and fills some of its own in with null.
            let fields = found[id].as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
            for (name, value) in fields.filter(|(name, _)| *name != "port_forwardings" && *name != "location")
            {
                let Some(wanted) = recorded.get(name) else { continue };
                if name == "security_group_rules" {
                    assert_eq!(ids(&by_id(value)), ids(&by_id(wanted)), "{key} {id} {name}");
                } else {
                    assert_eq!(value, wanted, "{key} {id} {name}");
                }
                compared += 1;
            }
        }
    }
    assert!(compared > 2000, "{compared}");
    assert_eq!(found["port_forwardings"][0]["external_port"], 2222);
    let ports: Vec<&str> = by_id(&inventory["ports"]).into_keys().collect();
    assert_eq!(found["by_credential"], json!(ports));
    // Every list came in pages, and everybody authenticated once.
    assert!(emulated.asked("/network/v2.0/ports?limit=3&marker=").len() > 10);
    assert_eq!(emulated.asked("POST /identity/v3/auth/tokens").len(), 2);
}
