//! Old content goes, whatever the schedule and wherever it is cut short: the trail verifies, what is known stays, and a state from
//! behind the horizon is refused rather than guessed.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use osel::config::PostgresConfig;
use osel::runtime::retention::policy::{Limit, Policy};
use osel::runtime::retention::{Decision, survey};
use osel::runtime::state::Follower;
use osel::runtime::verification::{Finding, verify};
use osel::runtime::{Recorder, state};
use osel::store::{
    Commit, Entry, Journal, JournalError, NewStore, PostgresJournal, PostgresReader, Reader, Store,
};
use osel_core::decode::decode;
use osel_core::engine::{BudgetState, Engine, EngineLine, EngineOptions, Retention};
use osel_core::event::{Properties, RawMessage};
use osel_core::time::Timestamp;
use osel_sim::cloud::{Cloud, CloudOptions};
use osel_sim::random::Random;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::broker::{Postgres, free_port};
use crate::command::{Place, json_lines, osel, refused, run};
use crate::retention_classes::some_policy;

const DAY: i64 = 86_400;
/// When the first of the days begins: long ago by any clock.
const FIRST: i64 = 1_577_836_800;
/// How many things users of the cloud do in a day.
const STEPS_A_DAY: usize = 12;

pub(crate) fn day(day: i64) -> Timestamp {
    Timestamp::EPOCH.plus_seconds(FIRST + day * DAY)
}

fn new() -> NewStore {
    NewStore { id: [7; 16], created_at: day(0) }
}

fn database(url: &str) -> PostgresConfig {
    PostgresConfig::parse(url, &|_| None).unwrap()
}

/// A store that listens to a simulated cloud.
pub(crate) struct Listener {
    path: String,
    /// How large the chunks of its snapshots are, when not as usual.
    pub(crate) chunk_bytes: Option<usize>,
    cloud: Cloud,
    today: i64,
    /// The clouds after some of the records, as lines.
    pub(crate) states: BTreeMap<u64, Vec<String>>,
}

impl Listener {
    pub(crate) fn new(place: &Place, name: &str, seed: u64) -> Self {
        let path = place.path(name);
        drop(Store::create(Path::new(&path), &new()).unwrap());
        Self::of(path, seed)
    }

    /// The same in a database.
    pub(crate) fn sharing(url: String, seed: u64) -> Self {
        drop(PostgresJournal::open(&database(&url), Some(&new())).unwrap());
        Self::of(url, seed)
    }

    fn of(path: String, seed: u64) -> Self {
        let cloud = Cloud::new(CloudOptions { seed, ..CloudOptions::default() });
        Self { path, chunk_bytes: None, cloud, today: 0, states: BTreeMap::new() }
    }

    pub(crate) fn journal(&self) -> Box<dyn Journal> {
        if self.path.starts_with("postgresql://") {
            return Box::new(PostgresJournal::open(&database(&self.path), None).unwrap());
        }
        Box::new(Store::open_writer(Path::new(&self.path)).unwrap())
    }

    pub(crate) fn writer(&self) -> Recorder {
        let mut recorder = Recorder::resume(self.journal(), &EngineOptions::default()).unwrap();
        recorder.snapshot_daily(true);
        self.chunk_bytes.into_iter().for_each(|bytes| recorder.set_snapshot_chunk(bytes));
        recorder
    }

    pub(crate) fn reader(&self) -> Box<dyn Reader> {
        if self.path.starts_with("postgresql://") {
            return Box::new(PostgresReader::open(&database(&self.path)).unwrap());
        }
        Box::new(Store::open_reader(Path::new(&self.path)).unwrap())
    }

    /// The day that begins now.
    pub(crate) fn today(&self) -> i64 {
        self.today
    }

