//! What only the embedded store does about persons: nothing of one is in its files, whatever the moment, and not in backups with the latest keys.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::super::data::*;
use super::super::journal::{Journal, Reader};
use super::super::suite::{collect, commit};
use super::super::suite_index::segment;
use super::super::suite_persons::{self, Blank, about, add_about, naming};
use super::tests::{Directory, new};
use super::{Store, directory};

/// Of the files of a directory those that have a text.
fn files_with(path: &Path, text: &str) -> Vec<String> {
    let files = fs::read_dir(path).unwrap().map(|file| file.unwrap());
    let with = files.filter(|file| {
        let bytes = fs::read(file.path()).unwrap();
        memchr::memmem::find(&bytes, text.as_bytes()).is_some()
    });
    let mut names: Vec<String> = with.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}

/// Records about persons whose messages do not name them: those are not sealed.
pub(super) fn made(path: &Path) -> super::SqliteJournal {
    let mut journal = Store::create(path, &new()).unwrap();
    let records = [about(1, &["mallory"]), about(2, &["trent"])];
    commit(&mut journal, &[naming(1, &[]), naming(2, &[])], &records).unwrap();
    journal
}

/// A store in which the erasure of mallory is durable, and no key was destroyed when the process ended: at each point where that can be, with its name.
pub(super) fn at_each_cut(path: &Path, mut look: impl FnMut(&str)) {
    let mut journal = made(path);
    let keys = fs::read(directory::persons(path)).unwrap();
    add_about(&mut journal, &[&["trent"]], Some("mallory"));
    drop(journal);
    fs::write(directory::persons(path), keys).unwrap();
    let file = rusqlite::Connection::open(directory::database(path)).unwrap();
    let state: Vec<u8> = file.query_row("SELECT state FROM erasures", [], |row| row.get(0)).unwrap();
    for (stage, numbered) in [("ordered", false), ("keys", true)] {
        let mut state: serde_json::Value = serde_json::from_slice(&state).unwrap();
        state["stage"] = stage.into();
        if !numbered {
            state["numbers"] = serde_json::json!([]);
        }
        file.execute("UPDATE erasures SET state = ?1", [serde_json::to_vec(&state).unwrap()]).unwrap();
        look(stage);
    }
}

#[test]
fn nobody_is_named_in_the_files() {
    let directory = Directory::new();
    let path = directory.store();
    let mut journal = made(&path);
    // The keys' file has the word of the person, which is the id of the user.
    assert_eq!(files_with(&path, "mallory"), ["persons.db"]);
    let reader = || Store::open_reader(&path).unwrap();
    assert_eq!(reader().record(1).unwrap().unwrap().parts[1], about(1, &["mallory"]).parts[1]);
    add_about(&mut journal, &[&["trent"]], Some("mallory"));
    while journal.erase_persons(Duration::ZERO, &Blank).unwrap() {}
    assert_eq!(files_with(&path, "mallory"), Vec::<String>::new());
    assert_eq!(reader().record(1).unwrap().unwrap().parts[1].content, PartContent::Gone);
    assert_eq!(reader().record(2).unwrap().unwrap().parts[1], about(2, &["trent"]).parts[1]);
}

#[test]
fn an_erasure_is_ended_by_whoever_opens_the_store_next() {
    let directory = Directory::new();
    for killed in 0..20 {
        let path = directory.store().with_extension(killed.to_string());
        let mut journal = made(&path);
        add_about(&mut journal, &[&["mallory", "trent"]], Some("mallory"));
        for _ in 0..killed {
            journal.erase_persons(Duration::ZERO, &Blank).unwrap();
        }
        drop(journal);
        let mut journal = Store::open_writer(&path).unwrap();
        while journal.erase_persons(Duration::ZERO, &Blank).unwrap() {}
        let mut reader = Store::open_reader(&path).unwrap();
        let told = reader.erasures().unwrap();
        assert_eq!((told[0].is_done, told[0].keys, told[0].records), (true, 1, 2), "{killed}");
        assert_eq!(files_with(&path, "mallory"), Vec::<String>::new(), "{killed}");
        assert_eq!(reader.record(3).unwrap().unwrap().parts[2], about(3, &["mallory", "trent"]).parts[2]);
    }
}

#[test]
fn numbers_are_given_once() {
    let directory = Directory::new();
    let mut journal = Store::create(&directory.store(), &new()).unwrap();
    journal.draw_from(suite_persons::chance(suite_persons::DRAWN));
    suite_persons::numbers_are_given_once(&mut journal);
    let other = directory.store().with_extension("other");
    let mut journal = Store::create(&other, &new()).unwrap();
    journal.draw_from(Box::new(|| Ok(5 << 32)));
    suite_persons::numbers_that_repeat_are_no_chance(&mut journal);
}

#[test]
fn locked_parts_take_their_segments() {
    let directory = Directory::new();
    let path = directory.store();
    let mut journal = Store::create(&path, &new()).unwrap();
    suite_persons::locked_parts_take_their_segments(&mut journal, &mut || {
        let keys = rusqlite::Connection::open(directory::persons(&path)).unwrap();
        assert_eq!(keys.execute("DELETE FROM persons WHERE label = 'user:mallory'", []).unwrap(), 1);
    });
}

