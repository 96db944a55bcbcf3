//! Recordings of real Neutrons in which something changed that no notification tells, against what the API said at the end.

use osel_sim::corpus::directory;

use crate::command::{Place, json_lines, run};

/// The addresses in the rows, and by what way each leads to a port: all that there are, each once.
fn doors(name: &str) -> Vec<(String, String)> {
    let place = Place::new(&format!("silent-{name}"));
    let store = place.path("store");
    let recording = directory().join("field").join(format!("{name}.jsonl.gz"));
    run(&["replay", "--store", &store, recording.to_str().unwrap()]);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let rows = json_lines(&["exposure", "--store", &store, "-o", "json"]);
    let mut doors: Vec<_> = rows.iter().map(|row| (text(&row["address"]), text(&row["via"]))).collect();
    doors.sort_unstable();
    doors.dedup();
    doors
}

fn check(name: &str, expected: &[(&str, &str)]) {
    let expected: Vec<_> =
        expected.iter().map(|(address, via)| ((*address).to_owned(), (*via).to_owned())).collect();
    assert_eq!(doors(name), expected, "{name}");
}

#[test]
fn a_subnet_gives_ports_that_are_there_an_address() {
    check("subnet-gives", &[("10.60.0.99", "fixed"), ("2001:db8:60:0:f816:3eff:fe9b:1cc2", "fixed")]);
}

#[test]
fn a_subnet_takes_its_addresses_along() {
    check("subnet-takes", &[("10.98.0.94", "fixed")]);
}

#[test]
fn a_forwarding_ends_with_the_address_it_leads_to() {
    check("forwarding-ends", &[("10.40.200.3", "fixed")]);
}

#[test]
fn a_port_with_another_owner_is_no_interface_any_more() {
    check("interface-owned", &[("10.162.12.103", "fixed")]);
}