    /// Listens for so many days.
    pub(crate) fn listen(&mut self, days: i64) {
        let mut recorder = self.writer();
        for _ in 0..days {
            self.cloud.run(STEPS_A_DAY);
            for (number, mut message) in self.cloud.drain().into_iter().enumerate() {
                let at = day(self.today).plus_seconds(60 * (number as i64 + 1));
                message.notification["timestamp"] = at.to_string().trim_end_matches('Z').into();
                let mut body = message.body();
                if number == 3 {
                    body.truncate(20);
                }
                let raw = RawMessage {
                    source: Arc::from("bus"),
                    region: None,
                    exchange: message.exchange.into(),
                    routing_key: "notifications.info".into(),
                    redelivered: false,
                    received_at: at,
                    properties: Properties::default(),
                    body: body.into_bytes(),
                };
                recorder.message(at, &raw, decode(&raw)).unwrap();
            }
            recorder.flush().unwrap();
            self.today += 1;
        }
        let head = recorder.head().seq;
        drop(recorder);
        let known = self.states.last_key_value().map_or(0, |(seq, _)| *seq);
        for seq in (known + 1..=head).filter(|seq| seq % 53 == 0 || *seq == head) {
            let engine = state::at(&mut *self.reader(), seq, &EngineOptions::default()).unwrap();
            self.states.insert(seq, clouds(&engine));
        }
    }

    /// Decides and writes down; the store may let go then, and does so only when it is told to.
    pub(crate) fn decide(&self, policy: &Policy) -> Decision {
        let decision = survey(&mut *self.reader(), policy, day(self.today), BudgetState::Within).unwrap();
        let mut recorder = self.writer();
        if decision.wants_snapshot {
            recorder.want_snapshot();
        }
        recorder.let_go(day(self.today), decision.told.clone(), None).unwrap();
        recorder.flush().unwrap();
        drop(recorder);
        let mut journal = self.journal();
        let (head, epoch) = (journal.head(), journal.info().epoch);
        let commit = Commit { expiry: decision.expiry.as_ref(), ..Commit::empty(epoch, head) };
        journal.commit(&commit).unwrap();
        decision
    }

    /// Lets go of all that may go by now.
    pub(crate) fn expire(&self) {
        let mut journal = self.journal();
        while journal.expire(Duration::ZERO).unwrap() {}
    }

