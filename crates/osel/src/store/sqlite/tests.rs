//! What only the embedded store does: its directory, its lock, its file.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use osel_core::time::Timestamp;
use rusqlite::Connection;

use super::super::data::*;
use super::super::error::{ErrorClass, JournalError, Place};
use super::super::journal::{Journal, Reader};
use super::super::new_records::NewRecords;
use super::super::suite::{add, collect, entry, record, suite};
use super::{Store, directory, schema};

/// A directory that is removed in the end.
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("osel-store-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(super) fn store(&self) -> PathBuf {
        // A name that would mean something in a URI.
        self.0.join("store 1%41?x#ü")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) fn new() -> NewStore {
    NewStore { id: *b"0123456789abcdef", created_at: Timestamp::EPOCH.plus_seconds(7) }
}

fn filled(path: &Path, to: u64) {
    add(&mut Store::create(path, &new()).unwrap(), to).unwrap();
}

#[test]
fn does_what_every_store_must() {
    let directory = Directory::new();
    let mut number = 0;
    suite(&mut || {
        number += 1;
        Box::new(Store::create(&directory.0.join(number.to_string()), &new()).unwrap())
    });
}

#[test]
fn a_store_says_what_it_is_and_counts_its_openings() {
    let directory = Directory::new();
    let path = directory.store();
    assert!(!Store::exists(&path));
    filled(&path, 3);
    assert!(Store::exists(&path));
    let mut journal = Store::open_writer(&path).unwrap();
    let info = StoreInfo {
        id: "30313233343536373839616263646566".to_owned(),
        format: schema::format_known(),
        created_at: Timestamp::EPOCH.plus_seconds(7),
        epoch: 2,
    };
    assert_eq!(*journal.info(), info);
    assert_eq!(journal.head(), Head { seq: 3, hash: [3; 32], entry: 3 });
    add(&mut journal, 4).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&path) & !0o750, 0);
    for file in ["journal.db", "journal.db-wal", "lock"] {
        assert_eq!(mode(&path.join(file)) & !0o640, 0, "{file}");
    }
}

#[test]
fn a_second_writer_is_told_who_has_it_and_readers_are_not_kept_out() {
    let directory = Directory::new();
    let path = directory.store();
    let mut journal = Store::create(&path, &new()).unwrap();
    for result in [Store::open_writer(&path), Store::create(&path, &new())] {
        let error = result.unwrap_err();
        let process = std::process::id();
        assert_eq!(
            error.to_string(),
            format!("the store at `{}` is in use by process {process}", path.display())
        );
        assert_eq!(error.class(), ErrorClass::Config);
    }
    let mut reader = Store::open_reader(&path).unwrap();
    add(&mut journal, 1).unwrap();
    assert_eq!(reader.head().unwrap().seq, 1);
    drop(journal);
    assert_eq!(reader.head().unwrap().seq, 1);
    add(&mut Store::open_writer(&path).unwrap(), 2).unwrap();
    assert_eq!(reader.head().unwrap().seq, 2);
}

