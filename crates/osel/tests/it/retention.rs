//! Old content goes, whatever the schedule and wherever it is cut short: the trail verifies, what is known stays, and a state from
//! behind the horizon is refused rather than guessed.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use osel::runtime::retention::policy::{Limit, Policy};
use osel::runtime::retention::{Decision, survey};
use osel::runtime::verification::{Finding, verify};
use osel::runtime::{Recorder, state};
use osel::store::{Commit, Journal, JournalError, NewStore, Reader, Store};
use osel_core::decode::decode;
use osel_core::engine::{BudgetState, Engine, EngineLine, EngineOptions, Retention};
use osel_core::event::{Properties, RawMessage};
use osel_core::time::Timestamp;
use osel_sim::cloud::{Cloud, CloudOptions};
use osel_sim::random::Random;
use sha2::{Digest, Sha256};

use crate::command::Place;

const DAY: i64 = 86_400;
/// When the first of the days begins.
const FIRST: i64 = 1_795_219_200;
/// How many things users of the cloud do in a day.
const STEPS_A_DAY: usize = 12;

fn day(day: i64) -> Timestamp {
    Timestamp::EPOCH.plus_seconds(FIRST + day * DAY)
}

/// A store that listens to a simulated cloud.
struct Listener {
    path: String,
    cloud: Cloud,
    today: i64,
    /// The clouds after some of the records, as lines.
    states: BTreeMap<u64, Vec<String>>,
}

impl Listener {
    fn new(place: &Place, name: &str, seed: u64) -> Self {
        let path = place.path(name);
        let new = NewStore { id: [7; 16], created_at: day(0) };
        drop(Store::create(Path::new(&path), &new).unwrap());
        let cloud = Cloud::new(CloudOptions { seed, ..CloudOptions::default() });
        Self { path, cloud, today: 0, states: BTreeMap::new() }
    }

    fn writer(&self) -> Recorder {
        let journal = Store::open_writer(Path::new(&self.path)).unwrap();
        let mut recorder = Recorder::resume(Box::new(journal), &EngineOptions::default()).unwrap();
        recorder.snapshot_daily();
        recorder
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Store::open_reader(Path::new(&self.path)).unwrap())
    }

    /// Listens for so many days.
    fn listen(&mut self, days: i64) {
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
    fn decide(&self, policy: &Policy) -> Decision {
        let decision = survey(&mut *self.reader(), policy, day(self.today), BudgetState::Within).unwrap();
        let mut recorder = self.writer();
        if decision.wants_snapshot {
            recorder.want_snapshot();
        }
        recorder.let_go(day(self.today), decision.told.clone(), None).unwrap();
        recorder.flush().unwrap();
        drop(recorder);
        let mut journal = Store::open_writer(Path::new(&self.path)).unwrap();
        let (head, epoch) = (journal.head(), journal.info().epoch);
        let commit = Commit { expiry: decision.expiry.as_ref(), ..Commit::empty(epoch, head) };
        journal.commit(&commit).unwrap();
        decision
    }

    /// Lets go of all that may go by now.
    fn expire(&self) {
        let mut journal = Store::open_writer(Path::new(&self.path)).unwrap();
        while journal.expire(Duration::ZERO).unwrap() {}
    }

    /// What must be true at any time.
    fn check(&self) {
        let mut reader = self.reader();
        let finding = verify(&mut *reader, None, &mut || {}).unwrap();
        let Finding::Good { records, .. } = finding else { panic!("{finding:?}") };
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
fn clouds(engine: &Engine) -> Vec<String> {
    let shown = engine.lines().filter(|line| matches!(line, EngineLine::Object(_)));
    shown.map(|line| serde_json::to_string(&line).unwrap()).collect()
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

fn days(inputs: u32) -> Policy {
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
fn any_schedule_of_letting_go_leaves_what_is_known() {
    for seed in 1..=4 {
        let place = Place::new("retention-schedule");
        let mut listener = Listener::new(&place, "store", seed);
        let mut random = Random::new(seed);
        for _ in 0..6 {
            listener.listen(1 + random.below(4) as i64);
            let mut some = |most: u64| random.percent(50).then(|| random.below(most));
            let policy = Policy {
                inputs: Limit { days: some(9).map(|days| days as u32), bytes: some(60_000) },
                records: Limit { days: some(15).map(|days| days as u32), bytes: some(300_000) },
                personal_days: some(9).map(|days| days as u32),
                quarantine_days: some(9).map(|days| days as u32),
                budget_bytes: some(2_000_000),
            };
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
    let decision = survey(&mut *listener.reader(), &days(1), day(9), BudgetState::Within).unwrap();
    assert_eq!(decision, Decision { unreadable: Some(id), ..Decision::default() });
}
