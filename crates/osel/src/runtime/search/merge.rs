//! The segments of a full block as one: fewer pages are read for a term, and what terms have in common is written once.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use osel_core::search::{
    Bits, HEADER_CLASS, PageEntries, PageWriter, SEARCH_FORM, entries, kind_of_term, place_in_block,
};
use osel_core::trail::PartClass;

use super::look::damaged;
use crate::store::{Expiry, JournalError, NewSegment, Reader, Segment};

/// Behind all terms: their first byte is a field's number.
const BEHIND_ALL: &[u8] = &[u8::MAX];

/// Makes one of segments that follow each other in a block, without the terms of parts that may be `gone` up to a record.
///
/// # Errors
/// When they cannot be read.
pub(super) fn merge(
    reader: &mut dyn Reader,
    segments: &[Segment],
    generation: u64,
    gone: &Expiry,
) -> Result<NewSegment, JournalError> {
    let (first, last) = (
        segments.first().map_or(0, |segment| segment.first),
        segments.last().map_or(0, |segment| segment.last),
    );
    let mut writer = PageWriter::default();
    let classes = PartClass::ALL.map(PartClass::code);
    // Which records are of which kind, once the headers were read.
    let mut kinds: BTreeMap<u8, Bits> = BTreeMap::new();
    for class in [HEADER_CLASS].into_iter().chain(classes) {
        let limit = gone.parts.get(&class).copied().filter(|limit| class != HEADER_CLASS && *limit >= first);
        if limit.is_some_and(|limit| limit >= last) {
            continue;
        }
        let gone_of_kinds = of_kinds(gone, class, &kinds, (first, last));
        let mut all = Vec::with_capacity(segments.len());
        for segment in segments {
            let mut pages = Vec::new();
            reader.segment_pages(segment.first, class, (&[], BEHIND_ALL), &mut |page| {
                pages.push(page);
                ControlFlow::Continue(())
            })?;
            all.push(pages);
        }
        let mut heads = Vec::with_capacity(all.len());
        for pages in &all {
            heads.extend(Head::first(pages).map_err(damaged)?);
        }
        while let Some(term) = heads.iter().map(|head| &head.term).min().cloned() {
            let mut places = Bits::new();
            let mut index = 0;
            while let Some(head) = heads.get_mut(index) {
                if head.term == term {
                    places |= &head.places;
                    if !head.advance().map_err(damaged)? {
                        heads.swap_remove(index);
                        continue;
                    }
                }
                index += 1;
            }
            if let Some(limit) = limit {
                places.remove_range(..=u32::from(place_in_block(limit)));
            }
            places -= &gone_of_kinds;
            if let Some(kind) = kind_of_term(&term).filter(|_| class == HEADER_CLASS) {
                kinds.insert(kind, places.clone());
            }
            writer.add(class, &term, &places);
        }
    }
    Ok(NewSegment { first, last, form: SEARCH_FORM, generation, pages: writer.finish() })
}

/// The records that lose their parts of a class because of their kind.
fn of_kinds(gone: &Expiry, class: u8, kinds: &BTreeMap<u8, Bits>, (first, last): (u64, u64)) -> Bits {
    let mut all = Bits::new();
    let limits = gone.kinds.iter().filter(|((of_class, _), limit)| *of_class == class && **limit >= first);
    for ((_, kind), limit) in limits {
        let mut places = kinds.get(kind).cloned().unwrap_or_default();
        if *limit < last {
            places.remove_range(u32::from(place_in_block(*limit)) + 1..);
        }
        all |= places;
    }
    all
}

/// How far a segment's terms have been read.
struct Head<'a> {
    pages: std::slice::Iter<'a, Vec<u8>>,
    entries: PageEntries<'a>,
    term: Vec<u8>,
    places: Bits,
}

impl<'a> Head<'a> {
    /// At the first term; none where there is none.
    fn first(pages: &'a [Vec<u8>]) -> Result<Option<Self>, osel_core::search::Malformed> {
        let mut head =
            Self { pages: pages.iter(), entries: entries(&[]), term: Vec::new(), places: Bits::new() };
        Ok(head.advance()?.then_some(head))
    }

    /// Goes on to the next term; false at the end.
    fn advance(&mut self) -> Result<bool, osel_core::search::Malformed> {
        loop {
            if let Some((term, places)) = self.entries.next_term()? {
                self.term.clear();
                self.term.extend_from_slice(term);
                self.places = places.read()?;
                return Ok(true);
            }
            let Some(page) = self.pages.next() else { return Ok(false) };
            self.entries = entries(page);
        }
    }
}
