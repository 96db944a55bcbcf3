//! Somebody takes content from a store that no record tells of: `audit verify` says so, and `audit show` of the record. An older copy beside later keys lacks
//! those that went since: the store of now tells which.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use osel::runtime::forgetting::Forgetting;
use osel::runtime::retention::policy::{Limit, Policy};
use osel::store::code::{read_parts, write_parts};
use osel::store::{ALL, ErasureRow, Journal, PartContent, Reader, Store, StoredPart, StoredRecord, Whose};
use osel_core::trail::log::SigningKey;
use osel_core::trail::{PartClass, RecordKind};
use rusqlite::Connection;
use serde_json::Value;

use crate::command::{Place, osel, program, recording, run};
use crate::retention::{Listener, days};

fn records(store: &str) -> Vec<StoredRecord> {
    let mut all = Vec::new();
    let mut reader = Store::open_reader(Path::new(store)).unwrap();
    let read = reader.records(ALL, &mut |record| {
        all.push(record);
        ControlFlow::Continue(())
    });
    read.unwrap();
    all
}

/// Takes the parts of a class from records, as somebody who writes the store can: nothing is told of it.
fn take(store: &str, class: PartClass, seqs: impl IntoIterator<Item = u64>) -> u64 {
    let mut journal = Store::open_writer(Path::new(store)).unwrap();
    let mut taken = 0;
    for seq in seqs {
        let record = journal.reader().unwrap().record(seq).unwrap().unwrap();
        for part in record.parts.iter().filter(|part| part.class == class.code()) {
            taken += journal.erase_part(seq, class.code(), part.project.as_deref()).unwrap() as u64;
        }
    }
    taken
}

/// The records that still have a part of a class.
fn with(store: &str, class: PartClass) -> Vec<u64> {
    let has = |record: &&StoredRecord| {
        record.parts.iter().any(|part| part.class == class.code() && part.content != PartContent::Gone)
    };
    records(store).iter().filter(has).map(|record| record.seq).collect()
}

/// How many parts verification finds missing that nothing tells of, and the first record of one. It says the same in words and by its exit code.
fn untold(store: &str) -> (u64, Option<u64>) {
    let (untold, locked) = found(store, &[]);
    assert_eq!(locked, (0, None));
    untold
}

/// The same, and how many parts are there without their keys, with the first record of one; as verification finds it with more arguments.
fn found(store: &str, more: &[&str]) -> ((u64, Option<u64>), (u64, Option<u64>)) {
    let json = osel(&[&["audit", "verify", "-o", "json", "--store", store], more].concat());
    let text = osel(&[&["audit", "verify", "--store", store], more].concat());
    let said: Value = serde_json::from_slice(&json.stdout).unwrap();
    let (parts, first) = (said["missing_untold"].as_u64().unwrap(), said["first_untold"].as_u64());
    let locked = (said["locked"].as_u64().unwrap(), said["first_locked"].as_u64());
    let text_said = String::from_utf8(text.stdout).unwrap();
    let is_good = parts == 0 && locked.0 == 0;
    // Whoever keeps the output alone must not have a clean verdict.
    let verdicts =
        ["records verified: nothing changed", "NOT verified"].map(|words| text_said.contains(words));
    assert_eq!(verdicts, [is_good, !is_good], "{text_said}");
    let code = Some(i32::from(!is_good));
    assert_eq!((json.status.code(), text.status.code(), &said["verified"]), (code, code, &is_good.into()));
    let line = first.map(|first| {
        format!("{parts} parts are missing that no record tells of, the first of record {first}\n")
    });
    assert_eq!(text_said.contains("no record tells of"), line.is_some());
    assert!(text_said.starts_with(&line.unwrap_or_default()), "{text_said}");
    let line = format!("{} parts about persons are there, sealed, and their keys are not", locked.0);
    assert_eq!(text_said.contains(&line), locked.0 > 0, "{text_said}");
    ((parts, first), locked)
}