    /// What must be true at any time.
    pub(crate) fn check(&self) {
        let mut reader = self.reader();
        let finding = verify(&mut *reader, None, &mut || {}).unwrap();
        let Finding::Good { records, untold, .. } = finding else { panic!("{finding:?}") };
        assert!(untold.is_nothing(), "all that is missing is told: {untold:?}");
        let head = reader.head().unwrap();
        assert_eq!(records, head.seq);
        let horizon = reader.expiry().unwrap().checkpoint;
        for (&seq, wanted) in &self.states {
            let options = EngineOptions::default();
            match state::at(&mut *reader, seq, &options) {
                Ok(engine) => {
                    assert!(seq >= horizon.seq, "{seq} is behind {horizon:?}");
                    assert_eq!(clouds(&engine), *wanted, "after record {seq}");
                }
                Err(JournalError::Expired { seq: first, .. }) => {
                    assert!(seq < horizon.seq && first == horizon.seq, "{seq} {horizon:?}");
                }
                Err(error) => panic!("{error}"),
            }
        }
        let mut due = horizon.entry + 1;
        reader
            .entries(due..=u64::MAX, &mut |entry| {
                assert_eq!(entry.number, due);
                due += 1;
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(due, head.entry + 1, "nothing goes that is not behind the checkpoint");
    }

    fn resumed(&self) -> Vec<String> {
        lines(&state::resume(&mut *self.reader(), &EngineOptions::default()).unwrap())
    }
}

fn lines(engine: &Engine) -> Vec<String> {
    engine.lines().map(|line| serde_json::to_string(&line).unwrap()).collect()
}

/// What `--at` shows.
pub(crate) fn clouds(engine: &Engine) -> Vec<String> {
    let shown = engine.lines().filter(|line| matches!(line, EngineLine::Object(_)));
    shown.map(|line| serde_json::to_string(&line).unwrap()).collect()
}

pub(crate) fn collect<T>(
    read: impl FnOnce(&mut dyn FnMut(T) -> ControlFlow<()>) -> Result<(), JournalError>,
) -> Vec<T> {
    let mut all = Vec::new();
    read(&mut |one| {
        all.push(one);
        ControlFlow::Continue(())
    })
    .unwrap();
    all
}

pub(crate) fn days(inputs: u32) -> Policy {
    Policy { inputs: Limit { days: Some(inputs), bytes: None }, ..Policy::default() }
}

#[test]
fn a_store_killed_between_any_two_steps_of_letting_go_is_whole() {
    let place = Place::new("retention-kill");
    let mut listener = Listener::new(&place, "store", 3);
    listener.listen(12);
    let policy = Policy { personal_days: Some(2), quarantine_days: Some(8), ..days(5) };
    let before = listener.resumed();
    let decision = listener.decide(&policy);
    assert_eq!(decision.told.len(), 3, "{decision:?}");
    let [Retention::Inputs { before: time, digest, .. }, ..] = &decision.told[..] else {
        panic!("{decision:?}")
    };
    let id = decision.expiry.as_ref().unwrap().checkpoint.snapshot;
    let bytes = collect(|each| listener.reader().snapshot(id, each)).concat();
    let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(*digest, hash);
    assert!(*time <= day(listener.today - 5) && *time > day(listener.today - 7), "{time}");
    let after = listener.resumed();
    let without_seq = |lines: &[String]| lines[1..].to_vec();
    assert_eq!(without_seq(&after), without_seq(&before));
    let mut steps = 0;
    loop {
        listener.check();
        // Each time another process, as after a kill: whatever was not committed is not there.
        let mut journal = Store::open_writer(Path::new(&listener.path)).unwrap();
        steps += 1;
        if !journal.expire(Duration::ZERO).unwrap() {
            break;
        }
    }
    assert!(steps > 10, "{steps}");
    assert_eq!(listener.resumed(), after);
    // What is held in quarantine is there, older ones are not.
    let mut reader = listener.reader();
    let (mut held, mut gone) = (0, 0);
    for item in collect(|each| listener.reader().quarantine(None, each)) {
        let entry = reader.entry(item.entry).unwrap().filter(|entry| !entry.erased);
        assert_eq!(entry.is_some(), item.at >= day(listener.today - 8), "{item:?}");
        *(if entry.is_some() { &mut held } else { &mut gone }) += 1;
    }
    assert!(held > 5 && gone >= 4, "{held} {gone}");
    // And listening goes on.
    listener.listen(1);
    listener.check();
}

#[test]
fn a_checkpoint_that_was_exchanged_is_named() {
    let place = Place::new("retention-exchanged");
    let mut listener = Listener::new(&place, "store", 11);
    listener.listen(6);
    let checkpoint = listener.decide(&days(2)).expiry.unwrap().checkpoint;
    listener.expire();
    listener.check();
    let teller = listener.reader().head().unwrap().seq;
    let database = rusqlite::Connection::open(format!("{}/journal.db", listener.path)).unwrap();
    let id = checkpoint.snapshot as i64;
    let read = "SELECT data FROM snapshots WHERE snapshot = ?1 AND chunk = 0";
    let chunk = |id: i64| -> Vec<u8> { database.query_row(read, [id], |row| row.get(0)).unwrap() };
    let later = listener.reader().snapshots().unwrap()[0].id as i64;
    assert!(later > id);
    let write = "UPDATE snapshots SET data = ?2 WHERE snapshot = ?1 AND chunk = 0";
    let good = chunk(id);
    let half = good[..good.len() / 2].to_vec();
    for (bad, said) in [(chunk(later), "what is kept has"), (half, "cannot be read")] {
        database.execute(write, rusqlite::params![id, bad]).unwrap();
        match verify(&mut *listener.reader(), None, &mut || {}).unwrap() {
            Finding::Bad { seq, why } => assert!(seq == teller && why.contains(said), "{seq} {teller} {why}"),
            found => panic!("{found:?}"),
        }
    }
    database.execute(write, rusqlite::params![id, good]).unwrap();
    listener.check();
}

#[test]
fn the_writer_lets_go_while_it_writes() {
    let place = Place::new("retention-writer");
    let mut listener = Listener::new(&place, "store", 4);
    listener.listen(9);
    let decision = survey(&mut *listener.reader(), &days(3), day(9), BudgetState::Within).unwrap();
    let mut recorder = listener.writer();
    recorder.let_go(day(9), decision.told, decision.expiry).unwrap();
    assert!(recorder.is_expiring());
    recorder.flush().unwrap();
    while recorder.is_expiring() {
        std::thread::yield_now();
    }
    let told = recorder.head().seq;
    drop(recorder);
    let checkpoint = listener.reader().expiry().unwrap().checkpoint;
    let held: Vec<u64> =
        collect(|each| listener.reader().quarantine(None, each)).iter().map(|item| item.entry).collect();
    let left = collect(|each| listener.reader().entries(1..=checkpoint.entry, each));
    let left: Vec<u64> = left.iter().filter(|entry| !entry.erased).map(|entry| entry.number).collect();
    assert!(!left.is_empty() && left.iter().all(|entry| held.contains(entry)), "{left:?}");
    listener.listen(2);
    listener.check();
    // It is said once: a day later there is one more day to go.
    let again = survey(&mut *listener.reader(), &days(4), day(9), BudgetState::Within).unwrap();
    assert_eq!(again, Decision::default());
    assert!(listener.reader().head().unwrap().seq > told);
}

#[test]
fn who_follows_and_fell_behind_what_went_begins_anew() {
    let place = Place::new("retention-follower");
    let mut listener = Listener::new(&place, "store", 6);
    listener.listen(2);
    let mut follower = Follower::start(&mut *listener.reader(), &EngineOptions::default()).unwrap();
    let entry = follower.follow(&mut *listener.reader()).unwrap();
    listener.listen(9);
    listener.decide(&days(3));
    listener.expire();
    assert!(listener.reader().expiry().unwrap().checkpoint.entry > entry + 1);
    let engine = follower.finish(&mut *listener.reader()).unwrap();
    assert_eq!(lines(&engine), listener.resumed());
}

#[test]
fn a_store_in_a_database_lets_go_as_one_in_a_directory() {
    let postgres = Postgres::start(free_port(), "");
    let mut listener = Listener::sharing(postgres.database("osel"), 11);
    listener.listen(4);
    let store = listener.path.clone();
    let limits = [("INPUTS_DAYS", "1"), ("QUARANTINE_DAYS", "1")];
    let would = going(&store, &limits, false);
    assert_eq!(would.keys().collect::<Vec<_>>(), ["inputs", "quarantine"]);
    let leader = listener.journal();
    let busy = retention(&store, &limits, &["--apply"]);
    assert_eq!(busy.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&busy.stderr).contains("is in use by process"));
    drop(leader);
    let before = listener.resumed();
    assert_eq!(going(&store, &limits, true), would);
    assert_eq!(going(&store, &limits, true), BTreeMap::new(), "once is enough");
    listener.check();
    // But for the records that tell of it.
    assert_eq!(listener.resumed()[1..], before[1..]);
    run(&["audit", "verify", "--store", &store]);
    listener.listen(1);
    listener.check();
}

#[test]
fn any_schedule_of_letting_go_leaves_what_is_known() {
    for seed in 1..=4 {
        let place = Place::new("retention-schedule");
        let mut listener = Listener::new(&place, "store", seed);
        let mut random = Random::new(seed);
        for _ in 0..6 {
            listener.listen(1 + random.below(4) as i64);
            let policy = some_policy(&mut random);
            listener.decide(&policy);
            let before = listener.resumed();
            let mut journal = Store::open_writer(Path::new(&listener.path)).unwrap();
            for _ in 0..random.below(40) {
                journal.expire(Duration::ZERO).unwrap();
            }
            drop(journal);
            listener.check();
            assert_eq!(listener.resumed(), before, "seed {seed}");
        }
        listener.expire();
        listener.check();
    }
}

#[test]
fn a_checkpoint_that_cannot_be_read_lets_nothing_go() {
    let place = Place::new("retention-unreadable");
    let mut listener = Listener::new(&place, "store", 5);
    listener.listen(3);
    let mut journal = Store::open_writer(Path::new(&listener.path)).unwrap();
    journal.prune_snapshots(&mut |_| false).unwrap();
    let head = journal.head();
    let id = journal.begin_snapshot(head.seq, head.entry, day(1)).unwrap();
    journal.add_snapshot_chunk(id, b"1\n\"of another form\"\n").unwrap();
    journal.complete_snapshot(id).unwrap();
    drop(journal);
    let decision = survey(&mut *listener.reader(), &days(1), day(3), BudgetState::Within).unwrap();
    assert_eq!(decision, Decision { unreadable: Some(id), ..Decision::default() });
    // Nor do parts of records, which go only behind the checkpoint.
    let records = Limit { days: Some(1), bytes: Some(1) };
    let policy = Policy { records, ..days(1) };
    let decision = survey(&mut *listener.reader(), &policy, day(3), BudgetState::Within).unwrap();
    assert_eq!(decision, Decision { unreadable: Some(id), ..Decision::default() });
}

#[test]
fn a_damaged_snapshot_is_passed_over_for_an_earlier_one() {
    let place = Place::new("retention-damaged");
    let mut listener = Listener::new(&place, "store", 7);
    listener.listen(5);
    let look = || survey(&mut *listener.reader(), &days(1), day(5), BudgetState::Within).unwrap();
    let chosen = look().expiry.unwrap().checkpoint;
    let database = rusqlite::Connection::open(format!("{}/journal.db", listener.path)).unwrap();
    let damage = "UPDATE snapshots SET data = substr(data, 1, length(data) / 2) WHERE snapshot = ?1";
    database.execute(damage, [chosen.snapshot as i64]).unwrap();
    let decision = look();
    assert_eq!(decision.unreadable, Some(chosen.snapshot));
    let instead = decision.expiry.unwrap().checkpoint;
    assert!(instead.entry > 0 && instead.entry < chosen.entry, "{instead:?} {chosen:?}");
}

#[test]
fn a_clock_that_runs_ahead_lets_nothing_go() {
    let place = Place::new("retention-ahead");
    let mut listener = Listener::new(&place, "store", 6);
    listener.listen(4);
    let policy = Policy { personal_days: Some(30), quarantine_days: Some(90), ..days(30) };
    let look = |listener: &Listener, today| {
        survey(&mut *listener.reader(), &policy, day(today), BudgetState::Within).unwrap()
    };
    assert_eq!(look(&listener, 4), Decision::default());
    let ahead = look(&listener, 20_000);
    assert_eq!((&ahead.told[..], &ahead.expiry), (&[][..], &None));
    let until = ahead.counted_until.unwrap();
    assert!(until > day(4) && until < day(5), "{until}");
    // What osel itself tells by that clock does not make it right.
    let told = Retention::Budget { state: BudgetState::Tight, used_bytes: 1, budget_bytes: 1 };
    let mut recorder = listener.writer();
    recorder.let_go(day(20_000), vec![told], None).unwrap();
    recorder.finish().unwrap();
    drop(recorder);
    assert_eq!(look(&listener, 20_000), ahead);
    // The next day there is a snapshot, though the last one claims to be from far ahead.
    let snapshots = |listener: &Listener| listener.reader().snapshots().unwrap().len();
    let before = snapshots(&listener);
    listener.listen(1);
    assert_eq!(snapshots(&listener), before + 1);
}

/// Runs `osel store retention` on a store with these limits.
fn retention(store: &str, limits: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_osel"));
    command.env_remove("OSEL_CONFIG").args(["store", "retention", "--store", store]).args(arguments);
    for (key, value) in limits {
        command.env(format!("OSEL_RETENTION__{key}"), value);
    }
    command.output().unwrap()
}

/// What it says in JSON of each kind that goes: up to which number, or before when.
pub(crate) fn going(store: &str, limits: &[(&str, &str)], apply: bool) -> BTreeMap<String, Value> {
    let arguments: &[&str] = if apply { &["--apply", "-o", "json"] } else { &["-o", "json"] };
    let output = retention(store, limits, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .filter(|line| !line["goes"].is_null())
        .map(|line| (line["kind"].as_str().unwrap().to_owned(), line["goes"].clone()))
        .collect()
}

#[test]
fn the_command_says_what_goes_and_lets_go_of_it() {
    let place = Place::new("retention-command");
    let mut listener = Listener::new(&place, "store", 8);
    listener.listen(4);
    let store = listener.path.clone();
    let exposure = |at: &str| run(&["exposure", "--store", &store, "--at", at, "-o", "json"]);
    let entries = || collect(|each| listener.reader().entries(1..=u64::MAX, each));
    let (before, last) = (entries(), listener.reader().head().unwrap().seq);

    // Days count from the last message on: by the clock alone all of it would be years old.
    assert_eq!(going(&store, &[], false), BTreeMap::new());
    let limits = [("INPUTS_DAYS", "1"), ("QUARANTINE_DAYS", "1")];
    let would = going(&store, &limits, false);
    assert_eq!(entries(), before, "asking changes nothing");
    let [first, time] = ["up_to", "before"].map(|key| would["inputs"][key].to_string().replace('"', ""));
    assert_eq!(would.keys().collect::<Vec<_>>(), ["inputs", "quarantine"]);
    // By defaults that nobody chose nothing goes.
    let unsaid = retention(&store, &[], &["--apply"]);
    assert_eq!(unsaid.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&unsaid.stderr).starts_with("osel: nothing says what is kept: give -c FILE")
    );
    let unsaid = retention(&store, &[], &[]);
    assert!(String::from_utf8_lossy(&unsaid.stderr).contains("said by: the built-in defaults"));
    let text = format!("[store]\npath = '{store}'\n[retention]\ninputs_days = 1\nquarantine_days = 1\n");
    let file = place.write("osel.toml", text);
    let output = osel(&["store", "retention", "-c", &file, "-o", "json"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains(&format!("said by: {file}")));
    assert!(String::from_utf8_lossy(&output.stdout).contains(&format!("\"up_to\":{first}")));
    let writer = Store::open_writer(Path::new(&store)).unwrap();
    let busy = retention(&store, &limits, &["--apply"]);
    assert_eq!(busy.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&busy.stderr).contains("is in use by process"));
    drop(writer);

    let horizon = survey(&mut *listener.reader(), &days(1), day(900), BudgetState::Within).unwrap();
    let seq = horizon.expiry.unwrap().checkpoint.seq;
    let states = [seq, last].map(|seq| exposure(&seq.to_string()));
    assert_eq!(going(&store, &limits, true), would);
    assert_eq!(going(&store, &limits, true), BTreeMap::new(), "once is enough");
    assert_eq!([seq, last].map(|seq| exposure(&seq.to_string())), states);
    assert!(entries().len() < before.len() / 2);
    assert!(entries().iter().all(|entry| entry.number > first.parse().unwrap()));

    // From behind the horizon nothing is answered, and it is said from when on.
    let refusal = format!("before {time} (record {seq}), the horizon of what is kept");
    let earlier = (seq - 1).to_string();
    let reach = ["--from", "198.51.100.1", "--to", "10.0.0.1", "--protocol", "tcp"];
    for (command, at) in
        [("exposure", earlier.as_str()), ("exposure", "2020-01-01T00:00:01Z"), ("reach", "1")]
    {
        let rest: &[&str] = if command == "reach" { &reach } else { &[] };
        let said = refused(2, &[&[command, "--store", &store, "--at", at], rest].concat());
        assert_eq!(said, format!("osel: --at {at}: {refusal}\n"));
    }
    assert!(osel(&["exposure", "--store", &store, "--at", &time]).status.success());

    // The trail says it, verifies, and proves what went as well as what is there.
    let told = json_lines(&["audit", "search", "--store", &store, "--kind", "system", "-o", "json"]);
    assert!(
        told.iter().any(|record| record["summary"].as_str().unwrap().contains(&format!("(record {seq}) go")))
    );
    let verified = run(&["audit", "verify", "--store", &store]);
    assert!(verified.contains("missing"), "{verified}");
    let verified = &json_lines(&["audit", "verify", "--store", &store, "-o", "json"])[0];
    assert!(
        verified["missing"]["payload"].as_u64().unwrap() > 0 && verified["missing"]["body"] == 0,
        "{verified}"
    );
    run(&["audit", "prove", "--store", &store, "1"]);
    let shown = json_lines(&["audit", "show", "--store", &store, "1", "-o", "json"]);
    assert_eq!(shown[0]["missing"], serde_json::json!(["payload"]));
    assert!(!shown[0]["actor"]["user_id"].is_null());
    run(&["audit", "export", "--store", &store, "--format", "osel-1.1"]);

    // A message in quarantine whose bytes went stays counted, and says so.
    let id = json_lines(&["quarantine", "list", "--store", &store, "-o", "json"])[0]["id"].to_string();
    let shown = json_lines(&["quarantine", "show", "--store", &store, &id, "-o", "json"]);
    assert!(shown[0]["body"].is_null());
    let replay = osel(&["quarantine", "replay", "--store", &store, &id]);
    assert_eq!(replay.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&replay.stdout).contains("its bytes were removed"));

