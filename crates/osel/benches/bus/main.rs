//! How fast `osel run` drains a queue of real bodies, beside a consumer that only acknowledges, and how soon a record is durable.
//!
//! `cargo bench -p osel --bench bus [-- --messages N --rounds N]`, with RabbitMQ and the Python environment that `cargo xtask test`
//! installs. A private broker runs on loopback, on the same cores. For each kind of queue, in turns:
//!
//! - the whole program, from the queue to the synced record: its queue is filled while it is away, then it is started;
//! - a consumer of the same client library with the same prefetch, which does nothing but acknowledge as many at once.
//!
//! The rate is that of the last 95 of 100 messages, so that neither's start counts; the median of all rounds is what is compared. Then
//! oslo.messaging's own listener with an endpoint that does nothing drains the same bodies, publishing at a steady rate shows how long it
//! takes from sending to durable, and the program's memory is read from the system, at rest and under load.
//!
//! To read: the ratios. Rates depend on the machine and on what else it does.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what fails ends the benchmark, and says where")]

mod amqp;
#[allow(dead_code, reason = "the tests need more of it than is measured here")]
mod broker;
mod daemon;
mod listener;

use std::time::{Duration, Instant};

use osel_sim::generate::{GenerateOptions, Generator};

use self::amqp::{Consumer, Steady};
use self::broker::{Broker, Client, until};
use self::daemon::Daemon;

const MESSAGES: usize = 200_000;
const ROUNDS: usize = 5;
/// What the listener drains takes it long.
const LISTENER_SHARE: usize = 20;
/// Where everything is published, whatever service it is of.
const EXCHANGE: &str = "neutron";
const ROUTING_KEY: &str = "notifications.info";
/// For filling and draining, on a busy machine.
const LIMIT: Duration = Duration::from_secs(600);

fn main() {
    let messages = option("--messages").unwrap_or(MESSAGES);
    let rounds = option("--rounds").unwrap_or(ROUNDS);
    let mut generator = Generator::new(GenerateOptions::default());
    let mut inventory = Vec::new();
    generator.write_inventory(&mut inventory).unwrap();
    let bodies = bodies(&mut generator, messages);
    let bytes: usize = bodies.iter().map(String::len).sum();
    println!("{messages} messages of {} bytes, {rounds} rounds, medians", bytes / messages);

    let broker = Broker::start();
    let client = Client::connect(&broker.url()).unwrap();
    client.declare_exchange(EXCHANGE, false).unwrap();
    let bench = Bench { broker, client, inventory, bodies };
    let mut plain_classic = 0.0;
    for kind in ["classic", "quorum"] {
        let (mut ours, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            ours.push(bench.osel(kind));
            plain.push(bench.plain(kind));
        }
        let rate = |drained: &[Drained]| median(drained.iter().map(|drained| drained.rate));
        let (osel, only_acknowledges) = (rate(&ours), rate(&plain));
        let cost = median(ours.iter().map(|drained| drained.micros));
        println!(
            "{kind:8} osel {osel:8.0}/s  {cost:5.1} µs of processor time a message   \
             only acknowledges {only_acknowledges:8.0}/s   ratio {:.2}",
            osel / only_acknowledges
        );
        if kind == "classic" {
            plain_classic = osel;
        }
    }
    let listener = listener::drain(&bench, messages / LISTENER_SHARE);
    println!(
        "classic  oslo.messaging's listener {listener:8.0}/s   osel is {:.0} × as fast",
        plain_classic / listener
    );
    let mut generator = Generator::new(GenerateOptions { seed: 2, ..GenerateOptions::default() });
    bench.steady(&mut generator);
}

/// Messages of the generator's mix of types and sizes, none like another.
fn bodies(generator: &mut Generator, count: usize) -> Vec<String> {
    let mut body = String::new();
    let bodies = (0..count).map(|_| {
        generator.next_body(&mut body);
        body.clone()
    });
    bodies.collect()
}

