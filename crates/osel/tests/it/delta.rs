//! What each record says was opened and closed, against the difference of the rows before and after it.

use osel_sim::corpus::{Corpus, directory};
use osel_sim::judge;
use serde_json::Value;

use crate::command::{Place, json_lines, recording};

fn sorted(rows: &Value) -> Vec<Value> {
    let mut rows = rows.as_array().unwrap().clone();
    rows.sort_by(judge::compare_rows);
    rows
}

/// `--at` answers from the past, and the deltas of all records lead from each state to the next.
#[test]
fn deltas_lead_from_state_to_state() {
    let name = "dev-zed";
    let corpus = Corpus::load(&directory(), name).unwrap();
    let place = Place::new("delta");
    let store = place.path("store");
    let inventory = place.write("inventory.json", corpus.snapshots[0].inventory().to_string());
    json_lines(&["replay", "--store", &store, "--inventory", &inventory, "-o", "json", &recording(name)]);
    let records = json_lines(&["audit", "export", "--store", &store, "-o", "json"]);
    let state =
        |seq: u64| json_lines(&["exposure", "--store", &store, "-o", "json", "--at", &seq.to_string()]);
    let mut compared = 0;
    let changing = records.iter().filter(|record| {
        !sorted(&record["exposure"]["opened"]).is_empty() || !sorted(&record["exposure"]["closed"]).is_empty()
    });
    for record in changing.step_by(3) {
        let seq = record["seq"].as_u64().unwrap();
        let (before, after) = (state(seq - 1), state(seq));
        let (mut opened, mut closed) = judge::delta(&before, &after);
        opened.sort_by(judge::compare_rows);
        closed.sort_by(judge::compare_rows);
        assert_eq!(
            sorted(&record["exposure"]["opened"]),
            opened,
            "opened by record {seq}: {}",
            record["summary"]
        );
        assert_eq!(
            sorted(&record["exposure"]["closed"]),
            closed,
            "closed by record {seq}: {}",
            record["summary"]
        );
        compared += 1;
    }
    assert!(compared > 20, "only {compared} records were compared");
}
