//! The daemon's loop in this process, with a file as its source and receivers that do what a test wants.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use ::osel::config::Config;
use ::osel::forward::receiver::{Batch, BatchLimits, Handed, Receiver};
use ::osel::runtime::control::Answer;
use ::osel::runtime::forward::{ForwarderSettings, ReaderAccess};
use ::osel::runtime::retention::Policy;
use ::osel::runtime::service::{
    ForwarderRenewal, Service, ServiceError, ServiceHandle, ServiceSettings, ServiceStatus, SourceSettings,
};
use ::osel::source::file;
use ::osel::store::{DeadLetterRow, ForwarderRow, NewStore, Reader, Store};
use ::osel::telemetry::Supervisor;
use osel_core::engine::{EngineOptions, ForwarderOrder, OperatorOrder, Order};
use osel_core::forward::{BatchNumber, Refusal, RefusalKind, Taken};
use osel_core::time::Timestamp;
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};

use crate::command::Place;

/// What a receiver does, and what it has got.
#[derive(Default)]
struct Desk {
    kept: Vec<(u64, String)>,
    is_away: bool,
    hangs: bool,
    refused: BTreeSet<u64>,
    resumed: usize,
    closed: usize,
    panics: bool,
}

/// A receiver that does what a test wants.
#[derive(Clone, Default)]
pub struct Clerk(Arc<Mutex<Desk>>);

impl Clerk {
    pub fn is_away(&self, is_away: bool) {
        self.0.lock().unwrap().is_away = is_away;
    }

    /// No call to it comes to an end.
    pub fn hangs(&self) {
        self.0.lock().unwrap().hangs = true;
    }

    /// It will not take lines of these records.
    pub fn refuses(&self, records: impl IntoIterator<Item = u64>) {
        self.0.lock().unwrap().refused = records.into_iter().collect();
    }

    /// The records that it has got, each as often as it came.
    pub fn records(&self) -> Vec<u64> {
        self.0.lock().unwrap().kept.iter().map(|(seq, _)| *seq).collect()
    }

    pub fn ids(&self) -> Vec<String> {
        self.0.lock().unwrap().kept.iter().map(|(_, id)| id.clone()).collect()
    }

    /// How often somebody began to send to it.
    pub fn resumed(&self) -> usize {
        self.0.lock().unwrap().resumed
    }

    /// How often somebody ended to send to it in order.
    pub fn closed(&self) -> usize {
        self.0.lock().unwrap().closed
    }

    /// Whoever asks how much it takes breaks down, and it does when it is sent something.
    pub fn panics(&self, panics: bool) {
        self.0.lock().unwrap().panics = panics;
    }

    fn take(&self, batch: &Batch) -> Result<Taken, Refusal> {
        let mut desk = self.0.lock().unwrap();
        let refusal =
            |kind, taken| Refusal { kind, words: "as the test wants".to_owned(), taken, wait: None };
        if desk.is_away {
            return Err(refusal(RefusalKind::Unavailable, 0));
        }
        for (place, item) in batch.items.iter().enumerate() {
            if desk.refused.contains(&item.seq) {
                return Err(refusal(RefusalKind::Item(place), place));
            }
            desk.kept.push((item.seq, item.id.clone()));
        }
        Ok(Taken::Kept)
    }
}

impl Receiver for Clerk {
    fn target(&self) -> String {
        "the test".to_owned()
    }

    fn limits(&self) -> BatchLimits {
        let panics = self.0.lock().unwrap().panics;
        assert!(!panics, "as the test wants");
        BatchLimits { items: 10, bytes: 1 << 20, awaited: 1, linger: Duration::ZERO }
    }

    fn resume(&mut self, _: Option<&str>) {
        self.0.lock().unwrap().resumed += 1;
    }

    fn send<'a>(&'a mut self, batch: &'a Batch) -> Handed<'a, Taken> {
        Box::pin(async move {
            if self.0.lock().unwrap().hangs {
                pending::<()>().await;
            }
            let panics = self.0.lock().unwrap().panics;
            assert!(!panics, "as the test wants");
            self.take(batch)
        })
    }

    fn reset(&mut self) {}

    fn close(&mut self) -> Handed<'_, Vec<BatchNumber>> {
        self.0.lock().unwrap().closed += 1;
        self.confirm()
    }
}

pub fn now() -> Timestamp {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap())
}

/// A store, a file that is followed, and the loop over both while it runs.
pub struct Ground {
    pub place: Place,
    clerks: BTreeMap<String, Clerk>,
    running: Option<Running>,
}

struct Running {
    tokio: Runtime,
    handle: ServiceHandle,
    thread: JoinHandle<Result<(), Box<ServiceError>>>,
    told: watch::Receiver<ServiceStatus>,
}

impl Ground {
    pub fn new(name: &str) -> Self {
        let place = Place::new(name);
        let new = NewStore { id: [0xa5; 16], created_at: Timestamp::EPOCH };
        Store::create(Path::new(&place.path("store")), &new).unwrap();
        place.write("bus.jsonl", "");
        Self { place, clerks: BTreeMap::new(), running: None }
    }

    /// So many more messages come.
    pub fn captured(&self, name: &str, count: usize) {
        use std::io::Write;
        let mut file = std::fs::File::options().append(true).open(self.place.path("bus.jsonl")).unwrap();
        for number in 0..count {
            file.write_all(crate::daemon::line(&format!("{name}-{number:04}")).as_bytes()).unwrap();
        }
    }

