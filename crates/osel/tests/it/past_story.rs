//! `osel exposure diff` and `osel exposure history` on a story of everything that opens and closes rows, against all states of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use osel::runtime::Recorder;
use osel::store::{NewStore, Store};
use osel_core::decode::decode;
use osel_core::engine::EngineOptions;
use osel_core::time::Timestamp;
use serde_json::{Value, json};

use crate::command::{Place, json_lines, refused, run};
use crate::fold::message;

fn rule(id: &str, group: &str, protocol: &str, port: u16) -> Value {
    json!({"id": id, "security_group_id": group, "direction": "ingress", "ethertype": "IPv4", "protocol": protocol,
        "port_range_min": port, "port_range_max": port, "remote_ip_prefix": "0.0.0.0/0", "project_id": "red"})
}

fn port(id: &str, project: &str, revision: u64, address: &str, groups: &[&str]) -> Value {
    json!({"port": {"id": id, "network_id": "n", "project_id": project, "security_groups": groups,
        "fixed_ips": [{"ip_address": address, "subnet_id": "s"}], "revision_number": revision}})
}

fn floating(port: Option<&str>, inner: Option<&str>, revision: u64) -> Value {
    json!({"floatingip": {"id": "f", "floating_ip_address": "198.51.100.1", "floating_network_id": "ext",
        "port_id": port, "fixed_ip_address": inner, "router_id": "r", "revision_number": revision}})
}

/// Writes a store of messages, one a second, that came at once or all together an hour later; a snapshot is made after the seventh.
fn write(place: &Place, story: &[(&str, Value)], is_late: bool) -> String {
    let store = place.path("store");
    let new = NewStore { id: [7; 16], created_at: Timestamp::EPOCH };
    let journal = Store::create(Path::new(&store), &new).unwrap();
    let mut recorder = Recorder::resume(Box::new(journal), &EngineOptions::default()).unwrap();
    for (second, (event_type, payload)) in story.iter().enumerate() {
        let mut raw = message(second as i64 + 1, event_type, payload);
        if is_late {
            raw.received_at = raw.received_at.plus_seconds(3600 - second as i64);
        }
        recorder.message(raw.received_at, &raw, decode(&raw)).unwrap();
        if second == 6 {
            recorder.want_snapshot();
        }
        recorder.flush().unwrap();
    }
    recorder.finish().unwrap();
    store
}

/// What happens, and what a read of the API shows in the end that no message told.
fn tell(place: &Place) -> String {
    let group_rule = |rule: Value| json!({"security_group_rule": rule});
    let story = [
        ("security_group_rule.create.end", group_rule(rule("ssh", "g", "tcp", 22))),
        ("security_group_rule.create.end", group_rule(rule("web", "h", "tcp", 443))),
        ("port.create.end", port("p1", "red", 1, "10.0.0.1", &["g"])),
        ("port.create.end", port("p2", "blue", 1, "10.0.0.2", &["h"])),
        ("floatingip.create.end", floating(Some("p1"), Some("10.0.0.1"), 1)),
        ("floatingip.update.end", floating(Some("p2"), Some("10.0.0.2"), 2)),
        ("port.update.end", port("p1", "red", 2, "10.0.0.1", &["g", "h"])),
        ("security_group_rule.delete.end", json!({"security_group_rule_id": "ssh"})),
        ("security_group_rule.create.end", group_rule(rule("dns", "g", "udp", 53))),
        ("port.update.end", port("p1", "red", 3, "10.0.0.9", &["g"])),
        ("floatingip.update.end", floating(None, None, 3)),
        ("port.update.end", port("p1", "red", 4, "10.0.0.1", &["g", "h"])),
        ("port.delete.end", json!({"port_id": "p2"})),
        ("floatingip.update.end", floating(Some("p1"), Some("10.0.0.1"), 4)),
    ];
    let store = write(place, &story, false);
    // Somebody let a rule go, and made one, in silence.
    let read = json!({"taken_at": "2026-11-22T00:00:00Z", "security_group_rules": [
        rule("web", "h", "tcp", 443), rule("ntp", "g", "udp", 123)
    ]});
    run(&["inventory", "import", "--store", &store, &place.write("read.json", read.to_string())]);
    store
}

