//! Finding records: by the index where it knows them, by reading them where it does not.

use std::ops::{ControlFlow, RangeInclusive};
use std::path::PathBuf;

use osel_core::engine::record::{Record, sentence};
use osel_core::search::{BLOCK_RECORDS, Bits, Malformed, Pages, Query, TermRange, block_of, candidates};

use super::super::record::{check_record, read_record};
use super::build::present;
use crate::store::{JournalError, Place, Reader, Segment, StoredRecord};

/// How many records are read at once: what one needs besides may have to be asked of the same store before the next.
const PAGE: u64 = 1000;
/// How often a segment is asked under which records lose something meanwhile, before its records are read one by one.
const ASKED_MAX: usize = 3;

/// Which records of what is asked for are wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The first and the last that may be one: records that there are.
    pub records: RangeInclusive<u64>,
    /// The latest come first.
    pub latest_first: bool,
}

/// How many records of a range the index does not know: whoever searches reads them one by one.
///
/// # Errors
/// When the store cannot be read.
pub fn unindexed(reader: &mut dyn Reader, records: &RangeInclusive<u64>) -> Result<u64, JournalError> {
    let segments = present(reader)?;
    let unknown = stretches(&segments, records).into_iter().filter(|stretch| stretch.segment.is_none());
    Ok(unknown.map(|stretch| stretch.records.end() - stretch.records.start() + 1).sum())
}

/// How records were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Records that the index does not know, and that were read one by one.
    pub unindexed: u64,
    /// Records that the index named.
    pub named: u64,
    /// A part of the index is damaged and was not used.
    pub is_index_damaged: bool,
}

/// Why a search ended.
#[derive(Debug, thiserror::Error)]
pub enum SearchError<E: std::error::Error + 'static> {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] JournalError),
    /// A record makes no sense.
    #[error("record {0} is damaged: run `osel audit verify`")]
    Damaged(u64),
    /// A record is not what it was when it was written.
    #[error("record {0} is not as it was written ({1}): run `osel audit verify`")]
    Altered(u64, String),
    /// A record is not there: no retention takes one as a whole.
    #[error("record {0} is missing: run `osel audit verify`")]
    Missing(u64),
    /// Whoever was given the records could not take one.
    #[error("what was found cannot be handed on")]
    Taker(#[source] E),
}

/// A record that is what is looked for, with the reader that it was read by.
pub type Found<'a, E> =
    &'a mut dyn FnMut(&mut dyn Reader, &StoredRecord, Record) -> Result<ControlFlow<()>, E>;

/// Gives the records that a question is about in their order. `list_rows` is asked for rows that a record does not list itself, where the
/// question is about them.
///
/// # Errors
/// When the store cannot be read, a record is damaged, or `found` says so.
pub fn look<E: std::error::Error>(
    reader: &mut dyn Reader,
    query: &Query,
    wanted: &Wanted,
    list_rows: &mut dyn FnMut(&mut dyn Reader, &mut Record),
    found: Found<'_, E>,
) -> Result<Looked, SearchError<E>> {
    let mut looked = Looked::default();
    let segments = match present(reader) {
        // The trail must be readable without what is derived from it.
        Err(error) if is_of_index(&error) => {
            looked.is_index_damaged = true;
            Vec::new()
        }
        segments => segments?,
    };
    let mut stretches = stretches(&segments, &wanted.records);
    if wanted.latest_first {
        stretches.reverse();
    }
    let mut search = Search { query, wanted, list_rows, found };
    for stretch in stretches {
        let named = match stretch.segment {
            None => None,
            Some(segment) => match named(reader, query, segment) {
                Err(error) if is_of_index(&error) => {
                    looked.is_index_damaged = true;
                    None
                }
                named => named?,
            },
        };
        let flow = match named {
            Some(named) => search.named(reader, &stretch.records, &named, &mut looked)?,
            None => {
                if stretch.segment.is_none() || looked.is_index_damaged {
                    looked.unindexed += stretch.records.end() - stretch.records.start() + 1;
                }
                search.all(reader, &stretch.records)?
            }
        };
        if flow.is_break() {
            break;
        }
    }
    Ok(looked)
}

