//! Stories of batches.

use std::time::Duration;

use super::super::*;
use super::script::forward;
use crate::pace::script::check;
use crate::time::Timestamp;

#[test]
fn what_is_there_is_sent_at_once_and_the_place_moves_over_what_arrived_and_what_was_filtered_out() {
    check(
        forward(),
        "0 head 6
         > read 0
         0 read 0-6 2 3 5
         > place 1 = 0 + 1 + 0
         > send 1: 2 3 5
         10 kept 1
         > place 6 = 3 + 3 + 0, mark 1
         10 wake
         > never
         20 head 7
         > read 6
         20 read 6-7
         > place 7 = 3 + 4 + 0, mark 1",
    );
}

#[test]
fn more_is_read_and_gathered_while_a_batch_is_on_its_way() {
    check(
        forward(),
        "0 head 1
         > read 0
         0 read 0-1 1
         > send 1: 1
         10 head 3
         > read 1
         10 read 1-3 2 3
         20 head 5
         > read 3
         20 read 3-5 4 5
         30 kept 1
         > place 1 = 1 + 0 + 0, mark 1
         > send 2: 2 3 4",
    );
}

#[test]
fn the_place_moves_over_the_first_batch_that_is_known_to_have_arrived_only() {
    check(
        forward(),
        "0 head 9
         > read 0
         0 read 0-9 1 2 3 4 5 6 7 8 9
         > send 1: 1 2 3
         10 taken 1
         > send 2: 4 5 6
         20 taken 2
         20 wake
         > 1010
         1010 tick
         > confirm 1
         1020 arrived 1 2
         > send 3: 7 8 9
         1030 taken 3
         1030 wake
         > 2020
         2020 tick
         > confirm 2
         2030 arrived 2 1 3
         > place 9 = 9 + 0 + 0, mark 3
         2030 wake
         > never",
    );
}

#[test]
fn questions_that_bring_nothing_become_rarer_and_after_five_minutes_everything_goes_again() {
    check(
        forward(),
        "0 head 3
         > read 0
         0 read 0-3 1 2 3
         > send 1: 1 2 3
         0 taken 1
         1000 tick
         > confirm 1
         1000 arrived 1
         1000 wake
         > 3000
         3000 tick
         > confirm 2
         3000 arrived 2
         299000 tick
         > confirm 3
         299000 arrived 3
         309000 tick
         > confirm 4
         309000 arrived 4
         > reset
         > log began silent
         309000 wake
         > 310000
         310000 tick
         > send 2: 1 2 3
         310000 taken 2
         311000 tick
         > confirm 5
         311000 arrived 5 2
         > log ended silent
         > place 3 = 3 + 0 + 0, mark 2",
    );
}

#[test]
fn a_batch_that_is_not_full_waits_a_little_while_another_is_on_its_way() {
    check(
        forward(),
        "0 head 1
         > read 0
         0 read 0-1 1
         > send 1: 1
         10 taken 1
         20 head 2
         > read 1
         20 read 1-2 2
         20 wake
         > 270
         100 head 3
         > read 2
         100 read 2-3 3
         270 tick
         > send 2: 2 3",
    );
}

/// Of a receiver that wants lines gathered for five minutes.
fn gathering() -> Forward {
    let linger = Duration::from_secs(300);
    Forward::new(BatchLimits { items: 3, bytes: 100, awaited: 1, linger }, Account::default(), [])
}

#[test]
fn a_batch_is_gathered_for_as_long_as_the_receiver_wants_or_until_it_is_full() {
    check(
        gathering(),
        "0 head 1
         > read 0
         0 read 0-1 1
         0 wake
         > 300000
         200000 head 2
         > read 1
         200000 read 1-2 2
         300000 tick
         > send 1: 1 2
         300010 kept 1
         > place 2 = 2 + 0 + 0, mark 1
         400000 head 7
         > read 2
         400000 read 2-6 3 4 5 6
         > read 6
         > send 2: 3 4 5
         400010 kept 2
         > place 5 = 5 + 0 + 0, mark 2
         400010 wake
         > 700000",
    );
}

