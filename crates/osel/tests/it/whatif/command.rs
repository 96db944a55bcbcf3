//! The command itself: what it reads, prints and exits with.

use std::io::Write;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use super::ground::{PROJECT, Plan, inventory, request};
use crate::command::{Place, json_lines, osel, program, refused, run};

const WEB: &str = include_str!("web.terraform.json");
const REQUESTS: &str = include_str!("requests.jsonl");

/// A store that knows the small cloud.
fn store(place: &Place) -> String {
    let (store, inventory) = (place.path("store"), place.write("inventory.json", inventory().to_string()));
    run(&["inventory", "import", "--store", &store, &inventory]);
    store
}

fn whatif(store: &str, more: &[&str]) -> Output {
    osel(&[&["whatif", "--store", store, "--project", PROJECT][..], more].concat())
}

fn rule(port: u16, prefix: &str) -> String {
    let rule = json!({"security_group_rule": {"security_group_id": "web", "direction": "ingress", "protocol": "tcp",
        "port_range_min": port, "port_range_max": port, "remote_ip_prefix": prefix}});
    request("POST", "security-group-rules", rule)
}

#[test]
fn it_exits_with_what_it_is_told_not_to_accept() {
    let place = Place::new("whatif");
    let store = store(&place);
    let file = |name: &str, text: &str| place.write(name, text);
    let (world, inside, covered) = (
        file("a", &rule(22, "0.0.0.0/0")),
        file("b", &rule(22, "10.0.0.0/8")),
        file("c", &rule(80, "10.0.0.0/8")),
    );
    let nothing = file("d", &request("DELETE", "security-group-rules/http", Value::Null));
    let unknown = file("e", &request("DELETE", "ports/nobody", Value::Null));
    let grows = file(
        "f",
        &request("PUT", "address-groups/office/add_addresses", json!({"addresses": ["203.0.113.0/24"]})),
    );
    let code =
        |file: &str, more: &[&str]| whatif(&store, &[&[file][..], more].concat()).status.code().unwrap();
    let all = [&world, &inside, &covered, &nothing, &unknown, &grows];
    let check = |more: &[&str], wanted: [i32; 6]| {
        assert_eq!(all.map(|file| code(file, more)), wanted, "{more:?}");
    };
    check(&[], [0; 6]);
    check(&["--exit-code"], [1, 1, 0, 0, 0, 0]);
    check(&["--exit-code", "--fail-on", "internet"], [1, 0, 0, 0, 0, 0]);
    check(&["--exit-code", "--fail-on", "redundant"], [1, 1, 1, 0, 0, 0]);
    check(&["--exit-code", "--fail-on", "members,unknown"], [0, 0, 0, 0, 1, 1]);
    check(&["--exit-code", "--fail-on", "any"], [1, 1, 1, 0, 1, 1]);
    // Without it nobody would see that the plan was not accepted.
    check(&["--fail-on", "any"], [2; 6]);
    // The store is as it was: one record of the import, and nothing of any plan.
    assert_eq!(json_lines(&["audit", "export", "--store", &store, "-o", "json"]).len(), 1);
    assert_eq!(json_lines(&["exposure", "--store", &store, "-o", "json"]).len(), 3);
}

/// What cannot be told is told, and yet counts as open.
#[test]
fn what_may_be_open_is_not_accepted() {
    let place = Place::new("whatif-open");
    let store = store(&place);
    let owner = json!({"port": {"device_owner": "network:own"}});
    let file = place.write("a", request("PUT", "ports/vm2", owner));
    for fail_on in ["opened", "internet", "unknown", "any"] {
        let output = whatif(&store, &[&file, "--exit-code", "--fail-on", fail_on]);
        assert_eq!(output.status.code(), Some(1), "{fail_on}");
    }
}

