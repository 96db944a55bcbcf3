//! Stories of dead letters.

use std::time::Duration;

use super::super::*;
use super::script::forward;
use crate::pace::script::check;
use crate::time::Timestamp;

#[test]
fn a_line_that_is_refused_by_itself_becomes_a_dead_letter_and_the_others_go_on() {
    check(
        forward(),
        "0 head 3
         > read 0
         0 read 0-3 1 2 3
         > send 1: 1 2 3
         10 item 1 1 1
         > place 2 = 1 + 0 + 1, mark 1, dead 2
         > log dead 2, 1 in all
         > send 2: 3
         20 kept 2
         > place 3 = 2 + 0 + 1, mark 2",
    );
    // One that took nothing of the batch gets the others once more.
    check(
        forward(),
        "0 head 3
         > read 0
         0 read 0-3 1 2 3
         > send 1: 1 2 3
         10 item 1 1 0
         > send 2: 1 3
         20 kept 2
         > place 3 = 2 + 0 + 1, mark 2, dead 2
         > log dead 2, 1 in all",
    );
    // A line of a batch that does not have it is no answer.
    check(
        forward(),
        "0 head 1
         > read 0
         0 read 0-1 1
         > send 1: 1
         10 item 1 1 0
         > log began answers cannot be understood",
    );
}

#[test]
fn a_line_that_is_too_large_alone_becomes_a_dead_letter_when_the_next_one_is_taken() {
    check(
        forward(),
        "0 head 2
         > read 0
         0 read 0-2 1:10,5000 2
         > send 1: 1
         10 kept 1
         > send 2: 1-1
         20 large 2
         > send 3: 2
         30 kept 3
         > place 2 = 1 + 0 + 1, mark 3, dead 1-1
         > log dead 1-1, 1 in all",
    );
    // Where nothing is behind it, nobody can tell: it is waited for something.
    check(
        forward(),
        "0 head 1
         > read 0
         0 read 0-1 1
         > send 1: 1
         0 large 1
         > log began fails
         500 head 2
         > read 1
         500 read 1-2 2
         1000 tick
         > send 2: 1
         1000 large 2
         > send 3: 2
         1000 kept 3
         > log ended fails
         > place 2 = 1 + 0 + 1, mark 3, dead 1
         > log dead 1, 1 in all",
    );
}

#[test]
fn a_receiver_to_which_every_line_is_too_large_is_waited_for() {
    check(
        forward(),
        "0 head 12
         > read 0
         0 read 0-12 1 2 3 4 5 6 7 8 9 10 11 12
         > send 1: 1 2 3
         0 large 1
         > send 2: 1
         0 large 2
         > send 3: 2
         0 large 3
         > send 4: 3
         0 large 4
         > send 5: 4
         0 large 5
         > send 6: 5
         0 large 6
         > send 7: 6
         0 large 7
         > send 8: 7
         0 large 8
         > send 9: 8
         0 large 9
         > send 10: 9
         0 large 10
         > log began fails
         0 wake
         > 1000
         1000 tick
         > send 11: 1
         1000 kept 11
         > log ended fails
         > place 1 = 1 + 0 + 0, mark 11
         > send 12: 2",
    );
}

#[test]
fn a_line_that_the_receiver_names_is_given_up_when_it_has_taken_another() {
    check(
        forward(),
        "0 head 4
         > read 0
         0 read 0-4 1 2 3 4
         > send 1: 1 2 3
         0 suspect 1 0
         > send 2: 2
         10 kept 2
         > place 2 = 1 + 0 + 1, mark 2, dead 1
         > log dead 1, 1 in all
         > send 3: 3 4
         20 suspect 3 1
         > place 4 = 2 + 0 + 2, mark 3, dead 4
         20 resend 1
         > fetch 1
         20 fetched 1
         > again 4: 1
         30 suspect 4 0
         > place 4 = 2 + 0 + 2, mark 4, dead 1
         30 wake
         > never",
    );
}

#[test]
fn a_receiver_that_names_whatever_it_is_sent_is_waited_for() {
    check(
        forward(),
        "0 head 2
         > read 0
         0 read 0-2 1 2
         > send 1: 1 2
         0 suspect 1 0
         > send 2: 2
         0 suspect 2 0
         > log began fails
         0 wake
         > 1000
         1000 tick
         > send 3: 1
         1000 suspect 3 0
         > send 4: 2
         1000 suspect 4 0
         3000 tick
         > send 5: 1
         3000 kept 5
         > log ended fails
         > place 1 = 1 + 0 + 0, mark 5
         > send 6: 2",
    );
}

#[test]
fn a_line_at_which_the_receiver_fails_is_found_and_given_up_when_a_later_one_passes() {
    check(
        forward(),
        "0 head 3
         > read 0
         0 read 0-3 1 2 3
         > send 1: 1 2 3
         0 fails 1
         > log began fails
         1000 tick
         > send 2: 1 2 3
         1000 fails 2
         3000 tick
         > send 3: 1 2 3
         3000 fails 3
         7000 tick
         > send 4: 1
         7000 kept 4
         > log ended fails
         > place 1 = 1 + 0 + 0, mark 4
         > send 5: 2 3
         7000 fails 5
         > log unsteady fails
         8000 tick
         > send 6: 2
         8000 fails 6
         10000 tick
         > send 7: 2
         10000 fails 7
         14000 tick
         > send 8: 2
         14000 fails 8
         22000 tick
         > send 9: 2
         22000 fails 9
         > send 10: 3
         22000 kept 10
         > place 3 = 2 + 0 + 1, mark 10, dead 2
         > log dead 2, 1 in all",
    );
}

