//! How fast `osel replay` takes a recording into a durable store, beside a reader that only parses it.
//!
//! `cargo bench -p osel --bench replay [-- --messages N]`. A recording of distinct messages is written first, as plain `.jsonl`, with
//! the generator's mix of types and sizes, in the build's temporary directory; then one process of the program replays all of it, from
//! the first line to the last flush: reading, decoding, model, chain, SQLite. Everything is removed at the end. Two million
//! messages need about 9 GB for as long as it runs.
//!
//! To read: `messages/s` is what this machine did, with whatever else it had to do; the goal of the issue, 60,000 on two cores, is
//! about a machine that has nothing else to do. `µs of processor time` counts all threads of the process, user and system: two cores
//! that are kept busy give 2,000,000 divided by it, and `cores busy` says how much of them there was. Others' load makes that time
//! longer too, as caches and memory are shared, by a third where much goes on. So the plain reader is the scale: one thread that parses
//! each line of the same file into a `serde_json::Value` and the body within into another, and does nothing with them. The ratio
//! says how many times as much processor time a whole replay costs, and is what to compare between two versions.

use std::collections::HashSet;
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use osel_sim::generate::{GenerateOptions, Generator};
use serde_json::Value;
use timing::timed;

#[path = "support/timing.rs"]
mod timing;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const MESSAGES: u64 = 2_000_000;
/// The most lines that the plain reader takes: enough for a rate.
const PLAIN_MESSAGES_MAX: u64 = 200_000;

fn main() -> Result<()> {
    let messages = messages()?;
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("replay-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let result = measure(&directory, messages);
    fs::remove_dir_all(&directory)?;
    result
}

fn messages() -> Result<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--messages").skip(1);
    Ok(arguments.next().map_or(Ok(MESSAGES), |count| count.parse())?)
}

fn measure(directory: &Path, messages: u64) -> Result<()> {
    let (inventory, recording) = (directory.join("inventory.json"), directory.join("stream.jsonl"));
    let bytes = generate(&inventory, &recording, messages)?;
    println!("{messages} distinct messages, {} bytes a line", bytes / messages);

    let (plain, of) = timed(|| parse(&recording, messages.min(PLAIN_MESSAGES_MAX)))?;
    println!("plain reader {}", plain.line(of));

    let store = directory.join("store");
    let (replay, ledger) = timed(|| replay(&inventory, &recording, &store))?;
    println!("osel replay  {}", replay.line(messages));
    check(&ledger, messages)?;

    let seconds = replay.wall.as_secs_f64();
    println!("             {:>9.1} MB/s of the recording", bytes as f64 / 1e6 / seconds);
    println!("             {:>9.2} cores busy", replay.processor.as_secs_f64() / seconds);
    println!("store        {:>9} bytes a message", size(&store)? / messages);
    println!(
        "ratio        {:>9.2} of the plain reader's processor time",
        replay.cost(messages) / plain.cost(of)
    );
    Ok(())
}

/// Writes a cloud and a stream of it; says how many bytes the stream has.
fn generate(inventory: &Path, recording: &Path, messages: u64) -> Result<u64> {
    let mut generator = Generator::new(GenerateOptions::default());
    let mut out = BufWriter::new(File::create(inventory)?);
    generator.write_inventory(&mut out)?;
    out.flush()?;
    let mut out = BufWriter::with_capacity(1 << 20, File::create(recording)?);
    let (mut line, mut bytes, mut ids) = (String::new(), 0, HashSet::new());
    for _ in 0..messages {
        generator.next_line(&mut line);
        if !ids.insert(message_id(&line).ok_or("a generated line has no message id")?) {
            return Err(format!("a message came twice: {line}").into());
        }
        out.write_all(line.as_bytes())?;
        bytes += line.len() as u64;
    }
    out.flush()?;
    // A recording lies on the disk; else its writing would go on beside what is measured.
    out.get_ref().sync_all()?;
    Ok(bytes)
}

/// The id of the message in a line, as a number.
fn message_id(line: &str) -> Option<u128> {
    let uuid = line.split_once(r#"\\\"message_id\\\": \\\""#)?.1.get(..36)?;
    u128::from_str_radix(&uuid.replace('-', ""), 16).ok()
}

/// Parses lines and the bodies within; says how many.
fn parse(recording: &Path, messages: u64) -> Result<u64> {
    let mut reader = BufReader::with_capacity(1 << 18, File::open(recording)?);
    let mut line = Vec::new();
    for _ in 0..messages {
        line.clear();
        reader.read_until(b'\n', &mut line)?;
        let message: Value = serde_json::from_slice(&line)?;
        let body = message["body"].as_str().ok_or("a generated line has no body")?;
        std::hint::black_box(serde_json::from_str::<Value>(body)?);
    }
    Ok(messages)
}

/// Replays in a process of its own; gives the ledger it prints.
fn replay(inventory: &Path, recording: &Path, store: &Path) -> Result<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_osel"));
    command.args(["replay", "-o", "json", "--store"]).arg(store).arg("--inventory").arg(inventory);
    let output = command.arg(recording).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("osel replay ended with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Every message must have its record: else the time says nothing.
fn check(ledger: &Value, messages: u64) -> Result<()> {
    let count = |key: &str| ledger[key].as_u64();
    let rest = ["duplicate", "ignored", "quarantined"].map(count);
    if [count("received"), count("recorded")] == [Some(messages); 2] && rest == [Some(0); 3] {
        Ok(())
    } else {
        Err(format!("not all of {messages} messages were recorded: {ledger}").into())
    }
}

/// How many bytes the files of a directory have.
fn size(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    for file in fs::read_dir(directory)? {
        bytes += file?.metadata()?.len();
    }
    Ok(bytes)
}