/// As an earlier version made it, with keys for no week.
#[test]
fn keys_of_an_earlier_version_are_used_and_go() {
    let directory = Directory::new();
    let path = directory.store();
    drop(made(&path));
    let keys = rusqlite::Connection::open(directory::persons(&path)).unwrap();
    keys.execute_batch(
        "CREATE TABLE earlier (number INTEGER PRIMARY KEY, label TEXT NOT NULL UNIQUE, key BLOB NOT NULL) STRICT; \
         INSERT INTO earlier SELECT number, label, key FROM persons; \
         DROP TABLE persons; DROP TABLE spent; ALTER TABLE earlier RENAME TO persons;",
    )
    .unwrap();
    let mut journal = Store::open_writer(&path).unwrap();
    let mut reader = Store::open_reader(&path).unwrap();
    let wanted = [about(1, &["mallory"]), about(2, &["trent"])].map(|record| record.parts[1].clone());
    let read = collect(|each| reader.records(ALL, each));
    assert_eq!(read.into_iter().map(|record| record.parts[1].clone()).collect::<Vec<_>>(), wanted);
    add_about(&mut journal, &[&["mallory"]], None);
    let rows: Vec<(String, i64)> = keys
        .prepare("SELECT label, week FROM persons ORDER BY label")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(rows, [("user:mallory".to_owned(), 0), ("user:trent".to_owned(), 0)], "nobody has two");
}

/// The order is durable and the process ended before any key was destroyed.
#[test]
fn keys_that_are_left_are_destroyed_before_anything_is_written() {
    let directory = Directory::new();
    let path = directory.store();
    at_each_cut(&path, |stage| {
        let mut journal = Store::open_writer(&path).unwrap();
        add_about(&mut journal, &[&["mallory"]], None);
        let last = journal.head().seq;
        let mut reader = Store::open_reader(&path).unwrap();
        assert_eq!(reader.record(1).unwrap().unwrap().parts[1].content, PartContent::Gone, "{stage}");
        assert_eq!(reader.record(last).unwrap().unwrap(), about(last, &["mallory"]), "{stage}");
    });
}

#[test]
fn a_backup_with_the_latest_keys_names_nobody_who_was_erased() {
    let directory = Directory::new();
    let (path, copy) = (directory.store(), directory.store().with_extension("copy"));
    let mut journal = made(&path);
    Store::backup(&path, &copy, &mut |_| {}).unwrap();
    let parts = |copy: &Path| {
        let mut reader = Store::open_reader(copy).unwrap();
        let records = collect(|each| reader.records(ALL, each));
        records.into_iter().map(|record| record.parts[1].clone()).collect::<Vec<_>>()
    };
    let wanted = [about(1, &["mallory"]), about(2, &["trent"])].map(|record| record.parts[1].clone());
    assert_eq!(parts(&copy), wanted);
    add_about(&mut journal, &[&["trent"]], Some("mallory"));
    while journal.erase_persons(Duration::ZERO, &Blank).unwrap() {}
    fs::copy(directory::persons(&path), directory::persons(&copy)).unwrap();
    let left = parts(&copy);
    assert_eq!((&left[0].content, &left[1]), (&PartContent::Gone, &wanted[1]));
    // Without any keys nothing about anybody is left, and the store is sound.
    fs::remove_file(directory::persons(&copy)).unwrap();
    assert!(parts(&copy).iter().all(|part| part.content == PartContent::Gone));
}

/// Its terms are not sealed, so that no key makes them unreadable.
#[test]
fn a_backup_has_nothing_of_the_search_index() {
    let directory = Directory::new();
    let (path, copy) = (directory.store(), directory.store().with_extension("copy"));
    let mut journal = made(&path);
    assert!(journal.put_segment(&segment(&journal, 1, 2)).unwrap());
    Store::backup(&path, &copy, &mut |_| {}).unwrap();
    let open = |path: &Path| rusqlite::Connection::open(directory::database(path)).unwrap();
    let page: Vec<u8> =
        open(&path).query_row("SELECT data FROM search_pages WHERE class = 2", [], |row| row.get(0)).unwrap();
    let has_page = |path: &Path| {
        // What is in the log only is not in the file yet.
        let bytes =
            [directory::database(path), directory::log(path)].map(|file| fs::read(file).unwrap_or_default());
        bytes.iter().any(|bytes| memchr::memmem::find(bytes, &page).is_some())
    };
    assert_eq!((has_page(&path), has_page(&copy)), (true, false));
    for table in ["search_pages", "search_segments"] {
        let sql = format!("SELECT count(*) FROM {table}");
        let rows = |path: &Path| open(path).query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!((rows(&path) > 0, rows(&copy)), (true, 0), "{table}");
    }
    let mut copy = Store::open_writer(&copy).unwrap();
    assert!(copy.put_segment(&segment(&copy, 1, 2)).unwrap(), "it can be made anew");
}

#[test]
fn a_sealed_part_that_was_touched_is_handed_on_for_verification_to_name() {
    let directory = Directory::new();
    let path = directory.store();
    drop(made(&path));
    let file = rusqlite::Connection::open(directory::database(&path)).unwrap();
    let mut bad: Vec<u8> =
        file.query_row("SELECT parts FROM records WHERE seq = 1", [], |row| row.get(0)).unwrap();
    // Behind it stands the part that lies in the entry: class, no project, salt, and where it is.
    let last = bad.len() - 1 - 19;
    bad[last] ^= 1;
    file.execute("UPDATE records SET parts = ?1 WHERE seq = 1", [bad]).unwrap();
    let mut reader = Store::open_reader(&path).unwrap();
    let part = reader.record(1).unwrap().unwrap().parts[1].clone();
    assert!(matches!(&part.content, PartContent::Bytes(bytes) if *bytes != b"{\"user_name\":\"mallory\"}"));
    assert_eq!(part.salt, [0; 16]);
}