fn option(name: &str) -> Option<usize> {
    let value = std::env::args().skip_while(|argument| argument != name).nth(1)?;
    Some(value.parse().unwrap_or_else(|_| panic!("`{name}` takes a number, not `{value}`")))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What is the same in all measurements.
struct Bench {
    broker: Broker,
    client: Client,
    inventory: Vec<u8>,
    bodies: Vec<String>,
}

/// How a queue was drained.
struct Drained {
    /// Messages a second.
    rate: f64,
    /// Processor time a message, in µs, user and system.
    micros: f64,
}

impl Bench {
    fn publish(&self, count: usize, queue: &str) {
        let (confirmed, result) = self.client.publish(EXCHANGE, ROUTING_KEY, &self.bodies[..count]);
        result.unwrap();
        assert!(confirmed.iter().all(|confirmed| *confirmed), "the broker refused a message");
        until("the queue is full", LIMIT, || {
            self.client.queue(queue).is_ok_and(|(messages, _)| messages as usize == count)
        });
    }

    /// A daemon that has bound its queue, stopped.
    fn daemon(&self, kind: &str) -> Daemon {
        let mut daemon = Daemon::new(&self.broker, kind, &self.inventory);
        daemon.start();
        daemon.await_bound();
        daemon
    }

    fn osel(&self, kind: &str) -> Drained {
        let mut daemon = self.daemon(kind);
        daemon.stop();
        let queue = daemon.queue();
        self.publish(self.bodies.len(), &queue);
        daemon.start();
        let (total, first) = (self.bodies.len() as u64, self.bodies.len() as u64 / 20);
        let (from, before, begun) = daemon.await_recorded(first);
        let (until, after, recorded) = daemon.await_recorded(total);
        assert_eq!(recorded, total, "each message has one record");
        daemon.stop();
        self.client.delete_queue(&queue).unwrap();
        let count = (recorded - begun) as f64;
        Drained {
            rate: count / (until - from).as_secs_f64(),
            micros: (after - before).as_secs_f64() * 1e6 / count,
        }
    }

    fn plain(&self, kind: &str) -> Drained {
        let queue = format!("plain.{kind}");
        self.client.declare_queue(&queue, kind).unwrap();
        self.client.bind(&queue, EXCHANGE, ROUTING_KEY).unwrap();
        self.publish(self.bodies.len(), &queue);
        let rate = Consumer::drain(&self.broker.url(), &queue, self.bodies.len());
        self.client.delete_queue(&queue).unwrap();
        Drained { rate, micros: 0.0 }
    }

    /// How long it takes from sending to a durable record, and how much memory the program has.
    fn steady(&self, generator: &mut Generator) {
        let mut daemon = self.daemon("quorum");
        println!("at rest  {:6.1} MiB resident", daemon.resident_mib());
        for (rate, seconds) in [(1_000, 20), (10_000, 20)] {
            let bodies = bodies(generator, rate * seconds);
            let before = daemon.recorded();
            let watch = daemon.watch(before + bodies.len() as u64);
            let sent = Steady::publish(&self.broker.url(), &bodies, rate);
            let seen = watch.join().unwrap();
            // The first moment at which so many records were there, for each message.
            let mut waits: Vec<Duration> = Vec::with_capacity(sent.len());
            let mut seen = seen.into_iter().peekable();
            for (number, sent) in sent.iter().enumerate() {
                while seen.peek().is_some_and(|(count, _)| *count <= before + number as u64) {
                    seen.next();
                }
                let (_, at): &(u64, Instant) = seen.peek().unwrap();
                waits.push(at.saturating_duration_since(*sent));
            }
            waits.sort_unstable();
            let millis = |share: usize| waits[(waits.len() - 1) * share / 100].as_secs_f64() * 1e3;
            println!(
                "{rate:6}/s published for {seconds} s: durable after {:.1} ms (median), {:.1} ms (99 of 100); \
                 {:.1} MiB resident at most",
                millis(50),
                millis(99),
                daemon.resident_most_mib()
            );
        }
        daemon.stop();
    }
}