    /// The receiver of a forwarder.
    pub fn clerk(&mut self, forwarder: &str) -> Clerk {
        self.clerks.entry(forwarder.to_owned()).or_default().clone()
    }

    /// Begins, with these tables of forwarders.
    pub fn start(&mut self, forwards: &str) {
        let settings = self.settings(forwards);
        let store = self.place.path("store");
        let access: ReaderAccess = {
            let store = store.clone();
            Arc::new(move || Ok(Box::new(Store::open_reader(Path::new(&store))?) as Box<dyn Reader>))
        };
        let tokio =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let source = file::Settings {
            source: Arc::from("captured"),
            region: None,
            path: self.place.path("bus.jsonl").into(),
            follow: true,
            clock: now,
        };
        let status = watch::Sender::new(ServiceStatus::starting());
        let told = status.subscribe();
        let settings = ServiceSettings {
            sources: vec![SourceSettings::File(source)],
            apis: Vec::new(),
            options: EngineOptions::default(),
            scanners: Vec::new(),
            policy: Policy::default(),
            clock: now,
            status,
            supervisor: Supervisor::from_environment(&|_| None).0,
            follower: None,
            log_key: Arc::new(|| Box::pin(async { Ok(Default::default()) })),
            forwarders: settings,
            reader: access,
        };
        let journal = Store::open_writer(Path::new(&store)).unwrap();
        let service = Service::start(Box::new(journal), settings, tokio.handle()).unwrap();
        let handle = service.handle();
        let thread = std::thread::spawn(move || service.run().map_err(Box::new));
        self.running = Some(Running { tokio, handle, thread, told });
    }

    fn settings(&mut self, forwards: &str) -> Vec<ForwarderSettings> {
        let file = self.place.write(
            "osel.toml",
            format!(
                "[store]\npath = 'store'\n[[source]]\nname = 'captured'\ntype = 'file'\npath = 'bus.jsonl'\n{forwards}"
            ),
        );
        let (config, _) = Config::load(Some(Path::new(&file)), &|_| None).unwrap();
        let of_config = config.forwards.into_iter().map(|config| {
            let clerk = self.clerk(&config.name);
            ForwarderSettings {
                config,
                receiver: Arc::new(move || Box::new(clerk.clone())),
                awaits_scans: false,
                pseudonyms: None,
            }
        });
        of_config.collect()
    }

    /// Ends it in order.
    pub fn stop(&mut self) {
        let Running { tokio, handle, thread, .. } = self.running.take().unwrap();
        handle.stop();
        thread.join().unwrap().unwrap();
        tokio.shutdown_background();
    }

    /// The configuration is read again, with these tables of forwarders, all of which have changed.
    pub fn reload(&mut self, forwards: &str) {
        let all = self.settings(forwards).into_iter();
        let all = all.map(|settings| ForwarderRenewal::Begin(Box::new(settings))).collect();
        self.running.as_ref().unwrap().handle.set_forwarders(all);
    }

    /// The configuration is read again, and all forwarders are as they were.
    pub fn renew(&self) {
        let all = self.clerks.keys().map(|name| ForwarderRenewal::Same(name.as_str().into())).collect();
        self.running.as_ref().unwrap().handle.set_forwarders(all);
    }

    /// Orders something of a forwarder, and waits until that is durable.
    pub fn order(&self, forwarder: &str, what: ForwarderOrder) {
        self.done(self.ordered(forwarder, what));
    }

    /// Orders something of a forwarder.
    pub fn ordered(&self, forwarder: &str, what: ForwarderOrder) -> oneshot::Receiver<Answer> {
        let what = OperatorOrder::Forwarder { forwarder: forwarder.to_owned(), what };
        let order = Order { actor: "alice".to_owned(), what };
        self.running.as_ref().unwrap().handle.order(order)
    }

    /// Waits until what was ordered is durable.
    pub fn done(&self, answer: oneshot::Receiver<Answer>) {
        self.running.as_ref().unwrap().tokio.block_on(answer).unwrap();
    }

    pub fn reader(&self) -> impl Reader + use<> {
        Store::open_reader(Path::new(&self.place.path("store"))).unwrap()
    }

    /// The last record.
    pub fn head(&self) -> u64 {
        self.reader().head().unwrap().seq
    }

    /// When the oldest record was recorded that waits for a forwarder's receiver, as metrics have it.
    pub fn oldest(&self, forwarder: &str) -> Option<Timestamp> {
        let status = self.running.as_ref().unwrap().told.borrow();
        status.forwarders.iter().find(|one| *one.name == *forwarder)?.oldest
    }

    /// How far a forwarder has come, as far as that is durable. The account of it adds up at all times.
    pub fn row(&self, forwarder: &str) -> ForwarderRow {
        let rows = self.reader().forwarders().unwrap();
        let row = rows.into_iter().find(|row| row.name == forwarder).unwrap_or_default();
        assert_eq!(row.begin + row.delivered + row.filtered + row.dead, row.place, "{row:?}");
        row
    }

    pub fn dead(&self, forwarder: &str) -> Vec<DeadLetterRow> {
        let mut letters = Vec::new();
        let mut each = |letter| {
            letters.push(letter);
            std::ops::ControlFlow::Continue(())
        };
        self.reader().dead_letters(forwarder, &mut each).unwrap();
        letters
    }
}