/// The public joins a group that a rule names: no row comes, and yet it is no small thing.
#[test]
fn what_a_source_group_gains_is_not_accepted_either() {
    let place = Place::new("whatif-gains");
    let mut more = inventory();
    let rule = json!({"id": "offices", "security_group_id": "web", "direction": "ingress", "protocol": "tcp",
        "port_range_min": 22, "port_range_max": 22, "remote_address_group_id": "office"});
    more["security_group_rules"].as_array_mut().unwrap().push(rule);
    let (store, inventory) = (place.path("store"), place.write("inventory.json", more.to_string()));
    run(&["inventory", "import", "--store", &store, &inventory]);
    let gains = |name: &str, prefix: &str| {
        let body = json!({"addresses": [prefix]});
        place.write(name, request("PUT", "address-groups/office/add_addresses", body))
    };
    let (world, inside) = (gains("a", "0.0.0.0/0"), gains("b", "10.0.0.0/8"));
    for (fail_on, wanted) in [("opened", [1, 1]), ("internet", [1, 0]), ("members", [1, 1])] {
        let codes = [&world, &inside]
            .map(|file| whatif(&store, &[file, "--exit-code", "--fail-on", fail_on]).status.code().unwrap());
        assert_eq!(codes, wanted, "{fail_on}");
    }
    let text =
        |more: &[&str]| String::from_utf8(whatif(&store, &[&[&*world][..], more].concat()).stdout).unwrap();
    assert!(
        text(&[]).contains("\nopens ports to what 1 groups gain, 1 of them to the internet\n"),
        "{}",
        text(&[])
    );
    let log: Value = serde_json::from_str(&text(&["-o", "sarif"])).unwrap();
    let result = &log["runs"][0]["results"][0];
    assert_eq!([&result["ruleId"], &result["level"]], ["OSEL-101", "error"]);
}