/// The parts of a record as they lie there.
fn parts_of(store: &str, seq: u64) -> Vec<StoredPart> {
    let select = "SELECT parts FROM records WHERE seq = ?1";
    let parts: Vec<u8> = database(store).query_row(select, [seq as i64], |row| row.get(0)).unwrap();
    read_parts(&parts).unwrap()
}

fn database(store: &str) -> Connection {
    Connection::open(Path::new(store).join("journal.db")).unwrap()
}

fn recorded(place: &Place) -> String {
    let store = place.path("store");
    run(&["replay", "--store", &store, "--until", "300", &recording("dev-zed")]);
    store
}

#[test]
fn content_that_was_taken_is_missed() {
    let place = Place::new("untold");
    let store = recorded(&place);
    assert_eq!(untold(&store), (0, None));
    let show = |seq: u64| run(&["audit", "show", &seq.to_string(), "--store", &store]);
    let said = "body is missing, and no record says why";
    assert!(!show(70).contains(said));
    assert_eq!(take(&store, PartClass::Body, [70]), 1);
    assert_eq!(untold(&store), (1, Some(70)));
    assert!(show(70).contains(said), "{}", show(70));
    let json: Value =
        serde_json::from_str(&run(&["audit", "show", "70", "-o", "json", "--store", &store])).unwrap();
    assert_eq!(json["missing_untold"], serde_json::json!(["body"]));

    // A message too, which lies elsewhere, and in the end all of it.
    let message = with(&store, PartClass::Payload)[9];
    assert_eq!(take(&store, PartClass::Payload, [message]), 1);
    assert_eq!(untold(&store), (2, Some(message.min(70))));
    let all = with(&store, PartClass::Body);
    let taken = take(&store, PartClass::Body, all);
    assert!(taken > 100);
    assert_eq!(untold(&store), (taken + 2, Some(1)));
}

/// A block of the journal is no altered message but none at all.
#[test]
fn messages_that_were_taken_with_their_block_are_missed() {
    let place = Place::new("untold-block");
    let store = recorded(&place);
    let messages = with(&store, PartClass::Payload);
    assert!(database(&store).execute("DELETE FROM blocks", []).unwrap() > 0);
    assert_eq!(untold(&store), (messages.len() as u64, messages.first().copied()));
    let shown = run(&["audit", "show", &messages[9].to_string(), "--store", &store]);
    assert!(shown.contains("payload is missing, and no record says why"), "{shown}");
}

#[test]
fn a_head_that_is_not_that_of_the_last_record_is_told() {
    let place = Place::new("untold-head");
    let store = recorded(&place);
    database(&store).execute("UPDATE meta SET hash = zeroblob(32)", []).unwrap();
    let output = osel(&["audit", "verify", "--store", &store]);
    let said = String::from_utf8(output.stdout).unwrap();
    let last = records(&store).len();
    assert!(
        said.starts_with(&format!(
            "record {last} is the first bad one: the store says that its last record has another hash"
        )),
        "{said}"
    );
}

#[test]
fn keys_that_were_taken_are_missed() {
    let place = Place::new("untold-keys");
    let store = recorded(&place);
    let sealed = with(&store, PartClass::Personal);
    fs::rename(Path::new(&store).join("persons.db"), place.path("elsewhere")).unwrap();
    let (untold, (parts, first)) = found(&store, &[]);
    assert_eq!(untold, (0, None), "nothing was taken out of the records");
    assert!(parts >= sealed.len() as u64 && first == sealed.first().copied(), "{parts} {first:?}");
    let shown = run(&["audit", "show", &sealed[0].to_string(), "--store", &store]);
    assert!(shown.contains("personal is sealed and cannot be read"), "{shown}");
}

