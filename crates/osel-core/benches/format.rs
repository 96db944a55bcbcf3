//! How fast records are rendered in each form, beside `serde_json` writing the record's own document.
//!
//! All are measured in turns and in processor time, so that what else the machine does tells little. Run with
//! `cargo bench -p osel-core --bench format`.

// A benchmark measures time and prints: what the core itself must not do.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Read;
use std::time::Duration;

use osel_core::decode::decode;
use osel_core::engine::record::Record;
use osel_core::engine::{Engine, EngineOptions, Input, Output};
use osel_core::event::{Properties, RawMessage};
use osel_core::format::{Format, Subject, render};
use osel_core::names::Directory;
use osel_core::time::Timestamp;
use osel_core::trail::{Hash, Header};
use rustix::time::{ClockId, clock_gettime};

/// Rounds, interleaved; the median counts.
const ROUNDS: usize = 9;
const STORE: &str = "0123456789abcdef0123456789abcdef";

fn main() {
    let records = records();
    let baseline =
        |record: &Record| black_box(serde_json::to_vec(&record.document()).expect("string keys only")).len();
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); Format::ALL.len() + 1];
    for _ in 0..ROUNDS {
        times[0].push(timed(|| {
            for (record, _) in &records {
                baseline(record);
            }
        }));
        for (format, times) in Format::ALL.into_iter().zip(&mut times[1..]) {
            times.push(timed(|| render_all(format, &records)));
        }
    }
    let medians: Vec<f64> = times.iter_mut().map(|times| median(times, records.len())).collect();
    println!("{} records; serde_json of the native document: {:.0} ns a record", records.len(), medians[0]);
    for (format, nanos) in Format::ALL.into_iter().zip(&medians[1..]) {
        println!("{:10} {nanos:8.0} ns a record, {:.2} of it", format.as_str(), nanos / medians[0]);
    }
}

fn render_all(format: Format, records: &[(Record, Vec<u8>)]) {
    let (scans, names) = (BTreeMap::new(), Directory::new());
    let mut lines = Vec::new();
    for (record, message) in records {
        let message = format.needs_message().then_some(&**message);
        render(format, &Subject { record, message, scans: &scans, names: &names, store: STORE }, &mut lines);
        black_box(&lines);
        lines.clear();
    }
}

/// Nanoseconds a record.
fn median(times: &mut [Duration], records: usize) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e9 / records as f64
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = processor_time();
    work();
    processor_time() - start
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The records of a recorded cloud, with their messages.
fn records() -> Vec<(Record, Vec<u8>)> {
    let path = format!("{}/../osel-sim/corpus/dev-2026.jsonl.gz", env!("CARGO_MANIFEST_DIR"));
    let packed = std::fs::read(path).expect("the recording");
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(packed.as_slice())
        .read_to_string(&mut text)
        .expect("the recording is whole");
    let mut engine = Engine::new(EngineOptions::default());
    let (mut records, mut seq) = (Vec::new(), 0);
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("the recording is whole");
        let raw = RawMessage {
            source: "bus".into(),
            region: Some("north".into()),
            exchange: line["exchange"].as_str().expect("the recording is whole").into(),
            routing_key: line["routing_key"].as_str().expect("the recording is whole").into(),
            redelivered: false,
            received_at: Timestamp::parse("2026-11-26T00:00:00Z").expect("the recording is whole"),
            properties: Properties::default(),
            body: line["body"].as_str().expect("the recording is whole").as_bytes().to_vec(),
        };
        let decoded = decode(&raw);
        let message = decoded.body.to_vec();
        let mut out = Output::default();
        engine.handle(raw.received_at, Input::Message(&raw, decoded), &mut out);
        for body in out.records {
            seq += 1;
            let (time, recorded_at) = (body.time, body.recorded_at);
            let header =
                Header { seq, previous: Hash::ZERO, time, recorded_at, as_of: time, kind: body.kind };
            let parts = body.parts();
            let parts = parts.iter().map(|part| (part.class, None, Some(&*part.bytes)));
            records.push((Record::read(header, Hash::ZERO, parts), message.clone()));
        }
    }
    records
}
