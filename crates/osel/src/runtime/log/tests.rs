//! The log beside a store: which sizes are signed when, how the tree is found again, and where keys come from. No time passes here.

use std::fs::{self, Permissions};
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use osel_core::time::Timestamp;
use osel_core::trail::log::{Checkpoint, KeyName, SigningKey, range_hash};
use osel_core::trail::{Hash, Tree, leaf_hash, tree_root};

use super::growth::Signed;
use super::resume::row;
use super::*;
use crate::key_file::KeyFileError;
use crate::store::{
    Commit, Journal, LogKeyRow, NewRecords, NewStore, NodeRow, SignedCheckpoint, Store, StoredRecord,
};

/// A directory that goes with the test.
pub(super) struct Directory(pub(super) PathBuf);

impl Directory {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("osel-log-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) fn leaf(seq: u64) -> Hash {
    leaf_hash(&seq.to_be_bytes())
}

pub(super) fn root(size: u64) -> Hash {
    tree_root((1..=size).map(leaf))
}

pub(super) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed("log.example/osel".parse().unwrap(), &[seed; 32])
}

/// What is found where a key is to be; none is a file that others may read.
fn found(key: Option<SigningKey>) -> KeyFound {
    let keys = |key| LogKeys { key: Some(key), previous: None };
    key.map(keys).ok_or_else(|| KeyTrouble::File(KeyFileError::Open { path: "/k".into() }))
}

fn clock() -> Timestamp {
    Timestamp::EPOCH.plus_seconds(1_700_000_000)
}

/// A log that was never signed, with what was found where its key is to be, and a moment.
fn growth(found: KeyFound) -> (Growth, Instant) {
    let now = Instant::now();
    let mut growth = Growth::new(
        Resumed { tree: Tree::default(), signed: None, unsigned: Vec::new(), key: None, told: None },
        now,
    );
    growth.sign_with(Signer::new(clock));
    growth.take_key(found);
    (growth, now)
}

/// Adds records up to that number, all in one batch.
fn grow(growth: &mut Growth, to: u64, batch: u64, now: Instant) {
    let mut nodes = Vec::new();
    let mut seq = growth.size();
    while seq < to {
        seq += 1;
        if growth.push(leaf(seq).0, &mut nodes) {
            growth.note(batch, now);
        }
    }
    growth.note(batch, now);
}

fn sizes(signed: &Signed) -> Vec<u64> {
    signed.checkpoints.iter().map(|checkpoint| checkpoint.size).collect()
}

#[test]
fn nothing_is_signed_before_it_is_durable_and_then_within_a_second() {
    let (mut growth, now) = growth(found(Some(key(1))));
    grow(&mut growth, 5, 1, now);
    assert_eq!(growth.wait(0, now), None, "of what is not durable nothing is awaited");
    let late = now + 10 * SECONDS_APART;
    assert_eq!(sizes(&growth.sign(0, late, true)), [0; 0]);
    assert_eq!(growth.wait(1, now), Some(SECONDS_APART));
    assert_eq!(sizes(&growth.sign(1, now + SECONDS_APART / 2, false)), [0; 0]);
    // What came meanwhile is signed along with it, and does not put it off.
    grow(&mut growth, 7, 2, now + SECONDS_APART / 2);
    assert_eq!(growth.wait(2, now + SECONDS_APART / 2), Some(SECONDS_APART / 2));
    let signed = growth.sign(2, now + SECONDS_APART, false);
    assert_eq!(sizes(&signed), [7]);
    assert_eq!(growth.wait(2, late), None);
    let opened = Checkpoint::open(signed.checkpoints[0].note.as_bytes(), &[key(1).verifier()]).unwrap();
    assert_eq!((opened.size, opened.root), (7, root(7)));
    assert_eq!(signed.key, Some(LogKeyRow { size: 7, key: key(1).verifier().to_string() }));
    assert_eq!(growth.status(), LogStatus { signed: 7, signed_at: Some(clock()), failures: 0 });
    // A key is told with its first checkpoint only.
    grow(&mut growth, 8, 3, late);
    assert_eq!(growth.sign(3, late, true).key, None);
}

