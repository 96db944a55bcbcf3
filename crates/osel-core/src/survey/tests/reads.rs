//! When everything is read.

use super::script::check;

#[test]
fn everything_is_read_at_the_start_and_again_by_schedule() {
    // An hour between reads, and by chance up to a tenth less.
    check(
        "0 tick
         0 wake
         > never
         0 start
         > read 1 Start
         10 began 1
         20 paged 1
         21 handled 1
         > taken 1
         1000 ended 1 0%
         1000 wake
         > 3601000
         3601000 tick
         > read 2 Schedule
         3602000 ended 2
         3602000 wake
         > 6842000
         6842001 tick
         > read 3 Schedule",
    );
}

#[test]
fn several_gaps_are_one_read_once_the_api_has_had_its_rest() {
    check(
        "0 start
         > read 1 Start
         5000 ended 1
         6000 gap
         7000 gap
         7000 wake
         > 10000
         10000 tick
         > read 2 Gap
         16000 ended 2
         100000 gap
         > read 3 Gap",
    );
}

#[test]
fn a_gap_during_a_read_is_followed_by_another_read() {
    // The read may have passed what the lost messages spoke of. The rest is as long as the read was.
    check(
        "0 start
         > read 1 Start
         30000 gap
         60000 ended 1
         60000 wake
         > 120000
         120000 tick
         > read 2 Gap
         121000 ended 2 0%
         121000 wake
         > 3721000",
    );
}

#[test]
fn another_schedule_holds_from_when_it_is_told() {
    check(
        "0 start
         > read 1 Start
         1000 ended 1 0%
         500000 renewed 60 0%
         500000 wake
         > 560000
         560000 tick
         > read 2 Schedule
         560500 renewed 600 0%
         561000 ended 2 0%
         561000 wake
         > 1161000",
    );
}

#[test]
fn late_words_of_an_order_that_is_over_change_nothing() {
    check(
        "0 start
         > read 1 Start
         1000 ended 1 0%
         1001 paged 1
         1001 handled 1
         1001 ended 1
         1001 failed 1 unreachable
         1001 answered 1
         1001 wake
         > 3601000",
    );
}