    // A copy is as whole as the store, but for the key that signs its log, which is known only where the store is.
    let copy = place.path("copy");
    run(&["store", "backup", "--store", &store, &copy]);
    let verified = [&copy, &store].map(|store| run(&["audit", "verify", "--store", store]));
    assert_eq!(verified[0].replace("which nobody vouches for here", "the key known here"), verified[1]);
    listener.listen(1);
    listener.check();
}

#[test]
fn the_command_makes_the_snapshot_that_it_needs() {
    let place = Place::new("retention-needs");
    let mut listener = Listener::new(&place, "store", 14);
    listener.listen(3);
    let store = &listener.path;
    Store::open_writer(Path::new(store)).unwrap().prune_snapshots(&mut |_| false).unwrap();
    let before = listener.reader().head().unwrap();
    // As if there were three times as much as is kept.
    let database = rusqlite::Connection::open(format!("{store}/journal.db")).unwrap();
    database.execute("UPDATE sizes SET input_bytes = 3 << 26", []).unwrap();
    let went = going(store, &[("INPUTS_BYTES_MAX", "67108864")], true);
    assert_eq!(went["inputs"]["up_to"], before.entry);
    assert_eq!(listener.reader().expiry().unwrap().checkpoint.entry, before.entry);
    let told = json_lines(&["audit", "search", "--store", store, "--kind", "system", "-o", "json"]);
    assert_eq!(told.len(), 1, "{told:?}");
    listener.expire();
    let kept: Vec<Entry> = collect(|each| listener.reader().entries(1..=before.entry, each));
    let held = collect(|each| listener.reader().quarantine(None, each)).len();
    assert_eq!(kept.iter().filter(|entry| !entry.erased).count(), held);
}

