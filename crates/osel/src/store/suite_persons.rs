//! The part of the conformance suite that is about persons: their parts come back as they were, and go for good.

use std::time::Duration;

use super::data::*;
use super::erasure::{Eraser, ErasureRow, NewErasure, Rewritten};
use super::error::JournalError;
use super::index::Segment;
use super::journal::{Journal, Reader};
use super::new_records::NewRecords;
use super::persons::Chance;
use super::suite::{collect, commit, entry, reader, record, seconds};
use super::suite_index::{said, segment, term};

/// The class of parts about persons.
const PERSONAL: u8 = 2;
/// The kind of the records here.
const KIND: u8 = 1;

/// Runs this part of the suite.
pub(super) fn suite(make: &mut dyn FnMut() -> Box<dyn Journal>) {
    parts_of_persons_come_back(&mut *make());
    an_erased_person_is_gone_at_once_and_the_rest_follows(&mut *make());
    an_erasure_goes_on_where_it_was(&mut *make());
    who_comes_back_is_not_erased(&mut *make());
    states_from_before_lose_the_person(&mut *make());
    terms_of_an_erased_person_go(&mut *make());
    no_reader_uses_a_key_that_was_destroyed(&mut *make());
    keys_go_behind_what_they_sealed(&mut *make());
}

/// Numbers for keys: the sixteen lowest bits and the sign are the store's.
pub(super) fn chance(numbers: &'static [u64]) -> Chance {
    let mut numbers = numbers.iter();
    Box::new(move || Ok(numbers.next().expect("no more are drawn") << 32))
}

/// What [`numbers_are_given_once`] draws.
pub(super) const DRAWN: &[u64] = &[5, 5, 6, 5, 6, 7];

/// To a store that draws [`DRAWN`].
pub(super) fn numbers_are_given_once(journal: &mut dyn Journal) {
    // 5, and 6 for the second, within one batch.
    add_about(journal, &[&["mallory", "trent"]], None);
    // 5 was destroyed, and 6 is there.
    add_about(journal, &[&["trent"]], Some("mallory"));
    erase_all(journal);
    add_about(journal, &[&["eve"]], None);
    let mut reader = reader(journal);
    let left = without(about(1, &["mallory", "trent"]), "mallory", true);
    assert_eq!(collect(|each| reader.records(ALL, each)), [left, about(2, &["trent"]), about(3, &["eve"])]);
    assert_eq!(persons(&mut *reader), ["user:eve", "user:trent"]);
}

/// Numbers that never change are no chance; the store says so instead of looking for ever.
pub(super) fn numbers_that_repeat_are_no_chance(journal: &mut dyn Journal) {
    add_about(journal, &[&["mallory"]], None);
    let error = commit(journal, &[naming(2, &[])], &[about(2, &["trent"])]).unwrap_err();
    assert!(
        matches!(&error, JournalError::Io { source, .. } if source.to_string().contains("repeat")),
        "{error:?}"
    );
}

/// A record with parts about two persons, who are named in its message.
pub(super) fn about(seq: u64, persons: &[&str]) -> StoredRecord {
    let part = |person: &&str| StoredPart {
        class: PERSONAL,
        project: Some("aster".into()),
        whose: Whose::Person(format!("user:{person}")),
        salt: [seq as u8 | 1; 16],
        content: PartContent::Bytes(format!("{{\"user_name\":\"{person}\"}}").into_bytes()),
    };
    let mut record = record(seq);
    record.parts.splice(1..3, persons.iter().map(part));
    record
}

/// The message of such a record.
pub(super) fn naming(number: u64, persons: &[&str]) -> Entry {
    Entry { body: format!("{{\"names\":\"{}\"}}", persons.join(" ")).into_bytes(), ..entry(number) }
}

/// Adds records about these persons, and who is erased with the last of them.
pub(super) fn add_about(journal: &mut dyn Journal, all: &[&[&str]], erased: Option<&str>) -> Head {
    let (head, epoch) = (journal.head(), journal.info().epoch);
    let numbered = || (head.seq + 1..).zip(all);
    let entries: Vec<_> = numbered().map(|(number, persons)| naming(number, persons)).collect();
    let records: Vec<_> = numbered().map(|(seq, persons)| about(seq, persons)).collect();
    let erasure = erased.map(|person| NewErasure {
        seq: head.seq + all.len() as u64,
        persons: vec![format!("user:{person}"), "name:unheard".to_owned()],
        subject: person.as_bytes().to_vec(),
    });
    let commit = Commit {
        entries: &entries,
        records: &NewRecords::of(&records),
        erasure: erasure.as_ref(),
        ..Commit::empty(epoch, head)
    };
    journal.commit(&commit).unwrap()
}