#[test]
fn what_was_gathered_once_is_not_gathered_again_after_a_failure() {
    check(
        gathering(),
        "0 head 1
         > read 0
         0 read 0-1 1
         300000 tick
         > send 1: 1
         300000 away 1
         > log began unavailable
         300000 wake
         > 301000
         301000 tick
         > send 2: 1",
    );
}

#[test]
fn a_receiver_that_was_only_busy_need_not_get_everything_twice() {
    check(
        forward(),
        "0 head 6
         > read 0
         0 read 0-6 1 2 3 4 5 6
         > send 1: 1 2 3
         10 taken 1
         > send 2: 4 5 6
         20 away 2
         > log began unavailable
         20 wake
         > 1020
         1020 tick
         > confirm 1
         1030 arrived 1
         > send 3: 4 5 6
         1040 taken 3
         3030 tick
         > confirm 2
         3040 arrived 2 1
         > log ended unavailable
         > place 3 = 3 + 0 + 0, mark 2",
    );
}

#[test]
fn what_comes_and_goes_is_no_trouble_while_nothing_waits() {
    let mut forward = forward();
    let mut at = 0;
    let mut play = |forward: &mut Forward, what| {
        at += 2000;
        forward.step(Timestamp::from_micros(at * 1000), 0, what, &mut Vec::new());
    };
    let away = Refusal { kind: RefusalKind::Unavailable, words: "no".to_owned(), taken: 0, wait: None };
    play(&mut forward, ForwardInput::Head(0));
    for record in 1..=3 {
        play(&mut forward, ForwardInput::Head(record));
        let records = vec![Rendered::of(record, vec![10])];
        play(&mut forward, ForwardInput::Read(Page { after: record - 1, through: record, records }));
        play(&mut forward, ForwardInput::Sent(BatchNumber(2 * record - 1), Err(away.clone())));
        assert!(forward.trouble().is_some());
        play(&mut forward, ForwardInput::Tick);
        play(&mut forward, ForwardInput::Sent(BatchNumber(2 * record), Ok(Taken::Kept)));
        assert_eq!((forward.is_idle(), forward.is_up(), forward.trouble()), (true, Some(true), None));
    }
    // While something waits it may be going again.
    play(&mut forward, ForwardInput::Head(4));
    assert!(forward.trouble().is_some());
}

#[test]
fn a_receiver_that_is_only_given_something_is_not_well_again() {
    check(
        forward(),
        "0 head 3
         > read 0
         0 read 0-3 1 2 3
         > send 1: 1 2 3
         60000 away 1
         > log began unavailable
         61000 tick
         > send 2: 1 2 3
         61000 taken 2
         62000 tick
         > confirm 1
         62000 lost 1
         > reset
         62000 wake
         > 64000
         64000 tick
         > send 3: 1 2 3
         64000 taken 3
         65000 tick
         > confirm 2
         65000 arrived 2 3
         > log ended unavailable
         > place 3 = 3 + 0 + 0, mark 3",
    );
}

#[test]
fn after_a_lost_connection_everything_goes_again_from_what_is_not_known_to_have_arrived() {
    check(
        forward(),
        "0 head 6
         > read 0
         0 read 0-6 1 2 3 4 5 6
         > send 1: 1 2 3
         10 taken 1
         > send 2: 4 5 6
         20 away 2
         > log began unavailable
         1020 tick
         > confirm 1
         1030 lost 1
         > reset
         1030 wake
         > 3030
         3030 tick
         > send 3: 1 2 3",
    );
}

