//! One source's way to its file: carries out what `intake` orders, and tells what happens.
//!
//! It is to the loop what the task of a broker is. Opening the file is connecting, what is durable is acknowledged, and a file that
//! was cut before it was read is a queue that was gone: mended by nothing but going on, once the gap is written down.

use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;

use osel_core::intake::{
    BATCH_MESSAGES, BATCHES_IN_FLIGHT, BYTES_IN_FLIGHT_MAX, BrokerTrouble, CURSOR_AGE_MICROS,
    ConnectionNumber, Queue, QueueReport,
};
use osel_core::time::Timestamp;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep_until};

use super::Settings;
use super::reading::{Chunk, Found, Outcome, Reading};
use crate::source::place::Place;
use crate::source::words::{Arrived, BusEvent, BusOrder};

/// How often it is looked whether the file has grown. The system could tell, but not of a file on another machine; four looks a second
/// cost nothing that can be measured, and nobody waits for a record longer than that.
const LOOK_WAIT: Duration = Duration::from_millis(250);
/// How often it is told how the file was found.
const CHECK_WAIT: Duration = Duration::from_micros(CURSOR_AGE_MICROS);
/// How many messages are handed over and not durable: what can be in batches at one time and once more a batch on the way.
const WINDOW_MESSAGES: usize = (BATCHES_IN_FLIGHT + 2) * BATCH_MESSAGES;

/// Runs until the sender of orders is gone. It begins at `place`, or with the start of the file.
pub async fn run(
    settings: Settings,
    place: Option<Place>,
    mut orders: UnboundedReceiver<BusOrder>,
    tell: impl Fn(BusEvent) + Send,
) {
    let mut link = Link { settings, place, up: None, due: None, is_paused: false, tell };
    loop {
        let happened = tokio::select! {
            order = orders.recv() => match order {
                Some(order) => Happened::Order(order),
                None => break,
            },
            () = until(link.due.map(|(at, _)| at)) => Happened::Due,
            happened = next(&mut link.up, link.is_paused) => happened,
        };
        match happened {
            Happened::Order(order) => link.obey(order),
            Happened::Due => link.connect().await,
            Happened::Look => link.look(),
            Happened::Read(read) => link.read(read),
            Happened::Check => link.check(),
        }
    }
}

/// Reading on: the file and what came of it; none when the system has no thread for it or it was given up.
type Read = Option<(Box<Reading>, std::io::Result<Chunk>)>;

enum Happened {
    Order(BusOrder),
    Due,
    Look,
    Read(Read),
    Check,
}

struct Link<T> {
    settings: Settings,
    /// All before it is durable.
    place: Option<Place>,
    up: Option<Up>,
    /// When the file is opened, and what that is called.
    due: Option<(Instant, ConnectionNumber)>,
    is_paused: bool,
    tell: T,
}

/// A file that is open.
struct Up {
    number: ConnectionNumber,
    at_work: Work,
    look_at: Instant,
    check_at: Instant,
    last_tag: u64,
    /// Tags, sizes and places of what was handed over and is not durable.
    open: VecDeque<(u64, u64, Option<Place>)>,
    open_bytes: u64,
    /// When the reading began that found nothing more.
    at_end: Option<Timestamp>,
    /// Something was lost and that is not written down.
    is_broken: bool,
    has_ended: bool,
}

/// Where the reading is.
enum Work {
    /// Here.
    Idle(Box<Reading>),
    /// On a thread that may wait for the disk, since then.
    Busy(JoinHandle<(Box<Reading>, std::io::Result<Chunk>)>, Timestamp),
    /// On its way from one to the other.
    Nowhere,
}

async fn next(up: &mut Option<Up>, is_paused: bool) -> Happened {
    let Some(up) = up else { return pending().await };
    let wants_more =
        !is_paused && !up.has_ended && up.open.len() < WINDOW_MESSAGES && up.open_bytes < BYTES_IN_FLIGHT_MAX;
    let (look_at, check_at) = (up.look_at, up.check_at);
    let work = async {
        match &mut up.at_work {
            Work::Busy(task, _) => Happened::Read(task.await.ok()),
            Work::Idle(_) if wants_more => {
                sleep_until(look_at).await;
                Happened::Look
            }
            Work::Idle(_) | Work::Nowhere => pending().await,
        }
    };
    tokio::select! {
        happened = work => happened,
        () = sleep_until(check_at) => Happened::Check,
    }
}

impl<T: Fn(BusEvent) + Send> Link<T> {
    fn obey(&mut self, order: BusOrder) {
        match order {
            BusOrder::ConnectIn { wait, connection, .. } => {
                self.due = Some((Instant::now() + wait, connection));
            }
            BusOrder::Disconnect(connection) => {
                self.due = self.due.filter(|(_, due)| *due != connection);
                self.up.take_if(|up| up.number == connection);
            }
            BusOrder::Mend { connection, .. } => {
                if let Some(up) = self.up.as_mut().filter(|up| up.number == connection) {
                    // The gap is written down, and what comes is read already.
                    up.is_broken = false;
                    self.check();
                    self.end_if_done();
                }
            }
            BusOrder::Pause => self.is_paused = true,
            BusOrder::Resume => self.is_paused = false,
            BusOrder::Acknowledge { connection, up_to } => self.acknowledge(connection, up_to),
        }
    }

