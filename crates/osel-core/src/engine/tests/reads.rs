//! Runs of reads: the end of one is not another's, and what broke off says nothing of what it did not show.

use super::{Listener, at, run, shown, sums};
use crate::engine::record::RecordBody;
use crate::engine::{Input, ReadPage, ReadRun};
use crate::event::{Kind, Object};
use crate::ids::Id;

impl Listener {
    fn run_page(&mut self, run: &ReadRun, objects: Vec<Object>) -> Vec<RecordBody> {
        self.handle(run.at, Input::Page(ReadPage { run: run.clone(), objects, lines: Vec::new() }))
    }

    fn rules(&self) -> Vec<Id> {
        self.engine.clouds().flat_map(|cloud| cloud.ids(Kind::Rule)).collect()
    }

    /// A cloud with two rules that is known by a run of its own.
    fn informed() -> Self {
        let mut listener = Self::new();
        let first = run(Some(1), "north", 1);
        listener.run_page(&first, shown("g", &["r1", "r2"]));
        listener.run_end(&first);
        listener
    }
}

fn text(records: &[RecordBody]) -> Vec<&str> {
    records.iter().map(|record| record.detail["text"].as_str()).collect()
}

#[test]
fn records_of_a_read_say_who_has_handed_it_in() {
    let mut listener = Listener::informed();
    let by = |id| ReadRun { actor: Some("ada".into()), ..run(Some(id), "north", 5) };
    listener.run_page(&by(2), shown("g", &["r2"]));
    let broken_off = listener.handle(at(6), Input::ReadBroken(by(2)));
    assert_eq!(text(&broken_off), ["inventory, imported by ada, not read to its end"]);
    listener.run_page(&by(3), shown("g", &["r2"]));
    let ended = listener.run_end(&by(3));
    let last = text(&ended).pop().unwrap().to_owned();
    assert!(last.starts_with("inventory test, imported by ada, read: "), "{last}");
    let records: Vec<_> = broken_off.iter().chain(&ended).collect();
    assert!(
        records.len() > 2 && records.iter().all(|record| record.detail["imported_by"] == "ada"),
        "{records:?}"
    );
}

#[test]
fn an_object_that_is_shown_twice_is_counted_once() {
    for mut listener in [Listener::new(), Listener::informed()] {
        for id in [8, 9] {
            let read = ReadRun { actor: Some("ada".into()), ..run(Some(id), "north", 5) };
            // As Neutron shows rules: in their group, and in a list of their own.
            listener.run_page(&read, shown("g", &["r1", "r3", "r3"]));
            listener.run_page(&read, shown("g", &["r3", "r4"]));
            let ended = listener.run_end(&read);
            let wanted = "inventory test, imported by ada, read: 1 ports, 3 security_group_rules";
            assert_eq!(text(&ended).last(), Some(&wanted));
            assert_eq!(ended.last().unwrap().actor.user_name.as_deref(), Some("ada"));
        }
    }
}

/// The bus, or a read that broke off, may tell of an object between two pages that show it.
#[test]
fn an_object_that_came_between_two_pages_that_show_it_is_counted_once() {
    let mut listener = Listener::informed();
    let (broken_off, read) = (run(Some(8), "north", 4), run(Some(9), "north", 5));
    listener.run_page(&broken_off, shown("g", &["r7"]));
    listener.run_page(&read, shown("g", &["r7"]));
    while listener.engine.has_broken() {
        listener.handle(at(6), Input::ReadOn);
    }
    listener.run_page(&read, shown("g", &["r7"]));
    let ended = listener.run_end(&read);
    assert_eq!(text(&ended).last(), Some(&"inventory test read: 1 ports, 1 security_group_rules"));
}

/// A file that says when it was taken is read again after a kill: its time is the same, and yet it is another read.
#[test]
fn a_read_of_the_same_time_was_taken_for_the_one_that_broke_off() {
    let mut listener = Listener::informed();
    let (broken_off, again) = (run(Some(2), "north", 5), run(Some(3), "north", 5));
    listener.run_page(&broken_off, shown("g", &["r2"]));
    let records = listener.run_page(&again, shown("g", &["r1"]));
    assert_eq!(text(&records), ["inventory not read to its end"]);
    assert_eq!(sums(&listener.run_end(&again)), (0, 1), "r2 was not shown by the read that ended");
    assert_eq!(listener.rules(), [Id::new("r1")]);
}

#[test]
fn the_end_of_a_read_closed_the_one_that_had_begun_after_it() {
    let mut listener = Listener::informed();
    let (slow, quick) = (run(Some(2), "north", 2), run(Some(3), "north", 3));
    listener.run_page(&slow, shown("g", &["r1"]));
    listener.run_page(&quick, shown("g", &["r1"]));
    let records = listener.run_end(&slow);
    assert_eq!(
        text(&records),
        ["inventory test came to its end when another read had begun: what it did not show stays"]
    );
    assert_eq!((sums(&records), listener.rules().len()), ((0, 0), 2), "nothing is gone");
    assert!(listener.engine.is_reading(), "the other one goes on");
    listener.run_page(&quick, shown("g", &["r2"]));
    assert_eq!(sums(&listener.run_end(&quick)), (0, 0), "both were shown by it");
    assert!(!listener.engine.is_reading());
    // Also when all is over, and by another process.
    listener.restart();
    assert_eq!(listener.run_end(&slow).len(), 1);
    assert_eq!((listener.rules().len(), listener.engine.last_run()), (2, 3));
}

#[test]
fn a_late_page_of_a_read_that_broke_off_counts_for_what_it_shows_only() {
    let mut listener = Listener::informed();
    let (slow, quick) = (run(Some(2), "north", 2), run(Some(3), "north", 3));
    listener.run_page(&slow, shown("g", &["r1"]));
    listener.run_page(&quick, shown("g", &["r1"]));
    listener.run_page(&slow, shown("g", &["r2"]));
    assert_eq!(sums(&listener.run_end(&quick)), (0, 1), "r2 was shown by the other one");
    assert_eq!(listener.rules(), [Id::new("r1")]);

    // After the end it is a read of its own that has no end.
    listener.run_page(&quick, shown("g", &["r1", "r3"]));
    let records = listener.handle(at(9), Input::Tick);
    assert_eq!(records.len(), 0);
    assert!(!listener.engine.is_reading());
    assert_eq!(listener.rules(), [Id::new("r1"), Id::new("r3")]);
}