#[test]
fn records_lose_their_parts_and_keep_their_places() {
    let place = Place::new("retention-records");
    let mut listener = Listener::new(&place, "store", 9);
    listener.listen(3);
    let store = &listener.path;
    let limits = [("INPUTS_DAYS", "1"), ("RECORDS_DAYS", "1"), ("PERSONAL_DAYS", "1")];
    let went = going(store, &limits, true);
    let up_to = went["records"]["up_to"].as_u64().unwrap();
    let personal = went["personal"]["up_to"].as_u64().unwrap();
    assert!(up_to <= personal);
    run(&["audit", "verify", "--store", store]);
    let records = json_lines(&["audit", "export", "--store", store, "-o", "json"]);
    for record in &records {
        let seq = record["seq"].as_u64().unwrap();
        let missing = &record["missing"];
        let is_whole = |part: &str| !missing.as_array().unwrap().contains(&part.into());
        assert!(seq > personal || record["actor"]["user_name"].is_null(), "{record}");
        assert!(record["time"].is_string() && record["hash"].is_string());
        if seq <= up_to {
            assert!(!is_whole("body") && record["event_type"].is_null(), "{record}");
            assert!(record["summary"].as_str().unwrap().starts_with("what happened is not here"), "{record}");
        } else {
            assert!(is_whole("body"), "{record}");
        }
    }
    let told = records.last().unwrap();
    assert!(told["kind"] == "system" && told["seq"].as_u64().unwrap() > up_to, "{told}");
}