#[test]
fn limits_are_believed_as_far_as_records_tell_them() {
    let place = Place::new("untold-limits");
    let mut listener = Listener::new(&place, "store", 21);
    listener.listen(9);
    let policy = Policy { records: Limit { days: Some(4), bytes: None }, personal_days: Some(2), ..days(3) };
    let decision = listener.decide(&policy);
    listener.expire();
    listener.check();
    let store = place.path("store");
    assert_eq!(untold(&store), (0, None));
    let limit = |class: PartClass| decision.expiry.as_ref().unwrap().parts[&class.code()];
    let (bodies, persons) = (limit(PartClass::Body), limit(PartClass::Personal));
    assert!(0 < bodies && bodies < persons, "{decision:?}");

    // Beyond what was told something goes, and the tables say that it may.
    let next = with(&store, PartClass::Body).into_iter().find(|seq| *seq > bodies).unwrap();
    assert_eq!(take(&store, PartClass::Body, [next]), 1);
    assert_eq!(untold(&store), (1, Some(next)));
    let show = |seq: u64| run(&["audit", "show", &seq.to_string(), "--store", &store]);
    let said = "body is missing, and no record says why";
    assert!(show(next).contains(said), "{}", show(next));
    database(&store).execute("UPDATE expiry_parts SET seq = 1000000, done = 1000000", []).unwrap();
    assert_eq!(untold(&store), (1, Some(next)));
    assert!(show(next).contains(said), "{}", show(next));
    // What went as it should is told, with an index as without.
    run(&["store", "index", "--store", &store]);
    for (seq, is_untold) in [(1, false), (bodies, false), (next, true)] {
        assert_eq!(show(seq).contains("no record says why"), is_untold, "{seq}: {}", show(seq));
    }
    // As if there were a class of retention.
    database(&store).execute("UPDATE expiry_parts SET seq = ?1, done = ?1", [bodies as i64]).unwrap();
    let forged = "INSERT INTO expiry_parts (class, kind, seq, done, searched) VALUES (?1, ?2, 1000000, 1000000, 1000000)";
    for kind in RecordKind::ALL {
        let parameters = [PartClass::Body.code(), kind.code()];
        database(&store).execute(forged, parameters).unwrap();
    }
    assert_eq!(untold(&store), (1, Some(next)));
    assert!(show(next).contains(said), "{}", show(next));
    // The record that told it is taken as well: then nothing tells of anything.
    let tellers = records(&store).into_iter().filter(|record| record.kind == RecordKind::System.code());
    let tellers: Vec<u64> = tellers.map(|record| record.seq).filter(|seq| *seq > persons).collect();
    let last_teller = *tellers.last().unwrap();
    take(&store, PartClass::Body, tellers);
    let (parts, first) = untold(&store);
    assert!(parts > 10 && first == Some(1), "{parts} {first:?}");
    // Where one that may tell cannot be read, no more is said than that.
    assert!(show(1).contains("no record says why"), "{}", show(1));
    database(&store).execute("DELETE FROM records WHERE seq = ?1", [last_teller as i64]).unwrap();
    let shown = osel(&["audit", "show", "1", "--store", &store]);
    let [out, notes] = [shown.stdout, shown.stderr].map(|said| String::from_utf8(said).unwrap());
    assert!(out.contains("missing, and no record that can be read says why"), "{out}");
    let back = format!("why parts are missing is looked for back to record {last_teller} only");
    assert!(notes.contains(&back), "{notes}");
}

