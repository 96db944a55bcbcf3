//! What every store must do with the search index: keep it, give it back, and rid it of what goes from records.

use std::time::Duration;

use osel_core::search::{Bits, Page, PageWriter, entries, kind_term};

use super::check::CommitFault;
use super::data::*;
use super::error::JournalError;
use super::index::{NewSegment, Segment};
use super::journal::Journal;
use super::new_records::NewRecords;
use super::suite::{add, collect, entry, reader, record};

const PERSONAL: u8 = 2;

/// Runs the part of the suite that is about the index.
pub(super) fn suite(make: &mut dyn FnMut() -> Box<dyn Journal>) {
    a_segment_comes_back_by_class_and_term(&mut *make());
    a_segment_takes_the_place_of_those_it_overlaps(&mut *make());
    a_segment_of_nothing_is_refused(&mut *make());
    terms_go_with_the_parts_they_come_from(&mut *make());
    terms_go_with_the_parts_of_their_kind(&mut *make());
    terms_of_an_erased_part_go(&mut *make());
    what_was_made_before_something_went_is_not_written(&mut *make());
}

/// Terms `0001`, `0002` and so on, one for each record, and one that all have, of each class.
fn pages(first: u64, last: u64, classes: &[u8]) -> Vec<Page> {
    let mut writer = PageWriter::default();
    for class in classes {
        writer.add(*class, b"!all", &(first as u32..=last as u32).collect());
        for seq in first..=last {
            writer.add(*class, term(seq).as_bytes(), &Bits::from([seq as u32]));
        }
    }
    writer.finish()
}

pub(super) fn term(seq: u64) -> String {
    format!("{seq:04}-{}", "x".repeat(100))
}

pub(super) fn segment(journal: &dyn Journal, first: u64, last: u64) -> NewSegment {
    let generation = reader(journal).index_generation().unwrap();
    NewSegment { first, last, form: 7, generation, pages: pages(first, last, &[0, PERSONAL]) }
}

/// What the index says of a class between two terms, in one line.
pub(super) fn said(
    journal: &dyn Journal,
    segment: u64,
    class: u8,
    from: &str,
    to: &str,
) -> Vec<(String, u64)> {
    let terms = (from.as_bytes(), to.as_bytes());
    let pages = collect(|each| reader(journal).segment_pages(segment, class, terms, each));
    let mut said = Vec::new();
    for page in pages {
        let mut entries = entries(&page);
        while let Some((term, places)) = entries.next_term().unwrap() {
            let term = String::from_utf8(term.to_vec()).unwrap();
            if *from <= *term && *term < *to {
                said.push((term, places.read().unwrap().len()));
            }
        }
    }
    said
}

fn segments(journal: &dyn Journal) -> Vec<(u64, u64, u32)> {
    let all: Vec<Segment> = collect(|each| reader(journal).segments(each));
    all.into_iter().map(|segment| (segment.first, segment.last, segment.form)).collect()
}

fn expire(journal: &mut dyn Journal, class: u8, seq: u64) {
    order(journal, &Expiry { parts: [(class, seq)].into(), ..Expiry::default() });
}

/// Orders it and lets go of it.
fn order(journal: &mut dyn Journal, expiry: &Expiry) {
    let (head, epoch) = (journal.head(), journal.info().epoch);
    let (entries, records) = ([entry(head.entry + 1)], [record(head.seq + 1)]);
    let commit = Commit {
        entries: &entries,
        records: &NewRecords::of(&records),
        expiry: Some(expiry),
        ..Commit::empty(epoch, head)
    };
    journal.commit(&commit).unwrap();
    while journal.expire(Duration::ZERO).unwrap() {}
}

fn a_segment_comes_back_by_class_and_term(journal: &mut dyn Journal) {
    assert_eq!(segments(journal), []);
    add(journal, 900).unwrap();
    let new = segment(journal, 1, 900);
    assert!(new.pages.len() > 8, "{}", new.pages.len());
    assert!(journal.put_segment(&new).unwrap());
    assert_eq!(segments(journal), [(1, 900, 7)]);
    assert_eq!(collect(|each| reader(journal).segments(each))[0].bytes, new.bytes());
    for class in [0, PERSONAL] {
        assert_eq!(said(journal, 1, class, "!", "~").len(), 901);
        assert_eq!(said(journal, 1, class, "!", "0")[..], [("!all".to_owned(), 900)]);
        for seq in [1, 2, 450, 900] {
            let found = said(journal, 1, class, &term(seq), &term(seq + 1));
            assert_eq!(found[..], [(term(seq), 1)]);
        }
        assert_eq!(said(journal, 1, class, "0100", "0200").len(), 100);
        assert_eq!(said(journal, 1, class, "0900-xy", "~"), []);
    }
    assert_eq!(said(journal, 1, 1, "!", "~"), []);
    assert_eq!(said(journal, 2, 0, "!", "~"), []);
    let before = reader(journal).index_generation().unwrap();
    journal.drop_index().unwrap();
    assert!(reader(journal).index_generation().unwrap() > before, "who was reading it can tell");
    assert_eq!((segments(journal), said(journal, 1, 0, "!", "~")), (vec![], vec![]));
}

