//! Segments become one, and nothing of what went from records comes along.

use std::collections::BTreeMap;
use std::path::PathBuf;

use osel_core::search::{Bits, Page, PageWriter, SEARCH_FORM, kind_term};
use osel_core::time::Timestamp;

use super::build::present;
use super::look::is_there;
use super::merge::merge;
use crate::store::{Commit, Expiry, Head, Journal, NewRecords, NewSegment, NewStore, Store, StoredRecord};

struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn store(name: &str, records: u64) -> (Directory, impl Journal) {
    let path = std::env::temp_dir().join(format!("osel-search-{name}-{}", std::process::id()));
    let directory = Directory(path);
    let new = NewStore { id: [7; 16], created_at: Timestamp::EPOCH };
    let mut journal = Store::create(&directory.0, &new).expect("the directory is new");
    let record = |seq| StoredRecord {
        seq,
        entry: 0,
        kind: 1,
        time: Timestamp::EPOCH,
        as_of: Timestamp::EPOCH,
        canonical: vec![1],
        hash: [seq as u8; 32],
        parts: Vec::new(),
    };
    let records: Vec<_> = (1..=records).map(record).collect();
    let epoch = journal.info().epoch;
    journal
        .commit(&Commit { records: &NewRecords::of(&records), ..Commit::empty(epoch, Head::EMPTY) })
        .expect("they follow");
    (directory, journal)
}

/// Terms that many records have, few, and one, of two classes; without those of class 2 up to `gone`.
fn pages(first: u64, last: u64, gone: u64) -> Vec<Page> {
    let mut terms: BTreeMap<(u8, String), Bits> = BTreeMap::new();
    for seq in first..=last {
        for class in [0, 1, 2].into_iter().filter(|class| *class != 2 || seq > gone) {
            for term in ["all".to_owned(), format!("some{}", seq % 7), format!("{seq:06}{}", "x".repeat(90))]
            {
                terms.entry((class, term)).or_default().insert(seq as u32);
            }
        }
    }
    let mut writer = PageWriter::default();
    for ((class, term), places) in &terms {
        writer.add(*class, term.as_bytes(), places);
    }
    writer.finish()
}

#[test]
fn segments_that_are_merged_are_as_if_made_at_once() {
    let (_directory, mut journal) = store("merge", 900);
    for (first, last) in [(1, 10), (11, 400), (401, 401), (402, 900)] {
        let new = NewSegment { first, last, form: SEARCH_FORM, generation: 0, pages: pages(first, last, 0) };
        assert!(journal.put_segment(&new).expect("it can be written"));
    }
    let mut reader = journal.reader().expect("it is there");
    let segments = present(&mut *reader).expect("they are there");
    assert_eq!(segments.len(), 4);
    for gone in [0, 5, 10, 300, 899, 900] {
        let limits = Expiry { parts: [(2, gone), (0, 900)].into(), ..Expiry::default() };
        let merged = merge(&mut *reader, &segments, 0, &limits).expect("they can be read");
        assert_eq!((merged.first, merged.last), (1, 900));
        assert_eq!(merged.pages, pages(1, 900, gone), "without those up to {gone}");
    }
    let merged = merge(&mut *reader, &segments, 0, &Expiry::default()).expect("they can be read");
    assert!(segments.iter().all(|segment| is_there(&mut *reader, *segment)));
    assert!(journal.put_segment(&merged).expect("it can be written"));
    let now = present(&mut *reader).expect("it is there");
    assert_eq!(now.len(), 1);
    // Whoever was reading the first of them, which began where it begins, does not take it for that one.
    assert!(is_there(&mut *reader, now[0]));
    assert!(segments.iter().all(|segment| !is_there(&mut *reader, *segment)));
}

#[test]
fn what_went_from_one_kind_is_not_merged() {
    let (_directory, mut journal) = store("merge-kinds", 90);
    // Of two kinds by turns; of the one parts go up to a record.
    let pages = |first: u64, last: u64, gone: u64| {
        let mut writer = PageWriter::default();
        for kind in [1, 2] {
            let of_kind = (first..=last).filter(|seq| seq % 2 + 1 == kind);
            writer.add(0, &kind_term(kind as u8), &of_kind.map(|seq| seq as u32).collect());
        }
        let left = (first..=last).filter(|seq| *seq > gone || seq % 2 + 1 != 2);
        writer.add(2, b"all", &left.map(|seq| seq as u32).collect());
        writer.finish()
    };
    for (first, last) in [(1, 40), (41, 90)] {
        let new = NewSegment { first, last, form: SEARCH_FORM, generation: 0, pages: pages(first, last, 0) };
        assert!(journal.put_segment(&new).expect("it can be written"));
    }
    let mut reader = journal.reader().expect("it is there");
    let segments = present(&mut *reader).expect("they are there");
    for gone in [0, 1, 40, 57, 90] {
        let limits = Expiry { kinds: [((2, 2), gone)].into(), ..Expiry::default() };
        let merged = merge(&mut *reader, &segments, 0, &limits).expect("they can be read");
        assert_eq!(merged.pages, pages(1, 90, gone), "without those up to {gone}");
    }
}

#[test]
fn a_segment_of_another_form_counts_as_none() {
    let (_directory, mut journal) = store("form", 9);
    let new = NewSegment { first: 1, last: 9, form: SEARCH_FORM + 1, generation: 0, pages: pages(1, 9, 0) };
    assert!(journal.put_segment(&new).expect("it can be written"));
    let mut reader = journal.reader().expect("it is there");
    assert_eq!(present(&mut *reader).expect("it can be read"), []);
    assert_eq!(super::unindexed(&mut *reader, &(1..=9)).expect("it can be read"), 9);
}
