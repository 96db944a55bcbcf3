//! The embedded store between processes: killed writers, readers of other users.
//!
//! The other process is this test binary again, running only [`child`], which does what the environment
//! names.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use osel::store::{
    ALL, Commit, Counters, Entry, EntryKind, Head, Journal, JournalError, NewRecords, NewStore, PartContent,
    Reader, Store, StoredPart, StoredRecord, VersionSet, Whose,
};
use osel_core::time::Timestamp;

const ROLE: &str = "OSEL_TEST_STORE_ROLE";
const DIRECTORY: &str = "OSEL_TEST_STORE_DIRECTORY";
/// Before every line of a child that is meant, among those of the test harness.
const MARK: &str = "child: ";
/// The user and group of nobody in particular.
const NOBODY: u32 = 65_534;
/// How often a writer is killed; each costs a process start.
const KILLS: u64 = 24;

#[test]
fn child() {
    let (Ok(role), Some(directory)) = (std::env::var(ROLE), std::env::var_os(DIRECTORY)) else { return };
    let directory = PathBuf::from(directory);
    match role.as_str() {
        "writer" => write_until_killed(&directory),
        _ => answer(&directory),
    }
}

fn say(text: &str) {
    println!("\n{MARK}{text}");
}

/// Commits batches of all sizes, with a snapshot now and then, and says each head once it is durable.
fn write_until_killed(directory: &Path) {
    let mut journal = match Store::create(directory, &NewStore { id: [1; 16], created_at: Timestamp::EPOCH })
    {
        Err(JournalError::Exists { .. }) => Store::open_writer(directory).unwrap(),
        other => other.unwrap(),
    };
    let epoch = journal.info().epoch;
    for round in epoch.. {
        let head = journal.head();
        let numbers = head.seq + 1..=head.seq + round * 37 % 90;
        let entries: Vec<_> = numbers.clone().map(entry).collect();
        let records: Vec<_> = numbers.clone().map(record).collect();
        let versions: Vec<_> = numbers.map(version).collect();
        let received = head.seq + entries.len() as u64;
        let counters =
            [Counters { source: "s".to_owned(), received, recorded: received, ..Counters::default() }];
        let commit = Commit {
            entries: &entries,
            records: &NewRecords::of(&records),
            versions: &versions,
            counters: &counters,
            ..Commit::empty(epoch, head)
        };
        let head = journal.commit(&commit).unwrap();
        say(&head.seq.to_string());
        if round.is_multiple_of(5) {
            let id = journal.begin_snapshot(head.seq, head.entry, Timestamp::EPOCH).unwrap();
            for chunk in 0..3 {
                journal.add_snapshot_chunk(id, &[chunk; 9000]).unwrap();
            }
            journal.complete_snapshot(id).unwrap();
            journal.prune_snapshots(&mut |info| info.id + 2 > id).unwrap();
        }
    }
}

/// Does what it is told, line by line, and says what came of it.
fn answer(directory: &Path) {
    let mut reader = None;
    for line in std::io::stdin().lines() {
        let result = match line.unwrap().as_str() {
            "write" => Store::open_writer(directory).map(|_| "written".to_owned()),
            "open" => Store::open_reader(directory).map(|opened| {
                reader = Some(opened);
                "opened".to_owned()
            }),
            _ => reader.as_mut().unwrap().head().map(|head| {
                let mut count = 0;
                let each = &mut |_| {
                    count += 1;
                    ControlFlow::Continue(())
                };
                reader.as_mut().unwrap().records(ALL, each).unwrap();
                format!("{} {count}", head.seq)
            }),
        };
        say(&result.unwrap_or_else(|error| error.to_string()));
    }
}

fn entry(number: u64) -> Entry {
    Entry {
        number,
        at: Timestamp::EPOCH.plus_seconds(number as i64),
        kind: EntryKind::MESSAGE,
        source: "s".into(),
        head: Vec::new(),
        body: format!("body {number}").repeat(40).into_bytes(),
        erased: false,
    }
}

fn record(seq: u64) -> StoredRecord {
    let part = StoredPart {
        class: 1,
        project: None,
        whose: Whose::Nobody,
        salt: [9; 16],
        content: PartContent::InEntry,
    };
    let mut hash = [3; 32];
    hash[..8].copy_from_slice(&seq.to_le_bytes());
    StoredRecord {
        seq,
        entry: seq,
        kind: 1,
        time: Timestamp::EPOCH,
        as_of: Timestamp::EPOCH.plus_seconds(seq as i64),
        canonical: format!("record {seq}").repeat(30).into_bytes(),
        hash,
        parts: vec![part],
    }
}

fn version(seq: u64) -> VersionSet {
    VersionSet { seq, data: seq.to_le_bytes().to_vec() }
}

