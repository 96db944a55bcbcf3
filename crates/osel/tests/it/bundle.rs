//! `osel audit export --bundle`: what it writes, what it refuses, and that a store that was tampered with gives none.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;

use osel::store::{Reader, Store};
use osel_core::trail::bundle::{BadBundle, Checker, Scope, Summary};
use osel_core::trail::log::VerifierKey;
use rusqlite::Connection;

use crate::command::{Place, json_lines, osel, recording, refused, run};

/// A store that was written twice, so that its log has at least two checkpoints.
fn store(place: &Place) -> String {
    let store = place.path("store");
    for name in ["dev-v1basic", "dev-2026"] {
        run(&["replay", "--store", &store, &recording(name)]);
    }
    store
}

fn reader(store: &str) -> impl Reader + use<> {
    Store::open_reader(Path::new(store)).unwrap()
}

fn key(store: &str) -> VerifierKey {
    reader(store).log_keys().unwrap().last().unwrap().key.parse().unwrap()
}

fn check(bundle: &str, key: VerifierKey) -> Result<Summary, BadBundle> {
    let mut checker = Checker::new(Some(key));
    for line in fs::read(bundle).unwrap().split_inclusive(|&byte| byte == b'\n') {
        checker.push(line)?;
    }
    checker.finish()
}

fn database(store: &str) -> Connection {
    Connection::open(Path::new(store).join("journal.db")).unwrap()
}

#[test]
fn the_whole_trail_and_parts_of_it() {
    let place = Place::new("bundle");
    let store = store(&place);
    let records = json_lines(&["audit", "export", "--store", &store]).len() as u64;
    let whole = place.path("whole.bundle");
    let output = osel(&["audit", "export", "--store", &store, "--bundle", &whole]);
    assert!(output.status.success() && output.stdout.is_empty());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.starts_with(&format!("{records} records, proved by a checkpoint of {records} of the log ")),
        "{said}"
    );
    let summary = check(&whole, key(&store)).unwrap();
    assert_eq!((summary.scope, summary.records, summary.span), (Scope::Whole, records, Some((1, records))));
    assert!(summary.checkpoints > 0, "{summary:?}");

    let some = place.path("some.bundle");
    for (range, first, last) in [("3..7", 3, 7), ("..4", 1, 4), ("9..", 9, records), ("5..5", 5, 5)] {
        run(&["audit", "export", "--store", &store, "--bundle", &some, "--seq", range]);
        let summary = check(&some, key(&store)).unwrap();
        assert_eq!(
            (summary.scope, summary.span, summary.runs),
            (Scope::Some, Some((first, last)), 1),
            "{range}"
        );
        assert_eq!(summary.records, last - first + 1);
    }

    // The last one of the first of the two writers.
    let earlier = reader(&store).checkpoint(Some(records - 1)).unwrap().unwrap();
    let noted = place.write("last.note", &earlier.note);
    run(&["audit", "export", "--store", &store, "--bundle", &some, "--since", &noted]);
    let summary = check(&some, key(&store)).unwrap();
    assert_eq!(summary.since.map(|checkpoint| checkpoint.size), Some(earlier.size));
    assert_eq!(summary.span, Some((earlier.size + 1, records)));
    let latest = place.write("latest.note", reader(&store).checkpoint(None).unwrap().unwrap().note);
    run(&["audit", "export", "--store", &store, "--bundle", &some, "--since", &latest]);
    assert_eq!(check(&some, key(&store)).unwrap().records, 0);

    let kept = fs::read(&some).unwrap();
    let base = ["audit", "export", "--store", &store, "--bundle", &some];
    let to = |arguments: &[&'static str]| [&base[..], arguments].concat();
    for range in ["5", "7..3", "0..4", "a..b", "1...2"] {
        let output = osel(&to(&["--seq", range]));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains("not a range of records"), "{said}");
    }
    let said = refused(3, &to(&["--seq", "1000000..1000001"]));
    assert!(said.contains("no checkpoint covers record 1000000 yet"), "{said}");
    let said = refused(3, &[&base[..], &["--since", &place.write("no.note", "no note\n")]].concat());
    assert!(said.contains("is no checkpoint that the log's key"), "{said}");
    assert_eq!(osel(&to(&["--format", "native"])).status.code(), Some(2));
    assert_eq!(fs::read(&some).unwrap(), kept, "a bundle that is there stays until another is whole");
    assert!(parts(&place).is_empty());
}