#[test]
fn checkpoints_are_at_most_a_thousand_records_apart_however_batches_are_cut() {
    for step in [1, 7, 300, 999, 1000, 1001, 2500] {
        let (mut growth, now) = growth(found(Some(key(1))));
        let (mut signed, mut size, mut batch) = (Vec::new(), 0, 0);
        while size < 5000 {
            size += step;
            batch += 1;
            grow(&mut growth, size, batch, now);
            // The batch before is durable; no time has passed.
            signed.extend(growth.sign(batch - 1, now, false).checkpoints);
        }
        signed.extend(growth.sign(batch, now, true).checkpoints);
        let mut before = 0;
        for checkpoint in &signed {
            assert!(checkpoint.size - before <= ENTRIES_APART_MAX, "{step}: {before} {}", checkpoint.size);
            before = checkpoint.size;
        }
        assert_eq!(before, size);
        assert!(signed.len() as u64 <= 2 * size / ENTRIES_APART_MAX + 1, "{step}: {}", signed.len());
        let read = Checkpoint::read_unverified(signed[1].note.as_bytes()).unwrap();
        assert_eq!(read.root, root(read.size));
    }
}

#[test]
fn a_key_that_is_away_stops_nothing_and_what_waited_is_signed_when_it_is_there() {
    let (mut growth, now) = growth(found(None));
    assert!(growth.trouble().is_some_and(|words| words.contains("/k")));
    for batch in 1..=3 {
        grow(&mut growth, 900 * batch, batch, now);
        assert_eq!(growth.sign(batch, now, true), Signed::default());
    }
    assert_eq!(growth.wait(3, now), None, "who looks for the key says when it is there");
    growth.take_key(found(Some(key(1))));
    assert_eq!(growth.wait(3, now), Some(SECONDS_APART));
    assert_eq!(sizes(&growth.sign(3, now, true)), [900, 1800, 2700]);
    assert_eq!((growth.trouble(), growth.status().failures), (None, 1));
}

#[test]
fn where_nothing_is_to_be_signed_nothing_is_wrong() {
    let (mut growth, now) = growth(Ok(LogKeys::default()));
    for batch in 1..=50 {
        assert_eq!(growth.take_key_change(), None);
        grow(&mut growth, batch, batch, now);
        assert_eq!(growth.sign(batch, now + 100 * SECONDS_APART, true), Signed::default());
    }
    assert_eq!((growth.wait(50, now), growth.trouble()), (None, None));
    // Until somebody has configured one.
    growth.take_key(found(Some(key(1))));
    assert_eq!(sizes(&growth.sign(50, now, true)), [50]);
}

#[test]
fn nothing_is_signed_while_the_key_is_looked_for_anew() {
    let (mut growth, now) = growth(found(Some(key(1))));
    grow(&mut growth, 5, 1, now);
    growth.put_key_down();
    assert_eq!(growth.sign(1, now, true), Signed::default());
    // And not by the old one if the new one cannot be had.
    growth.take_key(found(None));
    assert_eq!(growth.sign(1, now, true), Signed::default());
    growth.take_key(found(Some(key(1))));
    assert_eq!(sizes(&growth.sign(1, now, true)), [5]);
    assert_eq!(growth.take_key_change(), None);
}

#[test]
fn what_waits_for_a_key_is_bounded() {
    let (mut growth, now) = growth(found(None));
    for batch in 1..=12_000 {
        grow(&mut growth, batch, batch, now);
    }
    growth.take_key(found(Some(key(1))));
    let signed = growth.sign(12_000, now, true);
    // Those that stand close together have one for all, and none is farther from the next than it may be.
    let sizes = sizes(&signed);
    assert!(sizes.len() < 4000 && sizes.last() == Some(&12_000), "{sizes:?}");
    let apart = std::iter::once(&0).chain(&sizes).zip(&sizes).map(|(before, size)| size - before);
    assert!(apart.max() <= Some(ENTRIES_APART_MAX));
}

