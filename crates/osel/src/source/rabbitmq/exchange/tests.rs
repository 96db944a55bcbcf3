//! An exchange that comes, goes, is forbidden, and what is told of that.

use std::time::Duration;

use osel_core::time::Timestamp;
use tokio::time::Instant;

use super::{
    CHECK_WAIT, Change, DENIED_WAIT_MAX, EXPECTED_TIME, EXPECTED_WAIT, Exchange, Now, Question,
    RETURNING_TIME, RETURNING_WAIT, Refused, TOLD_MAX, TOLD_TIME, UNKNOWN_WAIT_MAX,
};

/// Two clocks that begin with a test, of which people set one.
struct Clocks {
    start: Instant,
    passed: Duration,
    set_by_seconds: i64,
}

impl Clocks {
    fn new() -> Self {
        Self { start: Instant::now(), passed: Duration::ZERO, set_by_seconds: 1_000_000 }
    }

    fn now(&self) -> Now {
        let seconds = i64::try_from(self.passed.as_secs()).unwrap() + self.set_by_seconds;
        Now { time: Timestamp::EPOCH.plus_seconds(seconds), moment: self.start + self.passed }
    }

    fn pass(&mut self, time: Duration) -> Now {
        self.passed += time;
        self.now()
    }
}

fn bound() -> Exchange {
    let mut exchange = Exchange::new();
    exchange.there(true);
    assert!(exchange.is_bound());
    exchange
}

/// Asks whenever there is a question, for a time, and gives the waits in between.
fn waits(
    exchange: &mut Exchange,
    clocks: &mut Clocks,
    time: Duration,
    answer: impl Fn(&mut Exchange, Now),
) -> Vec<Duration> {
    let (mut waits, mut asked) = (Vec::new(), clocks.passed);
    let end = clocks.passed + time;
    while clocks.passed < end {
        let now = clocks.pass(RETURNING_WAIT);
        if exchange.question(now.moment) != Question::Nothing {
            answer(exchange, now);
            waits.push(clocks.passed - asked);
            asked = clocks.passed;
        }
    }
    waits
}

#[test]
fn the_mark_is_asked_for_at_the_first_look_of_a_connection_only() {
    assert!(Exchange::new().needs_mark(true));
    assert!(Exchange::new().needs_mark(false));
    assert!(bound().needs_mark(true));
    assert!(!bound().needs_mark(false));
    let mut exchange = bound();
    exchange.there(false);
    assert!(exchange.is_unbound());
    assert!(!exchange.needs_mark(true), "that it is not bound is known");
    assert_eq!(exchange.unbound_since(), None, "since the last look");
}

#[test]
fn an_exchange_without_its_mark_is_not_bound() {
    let mut exchange = Exchange::new();
    exchange.there(false);
    assert!(exchange.is_unbound());
    exchange.there(true);
    assert!(exchange.is_unbound(), "only binding it helps");
    exchange.bound();
    assert!(exchange.is_bound());
}

#[test]
fn a_lost_exchange_is_looked_for_ever_more_seldom_whatever_the_clock_says() {
    let mut clocks = Clocks::new();
    let mut exchange = bound();
    exchange.absent(false, clocks.now());
    assert!(exchange.is_lost() && exchange.is_returning(clocks.now().moment));
    // A day back: nothing waits for it to come again.
    clocks.set_by_seconds -= 86_400;
    let absent = |exchange: &mut Exchange, now| exchange.absent(false, now);
    let soon = waits(&mut exchange, &mut clocks, RETURNING_TIME, absent);
    assert_eq!(soon.len(), 60, "{soon:?}");
    assert!(!exchange.is_returning(clocks.now().moment));
    let later = waits(&mut exchange, &mut clocks, EXPECTED_TIME - RETURNING_TIME, absent);
    assert!(later.iter().all(|wait| *wait == CHECK_WAIT), "{later:?}");
    let at_last = waits(&mut exchange, &mut clocks, Duration::from_secs(600), absent);
    assert!(at_last.iter().skip(1).all(|wait| *wait == EXPECTED_WAIT) && at_last.len() >= 9, "{at_last:?}");

    // The gap begins with the last look that did not find it, by the clock that people read.
    let seen = clocks.now().time;
    exchange.absent(false, clocks.now());
    clocks.pass(EXPECTED_WAIT);
    exchange.there(true);
    assert_eq!(exchange.unbound_since(), Some(seen));
}

#[test]
fn an_exchange_that_was_never_there_is_asked_for_ever_more_seldom() {
    let mut clocks = Clocks::new();
    let mut exchange = Exchange::new();
    exchange.absent(false, clocks.now());
    assert!(!exchange.is_lost() && !exchange.is_returning(clocks.now().moment));
    let absent = |exchange: &mut Exchange, now| exchange.absent(false, now);
    let waits = waits(&mut exchange, &mut clocks, Duration::from_secs(3_600), absent);
    assert_eq!(waits[..4], [4, 4, 8, 16].map(Duration::from_secs));
    assert_eq!(waits.last(), Some(&UNKNOWN_WAIT_MAX));
    // A new connection asks at once.
    exchange.forget(clocks.now().moment);
    assert_eq!(exchange.question(clocks.now().moment), Question::Presence);
    // One that only its mark knows of was bound.
    let mut exchange = Exchange::new();
    exchange.absent(true, clocks.now());
    assert!(exchange.is_lost());
}

