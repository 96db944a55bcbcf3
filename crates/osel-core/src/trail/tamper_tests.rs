//! A small trail of all kinds and classes, and everything that can be done to it.

use super::*;
use crate::ids::Id;
use crate::time::Timestamp;

/// A stored record that owns what it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    seq: u64,
    canonical: Vec<u8>,
    hash: Option<Vec<u8>>,
    parts: Vec<RowPart>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct RowPart {
    class: PartClass,
    project: Option<String>,
    content: Option<(Vec<u8>, Vec<u8>)>,
}

const PROJECT: &str = "0134e963d2cb47acb1cbded3d170eb51";

/// Eight records; times are late, early and equal, projects absent, empty, a UUID and a word.
fn trail(keep_hash: bool) -> Vec<Row> {
    let part = |class, project: Option<&str>, bytes: &[u8]| Part {
        class,
        project: project.map(Id::new),
        person: None,
        bytes: bytes.to_vec(),
    };
    let drafts: [(i64, i64, RecordKind, Vec<Part>); 8] = [
        (100, 101, RecordKind::System, vec![]),
        (
            200,
            202,
            RecordKind::Change,
            vec![
                part(PartClass::Body, None, b"body"),
                part(PartClass::Personal, Some(PROJECT), b"who"),
                part(PartClass::Payload, Some(""), b"{}"),
                part(PartClass::Exposure, Some(PROJECT), b"rows"),
                part(PartClass::Exposure, Some("default"), b""),
            ],
        ),
        (150, 203, RecordKind::Authentication, vec![part(PartClass::Body, None, b"late")]),
        (999, 204, RecordKind::Access, vec![part(PartClass::Body, Some("default"), b"ahead")]),
        (204, 204, RecordKind::Scan, vec![]),
        (210, 205, RecordKind::Finding, vec![part(PartClass::Body, None, b"same"); 2]),
        (210, 206, RecordKind::Command, vec![part(PartClass::Payload, None, b"p")]),
        (300, 301, RecordKind::Gap, vec![part(PartClass::Body, None, b"end")]),
    ];
    let mut chain = Chain::new();
    let mut next = 0_u8;
    let mut salts = || {
        next += 1;
        [next; SALT_BYTES]
    };
    let row = |(time, recorded_at, kind, parts): (i64, i64, RecordKind, Vec<Part>)| {
        let (time, recorded_at) = (Timestamp::from_micros(time), Timestamp::from_micros(recorded_at));
        let sealed =
            chain.seal(&Draft { time, recorded_at, kind, parts: &parts }, &mut salts).expect("parts fit");
        let stored = |(part, sealed): (Part, &SealedPart)| RowPart {
            class: sealed.class,
            project: sealed.project.as_ref().map(Id::to_string),
            content: Some((sealed.salt.to_vec(), part.bytes)),
        };
        Row {
            seq: sealed.seq,
            hash: keep_hash.then(|| sealed.hash.0.to_vec()),
            parts: parts.into_iter().zip(&sealed.parts).map(stored).collect(),
            canonical: sealed.canonical,
        }
    };
    drafts.into_iter().map(row).collect()
}

fn head_of(rows: &[Row]) -> NotedHead {
    let last = rows.last().expect("a trail has records");
    NotedHead { seq: last.seq, hash: leaf_hash(&last.canonical) }
}

fn push(verifier: &mut Verifier, row: &Row) -> Result<Checked, Bad> {
    let parts: Vec<_> = row.parts.iter().map(stored_part).collect();
    let hash = row.hash.as_deref();
    verifier.push(&StoredRecord { seq: row.seq, canonical: &row.canonical, hash, parts: &parts })
}

fn stored_part(part: &RowPart) -> StoredPart<'_> {
    let content = match &part.content {
        Some((salt, bytes)) => StoredContent::Present { salt, bytes },
        None => StoredContent::Missing,
    };
    StoredPart { class: part.class, project: part.project.as_deref(), content }
}

fn verify_with(mut verifier: Verifier, rows: &[Row]) -> Result<Verified, Bad> {
    for row in rows {
        push(&mut verifier, row)?;
    }
    verifier.finish()
}

fn verify(rows: &[Row], noted: Option<NotedHead>) -> Result<Verified, Bad> {
    verify_with(Verifier::new(noted), rows)
}

/// Gives every record the number of its place, as somebody who hides a removal would.
fn renumber(rows: &mut [Row]) {
    for (seq, row) in (1..).zip(rows) {
        row.seq = seq;
    }
}

