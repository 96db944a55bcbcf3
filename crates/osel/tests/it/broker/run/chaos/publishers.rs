//! Services that publish numbered notifications whatever happens, and remember what the broker said of each.
//!
//! They are the clock of a seed as well: a step is one attempt to publish, whether it succeeds or not. Each declares its exchange when it
//! connects, and again when the broker does not know it, as oslo.messaging does.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use osel_core::time::Timestamp;
use osel_sim::random::Random;

use super::super::super::{Client, Fate, until};
use super::super::{LIMIT, body, clock};
use super::judge::Sent;

/// The services' exchanges, each with a publisher of its own.
pub const EXCHANGES: [&str; 2] = ["neutron", "keystone"];
/// The most messages that are on their way at one time.
const CHUNK_MAX: u64 = 6;
/// Between two attempts: long enough to leave the cores to others, short against everything that is broken.
pub const PACE: Duration = Duration::from_millis(20);
/// How long a broker may take to let somebody in, or to confirm: one that has lost its majority does neither.
const ANSWER: Duration = Duration::from_secs(10);
/// How large a message of a burst is, and how many are published at once.
pub const LARGE_BYTES: usize = 50_000;
const LARGE_CHUNK: usize = 16;

/// All of them.
pub struct Publishers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Vec<Sent>>>,
}

struct Shared {
    /// Nodes of the broker, by URL.
    urls: Vec<String>,
    is_durable: bool,
    is_over: AtomicBool,
    steps: AtomicU64,
    /// Large messages that are still to be published.
    large: AtomicUsize,
    routes: Mutex<Routes>,
}

/// What the broker said last of the way from the exchanges to our queue.
#[derive(Clone, Copy, Default)]
struct Routes {
    /// When the last message was confirmed that reached no queue.
    unrouted_at: Option<Timestamp>,
    /// When the last messages were begun, by exchange, that all reached one.
    queued_at: [Option<Timestamp>; EXCHANGES.len()],
}

impl Publishers {
    /// Begins to publish to the nodes with these URLs.
    pub fn start(urls: Vec<String>, is_durable: bool, random: &mut Random) -> Self {
        let shared = Arc::new(Shared {
            urls,
            is_durable,
            is_over: AtomicBool::new(false),
            steps: AtomicU64::new(0),
            large: AtomicUsize::new(0),
            routes: Mutex::default(),
        });
        let start = |number| {
            let service = Service {
                number,
                shared: Arc::clone(&shared),
                random: random.fork(0),
                client: None,
                sent: Vec::new(),
            };
            thread::spawn(move || service.run())
        };
        let threads = (0..EXCHANGES.len()).map(start).collect();
        Self { shared, threads }
    }

    /// How many attempts were made.
    pub fn steps(&self) -> u64 {
        self.shared.steps.load(Ordering::SeqCst)
    }

    /// Waits until so many more attempts were made.
    pub fn await_steps(&self, more: u64) {
        let target = self.steps() + more;
        until("the publishers go on", LIMIT, || self.steps() >= target);
    }

    /// Publishes so many large messages more, and waits until all are confirmed.
    pub fn burst(&self, count: usize) {
        self.shared.large.store(count, Ordering::SeqCst);
        until("the burst is published", LIMIT, || self.shared.large.load(Ordering::SeqCst) == 0);
    }

    /// When the last message was confirmed that reached no queue.
    pub fn unrouted_at(&self) -> Option<Timestamp> {
        self.shared.routes.lock().unwrap().unrouted_at
    }

    /// Whether what was published since then reaches a queue, by every exchange.
    pub fn are_bound_since(&self, time: Timestamp) -> bool {
        let routes = *self.shared.routes.lock().unwrap();
        routes.queued_at.iter().all(|at| *at >= Some(time))
    }

    /// Ends them and gives all that they sent.
    pub fn end(&mut self) -> Vec<Sent> {
        self.shared.is_over.store(true, Ordering::SeqCst);
        self.threads.drain(..).flat_map(|thread| thread.join().unwrap()).collect()
    }
}

struct Service {
    /// Which exchange is its own.
    number: usize,
    shared: Arc<Shared>,
    random: Random,
    client: Option<Client>,
    sent: Vec<Sent>,
}

impl Service {
    fn run(mut self) -> Vec<Sent> {
        while !self.shared.is_over.load(Ordering::SeqCst) {
            if self.client.as_ref().is_none_or(|client| !client.is_connected()) {
                self.connect();
            }
            if let Some(client) = self.client.take() {
                let is_well = self.publish(&client);
                self.client = is_well.then_some(client);
            }
            self.shared.steps.fetch_add(1, Ordering::SeqCst);
            thread::park_timeout(PACE);
        }
        self.sent
    }

    fn connect(&mut self) {
        let node = self.random.index(self.shared.urls.len());
        let client = Client::connect_within(&self.shared.urls[node], ANSWER);
        let is_durable = self.shared.is_durable;
        self.client =
            client.filter(|client| client.declare_exchange(EXCHANGES[self.number], is_durable).is_ok());
    }

    /// Publishes a few messages; whether all were confirmed.
    fn publish(&mut self, client: &Client) -> bool {
        let exchange = EXCHANGES[self.number];
        let large = if self.number == 0 { self.shared.large.load(Ordering::SeqCst) } else { 0 };
        let count =
            if large > 0 { large.min(LARGE_CHUNK) } else { self.random.between(1, CHUNK_MAX) as usize };
        let padding = if large > 0 { LARGE_BYTES } else { 0 };
        let first = self.sent.len();
        let ids: Vec<String> =
            (first..first + count).map(|number| format!("{exchange}-{number:06}")).collect();
        let bodies: Vec<String> = ids.iter().map(|id| padded(id, padding)).collect();
        let begun = clock();
        let fates = client.publish_to_queues(exchange, "notifications.info", &bodies);
        let ended = clock();
        let confirmed = fates.iter().filter(|fate| **fate != Fate::Unknown).count();
        {
            let mut routes = self.shared.routes.lock().unwrap();
            if fates.contains(&Fate::Unrouted) {
                routes.unrouted_at = routes.unrouted_at.max(Some(ended));
            } else if confirmed == count {
                routes.queued_at[self.number] = Some(begun);
            }
        }
        self.sent.extend(ids.into_iter().zip(fates).map(|(id, fate)| Sent { id, begun, ended, fate }));
        if large > 0 {
            self.shared.large.fetch_sub(confirmed, Ordering::SeqCst);
        }
        confirmed == count
    }
}

fn padded(id: &str, padding: usize) -> String {
    let description = format!("\"id\":\"n\",\"description\":\"{}\"", "x".repeat(padding));
    body(id).replace("\"id\":\"n\"", &description)
}
