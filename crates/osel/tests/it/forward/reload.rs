//! What becomes of a forwarder when the configuration is read again, or its task breaks down, while the store takes nothing.

use std::path::Path;

use osel_core::engine::ForwarderOrder;
use rusqlite::Connection;

use super::carried::{all, table};
use super::ground::Ground;
use crate::broker::until;
use crate::daemon::LIMIT;

/// Holds the store's lock, so that nothing becomes durable before it is let go of; readers go on.
fn held(ground: &Ground) -> Connection {
    let path = ground.place.path("store");
    let database = Connection::open(Path::new(&path).join("journal.db")).unwrap();
    database.busy_timeout(LIMIT).unwrap();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    database
}

#[test]
fn a_forwarder_that_is_changed_knows_the_dead_letters_of_just_before() {
    let mut ground = Ground::new("forward-reload-dead");
    let siem = ground.clerk("siem");
    siem.is_away(true);
    ground.captured("a", 20);
    ground.start(&table("siem", ""));
    until("it has tried", LIMIT, || ground.head() >= 20 && ground.row("siem").trouble.is_some());
    let lock = held(&ground);
    siem.refuses([7]);
    siem.is_away(false);
    ground.renew();
    until("it was given the last", LIMIT, || siem.records().last() == Some(&ground.head()));
    ground.reload(&table("siem", ""));
    drop(lock);
    until("the new one has begun", LIMIT, || siem.resumed() == 2);
    siem.refuses([]);
    ground.order("siem", ForwarderOrder::Resend { seq: None });
    until("it sends what the one before could not", LIMIT, || siem.records().contains(&7));
    until("nothing is dead", LIMIT, || ground.dead("siem").is_empty());
    ground.stop();
}

#[test]
fn a_set_back_just_before_a_change_is_carried_out_once() {
    let mut ground = Ground::new("forward-reload-rewind");
    let siem = ground.clerk("siem");
    ground.captured("a", 20);
    ground.start(&table("siem", ""));
    until("it is up to date", LIMIT, || ground.head() >= 20 && ground.row("siem").place == ground.head());
    let (head, before) = (ground.head(), siem.records().len());
    let lock = held(&ground);
    let answer = ground.ordered("siem", ForwarderOrder::Rewind { seq: 10 });
    ground.reload(&table("siem", ""));
    until("the one before has ended", LIMIT, || siem.closed() == 1);
    drop(lock);
    ground.done(answer);
    ground.captured("b", 5);
    until("it is up to date again", LIMIT, || {
        let (end, row) = (ground.head(), ground.row("siem"));
        end >= head + 5 && row.place == end
    });
    assert_eq!(siem.records()[before..], all(11, ground.head()));
    ground.stop();
}

#[test]
fn a_forwarder_whose_task_breaks_down_says_so_and_begins_anew() {
    let mut ground = Ground::new("forward-panics");
    let siem = ground.clerk("siem");
    siem.panics(true);
    ground.captured("a", 20);
    ground.start(&table("siem", ""));
    until("it has broken down", LIMIT, || siem.resumed() == 1 && ground.head() >= 20);
    siem.panics(false);
    // What was wrong may be mended: it need not rest.
    until("it begins anew", LIMIT, || {
        ground.renew();
        siem.records() == all(1, ground.head())
    });
    ground.stop();
}

#[test]
fn a_forwarder_that_is_down_says_why_where_people_look() {
    let mut ground = Ground::new("forward-down");
    let siem = ground.clerk("siem");
    ground.captured("a", 5);
    ground.start(&table("siem", ""));
    until("all are sent", LIMIT, || ground.head() >= 5 && siem.records() == all(1, ground.head()));
    siem.panics(true);
    ground.captured("b", 5);
    let trouble = || ground.row("siem").trouble.map(|(_, words)| words).unwrap_or_default();
    until("it is down", LIMIT, || trouble().starts_with("down: its driver has failed"));
    assert!(!trouble().contains("as the test wants"), "what a task says last is for the log: {}", trouble());
    // Hurried, it breaks down once more, at the same place.
    ground.renew();
    until("it is down again", LIMIT, || trouble().contains("2 times in a row"));
    assert!(trouble().contains("its task has failed"), "{}", trouble());
    siem.panics(false);
    ground.renew();
    until("it is well", LIMIT, || trouble().is_empty() && siem.records() == all(1, ground.head()));
    ground.stop();
}