#[test]
fn dead_letters_are_sent_again_one_by_one_when_somebody_says_so() {
    let letters = [LineId { seq: 2, line: 0 }, LineId { seq: 2, line: 1 }, LineId { seq: 3, line: 0 }];
    let account = Account { begin: 0, place: 3, delivered: 1, dead: 2, ..Account::default() };
    let limits = BatchLimits { items: 3, bytes: 100, awaited: 2, linger: Duration::ZERO };
    check(
        Forward::new(limits, account, letters),
        "0 head 4
         > read 3
         0 resend all
         > fetch 2 3
         0 fetched 2:10,10 3
         > again 1: 2
         0 read 3-4 4
         10 kept 1
         > place 3 = 1 + 0 + 2, mark 1, gone 2
         > send 2: 4
         20 kept 2
         > place 4 = 2 + 0 + 2, mark 2
         > again 3: 2-1
         30 kept 3
         > place 4 = 3 + 0 + 1, mark 3, gone 2-1
         > again 4: 3
         40 item 4 0 0
         > place 4 = 3 + 0 + 1, mark 4, dead 3
         40 wake
         > never",
    );
    // A line that the form does not have any more is nothing to be sent.
    check(
        Forward::new(limits, account, letters),
        "0 resend 2
         > fetch 2
         0 fetched 2:
         > place 3 = 1 + 1 + 1, gone 2 2-1",
    );
    check(
        Forward::new(limits, account, letters),
        "0 discard 2
         > place 3 = 1 + 0 + 2, gone 2 2-1
         0 resend 2",
    );
    // What a rewind sends again is no dead letter.
    check(
        Forward::new(limits, account, letters),
        "0 rewind 2
         > reset
         > place 2 = 0 + 0 + 0, no mark, gone 3
         0 resend all
         > fetch 2",
    );
}

#[test]
fn a_dead_letter_at_which_the_receiver_fails_again_stays_one() {
    let account = Account { begin: 0, place: 2, delivered: 1, dead: 1, ..Account::default() };
    check(
        Forward::new(
            BatchLimits { items: 3, bytes: 100, awaited: 2, linger: Duration::ZERO },
            account,
            [LineId { seq: 2, line: 0 }],
        ),
        "0 resend 1 2
         > fetch 2
         0 fetched 2
         > again 1: 2
         0 away 1
         > log began unavailable
         1000 tick
         > again 2: 2
         1000 fails 2
         3000 tick
         > again 3: 2
         3000 fails 3
         7000 tick
         > again 4: 2
         7000 fails 4
         > place 2 = 1 + 0 + 1, mark 4, dead 2
         > log nothing left, fails
         7000 wake
         > never",
    );
}

#[test]
fn a_dead_letter_is_one_when_what_stands_before_it_is_there() {
    let mut forward = forward();
    let mut step = |milliseconds: i64, what| {
        let mut out = Vec::new();
        forward.step(Timestamp::from_micros(milliseconds * 1000), 0, what, &mut out);
        let is_told = |order: &ForwardOrder| matches!(order, ForwardOrder::Log(ForwardLine::Dead { .. }));
        (forward.letters(), out.iter().any(is_told))
    };
    step(0, ForwardInput::Head(4));
    let records = (1..=4).map(|seq| Rendered::of(seq, vec![10])).collect();
    step(0, ForwardInput::Read(Page { after: 0, through: 4, records }));
    assert_eq!(step(10, ForwardInput::Sent(BatchNumber(1), Ok(Taken::Awaited))), (0, false));
    step(260, ForwardInput::Tick);
    let words = "no".to_owned();
    let refusal = Refusal { kind: RefusalKind::Item(0), words, taken: 0, wait: None };
    assert_eq!(step(270, ForwardInput::Sent(BatchNumber(2), Err(refusal))), (0, false));
    step(1010, ForwardInput::Tick);
    assert_eq!(step(1020, ForwardInput::Confirmed(Asked(1), Ok(vec![BatchNumber(1)]))), (1, true));
}

#[test]
fn a_full_list_of_dead_letters_stops_the_trail_and_forgets_nothing() {
    let many = DEAD_LETTERS_MAX as u64;
    let account = Account { begin: 0, place: many, dead: many, ..Account::default() };
    let letters = (1..=many).map(|seq| LineId { seq, line: 0 });
    check(
        Forward::new(
            BatchLimits { items: 3, bytes: 100, awaited: 2, linger: Duration::ZERO },
            account,
            letters,
        ),
        "0 head 10001
         > read 10000
         0 read 10000-10001 10001
         > send 1: 10001
         0 item 1 0 0
         > log began too many dead letters
         500000 tick
         500000 wake
         > 600000
         500000 resend 7
         > fetch 7
         500000 fetched 7
         > again 2: 7
         500010 kept 2
         > log ended too many dead letters
         > place 10000 = 1 + 0 + 9999, mark 2, gone 7
         > send 3: 10001
         500020 item 3 0 0
         > place 10001 = 1 + 0 + 10000, mark 3, dead 10001
         > log dead 10001, 10000 in all",
    );
}
