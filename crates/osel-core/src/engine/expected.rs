//! What is let be, on the way of an input: when the operator's list is held against open findings, when acknowledgements end, and the
//! records that tell it.
//!
//! The whole list is looked at anew when it is another one, when an entry expires, and when tags change, which is seldom. When rows come
//! or go, what is open at their addresses is, if any entry hangs on a tag: by whom a port is admitted decides whose tags count.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Engine, Output};
use crate::exposure::Judged;
use crate::finding::{Carried, ExpectedList, Finding, FindingId, FindingPlace, Turn};
use crate::model::CloudModel;
use crate::plan::Place;
use crate::time::Timestamp;

/// What carries tags where a finding is.
pub(super) fn carried(clouds: &BTreeMap<Option<Arc<str>>, CloudModel>, finding: &Finding) -> Carried {
    clouds.get(&finding.region).map(|cloud| Carried::of(cloud, finding)).unwrap_or_default()
}

impl Engine {
    /// Tells what is not acknowledged any more since its time has come, what is expected since the list is another one, or since an entry
    /// of it has expired, and what is not any more.
    pub(super) fn review_let_be(&mut self, now: Timestamp, out: &mut Output) {
        // First, so that of what has just come off the list too one record tells.
        let turns = self.findings.lapse(now);
        self.tell_turns(now, None, turns, out);
        self.review(now, None, out);
    }

    /// The same since tags changed with a record.
    pub(super) fn review_retagged(&mut self, now: Timestamp, cause: Option<u64>, out: &mut Output) {
        if self.asks_for_tags() {
            self.findings.expect_anew();
            self.review(now, cause, out);
        }
    }

    /// The same where rows came and went with a record.
    pub(super) fn review_rows(
        &mut self,
        now: Timestamp,
        seq: u64,
        region: Option<&Arc<str>>,
        exposure: &Judged,
        out: &mut Output,
    ) {
        if !self.asks_for_tags() {
            return;
        }
        let rows = exposure.closed.iter().chain(&exposure.opened).map(|judged| &judged.row);
        let places: BTreeSet<FindingPlace> = rows
            .flat_map(|row| {
                let network_id = Place::of(row).network_id;
                self.findings
                    .places_within(region, network_id.as_ref(), row.address)
                    .cloned()
                    .collect::<Vec<_>>()
            })
            .collect();
        let carried = |finding: &Finding| carried(&self.clouds, finding);
        let expected = ExpectedList { entries: &self.options.expected, carried: &carried };
        let turns: Vec<_> =
            places.iter().flat_map(|place| self.findings.review_at(place, now, expected)).collect();
        self.tell_turns(now, Some(seq), turns, out);
    }

    fn review(&mut self, now: Timestamp, cause: Option<u64>, out: &mut Output) {
        let carried = |finding: &Finding| carried(&self.clouds, finding);
        let expected = ExpectedList { entries: &self.options.expected, carried: &carried };
        let turns = self.findings.review(now, expected);
        self.tell_turns(now, cause, turns, out);
    }

    fn tell_turns(
        &mut self,
        now: Timestamp,
        cause: Option<u64>,
        turns: Vec<(FindingId, Turn)>,
        out: &mut Output,
    ) {
        for (id, turn) in turns {
            self.tell_finding(now, cause, &id, &turn, "", out);
        }
    }

    /// Whether anything is open that could hang on a tag.
    fn asks_for_tags(&self) -> bool {
        self.findings.has_open() && self.options.expected.iter().any(|entry| entry.tag.is_some())
    }
}
