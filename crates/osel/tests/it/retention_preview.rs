//! What `osel store retention` says goes is what `--apply` takes, with classes and without, and what it counts is what is there.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::command::{Place, json_lines, program};
use crate::retention::{Listener, going};

const GENERAL: [(&str, &str); 4] =
    [("INPUTS_DAYS", "1"), ("RECORDS_DAYS", "2"), ("PERSONAL_DAYS", "1"), ("QUARANTINE_DAYS", "0")];
const CLASS: [(&str, &str); 3] =
    [("CLASS__0__NAME", "logins"), ("CLASS__0__KINDS", "authentication"), ("CLASS__0__PERSONAL_DAYS", "1")];

/// The lines by their kinds.
fn shown(store: &str, limits: &[(&str, &str)]) -> BTreeMap<String, Value> {
    let mut command = program();
    command.args(["store", "retention", "-o", "json", "--store", store]);
    command.envs(limits.iter().map(|(key, value)| (format!("OSEL_RETENTION__{key}"), value)));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| (line["kind"].as_str().unwrap().to_owned(), line)).collect()
}

fn check(place: &Place, name: &str, limits: &[(&str, &str)], has_class: bool) {
    let mut listener = Listener::new(place, name, 13);
    listener.listen(6);
    let store = place.path(name);
    let would = going(&store, limits, false);
    assert_eq!(going(&store, limits, true), would);
    let up_to = |line: &str| would.get(line).and_then(|goes| goes["up_to"].as_u64()).unwrap_or(0);
    assert!(up_to("records") > 20 && up_to("personal") >= up_to("records"), "{would:?}");

    let after = json_lines(&["audit", "export", "--store", &store]);
    let lines = shown(&store, limits);
    for (shown, part) in [("records", "body"), ("personal", "personal")] {
        let is_of_class = |record: &Value| has_class && record["kind"] == "authentication";
        let goes = |record: &Value| {
            let line = if is_of_class(record) { format!("{shown} of logins") } else { shown.to_owned() };
            // All parts go with the body.
            let records = line.replace("personal", "records");
            record["seq"].as_u64().unwrap() <= up_to(&line).max(up_to(&records))
        };
        let is_missing = |record: &Value| record["missing"].as_array().unwrap().contains(&part.into());
        for record in &after {
            assert!(!is_missing(record) || goes(record), "{part} of {record} went, {would:?}");
            assert!(!goes(record) || part == "personal" || is_missing(record), "{record} stayed, {would:?}");
        }
        let left: Vec<&Value> = after.iter().filter(|record| !goes(record)).collect();
        assert_eq!(lines[shown]["count"], left.len(), "{lines:?}");
        assert_eq!(lines[shown]["oldest"], left[0]["as_of"], "{lines:?}");
        if has_class {
            let of_class = left.iter().filter(|record| is_of_class(record)).count();
            assert_eq!(lines[&format!("{shown} of logins")]["count"], of_class, "{lines:?}");
        }
    }
}

#[test]
fn what_goes_is_shown_and_what_is_shown_goes() {
    let place = Place::new("retention-preview");
    check(&place, "plain", &GENERAL, false);
    let with_class = [&GENERAL[..], &CLASS].concat();
    check(&place, "class", &with_class, true);
}