/// Replaces the subject wherever it stands.
pub(super) struct Blank;

impl Eraser for Blank {
    fn is_about(&self, subject: &[u8], record: &StoredRecord) -> bool {
        record.parts.iter().any(|part| match (&part.content, &part.whose) {
            (PartContent::Bytes(bytes), Whose::Nobody) => memchr::memmem::find(bytes, subject).is_some(),
            _ => false,
        })
    }

    fn rewrite(&self, subject: &[u8], entry: &Entry) -> Rewritten {
        let body = String::from_utf8(entry.body.clone()).unwrap();
        let subject = std::str::from_utf8(subject).unwrap();
        match body.contains(subject) {
            false => Rewritten::AsItWas,
            true => Rewritten::Body(body.replace(subject, "somebody who is not named").into_bytes()),
        }
    }

    fn rewrite_state(&self, subject: &[u8], chunk: &[u8], is_first: bool) -> Rewritten {
        if chunk == b"of no form" {
            return Rewritten::Unreadable;
        }
        assert_eq!(is_first, chunk.starts_with(b"1"), "{chunk:?}");
        let whole = Entry { body: chunk.to_vec(), ..entry(1) };
        self.rewrite(subject, &whole)
    }

    fn class(&self) -> u8 {
        PERSONAL
    }

    fn gone(&self, done: &Expiry) -> u64 {
        done.limit(PERSONAL, KIND)
    }
}

fn erase_all(journal: &mut dyn Journal) {
    while journal.erase_persons(Duration::ZERO, &Blank).unwrap() {}
}

fn persons(reader: &mut dyn Reader) -> Vec<String> {
    collect(|each| reader.persons(each))
}

/// Without the parts of a person, and without the message that named them.
fn without(mut record: StoredRecord, person: &str, message: bool) -> StoredRecord {
    for part in &mut record.parts {
        let is_theirs = part.whose == Whose::Person(format!("user:{person}"));
        if is_theirs || (message && part.content == PartContent::InEntry) {
            (part.content, part.salt, part.whose) = (PartContent::Gone, [0; 16], Whose::Nobody);
        }
    }
    record
}

/// Without what the parts of a person say: they are there, and no key is.
fn locked(mut record: StoredRecord, person: &str) -> StoredRecord {
    for part in record.parts.iter_mut().filter(|part| part.whose == Whose::Person(format!("user:{person}"))) {
        (part.content, part.salt, part.whose) = (PartContent::Gone, [0; 16], Whose::Locked);
    }
    record
}

fn parts_of_persons_come_back(journal: &mut dyn Journal) {
    add_about(journal, &[&["mallory", "trent"], &["trent"]], None);
    add_about(journal, &[&["mallory"]], None);
    let mut reader = reader(journal);
    let wanted = [about(1, &["mallory", "trent"]), about(2, &["trent"]), about(3, &["mallory"])];
    assert_eq!(collect(|each| reader.records(ALL, each)), wanted);
    assert_eq!(reader.record(1).unwrap().as_ref(), Some(&wanted[0]));
    assert_eq!(persons(&mut *reader), ["user:mallory", "user:trent"]);
    assert_eq!(reader.erasures().unwrap(), []);
    assert_eq!(journal.erase_part(1, PERSONAL, Some("aster")).unwrap(), 2);
    let left = without(without(wanted[0].clone(), "mallory", false), "trent", false);
    assert_eq!(reader.record(1).unwrap().unwrap(), left);
}