/// Makes a record's bytes and stored hash fit again after a change of its header, as a forger would.
fn forge(row: &mut Row, change: impl FnOnce(&mut Vec<u8>)) {
    change(&mut row.canonical);
    row.hash = row.hash.as_ref().map(|_| leaf_hash(&row.canonical).0.to_vec());
}

/// The bytes of a row, one field after the other.
fn fields(row: &mut Row) -> Vec<&mut [u8]> {
    let mut fields = vec![&mut row.canonical[..]];
    fields.extend(row.hash.as_deref_mut());
    for part in &mut row.parts {
        if let Some((salt, bytes)) = &mut part.content {
            fields.extend([&mut salt[..], &mut bytes[..]]);
        }
    }
    fields
}

fn every_byte_change_is_found(keep_hash: bool) {
    let good = trail(keep_hash);
    let noted = Some(head_of(&good));
    let mut tried = 0_u64;
    for at in 0..good.len() {
        // What lies before is untouched; where the verifier stands after it is the same every time.
        let mut verifier = Verifier::new(noted);
        for row in &good[..at] {
            push(&mut verifier, row).expect("the trail is good");
        }
        let mut rows = good[at..].to_vec();
        for field in 0..fields(&mut rows[0]).len() {
            for byte in 0..fields(&mut rows[0])[field].len() {
                for difference in 1..=255 {
                    fields(&mut rows[0])[field][byte] ^= difference;
                    let bad = verify_with(verifier.clone(), &rows).expect_err("a byte was changed");
                    assert_eq!(bad.seq, good[at].seq, "field {field} byte {byte} ^ {difference}: {bad}");
                    fields(&mut rows[0])[field][byte] ^= difference;
                    tried += 1;
                }
            }
        }
        assert_eq!(rows, good[at..]);
    }
    assert!(tried > 255 * 1200, "only {tried} changes were tried");
}

#[test]
fn the_trail_is_good() {
    for keep_hash in [true, false] {
        let rows = trail(keep_hash);
        let verified = verify(&rows, Some(head_of(&rows))).expect("nobody touched it");
        assert_eq!((verified.records, verified.head.noted()), (8, head_of(&rows)));
        assert_eq!(verified.parts.to_string(), "6 body, 1 personal, 2 payload, 2 exposure");
        assert_eq!(verified.head.as_of, Timestamp::from_micros(300));
    }
}

#[test]
fn every_byte_change_is_found_with_stored_hashes() {
    every_byte_change_is_found(true);
}

#[test]
fn every_byte_change_is_found_without_stored_hashes() {
    every_byte_change_is_found(false);
}

#[test]
fn every_change_of_length_is_found() {
    let good = trail(true);
    for at in 0..good.len() {
        for field in 0..fields(&mut good[at].clone()).len() {
            for longer in [true, false] {
                let mut rows = good.clone();
                let resize = |bytes: &mut Vec<u8>| match longer {
                    true => bytes.push(0),
                    false => bytes.truncate(bytes.len().saturating_sub(1)),
                };
                let row = &mut rows[at];
                match (field, &mut row.hash) {
                    (0, _) => resize(&mut row.canonical),
                    (1, Some(hash)) => resize(hash),
                    _ => {
                        let (salt, bytes) = row.parts[field / 2 - 1].content.as_mut().expect("all are there");
                        resize(if field % 2 == 0 { salt } else { bytes });
                    }
                }
                if rows != good {
                    assert_eq!(verify(&rows, None).expect_err("it was changed").seq, good[at].seq);
                }
            }
        }
    }
}

#[test]
fn every_change_of_a_part_is_found() {
    let good = trail(true);
    let found = |rows: &[Row]| verify(rows, None).expect_err("a part was changed");
    for at in 0..good.len() {
        let seq = good[at].seq;
        for part in 0..good[at].parts.len() {
            for project in [None, Some(""), Some("other"), Some(PROJECT), Some("default")] {
                let mut rows = good.clone();
                rows[at].parts[part].project = project.map(str::to_owned);
                if rows != good {
                    assert_eq!(found(&rows), Bad { seq, why: Why::PartKind { part } });
                }
            }
            for class in PartClass::ALL {
                let mut rows = good.clone();
                rows[at].parts[part].class = class;
                if rows != good {
                    assert_eq!(found(&rows), Bad { seq, why: Why::PartKind { part } });
                }
            }
            let committed = good[at].parts.len();
            let mut rows = good.clone();
            rows[at].parts.remove(part);
            let why = Why::PartCount { committed, found: committed - 1 };
            assert_eq!(found(&rows), Bad { seq, why });
            for other in 0..part {
                let mut rows = good.clone();
                rows[at].parts.swap(part, other);
                assert_eq!(found(&rows).seq, seq);
            }
        }
        let mut rows = good.clone();
        rows[at].parts.push(RowPart { class: PartClass::Body, project: None, content: None });
        assert!(matches!(found(&rows).why, Why::PartCount { .. }));
    }
}