type Rows = BTreeSet<String>;

/// The rows after each record.
fn states(store: &str) -> Vec<Rows> {
    let records = json_lines(&["audit", "export", "--store", store, "-o", "json"]).len();
    let at = |seq: usize| json_lines(&["exposure", "--store", store, "-o", "json", "--at", &seq.to_string()]);
    (0..=records).map(|seq| at(seq).iter().map(ToString::to_string).collect()).collect()
}

fn diff(store: &str, range: (usize, usize), more: &[&str]) -> Vec<Value> {
    let (from, to) = (range.0.to_string(), range.1.to_string());
    let asked = ["exposure", "diff", "--store", store, "--from", &from, "--to", &to, "-o", "json"];
    json_lines(&[&asked[..], more].concat())
}

fn apply(mut rows: Rows, changes: &[Value]) -> Rows {
    for change in changes {
        let row = change["row"].to_string();
        let is_new = if change["change"] == "opened" { rows.insert(row) } else { rows.remove(&row) };
        assert!(is_new, "{change}");
    }
    rows
}

#[test]
fn differences_lead_from_any_state_to_any_later_one() {
    let place = Place::new("past-diff");
    let store = tell(&place);
    let states = states(&store);
    for from in 0..states.len() {
        for to in (from..states.len()).step_by(3) {
            let changes = diff(&store, (from, to), &[]);
            assert_eq!(apply(states[from].clone(), &changes), states[to], "{from} to {to}");
            let all = diff(&store, (from, to), &["--all"]);
            assert_eq!(apply(states[from].clone(), &all), states[to], "{from} to {to}, all");
            for change in changes.iter().chain(&all) {
                let (seq, row) = (change["seq"].as_u64().unwrap() as usize, change["row"].to_string());
                let is_there = [&states[seq - 1], &states[seq]].map(|rows| rows.contains(&row));
                assert_eq!(
                    is_there,
                    if change["change"] == "opened" { [false, true] } else { [true, false] }
                );
            }
            for project in ["red", "blue"] {
                let of_project = |row: &Value| row["row"]["project_id"] == project;
                let expected: Vec<Value> = changes.iter().filter(|row| of_project(row)).cloned().collect();
                assert_eq!(diff(&store, (from, to), &["--project", project]), expected, "{project}");
            }
        }
    }
}