#[test]
fn what_is_no_store_is_named_and_left_alone() {
    let directory = Directory::new();
    let text = |result: Result<(), JournalError>| result.unwrap_err().to_string();
    let write = |path: &Path| text(Store::open_writer(path).map(drop));
    let read = |path: &Path| text(Store::open_reader(path).map(drop));
    let create = |path: &Path| text(Store::create(path, &new()).map(drop));

    let path = directory.0.join("missing");
    let shown = path.display();
    assert_eq!(write(&path), format!("there is no store at `{shown}`"));
    assert_eq!(read(&path), format!("there is no store at `{shown}`"));

    let path = directory.0.join("file");
    fs::write(&path, "text").unwrap();
    let shown = path.display();
    for said in [write(&path), read(&path), create(&path)] {
        assert_eq!(said, format!("`{shown}` is no store: a store is a directory"));
    }
    let below = path.join("store");
    let shown = below.display();
    for said in [write(&below), read(&below), create(&below)] {
        assert_eq!(said, format!("`{shown}` is no store: a part of its path is a file"));
    }

    let path = directory.0.join("other");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("letter.txt"), "dear").unwrap();
    let shown = path.display();
    assert_eq!(write(&path), format!("`{shown}` is no store: it has no `journal.db`"));
    assert_eq!(read(&path), format!("`{shown}` is no store: it has no `journal.db`"));
    assert_eq!(create(&path), format!("`{shown}` is no store: the directory is not empty"));
    assert_eq!(fs::read_dir(&path).unwrap().count(), 1);

    let path = directory.0.join("foreign");
    fs::create_dir(&path).unwrap();
    let connection = Connection::open(path.join("journal.db")).unwrap();
    connection.execute_batch("CREATE TABLE bookmarks (url)").unwrap();
    drop(connection);
    let before = fs::read(path.join("journal.db")).unwrap();
    let shown = path.display();
    for said in [write(&path), read(&path), create(&path)] {
        assert_eq!(
            said,
            format!("`{shown}` is no store: its `journal.db` is the database of something else")
        );
    }
    assert_eq!(fs::read(path.join("journal.db")).unwrap(), before);

    let path = directory.store();
    filled(&path, 1);
    assert_eq!(create(&path), format!("there is a store at `{}` already", path.display()));
}

#[test]
fn a_store_whose_making_was_cut_short_can_be_made_again() {
    let directory = Directory::new();
    let path = directory.store();
    fs::create_dir(&path).unwrap();
    fs::write(path.join("journal.db"), "").unwrap();
    fs::write(path.join("lock"), "1\n").unwrap();
    let error = Store::open_writer(&path).unwrap_err();
    assert!(error.to_string().ends_with("its making was cut short: make it again"), "{error}");
    assert!(Store::open_reader(&path).is_err());
    filled(&path, 1);
}

#[test]
fn a_newer_store_is_refused_by_writer_and_reader() {
    let directory = Directory::new();
    let path = directory.store();
    filled(&path, 1);
    let connection = Connection::open(directory::database(&path)).unwrap();
    connection.execute("UPDATE meta SET format = 99", []).unwrap();
    drop(connection);
    for error in [Store::open_writer(&path).unwrap_err(), Store::open_reader(&path).unwrap_err()] {
        assert!(matches!(error, JournalError::TooNew { found: 99, .. }), "{error}");
    }
}

/// Nothing may be acknowledged that lies in files without a name.
#[test]
fn what_is_written_into_a_store_that_was_moved_is_not_durable() {
    let directory = Directory::new();
    let (path, aside) = (directory.store(), directory.0.join("aside"));
    let mut journal = Store::create(&path, &new()).unwrap();
    add(&mut journal, 5).unwrap();
    fs::rename(&path, &aside).unwrap();
    let error = add(&mut journal, 6).unwrap_err();
    assert!(matches!(error, JournalError::Moved { .. }), "{error:?}");
    assert!(matches!(journal.reopen(), Err(JournalError::Moved { .. })));
    fs::rename(&aside, &path).unwrap();
    assert_eq!(journal.reopen().unwrap().entry, 5, "nothing was written");
    add(&mut journal, 7).unwrap();
    assert_eq!(Store::open_reader(&path).unwrap().head().unwrap().entry, 7);
    fs::remove_dir_all(&path).unwrap();
    assert!(matches!(add(&mut journal, 8), Err(JournalError::Moved { .. })));
    assert!(matches!(journal.reopen(), Err(JournalError::Moved { .. })));
}

