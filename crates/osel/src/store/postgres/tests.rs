//! What the shared store does beyond what every store must.

#[path = "../../../tests/support/postgres.rs"]
mod server;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use osel_core::time::Timestamp;

use self::server::Postgres;
use super::super::code::{content_bytes, write_parts};
use super::super::data::*;
use super::super::error::{ErrorClass, JournalError, Place};
use super::super::journal::{Journal, Reader};
use super::super::new_records::NewRecords;
use super::super::suite::{add, collect, entry, record, seconds, suite};
use super::super::suite_persons;
use super::connect::{At, Link, Mode};
use super::schema::{self, MIGRATIONS};
use super::{PostgresJournal, PostgresReader, inspect, lease, writer};
use crate::config::{PostgresConfig, PostgresHost, Secret};

/// A server for one test, and its databases.
struct Server(Postgres);

impl Server {
    fn new() -> Self {
        // Only the name of the socket has a port here.
        Self(Postgres::start(port(), ""))
    }

    fn database(&self) -> (String, PostgresConfig) {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("d{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let config = PostgresConfig::parse(&self.0.database(&name), &|_| None).unwrap();
        (name, config)
    }
}

/// A port that is free now.
fn port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn new() -> NewStore {
    NewStore { id: *b"0123456789abcdef", created_at: seconds(7) }
}

fn create(config: &PostgresConfig) -> PostgresJournal {
    PostgresJournal::open(config, Some(&new())).unwrap()
}

fn open(config: &PostgresConfig) -> Result<PostgresJournal, JournalError> {
    PostgresJournal::open(config, None)
}

#[test]
fn does_what_every_store_must() {
    let server = Server::new();
    suite(&mut || Box::new(create(&server.database().1)));
    let mut journal = create(&server.database().1);
    journal.draw_from(suite_persons::chance(suite_persons::DRAWN));
    suite_persons::numbers_are_given_once(&mut journal);
    let mut journal = create(&server.database().1);
    journal.draw_from(Box::new(|| Ok(5 << 32)));
    suite_persons::numbers_that_repeat_are_no_chance(&mut journal);
    let (name, config) = server.database();
    suite_persons::locked_parts_take_their_segments(&mut create(&config), &mut || {
        server.0.sql(&name, "DELETE FROM osel.persons WHERE label = 'user:mallory'");
    });
}

#[test]
fn one_leads_and_who_comes_after_goes_on() {
    let server = Server::new();
    let (name, config) = server.database();
    assert!(matches!(open(&config), Err(JournalError::Missing { .. })));
    assert!(matches!(PostgresReader::open(&config), Err(JournalError::Missing { .. })));
    let mut first = create(&config);
    let info = StoreInfo {
        id: "30313233343536373839616263646566".to_owned(),
        format: MIGRATIONS.len() as u32,
        created_at: seconds(7),
        epoch: 1,
    };
    assert_eq!(*first.info(), info);
    let head = add(&mut first, 3).unwrap();
    // Nobody else leads, and who asks is told who does.
    let error = PostgresJournal::open(&config, Some(&new())).unwrap_err();
    let words = format!("is in use by process {} on ", std::process::id());
    assert!(matches!(error, JournalError::InUse { .. }) && error.to_string().contains(&words), "{error}");
    assert_eq!(error.class(), ErrorClass::Config);
    // Readers are kept out by nobody.
    assert_eq!(PostgresReader::open(&config).unwrap().head().unwrap(), head);

    // Whoever gives up the lead does so at once.
    drop(first);
    let mut second = open(&config).unwrap();
    assert_eq!((second.info().epoch, second.head()), (2, head));
    // One who commits nothing keeps it, by its signs.
    let lease = "SELECT renewed_at FROM osel.meta";
    let before = server.0.sql(&name, lease);
    server.0.until("a sign", || server.0.sql(&name, lease) != before);

    // Its signs count, whatever the database's clock said when it gave the last.
    server.0.sql(&name, "UPDATE osel.meta SET renewed_at = now() - interval '1 hour'");
    assert!(matches!(open(&config), Err(JournalError::InUse { .. })));

    // One who is taken for gone is deposed by the next, and neither writes nor renews nor gives up what is not its own.
    server.0.sql(&name, "UPDATE osel.meta SET holder = NULL");
    let mut third = open(&config).unwrap();
    let epoch = third.info().epoch;
    assert_eq!(epoch, 3);
    let error = add(&mut second, 4).unwrap_err();
    assert!(matches!(error, JournalError::Deposed { ours: 2, current: 3, .. }), "{error}");
    assert!(matches!(second.reopen(), Err(JournalError::Deposed { ours: 2, current: 3, .. })));
    assert!(matches!(second.begin_snapshot(1, 1, seconds(1)), Err(JournalError::Poisoned { .. })));
    drop(second);
    assert_eq!(add(&mut third, 4).unwrap().seq, 4);
    assert!(matches!(open(&config), Err(JournalError::InUse { .. })));
}

#[test]
fn who_gives_no_sign_is_followed_by_whoever_saw_that() {
    let server = Server::new();
    let (name, config) = server.database();
    drop(create(&config));
    let access = || -> super::Access {
        let config = config.clone();
        std::sync::Arc::new(move || config.clone())
    };
    // A leader who is gone, by a clock that went back since.
    server.0.sql(&name, "UPDATE osel.meta SET holder = '7 on there', renewed_at = now() + interval '1 hour'");
    let seen = PostgresReader::open_latest(&config).unwrap().lease().unwrap();
    assert_eq!(seen.holder.as_deref(), Some("7 on there"));
    let at_once = PostgresJournal::open_by(access(), None, None).unwrap_err();
    assert!(at_once.to_string().ends_with("is in use by process 7 on there"), "{at_once}");
    // It was not gone: it has given a sign since it was looked at.
    server.0.sql(&name, "UPDATE osel.meta SET renewed_at = now() + interval '2 hours'");
    let refused = PostgresJournal::open_by(access(), None, Some(&seen));
    assert!(matches!(refused, Err(JournalError::InUse { .. })));
    let seen = PostgresReader::open_latest(&config).unwrap().lease().unwrap();
    assert_eq!(PostgresJournal::open_by(access(), None, Some(&seen)).unwrap().info().epoch, 2);
    // A command does the watching itself.
    server.0.sql(&name, "UPDATE osel.meta SET holder = '7 on there', renewed_at = now() + interval '1 hour'");
    assert_eq!(open(&config).unwrap().info().epoch, 3);
    // Nobody ended a session in the middle of something.
    assert!(!server.0.log().contains("unexpected EOF"), "{}", server.0.log());
}

#[test]
fn an_epoch_that_comes_again_after_a_failover_deposes_all_the_same() {
    let server = Server::new();
    let (name, config) = server.database();
    drop(create(&config));
    let mut first = open(&config).unwrap();
    let head = add(&mut first, 3).unwrap();
    // The database falls back behind the taking of the lead, and gives the same epoch again.
    server.0.sql(&name, "UPDATE osel.meta SET epoch = epoch - 1, holder = NULL");
    let mut second = open(&config).unwrap();
    assert_eq!((first.info().epoch, second.info().epoch), (2, 2));
    let error = add(&mut first, 4).unwrap_err();
    assert!(matches!(error, JournalError::Deposed { ours: 2, current: 2, .. }), "{error}");
    assert!(matches!(first.reopen(), Err(JournalError::Deposed { ours: 2, current: 2, .. })));
    drop(first);
    assert_eq!(second.head(), head);
    add(&mut second, 4).unwrap();
    let error = second.begin_snapshot(1, 1, seconds(1)).map(|_| {
        server.0.sql(&name, "UPDATE osel.meta SET token = ''");
        second.begin_snapshot(1, 1, seconds(1)).unwrap_err()
    });
    assert!(matches!(error, Ok(JournalError::Deposed { ours: 2, current: 2, .. })), "{error:?}");
}

#[test]
fn somebody_deposed_changes_nothing_else_either() {
    let server = Server::new();
    let (name, config) = server.database();
    let mut journal = create(&config);
    add(&mut journal, 3).unwrap();
    let expiry = Expiry { parts: [(1, 2)].into(), ..Expiry::default() };
    let order = Commit { expiry: Some(&expiry), ..Commit::empty(1, journal.head()) };
    journal.commit(&order).unwrap();
    let id = journal.begin_snapshot(2, 2, seconds(1)).unwrap();
    server.0.sql(&name, "UPDATE osel.meta SET epoch = 9");
    type Step = fn(&mut PostgresJournal, u64) -> Result<(), JournalError>;
    let steps: [Step; 5] = [
        |journal, _| journal.begin_snapshot(3, 3, seconds(2)).map(drop),
        |journal, id| journal.add_snapshot_chunk(id, b"late"),
        |journal, id| journal.complete_snapshot(id).map(drop),
        |journal, _| journal.erase_part(2, 1, None).map(drop),
        |journal, _| journal.expire(Duration::ZERO).map(drop),
    ];
    for step in steps {
        server.0.sql(&name, "UPDATE osel.meta SET epoch = 1");
        journal.reopen().unwrap();
        server.0.sql(&name, "UPDATE osel.meta SET epoch = 9");
        let error = step(&mut journal, id).unwrap_err();
        assert!(matches!(error, JournalError::Deposed { ours: 1, current: 9, .. }), "{error}");
    }
    assert_eq!(journal.reader().unwrap().record(2).unwrap(), Some(record(2)));
    assert_eq!(
        server.0.sql(&name, "SELECT count(*), sum(chunks) FROM osel.snapshot_index WHERE NOT complete"),
        "1|0"
    );
}

#[test]
fn what_a_store_takes_is_reckoned_and_becomes_less() {
    let server = Server::new();
    let (name, config) = server.database();
    let mut journal = create(&config);
    let mut state = 1_u64;
    // What does not compress, so that it takes what it has.
    let mut noise = |bytes| -> Vec<u8> {
        let mut byte = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 32) as u8
        };
        (0..bytes).map(&mut byte).collect()
    };
    for _ in 0..8 {
        let head = journal.head();
        let numbers = head.seq + 1..=head.seq + 250;
        let entries: Vec<_> =
            numbers.clone().map(|number| Entry { body: noise(900), ..entry(number) }).collect();
        let records: Vec<_> = numbers.map(record).collect();
        let versions = [VersionSet { seq: head.seq + 1, data: noise(100_000) }];
        let commit = Commit {
            entries: &entries,
            records: &NewRecords::of(&records),
            versions: &versions,
            ..Commit::empty(1, head)
        };
        journal.commit(&commit).unwrap();
    }
    let to = journal.head().seq;
    let snapshot = journal.begin_snapshot(to, to, seconds(1)).unwrap();
    journal.add_snapshot_chunk(snapshot, &noise(1_000_000)).unwrap();
    journal.complete_snapshot(snapshot).unwrap();
    let mut reader = journal.reader().unwrap();
    let before = reader.holdings().unwrap();
    let taken = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class \
                 WHERE relnamespace = 'osel'::regnamespace AND relkind = 'r'";
    let taken: u64 = server.0.sql(&name, taken).parse().unwrap();
    assert!(before.used_bytes.abs_diff(taken) < taken / 10, "{before:?} {taken}");

    let parts = |reader: &mut dyn Reader| {
        let content = |record: &StoredRecord| {
            let mut packed = Vec::new();
            write_parts(&record.parts, &mut packed);
            content_bytes(&record.parts, packed.len()) as u64
        };
        let there: u64 = collect(|each| reader.records(ALL, each)).iter().map(content).sum();
        (reader.holdings().unwrap().part_bytes, there)
    };
    let (told, there) = parts(&mut *reader);
    assert_eq!(told, there);
    let checkpoint = Checkpoint { snapshot, seq: to, entry: to };
    let expiry = Expiry { checkpoint, parts: [(1, to), (2, to)].into(), ..Expiry::default() };
    journal.commit(&Commit { expiry: Some(&expiry), ..Commit::empty(1, journal.head()) }).unwrap();
    while journal.expire(Duration::ZERO).unwrap() {}
    let after = reader.holdings().unwrap();
    let (told, there) = parts(&mut *reader);
    assert_eq!(told, there);
    let went = |of: fn(&Holdings) -> u64| of(&before) - of(&after);
    // Of parts something remains, which counts with their records.
    let content = went(|held| held.input_bytes + held.version_bytes);
    assert!(content > 2_600_000 && went(|held| held.used_bytes) >= content, "{before:?} {after:?}");
    // Also erasure of one part counts.
    journal.erase_part(to, 3, None).unwrap();
    let (told, there) = parts(&mut *reader);
    assert_eq!(told, there);
}