/// Without a broker: what is kept does not depend on one.
#[test]
fn the_daemon_lets_go_by_itself() {
    let place = Place::new("retention-daemon");
    let mut listener = Listener::new(&place, "store", 12);
    listener.listen(5);
    let before = listener.reader().head().unwrap();
    let config = format!(
        "[store]\npath = '{}'\n[[source]]\nname = 'bus'\ntype = 'rabbitmq'\ntransport_url = {{ env = 'URL' }}\n\
         [http]\nlisten = '127.0.0.1:0'\n[retention]\ninputs_days = 2\nquarantine_days = 2\n",
        listener.path
    );
    let config = place.write("osel.toml", config);
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_osel"))
        .args(["run", "-c", &config])
        // A port that nobody listens on.
        .env("URL", "rabbit://osel:none@127.0.0.1:1/")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let is_done = || {
        let mut reader = listener.reader();
        let checkpoint = reader.expiry().unwrap().checkpoint;
        checkpoint.entry > 0 && collect(|each| reader.entries(1..=checkpoint.entry, each)).is_empty()
    };
    while !is_done() {
        assert!(daemon.try_wait().unwrap().is_none(), "it ended");
        std::thread::yield_now();
    }
    let process = rustix::process::Pid::from_child(&daemon);
    rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    let output = daemon.wait_with_output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{log}");
    assert_eq!(log.matches("inputs go: states before this are not known any more").count(), 1, "{log}");
    listener.check();
    assert!(listener.reader().head().unwrap().seq > before.seq);
}

