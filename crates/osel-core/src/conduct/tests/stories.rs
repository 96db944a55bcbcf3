//! Stories of single commands.

use super::super::Conduct;
use crate::pace::script::check;

#[test]
fn a_step_is_told_and_the_next_one_taken_when_that_is_durable() {
    check(
        Conduct::new(true, 1),
        "0 new a
         > Launch 1 a
         1000 launched 1 r
         > tell 1 a launched r
         20000 tick
         20000 durable 1
         > Status 2 a r
         21000 running 2
         > tell 2 a running
         22000 durable 2
         40000 tick
         > Status 3 a r
         41000 finished 3
         > Fetch 4 a r
         42000 seen 4
         > tell 3 a Finished
         43000 durable 3
         > Forget 5 a r
         44000 done 5
         44000 wake
         > never",
    );
}

#[test]
fn a_launch_without_an_answer_is_looked_for_before_it_is_repeated() {
    check(
        Conduct::new(true, 1),
        "0 new a
         > Launch 1 a
         1000 away 1
         > log began unavailable
         20000 tick
         > Find 2 a
         21000 absent 2
         > log ended unavailable
         > Launch 3 a",
    );
    check(
        Conduct::new(true, 1),
        "0 resumed a
         9000 tick
         10000 tick
         > Find 1 a
         11000 found 1 r
         > tell 1 a launched r",
    );
}

#[test]
fn a_scanner_that_has_enough_is_given_fewer() {
    check(
        Conduct::new(true, 3),
        "0 new a
         > Launch 1 a
         0 new b
         > Launch 2 b
         1000 launched 1 r
         > tell 1 a launched r
         1000 busy 2 -
         2000 durable 1
         3000 new c
         3000 wake
         > 5500",
    );
}

#[test]
fn what_is_called_off_ends_by_where_it_is() {
    check(
        Conduct::new(true, 1),
        "0 new a
         > Launch 1 a
         0 new b
         1 cancel b
         > tell 1 b Cancelled
         2 durable 1
         3 cancel a
         4 launched 1 r
         > Cancel 2 a r
         5 done 2
         > tell 2 a Cancelled
         6 durable 2
         > Forget 3 a r
         7 done 3",
    );
    // Here, what is dropped is ended.
    check(
        Conduct::new(false, 1),
        "0 new a
         > Fetch 1 a
         1 cancel a
         > drop 1
         > tell 1 a Cancelled
         2 durable 1
         2 wake
         > never",
    );
}

#[test]
fn a_command_past_its_time_ends_also_when_the_scanner_says_nothing() {
    check(
        Conduct::new(true, 1),
        "0 new a
         > Launch 1 a
         1000 denied 1
         > log began access denied
         3600000 tick
         > tell 1 a Expired
         > log Still(Ongoing { why: Denied, since: 1970-01-01T00:00:01.000000Z, count: 1 })
         3600001 durable 1",
    );
}

#[test]
fn what_the_engine_has_ended_for_its_time_was_counted_as_called_off() {
    check(
        Conduct::new(false, 1),
        "0 new a
         > Fetch 1 a
         0 new b
         1000 cancel b
         > tell 1 b Cancelled
         3600000 cancel a
         > drop 1
         > tell 2 a Expired",
    );
}

#[test]
fn a_scan_here_is_fetched_alone_and_told_to_run_when_it_takes_long() {
    check(
        Conduct::new(false, 1),
        "0 new a
         > Fetch 1 a
         0 wake
         > 10000
         10000 tick
         > tell 1 a running
         11000 durable 1
         12000 seen 1
         > tell 2 a Finished
         13000 durable 2
         13000 wake
         > never",
    );
}
