//! Erasures where inputs have a limit: what is kept for so many days goes in time, however often somebody is erased, and no state of before
//! names who was.

use std::collections::BTreeSet;

use osel::runtime::forgetting::Forgetting;
use osel_core::engine::{EngineLine, EngineOptions, OperatorOrder, Order, Retention, Sought};
use osel_core::event::NameKind;
use osel_core::names::NameEntry;

use crate::broker::{Postgres, free_port};
use crate::command::{Place, run};
use crate::retention::{Listener, collect, day, days};

/// Users that have a name.
fn users(listener: &Listener) -> Vec<NameEntry> {
    let engine = osel::runtime::state::resume(&mut *listener.reader(), &EngineOptions::default()).unwrap();
    let lines = engine.lines().filter_map(|line| match line {
        EngineLine::Name(entry) if entry.kind == NameKind::User => Some(entry),
        _ => None,
    });
    lines.collect()
}

/// Has a user erased who was not, and says by which names nobody is to be found any more.
fn erase(listener: &Listener, erased: &mut BTreeSet<String>) -> Vec<String> {
    let user = users(listener).into_iter().find(|user| erased.insert(user.id.to_string())).unwrap();
    let sought = Sought { user: Some(user.id.to_string()), address: None };
    let what = OperatorOrder::ErasePerson { user: None, reason: "asked for it".to_owned(), sought };
    let mut recorder = listener.writer();
    recorder.order(day(listener.today()), Order { actor: "dpo".to_owned(), what }).unwrap();
    recorder.flush().unwrap();
    drop(recorder);
    let mut journal = listener.journal();
    while journal.erase_persons(std::time::Duration::ZERO, &Forgetting).unwrap() {}
    user.sightings.iter().map(|sighting| format!("\"{}\"", sighting.name)).collect()
}

/// No input and no saved state from before that entry has one of these texts.
fn is_clean(listener: &Listener, until: u64, names: &[String]) {
    let named =
        |bytes: &[u8]| names.iter().any(|name| memchr::memmem::find(bytes, name.as_bytes()).is_some());
    let mut reader = listener.reader();
    for entry in collect(|each| reader.entries(1..=until, each)) {
        assert!(!named(&entry.body), "{}", String::from_utf8_lossy(&entry.body));
    }
    let before: Vec<_> = reader.snapshots().unwrap().into_iter().filter(|info| info.entry < until).collect();
    assert!(before.len() >= 7, "{before:?}");
    for info in before {
        let chunks = collect(|each| reader.snapshot(info.id, each));
        assert!(!chunks.iter().any(|chunk| named(chunk)), "{info:?}");
    }
}

fn inputs_go_in_time(listener: &mut Listener) {
    let mut erased = BTreeSet::new();
    for _ in 0..2 {
        listener.listen(10);
        let names = erase(listener, &mut erased);
        assert!(!names.is_empty());
        let told = listener.reader().erasures().unwrap().pop().unwrap();
        assert!(told.is_done && told.states >= 3 && told.messages > 3, "{told:?}");
        is_clean(listener, told.until.1, &names);
        // What was is as it was, but for the names.
        listener.check();
    }
    listener.listen(11);
    let decision = listener.decide(&days(20));
    let [Retention::Inputs { before, .. }] = &decision.told[..] else { panic!("{decision:?}") };
    let (from, to) = (day(listener.today() - 23), day(listener.today() - 20));
    assert!(from < *before && *before <= to, "{before}");
    listener.expire();
    listener.check();
}

#[test]
fn inputs_go_in_time_whoever_is_erased_meanwhile() {
    let place = Place::new("privacy-retention");
    inputs_go_in_time(&mut Listener::new(&place, "store", 17));
    let store = place.path("store");
    run(&["audit", "verify", "--store", &store]);
}

#[test]
fn in_a_database_too() {
    let postgres = Postgres::start(free_port(), "");
    inputs_go_in_time(&mut Listener::sharing(postgres.database("osel"), 19));
}