#[test]
fn the_command_killed_while_it_lets_go_goes_on_the_next_time() {
    let place = Place::new("retention-command-kill");
    let mut listener = Listener::new(&place, "store", 10);
    listener.listen(8);
    for kill in 0..4 {
        let mut apply = Command::new(env!("CARGO_BIN_EXE_osel"))
            .env_remove("OSEL_CONFIG")
            .envs([("OSEL_RETENTION__INPUTS_DAYS", "2"), ("OSEL_RETENTION__QUARANTINE_DAYS", "2")])
            .args(["store", "retention", "--apply", "--store", &listener.path])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // As soon as it is written down what goes, and then ever later.
        let is_ordered = || listener.reader().expiry().unwrap().checkpoint.entry > 0;
        while apply.try_wait().unwrap().is_none() && !is_ordered() {
            std::thread::yield_now();
        }
        for _ in 0..kill * 20 {
            std::thread::yield_now();
        }
        apply.kill().unwrap();
        apply.wait().unwrap();
        listener.check();
    }
    listener.expire();
    listener.check();
    let checkpoint = listener.reader().expiry().unwrap().checkpoint;
    let told = json_lines(&["audit", "search", "--store", &listener.path, "--kind", "system", "-o", "json"]);
    assert_eq!(told.len(), 2, "inputs and quarantine, each told once: {told:?}");
    assert_eq!(collect(|each| listener.reader().entries(1..=checkpoint.entry, each)), []);
}