#[test]
fn who_opened_a_row_is_told_with_it() {
    let place = Place::new("past-who");
    let store = tell(&place);
    let changes = diff(&store, (2, 3), &[]);
    assert_eq!(changes.len(), 1);
    let change = &changes[0];
    assert_eq!((&change["change"], &change["seq"]), (&json!("opened"), &json!(3)));
    assert_eq!((&change["event_type"], &change["kind"]), (&json!("port.create.end"), &json!("change")));
    assert_eq!(change["actor"]["user_id"], "u");
    // Nobody is known to have done what only a read showed.
    let last = states(&store).len() - 1;
    // Behind the record of the last message.
    let silent = diff(&store, (17, last), &[]);
    let told: Vec<_> = silent.iter().map(|change| (&change["change"], &change["row"]["rule_id"])).collect();
    assert!(
        told.contains(&(&json!("opened"), &json!("ntp")))
            && told.contains(&(&json!("closed"), &json!("dns")))
    );
    assert!(silent.iter().all(|change| change["actor"]["user_id"].is_null()), "{silent:?}");
    // A row that closed and opened again is no difference.
    let again = |changes: &[Value]| {
        changes
            .iter()
            .filter(|change| change["row"]["address"] == "10.0.0.1" && change["row"]["rule_id"] == "web")
            .count()
    };
    assert_eq!(again(&diff(&store, (10, 15), &[])), 0);
    assert_eq!(again(&diff(&store, (10, 15), &["--all"])), 2);
    // From where it could be used.
    assert_eq!(diff(&store, (0, 5), &["--from-source", "internet"]), diff(&store, (0, 5), &[]));
    let table = run(&["exposure", "diff", "--store", &store, "--from", "2", "--to", "3"]);
    assert!(table.contains("opened") && table.contains("10.0.0.1"), "{table}");
    let csv = run(&["exposure", "diff", "--store", &store, "--from", "2", "--to", "3", "-o", "csv"]);
    assert!(csv.starts_with("change,seq,time,") && csv.contains("opened,3,"), "{csv}");
    let silent = ["exposure", "--store", &store, "diff", "--from", "17", "--to", "now"];
    assert!(run(&silent).contains("(drift)"));
    assert!(run(&[&silent[..], &["-o", "csv"]].concat()).contains(",drift,"));
    assert_eq!(change["missing"], json!([]));
    // Only the store may stand before the name.
    let refusal = refused(2, &["exposure", "--at", "3", "diff", "--store", &store, "--from", "2"]);
    assert!(refusal.contains("--at stands before `diff`"), "{refusal}");
    refused(2, &["exposure", "diff", "--store", &store, "--from", "5", "--to", "3"]);
    refused(2, &["exposure", "diff", "--store", &store, "--from", "9999"]);
}

#[test]
fn the_history_of_an_address_is_what_all_states_show() {
    let place = Place::new("past-history");
    let store = tell(&place);
    let states = states(&store);
    let mut expected: BTreeMap<String, BTreeMap<String, Vec<[Value; 2]>>> = BTreeMap::new();
    for seq in 1..states.len() {
        let of = |row: &String| {
            serde_json::from_str::<Value>(row).unwrap()["address"].as_str().unwrap().to_owned()
        };
        for row in states[seq - 1].difference(&states[seq]) {
            let rows = expected.entry(of(row)).or_default();
            rows.get_mut(row).unwrap().last_mut().unwrap()[1] = json!(seq);
        }
        for row in states[seq].difference(&states[seq - 1]) {
            let rows = expected.entry(of(row)).or_default();
            rows.entry(row.clone()).or_default().push([json!(seq), Value::Null]);
        }
    }
    assert_eq!(expected.keys().collect::<Vec<_>>(), ["10.0.0.1", "10.0.0.2", "10.0.0.9", "198.51.100.1"]);
    for (address, rows) in &expected {
        let lines =
            json_lines(&["exposure", "history", "--store", &store, "--address", address, "-o", "json"]);
        let found: BTreeMap<String, Vec<[Value; 2]>> = lines
            .iter()
            .map(|line| {
                let ends = |interval: &Value| ["opened", "closed"].map(|end| interval[end]["seq"].clone());
                let intervals = line["intervals"].as_array().unwrap().iter().map(ends).collect();
                (line["row"].to_string(), intervals)
            })
            .collect();
        assert_eq!(&found, rows, "{address}");
        for line in &lines {
            let intervals = line["intervals"].as_array().unwrap();
            let sum: i64 = intervals.iter().map(|interval| interval["seconds"].as_i64().unwrap()).sum();
            assert_eq!(line["seconds"], sum, "{line}");
            assert_eq!(line["is_open"], intervals.last().unwrap()["closed"].is_null(), "{line}");
        }
    }
    // One second each: the floating IP led to `p1` from the fifth to the sixth message.
    let asked = ["exposure", "history", "--store", &store, "--address", "198.51.100.1"];
    let ssh = json_lines(&[&asked[..], &["--port", "22", "--protocol", "tcp", "-o", "json"]].concat());
    let told: Vec<_> = ssh.iter().map(|line| (&line["row"]["port_id"], &line["seconds"])).collect();
    assert_eq!(told, [(&json!("p1"), &json!(1))]);
    assert_eq!(ssh[0]["intervals"][0]["closed"]["actor"]["user_id"], "u");
    // Of a prefix all addresses are told.
    let wide = ["exposure", "history", "--store", &store, "--address", "10.0.0.0/30"];
    let wide = run(&wide);
    assert!(["10.0.0.1 ", "10.0.0.2 "].iter().all(|address| wide.contains(address)), "{wide}");
    // `web` was open on `p1` twice.
    let all = run(&["exposure", "history", "--store", &store, "--address", "10.0.0.1", "--port", "443"]);
    assert_eq!((all.lines().count(), all.lines().last().unwrap().contains("in all")), (4, true), "{all}");
    let table = run(&asked);
    assert!(table.contains("still open") && table.lines().all(|line| line.chars().count() <= 100), "{table}");
}