#[test]
fn no_space_poisons_and_reopening_goes_on_where_it_was() {
    let directory = Directory::new();
    let path = directory.store();
    let mut journal = Store::create(&path, &new()).unwrap();
    let head = add(&mut journal, 5).unwrap();
    journal.limit_pages(40);
    // Chance cannot be compressed, so that it needs space.
    let mut state = 1_u64;
    let body: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(1 << 20)
    .collect();
    let entries = [Entry { body, ..entry(6) }];
    let epoch = journal.info().epoch;
    let commit = Commit { entries: &entries, ..Commit::empty(epoch, head) };
    let error = journal.commit(&commit).unwrap_err();
    assert!(matches!(error, JournalError::NoSpace { .. }), "{error:?}");
    assert_eq!(error.class(), ErrorClass::Transient);
    assert!(matches!(journal.commit(&commit), Err(JournalError::Poisoned { .. })));
    assert!(matches!(journal.erase_part(1, 1, None), Err(JournalError::Poisoned { .. })));
    assert_eq!(Store::open_reader(&path).unwrap().head().unwrap(), head);
    // There is space again: the same commit, byte for byte.
    assert_eq!(journal.reopen().unwrap(), head);
    let head = journal.commit(&commit).unwrap();
    assert_eq!(Store::open_reader(&path).unwrap().entry(6).unwrap(), Some(entries[0].clone()));
    // Nor is a commit that did reach the disk, though it was reported as failed, done twice.
    let entries = [entry(7)];
    let commit = Commit { entries: &entries, ..Commit::empty(epoch, head) };
    journal.fail_after(&commit);
    assert_eq!(journal.reopen().unwrap(), commit.head_after());
    assert_eq!(collect(|each| journal.reader().unwrap().entries(7..=9, each)), entries);
}

#[test]
fn a_store_changed_behind_its_writer_is_not_gone_on_with() {
    let directory = Directory::new();
    let path = directory.store();
    let mut journal = Store::create(&path, &new()).unwrap();
    add(&mut journal, 5).unwrap();
    let change = |sql: &str| {
        Connection::open(directory::database(&path)).unwrap().execute_batch(sql).unwrap();
    };
    change("DELETE FROM records WHERE seq = 5");
    let error = journal.reopen().unwrap_err();
    assert_eq!(error.place(), Some(Place::Record(5)), "{error}");
    change("UPDATE meta SET seq = 4, hash = (SELECT hash FROM records WHERE seq = 4)");
    assert!(matches!(journal.reopen(), Err(JournalError::HeadMoved { .. })));
    assert!(matches!(add(&mut journal, 6), Err(JournalError::Poisoned { .. })));
    change("UPDATE meta SET epoch = 9");
    assert!(matches!(journal.reopen(), Err(JournalError::Deposed { current: 9, .. })));
}

#[test]
fn damage_is_named_by_its_place_and_what_is_before_it_is_read() {
    let directory = Directory::new();
    let path = directory.store();
    filled(&path, 20);
    let connection = Connection::open(directory::database(&path)).unwrap();
    connection
        .execute("UPDATE records SET parts = CAST(x'02' || substr(parts, 2) AS BLOB) WHERE seq = 7", [])
        .unwrap();
    connection.execute("UPDATE records SET hash = x'00' WHERE seq = 9", []).unwrap();
    connection.execute("UPDATE blocks SET data = substr(data, 2)", []).unwrap();
    drop(connection);
    let mut reader = Store::open_reader(&path).unwrap();
    let mut seqs = Vec::new();
    let error = reader
        .records(ALL, &mut |record| {
            seqs.push(record.seq);
            std::ops::ControlFlow::Continue(())
        })
        .unwrap_err();
    assert_eq!((seqs, error.place()), ((1..=6).collect(), Some(Place::Record(7))));
    assert_eq!(error.class(), ErrorClass::Permanent);
    assert_eq!(reader.record(9).unwrap_err().place(), Some(Place::Record(9)));
    assert_eq!(reader.record(8).unwrap(), Some(record(8)));
    assert_eq!(reader.entry(3).unwrap_err().place(), Some(Place::Entry(1)));
}

