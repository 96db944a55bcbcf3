//! How fast recorded notifications become events, as a ratio to `serde_json` reading envelope and
//! notification into `Value`.
//!
//! One decoder reads all messages, as in the program. Both are measured in turns in one run, since the machine
//! may be busy with other things. The allocator is the system's for both, not the program's: `serde_json`, which
//! allocates for each key and value, gains far more from that one. Run with
//! `cargo bench -p osel-core --bench decode`.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "a bench reads files and a clock"
)]
#![allow(missing_docs)]

use std::hint::black_box;
use std::io::Read;
use std::time::{Duration, Instant};

use osel_core::decode::Decoder;
use osel_core::event::{Properties, RawMessage};
use osel_core::time::Timestamp;
use sha2::{Digest, Sha256};

const RECORDINGS: [&str; 8] =
    ["dev-2026", "dev-zed", "dev-v1basic", "dev-2topics", "dev-glance", "dev-aodh", "dev-race", "icehouse"];
const ROUNDS: usize = 31;
const MESSAGES_PER_TURN: usize = 50;

fn main() {
    let mut all = Vec::new();
    for name in RECORDINGS {
        let messages = recording(name);
        report(name, &messages);
        all.extend(messages);
    }
    report("all", &all);
}

fn recording(name: &str) -> Vec<RawMessage> {
    let path = format!("{}/../osel-sim/corpus/{name}.jsonl.gz", env!("CARGO_MANIFEST_DIR"));
    let packed = std::fs::read(&path).expect("the recordings are part of the repository");
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(packed.as_slice())
        .read_to_string(&mut text)
        .expect("a recording is gzip");
    let messages = text.lines().map(|line| {
        let line: serde_json::Value =
            serde_json::from_str(line).expect("a recording has a JSON object a line");
        let word = |key: &str| line[key].as_str().unwrap_or_default();
        RawMessage {
            source: name.into(),
            region: None,
            exchange: word("exchange").into(),
            routing_key: word("routing_key").into(),
            redelivered: false,
            received_at: Timestamp::EPOCH,
            properties: Properties::default(),
            body: word("body").as_bytes().to_vec(),
        }
    });
    messages.collect()
}

/// Both ways take turns every few messages, so that whatever else the machine does meets both alike; of each
/// few messages the median of all rounds counts.
fn report(name: &str, messages: &[RawMessage]) {
    let few: Vec<&[RawMessage]> = messages.chunks(MESSAGES_PER_TURN).collect();
    let mut ours = vec![Vec::with_capacity(ROUNDS); few.len()];
    let mut theirs = ours.clone();
    let mut hashes = ours.clone();
    let mut decoder = Decoder::default();
    for _ in 0..ROUNDS {
        for (i, messages) in few.iter().enumerate() {
            ours[i].push(timed(messages, |raw| {
                black_box(decoder.decode(raw));
            }));
            theirs[i].push(timed(messages, twice_into_values));
            hashes[i].push(timed(messages, hash_four_fifths));
        }
    }
    let median = |times: Vec<Vec<Duration>>| times.into_iter().map(median).sum::<Duration>();
    let (ours, theirs, hashes) = (median(ours), median(theirs), median(hashes));
    let bytes: usize = messages.iter().map(|raw| raw.body.len()).sum();
    let each = |time: Duration| time.as_nanos() as f64 / messages.len() as f64;
    println!(
        "{name:12} {:5} messages of {:4} bytes: decode {:5.0} ns ({:4.0} MB/s, about {:4.0} ns of it the digest's hash), \
         serde_json twice {:5.0} ns, ratio {:.2} ({:.2} without the hash)",
        messages.len(),
        bytes / messages.len(),
        each(ours),
        bytes as f64 / ours.as_secs_f64() / 1e6,
        each(hashes),
        each(theirs),
        theirs.as_secs_f64() / ours.as_secs_f64(),
        theirs.as_secs_f64() / ours.saturating_sub(hashes).as_secs_f64(),
    );
}

/// As much hashing as the digest takes: what an envelope's escapes and blanks leave is four fifths of the body.
fn hash_four_fifths(raw: &RawMessage) {
    black_box(Sha256::digest(&raw.body[..raw.body.len() / 5 * 4]));
}

fn timed(messages: &[RawMessage], work: impl FnMut(&RawMessage)) -> Duration {
    let start = Instant::now();
    messages.iter().for_each(work);
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn twice_into_values(raw: &RawMessage) {
    let text = std::str::from_utf8(&raw.body).expect("recorded bodies are UTF-8");
    let outer: serde_json::Value = serde_json::from_str(text).expect("recorded bodies are JSON");
    match outer.get("oslo.message").and_then(serde_json::Value::as_str) {
        Some(inner) => {
            black_box(serde_json::from_str::<serde_json::Value>(inner).expect("recorded messages are JSON"));
        }
        None => {
            black_box(outer);
        }
    }
}