fn an_erased_person_is_gone_at_once_and_the_rest_follows(journal: &mut dyn Journal) {
    let all: [&[&str]; 4] = [&["mallory", "trent"], &["trent"], &["mallory"], &[]];
    add_about(journal, &all[..3], None);
    // As an older version left them.
    let mut plain = record(4);
    plain.parts[1].content = PartContent::Bytes(b"mallory".to_vec());
    commit(journal, &[naming(4, &[])], std::slice::from_ref(&plain)).unwrap();
    let generation = reader(journal).index_generation().unwrap();
    let end = add_about(journal, &[&["trent"]], Some("mallory"));

    let mut reader = reader(journal);
    assert_ne!(reader.index_generation().unwrap(), generation, "nothing is indexed of what was read before");
    let at_once = reader.record(3).unwrap().unwrap();
    assert_eq!(at_once, locked(about(3, &["mallory"]), "mallory"));
    assert_eq!(persons(&mut *reader), ["user:trent"]);
    assert!(!reader.erasures().unwrap()[0].is_done);

    erase_all(journal);
    assert!(!journal.erase_persons(Duration::from_secs(9), &Blank).unwrap());
    let mut plain_left = plain;
    for part in plain_left.parts.iter_mut().filter(|part| part.class == PERSONAL) {
        (part.content, part.salt) = (PartContent::Gone, [0; 16]);
    }
    let wanted = [
        without(about(1, all[0]), "mallory", true),
        about(2, all[1]),
        without(about(3, all[2]), "mallory", true),
        plain_left,
        about(5, &["trent"]),
    ];
    assert_eq!(collect(|each| reader.records(ALL, each)), wanted);
    let bodies = collect(|each| reader.entries(ALL, each)).into_iter().map(|entry| entry.body);
    let bodies: Vec<String> = bodies.map(|body| String::from_utf8(body).unwrap()).collect();
    assert_eq!(bodies[0], "{\"names\":\"somebody who is not named trent\"}");
    assert_eq!(bodies[1], "{\"names\":\"trent\"}");
    assert!(bodies.iter().all(|body| !body.contains("mallory")), "{bodies:?}");
    let told = ErasureRow {
        seq: 5,
        until: (5, end.entry),
        is_done: true,
        keys: 1,
        records: 3,
        parts: 4,
        first_seq: 1,
        last_seq: 4,
        messages: 2,
        unreadable: 0,
        states: 0,
        checkpoint: Some(0),
    };
    assert_eq!(reader.erasures().unwrap(), [told]);
}

fn an_erasure_goes_on_where_it_was(journal: &mut dyn Journal) {
    let all: Vec<&[&str]> = (0..2100).map(|_| &["mallory"][..]).collect();
    add_about(journal, &all[..700], None);
    add_about(journal, &all[700..], Some("mallory"));
    let mut steps = 0;
    while journal.erase_persons(Duration::ZERO, &Blank).unwrap() {
        journal.reopen().unwrap();
        steps += 1;
    }
    assert!(steps >= 5, "{steps}");
    let told = reader(journal).erasures().unwrap();
    assert_eq!((told[0].records, told[0].messages, told[0].is_done), (2100, 2100, true));
}

fn who_comes_back_is_not_erased(journal: &mut dyn Journal) {
    add_about(journal, &[&["mallory"]], Some("mallory"));
    add_about(journal, &[&["mallory"]], None);
    erase_all(journal);
    let mut reader = reader(journal);
    let wanted = [without(about(1, &["mallory"]), "mallory", true), about(2, &["mallory"])];
    assert_eq!(collect(|each| reader.records(ALL, each)), wanted);
    assert_eq!(persons(&mut *reader), ["user:mallory"]);
    // And may be erased again.
    add_about(journal, &[&["trent"]], Some("mallory"));
    erase_all(journal);
    assert_eq!(reader.record(2).unwrap().unwrap(), without(about(2, &["mallory"]), "mallory", true));
    let seqs = reader.erasures().unwrap().iter().map(|row| (row.seq, row.records)).collect::<Vec<_>>();
    assert_eq!(seqs, [(1, 1), (3, 1)]);
}

fn no_reader_uses_a_key_that_was_destroyed(journal: &mut dyn Journal) {
    add_about(journal, &[&["mallory", "trent"]], None);
    let mut readers = [reader(journal), journal.reader().unwrap()];
    let wanted = about(1, &["mallory", "trent"]);
    for reader in &mut readers {
        assert_eq!(reader.record(1).unwrap().unwrap(), wanted);
    }
    add_about(journal, &[&["trent"]], Some("mallory"));
    let left = locked(wanted, "mallory");
    for reader in &mut readers {
        assert_eq!(reader.record(1).unwrap().unwrap(), left);
        assert_eq!(collect(|each| reader.records(1..=1, each)), std::slice::from_ref(&left));
    }
    // Who is erased next is forgotten as well.
    add_about(journal, &[&["eve"]], Some("trent"));
    for reader in &mut readers {
        assert_eq!(reader.record(1).unwrap().unwrap(), locked(left.clone(), "trent"));
    }
}

