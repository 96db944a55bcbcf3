//! Reads of the API in a store: what is as it was writes nothing, and folding the journal gives the engine that wrote it.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use osel::runtime::{Recorder, entries, state};
use osel::store::{ALL, Entry, EntryKind, Journal, NewStore, Reader, Store};
use osel_core::decode::{ItemPage, decode};
use osel_core::engine::{Engine, EngineOptions, MERGED_MAX, Output, ReadEnd, SLOTS_PER_STEP};
use osel_core::event::{Kind, Properties, RawMessage};
use osel_core::ids::Id;
use osel_core::model::StateLine;
use osel_core::time::Timestamp;
use serde_json::{Value, json};

use crate::command::Place;

fn at(second: i64) -> Timestamp {
    Timestamp::EPOCH.plus_seconds(1_795_219_200 + second)
}

fn create(path: &str) -> Box<dyn Journal> {
    Box::new(Store::create(Path::new(path), &NewStore { id: [7; 16], created_at: Timestamp::EPOCH }).unwrap())
}

fn page(items: &[(&str, Value)]) -> ItemPage {
    let mut page = ItemPage::default();
    for (collection, object) in items {
        page.push(collection, &object.to_string()).unwrap().unwrap();
    }
    page
}

fn port(number: usize, name: &str) -> (&'static str, Value) {
    let fields = json!({
        "id": format!("p{number}"), "name": name, "revision_number": 1, "network_id": "n", "project_id": "p",
        "security_groups": [], "fixed_ips": [{"ip_address": format!("10.0.0.{number}"), "subnet_id": "s"}],
    });
    ("ports", fields)
}

/// Reads these objects as all there is.
fn read(recorder: &mut Recorder, second: i64, items: &[(&str, Value)]) {
    let run = recorder.begin_read(None, at(second), true);
    recorder.page(at(second), &run, page(items)).unwrap();
    let end =
        ReadEnd { run, complete: vec![Kind::Port], has_all_assignments: false, origin: "test".to_owned() };
    recorder.read_end(at(second), end).unwrap();
    recorder.flush().unwrap();
}

