//! What is measured: osel's driver and its recorder, as the daemon's loop puts them together.

use std::fs;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use osel::openstack::clouds::{Selection, read as read_account};
use osel::openstack::words::{ApiEvent, ApiOrder, Ticket};
use osel::openstack::{self, Account, Settings};
use osel::runtime::Recorder;
use osel::store::{Journal, NewStore, Store};
use osel_core::engine::{EngineOptions, ReadEnd};
use osel_core::time::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

const TICKET: Ticket = Ticket(1);
/// What the system counts processor time in: on Linux a hundredth of a second.
const TICK: Duration = Duration::from_millis(10);
/// The pace is not what is measured.
const REQUESTS_PER_SECOND: NonZeroU32 = NonZeroU32::new(1_000_000).expect("it is not zero");

/// Reads everything into the store, and says what it took.
pub fn read(auth_url: &str, store: &Path) {
    let journal: Box<dyn Journal> = match Store::open_writer(store) {
        Ok(journal) => Box::new(journal),
        Err(_) => Box::new(Store::create(store, &NewStore { id: [7; 16], created_at: now() }).unwrap()),
    };
    let mut recorder = Recorder::resume(journal, &EngineOptions::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (orders, events) = driver(auth_url, &runtime);
    // From here on: the system's word for its most resident memory begins anew.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let (model, start, before) = (resident("VmRSS:"), Instant::now(), processor_time());
    orders.send(ApiOrder::ReadAll { ticket: TICKET }).unwrap();
    let taken = take(&mut recorder, &orders, &events);
    let head = recorder.finish().unwrap();

    let (wall, processor) = (start.elapsed(), processor_time() - before);
    let (seconds, peak) = (processor.as_secs_f64(), resident("VmHWM:"));
    println!(
        "    {:>9} objects  {:>7.2} s of processor time  {:>5.1} µs an object  {:>7.2} s on the clock",
        taken.objects,
        seconds,
        seconds * 1e6 / taken.objects as f64,
        wall.as_secs_f64()
    );
    println!(
        "    longest step {:>6.2} ms for a page, {:>6.2} ms at the end   {} records, {} differences   \
         before {model:.0} MiB, {:.0} MiB above it",
        millis(taken.page),
        millis(taken.end),
        head.seq,
        recorder.engine().drift().values().sum::<u64>(),
        peak - model
    );
}

/// What the loop's thread did.
#[derive(Default)]
struct Taken {
    objects: usize,
    /// The most processor time for a page.
    page: Duration,
    /// The most processor time for a step of the end.
    end: Duration,
}

/// Takes what the driver tells until the read is at its end.
fn take(recorder: &mut Recorder, orders: &UnboundedSender<ApiOrder>, events: &Receiver<ApiEvent>) -> Taken {
    let (mut taken, mut run) = (Taken::default(), None);
    loop {
        match events.recv().unwrap() {
            ApiEvent::Began { at, .. } => run = Some(recorder.begin_read(None, at, true)),
            ApiEvent::Page { ticket, page } => {
                taken.objects += page.items.len();
                let start = thread_time();
                recorder.page(now(), run.as_ref().unwrap(), page).unwrap();
                taken.page = taken.page.max(thread_time() - start);
                orders.send(ApiOrder::Taken { ticket }).unwrap();
            }
            ApiEvent::Ended { complete, has_all_assignments, refused, origin, .. } => {
                assert!(refused.is_empty(), "{refused:?}");
                let end = ReadEnd { run: run.take().unwrap(), complete, has_all_assignments, origin };
                let mut start = thread_time();
                recorder.begin_read_end(now(), end).unwrap();
                loop {
                    let is_open = recorder.read_on(now()).unwrap();
                    let step = thread_time() - start;
                    taken.end = taken.end.max(step);
                    if !is_open {
                        break;
                    }
                    start = thread_time();
                }
                return taken;
            }
            other => panic!("{other:?}"),
        }
    }
}

fn driver(
    auth_url: &str,
    runtime: &tokio::runtime::Runtime,
) -> (UnboundedSender<ApiOrder>, Receiver<ApiEvent>) {
    let mut selection = Selection::default();
    for (key, value) in [
        ("OS_AUTH_URL", auth_url),
        ("OS_USERNAME", "admin"),
        ("OS_PASSWORD", "admin-secret"),
        ("OS_PROJECT_NAME", "admin"),
        ("OS_USER_DOMAIN_ID", "default"),
        ("OS_PROJECT_DOMAIN_ID", "default"),
    ] {
        selection.environment.insert(key.to_owned(), value.to_owned());
    }
    let cloud = read_account(&selection).unwrap();
    let account = Account { cloud, requests_per_second: REQUESTS_PER_SECOND, insecure: false };
    let settings = Settings {
        name: "bench".into(),
        account: Arc::new(move || Ok(account.clone())),
        names: true,
        clock: now,
    };
    let (orders, receiver) = unbounded_channel();
    let (tell, events) = channel();
    runtime.spawn(openstack::run(settings, receiver, move |event| tell.send(event).unwrap()));
    (orders, events)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_micros(since.as_micros().try_into().unwrap())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Processor time of this thread.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// User and system time of all threads of this process.
fn processor_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    // Behind the name, which stands in brackets, from the third field: the 14th and 15th are these times.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: Vec<u32> =
        fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse().unwrap()).collect();
    TICK * ticks.iter().sum::<u32>()
}

/// Resident memory in MiB, by its name in the system's list.
fn resident(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
