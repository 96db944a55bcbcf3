//! What is written to the log, and how little.

use super::super::*;
use super::script::check;
use crate::time::Timestamp;

#[test]
fn an_hour_without_a_broker_takes_at_most_ten_lines() {
    let mut intake = Intake::new(Limits::bus(3));
    let mut now = Timestamp::EPOCH;
    let end = now.plus_seconds(3600);
    let mut orders = Vec::new();
    let (mut lines, mut attempts) = (Vec::new(), 0);
    let report = QueueReport { queue: Queue::Kept, asked_at: now, is_drained: true, unbound_since: None };
    intake.step(now, IntakeInput::Start { epoch: 1, cursor: Cursor::default() }, &mut orders);
    let mut next = Some((now, ConnectionNumber(0)));
    // Chance is at its smallest, which makes the most attempts.
    while now < end {
        for order in std::mem::take(&mut orders) {
            match order {
                IntakeOrder::ConnectAt { at, connection, .. } => next = Some((at, connection)),
                IntakeOrder::Log(line) => lines.push(line),
                other => panic!("{other:?}"),
            }
        }
        let (at, connection) = next.expect("there is always a next attempt");
        let wake_at = intake.wake_at().filter(|wake_at| *wake_at < at);
        now = wake_at.unwrap_or(at);
        let chance = 0;
        let why = BrokerTrouble::Unreachable;
        let input = if wake_at.is_some() {
            IntakeInput::Tick
        } else if now >= end {
            IntakeInput::Connected { connection, report }
        } else {
            attempts += 1;
            IntakeInput::ConnectFailed { connection, why, chance }
        };
        intake.step(now, input, &mut orders);
    }
    lines.extend(orders.into_iter().filter_map(|order| match order {
        IntakeOrder::Log(line) => Some(line),
        _ => None,
    }));
    assert!(attempts > 5000, "{attempts} attempts");
    assert!(lines.len() <= 10, "{} lines: {lines:?}", lines.len());
    assert!(
        matches!(lines.first(), Some(LogLine::Began(_))) && matches!(lines.last(), Some(LogLine::Ended(_)))
    );
}

#[test]
fn what_comes_and_goes_is_told_once_and_again_when_it_is_steady() {
    check(
        "0 start
         > connect 1 host 0 in 0
         0 connected 1 kept
         > log Info: connected to 0
         1000 lost 1 closed 0%
         > log Warn: began Broker(Closed) x1 since 1000
         > connect 2 host 1 in 50
         2000 connected 2 kept
         > log Info: ended Broker(Closed) x1 since 1000
         3000 lost 2 closed 0%
         > log Warn: unsteady Broker(Closed) x2 since 1000
         > connect 3 host 0 in 50
         4000 connected 3 kept
         5000 lost 3 closed 0%
         > connect 4 host 1 in 50
         6000 connected 4 kept
         6000 wake
         > 66000
         66000 tick
         > log Info: steady Broker(Closed) x3 since 1000",
    );
}

#[test]
fn one_reminder_in_ten_minutes_names_all_that_lasts() {
    check(
        "0 start
         > connect 1 host 0 in 0
         0 connected 1 kept
         > log Info: connected to 0
         1 delivered 1:1 100
         > commit 1
         1000 lost 1 closed 0%
         > log Warn: began Broker(Closed) x1 since 1000
         > connect 2 host 1 in 50
         2000 failed 1 for-good
         > log Error: began Store(Permanent) x1 since 2000
         > pause
         300000 refused 2 unreachable 0%
         > connect 3 host 0 in 50
         > commit 1
         601000 tick
         > log Error: still Broker(Unreachable) x2 since 1000, Store(Permanent) x1 since 2000
         601000 wake
         > 1201000",
    );
}

#[test]
fn refused_credentials_are_told_once_in_an_outage() {
    check(
        "0 start
         > connect 1 host 0 in 0
         0 refused 1 unreachable 0%
         > log Warn: began Broker(Unreachable) x1 since 0
         > connect 2 host 1 in 50
         1 refused 2 denied 0%
         > log Error: began Broker(Denied) x2 since 0
         > connect 3 host 0 in 50
         2 refused 3 unreachable 0%
         > connect 4 host 1 in 50
         3 refused 4 denied 0%
         > connect 5 host 0 in 50",
    );
}