#[test]
fn another_key_signs_once_a_record_has_told_it_and_nothing_from_before() {
    let (mut growth, now) = growth(found(Some(key(1))));
    assert_eq!(growth.take_key_change(), None, "the first key makes no record");
    grow(&mut growth, 5, 1, now);
    assert_eq!(sizes(&growth.sign(1, now, true)), [5]);
    grow(&mut growth, 9, 2, now);
    growth.take_key(found(Some(key(2))));
    assert_eq!(growth.sign(2, now, true), Signed::default());
    let change = growth.take_key_change().expect("it is another key");
    let texts = [key(1), key(2)].map(|key| key.verifier().to_string());
    assert_eq!([&change.previous, &change.next], [&texts[0], &texts[1]]);
    assert_eq!(growth.take_key_change(), None, "it is told once");
    // Record 10 tells it, and is the first that the new key signs, whatever follows, and the last that the old one does.
    assert_eq!(growth.sign(2, now, true), Signed::default());
    grow(&mut growth, 10, 3, now);
    grow(&mut growth, 12, 3, now);
    let signed = growth.sign(3, now, false);
    assert_eq!(
        (sizes(&signed), signed.key.clone()),
        (vec![10], Some(LogKeyRow { size: 10, key: texts[1].clone() }))
    );
    let by = |seed: u8, signed: &Signed, at: usize| {
        Checkpoint::open(signed.checkpoints[at].note.as_bytes(), &[key(seed).verifier()]).is_ok()
    };
    assert!(by(1, &signed, 0) && by(2, &signed, 0));
    let signed = growth.sign(3, now, true);
    assert_eq!(sizes(&signed), [12]);
    assert!(!by(1, &signed, 0) && by(2, &signed, 0));
    // And back again, before it has signed a second time.
    growth.take_key(found(Some(key(1))));
    assert_eq!(growth.take_key_change().map(|change| change.next), Some(texts[0].clone()));
}

#[test]
fn a_key_that_is_gone_hands_nothing_over() {
    let by_both = |signed: &Signed| {
        let opens =
            |seed| Checkpoint::open(signed.checkpoints[0].note.as_bytes(), &[key(seed).verifier()]).is_ok();
        (opens(1), opens(2))
    };
    // After a restart nobody has the old key.
    let now = Instant::now();
    let restarted_with = |found| {
        let row = LogKeyRow { size: 3, key: key(1).verifier().to_string() };
        let mut tree = Tree::default();
        (1..=5).for_each(|seq| tree.push(leaf(seq)));
        let resumed = Resumed { tree, signed: None, unsigned: Vec::new(), key: Some(row), told: None };
        let mut restarted = Growth::new(resumed, now);
        restarted.sign_with(Signer::new(clock));
        restarted.take_key(found);
        assert!(restarted.take_key_change().is_some());
        grow(&mut restarted, 6, 1, now);
        by_both(&restarted.sign(1, now, true))
    };
    assert_eq!(restarted_with(found(Some(key(2)))), (false, true));
    // But where it is named beside the new one.
    let named = Ok(LogKeys { key: Some(key(2)), previous: Some(key(1)) });
    assert_eq!(restarted_with(named), (true, true));
    // A key that could not be had for a while is at hand still, for this one thing.
    let (mut growth, now) = growth(found(Some(key(1))));
    grow(&mut growth, 5, 1, now);
    growth.sign(1, now, true);
    growth.put_key_down();
    growth.take_key(found(None));
    growth.take_key(found(Some(key(2))));
    assert!(growth.take_key_change().is_some());
    grow(&mut growth, 6, 2, now);
    assert_eq!(by_both(&growth.sign(2, now, true)), (true, true));
    // Nor does a second look at the same key, before it has signed, lose the one before it.
    let (mut again, now) = self::growth(found(Some(key(1))));
    grow(&mut again, 5, 1, now);
    again.sign(1, now, true);
    again.take_key(found(Some(key(2))));
    assert!(again.take_key_change().is_some());
    again.put_key_down();
    again.take_key(found(Some(key(2))));
    grow(&mut again, 6, 2, now);
    assert_eq!(by_both(&again.sign(2, now, true)), (true, true));
    // One that was told, and had no time to sign, has nothing to hand over.
    growth.take_key(found(Some(key(3))));
    assert!(growth.take_key_change().is_some());
    growth.take_key(found(Some(key(1))));
    assert!(growth.take_key_change().is_some());
    grow(&mut growth, 9, 3, now);
    let signed = growth.sign(3, now, true);
    assert_eq!((sizes(&signed), by_both(&signed)), (vec![9], (true, false)));
}

