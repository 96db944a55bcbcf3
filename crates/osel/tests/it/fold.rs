//! A store whose writer was killed: folding its journal gives the engine that wrote it, whatever the options are today.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use osel::runtime::{Recorder, state};
use osel::store::{ALL, Commit, EntryKind, Head, Journal, JournalError, NewRecords, NewStore, Reader, Store};
use osel_core::decode::decode;
use osel_core::engine::{ATTEMPT_SECONDS, Engine, EngineOptions};
use osel_core::event::{Change, Properties, RawMessage};
use osel_core::plan::ScanPolicy;
use osel_core::scan::{CommandId, ScanEnd, ScanLife, ScanOutcome, ScanReport, ScanState, ScanStep};
use osel_core::time::Timestamp;
use serde_json::{Value, json};

use crate::command::{Place, json_lines};

/// As many as the built-in scanner does at once.
const RUNNING_SCANS_MAX: usize = osel_core::plan::RUNNING_SCANS_MAX as usize;
/// More addresses than may be scanned at once, so that some wait.
const PORTS: usize = RUNNING_SCANS_MAX + 4;

fn scanning() -> EngineOptions {
    let allowed_prefixes = vec!["10.0.0.0/8".parse().unwrap()];
    EngineOptions {
        scan: Some(ScanPolicy { allowed_prefixes, ..ScanPolicy::default() }),
        ..EngineOptions::default()
    }
}

fn create(path: &str) -> Box<dyn Journal> {
    Box::new(Store::create(Path::new(path), &NewStore { id: [7; 16], created_at: Timestamp::EPOCH }).unwrap())
}

fn open(path: &str) -> Box<dyn Journal> {
    Box::new(Store::open_writer(Path::new(path)).unwrap())
}

pub(crate) fn message(second: i64, event_type: &str, payload: &Value) -> RawMessage {
    let at = Timestamp::EPOCH.plus_seconds(1_795_219_200 + second);
    let body = json!({
        "message_id": format!("m{second}"), "event_type": event_type, "publisher_id": "network.ctl1",
        "priority": "INFO", "timestamp": at.to_string().trim_end_matches('Z'), "payload": payload,
        "_context_request_id": format!("req-{second}"), "_context_user_id": "u", "_context_project_id": "p",
    });
    RawMessage {
        source: Arc::from("bus"),
        region: None,
        exchange: "neutron".into(),
        routing_key: "notifications.info".into(),
        redelivered: false,
        received_at: at,
        properties: Properties::default(),
        body: body.to_string().into_bytes(),
    }
}

fn port(number: usize) -> RawMessage {
    let payload = json!({"port": {
        "id": format!("p{number}"), "network_id": "n", "security_groups": ["g"],
        "fixed_ips": [{"ip_address": format!("10.0.0.{number}"), "subnet_id": "s"}],
    }});
    message(10 + number as i64, "port.create.end", &payload)
}

fn rule() -> RawMessage {
    let payload = json!({"security_group_rule": {
        "id": "r", "security_group_id": "g", "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp",
        "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "0.0.0.0/0",
    }});
    message(1, "security_group_rule.create.end", &payload)
}

fn take(recorder: &mut Recorder, raw: &RawMessage) {
    recorder.message(raw.received_at, raw, decode(raw)).unwrap();
}

/// Has addresses exposed one after the other; gives the commands.
fn expose(recorder: &mut Recorder, ports: std::ops::Range<usize>) -> Vec<ScanLife> {
    take(recorder, &rule());
    for number in ports {
        take(recorder, &port(number));
    }
    recorder.flush().unwrap()
}

/// A scan that saw nothing.
fn ended(id: &CommandId) -> ScanReport {
    let outcome = ScanOutcome { scanner: "test".to_owned(), end: ScanEnd::Finished, hosts: Vec::new() };
    ScanReport { id: id.clone(), step: ScanStep::Ended(outcome) }
}

fn lines(engine: &Engine) -> Vec<String> {
    engine.lines().map(|line| serde_json::to_string(&line).unwrap()).collect()
}

fn resumed(path: &str, options: &EngineOptions) -> Engine {
    state::resume(&mut Store::open_reader(Path::new(path)).unwrap(), options).unwrap()
}

