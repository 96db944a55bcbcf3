//! The engine's rows against the judge's.
//!
//! As long as the bus has not told everything, rows that hang on what it did not tell are left out, on both sides.

use std::collections::{BTreeMap, BTreeSet};

use osel_core::model::Row;
use serde_json::Value;

use super::failure::{Failure, ensure, same};
use super::fold::shown;
use super::plan::Plan;
use super::script::{Script, texts};
use super::world::World;
use crate::judge;

/// Fails when the rows are not all that the judge finds in the state.
pub(super) fn are_right(
    check: &'static str,
    rows: &[Row],
    state: &Value,
    plan: &Plan,
) -> Result<(), Failure> {
    let found: Vec<Value> = rows.iter().map(shown).collect();
    is_sorted(&found)?;
    same(check, found, judge::rows(state, plan.region))
}

/// As [`are_right`], without the rows that hang on what was never told.
pub(super) fn are_right_where_told(
    check: &'static str,
    rows: &[Row],
    world: &World,
    plan: &Plan,
    untold: &Untold,
) -> Result<usize, Failure> {
    let told =
        |rows: Vec<Value>| -> Vec<Value> { rows.into_iter().filter(|row| !untold.concerns(row)).collect() };
    let found = told(rows.iter().map(shown).collect());
    let count = found.len();
    same(check, found, told(judge::rows(&world.last.state, plan.region)))?;
    Ok(count)
}

/// What the bus did not tell: because it was lost, or because nothing is ever sent of it.
#[derive(Debug, Default)]
pub(super) struct Untold {
    ids: BTreeSet<String>,
    forwardings: bool,
}

impl Untold {
    pub(super) fn of(world: &World, plan: &Plan, script: &Script) -> Self {
        let mut ids = world.silent_groups.clone();
        for message in &script.lost {
            // A lost `.start` says nothing of what is.
            if message.notification["event_type"].as_str().is_some_and(|name| name.ends_with(".start")) {
                continue;
            }
            texts(&message.notification["payload"], &mut |text| {
                ids.insert(text.to_owned());
            });
        }
        // The deletion of a floating IP may tell its id only, and rows show its address only.
        let addresses = floating_addresses(world);
        let more: Vec<String> = ids.iter().filter_map(|id| addresses.get(id)).flatten().cloned().collect();
        ids.extend(more);
        Self { ids, forwardings: plan.cloud.silent }
    }

    fn concerns(&self, row: &Value) -> bool {
        let keys = ["port_id", "network_id", "security_group_id", "rule_id", "address"];
        let sources = ["security_group", "address_group"].map(|key| &row["source"][key]);
        (self.forwardings && row["via"] == "forwarding")
            || keys
                .iter()
                .map(|key| &row[*key])
                .chain(sources)
                .any(|value| value.as_str().is_some_and(|text| self.ids.contains(text)))
    }
}

/// The addresses that each floating IP ever had.
fn floating_addresses(world: &World) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut note = |object: &Value| {
        if let (Some(id), Some(address)) = (object["id"].as_str(), object["floating_ip_address"].as_str()) {
            found.entry(id.to_owned()).or_default().insert(address.to_owned());
        }
    };
    for message in &world.sent {
        note(&message.notification["payload"]["floatingip"]);
    }
    let snapshots = [world.first.as_ref(), world.middle.as_ref(), Some(&world.last)];
    for snapshot in snapshots.into_iter().flatten() {
        snapshot.state["floatingips"].as_array().into_iter().flatten().for_each(&mut note);
    }
    found
}

/// Fails when rows are not in the contract's order.
fn is_sorted(rows: &[Value]) -> Result<(), Failure> {
    let key = |row: &Value| {
        let words = ["address", "via", "port_id", "rule_id"].map(|key| row[key].as_str().map(str::to_owned));
        (words, row["port_min"].as_i64())
    };
    let wrong = rows.windows(2).find(|pair| key(&pair[0]) > key(&pair[1]));
    ensure(wrong.is_none(), "rows are sorted", || format!("{wrong:?}"))
}