#[test]
fn an_erasure_excuses_what_it_took_and_no_more() {
    let place = Place::new("untold-erasure");
    let store = place.path("store");
    run(&["replay", "--store", &store, &recording("dev-zed")]);
    run(&["privacy", "erase", "--user", "birch-user1", "--reason", "ticket 4711", "--store", &store]);
    assert_eq!(untold(&store), (0, None));
    let erased = Store::open_reader(Path::new(&store)).unwrap().erasures().unwrap().remove(0);
    assert!(erased.parts > 100 && erased.messages > 100, "{erased:?}");

    // In the midst of what went, where only counting tells.
    let middle = u64::midpoint(erased.first_seq, erased.last_seq);
    let next = |class| with(&store, class).into_iter().find(|seq| *seq > middle).unwrap();
    let taken = take(&store, PartClass::Personal, [next(PartClass::Personal)]);
    assert!(taken > 0);
    assert_eq!(untold(&store).0, taken);
    take(&store, PartClass::Payload, [next(PartClass::Payload)]);
    assert_eq!(untold(&store).0, taken + 1);

    // An erasure that nobody ordered excuses nothing.
    let copied = "INSERT INTO erasures (seq, entry, done, state) SELECT 7, entry, done, \
                  CAST(replace(CAST(state AS TEXT), '\"seq\":' || seq, '\"seq\":7') AS BLOB) FROM erasures";
    assert_eq!(database(&store).execute(copied, []).unwrap(), 1);
    let rows = Store::open_reader(Path::new(&store)).unwrap().erasures().unwrap();
    assert_eq!((rows.len(), rows[0].seq, rows[0].parts), (2, 7, erased.parts));
    assert_eq!(untold(&store).0, taken + 1);
    let lost = records(&store).iter().find_map(|record| {
        let is_gone = |part: &&StoredPart| {
            part.class == PartClass::Personal.code() && part.content == PartContent::Gone
        };
        record.parts.iter().find(is_gone).map(|_| record.seq.to_string())
    });
    let show = || run(&["audit", "show", lost.as_ref().unwrap(), "--store", &store]);
    assert!(!show().contains("no record says why"), "{}", show());
    // Without the row of the one that was ordered, the other explains nothing.
    database(&store).execute("DELETE FROM erasures WHERE seq <> 7", []).unwrap();
    assert!(show().contains("personal and payload are missing, and no record says why"), "{}", show());
}

#[test]
fn a_copy_beside_later_keys_is_explained_by_the_store_of_now() {
    let place = Place::new("untold-copy");
    let mut listener = Listener::new(&place, "store", 23);
    let (store, copy) = (place.path("store"), place.path("copy"));
    listener.listen(14);
    run(&["store", "backup", "--store", &store, &copy]);
    assert_eq!(untold(&copy), (0, None));
    let sealed = with(&copy, PartClass::Personal);

    // Later the parts of all but its last days are gone, and the keys of the weeks of which nothing is left.
    listener.listen(9);
    listener.decide(&Policy { personal_days: Some(12), ..Policy::default() });
    listener.expire();
    let mut journal = listener.journal();
    while journal.drop_keys(&Forgetting).unwrap() {}
    drop(journal);
    assert_eq!(untold(&store), (0, None));
    fs::copy(persons(&store), persons(&copy)).unwrap();
    let (taken, (gone, first)) = found(&copy, &[]);
    assert_eq!(taken, (0, None));
    assert!(0 < gone && first == sealed.first().copied(), "{gone} {first:?}");
    let left = with(&copy, PartClass::Personal);
    assert!(left.len() < sealed.len() && !left.is_empty(), "of the last week they are there");
    let later = ["--later", &store];
    assert_eq!(found(&copy, &later), ((0, None), (0, None)));

    // Nothing explains a key that somebody took.
    let some = *with(&copy, PartClass::Personal).last().unwrap();
    let mut parts = parts_of(&copy, some);
    let number = parts.iter().find_map(|part| match part.whose {
        Whose::Sealed(number) => Some(number),
        _ => None,
    });
    let number = number.unwrap();
    let delete = || {
        let keys = Connection::open(persons(&copy)).unwrap();
        keys.execute("DELETE FROM persons WHERE number = ?1", [number as i64]).unwrap()
    };
    assert_eq!(delete(), 1);
    let (taken, (locked, _)) = found(&copy, &later);
    assert!(taken.0 == 0 && locked > 0, "{locked}");

    // Somebody of the last day is erased.
    fs::copy(persons(&store), persons(&copy)).unwrap();
    let all = records(&copy).into_iter().rev().flat_map(|record| record.parts);
    let user = all.into_iter().find_map(|part| match part.whose {
        Whose::Person(label) => label.strip_prefix("user:").map(str::to_owned),
        _ => None,
    });
    run(&["privacy", "erase", "--user", &user.unwrap(), "--reason", "ticket 4711", "--store", &store]);
    fs::copy(persons(&store), persons(&copy)).unwrap();
    let (_, (more, _)) = found(&copy, &[]);
    assert!(more > gone, "{more} {gone}");
    assert_eq!(found(&copy, &later), ((0, None), (0, None)));

    // Nor does the store of now explain what is not there in the copy.
    assert!(take(&copy, PartClass::Personal, [some]) > 0);
    assert!(found(&copy, &later).0.0 > 0);

    // A body that seems to be sealed was taken.
    let body = parts.iter_mut().find(|part| part.class == PartClass::Body.code()).unwrap();
    (body.whose, body.salt) = (Whose::Sealed(number), [0; 16]);
    let mut written = Vec::new();
    write_parts(&parts, &mut written);
    delete();
    database(&copy)
        .execute("UPDATE records SET parts = ?2 WHERE seq = ?1", rusqlite::params![some as i64, written])
        .unwrap();
    // The part that was taken just now is there again, without its key.
    assert_eq!(found(&copy, &later).0.0, 1);

    // Another store tells nothing of it.
    let other = Listener::new(&place, "other", 24);
    drop(other);
    let refused = osel(&["audit", "verify", "--store", &copy, "--later", &place.path("other")]);
    assert_eq!(refused.status.code(), Some(3));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("the wrong way round"), "{said}");
}