#[test]
fn what_a_receiver_says_to_have_of_a_batch_that_it_did_not_confirm_is_not_sent_again() {
    check(
        forward(),
        "0 head 6
         > read 0
         0 read 0-6 1 2 3 4 5 6
         > send 1: 1 2 3
         10 taken 1
         > send 2: 4 5 6
         20 away 2
         > log began unavailable
         1020 tick
         > confirm 1
         1030 lost 1 2
         > reset
         > place 2 = 2 + 0 + 0, no mark
         3030 tick
         > send 3: 3 4 5",
    );
}

#[test]
fn waits_grow_and_are_as_long_as_the_receiver_asks() {
    check(
        forward(),
        "0 head 1
         > read 0
         0 read 0-1 1
         > send 1: 1
         0 away 1
         > log began unavailable
         1000 tick
         > send 2: 1
         1000 away 2 30
         1000 wake
         > 31000
         31000 tick
         > send 3: 1
         31000 denied 3
         > log began access denied
         31000 wake
         > 35000
         32000 renewed
         > send 4: 1
         32000 kept 4
         > log ended access denied
         > place 1 = 1 + 0 + 0, mark 4",
    );
}

#[test]
fn a_call_that_never_ends_is_given_up() {
    check(
        forward(),
        "0 head 1
         > read 0
         0 read 0-1 1
         > send 1: 1
         0 wake
         > 300000
         300000 tick
         > reset
         > log began silent
         300500 kept 1
         301000 tick
         > send 2: 1",
    );
}

#[test]
fn a_receiver_that_may_take_something_late_is_waited_for() {
    check(
        forward().waiting(Duration::from_mins(20)),
        "0 head 1
         > read 0
         0 read 0-1 1
         > send 1: 1
         0 wake
         > 1200000
         1199999 kept 1
         > place 1 = 1 + 0 + 0, mark 1",
    );
}

#[test]
fn what_was_taken_of_a_batch_is_not_sent_again_and_marks_are_those_of_whole_records() {
    check(
        forward(),
        "0 head 4
         > read 0
         0 read 0-4 1 2 3:10,10,10,10 4
         > send 1: 1 2
         10 part 1 1
         > log began unavailable
         > place 1 = 1 + 0 + 0, mark 1
         1010 tick
         > send 2: 2
         1020 kept 2
         > log ended unavailable
         > place 2 = 2 + 0 + 0, mark 2
         > send 3: 3 3-1 3-2
         1030 kept 3
         > send 4: 3-3 4
         1040 part 4 1
         > log unsteady unavailable
         > place 3 = 3 + 0 + 0, mark 4
         2040 tick
         > send 5: 4",
    );
    // A place amid a batch that ended amid a record has no mark.
    check(
        forward(),
        "0 head 2
         > read 0
         0 read 0-2 1 2:10,10
         > send 1: 1 2 2-1
         10 part 1 2
         > log began unavailable
         > place 1 = 1 + 0 + 0, no mark
         1010 tick
         > send 2: 2-1
         1020 kept 2
         > log ended unavailable
         > place 2 = 2 + 0 + 0, mark 2",
    );
}

#[test]
fn a_batch_that_is_too_large_is_halved_and_what_follows_is_kept_small() {
    check(
        forward(),
        "0 head 6
         > read 0
         0 read 0-6 1:40 2:40 3:10 4:30 5:30 6:30
         > send 1: 1 2 3
         10 large 1
         > send 2: 1
         20 kept 2
         > place 1 = 1 + 0 + 0, mark 2
         > send 3: 2
         30 kept 3
         > place 2 = 2 + 0 + 0, mark 3
         > send 4: 3 4
         40 large 4
         > send 5: 3
         50 kept 5
         > place 3 = 3 + 0 + 0, mark 5
         > send 6: 4",
    );
}