fn record(seq: u64) -> StoredRecord {
    StoredRecord {
        seq,
        entry: 0,
        kind: 10,
        time: Timestamp::EPOCH,
        as_of: Timestamp::EPOCH,
        canonical: Vec::new(),
        hash: leaf(seq).0,
        parts: Vec::new(),
    }
}

/// A store with records and, of the log, with these nodes and checkpoints.
pub(super) fn store(
    directory: &Path,
    records: u64,
    nodes: &[NodeRow],
    checkpoints: &[SignedCheckpoint],
) -> Box<dyn Journal> {
    let new = NewStore { id: [7; 16], created_at: Timestamp::EPOCH };
    let mut journal = Store::create(&directory.join("store"), &new).unwrap();
    let epoch = journal.info().epoch;
    let records: Vec<_> = (1..=records).map(record).collect();
    let head = journal.head();
    let head = journal
        .commit(&Commit { records: &NewRecords::of(&records), nodes, ..Commit::empty(epoch, head) })
        .unwrap();
    journal.commit(&Commit { checkpoints, ..Commit::empty(epoch, head) }).unwrap();
    Box::new(journal)
}

pub(super) fn nodes_of(size: u64) -> Vec<NodeRow> {
    let (mut tree, mut nodes) = (Tree::default(), Vec::new());
    for seq in 1..=size {
        tree.push_with(leaf(seq), &mut |node| nodes.push(row(node)));
    }
    nodes
}

fn kept_nodes(journal: &dyn Journal) -> Vec<NodeRow> {
    let mut all = Vec::new();
    for level in 1..=3 {
        journal
            .reader()
            .unwrap()
            .nodes(level, 0..=u64::MAX, &mut |node| {
                all.push(node);
                ControlFlow::Continue(())
            })
            .unwrap();
    }
    all
}

#[test]
fn a_tree_is_found_again_and_nodes_that_are_missing_are_made() {
    // Two levels of nodes with leaves beyond, of which none is kept, as in a store from before there were any; then all, some and one.
    for (records, kept) in [(256 * 256 + 300, 0), (2000, 7), (2000, 5), (2000, 1)] {
        let nodes = nodes_of(records);
        let directory = Directory::new();
        let mut journal = store(&directory.0, records, &nodes[..kept], &[]);
        let mut reader = journal.reader().unwrap();
        let resumed = resume(&mut *journal, &mut *reader).unwrap();
        assert_eq!((resumed.tree.size(), resumed.tree.root()), (records, root(records)), "{kept}");
        let mut sorted = nodes;
        sorted.sort_by_key(|node| (node.level, node.index));
        assert_eq!(kept_nodes(&*journal), sorted, "{kept}");
        assert_eq!(journal.head().seq, records);
        let tiles = records / 256 * 256;
        assert_eq!(range_hash(0..tiles, &mut kept::kept(&mut *reader)).unwrap(), root(tiles));
    }
}

