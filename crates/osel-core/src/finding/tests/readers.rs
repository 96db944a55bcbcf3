//! Who reads findings, and the alarm when nobody does.

use crate::finding::{READ_EVERY_SECONDS, READERS_MAX, Readers};
use crate::time::Timestamp;

const DAY: u32 = 86_400;

fn at(second: i64) -> Timestamp {
    Timestamp::EPOCH.plus_seconds(second)
}

#[test]
fn the_alarm_counts_from_the_oldest_that_nobody_read() {
    let mut readers = Readers::default();
    assert_eq!((readers.unread_since(), readers.alarm_at(DAY)), (None, None));
    readers.produced(at(10), 5);
    readers.produced(at(20), 6);
    assert_eq!((readers.unread_since(), readers.alarm_at(DAY)), (Some(at(10)), Some(at(86_410))));
    // What came before says nothing about these.
    assert_eq!(readers.read(at(30), "siem", 4), None);
    assert_eq!(readers.unread_since(), Some(at(10)));
    // Somebody reads, if not all.
    assert_eq!(readers.read(at(40), "siem", 5), None);
    assert_eq!(readers.unread_since(), Some(at(40)));
    assert_eq!(readers.read(at(50), "siem", 6), None);
    assert_eq!(readers.unread_since(), None);
}

#[test]
fn an_alarm_is_raised_once_and_ends_when_somebody_reads() {
    let mut readers = Readers::default();
    readers.produced(at(10), 5);
    readers.alarmed(7);
    assert_eq!((readers.alarm_at(DAY), readers.is_alarmed()), (None, true));
    readers.produced(at(11), 8);
    let mut back = Readers::default();
    for line in readers.lines() {
        back.restore(serde_json::from_str(&serde_json::to_string(&line).unwrap()).unwrap());
    }
    assert_eq!(back.alarm_at(DAY), None);
    assert_eq!(back.read(at(20), "siem", 8), Some(7));
    assert_eq!((back.read(at(21), "siem", 8), back.is_alarmed()), (None, false));
}

#[test]
fn how_far_a_reader_has_come_is_noted_now_and_then_or_when_it_ends_an_alarm() {
    let mut readers = Readers::default();
    assert!(readers.is_worth_noting(at(0), "siem", 1));
    readers.read(at(0), "siem", 1);
    assert!(!readers.is_worth_noting(at(READ_EVERY_SECONDS - 1), "siem", 2));
    assert_eq!(readers.note_at("siem", 2), Some(at(READ_EVERY_SECONDS)));
    assert_eq!(readers.note_at("siem", 1), None);
    assert!(readers.is_worth_noting(at(READ_EVERY_SECONDS), "siem", 2));
    assert!(!readers.is_worth_noting(at(READ_EVERY_SECONDS), "siem", 1), "nothing new");
    assert!(readers.is_worth_noting(at(1), "other", 2));
    readers.produced(at(1), 3);
    readers.alarmed(4);
    assert!(readers.is_worth_noting(at(2), "siem", 3) && !readers.is_worth_noting(at(2), "siem", 2));
}

#[test]
fn readers_are_bounded() {
    let mut readers = Readers::default();
    for number in 0..2 * READERS_MAX {
        readers.read(at(number as i64), &format!("reader {number}"), 1);
    }
    assert_eq!(readers.lines().count(), READERS_MAX);
    assert_eq!(
        readers.note_at("reader 0", 1),
        Some(Timestamp::EPOCH),
        "the one heard of least recently went"
    );
    readers.read(at(999), &"x".repeat(10_000), 1);
    let longest = readers.lines().map(|line| serde_json::to_string(&line).unwrap().len()).max().unwrap();
    assert!(longest < 1000, "{longest}");
}
