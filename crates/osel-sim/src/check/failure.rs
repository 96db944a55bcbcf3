//! What a check says when it fails, and how two lists are told apart.

use std::fmt;

use serde_json::Value;

/// A check that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{check}: {what}")]
pub struct Failure {
    /// Which check.
    pub check: &'static str,
    /// The first difference.
    pub what: String,
}

impl Failure {
    pub(super) fn new(check: &'static str, what: impl fmt::Display) -> Self {
        Self { check, what: what.to_string() }
    }
}

/// Fails when a condition does not hold.
pub(super) fn ensure(holds: bool, check: &'static str, what: impl FnOnce() -> String) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure { check, what: what() }) }
}

/// Fails when two lists are not the same, whatever their order, naming the first that only one of them has.
pub(super) fn same(
    check: &'static str,
    mut found: Vec<Value>,
    mut expected: Vec<Value>,
) -> Result<(), Failure> {
    if found == expected {
        return Ok(());
    }
    found.sort_by_cached_key(Value::to_string);
    expected.sort_by_cached_key(Value::to_string);
    if found == expected {
        return Ok(());
    }
    let missing = only_in(&expected, &found);
    let extra = only_in(&found, &expected);
    let show = |list: &[&Value]| list.first().map_or_else(|| "none".to_owned(), |one| one.to_string());
    Err(Failure::new(
        check,
        format!(
            "{} of {} missing, first: {}\n{} too many, first: {}",
            missing.len(),
            expected.len(),
            show(&missing),
            extra.len(),
            show(&extra)
        ),
    ))
}

/// Those of one list that the other does not have as often.
fn only_in<'a>(list: &'a [Value], other: &[Value]) -> Vec<&'a Value> {
    let count = |list: &[Value], one: &Value| list.iter().filter(|known| *known == one).count();
    list.iter().filter(|one| count(list, one) > count(other, one)).collect()
}