#[test]
fn a_server_that_goes_and_comes_loses_nothing() {
    let server = Server::new();
    let (name, config) = server.database();
    let mut journal = create(&config);
    let head = add(&mut journal, 3).unwrap();
    let mut reader = journal.reader().unwrap();
    for mode in ["fast", "immediate"] {
        let head = journal.head();
        server.0.stop(mode);
        assert!(!server.0.is_running());
        let next = head.seq + 1;
        let error = add(&mut journal, next).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Transient, "{error:?}");
        assert!(matches!(add(&mut journal, next), Err(JournalError::Poisoned { .. })));
        assert_eq!(journal.reopen().unwrap_err().class(), ErrorClass::Transient);
        assert_eq!(reader.head().unwrap_err().class(), ErrorClass::Transient);
        server.0.run();
        assert_eq!(journal.reopen().unwrap(), head);
        assert_eq!(add(&mut journal, next).unwrap().seq, next);
        assert_eq!(reader.head().unwrap(), journal.head());
    }
    // Nor is a commit that was done, though it was reported as failed, done twice.
    let head = Head { entry: head.entry + 2, seq: head.seq + 2, hash: [5; 32] };
    let entries = [entry(6)];
    let commit = Commit { entries: &entries, ..Commit::empty(journal.info().epoch, head) };
    journal.fail_after(&commit);
    assert_eq!(journal.reopen().unwrap(), commit.head_after());
    assert_eq!(collect(|each| reader.entries(6..=9, each)), entries);
    // A session that the server ends is not gone on with.
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'osel'";
    server.0.sql(&name, end);
    assert_eq!(reader.head().unwrap(), journal.head());
    let error = add(&mut journal, 7).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Transient, "{error:?}");
    journal.reopen().unwrap();
    add(&mut journal, 7).unwrap();
    // Whoever restored an older backup beneath a writer has another store.
    server.0.sql(&name, "DELETE FROM osel.records WHERE seq = 7");
    assert_eq!(journal.reopen().unwrap_err().place(), Some(Place::Record(7)));
    server.0.sql(
        &name,
        "UPDATE osel.meta SET (seq, hash) = (SELECT seq, hash FROM osel.records ORDER BY seq DESC LIMIT 1)",
    );
    assert!(matches!(journal.reopen(), Err(JournalError::HeadMoved { .. })));
}

