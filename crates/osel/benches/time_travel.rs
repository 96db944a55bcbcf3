//! How long a question about the past takes in a large cloud, beside reading all of the cloud as it was.
//!
//! `cargo bench -p osel --bench time_travel [-- --ports N --messages N]`. A cloud is imported and a stream of messages replayed into a store,
//! in two halves, so that there is a snapshot between them; the questions are about a moment in the middle of the second half, with a quarter
//! of the messages between the snapshot and it. Everything is removed at the end. A million ports need about 4 GB for as long as it runs.
//!
//! To read: `s` is by the clock, with whatever else the machine had to do; `s of processor time` counts all threads, and is what to compare.
//! The last column is the part of what reading the whole state at that moment costs, which is what every question cost before: it is measured
//! in the same run. `first row` ends when the first line has come out of the program, `all rows` when the last has. `restart` is from
//! opening the store to an engine that could take the next message.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use osel::runtime::state;
use osel::store::Store;
use osel_core::engine::EngineOptions;
use osel_sim::generate::{GenerateOptions, Generator};
use serde_json::Value;
use timing::{Taken, processor_time, timed};

#[path = "support/timing.rs"]
mod timing;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const PORTS: u64 = 100_000;
const MESSAGES: u64 = 100_000;
/// The part of the records that a difference is asked for: an incident's.
const INCIDENT: u64 = 100;

fn main() -> Result<()> {
    let (ports, messages) = (argument("--ports", PORTS)?, argument("--messages", MESSAGES)?);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("past-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let result = measure(&directory, ports, messages);
    fs::remove_dir_all(&directory)?;
    result
}

fn argument(name: &str, usual: u64) -> Result<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
    Ok(arguments.next().map_or(Ok(usual), |count| count.parse())?)
}

fn measure(directory: &Path, ports: u64, messages: u64) -> Result<()> {
    let store = directory.join("store");
    fill(directory, &store, ports, messages)?;
    let mut reader = Store::open_reader(&store)?;
    let options = EngineOptions::default();
    let at = messages * 3 / 4;
    println!("{ports} ports, {messages} messages, state after record {at}");

    let (whole, engine) = timed(|| Ok(state::at(&mut reader, at, &options)?))?;
    drop(engine);
    println!("whole state  {}", line(&whole, &whole));
    let (restart, engine) = timed(|| Ok(state::resume(&mut reader, &options)?))?;
    drop(engine);
    println!("restart      {}", line(&restart, &whole));

    let at = at.to_string();
    let exposure = |more: &[&str]| -> Vec<String> {
        let store = store.display().to_string();
        let asked = ["exposure", "-o", "json", "--store", &store, "--at", &at];
        asked.iter().chain(more).map(|word| (*word).to_owned()).collect()
    };
    let (first, row) = first_line(&exposure(&[]))?;
    println!("first row    {}", line(&first, &whole));
    let row: Value = serde_json::from_str(&row)?;
    let of = |key: &str| row[key].as_str().map(str::to_owned).ok_or_else(|| format!("a row without `{key}`"));
    let (project, address) = (of("project_id")?, of("address")?);

    let ask = |what: &str, arguments: &[String]| -> Result<()> {
        let (taken, rows) = timed(|| lines(arguments))?;
        println!("{what:<12} {}  {rows} lines", line(&taken, &whole));
        Ok(())
    };
    ask("a project", &exposure(&["--project", &project]))?;
    ask("an address", &exposure(&["--address", &address]))?;
    let question = |to: &str| -> Vec<String> {
        let store = store.display().to_string();
        let from = if to.contains(':') { "2001:4860::8888" } else { "8.8.8.8" };
        let asked = ["reach", "-o", "json", "--store", &store, "--at", &at, "--protocol", "tcp"];
        asked.iter().chain(&["--from", from, "--to", to]).map(|word| (*word).to_owned()).collect()
    };
    // A row's address may be a prefix, by an address pair.
    ask("reach", &question(address.split('/').next().unwrap_or_default()))?;
    let store = store.display().to_string();
    let past = |command: &str, more: &[&str]| -> Vec<String> {
        let asked = ["exposure", command, "-o", "json", "--store", &store];
        asked.iter().chain(more).map(|word| (*word).to_owned()).collect()
    };
    let incident = (messages * 3 / 4 + messages / INCIDENT).to_string();
    ask("differences", &past("diff", &["--from", &at, "--to", &incident]))?;
    ask("history", &past("history", &["--address", &address]))?;
    ask("all rows", &exposure(&[]))
}

fn line(taken: &Taken, whole: &Taken) -> String {
    let (wall, processor) = (taken.wall.as_secs_f64(), taken.processor.as_secs_f64());
    format!(
        "{wall:>7.2} s  {processor:>7.2} s of processor time  {:>5.2}",
        processor / whole.processor.as_secs_f64()
    )
}

/// Makes a store of a cloud and what happened to it.
fn fill(directory: &Path, store: &Path, ports: u64, messages: u64) -> Result<()> {
    let (inventory, recording) = (directory.join("inventory.json"), directory.join("stream.jsonl"));
    let ports = usize::try_from(ports)?;
    let mut generator = Generator::new(GenerateOptions { ports, ..GenerateOptions::default() });
    let mut out = BufWriter::new(File::create(&inventory)?);
    generator.write_inventory(&mut out)?;
    out.flush()?;
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&recording)?);
    let mut line = String::new();
    let half = directory.join("half.jsonl");
    for number in 0..messages {
        if number == messages / 2 {
            out.flush()?;
            fs::rename(&recording, &half)?;
            out = BufWriter::with_capacity(1 << 20, File::create(&recording)?);
        }
        generator.next_line(&mut line);
        out.write_all(line.as_bytes())?;
    }
    out.flush()?;
    replay(store, &[Path::new("--inventory"), &inventory, &half])?;
    replay(store, &[&recording])?;
    [inventory, half, recording].iter().try_for_each(fs::remove_file)?;
    Ok(())
}

fn replay(store: &Path, more: &[&Path]) -> Result<()> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_osel"));
    command.args(["replay", "-o", "json", "--store"]).arg(store).args(more).stdout(Stdio::null());
    if command.status()?.success() { Ok(()) } else { Err("osel replay failed".into()) }
}

/// Runs the program until it has printed a line; gives that.
fn first_line(arguments: &[String]) -> Result<(Taken, String)> {
    let (start, before) = (Instant::now(), processor_time()?);
    let mut child =
        Command::new(env!("CARGO_BIN_EXE_osel")).args(arguments).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    let out = child.stdout.take().ok_or("a child has no output")?;
    BufReader::new(out).read_line(&mut line)?;
    let wall = start.elapsed();
    child.kill()?;
    child.wait()?;
    Ok((Taken { wall, processor: processor_time()?.saturating_sub(before) }, line))
}

/// Runs the program; says how many lines it printed.
fn lines(arguments: &[String]) -> Result<usize> {
    let mut child =
        Command::new(env!("CARGO_BIN_EXE_osel")).args(arguments).stdout(Stdio::piped()).spawn()?;
    let out = child.stdout.take().ok_or("a child has no output")?;
    let mut out = BufReader::with_capacity(1 << 20, out);
    let (mut count, mut buffer) = (0, Vec::new());
    while out.read_until(b'\n', &mut buffer)? > 0 {
        count += 1;
        buffer.clear();
    }
    // A packet that does not get there is an answer, too.
    if matches!(child.wait()?.code(), Some(0 | 1)) { Ok(count) } else { Err("osel failed".into()) }
}
