//! Another key of the log: handed on by a daemon that is reloaded, and bundles that lead over it; what leads to nothing is said.

use std::fs;
use std::path::Path;

use osel::store::{Reader, Store};
use osel_core::trail::bundle::{Checker, Summary};
use osel_core::trail::log::{Checkpoint, SigningKey, VerifierKey};
use rusqlite::Connection;
use rustix::process::Signal;

use crate::broker::until;
use crate::command::{Place, osel, program, recording, run};
use crate::daemon::{Daemon, LIMIT};

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed("log.example/osel".parse().unwrap(), &[seed; 32])
}

/// Puts a key in place of the one before, as a person would who reads the manual.
fn put(place: &Place, key: &SigningKey) {
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    place.write("new_key", key.text());
    fs::set_permissions(place.path("new_key"), private).unwrap();
    fs::rename(place.path("new_key"), place.path("log_key")).unwrap();
}

fn keys(store: &str) -> Vec<(u64, String)> {
    let read = || Store::open_reader(Path::new(store)).ok()?.log_keys().ok();
    read().unwrap_or_default().into_iter().map(|row| (row.size, row.key)).collect()
}

/// One whose log the first key has signed, and its store.
fn signing(name: &str) -> (Daemon, String) {
    let mut osel = Daemon::new(name, "[trail]\nkey = { file = 'log_key' }\n");
    let store = osel.place.path("store");
    put(&osel.place, &key(1));
    osel.capture("bus.jsonl", "a", 20);
    osel.start();
    osel.await_received(20);
    until("the first key", LIMIT, || keys(&store).len() == 1);
    (osel, store)
}

fn check(bundle: &str, key: &VerifierKey) -> Result<Summary, String> {
    let mut checker = Checker::new(Some(key.clone()));
    for line in fs::read(bundle).unwrap().split_inclusive(|&byte| byte == b'\n') {
        checker.push(line).map_err(|bad| bad.why.to_string())?;
    }
    checker.finish().map_err(|bad| bad.why.to_string())
}

#[test]
fn a_bundle_leads_over_keys_that_were_handed_on() {
    let (mut osel, store) = signing("rotation");
    let before = Store::open_reader(Path::new(&store)).unwrap().checkpoint(None).unwrap().unwrap();
    for seed in [2, 3] {
        put(&osel.place, &key(seed));
        osel.signal(Signal::HUP);
        osel.capture("bus.jsonl", &format!("with-{seed}"), 20);
        until("another key", LIMIT, || keys(&store).len() == usize::from(seed));
    }
    osel.await_received(60);
    assert!(osel.stop().success());
    // The checkpoint at the end of the record that tells is signed by both.
    for (turn, (size, _)) in keys(&store).into_iter().enumerate().skip(1) {
        let signed = Store::open_reader(Path::new(&store)).unwrap().checkpoint(Some(size)).unwrap().unwrap();
        for seed in [turn, turn + 1] {
            let key = key(u8::try_from(seed).unwrap()).verifier();
            assert_eq!(Checkpoint::open(signed.note.as_bytes(), &[key]).unwrap().size, size);
        }
    }
    run(&["audit", "verify", "--store", &store]);
    let bundle = osel.place.path("bundle");
    let note = osel.place.write("before.note", &before.note);
    for further in [&[][..], &["--seq", "3..30"], &["--since", &note]] {
        run(&[&["audit", "export", "--store", &store, "--bundle", &bundle][..], further].concat());
        for seed in [1, 2, 3] {
            let summary = check(&bundle, &key(seed).verifier()).unwrap();
            assert_eq!(summary.later_keys.len(), 3 - usize::from(seed));
            assert_eq!(summary.has_all_since(), further.first() == Some(&"--since"));
        }
        assert!(check(&bundle, &key(4).verifier()).unwrap_err().contains("not the one given"));
    }
    // Where nothing is left that hands a key on, the bundle begins with the key that followed, which is said.
    let database = Connection::open(Path::new(&store).join("journal.db")).unwrap();
    let (size, _) = keys(&store).pop().unwrap();
    database.execute("DELETE FROM log_checkpoints WHERE size = ?1", [size.cast_signed()]).unwrap();
    let output = self::osel(&["audit", "export", "--store", &store, "--bundle", &bundle]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("did not hand on the log"), "{said}");
    assert!(check(&bundle, &key(3).verifier()).is_ok() && check(&bundle, &key(1).verifier()).is_err());
}