/// The rows after each record, as they are seen from somewhere.
fn seen(store: &str, from: &str) -> Vec<Rows> {
    let records = json_lines(&["audit", "export", "--store", store, "-o", "json"]).len();
    let asked = ["exposure", "--store", store, "-o", "json", "--from", from, "--at"];
    let at = |seq: usize| json_lines(&[&asked[..], &[&seq.to_string()]].concat());
    (0..=records).map(|seq| at(seq).iter().map(ToString::to_string).collect()).collect()
}

/// A group with an id as long as they are.
const M: &str = "8a5f2c60-7d1e-4a3b-9c55-0f6d2b7e1a90";

/// What a group stands for as a source changes, and with it what is seen from there, though no rule and no port of a row does.
#[test]
fn a_row_opens_to_whom_its_source_gains() {
    let from_group = |id: &str, key: &str, group: &str| {
        let mut rule = rule(id, "g", "tcp", 22);
        let keys = rule.as_object_mut().unwrap();
        keys.remove("remote_ip_prefix");
        keys.insert(key.to_owned(), json!(group));
        json!({"security_group_rule": rule})
    };
    let addresses = |revision: u64, addresses: &[&str]| {
        json!({"address_group": {"id": "ag", "name": "ag", "project_id": "red",
            "addresses": addresses, "revision_number": revision}})
    };
    let group = |id: &str| {
        json!({"security_group": {"id": id, "name": id, "project_id": "red",
            "security_group_rules": [], "revision_number": 1}})
    };
    let place = Place::new("past-sources");
    let store = write(
        &place,
        &[
            ("address_group.create.end", addresses(1, &["10.9.0.0/16"])),
            ("security_group_rule.create.end", from_group("of-ag", "remote_address_group_id", "ag")),
            ("port.create.end", port("p1", "red", 1, "10.0.0.1", &["g"])),
            ("address_group.update.end", addresses(2, &["10.9.0.0/16", "8.8.8.0/24"])),
            ("security_group_rule.create.end", from_group("of-m", "remote_group_id", M)),
            // Until somebody describes it, it may be anything.
            ("security_group.create.end", group(M)),
            ("port.create.end", port("p2", "blue", 1, "8.8.4.4", &[M])),
            ("port.create.end", port("p3", "blue", 1, "10.0.0.3", &[M])),
            ("port.update.end", port("p2", "blue", 2, "10.0.0.2", &[M])),
            ("port.update.end", port("p3", "blue", 2, "8.8.8.8", &[M])),
            ("port.create.end", port("p4", "red", 1, "10.0.0.4", &["g"])),
            ("port.delete.end", json!({"port_id": "p3"})),
            ("port.update.end", port("p2", "blue", 3, "8.8.4.4", &[M])),
            ("security_group_rule.delete.end", json!({"security_group_rule_id": "of-m"})),
            ("address_group.update.end", addresses(3, &["10.9.0.0/16"])),
        ],
        false,
    );
    // Times are shown whole, whatever gives way.
    let table = run(&["exposure", "history", "--store", &store, "--address", "10.0.0.1"]);
    let lines: Vec<&str> = table.lines().collect();
    let of_m: Vec<&[&str]> = lines.windows(2).filter(|pair| pair[0].contains("group 8")).collect();
    let is_whole = |pair: &&[&str]| {
        pair[1].contains(" 2026-11-21T00:00:05 ") && pair[1].contains(" 2026-11-21T00:00:14 ")
    };
    assert!(of_m.len() == 1 && of_m.iter().all(is_whole) && !table.contains('…'), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    let opened = diff(&store, (4, 5), &["--from-source", "internet"]);
    assert_eq!(opened.len(), 1, "{opened:?}");
    assert_eq!((&opened[0]["change"], &opened[0]["seq"]), (&json!("opened"), &json!(5)));
    assert_eq!(opened[0]["event_type"], "address_group.update.end");
    for from in ["internet", "10.9.0.0/24", "8.8.4.4"] {
        let states = seen(&store, from);
        let mut changes_in_all = 0;
        for first in (0..states.len()).step_by(2) {
            for last in (first..states.len()).step_by(5) {
                let changes = diff(&store, (first, last), &["--from-source", from]);
                assert_eq!(apply(states[first].clone(), &changes), states[last], "{from}: {first} to {last}");
                let all = diff(&store, (first, last), &["--from-source", from, "--all"]);
                assert_eq!(
                    apply(states[first].clone(), &all),
                    states[last],
                    "{from}: {first} to {last}, all"
                );
                let red = diff(&store, (first, last), &["--from-source", from, "--project", "red"]);
                assert_eq!(
                    red,
                    changes
                        .iter()
                        .filter(|one| one["row"]["project_id"] == "red")
                        .cloned()
                        .collect::<Vec<_>>()
                );
                changes_in_all += changes.len();
            }
        }
        assert!(changes_in_all > 3, "{from}");
    }
}

/// Two floating IPs have one address: what leads there is open while either does.
#[test]
fn a_row_that_is_there_twice_is_open_once() {
    let floating = |id: &str| {
        json!({"floatingip": {"id": id, "floating_ip_address": "198.51.100.1", "floating_network_id": "ext",
            "port_id": "p1", "fixed_ip_address": "10.0.0.1", "router_id": "r", "revision_number": 1}})
    };
    let gone = |id: &str| json!({"floatingip_id": id});
    for is_late in [false, true] {
        let place = Place::new("past-twice");
        let store = write(
            &place,
            &[
                (
                    "security_group_rule.create.end",
                    json!({"security_group_rule": rule("ssh", "g", "tcp", 22)}),
                ),
                ("port.create.end", port("p1", "red", 1, "10.0.0.1", &["g"])),
                ("floatingip.create.end", floating("f1")),
                ("floatingip.create.end", floating("f2")),
                ("floatingip.delete.end", gone("f1")),
                ("floatingip.delete.end", gone("f2")),
            ],
            is_late,
        );
        for (range, wanted) in
            [((3, 4), vec!["opened"]), ((4, 5), vec![]), ((5, 6), vec![]), ((5, 7), vec!["closed"])]
        {
            for more in [&[][..], &["--all"]] {
                let found = diff(&store, range, more);
                let found: Vec<_> = found.iter().map(|one| one["change"].as_str().unwrap()).collect();
                assert_eq!(found, wanted, "{range:?} {more:?}");
            }
        }
        let asked = ["exposure", "history", "--store", &store, "--address", "198.51.100.1", "-o", "json"];
        let lines = json_lines(&asked);
        let ends: Vec<_> = lines
            .iter()
            .map(|line| {
                let intervals = line["intervals"].as_array().unwrap();
                assert_eq!(intervals.len(), 1, "{line}");
                (
                    &intervals[0]["opened"]["seq"],
                    &intervals[0]["closed"]["seq"],
                    &line["seconds"],
                    &line["is_open"],
                )
            })
            .collect();
        assert_eq!(ends, [(&json!(4), &json!(7), &json!(3), &json!(false))]);
    }
}