    async fn connect(&mut self) {
        let Some((_, number)) = self.due.take() else { return };
        let (settings, place) = (self.settings.clone(), self.place);
        let now = (self.settings.clock)();
        let opened = match spawn_blocking(move || Reading::open(settings, place)).await {
            Ok(opened) => opened.map_err(|error| error.to_string()),
            Err(_) => Err("the system has no thread for it".to_owned()),
        };
        let (reading, is_lost) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                let detail = format!("cannot read `{}`: {error}", self.settings.path.display());
                return (self.tell)(BusEvent::ConnectFailed {
                    connection: number,
                    why: BrokerTrouble::Unreachable,
                    detail,
                });
            }
        };
        let moment = Instant::now();
        let up = self.up.insert(Up {
            number,
            at_work: Work::Idle(Box::new(reading)),
            look_at: moment,
            check_at: moment + CHECK_WAIT,
            last_tag: 0,
            open: VecDeque::new(),
            open_bytes: 0,
            at_end: None,
            is_broken: is_lost,
            has_ended: false,
        });
        let report = up.report(now);
        (self.tell)(BusEvent::Connected { connection: number, report });
    }

    /// Reads on, where waiting for a disk holds up nobody.
    fn look(&mut self) {
        let Some(up) = &mut self.up else { return };
        if let Work::Idle(mut reading) = std::mem::replace(&mut up.at_work, Work::Nowhere) {
            let began = (self.settings.clock)();
            let task = spawn_blocking(move || {
                let chunk = reading.chunk();
                (reading, chunk)
            });
            up.at_work = Work::Busy(task, began);
        }
    }

    fn read(&mut self, read: Read) {
        let Some(up) = &mut self.up else { return };
        let Work::Busy(_, began) = std::mem::replace(&mut up.at_work, Work::Nowhere) else { return };
        let (reading, chunk) = match read {
            Some((reading, Ok(chunk))) => (reading, chunk),
            Some((_, Err(error))) => return self.lost(&error.to_string()),
            None => return self.lost("reading it was broken off"),
        };
        up.at_work = Work::Idle(reading);
        let Chunk { found, outcome, is_lost } = chunk;
        up.at_end = matches!(outcome, Outcome::AtEnd | Outcome::Ended).then_some(began);
        up.has_ended = matches!(outcome, Outcome::Ended);
        if matches!(outcome, Outcome::AtEnd | Outcome::AtEndOfOlder | Outcome::CutShort) {
            up.look_at = Instant::now() + LOOK_WAIT;
        }
        let (messages, number): (Vec<_>, _) =
            (found.into_iter().map(|found| up.arrived(found)).collect(), up.number);
        up.is_broken |= is_lost;
        if is_lost {
            // Before what comes now, which is not lost.
            self.check();
        }
        if !messages.is_empty() {
            (self.tell)(BusEvent::Arrived { connection: number, messages });
        }
        self.end_if_done();
    }

    fn check(&mut self) {
        let now = (self.settings.clock)();
        let Some(up) = &mut self.up else { return };
        up.check_at = Instant::now() + CHECK_WAIT;
        let report = up.report(now);
        (self.tell)(BusEvent::Checked { connection: up.number, report });
    }

    fn acknowledge(&mut self, connection: ConnectionNumber, up_to: u64) {
        let Some(up) = self.up.as_mut().filter(|up| up.number == connection) else { return };
        while let Some((_, bytes, place)) = up.open.pop_front_if(|(tag, ..)| *tag <= up_to) {
            up.open_bytes -= bytes;
            self.place = place.or(self.place);
        }
        self.end_if_done();
    }

    fn end_if_done(&mut self) {
        if let Some(up) = &self.up
            && up.has_ended
            && !up.is_broken
            && up.open.is_empty()
        {
            (self.tell)(BusEvent::Ended);
        }
    }

    fn lost(&mut self, error: &str) {
        if let Some(up) = self.up.take() {
            let detail = format!("cannot read `{}`: {error}", self.settings.path.display());
            (self.tell)(BusEvent::Lost { connection: up.number, why: BrokerTrouble::Closed, detail });
        }
    }
}

impl Up {
    fn arrived(&mut self, found: Found) -> Arrived {
        let Found { message, bytes, place } = found;
        self.last_tag += 1;
        self.open.push_back((self.last_tag, bytes as u64, place));
        self.open_bytes += bytes as u64;
        Arrived { tag: self.last_tag, bytes, message, place }
    }

    /// How the file was found. All of it was taken only if nothing that was handed over waits to be durable.
    fn report(&self, now: Timestamp) -> QueueReport {
        let taken = self.at_end.filter(|_| self.open.is_empty());
        QueueReport {
            queue: if self.is_broken { Queue::Missing } else { Queue::Kept },
            asked_at: taken.unwrap_or(now),
            is_drained: taken.is_some(),
            unbound_since: None,
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}
