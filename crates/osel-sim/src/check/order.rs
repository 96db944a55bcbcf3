//! Two orders of the same messages end in the same model.
//!
//! Left out is what may differ for a reason: when deletions were learnt, and what was remembered of objects that were
//! never seen alive.

use osel_core::model::CloudModel;
use serde_json::Value;

use super::failure::{Failure, same};

/// Fails when the objects of two models are not the same, with all their fields and who said them last.
pub(super) fn is_the_same(check: &'static str, one: &CloudModel, other: &CloudModel) -> Result<(), Failure> {
    same(check, objects(one), objects(other))
}

/// As [`is_the_same`], whoever said it: what a read finds as it is known leaves no trace on it, so that it matters which came first.
pub(super) fn says_the_same(
    check: &'static str,
    one: &CloudModel,
    other: &CloudModel,
) -> Result<(), Failure> {
    let said = |cloud: &CloudModel| -> Vec<Value> {
        let mut objects = objects(cloud);
        objects.iter_mut().for_each(forget_stamps);
        objects
    };
    same(check, said(one), said(other))
}

fn forget_stamps(object: &mut Value) {
    for fields in object.as_object_mut().into_iter().flat_map(|kinds| kinds.values_mut()) {
        if let Some(fields) = fields.as_object_mut() {
            fields.remove("stamps");
        }
    }
}

fn objects(cloud: &CloudModel) -> Vec<Value> {
    let lines = cloud.lines().filter(|line| line.subject().is_some());
    lines.map(|line| serde_json::to_value(&line).unwrap_or_default()).collect()
}
