//! Whatever comes: it is refused or taken, nothing panics, and nothing that was changed is believed.

use proptest::prelude::*;

use super::vector_tests::{COSIGNED, LOG_KEY, WITNESS_KEY, keys, leaves};
use super::*;

const PROOF: &str = "c2sp.org/tlog-proof@v1\nextra AQI=\nindex 0\n";

/// One byte of a text, another one.
fn changed(text: &str, place: prop::sample::Index, difference: u8) -> (usize, Vec<u8>) {
    let mut bytes = text.as_bytes().to_vec();
    let place = place.index(bytes.len());
    bytes[place] ^= difference;
    (place, bytes)
}

/// Reads bytes as everything that they might be.
fn read_all(bytes: &[u8]) {
    let known = keys(&[LOG_KEY, WITNESS_KEY]);
    if let Ok(note) = Note::read(bytes) {
        assert!(note.signers().count() <= NOTE_SIGNATURES_MAX);
        let _ = note.verify(&known);
        let _ = note.cosigned_at(&known[1]);
    }
    let _ = Checkpoint::open(bytes, &known);
    if let Ok(checkpoint) = Checkpoint::read_unverified(bytes) {
        assert_eq!(Checkpoint::read_text(&checkpoint.text()), Ok(checkpoint));
    }
    if let Ok(proof) = LogProof::read(bytes) {
        assert_eq!(LogProof::read(proof.text().as_bytes()), Ok(proof.clone()));
        let _ = proof.verify(leaves(0..1)[0], &known);
    }
    if let Ok(entries) = read_entries(bytes) {
        let mut again = Vec::new();
        entries.iter().for_each(|entry| push_entry(&mut again, entry).expect("it was read"));
        assert_eq!(again, bytes);
    }
    let _ = read_hashes(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(resource) = Resource::parse(text) {
        assert_eq!(resource.path(), text);
    }
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(key) = text.parse::<SigningKey>() {
        assert_eq!(key.text(), text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_all(&bytes);
    }

    #[test]
    fn texts_that_come_close_are_read(
        text in "(c2sp.org/tlog-proof@v1\n)?((extra|index|—|log|tile|[0-9]{1,20}|x?[0-9]{3}|[A-Za-z0-9+/]{43}=|[ /.+\n]|\\.p/)){0,30}\n?",
    ) {
        read_all(text.as_bytes());
    }

    #[test]
    fn paths_that_come_close_are_read(
        path in "tile/([0-9]{1,2}|entries)/(x[0-9]{3}/){0,8}[0-9]{3}(\\.p/[0-9]{1,3})?",
    ) {
        if let Some(resource) = Resource::parse(&path) {
            prop_assert_eq!(resource.path(), path);
        }
    }
}

proptest! {
    // Each verifies signatures, which takes its time without optimisation.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_changed_checkpoint_is_never_believed(place in any::<prop::sample::Index>(), difference in 1_u8..) {
        let known = keys(&[LOG_KEY]);
        let good = Checkpoint::open(COSIGNED.as_bytes(), &known);
        let (place, bytes) = changed(COSIGNED, place, difference);
        let opened = Checkpoint::open(&bytes, &known);
        let of_the_witness = COSIGNED.find("— witness").expect("it cosigned");
        if place < of_the_witness {
            prop_assert!(opened.is_err(), "byte {} changed to {:?}", place, opened);
        } else if opened.is_ok() {
            prop_assert_eq!(opened, good, "byte {}", place);
        }
    }

    #[test]
    fn a_changed_proof_is_never_believed(place in any::<prop::sample::Index>(), difference in 1_u8..) {
        let all = leaves(0..8);
        let known = keys(&[LOG_KEY]);
        // Leaf 0 of 8 with the path from the vectors' tree.
        let tree = |range: std::ops::Range<usize>| super::super::tree_root(all[range].iter().copied());
        let path = vec![all[1], tree(2..4), tree(4..8)];
        let good = LogProof { index: 0, path, checkpoint: COSIGNED.to_owned() }.text();
        let good = good.replacen("c2sp.org/tlog-proof@v1\nindex 0\n", PROOF, 1);
        let read = |bytes: &[u8]| LogProof::read(bytes).and_then(|proof| proof.verify(all[0], &known));
        prop_assert!(read(good.as_bytes()).is_ok());
        let (place, bytes) = changed(&good, place, difference);
        let extra = good.find("AQI=").expect("extra data");
        let ends = good.find("— witness").expect("it cosigned");
        // What nobody vouches for may change; all else is found.
        if place < ends && !(extra..extra + 3).contains(&place) {
            prop_assert!(read(&bytes).is_err(), "byte {}", place);
        }
    }
}
