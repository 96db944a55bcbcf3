//! Plans in which something is not what it should be, at each place once: they are judged or refused, and nothing else. What a spoiled
//! value opened is never passed over in silence.

use osel::planned::{Artifact, Outcome, Overlay, Report, read_requests, read_terraform, sarif};
use osel_core::ids::Id;
use osel_core::model::CloudModel;
use serde_json::{Value, json};

use super::ground::{PROJECT, cloud_with, now};

/// How many places a value has: itself, and all within it.
fn places(value: &Value) -> usize {
    1 + match value {
        Value::Array(values) => values.iter().map(places).sum(),
        Value::Object(object) => object.values().map(places).sum(),
        _ => 0,
    }
}

/// Puts something else at one place; counts down on the way there.
fn spoil(value: &mut Value, at: &mut usize, with: &Value) {
    if *at == 0 {
        *value = with.clone();
    }
    let Some(next) = at.checked_sub(1) else {
        *at = usize::MAX;
        return;
    };
    *at = next;
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| spoil(value, at, with)),
        Value::Object(object) => object.values_mut().for_each(|value| spoil(value, at, with)),
        _ => {}
    }
}

/// What stands there instead.
fn others() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(""),
        json!("ü[\"].module.x[0].\u{0}"),
        json!("x".repeat(300)),
        json!([null, [], {}]),
        json!({"references": ["module.firewall.group_id", "each.key"], "id": 7}),
    ]
}

/// What an answer says that a pipeline can act on.
#[derive(Debug)]
struct Said {
    new: usize,
    internet: usize,
    doubts: usize,
}

impl Said {
    fn of(outcome: &Outcome) -> Self {
        Self {
            new: outcome.opened.iter().filter(|row| row.is_new()).count(),
            internet: outcome.opened.iter().filter(|row| row.internet).count(),
            doubts: outcome.notes.iter().filter(|note| note.kind.is_doubt()).count(),
        }
    }

    /// Whether this says at least as much, or that something is in doubt.
    fn hides_nothing_of(&self, other: &Self) -> bool {
        self.doubts > other.doubts || self.new >= other.new && self.internet >= other.internet
    }
}

/// Judges a plan, and shows the answer in both forms; says what it said, if it was judged.
fn judged(plan: &Value, cloud: &CloudModel) -> Option<Said> {
    let project = Id::new(PROJECT);
    let planned = match plan.get("resource_changes").is_some() {
        true => read_terraform(plan.to_string().as_bytes(), cloud, Some(&project)),
        false => read_requests(&plan.to_string(), cloud),
    };
    let outcome =
        planned.and_then(|planned| Overlay::new(cloud.clone(), now(), Some(project)).perform(planned));
    match outcome {
        Ok(outcome) => {
            let artifact = Artifact { uri: "plan.json".to_owned() };
            let report = serde_json::to_string(&Report::new(&outcome)).unwrap();
            let log = sarif(&outcome, &artifact, "1", true).to_string();
            assert!(!report.is_empty() && !log.contains("240.0.0"), "{log}");
            Some(Said::of(&outcome))
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

/// Spoils each place of a plan in its turn, with one thing after the other.
fn spoil_all(plan: &Value) -> [usize; 2] {
    let cloud = cloud_with(json!({}));
    let others = others();
    let mut counts = [0, 0];
    for place in 0..places(plan) {
        for turn in 0..2 {
            let mut spoiled = plan.clone();
            spoil(&mut spoiled, &mut place.clone(), &others[(place * 2 + turn) % others.len()]);
            counts[usize::from(judged(&spoiled, &cloud).is_some())] += 1;
        }
    }
    counts
}

#[test]
fn a_plan_that_is_spoiled_anywhere_is_judged_or_refused() {
    let plan: Value = serde_json::from_str(include_str!("web.terraform.json")).unwrap();
    let [refused, judged] = spoil_all(&plan);
    assert!(refused > 300 && judged > 200, "{refused} refused, {judged} judged");
}

/// Each value of what becomes of a resource, in its turn and with each of the other things.
#[test]
fn no_spoiled_value_is_passed_over_in_silence() {
    let plan: Value = serde_json::from_str(include_str!("web.terraform.json")).unwrap();
    let cloud = cloud_with(json!({}));
    let whole = judged(&plan, &cloud).unwrap();
    assert!(whole.new > 0 && whole.internet > 0, "{whole:?}");
    // Of all that is spoiled here, only this still says what its schema means: a port without address, which exposes nothing.
    let meant = ("no_fixed_ip", json!(true));
    let mut silent = Vec::new();
    for (at, change) in plan["resource_changes"].as_array().unwrap().iter().enumerate() {
        for part in ["actions", "after", "after_unknown"] {
            for place in 0..places(&change["change"][part]) {
                for other in others() {
                    let mut spoiled = plan.clone();
                    spoil(&mut spoiled["resource_changes"][at]["change"][part], &mut place.clone(), &other);
                    let after = &spoiled["resource_changes"][at]["change"]["after"];
                    let is_meant = after.get(meant.0) == Some(&meant.1);
                    let said = judged(&spoiled, &cloud).filter(|_| !is_meant);
                    if said.is_some_and(|said| !said.hides_nothing_of(&whole)) {
                        silent.push(format!("{} {part} {place} with {other}", change["address"]));
                    }
                }
            }
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

#[test]
fn requests_that_are_spoiled_anywhere_are_judged_or_refused() {
    let lines = include_str!("requests.jsonl").lines();
    let requests: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let [refused, judged] = spoil_all(&requests.into());
    assert!(refused > 50 && judged > 5, "{refused} refused, {judged} judged");
}