/// The entries of reads after a number.
fn entries_after(path: &str, after: u64) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut reader = Store::open_reader(Path::new(path)).unwrap();
    reader
        .entries(ALL, &mut |entry| {
            if entry.kind == EntryKind::INVENTORY && entry.number > after {
                found.push(entry);
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    found
}

fn lines(engine: &Engine) -> Vec<String> {
    engine.lines().map(|line| serde_json::to_string(&line).unwrap()).collect()
}

fn resumed(path: &str) -> Vec<String> {
    let mut reader = Store::open_reader(Path::new(path)).unwrap();
    lines(&state::resume(&mut reader, &EngineOptions::default()).unwrap())
}

#[test]
fn a_read_writes_down_what_differs_and_nothing_else() {
    let place = Place::new("reads");
    let store = place.path("store");
    let mut recorder = Recorder::resume(create(&store), &EngineOptions::default()).unwrap();
    let user = ("users", json!({"id": "u1", "name": "ada"}));
    let mut all: Vec<(&str, Value)> = (0..100).map(|number| port(number, "web")).collect();
    all.push(user);
    read(&mut recorder, 0, &all);
    let first = recorder.head().entry;
    assert!(entries_after(&store, 0).iter().map(|entry| entry.body.len()).sum::<usize>() > 10_000);

    read(&mut recorder, 10, &all);
    let [end] = &entries_after(&store, first)[..] else { panic!("one entry, at the end") };
    assert!(end.body.is_empty() && end.head.len() < 300, "{}", String::from_utf8_lossy(&end.head));

    // One was renamed, one is gone.
    let second = recorder.head().entry;
    all[7] = ("ports", json!({"id": "p7", "name": "www", "revision_number": 2}));
    all.remove(3);
    read(&mut recorder, 20, &all);
    let [end] = &entries_after(&store, second)[..] else { panic!("one entry, at the end") };
    assert_eq!(String::from_utf8_lossy(&end.body), format!("ports\t{}\n", all[6].1));
    assert!(String::from_utf8_lossy(&end.head).contains("\"gone\":[[\"Port\",\"p3\"]]"));
    let before = lines(recorder.engine());
    // Killed: no snapshot is written.
    drop(recorder);
    assert_eq!(resumed(&store), before);
}

fn assignment(user: &str) -> (&'static str, Value) {
    let given = json!({"role": {"id": "r"}, "user": {"id": user}, "scope": {"project": {"id": "p"}}});
    ("role_assignments", given)
}

/// Reads these objects, and these role assignments as all there are.
fn read_assignments(recorder: &mut Recorder, second: i64, items: &[(&str, Value)]) {
    let run = recorder.begin_read(None, at(second), true);
    recorder.page(at(second), &run, page(items)).unwrap();
    let end =
        ReadEnd { run, complete: vec![Kind::Port], has_all_assignments: true, origin: "test".to_owned() };
    recorder.read_end(at(second), end).unwrap();
    recorder.flush().unwrap();
}

#[test]
fn role_assignments_are_written_down_where_they_differ_and_folded() {
    let place = Place::new("assigned");
    let store = place.path("store");
    let mut recorder = Recorder::resume(create(&store), &EngineOptions::default()).unwrap();
    let mut all = vec![port(1, "web")];
    all.extend((0..2_500).map(|number| assignment(&format!("u{number}"))));
    read_assignments(&mut recorder, 0, &all);
    let first = recorder.head().entry;
    assert_eq!(recorder.engine().assignments()[&None].len(), 2_500);

    read_assignments(&mut recorder, 1_000, &all);
    let same = entries_after(&store, first);
    assert_eq!(same.len(), 2, "that assignments and objects were shown whole");
    assert!(same.iter().all(|entry| entry.body.is_empty()));

    let (second, seq) = (recorder.head().entry, recorder.engine().seq());
    all.remove(3);
    all.push(assignment("mallory"));
    read_assignments(&mut recorder, 2_000, &all);
    let changed: String =
        entries_after(&store, second).iter().map(|entry| String::from_utf8_lossy(&entry.body)).collect();
    assert_eq!(changed.lines().count(), 2, "{changed}");
    assert!(changed.contains("mallory") && changed.contains("\"u2\""), "{changed}");
    assert_eq!(recorder.engine().seq(), seq + 3, "two records of drift, and the end");
    let before = lines(recorder.engine());
    drop(recorder);
    assert_eq!(resumed(&store), before);
}

#[test]
fn a_writer_that_was_killed_in_the_middle_of_a_read_leaves_nothing_half() {
    let place = Place::new("halfread");
    let store = place.path("store");
    let mut recorder = Recorder::resume(create(&store), &EngineOptions::default()).unwrap();
    read(&mut recorder, 0, &[port(1, "web"), port(2, "web")]);
    let before = lines(recorder.engine());
    let run = recorder.begin_read(None, at(10), true);
    recorder.page(at(10), &run, page(&[port(1, "changed")])).unwrap();
    recorder.flush().unwrap();
    drop(recorder);
    assert_eq!(resumed(&store), before);

    // One that is known to have broken off counts for what it has shown, and so does a look.
    let writer = Store::open_writer(Path::new(&store)).unwrap();
    let mut recorder = Recorder::resume(Box::new(writer), &EngineOptions::default()).unwrap();
    let run = recorder.begin_read(None, at(20), true);
    recorder.page(at(20), &run, page(&[port(1, "changed")])).unwrap();
    recorder.read_broken(at(21), &run).unwrap();
    let absent = vec![(Kind::Port, Id::new("p2"))];
    recorder.looked(at(22), None, at(22), Some(1), ItemPage::default(), absent).unwrap();
    recorder.flush().unwrap();
    let names: Vec<String> = ports(recorder.engine());
    assert_eq!(names, ["p1 changed"]);
    let before = lines(recorder.engine());
    drop(recorder);
    assert_eq!(resumed(&store), before);
}

/// An old message that speaks of what a page has shown is refused, and is refused again by whoever folds the journal.
#[test]
fn what_a_page_showed_holds_against_older_messages_after_a_kill_too() {
    let place = Place::new("heldfast");
    let store = place.path("store");
    let mut recorder = Recorder::resume(create(&store), &EngineOptions::default()).unwrap();
    read(&mut recorder, 0, &[port(1, "web"), port(2, "web")]);
    let run = recorder.begin_read(None, at(1_000), true);
    recorder.page(at(1_000), &run, page(&[port(1, "web"), port(2, "web")])).unwrap();
    let payload = json!({"port": {"id": "p1", "name": "old", "revision_number": 900}});
    let raw = message("port.update.end", 500, 1_001, &payload);
    recorder.message(at(1_001), &raw, decode(&raw)).unwrap();
    let raw = message("port.delete.end", 501, 1_001, &json!({"port_id": "p2"}));
    recorder.message(at(1_001), &raw, decode(&raw)).unwrap();
    recorder.flush().unwrap();
    assert_eq!(ports(recorder.engine()), ["p1 web", "p2 web"]);
    let before = lines(recorder.engine());
    drop(recorder);
    assert_eq!(resumed(&store), before);
}

#[test]
fn a_page_of_one_region_brought_the_read_of_another_to_its_end_at_once() {
    let place = Place::new("tworegions");
    let store = place.path("store");
    let mut recorder = Recorder::resume(create(&store), &EngineOptions::default()).unwrap();
    let (north, south) = (Arc::from("north"), Arc::from("south"));
    // More than one step looks through.
    let many: Vec<(&str, Value)> =
        (0..=SLOTS_PER_STEP).map(|number| ("trunks", json!({"id": format!("t{number}")}))).collect();
    let run = recorder.begin_read(Some(&north), at(0), true);
    recorder.page(at(0), &run, page(&many)).unwrap();
    let end =
        ReadEnd { run, complete: vec![Kind::Trunk], has_all_assignments: false, origin: "test".to_owned() };
    recorder.begin_read_end(at(1), end).unwrap();
    assert!(recorder.engine().is_closing_of(Some(&north)));
    let other = recorder.begin_read(Some(&south), at(1), true);
    recorder.page(at(1), &other, page(&[port(1, "web")])).unwrap();
    assert!(recorder.engine().is_closing_of(Some(&north)));
    while recorder.read_on(at(2)).unwrap() {}
    recorder.flush().unwrap();
    let before = lines(recorder.engine());
    drop(recorder);
    assert_eq!(resumed(&store), before);
}

/// A message as it comes from the bus, sent at one second and received at another.
fn message(event_type: &str, sent: i64, received: i64, payload: &Value) -> RawMessage {
    let body = json!({
        "message_id": format!("m{sent}"), "event_type": event_type, "publisher_id": "network.ctl1", "priority": "INFO",
        "timestamp": at(sent).to_string().trim_end_matches('Z'), "payload": payload,
    });
    RawMessage {
        source: "bus".into(),
        region: None,
        exchange: "neutron".into(),
        routing_key: "notifications.info".into(),
        redelivered: false,
        received_at: at(received),
        properties: Properties::default(),
        body: body.to_string().into_bytes(),
    }
}

fn ports(engine: &Engine) -> Vec<String> {
    let lines = engine.clouds().flat_map(|cloud| cloud.lines());
    let ports = lines.filter_map(|line| match line {
        StateLine::Port(port) => Some(format!("{} {}", port.id, port.name)),
        _ => None,
    });
    ports.collect()
}

/// A network goes in another step than most of its ports. Entries say so: whoever folds them is told what explains the ports.
#[test]
fn what_is_written_down_of_a_step_says_what_explains_it() {
    let place = Place::new("steps");
    let store = place.path("store");
    let mut recorder = Recorder::resume(create(&store), &EngineOptions::default()).unwrap();
    let mut all: Vec<(&str, Value)> = (0..2 * MERGED_MAX).map(|number| port(number, "web")).collect();
    all.push(("networks", json!({"id": "n", "name": "net", "revision_number": 1})));
    let read = |recorder: &mut Recorder, second: i64, items: &[(&str, Value)]| {
        let run = recorder.begin_read(None, at(second), true);
        recorder.page(at(second), &run, page(items)).unwrap();
        let (complete, origin) = (vec![Kind::Network, Kind::Port], "test".to_owned());
        recorder.read_end(at(second), ReadEnd { run, complete, has_all_assignments: false, origin }).unwrap();
        recorder.flush().unwrap();
    };
    read(&mut recorder, 0, &all);
    let first = recorder.head().entry;
    read(&mut recorder, 1_000, &[]);
    let before = lines(recorder.engine());
    drop(recorder);
    assert_eq!(resumed(&store), before);
    let written = entries_after(&store, first);
    assert!(written.len() > 2, "{}", written.len());
    let mut engine = Engine::new(EngineOptions::default());
    let (mut out, mut explained) = (Output::default(), Vec::new());
    for entry in entries_after(&store, 0) {
        entries::fold(&mut engine, &entry, &mut out);
        let told = out.records.iter().filter(|record| record.target.is_some());
        explained.extend(told.map(|record| record.detail["explanation"].clone()));
    }
    assert_eq!(explained.iter().filter(|why| *why == "network_deleted").count(), 2 * MERGED_MAX);
    assert_eq!(explained.len(), 2 * MERGED_MAX + 1, "the network by itself");
}

/// What versions wrote before only differences were written down.
#[test]
fn reads_of_older_journals_are_folded_as_they_were() {
    let entry = |number: u64, head: Value, objects: &[(&str, Value)]| Entry {
        number,
        at: at(number as i64),
        kind: EntryKind::INVENTORY,
        source: Arc::default(),
        head: head.to_string().into_bytes(),
        body: page(objects).text,
        erased: false,
    };
    let micros = |second: i64| serde_json::to_value(at(second)).unwrap();
    let head = |run: u64, second: i64| json!({"run": run, "at": micros(second), "exact": true});
    let end = |run: u64, second: i64| {
        let mut head = head(run, second);
        head["end"] = json!({"complete": ["Port"], "origin": "dump.json"});
        head
    };
    let journal = [
        entry(1, head(1, 1), &[port(1, "a"), port(2, "b")]),
        entry(2, head(1, 1), &[port(3, "c"), ("users", json!({"id": "u", "name": "ada"}))]),
        entry(3, end(1, 1), &[]),
        // One that broke off tells of no absence, and one that came to its end does.
        entry(4, head(2, 4), &[port(1, "a4")]),
        entry(5, head(3, 5), &[port(2, "b5")]),
        entry(6, end(3, 5), &[]),
        // A late page shows what it shows.
        entry(7, head(3, 5), &[port(4, "d")]),
    ];
    let mut engine = Engine::new(EngineOptions::default());
    let mut out = Output::default();
    let mut known = Vec::new();
    for entry in &journal {
        entries::fold(&mut engine, entry, &mut out);
        known.push(ports(&engine).join(", "));
    }
    assert_eq!(
        known,
        [
            "p1 a, p2 b",
            "p1 a, p2 b, p3 c",
            "p1 a, p2 b, p3 c",
            "p1 a4, p2 b, p3 c",
            "p1 a4, p2 b5, p3 c",
            "p2 b5",
            "p2 b5, p4 d",
        ]
    );
    assert_eq!((engine.last_run(), engine.names().len()), (3, 1));
    // What the bus says of before such a read is history.
    let payload = json!({"port": {"id": "p2", "name": "late", "revision_number": 900}});
    let raw = message("port.update.end", 4, 9, &payload);
    engine.handle(at(9), osel_core::engine::Input::Message(&raw, decode(&raw)), &mut out);
    assert_eq!(ports(&engine), ["p2 b5", "p4 d"]);
}

#[test]
fn looks_are_handed_out_once_when_their_records_are_durable() {
    let place = Place::new("looks");
    let store = place.path("store");
    let mut recorder = Recorder::resume(create(&store), &EngineOptions::default()).unwrap();
    let payload = json!({"port": {"id": "p", "network_id": "n", "security_groups": ["g"], "fixed_ips": []}});
    let raw = message("port.create.end", 1, 1, &payload);
    recorder.message(at(1), &raw, decode(&raw)).unwrap();
    assert_eq!(recorder.take_looks(0), []);
    recorder.flush().unwrap();
    let looks = recorder.take_looks(1);
    let told: Vec<_> = looks.iter().map(|look| (look.kind, look.id.to_string(), look.cause)).collect();
    assert_eq!(told, [(Kind::SecurityGroup, "g".to_owned(), 2)]);
    assert_eq!(recorder.take_looks(9), []);
}
