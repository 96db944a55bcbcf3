//! Reads that broke off: what they had shown counts, in steps of its own, and is never taken for later than what a later one shows.

use serde_json::json;

use super::drift::{group, network, object, port, rule};
use super::steps::{Steps, server};
use super::{Listener, at, run};
use crate::engine::{BROKEN_MAX, Input, MERGED_MAX, ReadPage, ReadStep};
use crate::event::{Kind, Object};
use crate::ids::Id;

/// What a read had shown that broke off is merged in steps too, also when the next one has begun.
#[test]
fn what_a_read_had_shown_that_broke_off_is_merged_in_steps() {
    for begins_another in [false, true] {
        let mut listener = Listener::with_one_port();
        let servers = |revision| (0..3 * MERGED_MAX).map(move |number| server(number, revision, &[]));
        let slow = run(Some(2), "north", 1_000);
        let mut steps = Steps::default();
        let page = ReadPage { run: slow.clone(), objects: servers(1).collect(), lines: Vec::new() };
        listener.one_step(1_000, Input::Page(page), &mut steps);
        assert_eq!(steps.parts.len(), 0);
        let one = vec![network(), group(), rule("r1", 22), port("p1", 1, &json!({}))];
        let quick = run(Some(3), "north", 1_001);
        let input = match begins_another {
            true => Input::Page(ReadPage { run: quick.clone(), objects: one.clone(), lines: Vec::new() }),
            false => Input::ReadBroken(slow.clone()),
        };
        listener.one_step(1_001, input, &mut steps);
        assert!(listener.engine.has_broken() && listener.engine.is_over(&slow));
        // A message of before it says nothing new of what it had shown, and one that is later does; the first comes between two steps.
        let renamed = |name: &str| json!({"port": {"id": "w5", "name": name, "revision_number": 2}});
        let name = |listener: &Listener| {
            let cloud = listener.engine.clouds().next().unwrap();
            cloud.name_of(Kind::Port, &Id::new("w5")).map(str::to_owned)
        };
        listener.hear_between(500, 1_002, "port.update.end", &renamed("history"));
        assert!(listener.engine.has_broken());
        listener.finish(1_002, &mut steps);
        listener.hear(501, 1_003, "r", "port.update.end", &renamed("history"));
        assert_eq!(name(&listener).as_deref(), Some("server 1"), "{begins_another}");
        listener.hear(1_002, 1_003, "r", "port.update.end", &renamed("later"));
        assert_eq!(name(&listener).as_deref(), Some("later"), "{begins_another}");
        let sizes: Vec<usize> = steps.parts.iter().map(|part| part.objects.len()).collect();
        assert_eq!(sizes, [MERGED_MAX; 3], "{begins_another}");
        assert!(steps.parts.iter().all(|part| part.run.id == slow.id));
        assert!(matches!(steps.parts[2].step, ReadStep::BrokenOff));
        assert_eq!(steps.records.last().unwrap().detail["text"], "inventory not read to its end");
        // The other one does not take them for shown by itself; what was said later stays.
        let steps = listener.in_steps(3, 1_001, &one);
        let gone = steps.parts.iter().map(|part| part.gone.len()).sum::<usize>();
        assert_eq!(gone, 3 * MERGED_MAX - 1, "{begins_another}");
    }
}

/// A page is held against the model before the rest of an older read is merged: what it shows is the last word all the same.
#[test]
fn a_page_is_later_than_what_is_left_of_a_read_that_broke_off() {
    // Its revision says nothing of its ports.
    let wall =
        |ports: &[&str]| object(Kind::FirewallGroup, &json!({"id": "fg", "name": "w", "ports": ports}));
    let servers = || (0..2 * MERGED_MAX).map(|number| server(number, 1, &[]));
    let one = || [network(), group(), rule("r1", 22), port("p1", 1, &json!({})), wall(&["p1"])];
    for page_breaks_it_off in [false, true] {
        let mut listener = Listener::with_one_port();
        listener.in_steps(2, 500, &one());
        let slow = run(Some(3), "north", 1_000);
        let mut steps = Steps::default();
        let objects = servers().chain([wall(&["p1", "p2"])]).collect();
        let page = ReadPage { run: slow.clone(), objects, lines: Vec::new() };
        listener.one_step(1_000, Input::Page(page), &mut steps);
        if !page_breaks_it_off {
            listener.one_step(1_000, Input::ReadBroken(slow), &mut steps);
        }
        let quick = run(Some(4), "north", 1_001);
        let objects: Vec<Object> = one().into_iter().chain(servers()).collect();
        let mut rest = listener.begin_end(&quick, 1_001, &objects);
        listener.finish(1_001, &mut rest);
        // Who folds what was written down has it too.
        let mut folded = Listener::with_one_port();
        folded.in_steps(2, 500, &one());
        for part in steps.parts.into_iter().chain(rest.parts) {
            folded.one_step(1_001, Input::Differences(part), &mut Steps::default());
        }
        for listener in [&listener, &folded] {
            let cloud = listener.engine.clouds().next().unwrap();
            assert!(!cloud.differs(at(1_001), true, &wall(&["p1"])), "{page_breaks_it_off}");
            assert!(cloud.differs(at(1_001), true, &wall(&["p1", "p2"])), "{page_breaks_it_off}");
        }
    }
}

