//! How fast a forwarder carries records, beside the reading and rendering of the same records alone.
//!
//! `cargo bench -p osel --bench forward [-- --records N]`. A store is made of the generator's messages; then, in turns, all of its records
//! are read and rendered and nothing more, carried to a receiver that takes everything and keeps nothing, and carried to a file. Nobody
//! keeps the place: what the loop does with it is a row in a commit that is made anyhow.
//!
//! To read: the ratio of processor times is what to compare between two versions. It says what the machine, the handing over and the file
//! cost beside what has to be done in any case.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use osel::config::Config;
use osel::forward::build;
use osel::forward::receiver::{Batch, BatchLimits, Handed, Receiver};
use osel::runtime::forward::{
    Carrier, ForwarderSettings, ReaderAccess, ReceiverMaker, Report, Steer, Way, Work,
};
use osel::store::{ForwarderRow, Reader, Store};
use osel_core::forward::{READ_BYTES_MAX, READ_RECORDS_MAX, Taken as Kept};
use osel_core::names::Directory;
use osel_core::time::Timestamp;
use osel_sim::generate::{GenerateOptions, Generator};
use timing::{Taken, timed};
use tokio::sync::{mpsc, watch};

#[path = "support/timing.rs"]
mod timing;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const RECORDS: u64 = 100_000;
/// Each way is gone so often; the least processor time counts, since others' load only adds.
const ROUNDS: usize = 3;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--records").skip(1);
    let records = arguments.next().map_or(Ok(RECORDS), |count| count.parse())?;
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("forward-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let result = measure(&directory, records);
    fs::remove_dir_all(&directory)?;
    result
}

fn measure(directory: &Path, messages: u64) -> Result<()> {
    let store = directory.join("store");
    fill(directory, &store, messages)?;
    let access: ReaderAccess =
        { Arc::new(move || Store::open_reader(&store).map(|reader| Box::new(reader) as Box<dyn Reader>)) };
    let head = access()?.head()?.seq;
    let file = directory.join("osel.toml");
    fs::write(
        &file,
        "[store]\npath = 'store'\n[[source]]\nname = 'captured'\ntype = 'file'\npath = 'bus.jsonl'\n\
         [[forward]]\nname = 'siem'\ntype = 'file'\npath = 'out.jsonl'\n",
    )?;
    let (config, _) = Config::load(Some(&file), &|_| None).map_err(|problems| problems.to_string())?;
    let forward = config.forwards.into_iter().next().ok_or("there is a forwarder")?;
    let nobody: ReceiverMaker = Arc::new(|| Box::new(Nobody));
    let table = forward.clone();
    let writer: ReceiverMaker = Arc::new(move || {
        let now = table.clone();
        build(&table, Arc::new(move || now.clone()))
    });
    let settings = |receiver: &ReceiverMaker| ForwarderSettings {
        config: forward.clone(),
        receiver: Arc::clone(receiver),
        awaits_scans: false,
        pseudonyms: None,
    };
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut least: [Option<Taken>; 3] = [None, None, None];
    for _ in 0..ROUNDS {
        let (alone, ()) = timed(|| read(&access, &settings(&nobody), head))?;
        let (discarded, ()) = timed(|| tokio.block_on(carry(&access, settings(&nobody), head)))?;
        let (written, ()) = timed(|| tokio.block_on(carry(&access, settings(&writer), head)))?;
        let bytes = fs::metadata(directory.join("out.jsonl"))?.len();
        fs::remove_file(directory.join("out.jsonl"))?;
        println!("{head} records, {} bytes a line", bytes / head);
        for (least, taken) in least.iter_mut().zip([alone, discarded, written]) {
            if least.as_ref().is_none_or(|least| taken.processor < least.processor) {
                *least = Some(taken);
            }
        }
    }
    let [Some(alone), Some(discarded), Some(written)] = least else { return Err("no round".into()) };
    for (what, taken) in [("read, rendered", &alone), ("discarded", &discarded), ("to a file", &written)] {
        let ratio = taken.processor.as_secs_f64() / alone.processor.as_secs_f64();
        let rate = head as f64 / taken.wall.as_secs_f64();
        let cost = taken.cost(head);
        println!(
            "{what:<15} {rate:>9.0} records/s  {cost:>6.2} µs of processor time a record  ratio {ratio:.2}"
        );
    }
    Ok(())
}

/// Has the program take the generator's messages into a store.
fn fill(directory: &Path, store: &Path, messages: u64) -> Result<()> {
    let mut generator = Generator::new(GenerateOptions::default());
    let (inventory, recording) = (directory.join("inventory.json"), directory.join("stream.jsonl"));
    let mut out = BufWriter::new(File::create(&inventory)?);
    generator.write_inventory(&mut out)?;
    out.flush()?;
    let mut out = BufWriter::new(File::create(&recording)?);
    let mut line = String::new();
    for _ in 0..messages {
        generator.next_line(&mut line);
        out.write_all(line.as_bytes())?;
    }
    out.flush()?;
    let mut replay = Command::new(env!("CARGO_BIN_EXE_osel"));
    replay.args(["replay", "--store"]).arg(store).arg("--inventory").arg(&inventory).arg(&recording);
    let done = replay.stdout(Stdio::null()).status()?;
    if done.success() { Ok(()) } else { Err("the messages cannot be replayed".into()) }
}

/// Reads and renders all records, and drops the lines.
fn read(access: &ReaderAccess, settings: &ForwarderSettings, head: u64) -> Result<()> {
    let config = &settings.config;
    let mut work =
        Work::new(Arc::clone(access), Arc::from("bench"), config.format, config.filter.clone(), false);
    let (mut after, names) = (0, Directory::default());
    while after < head {
        let page = work.read(now(), after, READ_RECORDS_MAX, READ_BYTES_MAX, head, &names)?;
        after = page.ok_or("a record is held back")?.through;
    }
    Ok(())
}

/// Carries all records.
async fn carry(access: &ReaderAccess, settings: ForwarderSettings, head: u64) -> Result<()> {
    let (steers, steered) = mpsc::unbounded_channel();
    let (told, mut places) = watch::channel(0);
    let (_head, of_head) = watch::channel(head);
    let (_names, names) = watch::channel(Arc::default());
    let row = ForwarderRow { name: settings.config.name.clone(), ..ForwarderRow::default() };
    let way = Way {
        access: Arc::clone(access),
        store: Arc::from("bench"),
        steers: steered,
        head: of_head,
        names,
        tell: Arc::new(move |report: Report| {
            if let Some(status) = report.status {
                told.send_replace(status.row.place);
            }
        }),
        clock: now,
        generation: 0,
    };
    let task = tokio::spawn(Carrier::run(settings, row, way));
    places.wait_for(|place| *place >= head).await?;
    steers.send(Steer::Stop)?;
    Ok(task.await?)
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// A receiver that takes everything and keeps nothing.
struct Nobody;

impl Receiver for Nobody {
    fn target(&self) -> String {
        "nobody".to_owned()
    }

    fn limits(&self) -> BatchLimits {
        BatchLimits { items: 1000, bytes: 1 << 20, awaited: 1, linger: Duration::ZERO }
    }

    fn send<'a>(&'a mut self, batch: &'a Batch) -> Handed<'a, Kept> {
        Box::pin(async move {
            std::hint::black_box(batch);
            Ok(Kept::Kept)
        })
    }

    fn reset(&mut self) {}
}
