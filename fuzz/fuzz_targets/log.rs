//! Any bytes as everything that a log is read from: notes, checkpoints, proofs, keys, paths, tiles, bundles of entries.
//!
//! What is taken is written as it was read, and nothing that comes from the fuzzer is believed: it cannot sign.

#![no_main]

use libfuzzer_sys::fuzz_target;
use osel_core::trail::leaf_hash;
use osel_core::trail::log::{
    Checkpoint, LogProof, NOTE_SIGNATURES_MAX, Note, Resource, SigningKey, VerifierKey, push_entry,
    read_entries, read_hashes,
};

/// A log's key and a witness', as in `docs/trail-format-vectors.json`.
const KNOWN: [&str; 2] = [
    "log.example/osel+6ae2a71d+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
    "witness.example/w1+20324abe+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X",
];
/// What the log signed in the seeds.
const SIGNED: &str = "log.example/osel\n8\nO4WpYmwcy2TGuV7H+mSIje/izxLjnnfhCBLOX8uctY4=\n";

fuzz_target!(|data: &[u8]| {
    let known = KNOWN.map(|text| text.parse::<VerifierKey>().expect("a key"));
    if let Ok(note) = Note::read(data) {
        assert!(note.signers().count() <= NOTE_SIGNATURES_MAX);
        if note.verify(&known).is_ok() {
            assert_eq!(note.text, SIGNED);
        }
        let _ = note.cosigned_at(&known[1]);
    }
    if let Ok(checkpoint) = Checkpoint::read_unverified(data) {
        assert_eq!(Checkpoint::read_text(&checkpoint.text()), Ok(checkpoint));
    }
    if let Ok(checkpoint) = Checkpoint::open(data, &known) {
        assert_eq!(checkpoint.text(), SIGNED);
    }
    if let Ok(proof) = LogProof::read(data) {
        assert_eq!(LogProof::read(proof.text().as_bytes()), Ok(proof.clone()));
        assert!(proof.verify(leaf_hash(b"in no log"), &known).is_err());
    }
    if let Ok(entries) = read_entries(data) {
        let mut again = Vec::new();
        entries.iter().for_each(|entry| push_entry(&mut again, entry).expect("it was read"));
        assert_eq!(again, data);
    }
    if let Ok(hashes) = read_hashes(data) {
        assert_eq!(hashes.len() * 32, data.len());
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(resource) = Resource::parse(text) {
        assert_eq!(resource.path(), text);
    }
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(key) = text.parse::<SigningKey>() {
        assert_eq!(key.text(), text);
    }
});
