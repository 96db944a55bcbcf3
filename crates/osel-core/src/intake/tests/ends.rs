//! Files that end, stops, and another leader.

use super::super::Limits;
use super::script::{check, check_with};

#[test]
fn a_file_is_a_source_that_ends() {
    check_with(
        Limits { batch_messages: 3, ..Limits::file() },
        "0 start
         > connect 1 host 0 in 0
         0 connected 1 kept
         > log Info: connected to 0
         0 delivered 1:1 10
         0 delivered 1:2 10
         0 delivered 1:3 10
         > commit 1
         5000 delivered 1:4 10
         5000 wake
         > never
         5001 ended
         > commit 2
         > pause
         5002 committed 1
         > acknowledge 1:3
         5003 committed 2
         > acknowledge 1:4
         > disconnect 1
         > exit
         5004 start",
    );
}

#[test]
fn an_empty_file_ends_at_once() {
    check_with(
        Limits::file(),
        "0 start
         > connect 1 host 0 in 0
         0 connected 1 kept
         > log Info: connected to 0
         1 ended
         > pause
         > disconnect 1
         > exit",
    );
}

#[test]
fn the_end_of_a_file_outlasts_a_full_disk() {
    check_with(
        Limits::file(),
        "0 start
         > connect 1 host 0 in 0
         0 connected 1 kept
         > log Info: connected to 0
         0 delivered 1:1 10
         1 ended
         > commit 1
         > pause
         2 failed 1 for-good
         > log Error: began Store(Permanent) x1 since 2
         30002 tick
         > commit 1
         30003 committed 1
         > acknowledge 1:1
         > log Info: ended Store(Permanent) x1 since 2
         > disconnect 1
         > exit",
    );
}

#[test]
fn a_stop_commits_and_acknowledges_what_was_taken() {
    check(
        "0 start
         > connect 1 host 0 in 0
         0 connected 1 kept
         > log Info: connected to 0
         0 delivered 1:1 10
         1 stop
         > commit 1
         > pause
         2 delivered 1:2 10
         > commit 2
         3 committed 1
         > acknowledge 1:1
         4 committed 2
         > acknowledge 1:2
         > disconnect 1
         > exit",
    );
}

#[test]
fn a_stop_does_not_wait_for_ever_and_acknowledges_nothing_then() {
    check(
        "0 start
         > connect 1 host 0 in 0
         0 connected 1 kept
         > log Info: connected to 0
         0 delivered 1:1 10
         1 stop
         > commit 1
         > pause
         1 wake
         > 4001
         4001 tick
         > log Warn: unfinished 1
         > disconnect 1
         > exit
         4002 committed 1",
    );
}

#[test]
fn a_stop_in_an_outage_does_not_connect_again() {
    check(
        "0 start
         > connect 1 host 0 in 0
         0 connected 1 kept
         > log Info: connected to 0
         0 delivered 1:1 10
         1 lost 1 closed 0%
         > log Warn: began Broker(Closed) x1 since 1
         > connect 2 host 1 in 50
         2 stop
         > disconnect 2
         > commit 1
         > pause
         3 committed 1
         > exit",
    );
    check("0 stop\n> exit\n1 start");
}

#[test]
fn whoever_is_deposed_acknowledges_nothing_and_starts_afresh() {
    check(
        "0 start
         > connect 1 host 0 in 0
         0 connected 1 kept
         > log Info: connected to 0
         0 delivered 1:1 100
         > commit 1
         1 delivered 1:2 10
         2 deposed
         > disconnect 1
         > log Warn: deposed
         2 wake
         > never
         3 committed 1
         4 failed 1 for-now
         5 delivered 1:3 10
         6 lost 1 closed 0%
         7 connected 1 kept
         > disconnect 1
         8 start epoch=2
         > connect 2 host 0 in 0
         9 connected 2 kept
         > log Info: connected to 0
         9 deposed epoch=1
         10 delivered 2:1 100
         > commit 2
         11 committed 2
         > acknowledge 2:1",
    );
}

#[test]
fn a_deposed_leader_that_is_stopping_just_exits() {
    check(
        "0 start
         > connect 1 host 0 in 0
         0 connected 1 kept
         > log Info: connected to 0
         0 delivered 1:1 10
         1 stop
         > commit 1
         > pause
         2 deposed
         > disconnect 1
         > exit",
    );
}
