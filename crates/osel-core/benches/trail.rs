//! How fast records are sealed into a signed log, and how fast such a log is verified, beside SHA-256 over the same bytes.
//!
//! What is compared is measured in turns and in processor time, so that what else the machine does tells little.

// A benchmark measures time and prints: what the core itself must not do.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods, clippy::disallowed_types)]

use std::hint::black_box;
use std::time::Duration;

use osel_core::ids::Id;
use osel_core::time::Timestamp;
use osel_core::trail::log::{Checkpoint, SigningKey};
use osel_core::trail::{
    Chain, Draft, Part, PartClass, RecordKind, SALT_BYTES, Sealed, StoredContent, StoredPart, StoredRecord,
    Tree, Verifier,
};
use rustix::time::{ClockId, clock_gettime};
use sha2::{Digest, Sha256};

/// Records in one round: long enough for a steady clock, and more bytes than a processor's cache keeps.
const RECORDS: usize = 20_000;
/// Rounds, interleaved; the median counts.
const ROUNDS: usize = 9;
/// The most records without a checkpoint, as the recorder has it.
const CHECKPOINT_EVERY: u64 = 1_000;
/// Below these, something is wrong.
const SEALED_WANTED: f64 = 100_000.0;
const VERIFIED_WANTED: f64 = 0.60;

/// A record as the corpora have them: a body, the people, the message, the rows of one project.
fn parts() -> Vec<Part> {
    let project = Some(Id::new("0134e963d2cb47acb1cbded3d170eb51"));
    [
        (PartClass::Body, project.clone(), 300),
        (PartClass::Personal, project.clone(), 150),
        (PartClass::Payload, None, 1_700),
        (PartClass::Exposure, project, 200),
    ]
    .map(|(class, project, length)| Part { class, project, person: None, bytes: vec![b'x'; length] })
    .into()
}

/// Hands out every record as it is sealed.
fn seal(parts: &[Part], mut each: impl FnMut(&Sealed)) {
    let mut chain = Chain::new();
    let mut sealed = Sealed::empty();
    let draft =
        Draft { time: Timestamp::EPOCH, recorded_at: Timestamp::EPOCH, kind: RecordKind::Change, parts };
    let mut salt = 0_u128;
    let mut salts = || {
        salt += 1;
        salt.to_be_bytes()
    };
    for _ in 0..RECORDS {
        chain.seal_into(&draft, &mut salts, &mut sealed).expect("four parts fit");
        each(&sealed);
    }
}

/// Chain, tree, nodes and a signature for every so many records: all that the recorder does before the store.
fn seal_into_log(parts: &[Part], key: &SigningKey) {
    let mut tree = Tree::default();
    seal(parts, |sealed| {
        tree.push_with(sealed.hash, &mut |node| {
            black_box(node);
        });
        if tree.size().is_multiple_of(CHECKPOINT_EVERY) {
            let origin = key.verifier().name().clone();
            black_box(Checkpoint { origin, size: tree.size(), root: tree.root() }.sign(key));
        }
    });
    black_box(tree.root());
}

/// A record with the contents of its parts, as a store would have it: each in memory of its own.
struct Stored {
    sealed: Sealed,
    projects: Vec<Option<String>>,
    contents: Vec<Vec<u8>>,
}

impl Stored {
    fn rows(&self) -> Vec<StoredPart<'_>> {
        let parts = self.sealed.parts.iter().zip(&self.projects).zip(&self.contents);
        parts
            .map(|((part, project), bytes)| StoredPart {
                class: part.class,
                project: project.as_deref(),
                content: StoredContent::Present { salt: &part.salt, bytes },
            })
            .collect()
    }
}

fn verify_log(records: &[Stored], rows: &[Vec<StoredPart<'_>>]) {
    let (mut verifier, mut tree) = (Verifier::new(None), Tree::default());
    for (Stored { sealed, .. }, parts) in records.iter().zip(rows) {
        let (canonical, hash) = (&sealed.canonical, Some(&sealed.hash.0[..]));
        let stored = StoredRecord { seq: sealed.seq, canonical, hash, parts };
        tree.push(verifier.push(&stored).expect("it was just sealed").head.hash);
    }
    black_box((verifier.finish().expect("it was just sealed"), tree.root()));
}

/// The same bytes as one stream: as fast as this hash gets.
fn hash_as_stream(records: &[Stored]) {
    let mut hash = Sha256::new();
    for record in records {
        for (part, content) in record.sealed.parts.iter().zip(&record.contents) {
            hash.update(part.salt);
            hash.update(content);
        }
        hash.update(&record.sealed.canonical);
    }
    black_box(hash.finalize());
}

/// The same bytes in the pieces that a record is hashed in, and nothing else.
fn hash_in_pieces(records: &[Stored]) {
    for record in records {
        for (part, content) in record.sealed.parts.iter().zip(&record.contents) {
            black_box(Sha256::new().chain_update(part.salt).chain_update(content).finalize());
        }
        black_box(Sha256::new().chain_update([0]).chain_update(&record.sealed.canonical).finalize());
    }
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Records in a second of one processor.
fn rate(work: impl FnOnce()) -> f64 {
    let start = processor_time();
    work();
    RECORDS as f64 / (processor_time() - start).as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn main() {
    let parts = parts();
    let key = SigningKey::from_seed("log.example/osel".parse().expect("a name"), &[7; 32]);
    let mut records = Vec::new();
    seal(&parts, |sealed| {
        let projects = parts.iter().map(|part| part.project.as_ref().map(Id::to_string)).collect();
        let contents = parts.iter().map(|part| part.bytes.clone()).collect();
        records.push(Stored { sealed: sealed.clone(), projects, contents });
    });
    let rows: Vec<_> = records.iter().map(Stored::rows).collect();
    let (mut stream, mut pieces, mut chained) = (Vec::new(), Vec::new(), Vec::new());
    let (mut sealed, mut verified) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        stream.push(rate(|| hash_as_stream(&records)));
        pieces.push(rate(|| hash_in_pieces(&records)));
        chained.push(rate(|| {
            seal(&parts, |sealed| {
                black_box(sealed.hash);
            });
        }));
        sealed.push(rate(|| seal_into_log(&parts, &key)));
        verified.push(rate(|| verify_log(&records, &rows)));
    }
    let (stream, pieces, chained) = (median(stream), median(pieces), median(chained));
    let (sealed, verified) = (median(sealed), median(verified));
    let content: usize = parts.iter().map(|part| SALT_BYTES + part.bytes.len()).sum();
    let canonical = records[0].sealed.canonical.len();
    let told = |what: &str, rate: f64| println!("{what:<44} {rate:>10.0}/s  {:.2}", rate / stream);
    println!(
        "records of 4 parts, {content} bytes of content and salts, {canonical} canonical; ratios to the first line"
    );
    told("SHA-256 over the same bytes, one stream", stream);
    told("SHA-256 over the same bytes, in pieces", pieces);
    told("sealed: chain", chained);
    told(&format!("sealed: chain, tree, signature per {CHECKPOINT_EVERY}"), sealed);
    told("verified: chain, parts, tree", verified);
    let met = |met| if met { "met" } else { "MISSED" };
    println!("goal: at least {SEALED_WANTED}/s sealed: {}", met(sealed >= SEALED_WANTED));
    println!(
        "goal: verified at {VERIFIED_WANTED} of hashing alone or more: {}",
        met(verified / stream >= VERIFIED_WANTED)
    );
}