/// A read whose end was under way breaks off: what it would have taken away stays, and steps that are empty by that are none.
#[test]
fn what_was_to_go_with_a_read_that_broke_off_leaves_no_empty_steps() {
    let mut listener = Listener::with_one_port();
    let one = || [network(), group(), rule("r1", 22), port("p1", 1, &json!({}))].into_iter();
    let servers = |revision| (0..6 * MERGED_MAX).map(move |number| server(number, revision, &[]));
    listener.in_steps(2, 500, &one().chain(servers(1)).collect::<Vec<_>>());
    let read = run(Some(3), "north", 1_000);
    // Some have another name, most are gone.
    let shown: Vec<Object> = one().chain(servers(2).take(10)).collect();
    let mut steps = listener.begin_end(&read, 1_000, &shown);
    while steps.parts.iter().all(|part| part.gone.is_empty()) {
        listener.one_step(1_000, Input::ReadOn, &mut steps);
    }
    let before = steps.parts.len();
    listener.one_step(1_001, Input::ReadBroken(read), &mut steps);
    listener.finish(1_001, &mut steps);
    let sizes: Vec<usize> =
        steps.parts[before..].iter().map(|part| part.objects.len() + part.gone.len()).collect();
    assert!(sizes.iter().sum::<usize>() <= 10 && sizes.len() <= 2, "{sizes:?}");
    assert!(steps.parts.last().is_some_and(|part| part.step == ReadStep::BrokenOff));
    let cloud = listener.engine.clouds().next().unwrap();
    assert!(cloud.count(Kind::Port) > 4 * MERGED_MAX, "{}", cloud.count(Kind::Port));
}

/// Of more than may wait the first is merged at once, as far as it was not yet: it has its end too.
#[test]
fn reads_that_break_off_one_after_another_are_bounded_and_merged_in_their_order() {
    let mut listener = Listener::with_one_port();
    let mut steps = Steps::default();
    let reads = 2..BROKEN_MAX as u64 + 5;
    for number in reads.clone() {
        let run = run(Some(number), "north", 1_000 + number as i64);
        let objects = (0..2 * MERGED_MAX + 1).map(|server_of| server(server_of, number, &[])).collect();
        let page = ReadPage { run: run.clone(), objects, lines: Vec::new() };
        listener.one_step(1_100, Input::Page(page), &mut steps);
        listener.one_step(1_100, Input::ReadBroken(run.clone()), &mut steps);
        assert!(listener.engine.is_over(&run));
    }
    listener.finish(1_100, &mut steps);
    let runs: Vec<_> = steps.parts.iter().filter_map(|part| part.run.id.map(|id| id.0)).collect();
    assert!(runs.is_sorted(), "{runs:?}");
    let ends = steps.parts.iter().filter(|part| part.step == ReadStep::BrokenOff).count();
    assert_eq!(ends, reads.count(), "each is told to have broken off");
    let sizes: Vec<usize> = steps.parts.iter().map(|part| part.objects.len()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), ends * (2 * MERGED_MAX + 1), "what was shown counts: {sizes:?}");
    let cloud = listener.engine.clouds().next().unwrap();
    let last = format!("server {}", BROKEN_MAX + 4);
    assert_eq!(cloud.name_of(Kind::Port, &Id::new("w7")), Some(&*last));
}
