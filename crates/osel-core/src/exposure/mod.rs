//! What a cloud exposes: functions over a [`View`](crate::model::View), never methods on live maps.
//!
//! [`rows`] lists every ingress permission of every address, [`rows_in_order`] without holding all of them; [`judge`] says which rows of an event's delta
//! change anything; [`SourceFilter`] answers "from where", [`reach`] whether a packet would get there. It
//! must not change the model.

mod coverage;
mod from;
mod judge;
#[cfg(test)]
mod judge_tests;
mod not_modelled;
mod ordered;
mod question_keys;
mod reach;
mod reach_document;
mod sensitive;

pub use coverage::covered;
pub use from::{SourceFilter, is_public, public_address};
pub use judge::{Judged, JudgedRow, judge, judge_parts};
pub use not_modelled::{GENERAL, NotModelled};
pub use ordered::rows_in_order;
pub use reach::{CandidateVerdict, Hop, Question, Reason, Verdict, reach, reach_any};
pub use reach_document::{QuestionError, VerdictDocument, read_question};
pub use sensitive::SENSITIVE_PORTS;

use crate::model::{Row, View, sort_rows};

/// Every row of a cloud, in the order of contract §4.
pub fn rows(view: &impl View) -> Vec<Row> {
    let mut rows = Vec::new();
    for slot in view.ports() {
        view.rows_of(slot, &mut rows);
    }
    sort_rows(&mut rows);
    rows
}