#[test]
fn no_damaged_byte_makes_a_reader_panic_or_hang() {
    let directory = Directory::new();
    let path = directory.store();
    filled(&path, 12);
    let file = directory::database(&path);
    let good = fs::read(&file).unwrap();
    // A prime stride, so that every sort of page and every place in it is met.
    for at in (0..good.len()).step_by(211) {
        let mut bad = good.clone();
        bad[at] ^= 0x41;
        fs::write(&file, bad).unwrap();
        let Ok(mut reader) = Store::open_reader(&path) else { continue };
        let mut keep = |_| std::ops::ControlFlow::Continue(());
        let _ = reader.records(ALL, &mut keep);
        let _ = reader.entries(ALL, &mut |_| std::ops::ControlFlow::Continue(()));
        let _ = (reader.ledger(), reader.seq_at(Timestamp::MAX), reader.info());
    }
    fs::write(&file, &good[..good.len() / 2]).unwrap();
    assert!(Store::open_writer(&path).is_err());
}

#[test]
fn what_was_erased_is_not_in_the_files() {
    let directory = Directory::new();
    let path = directory.store();
    let mut journal = Store::create(&path, &new()).unwrap();
    let secret = b"the name of a person";
    let mut with_secret = record(1);
    with_secret.parts[0].content = PartContent::Bytes(secret.repeat(2000));
    let (entries, records) = ([entry(1)], [with_secret]);
    let epoch = journal.info().epoch;
    journal
        .commit(&Commit {
            entries: &entries,
            records: &NewRecords::of(&records),
            ..Commit::empty(epoch, Head::EMPTY)
        })
        .unwrap();
    add(&mut journal, 50).unwrap();
    let found = || -> Vec<(String, usize)> {
        let files = fs::read_dir(&path).unwrap().map(|file| file.unwrap());
        let found = files.flat_map(|file| {
            let bytes = fs::read(file.path()).unwrap();
            let places = bytes.windows(secret.len()).enumerate().filter(|(_, window)| *window == secret);
            let name = file.file_name().to_string_lossy().into_owned();
            places.map(|(at, _)| (name.clone(), at)).collect::<Vec<_>>()
        });
        found.collect()
    };
    assert_eq!(found().len() / 1000, 2);
    assert_eq!(journal.erase_part(1, 1, None).unwrap(), 1);
    assert_eq!(found(), []);
}

#[test]
fn what_expired_is_not_in_the_file() {
    let directory = Directory::new();
    let path = directory.store();
    let mut journal = Store::create(&path, &new()).unwrap();
    add(&mut journal, 500).unwrap();
    let count = || {
        let bytes = fs::read(directory::database(&path)).unwrap();
        bytes.windows(b"rows of aster".len()).filter(|window| *window == b"rows of aster").count()
    };
    journal.reopen().unwrap();
    assert_eq!(count(), 500);
    let (head, epoch) = (journal.head(), journal.info().epoch);
    let expiry = Expiry { parts: [(2, 400)].into(), ..Expiry::default() };
    journal.commit(&Commit { expiry: Some(&expiry), ..Commit::empty(epoch, head) }).unwrap();
    while journal.expire(Duration::ZERO).unwrap() {}
    journal.reopen().unwrap();
    assert_eq!(count(), 100);
}

#[test]
fn what_is_written_after_a_chunk_is_flushed_again() {
    let directory = Directory::new();
    let mut journal = Store::create(&directory.store(), &new()).unwrap();
    let id = journal.begin_snapshot(0, 0, Timestamp::EPOCH).unwrap();
    journal.add_snapshot_chunk(id, b"chunk").unwrap();
    assert!(journal.flushes_each());
    assert!(matches!(journal.add_snapshot_chunk(id + 1, b"chunk"), Err(JournalError::NoSnapshot { .. })));
    assert!(journal.flushes_each(), "also after a refusal");
}

