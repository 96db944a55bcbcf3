//! What is done when the API fails, and how little is said of it.

use super::super::*;
use super::script::check;
use crate::time::Timestamp;

#[test]
fn an_api_that_is_down_is_asked_less_and_less_often_and_by_one_order_alone() {
    check(
        "0 start
         > read 1 Start
         1000 failed 1 unreachable 50%
         > log Warn: began Api(Unreachable) x1 since 1000
         1000 wake
         > 3500
         2000 wished a
         2000 wished b
         3500 tick
         > look 2 a
         4000 failed 2 unreachable 50%
         4000 wake
         > 9000
         9000 tick
         > look 3 a
         9500 failed 3 unreachable 50%
         19500 tick
         > look 4 a
         19600 answered 4
         > log Info: ended Api(Unreachable) x3 since 1000
         > look 5 b
         > read 6 Start
         20000 ended 6
         20100 answered 5
         30000 gap
         > read 7 Gap
         30100 failed 7 unreachable 50%
         > log Warn: unsteady Api(Unreachable) x4 since 1000
         30100 wake
         > 32600",
    );
}

#[test]
fn a_read_that_always_breaks_off_is_tried_less_and_less_often() {
    // Each time the API answers at first: the breaker alone would begin anew each time.
    check(
        "0 start
         > read 1 Start
         10 paged 1
         11 handled 1
         > taken 1
         100 failed 1 broken
         > log Warn: began Api(Broken) x1 since 100
         5100 tick
         > read 2 Start
         5110 paged 2
         > log Info: ended Api(Broken) x1 since 100
         5111 handled 2
         > taken 2
         5200 failed 2 broken
         > log Warn: unsteady Api(Broken) x2 since 100
         5200 wake
         > 15200
         15200 tick
         > read 3 Start
         15210 paged 3
         15300 failed 3 broken
         15300 wake
         > 35300",
    );
}

#[test]
fn what_a_person_mends_waits_for_the_person() {
    check(
        "0 start
         > read 1 Start
         100 failed 1 denied 0%
         > log Error: began Api(Denied) x1 since 100
         100 wake
         > 300100
         5000 renewed
         > read 2 Start
         5100 failed 2 denied 0%
         5200 wished a
         5300 renewed
         > look 3 a
         5400 answered 3
         > log Info: ended Api(Denied) x2 since 100
         > read 4 Start",
    );
}

#[test]
fn a_policy_that_refuses_hides_no_answer_to_others() {
    check(
        "0 start
         > read 1 Start
         100 failed 1 refused 0%
         > log Error: began Api(Refused) x1 since 100
         200 wished a
         > look 2 a
         300 answered 2
         400 wished b
         > look 3 b
         500 failed 3 refused
         500 wake
         > 300100
         300100 tick
         > read 4 Start
         300200 ended 4 0%
         > log Info: ended Api(Refused) x1 since 100",
    );
}

#[test]
fn who_is_to_be_left_alone_is() {
    check(
        "0 start
         > read 1 Start
         100 failed 1 throttled=30 0%
         > log Warn: began Api(Throttled { retry_after: Some(30s) }) x1 since 100
         100 wake
         > 30100
         30100 tick
         > read 2 Start",
    );
}

#[test]
fn a_driver_that_hangs_is_given_up_but_not_one_that_waits_for_us() {
    check(
        "0 start
         > read 1 Start
         1000 paged 1
         400000 tick
         400000 wished a
         > look 2 a
         400100 answered 2
         500000 handled 1
         > taken 1
         500000 wake
         > 1100000
         1100000 tick
         > abort 1
         > log Warn: began Silent x1 since 1100000
         1100000 wake
         > 1105000
         1105000 tick
         > read 3 Start
         1105000 wake
         > 1700000",
    );
}

#[test]
fn an_end_that_waits_for_us_is_no_silence() {
    check(
        "0 start
         > read 1 Start
         1000 wished a
         > look 2 a
         2000 told 1
         3000 told 2
         3000 wake
         > never
         900000 tick
         900000 answered 2
         900001 gap
         900002 ended 1
         > read 3 Gap
         900003 told 1
         900004 failed 1 broken",
    );
}

#[test]
fn a_look_is_tried_a_few_times() {
    check(
        "0 start
         > read 1 Start
         10 ended 1 0%
         20000 wished a
         > look 2 a
         20001 failed 2 broken 0%
         > log Warn: began Api(Broken) x1 since 20001
         20501 tick
         > look 3 a
         20502 failed 3 broken 0%
         21002 tick
         > look 4 a
         21003 failed 4 broken 0%
         21503 tick
         21503 wake
         > 620001",
    );
}

#[test]
fn an_hour_without_an_api_takes_few_lines() {
    let mut survey = Survey::new(21_600_000_000);
    let (mut now, mut orders) = (Timestamp::EPOCH, Vec::new());
    let end = now.plus_seconds(3600);
    let (mut lines, mut attempts) = (Vec::new(), 0);
    survey.step(now, 0, SurveyInput::Start, &mut orders);
    while now < end {
        let mut failed = None;
        for order in orders.drain(..) {
            match order {
                SurveyOrder::ReadAll { ticket, .. } => failed = Some(ticket),
                SurveyOrder::Log(line) => lines.push(line),
                other => panic!("{other:?}"),
            }
        }
        // Chance is at its smallest, which makes the most attempts.
        match failed {
            Some(ticket) => {
                attempts += 1;
                let failed = SurveyInput::Failed(ticket, ApiTrouble::Unreachable);
                survey.step(now, 0, failed, &mut orders);
            }
            None => {
                now = survey.wake_at().expect("it is tried on");
                survey.step(now, 0, SurveyInput::Tick, &mut orders);
            }
        }
    }
    assert!(attempts > 5000, "{attempts}");
    assert!(lines.len() <= 7, "{lines:?}");
    assert!(matches!(lines.first(), Some(LogLine::Began(_))), "{lines:?}");
}