#[test]
fn a_writer_that_is_paused_within_a_commit_is_ended_by_the_server() {
    let server = Server::new();
    let (name, config) = server.database();
    let mut journal = create(&config);
    add(&mut journal, 2).unwrap();
    let path = std::path::PathBuf::from(config.to_string());
    let at = At { path: &path };
    // A leader that stands still in the middle of its commit, with the row of the epoch locked.
    let mut paused = Link::open(&at, &config, Mode::Write).unwrap();
    let failed = at.sql(Place::Meta, "write");
    paused
        .run(&at, "write", async |session| {
            session.batch("BEGIN; UPDATE meta SET entry = 99").await.map_err(&failed)
        })
        .unwrap();
    // Nobody waits for it without end, though nobody may overtake it before the server has ended it, whatever they saw.
    let seen = PostgresReader::open_latest(&config).unwrap().lease().unwrap();
    let overtaken = PostgresJournal::open_by(std::sync::Arc::new(move || config.clone()), None, Some(&seen));
    assert!(matches!(overtaken, Err(JournalError::InUse { .. })));
    server.0.until("the session is ended", || {
        let idle = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'";
        server.0.sql(&name, idle) == "0"
    });
    let committed = paused.run(&at, "write", async |session| session.batch("COMMIT").await.map_err(&failed));
    assert!(committed.is_err());
    assert_eq!(server.0.sql(&name, "SELECT entry FROM osel.meta"), "2");
}