fn persons(store: &str) -> PathBuf {
    Path::new(store).join("persons.db")
}

/// What `audit verify` says when it refuses the store of now.
fn later_refused(copy: &str, later: &str) -> String {
    let refused = osel(&["audit", "verify", "--store", copy, "--later", later]);
    assert_eq!((refused.status.code(), &refused.stdout[..]), (Some(3), &b""[..]));
    String::from_utf8(refused.stderr).unwrap()
}

/// Takes the key of somebody who is not erased and has parts in the midst of those that an erasure took; how many parts it sealed.
fn take_key(copy: &str, erased: &ErasureRow) -> u64 {
    let sealed: Vec<u64> = records(copy)
        .iter()
        .flat_map(|record| parts_of(copy, record.seq).into_iter().map(|part| (record.seq, part.whose)))
        .filter(|(seq, _)| (erased.first_seq..=erased.last_seq).contains(seq))
        .filter_map(|(_, whose)| if let Whose::Sealed(number) = whose { Some(number) } else { None })
        .collect();
    let keys = Connection::open(persons(copy)).unwrap();
    let taken = sealed
        .iter()
        .copied()
        .find(|number| keys.execute("DELETE FROM persons WHERE number = ?1", [*number as i64]).unwrap() > 0);
    let taken = taken.unwrap();
    let all = records(copy).into_iter().flat_map(|record| parts_of(copy, record.seq));
    all.filter(|part| part.whose == Whose::Sealed(taken)).count() as u64
}

fn set_done(store: &str, is_done: bool) {
    let set = "UPDATE erasures SET done = ?1, state = CAST(replace(CAST(state AS TEXT), ?2, ?3) AS BLOB)";
    let words = |is_done: bool| format!("\"is_done\":{is_done}");
    let changed = database(store).execute(set, rusqlite::params![is_done, words(!is_done), words(is_done)]);
    assert_eq!(changed.unwrap(), 1);
    let row = Store::open_reader(Path::new(store)).unwrap().erasures().unwrap().remove(0);
    assert_eq!(row.is_done, is_done);
}