/// Adds a record about these persons, in that week.
pub(super) fn add_in_week(journal: &mut dyn Journal, week: i64, persons: &[&str]) -> StoredRecord {
    let head = journal.head();
    let at = seconds(1).plus_seconds(week * 7 * 86_400);
    let record = StoredRecord { as_of: at, ..about(head.seq + 1, persons) };
    commit(journal, &[naming(head.entry + 1, &[])], std::slice::from_ref(&record)).unwrap();
    record
}

/// Says that the parts about persons may go up to that record.
pub(super) fn let_go(journal: &mut dyn Journal, seq: u64) {
    let expiry = Expiry { parts: [(PERSONAL, seq)].into(), ..Expiry::default() };
    let (head, epoch) = (journal.head(), journal.info().epoch);
    journal.commit(&Commit { expiry: Some(&expiry), ..Commit::empty(epoch, head) }).unwrap();
    assert!(!journal.drop_keys(&Blank).unwrap(), "nothing has gone yet");
}

/// Lets go of what may go, and then of the keys of weeks that have nothing left.
pub(super) fn drop_all(journal: &mut dyn Journal) {
    while journal.expire(Duration::ZERO).unwrap() {}
    while journal.drop_keys(&Blank).unwrap() {}
}

fn keys_go_behind_what_they_sealed(journal: &mut dyn Journal) {
    // As many as no step takes at once have tried a name once; one comes back.
    let names: Vec<String> = (0..1500).map(|number| format!("tried{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for names in names.chunks(500) {
        add_in_week(journal, 0, names);
    }
    let kept = add_in_week(journal, 0, &["ada"]);
    let back = add_in_week(journal, 1, &["ada", "tried7"]);
    let last = add_in_week(journal, 2, &["ada"]);
    let mut reader = reader(journal);
    assert_eq!(persons(&mut *reader).len(), 1501, "somebody of two weeks is one person");
    let_go(journal, 3);
    drop_all(journal);
    assert_eq!(persons(&mut *reader).len(), 1501, "something of that week is left");
    assert_eq!(reader.record(4).unwrap().unwrap(), kept);
    let_go(journal, 5);
    drop_all(journal);
    assert_eq!(persons(&mut *reader), ["user:ada", "user:tried7"], "the second week may have more");
    let_go(journal, 6);
    drop_all(journal);
    assert_eq!(persons(&mut *reader), ["user:ada"]);
    // A key of the week that is there is used, and one of an earlier week is no longer.
    let next = add_in_week(journal, 2, &["ada", "eve"]);
    assert_eq!(collect(|each| reader.records(7..=7, each)), [next]);
    let gone =
        |record: StoredRecord| ["ada", "tried7"].iter().fold(record, |left, name| without(left, name, false));
    let read = collect(|each| reader.records(4..=6, each));
    let read: Vec<_> = read.into_iter().map(|record| record.parts).collect();
    assert_eq!(read, [kept, back, last].map(|record| gone(record).parts));
    assert_eq!(persons(&mut *reader), ["user:ada", "user:eve"]);
}

fn snapshot(journal: &mut dyn Journal, chunks: &[&str]) -> u64 {
    let head = journal.head();
    let id = journal.begin_snapshot(head.seq, head.entry, seconds(1)).unwrap();
    for chunk in chunks {
        journal.add_snapshot_chunk(id, chunk.as_bytes()).unwrap();
    }
    id
}

fn states_from_before_lose_the_person(journal: &mut dyn Journal) {
    let state = |reader: &mut dyn Reader, id: u64| -> Vec<String> {
        let mut chunks = Vec::new();
        let each = &mut |chunk: Vec<u8>| {
            chunks.push(String::from_utf8(chunk).unwrap());
            std::ops::ControlFlow::Continue(())
        };
        reader.snapshot(id, each).unwrap();
        chunks
    };
    let complete = |journal: &mut dyn Journal, chunks: &[&str]| {
        let id = snapshot(journal, chunks);
        journal.complete_snapshot(id).unwrap();
        id
    };
    let mut many = vec!["1 trent"];
    many.extend(["2 mallory", "3", "4", "5", "6", "7", "8 mallory"]);
    add_about(journal, &[&["mallory"]], None);
    let checkpoint = complete(journal, &["1 mallory"]);
    let head = journal.head();
    let stands = Checkpoint { snapshot: checkpoint, seq: head.seq, entry: head.entry };
    let expiry = Expiry { checkpoint: stands, ..Expiry::default() };
    let commit = Commit { expiry: Some(&expiry), ..Commit::empty(journal.info().epoch, head) };
    journal.commit(&commit).unwrap();
    let days = [complete(journal, &many), complete(journal, &["1 trent", "2"])];
    let unreadable = complete(journal, &["1 mallory", "of no form", "3"]);
    // A crash left one unfinished.
    snapshot(journal, &["1 mallory"]);
    journal.reopen().unwrap();
    add_about(journal, &[&["trent"]], Some("mallory"));
    let later = snapshot(journal, &["1 mallory"]);
    let mut steps = 0;
    while journal.erase_persons(Duration::ZERO, &Blank).unwrap() {
        steps += 1;
    }
    assert!(steps > 6, "{steps}");
    journal.complete_snapshot(later).unwrap();
    let mut reader = reader(journal);
    let left = reader.snapshots().unwrap();
    // Latest first. Each is as large as its chunks are.
    let sizes = left.iter().map(|info| (info.id, info.bytes)).collect::<Vec<_>>();
    let blank = "somebody who is not named";
    let rewritten: Vec<String> = many.iter().map(|chunk| chunk.replace("mallory", blank)).collect();
    let size = rewritten.iter().map(|chunk| chunk.len() as u64).sum();
    assert_eq!(sizes, [(later, 9), (days[1], 8), (days[0], size), (checkpoint, 9)]);
    assert!(left.iter().all(|info| info.id != unreadable));
    assert_eq!(state(&mut *reader, days[0]), rewritten);
    assert_eq!(state(&mut *reader, days[1]), ["1 trent", "2"]);
    assert_eq!(state(&mut *reader, checkpoint), ["1 mallory"], "a record has its digest");
    assert_eq!(state(&mut *reader, later), ["1 mallory"], "it is about somebody who came back");
    let told = &reader.erasures().unwrap()[0];
    assert_eq!((told.states, told.checkpoint), (2, Some(checkpoint)));
}

fn terms_of_an_erased_person_go(journal: &mut dyn Journal) {
    let is_theirs = |seq: u64| seq % 3 == 1;
    let all: Vec<&[&str]> =
        (1..=30).map(|seq| if is_theirs(seq) { &["mallory"][..] } else { &["trent"] }).collect();
    add_about(journal, &all, None);
    // Of some records the index knows nothing.
    let segments = [(1, 9), (12, 20), (21, 27)];
    for (first, last) in segments {
        let new = segment(journal, first, last);
        assert!(journal.put_segment(&new).unwrap());
    }
    let late = segment(journal, 28, 30);
    add_about(journal, &[&["trent"]], Some("mallory"));
    assert!(!journal.put_segment(&late).unwrap(), "it may have been made of what is gone");
    erase_all(journal);
    for (first, last) in segments {
        let left: Vec<(String, u64)> =
            (first..=last).filter(|seq| !is_theirs(*seq)).map(|seq| (term(seq), 1)).collect();
        let all = ("!all".to_owned(), left.len() as u64);
        assert_eq!(said(journal, first, PERSONAL, "!", "~"), [vec![all], left].concat(), "{first}");
        assert_eq!(said(journal, first, 0, "!", "~").len() as u64, last - first + 2, "other classes stay");
    }
}

/// To a store that loses the key of mallory when it is said, as a journal that is restored beside later keys has.
pub(super) fn locked_parts_take_their_segments(journal: &mut dyn Journal, forget: &mut dyn FnMut()) {
    let is_theirs = |seq: u64| matches!(seq, 4 | 13);
    let all: Vec<&[&str]> =
        (1..=20).map(|seq| if is_theirs(seq) { &["mallory", "trent"][..] } else { &["trent"] }).collect();
    add_about(journal, &all, None);
    for (first, last) in [(1, 3), (4, 10), (11, 12), (13, 20)] {
        let new = segment(journal, first, last);
        assert!(journal.put_segment(&new).unwrap());
    }
    forget();
    // Of neither order anybody can tell whether a locked part is about the person. The second waits for the first with its key destroyed, which locks nothing.
    for erased in ["eve", "trent"] {
        add_about(journal, &[&["eve"]], Some(erased));
    }
    erase_all(journal);
    let left: Vec<Segment> = collect(|each| reader(journal).segments(each));
    let left: Vec<_> = left.into_iter().map(|segment| (segment.first, segment.last)).collect();
    assert_eq!(left, [(1, 3), (11, 12)]);
    for first in [4, 13] {
        assert_eq!(said(journal, first, 0, "!", "~"), []);
    }
    let told: Vec<_> = reader(journal).erasures().unwrap().iter().map(|row| row.is_done).collect();
    assert_eq!(told, [true, true]);
}
