//! What a seed plays with: a broker, a network, a small disk or a database, services that publish, and osel amid them.

use std::path::PathBuf;
use std::time::Duration;

use osel_core::time::Timestamp;
use osel_sim::random::Random;

use super::super::super::{Client, Cluster, Fate, Options, Postgres, Proxy, free_port, until};
use super::super::disk::Disk;
use super::super::{LIMIT, Osel, PASSWORD, USER, clock};
use super::fault::{Ground, Loss};
use super::judge::{Done, Outage, Sent};
use super::notifier::Notifier;
use super::publishers::{EXCHANGES, Publishers};
use super::schedule::{Planned, Schedule};

/// What our queue holds: more than is published in a minute (350 messages of 0.2 kB a second by the services, 200 of 0.7 kB by
/// oslo.messaging), so little that it is taken in a moment.
pub const QUEUE_BYTES_MAX: usize = 16 << 20;
/// Room for all that a seed records, in MiB.
const DISK: u32 = 256;
/// So many hosts stand in osel's transport URL, each node again and again: the waits between attempts become longer only when all had
/// their turn, and a minute of waiting would show nothing.
const HOSTS: usize = 60;
/// How long a node may take to let somebody look at it.
const ANSWER: Duration = Duration::from_secs(5);

/// So many lines osel may log of one life without trouble: started, listening, an exchange bound twice, stopped, and one to spare.
const LINES_OF_A_LIFE: usize = 6;
/// So many more where it has to take the lead: standing by, ready, the lead taken, and what the database would lose.
const LINES_OF_A_LEAD: usize = 4;
/// So many of an outage, whatever it was made of (issue of the bus).
const LINES_OF_AN_OUTAGE: usize = 10;

/// All that there is. Fields go in this order: first who speaks, then what is spoken to.
pub struct World {
    pub osel: Osel,
    /// The name of its queue.
    pub queue: String,
    pub publishers: Publishers,
    /// The real oslo.messaging, in some seeds.
    notifier: Option<Notifier>,
    admin: Option<Client>,
    pub proxies: Vec<Proxy>,
    /// None where only root may have one, and where the store is a database.
    pub disk: Option<Disk>,
    pub database: Option<Postgres>,
    pub cluster: Cluster,
    pub ground: Ground,
    /// How often the password was changed.
    pub passwords: usize,
    /// How often osel was started.
    pub lives: usize,
    /// Nodes that were killed and are not started again.
    pub down: Vec<usize>,
    outages: Vec<Outage>,
    /// The longest time from when nothing was broken to when osel consumed and was bound.
    pub slowest: Duration,
    /// Since when osel is bound to everything.
    promised: Timestamp,
}

impl World {
    /// Everything is there, and osel listens.
    pub fn new(schedule: &Schedule) -> Self {
        let ground = schedule.ground;
        let cluster = Cluster::start(ground.nodes, &Options::default());
        cluster.nodes[0].add_user(USER, PASSWORD, "/", ["^osel\\.", "^osel\\.", ".*"]);
        let proxies: Vec<Proxy> = cluster.nodes.iter().map(|node| Proxy::start(node.port())).collect();
        let urls = cluster.nodes.iter().map(|node| node.url()).collect();
        let mut random = Random::new(schedule.seed);
        let publishers = Publishers::start(urls, ground.has_durable_exchanges, &mut random);
        let notifier = schedule.has_notifier.then(|| Notifier::start(&cluster, ground.has_durable_exchanges));
        let kind = if ground.is_quorum { "quorum" } else { "classic" };
        let further = format!(
            "heartbeat_seconds = 2\nconnect_timeout_seconds = 2\ndurable_exchanges = {}\n\
             queue.kind = '{kind}'\nqueue.length_bytes_max = {QUEUE_BYTES_MAX}",
            ground.has_durable_exchanges
        );
        let database = ground.has_database.then(|| Postgres::start(free_port(), ""));
        let (osel, disk) = match &database {
            Some(server) => {
                (Osel::sharing("chaos", &server.database("osel"), "rabbit://later/", &further), None)
            }
            None => {
                let osel = Osel::new("chaos", "rabbit://later/", &further);
                let disk = Disk::mount(PathBuf::from(osel.place.path("store")), &format!("size={DISK}m"));
                (osel, disk)
            }
        };
        let mut world = Self {
            osel,
            queue: String::new(),
            publishers,
            notifier,
            admin: None,
            proxies,
            disk,
            database,
            cluster,
            ground,
            passwords: 0,
            lives: 0,
            down: Vec::new(),
            outages: Vec::new(),
            slowest: Duration::ZERO,
            promised: Timestamp::MAX,
        };
        world.set_url();
        // Services may be there before osel; what they said before is not promised to anybody.
        world.publishers.await_steps(20);
        world.start_osel();
        for exchange in EXCHANGES {
            world.osel.await_log(&["exchange bound", exchange]);
        }
        world.promised = clock();
        world.queue = world.osel.queue();
        world.settle(clock());
        world.settle_queues();
        world
    }

