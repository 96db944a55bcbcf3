//! A source whose task breaks down, which is a defect: nobody takes it for one that listens, it is told, and it goes on.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::osel::runtime::retention::Policy;
use ::osel::runtime::service::{
    Service, ServiceSettings, ServiceStatus, SourceSettings, SourceState, SourceStatus,
};
use ::osel::source::file;
use ::osel::store::{NewStore, Reader, Store};
use ::osel::telemetry::Supervisor;
use osel_core::engine::EngineOptions;
use osel_core::time::Timestamp;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::command::{Place, json_lines};
use crate::daemon::line;

/// The defect, as long as it is there: it shows with the source's next look at its clock.
static IS_BROKEN: AtomicBool = AtomicBool::new(false);

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap())
}

fn clock_of_the_source() -> Timestamp {
    assert!(!IS_BROKEN.load(Ordering::SeqCst), "no time");
    now()
}

/// Waits until the source does as is wanted.
fn source(
    tokio: &Runtime,
    told: &mut watch::Receiver<ServiceStatus>,
    is_wanted: impl Fn(&SourceStatus) -> bool,
) -> ServiceStatus {
    let has_come = told.wait_for(|status| status.sources.first().is_some_and(&is_wanted));
    let status = tokio.block_on(async { tokio::time::timeout(Duration::from_secs(60), has_come).await });
    status.unwrap().unwrap().clone()
}

#[test]
fn a_source_whose_task_breaks_down_is_told_as_down_and_started_again() {
    let place = Place::new("source-failed");
    let (store, bus) = (place.path("store"), place.write("bus.jsonl", ""));
    let new = NewStore { id: [0xa5; 16], created_at: Timestamp::EPOCH };
    Store::create(Path::new(&store), &new).unwrap();
    let come = |ids: std::ops::Range<u32>| {
        let mut file = std::fs::File::options().append(true).open(&bus).unwrap();
        for id in ids {
            file.write_all(line(&id.to_string()).as_bytes()).unwrap();
        }
    };
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let settings = file::Settings {
        source: Arc::from("captured"),
        region: None,
        path: bus.clone().into(),
        follow: true,
        clock: clock_of_the_source,
    };
    let sender = watch::Sender::new(ServiceStatus::starting());
    let mut told = sender.subscribe();
    let settings = ServiceSettings {
        sources: vec![SourceSettings::File(settings)],
        apis: Vec::new(),
        options: EngineOptions::default(),
        scanners: Vec::new(),
        policy: Policy::default(),
        clock: now,
        status: sender,
        supervisor: Supervisor::from_environment(&|_| None).0,
        follower: None,
        log_key: Arc::new(|| Box::pin(async { Ok(Default::default()) })),
        forwarders: Vec::new(),
        reader: {
            let store = store.clone();
            Arc::new(move || Ok(Box::new(Store::open_reader(Path::new(&store))?) as Box<dyn Reader>))
        },
    };
    come(0..3);
    let journal = Store::open_writer(Path::new(&store)).unwrap();
    let service = Service::start(Box::new(journal), settings, tokio.handle()).unwrap();
    let handle = service.handle();
    let thread = std::thread::spawn(move || service.run().map_err(Box::new));
    let status = source(&tokio, &mut told, |source| source.recorded == 3 && source.in_flight_messages == 0);
    assert_eq!(status.sources[0].state, SourceState::Listening);
    assert!(!status.sources[0].has_failed);

    IS_BROKEN.store(true, Ordering::SeqCst);
    let status = source(&tokio, &mut told, |source| source.has_failed);
    assert_eq!(status.sources[0].state, SourceState::Connecting);
    assert!(
        status.line().contains("0 of 1 sources connected; source `captured` since "),
        "{}",
        status.line()
    );
    come(3..5);

    IS_BROKEN.store(false, Ordering::SeqCst);
    let status = source(&tokio, &mut told, |source| source.recorded == 5);
    let again = &status.sources[0];
    assert_eq!((again.state, again.has_failed, again.gaps), (SourceState::Listening, false, 0));
    handle.stop();
    thread.join().unwrap().unwrap();
    let ledger = json_lines(&["ledger", "--store", &store, "-o", "json"]).swap_remove(0);
    assert_eq!([&ledger["received"], &ledger["duplicate"]], [5, 0]);
}
