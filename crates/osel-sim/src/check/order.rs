//! Two orders of the same messages end in the same model.
//!
//! Left out is what may differ for a reason: when deletions were learnt, and what was remembered of objects that were
//! never seen alive.

use osel_core::model::{CloudModel, StateLine};
use serde_json::Value;

use super::failure::{Failure, same};

/// Fails when the objects of two models are not the same, with all their fields and who said them last.
pub(super) fn is_the_same(check: &'static str, one: &CloudModel, other: &CloudModel) -> Result<(), Failure> {
    same(check, objects(one), objects(other))
}

fn objects(cloud: &CloudModel) -> Vec<Value> {
    let is_object =
        |line: &StateLine| !matches!(line, StateLine::Tombstone { .. } | StateLine::ReadAt { .. });
    let lines = cloud.lines().filter(is_object);
    lines.map(|line| serde_json::to_value(&line).unwrap_or_default()).collect()
}
