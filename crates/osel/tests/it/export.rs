//! The older formats of `osel audit export`.

use osel_sim::corpus::{Corpus, directory};
use serde_json::Value;

use crate::command::{Place, json_lines, osel, recording, run};

/// The notifications of a recording by message id, taken out of their envelopes by this test itself.
fn notifications(name: &str) -> std::collections::BTreeMap<String, Value> {
    let corpus = Corpus::load(&directory(), name).unwrap();
    let messages = corpus.messages.iter().map(|message| {
        let body: Value = serde_json::from_str(&message.body).unwrap();
        let inner = body["oslo.message"].as_str().map(|text| serde_json::from_str(text).unwrap());
        let notification = inner.unwrap_or(body);
        (notification["message_id"].as_str().unwrap().to_owned(), notification)
    });
    messages.collect()
}

#[test]
fn osel_1_1_has_one_line_for_each_affected_address_of_each_record() {
    let (name, place) = ("dev-2026", Place::new("osel11"));
    let store = place.path("store");
    run(&["replay", "--store", &store, &recording(name)]);
    let records = json_lines(&["audit", "export", "--store", &store, "-o", "json"]);
    let lines = json_lines(&["audit", "export", "--store", &store, "--format", "osel-1.1"]);
    let notifications = notifications(name);
    let mut left = &lines[..];
    let mut types = std::collections::BTreeSet::new();
    for record in &records {
        let exposure = &record["exposure"];
        let rows = ["opened", "closed"].iter().flat_map(|key| exposure[key].as_array().unwrap());
        let addresses: std::collections::BTreeSet<&str> =
            rows.map(|row| row["address"].as_str().unwrap()).collect();
        let (of_record, rest) = left.split_at(addresses.len());
        left = rest;
        for (line, address) in of_record.iter().zip(&addresses) {
            let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
            assert_eq!(keys.len(), 7, "{keys:?}");
            assert_eq!(line["affected_ip_address"], *address);
            assert_eq!(line["qualys_scan_error"], "Not scanned by Qualys");
            assert_eq!(line["source_type"], "osel1.1");
            let sent = &notifications[record["message_id"].as_str().unwrap()];
            let host = sent["publisher_id"].as_str().unwrap().strip_prefix("network.").unwrap();
            assert_eq!(line["source_message_bus"], host);
            assert_eq!(line["security_group_rule"], sent["payload"]["security_group_rule"]);
            types.insert(line["change_type"].as_str().unwrap().to_owned());
        }
    }
    assert!(left.is_empty());
    let expected = [
        "floatingip_create",
        "floatingip_delete",
        "floatingip_update",
        "port_create",
        "port_delete",
        "port_update",
        "sg_rule_add",
        "sg_rule_del",
    ];
    assert_eq!(types.into_iter().collect::<Vec<_>>(), expected);
}

/// The first OSEL's own fixtures, which it answered with such lines.
#[test]
fn icehouse_rules_come_as_they_were_sent() {
    let place = Place::new("osel11-icehouse");
    let store = place.path("store");
    run(&["replay", "--store", &store, &recording("icehouse")]);
    let lines = json_lines(&["audit", "export", "--store", &store, "--format", "osel-1.1"]);
    let shown: Vec<[&str; 3]> = lines
        .iter()
        .map(|line| {
            assert_eq!(line["source_message_bus"], "osctrl-ch2-a03");
            let rule = &line["security_group_rule"];
            // Of a deletion Icehouse tells the rule's id only.
            let protocol =
                rule["protocol"].as_str().unwrap_or(if rule["protocol"].is_u64() { "number" } else { "" });
            assert!(rule["id"].is_string(), "{line}");
            [line["affected_ip_address"].as_str().unwrap(), line["change_type"].as_str().unwrap(), protocol]
        })
        .collect();
    let (four, six) = ("162.150.0.117", "2001:558:fe21:403:f816:3eff:fe4a:ac75");
    assert_eq!(
        shown,
        [
            [four, "sg_rule_add", "number"],
            [four, "sg_rule_add", "icmp"],
            [four, "sg_rule_add", "tcp"],
            [six, "sg_rule_add", "tcp"],
            [four, "sg_rule_add", "tcp"],
            [six, "sg_rule_del", ""],
            [four, "sg_rule_del", ""],
        ]
    );
}

#[test]
fn cadf_text_has_one_line_for_each_event_of_the_identity_service() {
    let (name, place) = ("dev-zed", Place::new("cadf"));
    let store = place.path("store");
    run(&["replay", "--store", &store, &recording(name)]);
    let text = run(&["audit", "export", "--store", &store, "--format", "cadf-text"]);
    let notifications = notifications(name);
    let identity =
        notifications.values().filter(|sent| sent["event_type"].as_str().unwrap().starts_with("identity."));
    assert_eq!(text.lines().count(), identity.count());
    // Names come from the events themselves, and for who was made from what they did later.
    for wanted in ["\nUSER AUTH: success: admin\n", "\nUSER CREATED: success: user birch-", " by admin ("] {
        assert!(text.contains(wanted), "{wanted:?} is not in:\n{text}");
    }
    for line in text.lines() {
        let mut words = line.splitn(3, ": ");
        let (what, outcome) = (words.next().unwrap(), words.next().unwrap());
        assert!(["success", "failure", "pending", "unknown"].contains(&outcome), "{line}");
        if what != "USER AUTH" {
            let (resource, verb) = what.rsplit_once(' ').unwrap();
            assert!(["CREATED", "UPDATED", "DELETED"].contains(&verb), "{line}");
            let rest = words.next().unwrap();
            assert!(rest.starts_with(&resource.to_lowercase()) && rest.ends_with(")."), "{line}");
            assert!(
                rest.contains(" at 2026-") && rest.contains(" by ") && rest.contains(" (project: "),
                "{line}"
            );
        }
    }
}

#[test]
fn a_form_that_is_none_is_refused() {
    let place = Place::new("forms");
    let store = place.path("store");
    run(&["replay", "--store", &store, &recording("dev-aodh")]);
    for arguments in
        [["--format", "xml", "", ""], ["--format", "osel-1.1", "-o", "json"], ["-o", "csv", "", ""]]
    {
        let arguments = arguments.iter().copied().filter(|argument| !argument.is_empty());
        let arguments: Vec<&str> =
            ["audit", "export", "--store", &store].into_iter().chain(arguments).collect();
        assert_eq!(osel(&arguments).status.code(), Some(2), "{arguments:?}");
    }
}
