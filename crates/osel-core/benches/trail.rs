//! How fast records are sealed and verified, as a ratio to SHA-256 over the same bytes in the same run.

// A benchmark measures time and prints: what the core itself must not do.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods, clippy::disallowed_types)]

use std::hint::black_box;
use std::time::Instant;

use osel_core::ids::Id;
use osel_core::time::Timestamp;
use osel_core::trail::{
    Chain, Draft, Part, PartClass, RecordKind, SALT_BYTES, Sealed, StoredContent, StoredPart, StoredRecord,
    Verifier,
};
use sha2::{Digest, Sha256};

/// Records in one round: long enough for a steady clock, short enough for a laptop.
const RECORDS: usize = 50_000;
/// Rounds, interleaved; the median counts.
const ROUNDS: usize = 9;

/// A record as the corpora have them: a body, the people, the message, the rows of one project.
fn parts() -> Vec<Part> {
    let project = Some(Id::new("0134e963d2cb47acb1cbded3d170eb51"));
    [
        (PartClass::Body, project.clone(), 300),
        (PartClass::Personal, project.clone(), 150),
        (PartClass::Payload, None, 1_700),
        (PartClass::Exposure, project, 200),
    ]
    .map(|(class, project, length)| Part { class, project, bytes: vec![b'x'; length] })
    .into()
}

fn seal_all(parts: &[Part], out: &mut Sealed) {
    let mut chain = Chain::new();
    let draft =
        Draft { time: Timestamp::EPOCH, recorded_at: Timestamp::EPOCH, kind: RecordKind::Change, parts };
    let mut salt = 0_u128;
    let mut salts = || {
        salt += 1;
        salt.to_be_bytes()
    };
    for _ in 0..RECORDS {
        chain.seal_into(&draft, &mut salts, out).expect("four parts fit");
    }
    black_box(chain.head());
}

fn verify_one(parts: &[Part], sealed: &Sealed) {
    let stored: Vec<_> = parts
        .iter()
        .zip(&sealed.parts)
        .map(|(part, sealed)| (part.project.as_ref().map(Id::to_string), &part.bytes, sealed))
        .collect();
    let stored: Vec<_> = stored
        .iter()
        .map(|(project, bytes, sealed)| StoredPart {
            class: sealed.class,
            project: project.as_deref(),
            content: StoredContent::Present { salt: &sealed.salt, bytes },
        })
        .collect();
    let record =
        StoredRecord { seq: 1, canonical: &sealed.canonical, hash: Some(&sealed.hash.0), parts: &stored };
    for _ in 0..RECORDS {
        let mut verifier = Verifier::new(None);
        verifier.push(&record).expect("it was just sealed");
        black_box(verifier.finish().expect("it was just sealed"));
    }
}

/// The same hashes over as many bytes, and nothing else.
fn hash_all(parts: &[Part], canonical: &[u8]) {
    for _ in 0..RECORDS {
        for part in parts {
            black_box(Sha256::new().chain_update([0; SALT_BYTES]).chain_update(&part.bytes).finalize());
        }
        black_box(Sha256::new().chain_update([0]).chain_update(canonical).finalize());
    }
}

fn rate(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    RECORDS as f64 / start.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn main() {
    let parts = parts();
    let mut first = Sealed::empty();
    Chain::new()
        .seal_into(
            &Draft {
                time: Timestamp::EPOCH,
                recorded_at: Timestamp::EPOCH,
                kind: RecordKind::Change,
                parts: &parts,
            },
            &mut || [0; SALT_BYTES],
            &mut first,
        )
        .expect("four parts fit");
    let mut buffer = Sealed::empty();
    let (mut hash, mut seal, mut verify) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        hash.push(rate(|| hash_all(&parts, &first.canonical)));
        seal.push(rate(|| seal_all(&parts, &mut buffer)));
        verify.push(rate(|| verify_one(&parts, &first)));
    }
    let (hash, seal, verify) = (median(hash), median(seal), median(verify));
    let bytes: usize = parts.iter().map(|part| part.bytes.len()).sum();
    println!("records of 4 parts, {bytes} bytes of content, {} canonical", first.canonical.len());
    println!("bare SHA-256  {hash:>10.0}/s  1.00");
    println!("sealed        {seal:>10.0}/s  {:.2}", seal / hash);
    println!("verified      {verify:>10.0}/s  {:.2}", verify / hash);
}