fn a_segment_takes_the_place_of_those_it_overlaps(journal: &mut dyn Journal) {
    add(journal, 40).unwrap();
    for (first, last) in [(1, 10), (11, 20), (31, 40)] {
        assert!(journal.put_segment(&segment(journal, first, last)).unwrap());
    }
    assert_eq!(segments(journal), [(1, 10, 7), (11, 20, 7), (31, 40, 7)]);
    assert!(journal.put_segment(&segment(journal, 10, 20)).unwrap());
    assert_eq!(segments(journal), [(10, 20, 7), (31, 40, 7)]);
    assert!(journal.put_segment(&segment(journal, 1, 40)).unwrap());
    assert_eq!(segments(journal), [(1, 40, 7)]);
    assert_eq!(said(journal, 1, 0, "!", "~").len(), 41);
    assert_eq!((said(journal, 11, 0, "!", "~"), said(journal, 31, 0, "!", "~")), (vec![], vec![]));
}

fn a_segment_of_nothing_is_refused(journal: &mut dyn Journal) {
    add(journal, 10).unwrap();
    for (first, last) in [(0, 5), (6, 5), (1, 11), (11, 11)] {
        let new = NewSegment { first, last, ..segment(journal, 1, 10) };
        let Err(JournalError::Refused { source, .. }) = journal.put_segment(&new) else {
            panic!("{first} {last}")
        };
        assert_eq!(*source, CommitFault::Segment { first, last });
    }
    assert_eq!(segments(journal), []);
}

fn terms_go_with_the_parts_they_come_from(journal: &mut dyn Journal) {
    add(journal, 600).unwrap();
    for (first, last) in [(1, 200), (201, 400), (401, 600)] {
        assert!(journal.put_segment(&segment(journal, first, last)).unwrap());
    }
    expire(journal, PERSONAL, 300);
    assert_eq!(said(journal, 1, PERSONAL, "!", "~"), []);
    assert_eq!(said(journal, 201, PERSONAL, "!", "0"), [("!all".to_owned(), 100)]);
    assert_eq!(said(journal, 201, PERSONAL, "0", &term(301)), []);
    assert_eq!(said(journal, 201, PERSONAL, &term(301), "~").len(), 100);
    assert_eq!(said(journal, 401, PERSONAL, "!", "~").len(), 201);
    for first in [1, 201, 401] {
        assert_eq!(said(journal, first, 0, "!", "~").len(), 201, "what comes from the header stays");
    }
    expire(journal, PERSONAL, 301);
    assert_eq!(said(journal, 201, PERSONAL, "0", &term(303)), [(term(302), 1)]);
    expire(journal, 4, 600);
    assert_eq!(said(journal, 401, PERSONAL, "!", "~").len(), 201, "another class is another matter");
}

fn terms_go_with_the_parts_of_their_kind(journal: &mut dyn Journal) {
    add(journal, 600).unwrap();
    // Of two kinds by turns, as the pages of headers say.
    for (first, last) in [(1, 300), (301, 600)] {
        let mut new = segment(journal, first, last);
        let mut headers = PageWriter::default();
        for kind in [1, 2] {
            let places = (first..=last).filter(|seq| seq % 2 + 1 == u64::from(kind)).map(|seq| seq as u32);
            headers.add(0, &kind_term(kind), &places.collect());
        }
        new.pages.retain(|page| page.class == PERSONAL);
        new.pages.extend(headers.finish());
        assert!(journal.put_segment(&new).unwrap());
    }
    let before = segment(journal, 1, 300);
    order(journal, &Expiry { kinds: [((PERSONAL, 2), 400)].into(), ..Expiry::default() });
    assert!(!journal.put_segment(&before).unwrap(), "it was made before");
    let left = |journal: &dyn Journal, seq: u64| {
        said(journal, if seq <= 300 { 1 } else { 301 }, PERSONAL, &term(seq), &term(seq + 1)).len()
    };
    for seq in [1, 2, 299, 300, 301, 302, 399, 400, 401, 600] {
        let is_gone = seq % 2 == 1 && seq <= 400;
        assert_eq!(left(journal, seq), usize::from(!is_gone), "{seq}");
    }
    assert_eq!(said(journal, 1, PERSONAL, "!", "0"), [("!all".to_owned(), 150)]);
    assert_eq!(said(journal, 301, PERSONAL, "!", "0"), [("!all".to_owned(), 250)]);
    expire(journal, PERSONAL, 300);
    assert_eq!(said(journal, 1, PERSONAL, "!", "~"), []);
    assert_eq!(left(journal, 302), 1);
}

fn terms_of_an_erased_part_go(journal: &mut dyn Journal) {
    add(journal, 50).unwrap();
    assert!(journal.put_segment(&segment(journal, 1, 50)).unwrap());
    journal.erase_part(7, PERSONAL, None).unwrap();
    assert_eq!(said(journal, 1, PERSONAL, &term(7), &term(8)), []);
    assert_eq!(said(journal, 1, PERSONAL, "!", "~").len(), 50);
    assert_eq!(said(journal, 1, PERSONAL, "!", "0"), [("!all".to_owned(), 49)]);
    assert_eq!(said(journal, 1, 0, "!", "~").len(), 51);
}

fn what_was_made_before_something_went_is_not_written(journal: &mut dyn Journal) {
    add(journal, 50).unwrap();
    let before = segment(journal, 1, 40);
    journal.erase_part(7, PERSONAL, None).unwrap();
    assert!(!journal.put_segment(&before).unwrap());
    assert_eq!(segments(journal), []);
    let before = segment(journal, 1, 40);
    expire(journal, PERSONAL, 9);
    assert!(!journal.put_segment(&before).unwrap());
    assert!(journal.put_segment(&segment(journal, 1, 40)).unwrap());
    assert_eq!(segments(journal), [(1, 40, 7)]);
}