pub(super) fn signed(size: u64, root: Hash) -> SignedCheckpoint {
    let checkpoint = Checkpoint { origin: "log.example/osel".parse().unwrap(), size, root };
    SignedCheckpoint { size, note: checkpoint.sign(&key(1)), signed_at: clock() }
}

#[test]
fn what_was_signed_must_fit_before_anything_is_written() {
    let good = signed(250, root(250));
    let cases = [
        (good.clone(), None),
        (signed(250, root(251)), Some("the records have another root")),
        (SignedCheckpoint { size: 249, ..good.clone() }, Some("its note says 250")),
        (SignedCheckpoint { note: "osel".to_owned(), ..good }, Some("a note is")),
    ];
    for (checkpoint, wanted) in cases {
        let directory = Directory::new();
        let mut journal = store(&directory.0, 300, &nodes_of(300), &[checkpoint]);
        let mut reader = journal.reader().unwrap();
        match (resume(&mut *journal, &mut *reader), wanted) {
            (Ok(resumed), None) => assert_eq!(resumed.signed.map(|signed| signed.size), Some(250)),
            (Err(error @ LogError::Misfit { .. }), Some(words)) => {
                let error = error.to_string();
                assert!(error.contains(words) && error.contains("`osel audit verify`"), "{error}");
            }
            (other, _) => panic!("{other:?} {wanted:?}"),
        }
    }
}

/// The last part of a private key's text: base64, which may have a `+` itself.
fn seed_of(text: &str) -> &str {
    text.splitn(5, '+').nth(4).unwrap()
}

