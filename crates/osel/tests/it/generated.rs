//! The cloud that the generator makes: its stream and the inventory of after it say the same, and the account of the documents may read all of it.

use std::fs::File;
use std::io::Write;

use osel_sim::api::{Cloud, Emulated, Options};
use osel_sim::generate::{GenerateOptions, Generator};
use serde_json::Value;

use crate::command::{Place, json_lines, run};
use crate::openstack::{READER, export};

fn write_inventory(generator: &Generator, path: &str) {
    generator.write_inventory(&mut File::create(path).unwrap()).unwrap();
}

#[test]
fn who_heard_the_whole_stream_has_nothing_to_correct_by_the_inventory_of_after_it() {
    let place = Place::new("generated");
    let [store, before, stream, after] =
        ["store", "before.json", "stream.jsonl", "after.json"].map(|name| place.path(name));
    let mut generator = Generator::new(GenerateOptions { ports: 300, seed: 3, ..GenerateOptions::default() });
    write_inventory(&generator, &before);
    let mut lines = File::create(&stream).unwrap();
    let (mut line, mut count) = (String::new(), 0);
    while count < 1500 || !generator.is_between_calls() {
        line.clear();
        generator.next_line(&mut line);
        lines.write_all(line.as_bytes()).unwrap();
        count += 1;
    }
    drop(lines);
    write_inventory(&generator, &after);
    run(&["inventory", "import", "--store", &store, &before]);
    run(&["replay", "--store", &store, &stream]);
    run(&["inventory", "import", "--store", &store, &after]);
    let records = json_lines(&["audit", "export", "-o", "json", "--store", &store]);
    assert!(records.len() > 1000, "{}", records.len());
    let drift: Vec<&str> = records
        .iter()
        .filter(|record| record["kind"] == "drift")
        .map(|record| record["summary"].as_str().unwrap())
        .collect();
    // Ports of routers and of DHCP are told of by nobody, as in a real cloud.
    let is_silent = |summary: &&&str| {
        summary.ends_with("(ports of routers, floating IPs and DHCP come and go in silence)")
            || summary.starts_with("inventory ")
    };
    let others: Vec<_> = drift.iter().filter(|summary| !is_silent(summary)).take(20).collect();
    assert!(drift.len() > 1 && others.is_empty(), "{} {others:#?}", drift.len());
}

#[test]
fn the_reader_with_the_least_rights_is_shown_the_whole_of_a_served_cloud() {
    let options = GenerateOptions { ports: 60, ..GenerateOptions::default() };
    let emulated = Emulated::start(Cloud::generated(options), Options::default()).unwrap();
    let output = export(&emulated, &READER, &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let written: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(written.get("partial"), None, "{said}");
    assert!(written["ports"].as_array().unwrap().len() >= 60);
}