#[test]
fn open_scans_of_a_killed_writer_were_forgotten_when_the_options_changed() {
    let place = Place::new("fold");
    let store = place.path("store");
    let mut recorder = Recorder::resume(create(&store), &scanning()).unwrap();
    let mut commands = expose(&mut recorder, 0..PORTS);
    let over = ended(&commands.remove(0).command.id);
    recorder.scan_reported(Timestamp::EPOCH.plus_seconds(1_795_219_300), over).unwrap();
    commands.extend(recorder.flush().unwrap());
    assert_eq!(commands.len(), RUNNING_SCANS_MAX);
    let before = lines(recorder.engine());
    // Killed: nothing is finished, no snapshot is written.
    drop(recorder);
    for today in [EngineOptions::default(), scanning()] {
        assert_eq!(lines(&resumed(&store, &today)), before);
    }
    let mut recorder = Recorder::resume(open(&store), &EngineOptions::default()).unwrap();
    let mut again = recorder.flush().unwrap();
    again.sort_by_key(|life| life.command.seq);
    assert_eq!(again, commands, "given out again with its number and cause");

    // From now on nothing is scanned; what has been planned is, also after another kill.
    take(&mut recorder, &port(200));
    recorder.flush().unwrap();
    let before = lines(recorder.engine());
    drop(recorder);
    assert_eq!(lines(&resumed(&store, &scanning())), before);
}

#[test]
fn options_are_told_once_and_not_by_those_who_write_nothing() {
    let place = Place::new("told");
    let store = place.path("store");
    let told = || {
        let mut count = 0;
        let mut reader = Store::open_reader(Path::new(&store)).unwrap();
        reader
            .entries(ALL, &mut |entry| {
                count += usize::from(entry.kind == EntryKind::SYSTEM);
                ControlFlow::Continue(())
            })
            .unwrap();
        count
    };
    Recorder::resume(create(&store), &scanning()).unwrap().finish().unwrap();
    assert_eq!(told(), 0);
    for (options, number, wanted) in
        [(scanning(), 1, 1), (scanning(), 2, 1), (EngineOptions::default(), 3, 2), (scanning(), 4, 3)]
    {
        let mut recorder = Recorder::resume(open(&store), &options).unwrap();
        take(&mut recorder, &port(number));
        // Half of them end with a snapshot, half are killed.
        if number % 2 == 0 {
            recorder.finish().unwrap();
        } else {
            recorder.flush().unwrap();
        }
        assert_eq!(told(), wanted, "after {number}");
    }
}

/// It was durable, osel was killed before it had said so to the broker, and came back after a weekend.
#[test]
fn what_the_broker_delivers_again_is_a_duplicate_however_late() {
    let place = Place::new("late");
    let store = place.path("store");
    let mut recorder = Recorder::resume(create(&store), &EngineOptions::default()).unwrap();
    take(&mut recorder, &rule());
    recorder.flush().unwrap();
    drop(recorder);
    let mut recorder = Recorder::resume(open(&store), &EngineOptions::default()).unwrap();
    let late = rule().received_at.plus_seconds(3 * 86_400);
    let again = RawMessage { redelivered: true, received_at: late, ..rule() };
    // Others came to the queue meanwhile, and one of them is handled before.
    take(&mut recorder, &RawMessage { received_at: late, ..port(1) });
    take(&mut recorder, &again);
    // What somebody publishes once more after so long has a record of its own.
    take(&mut recorder, &RawMessage { redelivered: false, ..again });
    recorder.finish().unwrap();
    let ledger = &json_lines(&["ledger", "--store", &store, "-o", "json"])[0];
    assert_eq!(["received", "recorded", "duplicate"].map(|key| ledger[key].as_u64()), [4, 3, 1].map(Some));
}