#[test]
fn a_snapshot_that_went_is_not_in_the_file() {
    let directory = Directory::new();
    let path = directory.store();
    let mut journal = Store::create(&path, &new()).unwrap();
    add(&mut journal, 3).unwrap();
    // What does not compress, and has pages of its own.
    let mut state = 1_u64;
    let chunk: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(40_000)
    .collect();
    let count = |journal: &mut dyn Journal| {
        journal.reopen().unwrap();
        let bytes = fs::read(directory::database(&path)).unwrap();
        chunk.chunks(1000).filter(|some| bytes.windows(64).any(|window| window == &some[..64])).count()
    };
    let begin = |journal: &mut dyn Journal| {
        let id = journal.begin_snapshot(3, 3, Timestamp::EPOCH).unwrap();
        journal.add_snapshot_chunk(id, &chunk).unwrap();
        id
    };
    let pruned = begin(&mut journal);
    journal.complete_snapshot(pruned).unwrap();
    assert!(count(&mut journal) > 30);
    assert_eq!(journal.prune_snapshots(&mut |_| false).unwrap(), 1);
    assert_eq!(count(&mut journal), 0);
    begin(&mut journal);
    assert!(count(&mut journal) > 30);
    // The unfinished one is dropped.
    journal.begin_snapshot(3, 3, Timestamp::EPOCH).unwrap();
    assert_eq!(count(&mut journal), 0);
}

/// Messages like those of a cloud, for ever, of which only the last round is kept.
#[test]
fn a_store_whose_old_content_goes_does_not_grow() {
    const ROUND: u64 = 400;
    let directory = Directory::new();
    let path = directory.store();
    let mut journal = Store::create(&path, &new()).unwrap();
    let mut sizes = Vec::new();
    for round in 1..=8 {
        for batch in 1..=4 {
            let (head, epoch) = (journal.head(), journal.info().epoch);
            let numbers = head.entry + 1..=(round - 1) * ROUND + batch * ROUND / 4;
            let mut state = head.entry;
            // What does not compress, so that blocks need pages of their own.
            let mut noise = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 32) as u8
            };
            let entries: Vec<_> = numbers
                .clone()
                .map(|number| Entry { body: (0..900).map(|_| noise()).collect(), ..entry(number) })
                .collect();
            let records: Vec<_> = numbers.map(record).collect();
            let versions = [VersionSet { seq: head.seq + 1, data: vec![batch as u8; 20_000] }];
            let commit = Commit {
                entries: &entries,
                records: &NewRecords::of(&records),
                versions: &versions,
                ..Commit::empty(epoch, head)
            };
            journal.commit(&commit).unwrap();
        }
        let to = journal.head().seq;
        let snapshot = journal.begin_snapshot(to, to, Timestamp::EPOCH).unwrap();
        journal.add_snapshot_chunk(snapshot, &[7; 100_000]).unwrap();
        journal.complete_snapshot(snapshot).unwrap();
        let (head, epoch) = (journal.head(), journal.info().epoch);
        let checkpoint = Checkpoint { snapshot, seq: to, entry: to };
        let parts = [(1, to), (2, to)].into();
        let expiry = Expiry { checkpoint, parts, ..Expiry::default() };
        journal.commit(&Commit { expiry: Some(&expiry), ..Commit::empty(epoch, head) }).unwrap();
        while journal.expire(Duration::ZERO).unwrap() {}
        journal.reopen().unwrap();
        sizes.push(fs::metadata(directory::database(&path)).unwrap().len());
    }
    // What is left of each record for ever, its canonical bytes and hash, with room to spare.
    let per_round = ROUND * 400;
    let growth = sizes[7].saturating_sub(sizes[1]);
    assert!(growth <= 6 * per_round, "{sizes:?}");
    assert!(sizes[0] > 2 * per_round, "{sizes:?}");
    let holdings = journal.reader().unwrap().holdings().unwrap();
    assert!(holdings.used_bytes < sizes[7] - ROUND * 500, "{holdings:?} {sizes:?}");
}

