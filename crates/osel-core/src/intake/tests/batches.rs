//! When a batch is closed, what acknowledges it, and what a failing store does.

use super::script::{SMALL, check, check_with};
use crate::intake::{BODY_BYTES_MAX, BYTES_IN_FLIGHT_MAX, Limits};

#[test]
fn a_batch_is_closed_by_count_bytes_or_age_and_acknowledged_when_durable() {
    check(
        "0 start
         > connect 1 host 0 in 0
         1 connected 1 kept
         > log Info: connected to 0
         2 delivered 1:1 10
         3 delivered 1:2 10
         4 delivered 1:3 10
         > commit 1
         5 delivered 1:4 100
         > commit 2
         6 committed 1
         > acknowledge 1:3
         7 delivered 1:5 1
         7 wake
         > 27
         26 tick
         27 tick
         > commit 3
         28 committed 2
         > acknowledge 1:4
         29 committed 3
         > acknowledge 1:5
         29 wake
         > never",
    );
}

#[test]
fn with_nothing_more_at_hand_and_an_idle_store_a_batch_does_not_wait() {
    check(
        "0 start
         > connect 1 host 0 in 0
         1 connected 1 kept
         > log Info: connected to 0
         2 delivered 1:1 10
         2 idle
         > commit 1
         3 delivered 1:2 10
         3 idle
         4 delivered 1:3 10
         5 committed 1
         > acknowledge 1:1
         5 idle
         > commit 2
         6 delivered 1:4 10
         6 idle
         7 committed 2
         > acknowledge 1:3
         > commit 3",
    );
}

#[test]
fn a_full_batch_with_no_room_stops_the_taking() {
    check(
        "0 start
         > connect 1 host 0 in 0
         1 connected 1 kept
         > log Info: connected to 0
         2 delivered 1:1 100
         > commit 1
         3 delivered 1:2 100
         > commit 2
         4 delivered 1:3 100
         > pause
         5 committed 1
         > acknowledge 1:1
         > commit 3
         > resume",
    );
}

#[test]
fn bytes_in_flight_are_bounded_whatever_the_count() {
    let limits = Limits { batch_bytes: 1 << 20, batches_in_flight: 9, ..SMALL };
    // With 801 a body of 200 might exceed the 1,000; taking goes on when half of the 800 is durable.
    check_with(
        limits,
        "0 start
         > connect 1 host 0 in 0
         1 connected 1 kept
         > log Info: connected to 0
         2 delivered 1:1 200
         2 delivered 1:2 200
         2 delivered 1:3 200
         > commit 1
         3 delivered 1:4 200
         4 delivered 1:5 1
         > pause
         5 committed 1
         > acknowledge 1:3
         > commit 2
         > resume",
    );
}

#[test]
fn a_source_that_was_stopped_for_its_bytes_waits_for_no_more_messages() {
    let limits = Limits { batch_bytes: 1 << 20, batch_age_micros: None, batch_messages: 512, ..SMALL };
    check_with(
        limits,
        "0 start
         > connect 1 host 0 in 0
         1 connected 1 kept
         > log Info: connected to 0
         2 delivered 1:1 800
         3 delivered 1:2 200
         > commit 1
         > pause
         4 committed 1
         > acknowledge 1:2
         > resume",
    );
}

#[test]
fn the_default_bounds_leave_room_for_several_of_the_largest_bodies() {
    const { assert!(BYTES_IN_FLIGHT_MAX >= 4 * BODY_BYTES_MAX) };
}

#[test]
fn batches_are_acknowledged_in_their_order_only() {
    check(
        "0 start
         > connect 1 host 0 in 0
         1 connected 1 kept
         > log Info: connected to 0
         2 delivered 1:1 100
         > commit 1
         3 delivered 1:2 100
         > commit 2
         4 committed 2
         5 committed 1
         > acknowledge 1:2
         6 committed 1
         6 committed 7",
    );
}

#[test]
fn a_failed_commit_is_repeated_acknowledges_nothing_and_stops_the_taking() {
    check(
        "0 start
         > connect 1 host 0 in 0
         1 connected 1 kept
         > log Info: connected to 0
         2 delivered 1:1 100
         > commit 1
         3 delivered 1:2 100
         > commit 2
         4 failed 1 for-now
         > log Error: began Store(Transient) x1 since 4
         > pause
         4 wake
         > 600004
         5 failed 2 for-now
         5 wake
         > 104
         6 delivered 1:3 100
         104 tick
         > commit 1
         105 failed 1 for-now
         105 wake
         > 305
         305 tick
         > commit 1
         306 committed 1
         > acknowledge 1:1
         > log Info: ended Store(Transient) x2 since 4
         > commit 2
         > commit 3
         > resume",
    );
}

#[test]
fn a_full_disk_is_told_once_and_tried_slowly_until_there_is_space() {
    check(
        "0 start
         > connect 1 host 0 in 0
         1 connected 1 kept
         > log Info: connected to 0
         2 delivered 1:1 100
         > commit 1
         3 failed 1 for-good
         > log Error: began Store(Permanent) x1 since 3
         > pause
         30002 tick
         30003 tick
         > commit 1
         30004 failed 1 for-good
         60004 tick
         > commit 1
         60005 committed 1
         > acknowledge 1:1
         > log Info: ended Store(Permanent) x2 since 3
         > resume",
    );
}

#[test]
fn a_passing_failure_that_becomes_a_lasting_one_is_told() {
    check(
        "0 start
         > connect 1 host 0 in 0
         1 connected 1 kept
         > log Info: connected to 0
         2 delivered 1:1 100
         > commit 1
         3 failed 1 for-now
         > log Error: began Store(Transient) x1 since 3
         > pause
         103 tick
         > commit 1
         104 failed 1 for-good
         > log Error: began Store(Permanent) x2 since 3
         30104 tick
         > commit 1
         30105 failed 1 for-good",
    );
}