/// What was written of bundles that did not get their names.
fn parts(place: &Place) -> Vec<String> {
    let names = fs::read_dir(place.path("")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".part") || name.ends_with(".unfinished")).collect()
}

#[test]
fn a_bundle_is_its_owners_and_takes_no_other_place_than_a_files() {
    let place = Place::new("bundle-place");
    let store = store(&place);
    let bundle = place.path("trail.bundle");
    // Somebody who may write the folder too has put it where an export would write.
    let foreign = place.write("foreign", "foreign");
    std::os::unix::fs::symlink(&foreign, format!("{bundle}.unfinished")).unwrap();
    run(&["audit", "export", "--store", &store, "--bundle", &bundle]);
    assert_eq!(fs::read_to_string(&foreign).unwrap(), "foreign");
    assert_eq!(fs::metadata(&bundle).unwrap().permissions().mode() & 0o777, 0o600);

    let folder = place.path("folder");
    fs::create_dir(&folder).unwrap();
    let socket = place.path("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    for target in [&folder, &socket, "-"] {
        let said = refused(2, &["audit", "export", "--store", &store, "--bundle", target]);
        assert!(said.contains("that is no file"), "{said}");
    }
    assert!(fs::symlink_metadata(&socket).unwrap().file_type().is_socket());
}

#[test]
fn what_no_checkpoint_covers_is_left_out_and_said() {
    let place = Place::new("bundle-young");
    let store = store(&place);
    let last = reader(&store).head().unwrap().seq;
    let earlier = reader(&store).checkpoint(Some(last - 1)).unwrap().unwrap().size;
    let database = database(&store);
    database.execute("DELETE FROM log_checkpoints WHERE size > ?1", [earlier as i64]).unwrap();
    let bundle = place.path("bundle");
    let output = osel(&["audit", "export", "--store", &store, "--bundle", &bundle]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let left_out = format!("left out: records {} to {last}, which no checkpoint covers yet\n", earlier + 1);
    assert!(said.starts_with(&left_out), "{said}");
    assert_eq!(check(&bundle, key(&store)).unwrap().records, earlier);

    database.execute("DELETE FROM log_checkpoints", []).unwrap();
    let other = place.path("other");
    let said = refused(3, &["audit", "export", "--store", &store, "--bundle", &other]);
    assert!(said.contains("the log has no checkpoint yet"), "{said}");
    assert!(!Path::new(&other).exists());
}

#[test]
fn a_store_that_was_tampered_with_gives_no_bundle() {
    let place = Place::new("bundle-tampered");
    let store = store(&place);
    let database = database(&store);
    let canonical: Vec<u8> =
        database.query_row("SELECT canonical FROM records WHERE seq = 4", [], |row| row.get(0)).unwrap();
    let mut bad = canonical;
    bad[69] ^= 1;
    database.execute("UPDATE records SET canonical = ?1 WHERE seq = 4", [&bad]).unwrap();
    let bundle = place.path("bundle");
    for arguments in [&[][..], &["--seq", "2..6"]] {
        let arguments = [&["audit", "export", "--store", &store, "--bundle", &bundle], arguments].concat();
        let said = refused(1, &arguments);
        assert!(said.starts_with("no bundle was written: record 4 (line "), "{said}");
        assert!(!Path::new(&bundle).exists() && !Path::new(&format!("{bundle}.unfinished")).exists());
    }
}