/// Replays a recording as somebody who names the log's key, and the key before it, by variables.
fn replay(store: &str, name: &str, key: &str, previous: Option<&str>) {
    let mut command = program();
    command.args(["replay", "--store", store, &recording(name)]).env("OSEL_TRAIL__KEY__FILE", key);
    if let Some(previous) = previous {
        command.env("OSEL_TRAIL__PREVIOUS_KEY__FILE", previous);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// A file with a key.
fn file(place: &Place, name: &str, key: &SigningKey) -> String {
    let path = place.write(name, key.text());
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path
}

#[test]
fn a_key_that_was_exchanged_over_a_restart_hands_the_log_on_if_it_is_named() {
    let (mut osel, store) = signing("rotation-named");
    assert!(osel.stop().success());
    fs::rename(osel.place.path("log_key"), osel.place.path("log_key.previous")).unwrap();
    put(&osel.place, &key(2));
    osel.configure("[trail]\nkey = { file = 'log_key' }\nprevious_key = { file = 'log_key.previous' }\n");
    osel.start();
    osel.await_lines("the log is handed on to another key", 1);
    until("the second key", LIMIT, || keys(&store).len() == 2);
    assert!(osel.stop().success());
    // Started once more it has nothing to hand on, and says nothing of it.
    osel.start();
    osel.await_lines("HTTP answers", 3);
    assert!(osel.stop().success());
    assert_eq!(osel.log().matches("the log is handed on to another key").count(), 1);
    let told = run(&["audit", "export", "--store", &store, "-o", "json"]);
    assert_eq!(told.lines().filter(|line| line.contains("the log is signed by")).count(), 1);
    run(&["audit", "verify", "--store", &store]);
    let bundle = osel.place.path("bundle");
    run(&["audit", "export", "--store", &store, "--bundle", &bundle]);
    for seed in [1, 2] {
        assert_eq!(check(&bundle, &key(seed).verifier()).unwrap().later_keys.len(), 2 - usize::from(seed));
    }
}

#[test]
fn a_command_exchanges_no_key_that_it_was_not_told() {
    let place = Place::new("rotation-command");
    let store = place.path("store");
    replay(&store, "dev-v1basic", &file(&place, "daemons", &key(1)), None);
    let refuses = |why: &str| {
        let output = osel(&["replay", "--store", &store, &recording("dev-glance")]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{why}: {said}");
        let signs = format!("not signed by this command: `{}` signs the log", key(1).verifier());
        assert!(said.contains(&signs), "{why}: {said}");
        assert_eq!(keys(&store).len(), 1, "{why}");
    };
    refuses("there is no key in the folder, and none is made");
    assert!(!Path::new(&store).join("log.key").exists());
    // One that lay there before the daemon was given its own, and of the same name.
    file(&place, "store/log.key", &key(2));
    refuses("the folder has another one");
    // What it has recorded is signed by whoever has the key.
    replay(&store, "dev-aodh", &place.path("daemons"), None);
    let records = Store::open_reader(Path::new(&store)).unwrap().head().unwrap().seq;
    let signed = Store::open_reader(Path::new(&store)).unwrap().checkpoint(None).unwrap().unwrap();
    assert_eq!((signed.size, keys(&store).len()), (records, 1));
    run(&["audit", "export", "--store", &store, "--bundle", &place.path("bundle")]);
    assert!(check(&place.path("bundle"), &key(1).verifier()).is_ok());
}

#[test]
fn a_key_that_was_exchanged_while_nobody_ran_begins_anew() {
    let place = Place::new("rotation-restart");
    let store = place.path("store");
    replay(&store, "dev-v1basic", &file(&place, "first", &key(1)), None);
    replay(&store, "dev-glance", &file(&place, "second", &key(2)), None);
    let keys: Vec<VerifierKey> = keys(&store).into_iter().map(|(_, key)| key.parse().unwrap()).collect();
    let bundle = place.path("bundle");
    let output = osel(&["audit", "export", "--store", &store, "--bundle", &bundle]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains(&keys[0].to_string()) && said.contains("did not hand on the log"), "{said}");
    assert!(check(&bundle, &keys[1]).is_ok() && check(&bundle, &keys[0]).is_err());
    assert!(fs::read(&bundle).unwrap().starts_with(b"{\"osel-bundle\":1,"));
}

#[test]
fn a_key_that_a_record_told_before_a_crash_is_told_once() {
    let place = Place::new("rotation-crash");
    let store = place.path("store");
    let (first, second) = (file(&place, "first", &key(1)), file(&place, "second", &key(2)));
    replay(&store, "dev-v1basic", &first, None);
    replay(&store, "dev-glance", &second, None);
    let before = keys(&store);
    let (turn, _) = before[1];
    // As a crash leaves it that comes between the record and what the new key signs.
    let database = Connection::open(Path::new(&store).join("journal.db")).unwrap();
    database.execute("DELETE FROM log_checkpoints WHERE size >= ?1", [turn.cast_signed()]).unwrap();
    database.execute("DELETE FROM log_keys WHERE size = ?1", [turn.cast_signed()]).unwrap();
    drop(database);
    replay(&store, "dev-aodh", &second, Some(&first));
    let after = keys(&store);
    assert_eq!(after, before, "the record that tells is the first thing that the new key signs");
    // The key before it, which is named, hands the log on all the same.
    let bundle = place.path("bundle");
    run(&["audit", "export", "--store", &store, "--bundle", &bundle]);
    assert!(check(&bundle, &key(1).verifier()).is_ok() && check(&bundle, &key(2).verifier()).is_ok());
    let told = run(&["audit", "export", "--store", &store, "-o", "json"]);
    assert_eq!(told.lines().filter(|line| line.contains("the log is signed by")).count(), 1);
    run(&["audit", "verify", "--store", &store]);
}

#[test]
fn an_export_of_the_log_follows_no_link_and_spreads_nothing_unsigned() {
    let place = Place::new("rotation-export");
    let store = place.path("store");
    run(&["replay", "--store", &store, &recording("dev-v1basic")]);
    let (directory, other) = (place.path("log"), place.write("other", "mine"));
    fs::create_dir(&directory).unwrap();
    std::os::unix::fs::symlink(&other, Path::new(&directory).join(".unfinished")).unwrap();
    run(&["log", "export", "--store", &store, &directory]);
    assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
    assert!(!Path::new(&directory).join("checkpoint").is_symlink());
    // A checkpoint with the right size and root that somebody else signed.
    let mut reader = Store::open_reader(Path::new(&store)).unwrap();
    let signed = reader.checkpoint(None).unwrap().unwrap();
    let mut checkpoint = Checkpoint::read_unverified(signed.note.as_bytes()).unwrap();
    let other = SigningKey::from_seed(checkpoint.origin.clone(), &[7; 32]);
    checkpoint.origin = other.verifier().name().clone();
    let database = Connection::open(Path::new(&store).join("journal.db")).unwrap();
    database.execute("UPDATE log_checkpoints SET note = ?1", [checkpoint.sign(&other)]).unwrap();
    let output = osel(&["log", "export", "--store", &store, &place.path("again")]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("does not hold: run `osel audit verify`"), "{said}");
}
