//! The records of one incident: what a record followed from, what the same requests caused, and all that followed.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ops::ControlFlow;

use anyhow::bail;
use osel_core::search::Query;

use super::chosen::Chosen;
use super::conditions::{say_damaged, say_unindexed};
use super::read::{damaged, record};
use crate::runtime::search::{Looked, Wanted, look};
use crate::store::Reader;

/// The most records of one incident: a rule for ten thousand ports, each scanned, found open, and closed again, has fewer. What reaches
/// further is no single incident, and is better chosen by time or project.
pub(super) const RECORDS_MAX: u64 = 100_000;
/// So many records are asked about at once for what followed from them.
const CAUSES_AT_ONCE: usize = 1000;

/// The records of the incident that a record belongs to.
///
/// These are the record, what it followed from up to its root, what was caused by the requests of all of these, and everything that followed
/// from the record or from what those requests caused: scans, findings, drift. What else followed from its root belongs to others.
///
/// # Errors
/// When there is no such record, there are too many, one is damaged, or the store cannot be read.
pub(super) fn of(reader: &mut dyn Reader, seq: u64, last: u64) -> anyhow::Result<Chosen> {
    let mut incident = Incident { last, chosen: Chosen::default(), followed: Chosen::default() };
    let mut requests = BTreeSet::new();
    let mut next = Some(seq);
    while let Some(number) = next {
        let Some(stored) = reader.record(number)? else {
            bail!("there is no record {number}: the last one is {last}");
        };
        let Some(record) = record(&stored) else { return Err(damaged(number)) };
        incident.chosen.insert(number);
        incident.limit()?;
        requests.extend(record.body.request_id.as_ref().map(ToString::to_string));
        // What comes before it only: a damaged one must not lead in a circle.
        next = record.body.cause.filter(|cause| *cause < number);
    }
    say_unindexed(reader, &(seq..=last));
    incident.followed.insert(seq);
    let mut causes = vec![seq];
    if !requests.is_empty() {
        let query = Query { requests: requests.into_iter().collect(), ..Query::default() };
        incident.add(reader, &query, 1, &mut causes)?;
    }
    while !causes.is_empty() {
        let mut following = Vec::new();
        for causes in causes.chunks(CAUSES_AT_ONCE) {
            let first = causes.iter().min().map_or(1, |first| first + 1);
            let query = Query { causes: causes.to_vec(), ..Query::default() };
            incident.add(reader, &query, first, &mut following)?;
        }
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
        new: &mut Vec<u64>,
    ) -> anyhow::Result<()> {
        let wanted = Wanted { records: first..=self.last, latest_first: false };
        let looked: Looked =
            look(reader, query, &wanted, &mut |_, _| {}, &mut |_: &mut dyn Reader, stored, _| {
                self.chosen.insert(stored.seq);
                if self.followed.insert(stored.seq) {
                    new.push(stored.seq);
                }
                let is_enough = self.chosen.count() > RECORDS_MAX;
                Ok::<_, Infallible>(if is_enough {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                })
            })?;
        say_damaged(looked);
        self.limit()
    }

    fn limit(&self) -> anyhow::Result<()> {
        if self.chosen.count() > RECORDS_MAX {
            bail!("more than {RECORDS_MAX} records belong to it: choose by time, project or address");
        }
        Ok(())
    }
}