#[test]
fn what_is_no_store_or_a_newer_one_is_named_and_left_alone() {
    let server = Server::new();
    let (name, config) = server.database();
    server.0.sql(&name, "CREATE SCHEMA osel AUTHORIZATION osel; CREATE TABLE osel.bookmarks (url text)");
    let text = "its schema `osel` belongs to something else";
    for error in [
        PostgresJournal::open(&config, Some(&new())).unwrap_err(),
        PostgresReader::open(&config).unwrap_err(),
    ] {
        assert!(error.to_string().ends_with(text), "{error}");
    }
    let nowhere = PostgresConfig { database: "nowhere".to_owned(), ..config.clone() };
    let error = open(&nowhere).unwrap_err();
    assert!(error.to_string().ends_with("is no store: the server has no such database"), "{error}");
    // Such a database takes some texts and not others, and one message would end every leader.
    server.0.sql("postgres", "CREATE DATABASE ascii OWNER osel ENCODING 'SQL_ASCII' TEMPLATE template0");
    let ascii = PostgresConfig { database: "ascii".to_owned(), ..config.clone() };
    let error = PostgresJournal::open(&ascii, Some(&new())).unwrap_err();
    assert!(error.to_string().contains("is no store: the database is not in UTF-8"), "{error}");
    assert_eq!(error.class(), ErrorClass::Config);
    assert!(error.to_string().ends_with(inspect(&ascii).unwrap().refusal.unwrap()), "{error}");
    assert_eq!(inspect(&config).unwrap().refusal, None);
    let stranger = PostgresConfig { user: "stranger".to_owned(), ..config };
    assert!(matches!(open(&stranger), Err(JournalError::NoPermission { .. })));

    let (name, config) = server.database();
    drop(create(&config));
    server.0.sql(&name, "UPDATE osel.meta SET format = 99");
    for error in [open(&config).unwrap_err(), PostgresReader::open(&config).unwrap_err()] {
        assert!(matches!(error, JournalError::TooNew { found: 99, .. }), "{error}");
    }
    assert_eq!(server.0.sql(&name, "SELECT epoch FROM osel.meta"), "1");
}

