//! The records of one incident: what a record followed from, what the same requests caused, and all that followed.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ops::ControlFlow;

use anyhow::bail;
use osel_core::search::Query;

use super::chosen::Chosen;
use super::conditions::{say_damaged, say_unindexed};
use super::read::{damaged, missing, record};
use crate::cli::output::Failure;
use crate::runtime::search::{Looked, Wanted, look};
use crate::store::Reader;

/// The most records on the way from one to its root: a finding has three above it. A longer way is none that osel has written.
const WAY_UP_MAX: u64 = 1000;
/// So many records are asked about at once for what followed from them.
const CAUSES_AT_ONCE: usize = 1000;

/// The records of the incident that a record belongs to.
///
/// These are the record, what it followed from up to its root, what was caused by the requests of all of these, and everything that followed
/// from the record or from what those requests caused: scans, findings, drift. What else followed from its root belongs to others.
///
/// # Errors
/// When there is no such record, one is damaged or has too many above it, or the store cannot be read.
pub(super) fn of(reader: &mut dyn Reader, seq: u64, last: u64) -> anyhow::Result<Chosen> {
    if seq == 0 || seq > last {
        let why = format!("--incident: there is no record {seq}: the last one is {last}");
        return Err(Failure::Usage(why).into());
    }
    let mut incident = Incident { last, chosen: Chosen::default(), followed: Chosen::default() };
    let mut requests = BTreeSet::new();
    let mut next = Some(seq);
    while let Some(number) = next {
        let stored = reader.record(number)?.ok_or_else(|| missing(number))?;
        let Some(record) = record(&stored) else { return Err(damaged(number)) };
        incident.chosen.insert(number);
        if incident.chosen.count() > WAY_UP_MAX {
            bail!("record {seq} has more than {WAY_UP_MAX} above it: run `osel audit verify`");
        }
        requests.extend(record.body.request_id.as_ref().map(ToString::to_string));
        // What comes before it only: a damaged one must not lead in a circle.
        next = record.body.cause.filter(|cause| *cause < number);
    }
    say_unindexed(reader, &(seq..=last));
    // Numbers alone are kept, a few bits each: an incident may have as many records as the trail.
    let mut causes = Chosen::default();
    incident.followed.insert(seq);
    causes.insert(seq);
    if !requests.is_empty() {
        let query = Query { requests: requests.into_iter().collect(), ..Query::default() };
        incident.add(reader, &query, 1, &mut causes)?;
    }
    while causes.count() > 0 {
        let mut following = Chosen::default();
        let mut numbers = causes.runs().flatten();
        loop {
            let causes: Vec<u64> = numbers.by_ref().take(CAUSES_AT_ONCE).collect();
            let Some(first) = causes.first().map(|first| first + 1) else { break };
            let query = Query { causes, ..Query::default() };
            incident.add(reader, &query, first, &mut following)?;
        }
        drop(numbers);
        causes = following;
    }
    Ok(incident.chosen)
}

/// What was found of it.
struct Incident {
    last: u64,
    chosen: Chosen,
    /// Those of which it was asked, or is to be, what followed.
    followed: Chosen,
}

impl Incident {
    /// Adds the records that a question is about; those that are new come into `new` besides.
    fn add(
        &mut self,
        reader: &mut dyn Reader,
        query: &Query,
        first: u64,
        new: &mut Chosen,
    ) -> anyhow::Result<()> {
        let wanted = Wanted { records: first..=self.last, latest_first: false };
        let looked: Looked =
            look(reader, query, &wanted, &mut |_, _| {}, &mut |_: &mut dyn Reader, stored, _| {
                self.chosen.insert(stored.seq);
                if self.followed.insert(stored.seq) {
                    new.insert(stored.seq);
                }
                Ok::<_, Infallible>(ControlFlow::Continue(()))
            })?;
        say_damaged(looked);
        Ok(())
    }
}
