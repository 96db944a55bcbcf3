//! A small cloud, plans for it, and answers in one line a row.

use osel::planned::{Outcome, Overlay, PlanError, Report, read_requests, read_terraform};
use osel_core::decode::read_object;
use osel_core::ids::Id;
use osel_core::model::{CloudModel, Kind, ModelOptions};
use osel_core::time::Timestamp;
use serde_json::{Value, json};

/// The project of everything that is somebody's.
pub const PROJECT: &str = "22ffbaae067b4d47a76b0f21e83638bb";

/// A network with a router to the outside, two servers, and a floating IP that leads to the second.
pub fn inventory() -> Value {
    let port = |id: &str, address: &str, groups: Value, owner: &str, device: &str| {
        json!({"id": id, "project_id": PROJECT, "network_id": "net", "name": id, "device_owner": owner, "device_id": device,
            "security_groups": groups, "fixed_ips": [{"subnet_id": "sub", "ip_address": address}]})
    };
    let rule = |id: &str, group: &str, ethertype: &str, more: Value| {
        let mut rule =
            json!({"id": id, "security_group_id": group, "direction": "ingress", "ethertype": ethertype});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rule
    };
    json!({
        "networks": [
            {"id": "ext", "name": "public", "router:external": true},
            {"id": "net", "name": "inside", "project_id": PROJECT},
        ],
        "subnets": [{"id": "sub", "name": "sub", "network_id": "net", "cidr": "10.0.0.0/24"}],
        "routers": [{"id": "r1", "name": "edge", "external_gateway_info": {"network_id": "ext"}}],
        "security_groups": [
            {"id": "def", "name": "default", "project_id": PROJECT},
            {"id": "web", "name": "web", "project_id": PROJECT},
        ],
        "security_group_rules": [
            rule("def4", "def", "IPv4", json!({"remote_group_id": "def"})),
            rule("http", "web", "IPv4", json!({"protocol": "tcp", "port_range_min": 80, "port_range_max": 80})),
        ],
        "address_groups": [{"id": "office", "name": "office", "addresses": ["192.0.2.0/28"]}],
        "ports": [
            port("gate", "10.0.0.1", json!([]), "network:router_interface", "r1"),
            port("vm1", "10.0.0.5", json!(["def"]), "compute:nova", "server1"),
            port("vm2", "10.0.0.6", json!(["web"]), "compute:nova", "server2"),
        ],
        "floatingips": [
            {"id": "f1", "floating_ip_address": "198.51.100.10", "floating_network_id": "ext", "fixed_ip_address": "10.0.0.6",
                "port_id": "vm2", "router_id": "r1"},
            {"id": "f2", "floating_ip_address": "198.51.100.11", "floating_network_id": "ext", "port_id": null, "router_id": null},
        ],
    })
}

/// The model of [`inventory`], with what a test adds.
pub fn cloud_with(more: Value) -> CloudModel {
    let mut cloud = CloudModel::new(None, ModelOptions::default());
    for inventory in [inventory(), more] {
        for kind in Kind::ALL {
            let objects = inventory[kind.plural()].as_array().into_iter().flatten();
            let objects: Vec<_> =
                objects.map(|object| read_object(kind, object.to_string().as_bytes()).unwrap()).collect();
            cloud.merge_read(now(), now(), true, &objects, false);
        }
    }
    cloud
}

pub fn now() -> Timestamp {
    Timestamp::parse("2026-11-26T00:00:00Z").unwrap()
}

/// A plan of Terraform that grows resource by resource.
#[derive(Debug, Default)]
pub struct Plan {
    changes: Vec<Value>,
    written: Vec<Value>,
    more: Vec<(&'static str, Value)>,
}

impl Plan {
    /// A resource that is made: what is known of it, what is not, and how it is written.
    pub fn create(self, address: &str, after: Value, unknown: Value, expressions: Value) -> Self {
        self.change(
            address,
            json!({"actions": ["create"], "before": null, "after": after, "after_unknown": unknown}),
            expressions,
        )
    }

    /// A resource that goes.
    pub fn delete(self, address: &str, before: Value) -> Self {
        self.change(address, json!({"actions": ["delete"], "before": before, "after": null}), json!({}))
    }

    /// A resource that is changed.
    pub fn update(self, address: &str, before: Value, after: Value) -> Self {
        self.change(
            address,
            json!({"actions": ["update"], "before": before, "after": after, "after_unknown": {}}),
            json!({}),
        )
    }