#[test]
fn migrations_are_all_done_or_none_and_with_the_lease() {
    let server = Server::new();
    let (name, config) = server.database();
    drop(create(&config));
    let path = std::path::PathBuf::from(config.to_string());
    let at = At { path: &path };
    let lead = |migrations: &[&str]| {
        let mut link = Link::open(&at, &config, Mode::Write).unwrap();
        link.run(&at, "open", async |session| {
            let seen = lease::unheld(&at, session).await?;
            writer::lead(&at, session, migrations, &seen).await.map(|term| term.epoch)
        })
    };
    // What a later osel might add; real ones are files, brought in by the same function.
    let later = "ALTER TABLE records ADD COLUMN note text; CREATE TABLE added (id bigint)";
    let broken = "CREATE TABLE half (id bigint); INSERT INTO nowhere VALUES (1)";
    let state = "SELECT format, epoch, to_regclass('osel.added') IS NULL, to_regclass('osel.half') IS NULL FROM osel.meta";
    let and = |more: &[&'static str]| [MIGRATIONS, more].concat();
    let known = MIGRATIONS.len();
    let error = lead(&and(&[later, broken])).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Bug, "{error}");
    assert_eq!(server.0.sql(&name, state), format!("{known}|1|t|t"));
    assert_eq!(lead(&and(&[later])).unwrap(), 2);
    assert_eq!(server.0.sql(&name, state), format!("{}|2|f|t", known + 1));
    // The one who took it is not there any more: this osel knows no such format, and takes nothing.
    server.0.sql(&name, "UPDATE osel.meta SET holder = NULL");
    let Err(JournalError::TooNew { found, .. }) = open(&config) else { panic!("it was opened") };
    assert_eq!(found as usize, known + 1);
    assert_eq!(server.0.sql(&name, state), format!("{}|2|f|t", known + 1));
}