#[test]
fn a_stores_own_key_is_made_once_and_is_nobody_elses() {
    let directory = Directory::new();
    let path = directory.0.join("log.key");
    assert!(key::own_if_there(&directory.0, None).unwrap().is_none());
    // What a crash has left.
    fs::write(directory.0.join("log.key.unfinished"), "half").unwrap();
    let id = "00".repeat(16);
    let made = key::own(&directory.0, None, &id).unwrap();
    assert_eq!(made.verifier().name().as_str(), format!("osel/{id}"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(&directory.0).unwrap().count(), 1);
    let again = key::own(&directory.0, None, &id).unwrap();
    assert_eq!(again.text(), made.text());
    assert!(!format!("{again:?}").contains(seed_of(&made.text())));
    let wanted: KeyName = "log.example/osel".parse().unwrap();
    let error = key::own(&directory.0, Some(&wanted), &id).unwrap_err();
    assert!(matches!(error, KeyTrouble::Origin { .. }), "{error}");

    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let error = key::own(&directory.0, None, &id).unwrap_err().to_string();
    assert!(error.contains("open to others") && !error.contains(&made.text()), "{error}");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let text = made.text();
    fs::write(&path, &text[..text.len() - 1]).unwrap();
    let error = crate::telemetry::chain(&key::own(&directory.0, None, &id).unwrap_err());
    let seed = seed_of(&text);
    assert!(error.contains("is no key to sign with") && !error.contains(&seed[..8]), "{error}");
    fs::remove_file(&path).unwrap();
    let named = key::own(&directory.0, Some(&wanted), &id).unwrap();
    assert_eq!(named.verifier().name(), &wanted);
    assert_ne!(seed_of(&named.text()), seed, "each key is drawn anew");
}

#[test]
fn what_a_crash_left_unsigned_is_signed_as_far_apart_as_it_would_have_been() {
    let directory = Directory::new();
    let mut journal = store(&directory.0, 3500, &nodes_of(3500), &[signed(300, root(300))]);
    let mut reader = journal.reader().unwrap();
    let resumed = resume(&mut *journal, &mut *reader).unwrap();
    let now = Instant::now();
    let mut growth = Growth::new(resumed, now);
    growth.sign_with(Signer::new(clock));
    growth.take_key(found(Some(key(1))));
    let signed = growth.sign(0, now, true);
    assert_eq!(sizes(&signed), [1300, 2300, 3300, 3500]);
    for checkpoint in &signed.checkpoints {
        let read = Checkpoint::read_unverified(checkpoint.note.as_bytes()).unwrap();
        assert_eq!(read.root, root(read.size));
    }
}

#[test]
fn an_old_time_is_no_reason_to_wait() {
    let (mut growth, now) = growth(found(Some(key(1))));
    grow(&mut growth, 3, 1, now);
    assert_eq!(growth.wait(1, now + 5 * SECONDS_APART), Some(Duration::ZERO));
}

#[test]
fn a_key_that_a_link_leads_to_is_not_made_while_it_is_away() {
    let directory = Directory::new();
    let (path, away) = (directory.0.join("log.key"), directory.0.join("away"));
    std::os::unix::fs::symlink(&away, &path).unwrap();
    let error = key::own(&directory.0, None, "00").unwrap_err();
    assert!(matches!(error, KeyTrouble::File(KeyFileError::File { action: "read", .. })), "{error}");
    assert!(path.is_symlink());
    fs::write(&away, key(1).text()).unwrap();
    fs::set_permissions(&away, Permissions::from_mode(0o600)).unwrap();
    assert_eq!(key::own(&directory.0, None, "00").unwrap().text(), key(1).text());
}

#[test]
fn of_a_store_that_was_cut_no_node_is_made() {
    let directory = Directory::new();
    let mut journal = store(&directory.0, 600, &nodes_of(600), &[signed(600, root(600))]);
    drop(journal);
    let database = rusqlite::Connection::open(directory.0.join("store/journal.db")).unwrap();
    let cut = "DELETE FROM records WHERE seq > 599; DELETE FROM log_nodes;
               UPDATE meta SET seq = 599, hash = (SELECT hash FROM records WHERE seq = 599)";
    database.execute_batch(cut).unwrap();
    drop(database);
    journal = Box::new(Store::open_writer(&directory.0.join("store")).unwrap());
    let mut reader = journal.reader().unwrap();
    let error = resume(&mut *journal, &mut *reader).unwrap_err();
    assert!(matches!(error, LogError::Misfit { size: 600, .. }), "{error}");
    assert_eq!(kept_nodes(&*journal), []);
}

/// Walks records up to there.
fn walk(check: &mut LogCheck, journal: &dyn Journal, to: u64) -> Result<(), BadLog> {
    check.turn(&mut *journal.reader().unwrap(), 1..=to).unwrap()?;
    (1..=to).try_for_each(|seq| check.push(leaf(seq)))
}

#[test]
fn a_checkpoint_that_is_signed_while_somebody_verifies_is_no_finding() {
    let key = LogKeyRow { size: 300, key: key(1).verifier().to_string() };
    // Before its page is read, and after.
    for before in [true, false] {
        let directory = Directory::new();
        let mut journal = store(&directory.0, 300, &nodes_of(300), &[]);
        let mut check = LogCheck::begin(&mut *journal.reader().unwrap(), None).unwrap().unwrap();
        if !before {
            assert_eq!(walk(&mut check, &*journal, 300), Ok(()));
        }
        let (epoch, head) = (journal.info().epoch, journal.head());
        let (checkpoints, log_keys) = ([signed(300, root(300))], [key.clone()]);
        let commit = Commit { checkpoints: &checkpoints, log_keys: &log_keys, ..Commit::empty(epoch, head) };
        journal.commit(&commit).unwrap();
        if before {
            assert_eq!(walk(&mut check, &*journal, 300), Ok(()));
        }
        let found = check.finish(&mut *journal.reader().unwrap()).unwrap();
        assert_eq!(found.map(|found| found.checkpoints), Ok(u64::from(before)));
    }
}