    pub fn change(mut self, address: &str, change: Value, expressions: Value) -> Self {
        let (kind, rest) = address.split_once('.').unwrap();
        let (name, index) = match rest.split_once('[') {
            Some((name, index)) => (name, serde_json::from_str(index.trim_end_matches(']')).unwrap()),
            None => (rest, Value::Null),
        };
        let kind = format!("openstack_{kind}");
        let mut resource = json!({"address": format!("openstack_{address}"), "mode": "managed", "type": kind, "name": name,
            "provider_name": "registry.example/terraform-provider-openstack/openstack", "change": change});
        if !index.is_null() {
            resource["index"] = index;
        }
        self.changes.push(resource);
        self.written
            .push(json!({"address": format!("{kind}.{name}"), "mode": "managed", "type": kind, "name": name,
            "expressions": expressions}));
        self
    }

    /// What the resource that came last is made for each of.
    pub fn for_each(mut self, expression: Value) -> Self {
        self.written.last_mut().unwrap()["for_each_expression"] = expression;
        self
    }

    /// Another key of the whole plan.
    pub fn with(mut self, key: &'static str, value: Value) -> Self {
        self.more.push((key, value));
        self
    }

    pub fn text(&self) -> String {
        let mut plan = json!({"format_version": "1.2", "terraform_version": "1.11.4", "planned_values": {},
            "resource_changes": self.changes, "configuration": {"root_module": {"resources": self.written}}});
        for (key, value) in &self.more {
            plan[key] = value.clone();
        }
        plan.to_string()
    }

    pub fn outcome(&self, cloud: CloudModel) -> Result<Outcome, PlanError> {
        let project = Id::new(PROJECT);
        let planned = read_terraform(self.text().as_bytes(), &cloud, Some(&project))?;
        Overlay::new(cloud, now(), Some(project)).perform(planned)
    }

    /// The answer of the plan for the small cloud.
    pub fn answer(&self) -> Answer {
        Answer::of(&self.outcome(cloud_with(json!({}))).unwrap())
    }
}

/// A value that refers to something.
pub fn refers(references: &[&str]) -> Value {
    json!({"references": references})
}

/// The answer to requests for the small cloud.
pub fn ask(requests: &str) -> Answer {
    Answer::of(&outcome(requests, cloud_with(json!({}))).unwrap())
}

pub fn outcome(requests: &str, cloud: CloudModel) -> Result<Outcome, PlanError> {
    let planned = read_requests(requests, &cloud)?;
    Overlay::new(cloud, now(), Some(Id::new(PROJECT))).perform(planned)
}

/// One request.
pub fn request(method: &str, path: &str, body: Value) -> String {
    json!({"method": method, "path": format!("/v2.0/{path}"), "body": body}).to_string()
}

/// What came of a plan, as users read it.
#[derive(Debug)]
pub struct Answer(pub Value);

impl Answer {
    pub fn of(outcome: &Outcome) -> Self {
        Self(serde_json::to_value(Report::new(outcome)).unwrap())
    }

    /// New rows: address, way, protocol, ports, source, resource; with a star when the internet gets there.
    pub fn opened(&self) -> Vec<String> {
        let rows = self.0["opened"].as_array().unwrap().iter();
        rows.filter(|row| row["new"] == true).map(line).collect()
    }

    /// Rows that go and that others do not cover.
    pub fn closed(&self) -> Vec<String> {
        let rows = self.0["closed"].as_array().unwrap().iter();
        rows.filter(|row| row["redundant"] == false).map(line).collect()
    }

    /// Notes: kind, resource without the provider's prefix, text.
    pub fn notes(&self) -> Vec<String> {
        let notes = self.0["notes"].as_array().unwrap().iter();
        notes
            .map(|note| {
                let text = |key: &str| note[key].as_str().unwrap_or("-").to_owned();
                format!("{} {}: {}", text("kind"), short(&text("resource")), text("text"))
            })
            .collect()
    }
}

/// A resource's address without what all of the provider share.
fn short(address: &str) -> &str {
    address.trim_start_matches("openstack_networking_").trim_start_matches("openstack_")
}

fn line(row: &Value) -> String {
    let text = |key: &str| row[key].as_str().unwrap_or("?").to_owned();
    let number = |key: &str| row[key].as_u64().map(|number| number.to_string());
    let ports = match (number("port_min"), number("port_max")) {
        (Some(min), Some(max)) if min == max => min,
        (Some(min), Some(max)) => format!("{min}-{max}"),
        _ => match number("icmp_type") {
            Some(icmp) => format!("type-{icmp}"),
            None => "all".to_owned(),
        },
    };
    let source = row["source"].as_object().and_then(|source| source.values().next()).and_then(Value::as_str);
    let source = source.map(str::to_owned).unwrap_or_else(|| {
        let why = &row["hidden"]["source"];
        short(why["resource"].as_str().or(why["why"].as_str()).unwrap_or("?")).to_owned()
    });
    let star = if row["internet"] == true { " *" } else { "" };
    format!(
        "{} {} {} {ports} {source} by {}{star}",
        text("address"),
        text("via"),
        text("protocol"),
        short(&text("resource"))
    )
}
