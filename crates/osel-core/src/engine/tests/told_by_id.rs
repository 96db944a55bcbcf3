//! What is told by its id alone, as older releases delete things and all of them begin to: the model knows whose it was, and what.

use serde_json::{Value, json};

use super::Listener;
use crate::engine::record::RecordBody;

/// A group of a project with a rule, told with everything.
fn with_rule() -> Listener {
    let mut listener = Listener::new();
    let group = json!({"security_group": {"id": GROUP, "name": "web", "tenant_id": "p1"}});
    listener.hear(1, 1, "req-1", "security_group.create.end", &group);
    let rule = json!({"security_group_rule": {
        "id": "r", "security_group_id": GROUP, "tenant_id": "p1", "direction": "ingress", "ethertype": "IPv4",
        "protocol": "tcp", "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": null,
    }});
    listener.hear(2, 2, "req-2", "security_group_rule.create.end", &rule);
    listener
}

const GROUP: &str = "0b1f6f0e-0a44-4c36-a7cb-0c6d5b8f3e4f";

/// Name and owner of the target, and the rule.
fn told(record: &RecordBody) -> Value {
    let target = record.target.as_ref().expect("a target");
    let id = target.project_id.as_ref().map(ToString::to_string);
    json!({"type": target.kind, "name": target.name, "project": id, "rule": record.detail.get("rule")})
}

/// An administrator's deletion of a project's rule was in nobody's trail, and what the rule had admitted in no record.
#[test]
fn a_deletion_lost_owner_and_rule() {
    let rule = json!({"security_group_rule_id": "r"});
    let group = json!({"security_group_id": GROUP});
    let wanted = json!({
        "type": "security_group_rule", "name": null, "project": "p1", "rule": "ingress tcp 22 from 0.0.0.0/0",
    });
    let mut listener = with_rule();
    for half in ["start", "end"] {
        let records = listener.hear(3, 3, "req-3", &format!("security_group_rule.delete.{half}"), &rule);
        let said = told(&records[0]);
        assert_eq!((&said["project"], &said["type"]), (&wanted["project"], &wanted["type"]), "{half}");
        assert!(half == "start" || said == wanted, "{said}");
    }
    let wanted = json!({"type": "security_group", "name": "web", "project": "p1", "rule": null});
    for half in ["start", "end"] {
        let records = listener.hear(4, 4, "req-4", &format!("security_group.delete.{half}"), &group);
        assert_eq!(told(&records[0]), wanted, "{half}");
    }
    // Of what nobody has described nothing is known.
    let records = listener.hear(
        5,
        5,
        "req-5",
        "security_group_rule.delete.end",
        &json!({"security_group_rule_id": "s"}),
    );
    assert_eq!(
        told(&records[0]),
        json!({"type": "security_group_rule", "name": null, "project": null, "rule": null})
    );
}

/// The API server's filter has words of its own for things, and groups had no names there.
#[test]
fn an_audited_call_did_not_name_the_group() {
    let mut listener = with_rule();
    let call = json!({
        "typeURI": "http://schemas.dmtf.org/cloud/audit/1.0/event", "action": "update", "outcome": "success",
        "requestPath": format!("/v2.0/security-groups/{GROUP}.json"), "initiator": {"id": "u"},
        "target": {"id": "x", "typeURI": "service/network/security-groups/security-group"},
    });
    let records = listener.hear(3, 3, "req-3", "audit.http.response", &call);
    // That somebody asked for it is the operators' to know.
    assert_eq!(
        told(&records[0]),
        json!({"type": "security_group", "name": "web", "project": null, "rule": null})
    );
}
