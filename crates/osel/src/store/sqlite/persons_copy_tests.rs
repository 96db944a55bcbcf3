//! Backups of a store in which keys are made, go with their week and are destroyed meanwhile.

use std::fs;
use std::path::Path;

use super::super::data::*;
use super::super::erasure::{Erasing, NewErasure, Stage};
use super::super::journal::Reader;
use super::super::suite::collect;
use super::super::suite_persons::{about, add_about, add_in_week, drop_all, let_go};
use super::backup::BackupProgress;
use super::persons_copy::KeysCopy;
use super::persons_tests::{at_each_cut, made};
use super::tests::{Directory, new};
use super::{Store, directory};

fn keys(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(directory::persons(path)).unwrap()
}

fn count(path: &Path, sql: &str) -> i64 {
    keys(path).query_row(sql, [], |row| row.get(0)).unwrap()
}

fn records(path: &Path) -> Vec<StoredRecord> {
    let mut reader = Store::open_reader(path).unwrap();
    collect(|each| reader.records(ALL, each))
}

/// Makes a backup; something is done once, when its moment has passed and its pages are being copied.
fn backup(path: &Path, copy: &Path, mut meanwhile: impl FnMut()) {
    let mut is_done = false;
    let progress = &mut |progress: BackupProgress| {
        if matches!(progress, BackupProgress::Copied { .. }) && !std::mem::replace(&mut is_done, true) {
            meanwhile();
        }
    };
    Store::backup(path, copy, progress).unwrap();
    assert!(is_done);
}

