//! Cosignatures on a bundle's checkpoint: they count by the keys that whoever checks has, and by no other.

use osel_core::trail::bundle::{BadBundle, Checker, Fault, Summary};
use osel_core::trail::log::{CheckpointError, NoteError, VerifierKey};

use super::log::{Log, bytes, push_all, witness};

fn check(bytes: &[u8], witnesses: &[VerifierKey], wanted: usize) -> Result<Summary, BadBundle> {
    let mut checker = Checker::new(None).witnessed_by(witnesses.to_vec(), wanted);
    push_all(&mut checker, bytes)?;
    checker.finish()
}

#[test]
fn as_many_witnesses_as_are_asked_for_must_have_cosigned() {
    let log = Log::new(9, 0).cosigned(&[(1, 1_790_000_001), (2, 1_790_000_002)]);
    let [one, two, three] = [1, 2, 3].map(|number| witness(number).verifier());
    for bundle in [bytes(&log.whole(&[4])), bytes(&log.some(&[2, 7], Some(3)))] {
        let seen = |witnesses: &[VerifierKey], wanted| {
            let found = check(&bundle, witnesses, wanted).map_err(|bad| (bad.line, bad.record, bad.why));
            found.map(|summary| summary.witnesses.iter().map(|one| one.seconds).collect::<Vec<_>>())
        };
        let (first, second) = (Some(1_790_000_001), Some(1_790_000_002));
        assert_eq!(seen(&[], 0), Ok(vec![]));
        assert_eq!(seen(&[two.clone(), three.clone(), one.clone()], 2), Ok(vec![second, None, first]));
        let too_few = |wanted, found| Err((1, None, Fault::Witnesses { wanted, found }));
        assert_eq!(seen(&[two.clone(), three.clone()], 2), too_few(2, 1));
        assert_eq!(seen(std::slice::from_ref(&three), 1), too_few(1, 0));
        // One twice is one, and the log is no witness of itself.
        assert_eq!(seen(&[one.clone(), one.clone()], 2), too_few(2, 1));
        assert_eq!(seen(&[log.key.verifier()], 1), too_few(1, 0));
    }
    let none = check(&bytes(&Log::new(9, 0).whole(&[])), &[one], 0).unwrap();
    assert_eq!(none.witnesses[0].seconds, None);
}

#[test]
fn a_wrong_cosignature_of_a_known_witness_is_a_fault() {
    let log = Log::new(3, 0).cosigned(&[(1, 1_790_000_001)]);
    let good = String::from_utf8(bytes(&log.whole(&[]))).unwrap();
    let (start, _) = good.split_once("\"records\":3").unwrap();
    let line = good[start.len()..].find("\\n— witness.example/1 ").unwrap() + start.len();
    let changed = |at: usize| {
        let mut changed = good.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        changed
    };
    // In the time and in the signature: known, nobody else's.
    let first = line + "\\n— witness.example/1 ".len();
    for at in [first + 10, first + 60] {
        let bad = check(&changed(at), &[witness(1).verifier()], 0).unwrap_err();
        let wrong = NoteError::Wrong { name: "witness.example/1".to_owned() };
        assert_eq!((bad.line, bad.why), (1, Fault::Checkpoint(CheckpointError::Note(wrong))));
        // To whom it is a stranger's line the last line says that something changed.
        let bad = check(&changed(at), &[witness(2).verifier()], 0).unwrap_err();
        assert_eq!(bad.why, Fault::Digest);
    }
}