/// A journal of before options stood in it: today's are the best guess.
#[test]
fn a_store_that_never_told_its_options_folds_by_todays() {
    let place = Place::new("untold");
    let (store, old) = (place.path("store"), place.path("old"));
    let mut recorder = Recorder::resume(create(&store), &scanning()).unwrap();
    expose(&mut recorder, 0..PORTS);
    let before = lines(recorder.engine());
    drop(recorder);

    let mut reader = Store::open_reader(Path::new(&store)).unwrap();
    let (mut entries, mut records, mut commands) = (Vec::new(), Vec::new(), Vec::new());
    let all = ControlFlow::Continue(());
    reader
        .entries(ALL, &mut |entry| {
            entries.push(entry);
            all
        })
        .unwrap();
    reader
        .records(ALL, &mut |record| {
            records.push(record);
            all
        })
        .unwrap();
    reader
        .commands(None, &mut |command| {
            commands.push(command);
            all
        })
        .unwrap();
    assert_eq!(entries.remove(0).kind, EntryKind::SYSTEM);
    entries.iter_mut().for_each(|entry| entry.number -= 1);
    records.iter_mut().for_each(|record| record.entry -= 1);
    let counters = reader.ledger().unwrap();
    let mut journal = create(&old);
    let epoch = journal.info().epoch;
    let commit = Commit {
        entries: &entries,
        records: &NewRecords::of(&records),
        counters: &counters,
        commands: &commands,
        ..Commit::empty(epoch, Head::EMPTY)
    };
    journal.commit(&commit).unwrap();
    drop(journal);

    let without_options = |lines: Vec<String>| -> Vec<String> {
        lines.into_iter().filter(|line| !line.starts_with("{\"options\"")).collect()
    };
    let after = lines(&resumed(&old, &scanning()));
    assert_eq!(after, without_options(before));
    assert_ne!(without_options(lines(&resumed(&old, &EngineOptions::default()))), after);
}

/// An older version had a record less: a port of a group that nobody described was no gap to it.
#[test]
fn records_of_an_older_version_kept_their_numbers_in_the_trail_only() {
    let place = Place::new("numbers");
    let store = place.path("store");
    let mut recorder = Recorder::resume(create(&store), &scanning()).unwrap();
    let raw = port(150);
    let mut decoded = decode(&raw);
    if let Ok(event) = &mut decoded.result {
        event.change = Change::Unmodelled;
    }
    recorder.message(raw.received_at, &raw, decoded).unwrap();
    assert_eq!(recorder.engine().seq(), 1, "there is no gap");
    let commands = expose(&mut recorder, 0..2);
    assert_eq!(commands.len(), 2);
    drop(recorder);
    let mut recorder = Recorder::resume(open(&store), &scanning()).unwrap();
    let head = recorder.head();
    let again = recorder.flush().unwrap();
    let told = |lives: &[ScanLife]| -> Vec<_> {
        let commands = lives.iter().map(|life| &life.command);
        commands.map(|command| (command.id.clone(), command.seq, command.cause())).collect()
    };
    assert_eq!(told(&again), told(&commands), "by numbers that other records have");
    recorder.scan_reported(raw.received_at, ended(&again[1].command.id)).unwrap();
    recorder.flush().unwrap();
    assert_eq!(recorder.head().seq, head.seq + 1, "its answer has a record");
    drop(recorder);
    let engine = resumed(&store, &scanning());
    assert_eq!(
        engine.running_scans().map(|life| &life.command.id).collect::<Vec<_>>(),
        [&again[0].command.id]
    );
}

/// The bus is silent: only the clock of the loop can say that a request never ended.
#[test]
fn a_request_that_began_fails_by_the_clock_of_the_loop() {
    let place = Place::new("tick");
    let store = place.path("store");
    let mut recorder = Recorder::resume(create(&store), &EngineOptions::default()).unwrap();
    let start = message(0, "network.create.start", &json!({"network": {"name": "n"}}));
    take(&mut recorder, &start);
    let over = start.received_at.plus_seconds(ATTEMPT_SECONDS);
    recorder.tick(over).unwrap();
    recorder.flush().unwrap();
    let waiting = recorder.head();
    assert_eq!(waiting.seq, 1, "a tick that changes nothing is not kept");
    recorder.tick(over.plus_seconds(1)).unwrap();
    recorder.flush().unwrap();
    let failed = recorder.head();
    assert_eq!((failed.seq, failed.entry), (2, waiting.entry + 1));
    let before = lines(recorder.engine());
    drop(recorder);
    assert_eq!(lines(&resumed(&store, &EngineOptions::default())), before);

    let search = ["audit", "search", "--store", &store, "-o", "json", "--outcome", "failure"];
    let [record] = &json_lines(&search)[..] else { panic!("no record, or several") };
    assert_eq!((&record["cause"], &record["message_id"]), (&json!(1), &Value::Null));
    assert_eq!((&record["request_id"], &record["event_type"]), (&json!("req-0"), &json!("network.create")));
    assert!(record["summary"].as_str().unwrap().contains("never ended"), "{record}");

    // Its end comes too late to undo the record; another tick says nothing more.
    let mut recorder = Recorder::resume(open(&store), &EngineOptions::default()).unwrap();
    recorder.tick(over.plus_seconds(99)).unwrap();
    recorder.flush().unwrap();
    assert_eq!(recorder.head().seq, 2);
}