#[test]
fn a_rewind_drops_what_is_under_way_and_begins_anew() {
    check(
        forward(),
        "0 head 4
         > read 0
         0 read 0-4 1 2 3 4
         > send 1: 1 2 3
         10 taken 1
         20 head 5
         > read 4
         30 rewind 2
         > reset
         > place 2 = 0 + 0 + 0, no mark
         40 arrived 1 1
         50 read 4-5 5
         > read 2
         50 read 2-5 3
         > send 2: 3
         60 kept 2
         > place 5 = 1 + 2 + 0, mark 2
         70 rewind 99
         > reset
         > place 5 = 0 + 0 + 0, no mark",
    );
}

#[test]
fn where_nothing_is_left_to_be_sent_there_is_no_trouble() {
    check(
        forward(),
        "0 head 3
         > read 0
         0 read 0-3 1 2 3
         > send 1: 1 2 3
         0 denied 1
         > log began access denied
         100 rewind 3
         > reset
         > place 3 = 0 + 0 + 0, no mark
         > log nothing left, access denied
         100 wake
         > never
         200 head 4
         > read 3
         200 read 3-4
         > place 4 = 0 + 1 + 0, no mark
         300 head 5
         > read 4
         300 read 4-5 5
         1000 tick
         > send 2: 5
         1000 denied 2
         > log began access denied",
    );
    // With something left it goes on, and is tried at once when somebody says so.
    check(
        forward(),
        "0 head 3
         > read 0
         0 read 0-3 1 2 3
         > send 1: 1 2 3
         0 denied 1
         > log began access denied
         100 rewind 2
         > reset
         > place 2 = 0 + 0 + 0, no mark
         > read 2
         100 read 2-3 3
         200 renewed
         > send 2: 3
         200 denied 2",
    );
}

#[test]
fn a_stop_waits_a_little_for_the_call_and_asks_a_last_time() {
    check(
        forward(),
        "0 head 4
         > read 0
         0 read 0-4 1 2 3 4
         > send 1: 1 2 3
         10 taken 1
         260 tick
         > send 2: 4
         300 stop
         300 wake
         > 2300
         400 taken 2
         > close
         500 closed 1
         > place 3 = 3 + 0 + 0, mark 1
         500 wake
         > never",
    );
    check(
        forward(),
        "0 head 1
         > read 0
         0 read 0-1 1
         > send 1: 1
         300 stop
         2300 tick
         > reset
         2400 kept 1
         2400 wake
         > never",
    );
}

#[test]
fn a_place_behind_the_end_of_the_trail_is_told() {
    let account = Account::after(9);
    check(
        Forward::new(BatchLimits { items: 3, bytes: 100, awaited: 2, linger: Duration::ZERO }, account, []),
        "0 head 4
         > log Ahead { place: 9, head: 4 }
         1 head 10
         > read 9",
    );
}

#[test]
fn nothing_more_is_read_while_too_much_is_held() {
    let mut forward = forward();
    let mut out = Vec::new();
    let mut step = |what| {
        out.clear();
        forward.step(Timestamp::EPOCH, 0, what, &mut out);
        let reads = out.iter().any(|order| matches!(order, ForwardOrder::Read { .. }));
        (reads, forward.account().place)
    };
    assert_eq!(step(ForwardInput::Head(10)), (true, 0));
    let page = |after: u64| {
        let records = vec![Rendered::of(after + 1, vec![READ_BYTES_MAX / 2])];
        ForwardInput::Read(Page { after, through: after + 1, records })
    };
    assert_eq!(step(page(0)), (true, 0));
    assert_eq!(step(page(1)), (false, 0));
    assert_eq!(step(ForwardInput::Sent(BatchNumber(1), Ok(Taken::Kept))), (true, 1));
}

#[test]
fn records_that_are_told_together_are_done_together_and_all_are_accounted_for() {
    check(
        forward(),
        "0 head 9
         > read 0
         0 read 0-8 3 8<2/4
         > place 2 = 0 + 2 + 0
         > read 8
         > send 1: 3 8
         10 kept 1
         > place 8 = 3 + 5 + 0, mark 1",
    );
}
