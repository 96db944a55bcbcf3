//! Connecting again, and what must not be acknowledged then.

use super::script::check;

#[test]
fn tags_of_a_lost_connection_are_never_acknowledged() {
    check(
        "0 start
         > connect 1 host 0 in 0
         1 connected 1 kept
         > log Info: connected to 0
         2 delivered 1:1 100
         > commit 1
         3 delivered 1:2 10
         4 lost 1 closed 50%
         > log Warn: began Broker(Closed) x1 since 4
         > connect 2 host 1 in 500
         503 connected 2 kept
         > log Info: ended Broker(Closed) x1 since 4
         > commit 2
         504 committed 1
         505 delivered 2:1 100
         > commit 3
         506 committed 2
         507 committed 3
         > acknowledge 2:1",
    );
}

#[test]
fn a_batch_across_two_connections_acknowledges_on_the_later_one() {
    check(
        "0 start
         > connect 1 host 0 in 0
         1 connected 1 kept
         > log Info: connected to 0
         2 delivered 1:1 10
         3 lost 1 closed 1%
         > log Warn: began Broker(Closed) x1 since 3
         > connect 2 host 1 in 50
         4 connected 2 kept
         > log Info: ended Broker(Closed) x1 since 3
         5 delivered 2:1 10
         6 delivered 1:2 10
         > commit 1
         7 committed 1
         > acknowledge 2:1",
    );
}

/// The broker takes the login and refuses to make a queue: that is one trouble, and nothing is won by each new connection.
#[test]
fn a_queue_that_cannot_be_made_is_a_trouble_until_it_is_there() {
    check(
        "0 start
         > connect 1 host 0 in 0
         1 connected 1 missing
         > mend 1 Missing
         2 lost 1 denied 0%
         > log Error: began Broker(Denied) x1 since 2
         > connect 2 host 1 in 50
         52 connected 2 missing
         > mend 2 Missing
         53 lost 2 denied 0%
         > connect 3 host 0 in 50
         153 connected 3 missing
         > mend 3 Missing
         160 checked 3 kept
         > log Info: ended Broker(Denied) x2 since 2
         > commit 1",
    );
}

/// Two are added while the only one is away, and one goes.
#[test]
fn hosts_that_are_added_have_their_turn() {
    check(
        "0 start
         > connect 1 host 0 in 0
         0 refused 1 unreachable 100%
         > log Warn: began Broker(Unreachable) x1 since 0
         > connect 2 host 1 in 1000
         1000 hosts 4
         1000 refused 2 unreachable 0%
         > connect 3 host 2 in 50
         1100 hosts 4
         1100 refused 3 unreachable 0%
         > connect 4 host 3 in 50
         1200 hosts 2
         1200 refused 4 unreachable 0%
         > connect 5 host 0 in 50",
    );
}

/// Somebody has exchanged the password, and had the configuration read again.
#[test]
fn what_may_be_mended_is_tried_at_once() {
    check(
        "0 start
         > connect 1 host 0 in 0
         1 renewed
         2 refused 1 denied 100%
         > log Error: began Broker(Denied) x1 since 2
         > connect 2 host 1 in 1000
         1002 refused 2 denied 100%
         > connect 3 host 0 in 1000
         2002 refused 3 denied 100%
         > connect 4 host 1 in 2000
         2500 renewed
         > disconnect 4
         > connect 5 host 1 in 0
         2600 refused 5 denied 100%
         > connect 6 host 0 in 1000
         2700 renewed
         > disconnect 6
         > connect 7 host 0 in 0
         2800 connected 7 kept
         > log Info: ended Broker(Denied) x4 since 2
         2900 renewed
         3000 lost 7 closed 50%
         > log Warn: unsteady Broker(Closed) x5 since 2
         > connect 8 host 1 in 500",
    );
}

#[test]
fn hosts_are_tried_in_turn_with_waits_that_grow_to_a_minute() {
    check(
        "0 start
         > connect 1 host 0 in 0
         0 refused 1 unreachable 100%
         > log Warn: began Broker(Unreachable) x1 since 0
         > connect 2 host 1 in 1000
         1000 refused 2 unreachable 100%
         > connect 3 host 0 in 1000
         2000 refused 3 unreachable 100%
         > connect 4 host 1 in 2000
         4000 refused 4 unreachable 100%
         > connect 5 host 0 in 2000
         6000 refused 5 unreachable 50%
         > connect 6 host 1 in 2000
         6000 refused 6 unreachable 0%
         > connect 7 host 0 in 50
         7000 refused 7 unreachable 100%
         > connect 8 host 1 in 8000
         7000 refused 8 unreachable 100%
         > connect 9 host 0 in 8000
         7000 refused 9 unreachable 100%
         > connect 10 host 1 in 16000
         7000 refused 10 unreachable 100%
         > connect 11 host 0 in 16000
         7000 refused 11 unreachable 100%
         > connect 12 host 1 in 32000
         7000 refused 12 unreachable 100%
         > connect 13 host 0 in 32000
         7000 refused 13 unreachable 100%
         > connect 14 host 1 in 60000
         7000 refused 14 unreachable 100%
         > connect 15 host 0 in 60000",
    );
}