/// A database may fall back to what a standby of it had, and go on from there with other messages.
#[test]
fn what_was_followed_and_is_no_longer_in_the_store_is_not_gone_on_with() {
    let place = Place::new("rewritten");
    let [store, other, third, fourth] = ["one", "other", "third", "fourth"].map(|name| place.path(name));
    let mut recorder = Recorder::resume(create(&store), &EngineOptions::default()).unwrap();
    take(&mut recorder, &port(0));
    recorder.finish().unwrap();
    drop(recorder);
    for copy in [&other, &third, &fourth] {
        std::fs::create_dir(copy).unwrap();
        for file in std::fs::read_dir(&store).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), Path::new(copy).join(file.file_name())).unwrap();
        }
    }
    let add = |store: &str, messages: &[RawMessage]| {
        let mut recorder = Recorder::resume(open(store), &EngineOptions::default()).unwrap();
        for raw in messages {
            take(&mut recorder, raw);
        }
        recorder.finish().unwrap();
    };
    let follower = |store: &str| {
        let mut reader = Store::open_reader(Path::new(store)).unwrap();
        let mut follower = state::Follower::start(&mut reader, &EngineOptions::default()).unwrap();
        follower.follow(&mut reader).unwrap();
        follower
    };
    let finish = |follower: state::Follower, store: &str| {
        follower.finish(&mut Store::open_reader(Path::new(store)).unwrap()).map(|engine| lines(&engine))
    };
    add(&store, &[port(1)]);
    let followed = follower(&store);
    // Behind what was folded.
    assert!(matches!(finish(follower(&store), &other), Err(JournalError::Rewritten { .. })));
    // As long, or longer, with another message in its place.
    add(&other, &[port(2), port(3)]);
    assert!(matches!(finish(followed, &other), Err(JournalError::Rewritten { .. })));
    // The same and more is gone on with.
    add(&store, &[port(4)]);
    let followed = follower(&store);
    add(&store, &[port(5)]);
    assert_eq!(finish(followed, &store).unwrap(), lines(&resumed(&store, &EngineOptions::default())));

    // Nor is another message that has no record gone on with, since nobody could read it.
    let broken = |second| RawMessage { body: b"{".to_vec(), ..message(second, "", &Value::Null) };
    add(&third, &[broken(50)]);
    let followed = follower(&third);
    add(&fourth, &[broken(51)]);
    let head = |store: &str| Store::open_reader(Path::new(store)).unwrap().head().unwrap();
    assert_eq!(head(&third), head(&fourth));
    assert!(matches!(finish(followed, &fourth), Err(JournalError::Rewritten { .. })));
}

/// A scanner that works elsewhere has taken a command when osel is killed: the next process must ask for it by its reference.
#[test]
fn a_scan_that_runs_elsewhere_goes_on_where_it_was() {
    let place = Place::new("launched");
    let store = place.path("store");
    let mut recorder = Recorder::resume(create(&store), &scanning()).unwrap();
    let commands = expose(&mut recorder, 0..2);
    let at = Timestamp::EPOCH.plus_seconds(1_795_219_300);
    let launched = ScanStep::Launched { reference: "scan/17".to_owned(), left_out: Vec::new() };
    let id = commands[0].command.id.clone();
    recorder.scan_reported(at, ScanReport { id: id.clone(), step: launched }).unwrap();
    recorder.scan_reported(at, ScanReport { id, step: ScanStep::Running }).unwrap();
    recorder.flush().unwrap();
    let before = lines(recorder.engine());
    drop(recorder);
    assert_eq!(lines(&resumed(&store, &scanning())), before);
    let mut recorder = Recorder::resume(open(&store), &scanning()).unwrap();
    let again = recorder.flush().unwrap();
    let told: Vec<_> = again.iter().map(|life| (life.state, life.reference.as_deref())).collect();
    assert_eq!(told, [(ScanState::Running, Some("scan/17")), (ScanState::Planned, None)]);
    assert_eq!(again[1], commands[1]);
}
