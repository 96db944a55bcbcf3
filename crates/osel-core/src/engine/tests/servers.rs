//! Names of servers: in records about their ports and in findings at their addresses.

use serde_json::{Value, json};

use super::findings::{Story, options};
use super::{Listener, at};
use crate::engine::record::RecordBody;
use crate::engine::{EngineLine, Input, Named, is_readable_format, server_of_port};
use crate::ids::Id;
use crate::names::NameKind;
use crate::scan::ProbeState;

fn port(more: &Value) -> Value {
    let mut port = json!({"id": "p", "name": "eth0", "network_id": "n", "security_groups": ["g"]});
    for (key, value) in more.as_object().unwrap() {
        port[key] = value.clone();
    }
    json!({"port": port})
}

fn of_server() -> Value {
    port(&json!({"device_id": "s", "device_owner": "compute:nova"}))
}

fn server(name: &str) -> Value {
    json!({"instance_id": "s", "display_name": name, "tenant_id": "shop"})
}

fn named(records: &[RecordBody]) -> Option<(&str, &str)> {
    let detail = |key| records[0].detail.get(key).map(String::as_str);
    detail("server").zip(detail("server_name"))
}

#[test]
fn a_record_about_a_servers_port_names_the_server_as_it_was_called_then() {
    let mut listener = Listener::new();
    let unknown = listener.hear(0, 0, "r0", "port.create.end", &of_server());
    assert_eq!(named(&unknown), None, "nobody has said what it is called");
    listener.hear(1, 1, "r1", "compute.instance.create.end", &server("web"));
    let update = listener.hear(2, 2, "r2", "port.update.end", &port(&json!({})));
    assert_eq!(named(&update), Some(("s", "web")), "by what the model knows of the port");
    listener.hear(5, 5, "r5", "compute.instance.update", &server("web-old"));
    listener.restart();
    let late = listener.hear(4, 6, "r4", "port.update.end", &of_server());
    assert_eq!(named(&late), Some(("s", "web")));
    listener.hear(7, 7, "r7", "compute.instance.delete.end", &server("web-old"));
    let gone = listener.hear(8, 8, "r8", "port.delete.end", &json!({"port_id": "p"}));
    assert_eq!(named(&gone), Some(("s", "web-old")), "the name survives the server");
}

#[test]
fn a_port_of_anything_else_is_no_servers() {
    let mut listener = Listener::new();
    listener.hear(1, 1, "r1", "compute.instance.create.end", &server("web"));
    let router = port(&json!({"device_id": "s", "device_owner": "network:router_interface"}));
    assert_eq!(named(&listener.hear(2, 2, "r2", "port.create.end", &router)), None);
    // Nova lets go of a port that was there before its server.
    listener.hear(3, 3, "r3", "port.update.end", &of_server());
    let free = port(&json!({"device_id": "", "device_owner": ""}));
    assert_eq!(named(&listener.hear(4, 4, "r4", "port.update.end", &free)), None);
}

#[test]
fn a_message_about_a_server_without_its_name_gets_it() {
    let mut listener = Listener::new();
    listener.hear(1, 1, "r1", "compute.instance.create.end", &server("web"));
    let records = listener.hear(2, 2, "r2", "compute.instance.reboot.end", &json!({"instance_id": "s"}));
    let target = records[0].target.as_ref().unwrap();
    assert_eq!((&*target.kind, target.name.as_deref()), ("server", Some("web")));
}

#[test]
fn a_finding_names_the_server_that_has_the_address() {
    let mut story = Story::begin(options(), true);
    let name = Named { kind: NameKind::Server, id: Id::new("s"), name: "web".into(), at: at(1) };
    story.listener.handle(at(1), Input::Names(vec![name]));
    let owned = json!({"port": {"id": "p", "device_id": "s", "device_owner": "compute:nova"}});
    story.hear(1, "port.update.end", &owned);
    let cloud = story.listener.engine.clouds().next().unwrap();
    let server = server_of_port(cloud, story.listener.engine.names(), &Id::new("p"), at(2)).unwrap();
    assert_eq!((server.id, &*server.name), (Id::new("s"), "web"));
    let records = story.answer(2, ProbeState::Open);
    let finding = story.listener.findings.last().unwrap();
    assert_eq!(finding.server_name.as_deref(), Some("web"));
    let told = records.iter().find(|record| record.detail.contains_key("finding")).unwrap();
    assert_eq!(told.detail["server_name"], "web");
    assert!(told.detail["text"].contains("(server web): 10.0.0.5 tcp 22"), "{}", told.detail["text"]);
}

#[test]
fn a_snapshot_of_before_servers_had_names_is_read() {
    assert!(is_readable_format(507));
    let mut story = Story::begin(options(), false);
    story.answer(2, ProbeState::Open);
    let mut listener = Listener::with(options());
    let mut region = None;
    for line in story.listener.engine.lines() {
        // What has been added since is left out where nothing is known: the lines are those of before.
        let line = serde_json::to_string(&line).unwrap();
        assert!(!line.contains("server_name"), "{line}");
        listener.engine.restore(serde_json::from_str::<EngineLine>(&line).unwrap(), &mut region);
    }
    assert_eq!(listener.engine.findings().count(), story.listener.engine.findings().count());
}
