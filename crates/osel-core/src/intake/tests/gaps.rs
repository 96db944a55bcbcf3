//! When messages are known or feared to be lost, and what is written down before the queue is mended.

use super::script::check;

#[test]
fn a_new_store_makes_its_queue_and_misses_nothing() {
    check(
        "0 start
         > connect 1 host 0 in 0
         1 connected 1 missing
         > mend 1 Missing
         5 checked 1 kept drained
         > log Info: connected to 0
         > commit 1
         6 committed 1",
    );
}

#[test]
fn a_short_or_long_outage_of_a_queue_that_kept_everything_is_no_gap() {
    check(
        "86400000 start unbroken=0 drained=0
         > connect 1 host 0 in 0
         86400001 connected 1 kept
         > log Info: connected to 0",
    );
    check(
        "3600000 start unbroken=0 drained=0
         > connect 1 host 0 in 0
         3600000 connected 1 unknown
         > log Info: connected to 0",
    );
}

#[test]
fn a_long_outage_is_a_gap_once_when_nobody_knows_what_was_dropped() {
    check(
        "3600001 start unbroken=0 drained=-5
         > connect 1 host 0 in 0
         3600001 connected 1 unknown
         > log Info: connected to 0
         > gap -5..3600001 LongOutage
         > log Error: gap -5..3600001 LongOutage
         > commit 1
         3600002 checked 1 unknown
         3600003 lost 1 closed 0%
         > log Warn: began Broker(Closed) x1 since 3600003
         > connect 2 host 1 in 50
         3600004 connected 2 unknown
         > log Info: ended Broker(Closed) x1 since 3600003",
    );
}

#[test]
fn a_long_outage_counts_although_the_clock_was_set_back() {
    check(
        "0 start
         > connect 1 host 0 in 0
         0 connected 1 unknown drained
         > log Info: connected to 0
         0 lost 1 closed 0%
         > log Warn: began Broker(Closed) x1 since 0
         > connect 2 host 1 in 50
         500000 tick
         -5000000 tick
         -500000 connected 2 unknown
         > log Info: ended Broker(Closed) x1 since 0
         > gap -500000..0 LongOutage
         > log Error: gap -500000..0 LongOutage
         > commit 1",
    );
}

#[test]
fn a_lost_binding_is_written_down_before_it_is_mended() {
    check(
        "0 start
         > connect 1 host 0 in 0
         0 connected 1 kept
         > log Info: connected to 0
         5000 checked 1 kept
         > commit 1
         5001 committed 1
         9000 lost 1 closed 0%
         > log Warn: began Broker(Closed) x1 since 9000
         > connect 2 host 1 in 50
         9050 connected 2 unbound
         > log Info: ended Broker(Closed) x1 since 9000
         > log Error: began Queue(Unbound) x1 since 9050
         > commit 2 gap since 5000 Unbound
         9051 delivered 2:1 100
         > commit 3 gap since 5000 Unbound
         9052 committed 2
         > mend 2 Unbound
         9053 committed 3
         > acknowledge 2:1
         9060 checked 2 kept asked=9055
         > gap 5000..9060 Unbound
         > log Error: gap 5000..9060 Unbound
         > log Info: ended Queue(Unbound) x1 since 9050
         > commit 4",
    );
}

#[test]
fn a_queue_is_not_mended_while_the_store_fails() {
    check(
        "0 start unbroken=-3000
         > connect 1 host 0 in 0
         0 connected 1 missing
         > log Error: began Queue(Missing) x1 since 0
         > commit 1 gap since -3000 Missing
         1 failed 1 for-now
         > log Error: began Store(Transient) x1 since 1
         > pause
         101 tick
         > commit 1 gap since -3000 Missing
         102 committed 1
         > log Info: ended Store(Transient) x1 since 1
         > resume
         > mend 1 Missing",
    );
}

#[test]
fn an_exchange_that_was_looked_for_seldom_makes_the_gap_as_wide_as_that() {
    check(
        "0 start unbroken=-1000
         > connect 1 host 0 in 0
         0 connected 1 kept
         > log Info: connected to 0
         4000 checked 1 unbound since=-60000
         > log Error: began Queue(Unbound) x1 since 4000
         > commit 1 gap since -60000 Unbound
         4001 committed 1
         > mend 1 Unbound
         4002 checked 1 kept
         > gap -60000..4002 Unbound
         > log Error: gap -60000..4002 Unbound
         > log Info: ended Queue(Unbound) x1 since 4000
         > commit 2",
    );
}

#[test]
fn a_gap_that_an_earlier_life_left_open_is_closed() {
    check(
        "0 start unbroken=-9000 unbound=-9000
         > connect 1 host 0 in 0
         0 connected 1 kept
         > log Info: connected to 0
         > gap -9000..0 Unbound
         > log Error: gap -9000..0 Unbound
         > commit 1",
    );
}

#[test]
fn a_mend_without_effect_is_tried_again_and_not_at_once() {
    check(
        "0 start unbroken=-9000 unbound=-9000
         > connect 1 host 0 in 0
         0 connected 1 unbound
         > log Info: connected to 0
         > mend 1 Unbound
         1 checked 1 unbound
         1 wake
         > 5000
         5000 tick
         > mend 1 Unbound
         5001 lost 1 denied 0%
         > log Error: began Broker(Denied) x1 since 5001
         > connect 2 host 1 in 50
         5100 tick",
    );
}

#[test]
fn an_overflow_reaches_back_to_when_the_queue_was_last_drained() {
    check(
        "0 start
         > connect 1 host 0 in 0
         0 connected 1 kept drained
         > log Info: connected to 0
         5000 checked 1 kept
         > commit 1
         5001 committed 1
         6000 checked 1 overflowed
         > log Error: began Queue(Overflowed) x1 since 6000
         > commit 2 gap since 0 Overflowed
         7000 checked 1 overflowed
         7001 committed 2
         > mend 1 Overflowed
         8000 checked 1 kept
         > gap 0..8000 Overflowed
         > log Error: gap 0..8000 Overflowed
         > log Info: ended Queue(Overflowed) x1 since 6000
         > commit 3",
    );
}

#[test]
fn a_worse_finding_widens_the_open_gap() {
    check(
        "0 start unbroken=-10 drained=-500
         > connect 1 host 0 in 0
         0 connected 1 unbound
         > log Info: connected to 0
         > log Error: began Queue(Unbound) x1 since 0
         > commit 1 gap since -10 Unbound
         1 committed 1
         > mend 1 Unbound
         2 checked 1 missing
         > commit 2 gap since -500 Missing
         3 committed 2
         5001 tick
         > mend 1 Missing",
    );
}

#[test]
fn in_a_silent_cloud_the_cursor_stays_young() {
    check(
        "0 start
         > connect 1 host 0 in 0
         0 connected 1 kept
         > log Info: connected to 0
         4000 checked 1 kept
         > commit 1
         4001 committed 1
         7000 checked 1 kept
         8000 checked 1 kept
         > commit 2
         12000 checked 1 kept",
    );
}