/// A directory that anybody may enter, removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("osel-it-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }

    fn store(&self) -> PathBuf {
        self.0.join("store")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::set_permissions(self.store(), Permissions::from_mode(0o755));
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Another process, killed when it is dropped.
struct Other {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Other {
    fn start(program: &Path, role: &str, directory: &Path, user: Option<u32>) -> Self {
        let mut command = Command::new(program);
        command.args(["--exact", "store::child", "--nocapture", "--test-threads=1"]);
        command.env(ROLE, role).env(DIRECTORY, directory).stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(user) = user {
            command.uid(user).gid(user).current_dir("/");
        }
        let mut process = command.spawn().unwrap();
        let (input, output) = (process.stdin.take(), BufReader::new(process.stdout.take().unwrap()));
        Self { process, input, output }
    }

    /// What it says next; nothing once it has ended.
    fn next(&mut self) -> Option<String> {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            if let Some(said) = line.strip_suffix('\n').and_then(|line| line.strip_prefix(MARK)) {
                return Some(said.to_owned());
            }
            line.clear();
        }
        None
    }

    fn ask(&mut self, order: &str) -> String {
        writeln!(self.input.as_ref().unwrap(), "{order}").unwrap();
        self.next().unwrap()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn collect<T>(read: impl FnOnce(&mut dyn FnMut(T) -> ControlFlow<()>) -> Result<(), JournalError>) -> Vec<T> {
    let mut all = Vec::new();
    read(&mut |one| {
        all.push(one);
        ControlFlow::Continue(())
    })
    .unwrap();
    all
}

#[test]
fn a_writer_killed_at_any_point_loses_nothing_it_had_said() {
    let scratch = Scratch::new("kill");
    let directory = scratch.store();
    let program = std::env::current_exe().unwrap();
    let mut said = 0;
    for kill in 0..KILLS {
        let mut writer = Other::start(&program, "writer", &directory, None);
        // At first before it can have made the store, then ever later; where exactly is up to the machine.
        for _ in 0..kill * kill % 23 {
            said = writer.next().expect("a writer ends only when it is killed").parse().unwrap();
            // Seen at once by others, while it goes on.
            assert!(Store::open_reader(&directory).unwrap().head().unwrap().seq >= said);
        }
        writer.process.kill().unwrap();
        while let Some(last) = writer.next() {
            said = last.parse().unwrap();
        }
        drop(writer);
        check(&directory, said);
    }
    assert!(said > 0);
}

/// The store is whole and has everything up to `said`.
fn check(directory: &Path, said: u64) {
    let mut reader = match Store::open_reader(directory) {
        Err(JournalError::Missing { .. } | JournalError::NotAStore { .. }) if said == 0 => return,
        other => other.unwrap(),
    };
    let head = reader.head().unwrap();
    assert!(head.seq >= said, "{} {said}", head.seq);
    let numbers = 1..=head.seq;
    assert_eq!(collect(|each| reader.records(ALL, each)), numbers.clone().map(record).collect::<Vec<_>>());
    assert_eq!(collect(|each| reader.entries(ALL, each)), numbers.clone().map(entry).collect::<Vec<_>>());
    assert_eq!(collect(|each| reader.versions(ALL, each)), numbers.map(version).collect::<Vec<_>>());
    assert_eq!(reader.ledger().unwrap().first().map_or(0, |counters| counters.received), head.seq);
    for info in reader.snapshots().unwrap() {
        assert_eq!(collect(|each| reader.snapshot(info.id, each)), [[0; 9000], [1; 9000], [2; 9000]]);
    }
    if head.seq > 0 {
        assert_eq!(head, Head { seq: head.seq, hash: record(head.seq).hash, entry: head.seq });
    }
}

fn add(journal: &mut impl Journal) {
    let (head, epoch) = (journal.head(), journal.info().epoch);
    let (entries, records) = ([entry(head.entry + 1)], [record(head.seq + 1)]);
    journal
        .commit(&Commit {
            entries: &entries,
            records: &NewRecords::of(&records),
            ..Commit::empty(epoch, head)
        })
        .unwrap();
}

/// Only root can become somebody else; another user makes the directory one that he may not write himself.
#[test]
fn somebody_else_may_read_but_not_write() {
    let scratch = Scratch::new("others");
    let directory = scratch.store();
    let mut journal =
        Store::create(&directory, &NewStore { id: [1; 16], created_at: Timestamp::EPOCH }).unwrap();
    add(&mut journal);
    drop(journal);
    let (mut program, mut user) = (std::env::current_exe().unwrap(), None);
    let root = rustix::process::geteuid().is_root();
    if root {
        // Where the binary lies, others may not be let in. Copied by another process: were the copy open for
        // writing in this one, a child of another test could still have it so, and it could not be run.
        let copy = scratch.0.join("program");
        assert!(Command::new("cp").args([&program, &copy]).status().unwrap().success());
        (program, user) = (copy, Some(NOBODY));
    }
    let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let shown = directory.display();

    mode(&directory, 0o000);
    if root {
        // Root's own rights are another user's lack of them.
        mode(&directory, 0o700);
    }
    let mut other = Other::start(&program, "answerer", &directory, user);
    for order in ["open", "write"] {
        let said = other.ask(order);
        assert_eq!(said, format!("no permission to look at `{shown}/journal.db`"));
    }
    mode(&directory, 0o555);
    mode(&directory.join("journal.db"), if root { 0o644 } else { 0o444 });
    assert_eq!(other.ask("open"), "opened");
    assert_eq!(other.ask("read"), "1 1");
    let said = other.ask("write");
    if !root {
        assert!(said.starts_with("no permission to "), "{said}");
        return;
    }
    assert_eq!(
        said,
        format!("the store at `{shown}` belongs to user 0, not to user {NOBODY}: run as user 0 or as root")
    );
    // A writer that begins beside a reader is seen by it, and so is what it did after it has ended.
    let mut journal = Store::open_writer(&directory).unwrap();
    add(&mut journal);
    assert_eq!(other.ask("read"), "2 2");
    add(&mut journal);
    assert_eq!(other.ask("read"), "3 3");
    drop(journal);
    assert_eq!(other.ask("read"), "3 3");
    assert_eq!(other.ask("open"), "opened");
    let mut journal = Store::open_writer(&directory).unwrap();
    add(&mut journal);
    drop(journal);
    assert_eq!(other.ask("read"), "4 4");
}