#[test]
fn a_denied_exchange_is_no_gap_until_it_may_be_bound_again() {
    let mut clocks = Clocks::new();
    let mut exchange = Exchange::new();
    exchange.there(false);
    let since = clocks.now().time;
    exchange.denied(Refused::Exchange, clocks.now());
    assert!(!exchange.is_unbound() && !exchange.is_bound());
    assert_eq!(exchange.question(clocks.now().moment), Question::Nothing);

    let denied = |exchange: &mut Exchange, now| exchange.denied(Refused::Exchange, now);
    let waits = waits(&mut exchange, &mut clocks, Duration::from_secs(600), denied);
    assert_eq!(waits[..5], [4, 8, 16, 32, 60].map(Duration::from_secs));
    assert_eq!(waits.last(), Some(&DENIED_WAIT_MAX));

    // A new connection asks anew, and it is as denied as before.
    exchange.forget(clocks.now().moment);
    assert_eq!(exchange.question(clocks.now().moment), Question::Permission);
    assert!(!exchange.is_unbound());
    exchange.denied(Refused::Exchange, clocks.now());
    exchange.forget(clocks.now().moment);
    exchange.allowed();
    assert!(exchange.is_unbound());
    assert_eq!(exchange.unbound_since(), Some(since), "all that passed by lies in the gap");
}

#[test]
fn how_an_exchange_is_is_told_once() {
    let mut clocks = Clocks::new();
    let mut exchange = Exchange::new();
    let told = |exchange: &mut Exchange, clocks: &Clocks| exchange.take_change("nova", clocks.now().moment);
    assert_eq!(told(&mut exchange, &clocks), None);
    exchange.there(false);
    assert_eq!(told(&mut exchange, &clocks), None);
    for _ in 0..3 {
        exchange.denied(Refused::Exchange, clocks.pass(CHECK_WAIT));
        let first = (clocks.passed == CHECK_WAIT).then(|| Change::Denied("nova".to_owned()));
        assert_eq!(told(&mut exchange, &clocks), first);
        exchange.forget(clocks.now().moment);
    }
    exchange.allowed();
    exchange.bound();
    assert_eq!(told(&mut exchange, &clocks), Some(Change::Bound("nova".to_owned())));
    assert_eq!(told(&mut exchange, &clocks), None);
    // A binding that was lost and is back is told, though the exchange never seemed to be gone.
    exchange.there(false);
    exchange.bound();
    assert_eq!(told(&mut exchange, &clocks), Some(Change::Bound("nova".to_owned())));
    // One that was never there is not worth a line.
    let mut unknown = Exchange::new();
    unknown.absent(false, clocks.now());
    assert_eq!(told(&mut unknown, &clocks), None);
}

/// The binding stands and goes on bringing messages; that it could not be made again is told once, and that it can be.
#[test]
fn a_binding_that_may_not_be_made_again_stays_one() {
    let mut clocks = Clocks::new();
    let mut exchange = bound();
    let told = |exchange: &mut Exchange, clocks: &Clocks| exchange.take_change("nova", clocks.now().moment);
    let bound = Some(Change::Bound("nova".to_owned()));
    assert_eq!(told(&mut exchange, &clocks), bound);
    for first in [Some(Change::Forbidden("nova".to_owned())), None] {
        exchange.forbidden();
        clocks.pass(CHECK_WAIT);
        assert_eq!(told(&mut exchange, &clocks), first);
        assert!(exchange.is_bound() && exchange.question(clocks.now().moment) == Question::Presence);
    }
    exchange.bound();
    assert_eq!(told(&mut exchange, &clocks), bound);
}

#[test]
fn one_that_goes_back_and_forth_does_not_fill_the_log() {
    let mut clocks = Clocks::new();
    let mut exchange = bound();
    let mut told = Vec::new();
    let windows: u32 = 3;
    // Each time is told as often as may be; after an hour of that it is gone at last.
    while clocks.passed < TOLD_TIME * windows {
        told.extend(exchange.take_change("nova", clocks.now().moment));
        exchange.absent(false, clocks.pass(RETURNING_WAIT));
        told.extend(exchange.take_change("nova", clocks.now().moment));
        exchange.there(true);
        exchange.bound();
    }
    assert_eq!(told.len(), (TOLD_MAX * windows) as usize);
    exchange.absent(false, clocks.now());
    clocks.pass(TOLD_TIME);
    let last = exchange.take_change("nova", clocks.now().moment);
    assert_eq!(last.is_some(), told.last() != Some(&Change::Gone("nova".to_owned())));
    assert_eq!(last.as_ref().or(told.last()), Some(&Change::Gone("nova".to_owned())));
}
