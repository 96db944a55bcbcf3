//! The demo as the README's first command runs it.

use serde_json::Value;

use crate::command::{Place, json_lines, run};

#[test]
fn the_whole_job_with_nothing_else_installed() {
    let place = Place::new("demo");
    let store = place.path("store");
    let told = run(&["demo", "--once", "--store", &store]);
    for part in [
        "created port",
        "as predicted",
        "not answering",
        "open though not exposed",
        "findings are open",
        "The trail is verified",
        "ledger balances",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let records = json_lines(&["audit", "export", "--store", &store, "-o", "json"]);
    let of_kind =
        |kind: &str| records.iter().filter(|record| record["kind"] == kind).collect::<Vec<&Value>>();
    let (commands, scans) = (of_kind("command"), of_kind("scan"));
    assert!(!scans.is_empty());
    let confirmed = |finding: &&&Value| finding["detail"]["state"] == "confirmed";
    assert!(of_kind("finding").iter().any(|finding| confirmed(&finding)));
    for scan in scans {
        let id = &scan["detail"]["command"];
        let command = commands.iter().find(|command| command["detail"]["command"] == *id).unwrap();
        assert!(command["seq"].as_u64() < scan["seq"].as_u64(), "written down before it was done");
        let cause = &records[scan["cause"].as_u64().unwrap() as usize - 1];
        let rows = ["opened", "closed"].map(|key| cause["exposure"][key].as_array().unwrap().len());
        // What was odd is looked at once more.
        assert!(rows.iter().sum::<usize>() > 0 || cause["kind"] == "scan", "{cause}");
    }
}