    pub fn start_osel(&mut self) {
        self.lives += 1;
        self.osel.start();
    }

    /// Writes osel's transport URL with the present password.
    pub fn set_url(&self) {
        let hosts: Vec<String> = (0..HOSTS)
            .map(|at| &self.proxies[at % self.proxies.len()])
            .map(|proxy| format!("{USER}:{}@127.0.0.1:{}", self.password(), proxy.port()))
            .collect();
        self.osel.set_url("url", &format!("rabbit://{}/", hosts.join(",")));
    }

    pub fn password(&self) -> String {
        match self.passwords {
            0 => PASSWORD.to_owned(),
            number => format!("{PASSWORD}-{number}"),
        }
    }

    /// A connection of an operator to a node that serves.
    pub fn admin(&mut self) -> Option<&Client> {
        let is_there = self.admin.as_ref().is_some_and(Client::is_connected);
        if !is_there {
            let mut nodes = self.cluster.nodes.iter();
            self.admin = nodes.find_map(|node| Client::connect_within(&node.url(), ANSWER));
        }
        self.admin.as_ref()
    }

    /// Whether somebody consumes from our queue.
    fn has_consumer(&mut self) -> bool {
        let queue = self.queue.clone();
        let found = self.admin().map(|admin| admin.queue(&queue));
        let is_answered = found.as_ref().is_some_and(Result::is_ok);
        if !is_answered {
            self.admin = None;
        }
        found.is_some_and(|found| found.is_ok_and(|(_, consumers)| consumers > 0))
    }

    /// Has the nodes write down which queues they have, after one was declared.
    fn settle_queues(&self) {
        self.cluster.nodes.iter().for_each(|node| node.settle_queues());
    }

    /// Plays an outage, from all well to all well.
    pub fn suffer(&mut self, outage: &[Planned], loss: Loss) {
        let (from, begin) = (clock(), self.publishers.steps());
        for turn in Schedule::turns(outage) {
            let now = self.publishers.steps() - begin;
            self.publishers.await_steps(turn.step.saturating_sub(now));
            if turn.is_end { self.end(turn.planned) } else { self.begin(turn.planned) }
        }
        // Also of nodes that were left and stopped serving.
        self.cluster.nodes.iter_mut().for_each(|node| node.await_start());
        let to = self.settle(from);
        if loss == Loss::Content {
            self.settle_queues();
        }
        self.outages.push(Outage { from, to, loss });
    }

    /// Waits until osel has taken all that was published up to now, and tells when the outage that began at `from` was over: since then
    /// osel is seen to consume, and the broker said of no message that it reached no queue.
    fn settle(&mut self, from: Timestamp) -> Timestamp {
        let healed = clock();
        until("osel is bound", LIMIT, || {
            self.osel.expect_running();
            self.publishers.are_bound_since(healed)
        });
        let (mut consumes, mut is_consuming) = (healed, false);
        until("osel has taken everything", LIMIT, || {
            self.osel.expect_running();
            let is_now = self.has_consumer();
            // A consumer may come and go until all is well.
            if is_now && !is_consuming {
                consumes = clock();
            }
            is_consuming = is_now;
            let cursor = self.osel.cursor().filter(|_| is_now);
            cursor.is_some_and(|cursor| cursor.gap.is_none() && cursor.drained > Some(consumes))
        });
        let unrouted = self.publishers.unrouted_at().filter(|at| *at >= from);
        let over = unrouted.map_or(consumes, |unrouted| unrouted.max(consumes));
        let took = u64::try_from(over.micros() - healed.micros()).unwrap_or(0);
        self.slowest = self.slowest.max(Duration::from_micros(took));
        over
    }

    /// Ends publishers and osel when all is well: what was done to it, with all that was sent.
    pub fn end_well(&mut self) -> Done {
        let mut sent: Vec<Sent> = self.publishers.end();
        sent.extend(self.notifier.take().map(Notifier::end).unwrap_or_default());
        for sent in sent.iter_mut().filter(|sent| sent.begun < self.promised) {
            sent.fate = Fate::Unknown;
        }
        let ended = clock();
        until("osel has taken the rest", LIMIT, || {
            self.osel.expect_running();
            self.osel.cursor().is_some_and(|cursor| cursor.drained > Some(ended))
        });
        assert!(self.osel.stop().success());
        let lines_of_a_life = LINES_OF_A_LIFE + if self.ground.has_database { LINES_OF_A_LEAD } else { 0 };
        let log_lines_max = lines_of_a_life * self.lives + LINES_OF_AN_OUTAGE * self.outages.len();
        Done { sent, outages: self.outages.clone(), log_lines_max }
    }
}