#[test]
fn an_erasure_explains_as_many_keys_as_it_took() {
    let place = Place::new("untold-erased-keys");
    let (store, copy, told) = (place.path("store"), place.path("copy"), place.path("told"));
    run(&["replay", "--store", &store, &recording("dev-zed")]);
    run(&["store", "backup", "--store", &store, &copy]);
    run(&["privacy", "erase", "--user", "birch-user1", "--reason", "ticket 4711", "--store", &store]);
    run(&["store", "backup", "--store", &store, &told]);
    fs::copy(persons(&store), persons(&copy)).unwrap();
    let erased = Store::open_reader(Path::new(&store)).unwrap().erasures().unwrap().remove(0);
    let later = ["--later", &store];
    assert_eq!(found(&copy, &[]).1.0, erased.parts);
    assert_eq!(found(&copy, &later), ((0, None), (0, None)));
    let more = take_key(&copy, &erased);
    let (taken, (locked, _)) = found(&copy, &later);
    assert_eq!((taken, locked), ((0, None), more));

    // One that is under way says nothing of how many.
    set_done(&store, false);
    let said = later_refused(&copy, &store);
    assert!(said.contains("is carrying out the erasure of record"), "{said}");
    set_done(&store, true);
    // In a copy that was made meanwhile, how it ended counts.
    set_done(&told, false);
    assert_eq!(found(&told, &later), ((0, None), (0, None)));
    let more = take_key(&told, &erased);
    let (taken, (locked, _)) = found(&told, &later);
    assert_eq!((taken.0 + locked, locked > 0), (more, true));

    // Limits that the later store has in its tables, and not in its records, explain nothing: nothing is missing there that would show it.
    let forged = "INSERT INTO expiry_parts (class, kind, seq, done, searched) VALUES (?1, ?2, 1000000, 1000000, 1000000)";
    for kind in RecordKind::ALL {
        database(&store).execute(forged, [PartClass::Personal.code(), kind.code()]).unwrap();
    }
    assert_eq!(untold(&store), (0, None));
    let said = later_refused(&copy, &store);
    assert!(said.contains("more may be missing than its records tell"), "{said}");
}

#[test]
fn a_later_store_that_another_signed_tells_nothing() {
    let place = Place::new("untold-signed");
    let store = recorded(&place);
    let copy = place.path("copy");
    run(&["store", "backup", "--store", &store, &copy]);
    let verify = |format: &str| run(&["audit", "verify", "--store", &copy, "--later", &store, "-o", format]);
    let own = Path::new(&store).join("log.key");
    let said: Value = serde_json::from_str(&verify("json")).unwrap();
    assert_eq!(said["later_log"]["known"], true, "{said}");

    // It goes on from the copy, signed by another key than the one that is known of it.
    let name = said["later_log"]["key"].as_str().unwrap().split_once('+').unwrap().0.to_owned();
    let other = Path::new(&store).with_file_name("other.key");
    fs::copy(&own, &other).unwrap();
    fs::write(&other, SigningKey::from_seed(name.parse().unwrap(), &[3; 32]).text()).unwrap();
    let mut command = program();
    command.env("OSEL_TRAIL__KEY__FILE", &other).args([
        "replay",
        "--store",
        &store,
        &recording("dev-glance"),
    ]);
    assert!(command.output().unwrap().status.success());
    let said = later_refused(&copy, &store);
    assert!(said.contains("and not by the key that is known here"), "{said}");

    // Who knows none is told so.
    let kept = fs::read(&own).unwrap();
    fs::remove_file(&own).unwrap();
    let said = verify("table");
    let line = said.lines().find(|line| line.starts_with("log of the later store: ")).unwrap();
    assert!(line.ends_with("which nobody vouches for here"), "{said}");
    let said: Value = serde_json::from_str(&verify("json")).unwrap();
    assert_eq!(said["later_log"]["known"], false, "{said}");
    fs::copy(&other, &own).unwrap();
    assert_ne!(fs::read(&own).unwrap(), kept);
    let said: Value = serde_json::from_str(&verify("json")).unwrap();
    assert_eq!(said["later_log"]["known"], true, "{said}");

    // A key lies beside it, and those are gone that signed what the copy has.
    let keys = Store::open_reader(Path::new(&store)).unwrap().log_keys().unwrap();
    assert_eq!(keys.len(), 2);
    for sql in ["DELETE FROM log_checkpoints WHERE size < ?1", "DELETE FROM log_keys WHERE size < ?1"] {
        assert!(database(&store).execute(sql, [keys[1].size as i64]).unwrap() > 0);
    }
    assert_eq!(untold(&store), (0, None));
    let said = later_refused(&copy, &store);
    assert!(said.contains("has not the keys that signed the log of this one"), "{said}");

    let refused = osel(&["audit", "verify", "--store", &copy, "--later", "postgresql:x://"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(said.contains("--later: ") && !said.contains("--store: "), "{said}");
}
