//! What one record lacks, for whoever looks at it alone: as a walk through the trail would find it, but for what only a whole walk can count.
//!
//! The tables that say what may go are believed as far as records tell it, as they are by [`MissingCheck`](super::MissingCheck). The records that tell are looked
//! for from the latest on, by the search index where there is one: of what goes day after day the last time tells, so that few are read.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ops::ControlFlow;

use osel_core::search::Query;
use osel_core::trail::{PartClass, RecordKind};

use super::account::{Account, Lost};
use super::missing_parts;
use super::told::Told;
use crate::runtime::payloads::Payloads;
use crate::runtime::search::{SearchError, Wanted, look};
use crate::store::{JournalError, Reader, StoredRecord};

/// What a record lacks though no record tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UntoldParts {
    /// The classes of parts that are not there.
    pub classes: Vec<PartClass>,
    /// Whether a part about a person is there without its key.
    pub is_locked: bool,
    /// The damaged, altered or missing record at which the look for those that tell ended: what was written before it may tell of more.
    pub looked_until: Option<u64>,
}

/// What a record lacks though no record tells of it. Of what an erasure took it is not looked at how much, and the checkpoint is not compared with its record:
/// only verification can and does.
///
/// # Errors
/// When the store cannot be read.
pub fn untold_parts(reader: &mut dyn Reader, record: &StoredRecord) -> Result<UntoldParts, JournalError> {
    let missing = missing_parts(reader, &mut Payloads::default(), record)?;
    let missing: Vec<Lost> = missing.iter().filter_map(|&place| Lost::of(record, place)).collect();
    if missing.is_empty() {
        return Ok(UntoldParts::default());
    }
    let mut said = Account::default();
    // Before the last record is known: whatever they say by then, it or an earlier one tells.
    said.refresh(reader)?;
    let last = reader.head()?.seq;
    let (told, looked_until) = told(reader, &said, &missing, record.seq, last)?;
    let mut account = said.strict(told, last);
    let mut untold = UntoldParts { looked_until, ..UntoldParts::default() };
    for lost in missing {
        let before = account.untold();
        account.add(lost);
        account.settle(reader)?;
        untold.is_locked |= account.untold().locked > before.locked;
        if account.untold().parts > before.parts
            && let Some(class) = PartClass::from_code(lost.class)
            && !untold.classes.contains(&class)
        {
            untold.classes.push(class);
        }
    }
    Ok(untold)
}

/// What is told of parts of a record by those that follow it, and the record at which the look for them ended too early.
fn told(
    reader: &mut dyn Reader,
    said: &Account,
    missing: &[Lost],
    seq: u64,
    last: u64,
) -> Result<(Told, Option<u64>), JournalError> {
    let mut told = Told::default();
    for row in said.erasures_of(missing) {
        // Another kind tells nothing: nothing is given out as an order by its words alone.
        let order = reader.record(row)?.filter(|record| record.kind == RecordKind::System.code());
        order.iter().for_each(|record| told.see(record));
    }
    // The others are settled by no limit, or by none that has to be told.
    let open: Vec<&Lost> = missing
        .iter()
        .filter(|lost| lost.is_due(said.limits()) && !lost.is_due(&told.of_limits(said.limits())))
        .collect();
    if open.is_empty() || seq == last {
        return Ok((told, None));
    }
    let query = Query { kinds: BTreeSet::from([RecordKind::System]), ..Query::default() };
    let wanted = Wanted { records: seq + 1..=last, latest_first: true };
    let mut found = |_: &mut dyn Reader, stored: &StoredRecord, _| {
        told.see(stored);
        let limits = told.of_limits(said.limits());
        let is_enough = open.iter().all(|lost| lost.is_due(&limits));
        Ok::<_, Infallible>(if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    let looked_until = match look(reader, &query, &wanted, &mut |_, _| {}, &mut found) {
        Ok(_) => None,
        Err(SearchError::Damaged(seq) | SearchError::Missing(seq) | SearchError::Altered(seq, _)) => {
            Some(seq)
        }
        Err(SearchError::Store(error)) => return Err(error),
        Err(SearchError::Taker(never)) => match never {},
    };
    Ok((told, looked_until))
}