#[test]
fn a_first_format_store_comes_to_the_present_one_with_its_content() {
    let server = Server::new();
    let (name, config) = server.database();
    let path = std::path::PathBuf::from(config.to_string());
    let at = At { path: &path };
    let mut link = Link::open(&at, &config, Mode::Write).unwrap();
    link.run(&at, "make", async |session| schema::create(&at, session, &MIGRATIONS[..1], &new()).await)
        .unwrap();
    drop(link);
    let command = "INSERT INTO osel.commands VALUES ('c', 1, 'planned', '{}', 30)";
    server.0.sql(&name, command);
    assert!(matches!(PostgresReader::open(&config), Err(JournalError::TooOld { found: 1, .. })));
    let journal = open(&config).unwrap();
    assert_eq!(journal.info().format as usize, MIGRATIONS.len());
    let mut reader = journal.reader().unwrap();
    assert_eq!(reader.command("c").unwrap().unwrap().state, "planned");
    assert_eq!(reader.finding("c").unwrap(), None);
}

#[test]
fn two_who_make_a_store_make_one() {
    let server = Server::new();
    let (_, config) = server.database();
    let results: Vec<_> = std::thread::scope(|scope| {
        let make = || PostgresJournal::open(&config, Some(&new()));
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let is_standby = |result: &Result<_, _>| matches!(result, Err(JournalError::InUse { .. }));
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    assert!(results.iter().all(|result| result.is_ok() || is_standby(result)), "{results:?}");
}

#[test]
fn a_page_ends_by_its_bytes_and_damage_is_named_by_its_place() {
    let server = Server::new();
    let (name, config) = server.database();
    let mut journal = create(&config);
    let large = |seq| StoredRecord {
        parts: vec![StoredPart {
            class: 1,
            project: None,
            whose: Whose::Nobody,
            salt: [1; 16],
            content: PartContent::Bytes(vec![7; 3 << 20]),
        }],
        ..record(seq)
    };
    let (entries, records) = ([1, 2, 3, 4, 5].map(entry), [1, 2, 3, 4, 5].map(large));
    let commit =
        Commit { entries: &entries, records: &NewRecords::of(&records), ..Commit::empty(1, Head::EMPTY) };
    journal.commit(&commit).unwrap();
    add(&mut journal, 20).unwrap();
    let mut reader = journal.reader().unwrap();
    assert_eq!(collect(|each| reader.records(ALL, each))[..5], records);
    server.0.sql(&name, "UPDATE osel.records SET parts = '\\x02'::bytea || substr(parts, 2) WHERE seq = 7");
    server.0.sql(&name, "UPDATE osel.records SET hash = '\\x00' WHERE seq = 9");
    server.0.sql(&name, "UPDATE osel.blocks SET data = substr(data, 2)");
    let mut seqs = Vec::new();
    let error = reader
        .records(ALL, &mut |record| {
            seqs.push(record.seq);
            std::ops::ControlFlow::Continue(())
        })
        .unwrap_err();
    assert_eq!((seqs, error.place()), ((1..=6).collect(), Some(Place::Record(7))));
    assert_eq!(reader.record(9).unwrap_err().place(), Some(Place::Record(9)));
    assert_eq!(reader.record(8).unwrap(), Some(record(8)));
    assert_eq!(reader.entry(3).unwrap_err().place(), Some(Place::Entry(1)));
}

#[test]
fn texts_of_the_bus_of_any_sort_are_taken() {
    let server = Server::new();
    let (_, config) = server.database();
    let mut journal = create(&config);
    let item = QuarantineItem {
        id: 1,
        entry: 1,
        source: "one".to_owned(),
        at: Timestamp::EPOCH,
        reason_code: "not_json".to_owned(),
        reason: "found `\0`".to_owned(),
        event_type: Some("a\0b".to_owned()),
        message_id: Some("\0".to_owned()),
        state: QuarantineState::Held,
    };
    let (entries, quarantine) = ([entry(1)], [item]);
    let unmodelled = [("a\0", 1), ("a\u{fffd}", 2), (&*"x".repeat(100_000), 3)];
    let unmodelled = unmodelled.map(|(name, count)| (name.to_owned(), count)).into();
    let counters = [Counters { source: "one".to_owned(), unmodelled, ..Counters::default() }];
    let commit = Commit {
        entries: &entries,
        quarantine: &quarantine,
        counters: &counters,
        ..Commit::empty(1, Head::EMPTY)
    };
    journal.commit(&commit).unwrap();
    assert_eq!(journal.reader().unwrap().ledger().unwrap()[0].unmodelled.len(), 2);
    let found = journal.reader().unwrap().quarantine_item(1).unwrap().unwrap();
    assert_eq!(found.event_type.as_deref(), Some("a\u{fffd}b"));
}

#[test]
fn what_a_database_loses_is_seen() {
    let server = Server::new();
    let (name, config) = server.database();
    // The tests' server does without.
    let found = inspect(&config).unwrap();
    assert!(!found.fsync && found.full_page_writes && !found.is_standby, "{found:?}");
    assert_eq!((found.synchronous_commit.as_str(), &found.asynchronous_standbys), ("on", &Vec::new()));
    let mut standby = server.0.follow();
    // The role may not see its state, and need not where commits wait for nobody.
    assert_eq!(inspect(&config).unwrap().asynchronous_standbys, ["pg_receivewal"]);
    standby.kill().unwrap();
    standby.wait().unwrap();
    server.0.sql(&name, "ALTER ROLE osel SET synchronous_commit = off");
    assert_eq!(inspect(&config).unwrap().synchronous_commit, "off");
    // A writer asks for more.
    let path = std::path::PathBuf::from(config.to_string());
    let at = At { path: &path };
    let mut link = Link::open(&at, &config, Mode::Write).unwrap();
    let failed = at.sql(Place::Meta, "read");
    let shown = link.run(&at, "read", async |session| {
        session.query("SHOW synchronous_commit", &[]).await.map_err(&failed)
    });
    assert_eq!(shown.unwrap()[0].get::<_, String>(0), "on");
}

#[test]
fn each_connection_asks_how_the_store_is_reached_now() {
    let server = Server::new();
    let (name, config) = server.database();
    let user = std::sync::Arc::new(std::sync::Mutex::new("osel".to_owned()));
    let now = std::sync::Arc::clone(&user);
    let access = move || PostgresConfig { user: now.lock().unwrap().clone(), ..config.clone() };
    let mut journal = PostgresJournal::open_by(std::sync::Arc::new(access), Some(&new()), None).unwrap();
    let head = add(&mut journal, 1).unwrap();
    server.0.sql(&name, "ALTER ROLE osel RENAME TO exchanged");
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() \
               AND pid <> pg_backend_pid()";
    server.0.sql(&name, end);
    assert!(add(&mut journal, 2).is_err());
    assert!(matches!(journal.reopen(), Err(JournalError::NoPermission { .. })));
    "exchanged".clone_into(&mut user.lock().unwrap());
    assert_eq!(journal.reopen().unwrap(), head);
    add(&mut journal, 2).unwrap();
    // Its signs find the way as well.
    let lease = "SELECT renewed_at FROM osel.meta";
    let before = server.0.sql(&name, lease);
    server.0.until("a sign", || server.0.sql(&name, lease) != before);
}

#[test]
fn a_password_is_asked_for_and_may_be_exchanged() {
    let server = Server::new();
    let (name, config) = server.database();
    server.0.authenticate("local all all scram-sha-256");
    let with = |password: &str| PostgresConfig {
        password: Some(Secret::new(password.to_owned())),
        ..config.clone()
    };
    let error = PostgresJournal::open(&config, Some(&new())).unwrap_err();
    assert!(format!("{error:?}").contains("password missing"), "{error:?}");
    let error = PostgresJournal::open(&with("wrong"), Some(&new())).unwrap_err();
    assert!(matches!(error, JournalError::NoPermission { .. }), "{error:?}");
    let now = std::sync::Arc::new(std::sync::Mutex::new(with("a-secret-of-osel")));
    let told = std::sync::Arc::clone(&now);
    let access = std::sync::Arc::new(move || told.lock().unwrap().clone());
    let mut journal = PostgresJournal::open_by(access, Some(&new()), None).unwrap();
    let head = add(&mut journal, 1).unwrap();
    server.0.sql(&name, "ALTER ROLE osel PASSWORD 'exchanged'");
    server
        .0
        .sql(&name, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'osel'");
    assert!(add(&mut journal, 2).is_err());
    let error = journal.reopen().unwrap_err();
    assert!(matches!(error, JournalError::NoPermission { .. }), "{error:?}");
    assert!(!format!("{error:?}").contains("a-secret-of-osel"), "{error:?}");
    *now.lock().unwrap() = with("exchanged");
    assert_eq!(journal.reopen().unwrap(), head);
    add(&mut journal, 2).unwrap();
}

#[test]
fn a_session_begins_with_nothing_that_a_pooler_refuses() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let pooler = std::thread::spawn(move || {
        let mut begun = [0; 1024];
        let length = std::io::Read::read(&mut listener.accept().unwrap().0, &mut begun).unwrap();
        String::from_utf8_lossy(&begun[..length]).into_owned()
    });
    let url = format!("postgresql://osel@127.0.0.1:{port}/osel?sslmode=disable");
    assert!(open(&PostgresConfig::parse(&url, &|_| None).unwrap()).is_err());
    let begun = pooler.join().unwrap();
    assert!(begun.contains("application_name") && !begun.contains("options"), "{begun:?}");
}

/// Whoever stands by asks for it all the time, and cannot be stopped while it waits: not as long as for a page of records.
#[test]
fn who_leads_is_not_waited_for_as_long_as_for_records() {
    let server = Server::new();
    let (name, config) = server.database();
    drop(create(&config));
    let mut reader = PostgresReader::open_latest(&config).unwrap();
    reader.lease().unwrap();
    let mut other = PostgresReader::open_latest(&config).unwrap();
    let mut held = server.0.hold(&name, "LOCK TABLE osel.meta IN ACCESS EXCLUSIVE MODE");
    let (begun, begins) = std::sync::mpsc::channel();
    let of_records = std::thread::spawn(move || {
        begun.send(()).unwrap();
        other.head().is_ok()
    });
    begins.recv().unwrap();
    assert!(reader.lease().is_err());
    // What was asked for before is waited for still.
    assert!(!of_records.is_finished());
    held.kill().unwrap();
    held.wait().unwrap();
    assert!(of_records.join().unwrap());
    reader.lease().unwrap();
}

#[test]
fn of_several_servers_the_one_that_is_written_is_gone_on_with() {
    let server = Server::new();
    let (name, config) = server.database();
    drop(create(&config));
    let standby = server.0.standby(port());
    // The first takes connections and never answers, the second only reads.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let silent = PostgresHost {
        host: "127.0.0.1".to_owned(),
        port: listener.local_addr().unwrap().port(),
        password: None,
    };
    let of = |url: String| PostgresConfig::parse(&url, &|_| None).unwrap().hosts.remove(0);
    let hosts = vec![silent, of(standby.url(&name)), of(server.0.url(&name))];
    let all = PostgresConfig { hosts, connect_timeout_seconds: 2, ..config };
    let mut journal = open(&all).unwrap();
    // Nobody waits for the silent one who knows by now which is written.
    assert_eq!(std::iter::from_fn(|| listener.accept().ok()).count(), 0);
    // What is looked at is what is written, though another answers first; where only that does, it is said.
    let mut readable = all.clone();
    readable.hosts.remove(0);
    assert!(!inspect(&readable).unwrap().is_standby);
    readable.hosts.truncate(1);
    assert!(inspect(&readable).unwrap().is_standby);
    standby.sql(&name, "SELECT pg_wal_replay_pause()");
    let head = add(&mut journal, 3).unwrap();
    assert_eq!(journal.reader().unwrap().head().unwrap(), head);
    assert_eq!(PostgresReader::open(&all).unwrap().head().unwrap(), Head::EMPTY);
    standby.sql(&name, "SELECT pg_wal_replay_resume()");
    // The one is gone, and the other takes its place: what was committed before is there.
    standby.until("it has come after", || standby.sql(&name, "SELECT seq FROM osel.meta") == "3");
    server.0.stop("immediate");
    assert!(add(&mut journal, 4).is_err());
    assert!(journal.reopen().is_err());
    standby.sql(&name, "SELECT pg_promote()");
    assert_eq!(journal.reopen().unwrap(), head);
    add(&mut journal, 4).unwrap();
}
