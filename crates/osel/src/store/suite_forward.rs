//! What every store must do with forwarders: how far each has come, and what their receivers will not take.

use super::check::CommitFault;
use super::data::*;
use super::error::JournalError;
use super::forward::{DeadLetterChange, DeadLetterKey, DeadLetterRow, ForwarderRow};
use super::journal::Journal;
use super::suite::{add, collect, reader, refusal, seconds};

/// Runs the part of the suite that is about forwarders.
pub(super) fn suite(make: &mut dyn FnMut() -> Box<dyn Journal>) {
    a_forwarder_is_as_the_last_commit_says(&mut *make());
    an_account_that_does_not_balance_is_refused(&mut *make());
    dead_letters_come_and_go_in_order(&mut *make());
    many_dead_letters_come_back_in_order(&mut *make());
}

fn row(name: &str, place: u64) -> ForwarderRow {
    ForwarderRow {
        name: name.to_owned(),
        place,
        delivered: place,
        updated_at: seconds(place as i64),
        ..ForwarderRow::default()
    }
}

fn letter(forwarder: &str, seq: u64, line: u32) -> DeadLetterRow {
    DeadLetterRow {
        key: DeadLetterKey { forwarder: forwarder.to_owned(), seq, line },
        why: format!("line {line} of {seq} is no JSON"),
        at: seconds(seq as i64),
        resend: false,
    }
}

/// Commits what is said of forwarders and nothing else.
fn tell(
    journal: &mut dyn Journal,
    forwarders: &[ForwarderRow],
    dead_letters: &[DeadLetterChange],
) -> Result<Head, JournalError> {
    let (epoch, head) = (journal.info().epoch, journal.head());
    journal.commit(&Commit { forwarders, dead_letters, ..Commit::empty(epoch, head) })
}

fn dead(journal: &dyn Journal, forwarder: &str) -> Vec<DeadLetterRow> {
    collect(|each| reader(journal).dead_letters(forwarder, each))
}

fn a_forwarder_is_as_the_last_commit_says(journal: &mut dyn Journal) {
    add(journal, 20).unwrap();
    assert_eq!(reader(journal).forwarders().unwrap(), []);
    tell(journal, &[row("siem", 3), row("file", 20)], &[]).unwrap();
    let whole = ForwarderRow {
        begin: 2,
        place: 12,
        delivered: 5,
        filtered: 3,
        dead: 2,
        lines: 7,
        bytes: 8,
        batches: 9,
        retries: 10,
        mark: Some("12:34".to_owned()),
        trouble: Some((seconds(11), "nobody is there\0".to_owned())),
        ..row("siem", 0)
    };
    for _ in 0..2 {
        tell(journal, std::slice::from_ref(&whole), &[]).unwrap();
        journal.reopen().unwrap();
    }
    let found = reader(journal).forwarders().unwrap();
    let [file, siem] = &found[..] else { panic!("{found:?}") };
    assert_eq!(*file, row("file", 20));
    // What no text of a database can hold becomes a sign for it.
    let words = |row: &ForwarderRow| row.trouble.as_ref().map(|(_, words)| words.replace('\0', "\u{fffd}"));
    assert_eq!(words(siem), words(&whole));
    assert_eq!(ForwarderRow { trouble: whole.trouble.clone(), ..siem.clone() }, whole);
    tell(journal, &[row("siem", 1)], &[]).unwrap();
    assert_eq!(reader(journal).forwarders().unwrap(), [row("file", 20), row("siem", 1)]);
}

fn an_account_that_does_not_balance_is_refused(journal: &mut dyn Journal) {
    add(journal, 20).unwrap();
    for wrong in [
        row("siem", 21),
        ForwarderRow { place: 4, ..row("siem", 3) },
        ForwarderRow { dead: 1, ..row("siem", 3) },
        ForwarderRow { begin: u64::MAX, ..row("siem", 3) },
    ] {
        let fault = CommitFault::Forwarder { name: "siem".to_owned(), place: wrong.place };
        assert_eq!(refusal(tell(journal, &[row("file", 1), wrong], &[])), fault);
    }
    assert_eq!(reader(journal).forwarders().unwrap(), []);
}

fn dead_letters_come_and_go_in_order(journal: &mut dyn Journal) {
    add(journal, 20).unwrap();
    let put = |letter| DeadLetterChange::Put(letter);
    let letters = [letter("siem", 3, 0), letter("siem", 3, 1), letter("siem", 7, 0), letter("file", 3, 0)];
    for _ in 0..2 {
        tell(journal, &[], &letters.clone().map(put)).unwrap();
        journal.reopen().unwrap();
    }
    assert_eq!(dead(journal, "siem"), letters[..3]);
    assert_eq!(dead(journal, "file"), letters[3..]);
    assert_eq!(dead(journal, "none"), []);
    let resend = |seq| DeadLetterChange::Resend { forwarder: "siem".to_owned(), seq };
    let wanted =
        |journal: &dyn Journal| dead(journal, "siem").iter().map(|row| row.resend).collect::<Vec<_>>();
    tell(journal, &[], &[resend(Some(3))]).unwrap();
    assert_eq!(wanted(journal), [true, true, false]);
    // One that is refused once more waits to be wanted once more.
    let again = DeadLetterRow { why: "still no JSON".to_owned(), ..letter("siem", 3, 1) };
    tell(journal, &[], &[DeadLetterChange::Drop(letters[0].key.clone()), put(again.clone())]).unwrap();
    assert_eq!(dead(journal, "siem"), [again.clone(), letters[2].clone()]);
    tell(journal, &[], &[resend(None), put(letter("siem", 9, 0))]).unwrap();
    assert_eq!(wanted(journal), [true, true, false]);
    let set_back = DeadLetterChange::DropAfter { forwarder: "siem".to_owned(), seq: 3 };
    tell(journal, &[], &[set_back, put(letter("siem", 4, 2))]).unwrap();
    assert_eq!(dead(journal, "siem"), [DeadLetterRow { resend: true, ..again }, letter("siem", 4, 2)]);
    let discard = |seq| DeadLetterChange::Discard { forwarder: "siem".to_owned(), seq };
    tell(journal, &[], &[discard(Some(3)), discard(Some(9))]).unwrap();
    assert_eq!(dead(journal, "siem"), [letter("siem", 4, 2)]);
    tell(journal, &[], &[discard(None)]).unwrap();
    assert_eq!(dead(journal, "siem"), []);
    assert_eq!(dead(journal, "file"), letters[3..]);
}

fn many_dead_letters_come_back_in_order(journal: &mut dyn Journal) {
    let letters: Vec<_> =
        (1..=700).flat_map(|seq| [letter("siem", seq, 0), letter("siem", seq, 1)]).collect();
    let changes: Vec<_> = letters.iter().cloned().map(DeadLetterChange::Put).collect();
    tell(journal, &[], &changes).unwrap();
    assert_eq!(dead(journal, "siem"), letters);
}