#[test]
fn keys_are_copied_while_some_are_made_and_destroyed() {
    let directory = Directory::new();
    let (path, copy) = (directory.store(), directory.store().with_extension("copy"));
    let mut journal = made(&path);
    let names: Vec<String> = (0..1000).map(|number| format!("n{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    add_about(&mut journal, &[&names[..]], None);
    fs::create_dir(&copy).unwrap();
    let mut keys = KeysCopy::new(&path, &copy);
    let mut pages = 0;
    keys.take_by(&mut || {
        pages += 1;
        if pages == 2 {
            // Nobody waits for the copy, and what it has already is destroyed.
            add_about(&mut journal, &[&["eve"]], Some("n6"));
        }
    })
    .unwrap();
    assert!(pages >= 3, "{pages}");
    // Who comes back in the same week has another key, instead of the one that the copy has.
    add_about(&mut journal, &[&["eve"]], Some("n7"));
    add_about(&mut journal, &[&["n7"]], None);
    keys.take().unwrap();
    add_about(&mut journal, &[&["trent"]], Some("n8"));
    keys.finish(&[]).unwrap();
    for sql in [
        "SELECT count(*) FROM persons",
        "SELECT count(*) FROM spent",
        "SELECT number FROM persons WHERE label = 'user:n7'",
    ] {
        assert_eq!(count(&copy, sql), count(&path, sql), "{sql}");
    }
    assert_eq!(count(&copy, "SELECT count(*) FROM persons WHERE label = 'user:n8'"), 0);
    let files = fs::read_dir(&copy).unwrap().count();
    assert_eq!(files, 1, "nothing is left beside it");
}

#[test]
fn a_week_that_goes_while_a_backup_is_made_is_in_it() {
    let directory = Directory::new();
    let (path, copy) = (directory.store(), directory.store().with_extension("copy"));
    let mut journal = Store::create(&path, &new()).unwrap();
    let wanted = [(0, "ada"), (1, "trent"), (2, "ada")];
    let wanted = wanted.map(|(week, person)| add_in_week(&mut journal, week, &[person]));
    let_go(&mut journal, 2);
    backup(&path, &copy, || drop_all(&mut journal));
    assert_eq!(count(&path, "SELECT count(*) FROM persons"), 2, "the first week is gone");
    assert_eq!(records(&copy), wanted, "and the backup's journal has it still");
}

/// Step by step, since nothing can be done between the moment of the journal and the reading of the keys behind it.
#[test]
fn a_week_that_goes_just_behind_the_moment_is_copied_too() {
    let directory = Directory::new();
    let (path, copy) = (directory.store(), directory.store().with_extension("copy"));
    let mut journal = Store::create(&path, &new()).unwrap();
    for (week, person) in [(0, "ada"), (1, "trent")] {
        add_in_week(&mut journal, week, &[person]);
    }
    fs::create_dir(&copy).unwrap();
    let mut keys = KeysCopy::new(&path, &copy);
    keys.take().unwrap();
    add_in_week(&mut journal, 1, &["eve"]);
    let_go(&mut journal, 2);
    // Here is the moment: it has the parts of the first week, and those of whom there was no key before.
    drop_all(&mut journal);
    keys.take().unwrap();
    keys.finish(&[]).unwrap();
    let mut labels = keys_of(&copy);
    labels.sort_unstable();
    assert_eq!(labels, ["user:ada", "user:eve", "user:trent"]);
    assert_eq!(count(&path, "SELECT count(*) FROM persons WHERE label = 'user:ada'"), 0);
}

/// What is erased of somebody is found by the keys that are there, and one that went with its week is not. Here the order is in the journal that was copied.
#[test]
fn an_erasure_under_way_takes_keys_that_went_with_their_week() {
    let directory = Directory::new();
    let (path, copy) = (directory.store(), directory.store().with_extension("copy"));
    let mut journal = Store::create(&path, &new()).unwrap();
    for (week, person) in [(0, "ada"), (1, "trent")] {
        add_in_week(&mut journal, week, &[person]);
    }
    let_go(&mut journal, 2);
    // A backup that began before the week went, and whose moment is behind the order.
    fs::create_dir(&copy).unwrap();
    let mut keys = KeysCopy::new(&path, &copy);
    keys.take().unwrap();
    drop_all(&mut journal);
    keys.take().unwrap();
    let order = NewErasure { seq: 2, persons: Vec::new(), subject: b"ada".to_vec() };
    let mut under_way = Erasing::new(&order, (2, 2));
    under_way.stage = Stage::Keys;
    keys.finish(&[under_way]).unwrap();
    assert_eq!(keys_of(&copy), ["user:trent"]);
}

fn keys_of(path: &Path) -> Vec<String> {
    let keys = keys(path);
    let mut select = keys.prepare("SELECT label FROM persons").unwrap();
    select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn who_is_erased_while_a_backup_is_made_is_not_in_it() {
    let directory = Directory::new();
    let (path, copy) = (directory.store(), directory.store().with_extension("copy"));
    let mut journal = made(&path);
    // With the order the keys are destroyed; the rest waits until nobody reads what was before.
    backup(&path, &copy, || {
        add_about(&mut journal, &[&["trent"]], Some("mallory"));
    });
    let copied = records(&copy);
    assert_eq!(copied.len(), 2, "its journal does not tell of it");
    assert_eq!(copied[0].parts[1].content, PartContent::Gone);
    assert_eq!(copied[1].parts[1], about(2, &["trent"]).parts[1]);
    assert_eq!(keys_of(&copy), ["user:trent"]);
    assert_eq!(count(&copy, "SELECT count(*) FROM spent"), 1);
}

/// The order is durable, and no key was destroyed when the process ended.
#[test]
fn an_erasure_that_was_only_ordered_is_carried_out_in_a_backup() {
    let directory = Directory::new();
    let path = directory.store();
    at_each_cut(&path, |stage| {
        let copy = directory.store().with_extension(stage);
        Store::backup(&path, &copy, &mut |_| {}).unwrap();
        assert_eq!(keys_of(&path).len(), 2, "{stage}");
        assert_eq!(keys_of(&copy), ["user:trent"], "{stage}");
        assert_eq!(records(&copy)[0].parts[1].content, PartContent::Gone, "{stage}");
    });
}