/// Records that follow each other, which a segment of the index knows or none.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stretch {
    records: RangeInclusive<u64>,
    segment: Option<Segment>,
}

/// All records of a range, by what knows them, in order.
fn stretches(segments: &[Segment], range: &RangeInclusive<u64>) -> Vec<Stretch> {
    let mut found = Vec::new();
    let (mut next, last) = (*range.start(), *range.end());
    for segment in segments {
        if segment.last < next || next > last {
            continue;
        }
        if segment.first > next {
            let end = last.min(segment.first - 1);
            found.push(Stretch { records: next..=end, segment: None });
            next = end + 1;
        }
        if next <= last {
            let end = last.min(segment.last);
            found.push(Stretch { records: next..=end, segment: Some(*segment) });
            next = end + 1;
        }
    }
    if next <= last {
        found.push(Stretch { records: next..=last, segment: None });
    }
    found
}

struct Search<'a, E> {
    query: &'a Query,
    wanted: &'a Wanted,
    list_rows: &'a mut dyn FnMut(&mut dyn Reader, &mut Record),
    found: Found<'a, E>,
}

impl<E: std::error::Error> Search<'_, E> {
    /// Judges the records that the index names.
    fn named(
        &mut self,
        reader: &mut dyn Reader,
        records: &RangeInclusive<u64>,
        named: &Bits,
        looked: &mut Looked,
    ) -> Result<ControlFlow<()>, SearchError<E>> {
        let begin = block_of(*records.start()) * BLOCK_RECORDS;
        let mut numbers = named.iter().map(|place| begin + u64::from(place));
        let mut next = || if self.wanted.latest_first { numbers.next_back() } else { numbers.next() };
        let mut due = Vec::new();
        while let Some(seq) = next() {
            if records.contains(&seq) {
                due.push(seq);
            }
        }
        for seq in due {
            looked.named += 1;
            let stored = reader.record(seq)?.ok_or(SearchError::Missing(seq))?;
            if self.judge(reader, &stored)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Judges all records of a range.
    fn all(
        &mut self,
        reader: &mut dyn Reader,
        records: &RangeInclusive<u64>,
    ) -> Result<ControlFlow<()>, SearchError<E>> {
        let (mut first, mut last) = (*records.start(), *records.end());
        while first <= last {
            let page = match self.wanted.latest_first {
                true => first.max(last.saturating_sub(PAGE - 1))..=last,
                false => first..=last.min(first.saturating_add(PAGE - 1)),
            };
            if self.page(reader, page.clone())?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            match (self.wanted.latest_first, page.start().checked_sub(1), page.end().checked_add(1)) {
                (true, Some(before), _) => last = before,
                (false, _, Some(behind)) => first = behind,
                _ => break,
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn page(
        &mut self,
        reader: &mut dyn Reader,
        numbers: RangeInclusive<u64>,
    ) -> Result<ControlFlow<()>, SearchError<E>> {
        let (first, last) = (*numbers.start(), *numbers.end());
        let mut page = Vec::new();
        let mut read = reader.records(numbers, &mut |stored| {
            page.push(stored);
            ControlFlow::Continue(())
        });
        let latest_first = self.wanted.latest_first;
        if latest_first {
            // Where one cannot be read, nobody knows what comes behind it.
            std::mem::replace(&mut read, Ok(()))?;
            page.reverse();
        }
        let due = |at: usize| if latest_first { last - at as u64 } else { first + at as u64 };
        // Those that come before one that is damaged or missing are good.
        let good = page.iter().enumerate().take_while(|(at, stored)| stored.seq == due(*at)).count();
        let flow = self.each(reader, &page[..good])?;
        if flow.is_continue() {
            if good == page.len() {
                read?;
            }
            if good as u64 <= last - first {
                return Err(SearchError::Missing(due(good)));
            }
        }
        Ok(flow)
    }

    fn each(
        &mut self,
        reader: &mut dyn Reader,
        page: &[StoredRecord],
    ) -> Result<ControlFlow<()>, SearchError<E>> {
        for stored in page {
            if self.judge(reader, stored)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Gives a record that is what is looked for.
    fn judge(
        &mut self,
        reader: &mut dyn Reader,
        stored: &StoredRecord,
    ) -> Result<ControlFlow<()>, SearchError<E>> {
        let Some(mut record) = read_record(stored) else { return Err(SearchError::Damaged(stored.seq)) };
        if !self.query.matches_beside_rows(&record, || sentence(&record)) {
            return Ok(ControlFlow::Continue(()));
        }
        let mut matches = self.query.matches_rows(&record);
        if !matches && self.query.needs_rows() && !record.wide.is_empty() {
            (self.list_rows)(reader, &mut record);
            matches = self.query.matches_rows(&record);
        }
        if !matches {
            return Ok(ControlFlow::Continue(()));
        }
        check_record(stored, None).map_err(|why| SearchError::Altered(stored.seq, why))?;
        (self.found)(reader, stored, record).map_err(SearchError::Taker)
    }
}

/// What a segment names; none where it was replaced while it was asked, when it may have said nothing, or not all.
fn named(reader: &mut dyn Reader, query: &Query, segment: Segment) -> Result<Option<Bits>, JournalError> {
    for _ in 0..ASKED_MAX {
        let generation = reader.index_generation()?;
        let named = candidates(query, &mut OfSegment { reader: &mut *reader, segment: segment.first })?;
        let Some(named) = named else { return Ok(None) };
        if !is_there(reader, segment) {
            return Ok(None);
        }
        // Else it may have been gone for a while, and made anew.
        if reader.index_generation()? == generation {
            return Ok(Some(named));
        }
    }
    Ok(None)
}

/// Whether a segment still is in the index as it was. One that was made of it and the next begins where it did, and its pages begin at other
/// terms: who has read some of the one and some of the other has passed over terms between them.
pub(super) fn is_there(reader: &mut dyn Reader, segment: Segment) -> bool {
    let mut found = false;
    let read = reader.segments(&mut |other| {
        found = other == segment;
        if other.first < segment.first { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    read.is_ok() && found
}

/// The pages of one segment.
struct OfSegment<'a> {
    reader: &'a mut dyn Reader,
    segment: u64,
}

impl Pages for OfSegment<'_> {
    type Error = JournalError;

    fn pages(
        &mut self,
        class: u8,
        range: &TermRange,
        each: &mut dyn FnMut(&[u8]) -> Result<(), Malformed>,
    ) -> Result<(), JournalError> {
        let mut read = Ok(());
        self.reader.segment_pages(self.segment, class, (&range.from, &range.to), &mut |page| {
            read = each(&page);
            if read.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        read.map_err(damaged)
    }
}

/// That a page of the index makes no sense.
pub(super) fn damaged(malformed: Malformed) -> JournalError {
    JournalError::Damaged { path: PathBuf::new(), place: Place::Index, source: malformed.into() }
}

fn is_of_index(error: &JournalError) -> bool {
    error.place() == Some(Place::Index) && matches!(error, JournalError::Damaged { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_in_one_stretch() {
        let segments =
            [(1, 10), (11, 20), (31, 40)].map(|(first, last)| Segment { first, last, form: 1, bytes: 0 });
        let check = |range: RangeInclusive<u64>, wanted: &[(u64, u64, Option<u64>)]| {
            let wanted: Vec<Stretch> = wanted
                .iter()
                .map(|(first, last, segment)| Stretch {
                    records: *first..=*last,
                    segment: segments.iter().find(|known| Some(known.first) == *segment).copied(),
                })
                .collect();
            assert_eq!(stretches(&segments, &range), wanted);
        };
        check(
            1..=50,
            &[(1, 10, Some(1)), (11, 20, Some(11)), (21, 30, None), (31, 40, Some(31)), (41, 50, None)],
        );
        check(5..=15, &[(5, 10, Some(1)), (11, 15, Some(11))]);
        check(22..=25, &[(22, 25, None)]);
        check(25..=31, &[(25, 30, None), (31, 31, Some(31))]);
        check(45..=50, &[(45, 50, None)]);
    }
}
