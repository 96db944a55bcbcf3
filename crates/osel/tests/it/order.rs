//! The messages of a recording in any order, with any repetitions, end in the same rows.

use osel_sim::corpus::{Corpus, directory};
use osel_sim::random::Random;
use serde_json::Value;

use crate::command::{Place, json_lines, recording};

fn check(name: &str, seeds: std::ops::Range<u64>) {
    let corpus = Corpus::load(&directory(), name).unwrap();
    let place = Place::new(&format!("order-{name}"));
    let mut inventory = corpus.snapshots[0].inventory();
    // Without a time of its own, it is older than every message: that is what it means to start from it.
    inventory.as_object_mut().unwrap().remove("taken_at");
    let inventory = place.write("inventory.json", inventory.to_string());
    let exposure = |store: &str, file: &str| {
        json_lines(&["replay", "--store", store, "--inventory", &inventory, "-o", "json", file]);
        json_lines(&["exposure", "--store", store, "-o", "json"])
    };
    let straight = exposure(&place.path("straight"), &recording(name));
    assert!(!straight.is_empty());
    for seed in seeds {
        let mut random = Random::new(seed);
        let mut lines: Vec<Value> = corpus.messages.iter().map(|message| message.line.clone()).collect();
        for _ in 0..lines.len() / 4 {
            let again = lines[random.below(lines.len() as u64) as usize].clone();
            lines.push(again);
        }
        random.shuffle(&mut lines);
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let file = place.write(&format!("{seed}.jsonl"), text);
        let shuffled = exposure(&place.path(&format!("store-{seed}")), &file);
        assert_eq!(shuffled, straight, "{name} in the order of seed {seed}");
    }
}

#[test]
fn dev_2026() {
    check("dev-2026", 1..4);
}

#[test]
fn dev_race() {
    check("dev-race", 1..6);
}

#[test]
fn dev_zed() {
    check("dev-zed", 1..4);
}