#[test]
fn missing_parts_are_counted_and_named() {
    let mut rows = trail(true);
    for row in &mut rows {
        for part in &mut row.parts {
            if part.class == PartClass::Payload || part.project.as_deref() == Some("default") {
                part.content = None;
            }
        }
    }
    let mut verifier = Verifier::new(Some(head_of(&rows)));
    let missing: Vec<_> =
        rows.iter().map(|row| push(&mut verifier, row).expect("missing is no fault").missing).collect();
    assert_eq!(missing, [vec![], vec![2, 4], vec![], vec![0], vec![], vec![], vec![0], vec![]]);
    let verified = verifier.finish().expect("missing is no fault");
    assert_eq!(
        verified.parts.to_string(),
        "6 body (1 missing), 1 personal, 2 payload (2 missing), 2 exposure (1 missing)"
    );
    assert_eq!((verified.parts.present(PartClass::Body), verified.parts.missing(PartClass::Body)), (5, 1));
}

#[test]
fn every_removal_is_found() {
    for keep_hash in [true, false] {
        let good = trail(keep_hash);
        for at in 0..good.len() {
            let seq = good[at].seq;
            let mut rows = good.clone();
            rows.remove(at);
            let expected = if at + 1 == good.len() {
                assert!(verify(&rows, None).is_ok(), "a chain proves nothing about its end");
                Bad { seq, why: Why::CutTail { noted: 8, found: 7 } }
            } else {
                Bad { seq, why: Why::Missing { found: seq + 1 } }
            };
            assert_eq!(verify(&rows, Some(head_of(&good))), Err(expected));

            renumber(&mut rows);
            let bad = verify(&rows, Some(head_of(&good))).expect_err("a record was removed");
            assert_eq!(bad.seq, seq, "hidden by numbers: {bad}");
        }
    }
}

#[test]
fn every_cut_is_found_by_a_noted_head() {
    let good = trail(true);
    for left in 0..good.len() {
        let bad = verify(&good[..left], Some(head_of(&good))).expect_err("the tail was cut");
        let (noted, found) = (8, left as u64);
        assert_eq!(bad, Bad { seq: found + 1, why: Why::CutTail { noted, found } });
        assert_eq!(
            bad.to_string(),
            format!("entry {}: the tail is cut: 8 records noted, {left} found", found + 1)
        );
    }
}

#[test]
fn a_trail_that_grew_still_holds_its_old_head() {
    let good = trail(true);
    assert!(verify(&good, Some(Head::EMPTY.noted())).is_ok());
    for length in 1..=good.len() {
        assert!(verify(&good, Some(head_of(&good[..length]))).is_ok());
    }
}

#[test]
fn every_swap_is_found() {
    for keep_hash in [true, false] {
        let good = trail(keep_hash);
        for first in 0..good.len() {
            for second in first + 1..good.len() {
                let mut rows = good.clone();
                rows.swap(first, second);
                assert!(verify(&rows, None).is_err(), "given in another order");
                renumber(&mut rows);
                let bad = verify(&rows, None).expect_err("two records were swapped");
                assert_eq!(bad.seq, good[first].seq, "{bad}");

                // The numbers within the records are swapped back as well: only the chain shows it.
                for at in [first, second] {
                    let seq = rows[at].seq;
                    forge(&mut rows[at], |bytes| bytes[5..13].copy_from_slice(&seq.to_be_bytes()));
                }
                let bad = verify(&rows, Some(head_of(&good))).expect_err("two records were swapped");
                assert_eq!(bad.seq, good[first].seq, "{bad}");
            }
        }
    }
}

#[test]
fn every_repetition_and_insertion_is_found() {
    for keep_hash in [true, false] {
        let good = trail(keep_hash);
        for from in 0..good.len() {
            for at in 0..=good.len() {
                let mut rows = good.clone();
                rows.insert(at, good[from].clone());
                assert!(verify(&rows, None).is_err(), "two records in one place");
                renumber(&mut rows);
                let place = rows[at].seq;
                let bad = verify(&rows, Some(head_of(&good))).expect_err("a record was repeated");
                // Equal neighbours cannot be told apart: then the second is the repetition.
                let repetition = if at == from { place + 1 } else { place };
                assert_eq!(bad.seq, repetition, "{from} at {at}: {bad}");
            }
        }
    }
}

