//! What is told by its id alone, as older releases delete things and all of them begin to: the model knows whose it was, and what.

use serde_json::{Value, json};

use super::Listener;
use crate::engine::record::{RecordBody, row_words};

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
    let mut listener = with_rule();
    let records = listener.hear(
        3,
        3,
        "req-3",
        "security_group_rule.delete.end",
        &json!({"security_group_rule_id": "r"}),
    );
    assert_eq!(
        told(&records[0]),
        json!({"type": "security_group_rule", "name": null, "project": "p1", "rule": "ingress tcp 22 from 0.0.0.0/0"})
    );
    let records =
        listener.hear(4, 4, "req-4", "security_group.delete.end", &json!({"security_group_id": GROUP}));
    let wanted = json!({"type": "security_group", "name": "web", "project": "p1", "rule": null});
    assert_eq!(told(&records[0]), wanted);
    // Of what nobody has described nothing is known, nor of a rule whose direction nobody told.
    let rule = json!({"security_group_rule": {"id": "s", "security_group_id": GROUP, "protocol": "tcp"}});
    listener.hear(5, 5, "req-5", "security_group_rule.create.end", &rule);
    for id in ["s", "t"] {
        let deleted = json!({"security_group_rule_id": id});
        let records = listener.hear(6, 6, "req-6", "security_group_rule.delete.end", &deleted);
        assert_eq!(told(&records[0])["rule"], Value::Null, "{id}");
    }
}

/// Whoever tries ids of others must not read in their own trail how these call their things, nor be read of in theirs.
#[test]
fn what_a_stranger_asks_for_has_no_name() {
    let mut listener = with_rule();
    let nothing = json!({"type": "security_group", "name": null, "project": null, "rule": null});
    // The messages are by a user of another project than the group's.
    let records =
        listener.hear(3, 3, "req-3", "security_group.delete.start", &json!({"security_group_id": GROUP}));
    assert_eq!(told(&records[0]), nothing);
    for (project, name) in [("p2", Value::Null), ("p1", "web".into())] {
        let call = json!({
            "typeURI": "http://schemas.dmtf.org/cloud/audit/1.0/event", "action": "update", "outcome": "failure",
            "requestPath": format!("/v2.0/security-groups/{GROUP}.json"), "initiator": {"id": "u", "project_id": project},
            "target": {"id": "x", "typeURI": "service/network/security-groups/security-group"},
        });
        let records = listener.hear(4, 4, "req-4", "audit.http.response", &call);
        let wanted = json!({"type": "security_group", "name": name, "project": null, "rule": null});
        assert_eq!(told(&records[0]), wanted, "{project}");
    }
}

/// A rule that admits one type of ICMP was told as if it admitted all of them.
#[test]
fn a_rule_of_icmp_is_told_with_type_and_code() {
    let mut listener = with_rule();
    let port = json!({"port": {
        "id": "p", "network_id": "n", "tenant_id": "p1", "security_groups": [GROUP], "fixed_ips": [{"ip_address": "10.0.0.5"}],
    }});
    listener.hear(3, 3, "req-3", "port.create.end", &port);
    for (number, code, words) in [(4, json!(0), "icmp type 8 code 0"), (5, Value::Null, "icmp type 3")] {
        let kind = if code.is_null() { 3 } else { 8 };
        let rule = json!({"security_group_rule": {
            "id": format!("icmp-{number}"), "security_group_id": GROUP, "tenant_id": "p1", "direction": "ingress",
            "ethertype": "IPv4", "protocol": "icmp", "port_range_min": kind, "port_range_max": code, "remote_ip_prefix": null,
        }});
        let records =
            listener.hear(number, number, &format!("req-{number}"), "security_group_rule.create.end", &rule);
        assert_eq!(records[0].detail["rule"], format!("ingress {words} from 0.0.0.0/0"));
        let row = &records[0].exposure.opened[0].row;
        assert_eq!(row_words(row), format!("10.0.0.5 {words} from 0.0.0.0/0"));
    }
}
