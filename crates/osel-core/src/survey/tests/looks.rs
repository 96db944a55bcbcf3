//! When single objects are looked at.

use super::super::*;
use super::script::{check, port};
use crate::time::Timestamp;

#[test]
fn a_look_goes_at_once_and_beside_a_read() {
    check(
        "0 start
         > read 1 Start
         10 wished a
         > look 2 a
         11 wished b
         11 wished b
         30 answered 2
         > look 3 b
         40 answered 3
         1000 ended 1 0%
         2000 wished a
         > look 4 a",
    );
}

#[test]
fn what_is_asked_for_while_it_is_looked_at_is_looked_at_again() {
    // The answer under way may be older than what asks now.
    check(
        "0 start
         > read 1 Start
         10 wished a
         > look 2 a
         11 wished a
         12 answered 2
         > look 3 a
         13 answered 3",
    );
}

#[test]
fn what_waited_when_a_read_began_was_shown_by_it() {
    check(
        "0 start
         > read 1 Start
         1000 failed 1 unreachable 0%
         > log Warn: began Api(Unreachable) x1 since 1000
         1100 wished a
         1200 wished b
         1500 tick
         > look 2 a
         1600 answered 2
         > log Info: ended Api(Unreachable) x1 since 1000
         > look 3 b
         > read 4 Start
         1650 wished c
         1700 failed 3 broken 0%
         > log Warn: unsteady Api(Broken) x2 since 1000
         1800 ended 4
         > look 5 c",
    );
}

#[test]
fn looks_are_paced() {
    let mut survey = Survey::new(3_600_000_000);
    let mut orders = Vec::new();
    survey.step(Timestamp::EPOCH, 0, SurveyInput::Start, &mut orders);
    let mut now = Timestamp::EPOCH;
    for number in 0..LOOKS_WAITING_MAX {
        survey.step(now, 0, SurveyInput::Wished(port(&number.to_string())), &mut orders);
    }
    let mut times = Vec::new();
    while times.len() < LOOKS_WAITING_MAX {
        let looked: Vec<Ticket> = orders
            .drain(..)
            .filter_map(|order| match order {
                SurveyOrder::ReadOne { ticket, .. } => Some(ticket),
                _ => None,
            })
            .collect();
        times.extend(looked.iter().map(|_| now.micros()));
        match looked.first() {
            // Answered in no time.
            Some(ticket) => survey.step(now, 0, SurveyInput::Answered(*ticket), &mut orders),
            None => {
                now = survey.wake_at().expect("some wait");
                survey.step(now, 0, SurveyInput::Tick, &mut orders);
            }
        }
    }
    let at_once = times.iter().filter(|time| **time == 0).count();
    assert_eq!(at_once as u64, LOOKS_AT_ONCE);
    let every: Vec<i64> = times[at_once..].windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(every.iter().all(|apart| *apart == LOOK_EVERY_MICROS as i64), "{every:?}");
}

#[test]
fn more_than_may_wait_are_a_read_of_everything() {
    let mut survey = Survey::new(3_600_000_000);
    let mut orders = Vec::new();
    let time = |seconds| Timestamp::EPOCH.plus_seconds(seconds);
    survey.step(time(0), 0, SurveyInput::Start, &mut orders);
    survey.step(time(1), 0, SurveyInput::Ended(Ticket(1)), &mut orders);
    // One is under way, so many wait.
    for number in 0..=LOOKS_WAITING_MAX {
        survey.step(time(2), 0, SurveyInput::Wished(port(&number.to_string())), &mut orders);
    }
    orders.clear();
    assert_eq!(survey.looks_waiting(), LOOKS_WAITING_MAX);
    survey.step(time(100), 0, SurveyInput::Tick, &mut orders);
    assert_eq!(orders, []);
    survey.step(time(100), 0, SurveyInput::Wished(port("one more")), &mut orders);
    assert_eq!(orders, [SurveyOrder::ReadAll { ticket: Ticket(3), reason: Reason::Looks }]);
    assert_eq!(survey.looks_waiting(), LOOKS_WAITING_MAX);
    survey.step(time(101), 0, SurveyInput::Ended(Ticket(3)), &mut orders);
    assert_eq!(survey.looks_waiting(), 0);
}
