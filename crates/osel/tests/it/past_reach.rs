//! Whether a packet got there, by the part of the clouds that the question needs and by all of them: the same answer by the same way.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use osel::runtime::past::{Asked, Excerpt};
use osel::runtime::{Recorder, state};
use osel::store::{NewStore, Reader, Store};
use osel_core::decode::ItemPage;
use osel_core::engine::{Engine, EngineOptions, ReadEnd};
use osel_core::event::Kind;
use osel_core::exposure::{Question, VerdictDocument, reach_any, read_question};
use osel_core::time::Timestamp;
use osel_sim::paths::States;
use serde_json::Value;

use crate::command::{Place, osel};

/// Of each of the clouds, and at each moment.
const QUESTIONS: usize = 45;
/// So small that the snapshot of a few dozen objects has about as many chunks as that of a large cloud.
const CHUNK_BYTES: usize = 1_500;

fn at(second: i64) -> Timestamp {
    Timestamp::EPOCH.plus_seconds(1_795_219_200 + second)
}

/// Reads a state of a region as all there is; gives the record after which it holds.
fn read(recorder: &mut Recorder, region: Option<&Arc<str>>, second: i64, state: &Value) -> u64 {
    let mut page = ItemPage::default();
    for (collection, objects) in state.as_object().unwrap() {
        for object in objects.as_array().unwrap() {
            page.push(collection, &object.to_string()).unwrap().unwrap();
        }
    }
    let run = recorder.begin_read(region, at(second), true);
    recorder.page(at(second), &run, page).unwrap();
    let end =
        ReadEnd { run, complete: Kind::ALL.to_vec(), has_all_assignments: false, origin: "test".to_owned() };
    recorder.read_end(at(second), end).unwrap();
    recorder.flush().unwrap();
    recorder.engine().seq()
}

fn answer(engine: &Engine, question: &Question) -> Value {
    serde_json::to_value(VerdictDocument::from(&reach_any(engine.clouds(), question))).unwrap()
}

fn part(reader: &mut dyn Reader, seq: u64, question: &Question) -> Value {
    let asked = Asked::Packet { from: question.from, to: question.to };
    let options = EngineOptions::default();
    let part = Excerpt::load(reader, (seq, seq), &asked, false, &options).unwrap().at(seq, &options);
    answer(part.engine(), question)
}

/// What had a say in answers, and how often.
#[derive(Debug, Default)]
struct Seen(BTreeMap<String, usize>);

impl Seen {
    fn add(&mut self, what: &Value) {
        *self.0.entry(what.as_str().unwrap_or("none").to_owned()).or_default() += 1;
    }

    fn take(&mut self, answer: &Value) {
        self.add(&answer["reason"]);
        for hop in answer["path"].as_array().into_iter().flatten() {
            self.add(&hop["type"]);
        }
        for limit in answer["not_modelled"].as_array().into_iter().flatten() {
            self.add(limit);
        }
    }
}

/// A cloud of one region or two with states before the snapshot, in it, and behind it.
fn check(seed: u64, seen: &mut Seen) {
    let place = Place::new("past-reach");
    let store = place.path("store");
    let new = NewStore { id: [7; 16], created_at: Timestamp::EPOCH };
    let journal = Store::create(Path::new(&store), &new).unwrap();
    let mut recorder = Recorder::resume(Box::new(journal), &EngineOptions::default()).unwrap();
    recorder.set_snapshot_chunk(CHUNK_BYTES);
    let regions: &[Option<Arc<str>>] =
        if seed.is_multiple_of(3) { &[Some("east".into()), Some("west".into())] } else { &[None] };
    let mut clouds: Vec<States> =
        (0..regions.len() as u64).map(|number| States::new(seed + 1_000 * number)).collect();
    let mut moments = Vec::new();
    for number in 0..3 {
        if number == 1 {
            recorder.want_snapshot();
        }
        for (region, cloud) in regions.iter().zip(&mut clouds) {
            let state = cloud.next_state();
            let seq = read(&mut recorder, region.as_ref(), 100 * number, &state);
            moments.push((seq, cloud.questions(&state, QUESTIONS)));
        }
    }
    // In the middle of a read.
    let [.., (before, _), (last, questions)] = &moments[..] else { panic!("{} states", moments.len()) };
    moments.push(((before + last) / 2, questions.clone()));
    // Killed: no snapshot of the end is written.
    drop(recorder);

    let reader = &mut Store::open_reader(Path::new(&store)).unwrap();
    let head = reader.head().unwrap().seq;
    let info = reader.snapshot_at(head).unwrap().unwrap();
    assert!(info.chunks > 10 && info.seq < head);
    for (seq, questions) in moments {
        let whole = state::at(reader, seq, &EngineOptions::default()).unwrap();
        for asked in questions {
            let question = read_question(&asked.to_string()).unwrap();
            let expected = answer(&whole, &question);
            assert_eq!(part(reader, seq, &question), expected, "seed {seed}, record {seq}: {asked}");
            seen.take(&expected);
        }
    }
}

#[test]
fn a_question_is_answered_by_a_part_as_by_the_whole() {
    let mut seen = Seen::default();
    (1..=14).for_each(|seed| check(seed, &mut seen));
    // Checks of nothing are no checks.
    let wanted = [
        ("admitted", 200),
        ("no_rule", 100),
        ("admin_down", 50),
        ("no_path", 200),
        ("router", 200),
        ("floatingip", 50),
        ("port_forwarding", 5),
        ("firewall_group", 20),
        ("loadbalancer", 2),
        ("listener", 2),
        ("trunk", 2),
    ];
    for (what, times) in wanted {
        assert!(seen.0.get(what).is_some_and(|found| *found >= times), "{what}: {seen:?}");
    }
}

/// The program answers by the part, too, and refuses what the whole would refuse.
#[test]
fn the_program_answers_by_the_part() {
    let place = Place::new("reach-at");
    let store = place.path("store");
    let new = NewStore { id: [7; 16], created_at: Timestamp::EPOCH };
    let journal = Store::create(Path::new(&store), &new).unwrap();
    let mut recorder = Recorder::resume(Box::new(journal), &EngineOptions::default()).unwrap();
    let mut cloud = States::new(5);
    let state = cloud.next_state();
    let seq = read(&mut recorder, None, 0, &state);
    recorder.finish().unwrap();
    drop(recorder);
    let questions = cloud.questions(&state, 30);
    let lines: Vec<String> = questions.iter().map(|question| format!("{question}\n")).collect();
    let batch = place.write("questions.jsonl", lines.concat());
    let at = seq.to_string();
    let batch = osel(&["reach", "--store", &store, "--at", &at, "--batch", &batch]);
    let expected = String::from_utf8(batch.stdout).unwrap();
    let mut found = String::new();
    for question in &questions {
        let mut words = vec!["reach", "--store", &store, "--at", &at, "-o", "json"];
        let port = question["port"].as_u64().map(|port| port.to_string());
        for (flag, key) in [("--from", "from"), ("--to", "to"), ("--protocol", "protocol")] {
            words.extend([flag, question[key].as_str().unwrap()]);
        }
        port.iter().for_each(|port| words.extend(["--port", port]));
        question["network"].as_str().into_iter().for_each(|network| words.extend(["--network", network]));
        found.push_str(&String::from_utf8(osel(&words).stdout).unwrap());
    }
    assert_eq!(found, expected);
    assert_eq!(found.lines().count(), 30);
}