#[test]
fn an_erasure_that_a_reader_keeps_in_the_log_says_so_and_can_be_repeated() {
    let directory = Directory::new();
    let path = directory.store();
    let mut journal = Store::create(&path, &new()).unwrap();
    add(&mut journal, 5).unwrap();
    let reader = Connection::open(directory::database(&path)).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM records;").unwrap();
    for _ in 0..2 {
        let error = journal.erase_part(2, 1, None).unwrap_err();
        assert!(matches!(error, JournalError::Busy { .. }), "{error}");
        assert_eq!(error.class(), ErrorClass::Transient);
    }
    // The journal is none the worse for it.
    add(&mut journal, 6).unwrap();
    reader.execute_batch("ROLLBACK").unwrap();
    assert_eq!(journal.erase_part(2, 1, None).unwrap(), 0);
    assert_eq!(fs::metadata(directory::log(&path)).unwrap().len(), 0);
}

#[test]
fn a_backup_of_a_store_in_use_is_the_store_of_one_moment() {
    let directory = Directory::new();
    let (path, target) = (directory.store(), directory.0.join("copies/today"));
    let mut journal = Store::create(&path, &new()).unwrap();
    let head = add(&mut journal, 2000).unwrap();
    let (id, state, body) = ("f".to_owned(), "open".to_owned(), b"{}".to_vec());
    let finding = FindingRow { id, seq: 7, state, body, updated_at: Timestamp::EPOCH };
    let findings = std::slice::from_ref(&finding);
    let nodes = [NodeRow { level: 1, index: 3, hash: [9; 32] }];
    let signed = [SignedCheckpoint { size: 7, note: "a note".to_owned(), signed_at: Timestamp::EPOCH }];
    let empty = Commit::empty(journal.info().epoch, head);
    journal.commit(&Commit { findings, nodes: &nodes, checkpoints: &signed, ..empty }).unwrap();
    let mut reports = 0;
    let copied = Store::backup(&path, &target, &mut |_| {
        reports += 1;
        // The writer goes on meanwhile.
        let next = journal.head().seq + 1;
        add(&mut journal, next).unwrap();
    });
    assert_eq!(copied.unwrap(), head);
    assert!(reports >= 2, "{reports}");
    let mut names: Vec<_> = fs::read_dir(&target).unwrap().map(|file| file.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["journal.db", "persons.db"]);
    let mut copy = Store::open_writer(&target).unwrap();
    assert_eq!((copy.head(), &copy.info().id), (head, &journal.info().id));
    assert_eq!(collect(|each| copy.reader().unwrap().records(ALL, each)).len(), 2000);
    assert_eq!(collect(|each| copy.reader().unwrap().findings(None, each)), findings);
    assert_eq!(collect(|each| copy.reader().unwrap().nodes(1, 0..=9, each)), nodes);
    assert_eq!(collect(|each| copy.reader().unwrap().checkpoints(ALL, each)), signed);
    add(&mut copy, 2001).unwrap();

    let again = Store::backup(&path, &target, &mut |_| {}).unwrap_err();
    assert!(again.to_string().ends_with("the directory is not empty"), "{again}");
}

#[test]
fn a_backup_of_a_damaged_store_fails_and_leaves_no_store() {
    let directory = Directory::new();
    let (path, target) = (directory.store(), directory.0.join("copy"));
    filled(&path, 30);
    let connection = Connection::open(directory::database(&path)).unwrap();
    connection.execute("DELETE FROM records WHERE seq = 17", []).unwrap();
    drop(connection);
    let error = Store::backup(&path, &target, &mut |_| {}).unwrap_err();
    assert_eq!(error.place(), Some(Place::Record(17)), "{error}");
    assert!(!Store::exists(&target));
    assert_eq!(fs::read_dir(&target).unwrap().count(), 0);
}
