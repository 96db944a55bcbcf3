//! The rows that records lead to: what every record opened is added, what it closed is taken away.
//!
//! A fold that ends in other rows than the model has means that some record did not say what it changed.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use osel_core::engine::record::{RecordBody, RowDocument};
use osel_core::model::Row;
use serde_json::Value;

use super::failure::{Failure, ensure, same};

/// The name of the check.
const CHECK: &str = "records lead to the rows";

/// Rows by what makes them the same exposure, with how often each is there.
#[derive(Clone, Debug, Default)]
pub(super) struct Fold {
    rows: BTreeMap<Exposure, u32>,
}

#[derive(Clone, Debug)]
struct Exposure(Row);

impl PartialEq for Exposure {
    fn eq(&self, other: &Self) -> bool {
        self.0.same_exposure(&other.0)
    }
}

impl Eq for Exposure {}

impl PartialOrd for Exposure {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Exposure {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp_exposure(&other.0)
    }
}

impl Fold {
    /// Starts from these rows.
    pub(super) fn of(rows: Vec<Row>) -> Self {
        let mut fold = Self::default();
        for row in rows {
            *fold.rows.entry(Exposure(row)).or_default() += 1;
        }
        fold
    }

    /// Takes what a record says.
    pub(super) fn take(&mut self, record: &RecordBody) -> Result<(), Failure> {
        for closed in &record.exposure.closed {
            let key = Exposure(closed.row.clone());
            let count = self.rows.get_mut(&key);
            ensure(count.is_some(), CHECK, || {
                format!("closed what was not open: {} by {record:?}", shown(&closed.row))
            })?;
            if let Some(count) = count {
                *count -= 1;
                if *count == 0 {
                    self.rows.remove(&key);
                }
            }
        }
        for opened in &record.exposure.opened {
            let count = self.rows.entry(Exposure(opened.row.clone())).or_default();
            *count += 1;
            ensure(*count == 1, CHECK, || format!("opened twice: {} by {record:?}", shown(&opened.row)))?;
        }
        Ok(())
    }

    /// Fails when these are not the rows.
    pub(super) fn is(&self, rows: Vec<Row>) -> Result<(), Failure> {
        let other = Self::of(rows);
        if self.rows.len() == other.rows.len() && self.rows.iter().eq(other.rows.iter()) {
            return Ok(());
        }
        same(CHECK, self.documents(), other.documents())
    }

    fn documents(&self) -> Vec<Value> {
        self.rows
            .iter()
            .map(|(row, count)| {
                let mut shown = shown(&row.0);
                shown["count"] = (*count).into();
                shown
            })
            .collect()
    }
}

/// A row as people and programs see it.
pub(super) fn shown(row: &Row) -> Value {
    serde_json::to_value(RowDocument::from(row)).unwrap_or_default()
}