#[test]
fn only_a_stable_minute_makes_the_next_failure_a_first_one() {
    check(
        "0 start
         > connect 1 host 0 in 0
         0 refused 1 unreachable 100%
         > log Warn: began Broker(Unreachable) x1 since 0
         > connect 2 host 1 in 1000
         1000 refused 2 unreachable 100%
         > connect 3 host 0 in 1000
         2000 connected 3 kept
         > log Info: ended Broker(Unreachable) x2 since 0
         61000 lost 3 closed 100%
         > log Warn: unsteady Broker(Closed) x3 since 0
         > connect 4 host 1 in 2000
         63000 connected 4 kept
         123000 lost 4 closed 100%
         > log Info: steady Broker(Closed) x3 since 0
         > log Warn: began Broker(Closed) x1 since 123000
         > connect 5 host 0 in 1000",
    );
}

#[test]
fn tags_that_do_not_follow_one_another_end_the_connection() {
    for (tag, why) in [(1, "again"), (4, "skipped"), (0, "none")] {
        check(&format!(
            "0 start
             > connect 1 host 0 in 0
             1 connected 1 kept
             > log Info: connected to 0
             2 delivered 1:1 10
             3 delivered 1:2 10
             4 delivered 1:{tag} 10
             > disconnect 1
             > log Warn: began Broker(Disorder) x1 since 4
             > connect 2 host 1 in 1000
             > commit 1
             5 committed 1
             6 lost 1 closed {}%",
            why.len()
        ));
    }
}

#[test]
fn a_late_answer_is_undone_and_a_repeated_one_ignored() {
    check(
        "0 start
         > connect 1 host 0 in 0
         1 refused 1 unreachable 100%
         > log Warn: began Broker(Unreachable) x1 since 1
         > connect 2 host 1 in 1000
         2 connected 1 kept
         > disconnect 1
         3 refused 1 unreachable 100%
         4 connected 2 kept
         > log Info: ended Broker(Unreachable) x1 since 1
         5 connected 2 kept
         6 lost 1 closed 100%",
    );
}

#[test]
fn a_clock_set_back_delays_nothing_for_longer_than_it_would_have_taken() {
    check(
        "7200000 start
         > connect 1 host 0 in 0
         7200001 connected 1 kept
         > log Info: connected to 0
         7200002 delivered 1:1 10
         2 tick
         2 wake
         > 22
         22 tick
         > commit 1
         23 failed 1 for-now
         > log Error: began Store(Transient) x1 since 23
         > pause
         -3600000 tick
         -3600000 wake
         > -3599900
         -3599900 tick
         > commit 1
         -3599899 lost 1 closed 100%
         > log Warn: began Broker(Closed) x1 since -3599899
         > connect 2 host 1 in 1000",
    );
}

#[test]
fn blocked_publishers_are_told_and_consuming_goes_on() {
    check(
        "0 start
         > connect 1 host 0 in 0
         1 connected 1 kept
         > log Info: connected to 0
         2 blocked 1
         > log Warn: began Alarm x1 since 2
         2 blocked 7
         3 delivered 1:1 100
         > commit 1
         4 unblocked 1
         > log Info: ended Alarm x1 since 2
         5 committed 1
         > acknowledge 1:1",
    );
}

/// Whoever breaks down each time is begun anew ever more rarely, and told once: as something that somebody has to mend.
#[test]
fn who_breaks_down_is_told_once_and_waited_for_ever_longer() {
    check(
        "0 start
         > connect 1 host 0 in 0
         1 connected 1 kept
         > log Info: connected to 0
         2 lost 1 failed 100%
         > log Error: began Broker(Failed) x1 since 2
         > connect 2 host 1 in 1000
         1002 lost 2 failed 100%
         > connect 3 host 0 in 1000
         2002 lost 3 failed 100%
         > connect 4 host 1 in 2000
         4002 connected 4 kept
         > log Info: ended Broker(Failed) x3 since 2",
    );
}