#[test]
fn people_read_rows_ways_and_notes() {
    let place = Place::new("whatif-table");
    let store = store(&place);
    let plan = place.write("web.terraform.json", WEB);
    let text = String::from_utf8(whatif(&store, &["--terraform", &plan]).stdout).unwrap();
    let wanted = "\
opens 6 rows, 6 of them new, 2 to the internet; closes 0, 0 of them for good

CHANGE  ADDRESS  VIA       PROTOCOL  PORTS   FROM            INTERNET  BY
opens   (new)    fixed     tcp       443     0.0.0.0/0                 module.firewall.secgroup_rul…
opens   (new)    fixed     icmp      type 8  0.0.0.0/0                 module.firewall.secgroup_rul…
opens   (new)    fixed     tcp       22      203.0.113.0/24            module.firewall.secgroup_rul…
opens   (new)    floating  tcp       443     0.0.0.0/0       yes       module.firewall.secgroup_rul…
opens   (new)    floating  icmp      type 8  0.0.0.0/0       yes       module.firewall.secgroup_rul…
opens   (new)    floating  tcp       22      203.0.113.0/24            module.firewall.secgroup_rul…

internet to (new), tcp 443
  1.0.0.1 → floating IP openstack_networking_floatingip_v2.web ((new) to (new)) → router edge
    → network inside → port web → security group web-firewall
";
    assert!(text.starts_with(wanted), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(!text.contains("240.0"), "{text}");
}

#[test]
fn the_sample_of_requests_is_read_from_standard_input() {
    let place = Place::new("whatif-stdin");
    let store = store(&place);
    let mut child = program()
        .args(["whatif", "--store", &store, "--project", PROJECT, "-o", "json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(REQUESTS.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys: Vec<_> = report.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["closed", "members", "notes", "opened", "resources"]);
    // A row has the keys of the contract, and more.
    let row = report["opened"][0].as_object().unwrap();
    let known = json_lines(&["exposure", "--store", &store, "-o", "json"]);
    for key in known[0].as_object().unwrap().keys() {
        assert!(row.contains_key(key), "{key}");
    }
    assert_eq!(report["resources"].as_array().unwrap().len(), 4);
    assert!(report["opened"].as_array().unwrap().iter().any(|row| row["internet"] == true));
}

#[test]
fn what_is_wrong_with_a_plan_is_told_with_its_place() {
    let place = Place::new("whatif-wrong");
    let store = store(&place);
    let wrong = |name: &str, text: &str, flags: &[&str]| {
        let file = place.write(name, text);
        let error = refused(2, &[&["whatif", "--store", &store][..], flags, &[&file]].concat());
        error.trim_end().replace(&file, name)
    };
    assert_eq!(
        wrong("a.json", "{\n\"port\"", &[]),
        "osel: a.json: line 2 column 6 is the end, and the JSON is not complete"
    );
    assert_eq!(
        wrong("b.json", &rule(22, "office"), &[]),
        "osel: b.json: request 1: `security_group_rule` cannot be read: a text is neither an address nor a prefix, at remote_ip_prefix"
    );
    assert_eq!(
        wrong("c.json", &Plan::default().text(), &[]),
        "osel: c.json: it is a plan of Terraform; give it with --terraform"
    );
    assert_eq!(
        wrong("d.json", r#"{"format_version":"1.0","values":{}}"#, &["--terraform"]),
        "osel: d.json: it is a state, not a plan; give what `terraform show -json PLAN` prints"
    );
    let port = Plan::default().create(
        "networking_port_v2.p",
        json!({"network_id": "net", "fixed_ip": [{"ip_address": "hunter2"}]}),
        json!({}),
        json!({}),
    );
    assert_eq!(
        wrong("e.json", &port.text(), &["--terraform"]),
        "osel: e.json: openstack_networking_port_v2.p: `port` cannot be read: a text is neither an address nor a prefix, at fixed_ips[0].ip_address"
    );
    refused(2, &["whatif", "--store", &store, "--region", "nowhere", &place.path("a.json")]);
    refused(3, &["whatif", "--store", &store, &place.path("missing.json")]);
    refused(3, &["whatif", "--store", &place.path("no-store"), &place.path("b.json")]);
}

/// The members that SARIF 2.1.0 has at each place that is written, and which of them it needs.
fn check_members(value: &Value, place: &str, needed: &[&str], allowed: &[&str]) {
    let object = value.as_object().unwrap_or_else(|| panic!("{place} is no object"));
    for key in needed {
        assert!(object.contains_key(*key), "{place} lacks {key}");
    }
    for key in object.keys() {
        assert!(needed.contains(&key.as_str()) || allowed.contains(&key.as_str()), "{place} has {key}");
    }
}

#[test]
fn scanners_read_sarif() {
    let place = Place::new("whatif-sarif");
    let store = store(&place);
    let plan = place.write("plan.json", WEB);
    let output = whatif(&store, &["--terraform", &plan, "-o", "sarif", "--exit-code"]);
    assert_eq!(output.status.code(), Some(1));
    let log: Value = serde_json::from_slice(&output.stdout).unwrap();
    check_members(&log, "log", &["version", "runs"], &["$schema"]);
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    check_members(run, "run", &["tool", "results"], &["automationDetails", "invocations", "columnKind"]);
    let driver = &run["tool"]["driver"];
    check_members(driver, "driver", &["name", "rules"], &["version"]);
    let rules = driver["rules"].as_array().unwrap();
    for (rule, number) in rules.iter().zip(101..) {
        let texts = ["shortDescription", "fullDescription", "help"];
        check_members(
            rule,
            "rule",
            &["id"],
            &[&texts[..], &["name", "defaultConfiguration", "properties"]].concat(),
        );
        texts.iter().for_each(|text| check_members(&rule[text], text, &["text"], &[]));
        assert_eq!(rule["id"], format!("OSEL-{number}"));
        let severity: f64 = rule["properties"]["security-severity"].as_str().unwrap().parse().unwrap();
        assert!((0.0..=10.0).contains(&severity));
    }
    let results = run["results"].as_array().unwrap();
    for result in results {
        let allowed = ["ruleId", "ruleIndex", "level", "locations", "partialFingerprints", "properties"];
        check_members(result, "result", &["message"], &allowed);
        let at = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(result["ruleId"], rules[at]["id"]);
        assert!(["note", "warning", "error"].contains(&result["level"].as_str().unwrap()));
        let location = &result["locations"][0];
        check_members(location, "location", &["physicalLocation"], &["logicalLocations"]);
        assert!(location["physicalLocation"]["region"]["startLine"].as_u64().unwrap() >= 1);
        assert_eq!(location["physicalLocation"]["artifactLocation"]["uri"], format!("file://{plan}"));
        assert_eq!(location["logicalLocations"][0]["kind"], "resource");
    }
    let found = |result: &Value| {
        let name = result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"].as_str().unwrap();
        format!("{} {name}", result["ruleId"].as_str().unwrap())
    };
    let found: Vec<String> = results.iter().map(found).collect();
    let module = "module.firewall.openstack_networking_secgroup_rule_v2.rule";
    assert_eq!(
        found,
        [
            format!(r#"OSEL-101 {module}["https"]"#),
            format!(r#"OSEL-101 {module}["icmp"]"#),
            format!(r#"OSEL-103 {module}["https"]"#),
            format!(r#"OSEL-103 {module}["icmp"]"#),
            format!(r#"OSEL-104 {module}["ssh"]"#),
        ]
    );
    // What a scanner knows a finding again by is the same however often and wherever the plan is.
    let fingerprints = |log: &Value| {
        let results = log["runs"][0]["results"].as_array().unwrap();
        results
            .iter()
            .map(|result| result["partialFingerprints"]["osel/v1"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let again = place.write("again.json", format!("\n{WEB}"));
    let again = whatif(&store, &["--terraform", &again, "-o", "sarif"]);
    assert_eq!(fingerprints(&log), fingerprints(&serde_json::from_slice(&again.stdout).unwrap()));
}