#[test]
fn a_well_made_insertion_is_found_where_it_stands() {
    for keep_hash in [true, false] {
        let good = trail(keep_hash);
        for at in 0..good.len() {
            let mut rows = good.clone();
            let mut inserted = good[at].clone();
            // Right number, right predecessor, right hash: but nobody follows it.
            forge(&mut inserted, |bytes| bytes[69] = RecordKind::Drift.code());
            rows.insert(at, inserted);
            renumber(&mut rows);
            let bad = verify(&rows, Some(head_of(&good))).expect_err("a record was inserted");
            // The noted head knows the one in its own place at once.
            let why = if at + 1 == good.len() { Why::Noted } else { Why::Inserted };
            assert_eq!(bad, Bad { seq: good[at].seq, why });
        }
    }
}

#[test]
fn a_forged_record_with_its_hash_is_named_itself_not_its_successor() {
    let good = trail(true);
    for at in 0..good.len() {
        let mut rows = good.clone();
        forge(&mut rows[at], |bytes| bytes[69] = RecordKind::Drift.code());
        let seq = good[at].seq;
        let bad = verify(&rows, Some(head_of(&good))).expect_err("a record was forged");
        let why = if at + 1 == good.len() { Why::Noted } else { Why::Altered };
        assert_eq!(bad, Bad { seq, why });

        // Without a head the last pair can be told apart no more, and the last record is on its own word.
        match (good.len() - 1 - at, verify(&rows, None)) {
            (0, result) => assert!(result.is_ok()),
            (1, result) => assert_eq!(result, Err(Bad { seq, why: Why::Unlinked })),
            (_, result) => assert_eq!(result, Err(Bad { seq, why: Why::Altered })),
        }
    }
}

#[test]
fn a_history_written_anew_is_found_by_a_noted_head() {
    let good = trail(true);
    for at in 0..good.len() {
        let mut rows = good.clone();
        forge(&mut rows[at], |bytes| bytes[69] = RecordKind::Drift.code());
        for next in at + 1..rows.len() {
            let previous = leaf_hash(&rows[next - 1].canonical);
            forge(&mut rows[next], |bytes| bytes[13..45].copy_from_slice(&previous.0));
        }
        assert!(verify(&rows, None).is_ok(), "it is a chain");
        for length in 1..=good.len() {
            let result = verify(&rows, Some(head_of(&good[..length])));
            if length <= at {
                assert!(result.is_ok(), "noted before the change");
            } else {
                assert_eq!(result, Err(Bad { seq: length as u64, why: Why::Noted }));
            }
        }
    }
}

#[test]
fn the_rule_of_times_is_checked() {
    let mut rows = trail(true);
    forge(&mut rows[7], |bytes| bytes[61..69].copy_from_slice(&301_i64.to_be_bytes()));
    let (found, expected) = (Timestamp::from_micros(301), Timestamp::from_micros(300));
    assert_eq!(verify(&rows, None), Err(Bad { seq: 8, why: Why::AsOf { found, expected } }));
}

#[test]
fn verification_can_start_at_a_trusted_record() {
    let good = trail(true);
    let noted = Some(head_of(&good));
    for at in 1..good.len() {
        let trusted = verify(&good[..at], None).expect("good").head;
        let verified = verify_with(Verifier::after(trusted, noted), &good[at..]).expect("good");
        assert_eq!(verified.records, (good.len() - at) as u64);
        let other = Head { hash: Hash([1; 32]), ..trusted };
        let bad = Bad { seq: good[at].seq, why: Why::Previous };
        assert_eq!(verify_with(Verifier::after(other, noted), &good[at..]), Err(bad));
        assert!(verify_with(Verifier::after(other, Some(trusted.noted())), &[]).is_err());
    }
}

#[test]
fn the_first_bad_answer_stays() {
    let good = trail(true);
    let mut verifier = Verifier::new(None);
    let bad = push(&mut verifier, &good[3]).expect_err("it is not the first");
    assert_eq!(bad, Bad { seq: 1, why: Why::Missing { found: 4 } });
    assert_eq!(push(&mut verifier, &good[0]), Err(bad));
    assert_eq!(verifier.finish(), Err(bad));
}

#[test]
fn codes_and_words_come_back() {
    for (code, kind) in (1..).zip(RecordKind::ALL) {
        assert_eq!((kind.code(), RecordKind::from_code(code)), (code, Some(kind)));
        assert_eq!(RecordKind::from_word(kind.as_str()), Some(kind));
    }
    // The verifier's counters rely on codes without gaps.
    for (code, class) in (1..).zip(PartClass::ALL) {
        assert_eq!((class.code(), PartClass::from_code(code)), (code, Some(class)));
        assert_eq!(PartClass::from_word(class.as_str()), Some(class));
    }
}
