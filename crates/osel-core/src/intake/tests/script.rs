//! The words of an intake's scripts (`pace::script`).

use super::super::*;
use crate::pace::script::{self, Scripted};
use crate::time::Timestamp;

/// 2026-11-21T00:00:00Z, where scripts begin.
const BEGIN_MICROS: i64 = 1_795_219_200_000_000;

/// Batches of 3 messages or 100 bytes or 20 ms, two in flight; 1,000 bytes in flight, bodies of 200; two
/// hosts.
pub(super) const SMALL: Limits = Limits {
    hosts: 2,
    batch_messages: 3,
    batch_bytes: 100,
    batch_age_micros: Some(20_000),
    batches_in_flight: 2,
    bytes_in_flight_max: 1000,
    body_bytes_max: 200,
};

/// Plays the script with [`SMALL`] limits; every order must stand there, and no other.
#[track_caller]
pub(super) fn check(script: &str) {
    check_with(SMALL, script);
}

/// Plays the script with these limits.
#[track_caller]
pub(super) fn check_with(limits: Limits, script: &str) {
    script::check(Intake::new(limits), script);
}

impl Scripted for Intake {
    fn time(milliseconds: i64) -> Timestamp {
        Timestamp::from_micros(BEGIN_MICROS + milliseconds * 1000)
    }

    fn milliseconds_of(time: Timestamp) -> i64 {
        (time.micros() - BEGIN_MICROS) / 1000
    }

    fn take(&mut self, now: Timestamp, words: &str) -> Vec<String> {
        let mut orders = Vec::new();
        self.step(now, input(words, now), &mut orders);
        orders.iter().map(|order| show(order, now)).collect()
    }

    fn wake_at(&self) -> Option<Timestamp> {
        Self::wake_at(self)
    }
}

fn time(milliseconds: &str) -> Timestamp {
    Intake::time(milliseconds.parse().expect("milliseconds"))
}

/// `connected 1 kept`, `delivered 1:7 50` (connection, tag, bytes), `lost 1 closed 50%` (chance), …
fn input(words: &str, now: Timestamp) -> IntakeInput {
    let words: Vec<&str> = words.split(' ').collect();
    let connection = |at: usize| ConnectionNumber(words[at].parse().expect("a connection"));
    let epoch = || {
        words.iter().find_map(|word| word.strip_prefix("epoch=")).map_or(1, |epoch| epoch.parse().unwrap())
    };
    let batch = || BatchNumber(words[1].parse().expect("a batch"));
    let chance = || {
        words
            .get(3)
            .map_or(u64::MAX, |share| u64::MAX / 100 * share[..share.len() - 1].parse::<u64>().unwrap())
    };
    match words[0] {
        "start" => IntakeInput::Start { epoch: epoch(), cursor: cursor(&words[1..]) },
        "connected" => IntakeInput::Connected { connection: connection(1), report: report(&words[2..], now) },
        "checked" => IntakeInput::Checked { connection: connection(1), report: report(&words[2..], now) },
        "hosts" => IntakeInput::Hosts { count: words[1].parse().unwrap() },
        "renewed" => IntakeInput::Renewed,
        "refused" => {
            IntakeInput::ConnectFailed { connection: connection(1), why: broker(words[2]), chance: chance() }
        }
        "lost" => IntakeInput::Lost { connection: connection(1), why: broker(words[2]), chance: chance() },
        "delivered" => {
            let (connection, tag) = words[1].split_once(':').expect("connection:tag");
            IntakeInput::Delivered {
                connection: ConnectionNumber(connection.parse().unwrap()),
                tag: tag.parse().unwrap(),
                bytes: words[2].parse().unwrap(),
            }
        }
        "idle" => IntakeInput::Idle,
        "committed" => IntakeInput::Committed { batch: batch() },
        "failed" => {
            let why = if words[2] == "for-now" { StoreTrouble::Transient } else { StoreTrouble::Permanent };
            IntakeInput::CommitFailed { batch: batch(), why }
        }
        "blocked" => IntakeInput::Blocked { connection: connection(1) },
        "unblocked" => IntakeInput::Unblocked { connection: connection(1) },
        "deposed" => IntakeInput::Deposed { epoch: epoch() },
        "ended" => IntakeInput::Ended,
        "stop" => IntakeInput::Stop,
        "tick" => IntakeInput::Tick,
        other => panic!("no such input: `{other}`"),
    }
}

/// Words `unbroken=MS`, `drained=MS`, `unbound=MS` (a gap open since then).
fn cursor(words: &[&str]) -> Cursor {
    let mut cursor = Cursor::default();
    for word in words.iter().filter(|word| !word.starts_with("epoch=")) {
        let (name, at) = word.split_once('=').expect("name=time");
        let at = time(at);
        match name {
            "unbroken" => cursor.unbroken = Some(at),
            "drained" => cursor.drained = Some(at),
            "unbound" => cursor.gap = Some(OpenGap { from: at, why: GapCause::Unbound }),
            other => panic!("no such part of a cursor: `{other}`"),
        }
    }
    cursor
}

/// `kept`, `unbound`, …; then `drained`, `asked=MS` if that was not now, and `since=MS` for a binding that is missing for longer.
fn report(words: &[&str], now: Timestamp) -> QueueReport {
    let queue = match words[0] {
        "kept" => Queue::Kept,
        "unknown" => Queue::Unknown,
        "overflowed" => Queue::Overflowed,
        "unbound" => Queue::Unbound,
        "missing" => Queue::Missing,
        other => panic!("no such state of a queue: `{other}`"),
    };
    let named = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)).map(time);
    QueueReport {
        queue,
        asked_at: named("asked=").unwrap_or(now),
        is_drained: words.contains(&"drained"),
        unbound_since: named("since="),
    }
}

fn broker(word: &str) -> BrokerTrouble {
    match word {
        "closed" => BrokerTrouble::Closed,
        "unreachable" => BrokerTrouble::Unreachable,
        "cancelled" => BrokerTrouble::Cancelled,
        "denied" => BrokerTrouble::Denied,
        "failed" => BrokerTrouble::Failed,
        other => panic!("no such trouble: `{other}`"),
    }
}

fn show(order: &IntakeOrder, now: Timestamp) -> String {
    match order {
        IntakeOrder::ConnectAt { at, host, connection } => {
            format!("connect {connection} host {host} in {}", (at.micros() - now.micros() + 500) / 1000)
        }
        IntakeOrder::Disconnect { connection } => format!("disconnect {connection}"),
        IntakeOrder::Mend { connection, why } => format!("mend {connection} {why:?}"),
        IntakeOrder::Pause => "pause".to_owned(),
        IntakeOrder::Resume => "resume".to_owned(),
        IntakeOrder::Commit { batch, cursor: Cursor { gap: Some(gap), .. } } => {
            format!("commit {batch} gap since {} {:?}", Intake::milliseconds_of(gap.from), gap.why)
        }
        IntakeOrder::Commit { batch, .. } => format!("commit {batch}"),
        IntakeOrder::Acknowledge { connection, up_to } => format!("acknowledge {connection}:{up_to}"),
        IntakeOrder::Gap(gap) => format!("gap {}", show_gap(*gap)),
        IntakeOrder::Log(line) => format!("log {:?}: {}", line.severity(), show_line(line)),
        IntakeOrder::Exit => "exit".to_owned(),
    }
}

fn show_gap(gap: Gap) -> String {
    format!("{}..{} {:?}", Intake::milliseconds_of(gap.from), Intake::milliseconds_of(gap.to), gap.why)
}

fn show_line(line: &LogLine) -> String {
    let of = |all: &[Ongoing]| {
        let shown = all.iter().map(|ongoing| {
            format!("{:?} x{} since {}", ongoing.why, ongoing.count, Intake::milliseconds_of(ongoing.since))
        });
        shown.collect::<Vec<_>>().join(", ")
    };
    match line {
        LogLine::Connected { host } => format!("connected to {host}"),
        LogLine::Began(ongoing) => format!("began {}", of(&[*ongoing])),
        LogLine::Ended(ongoing) => format!("ended {}", of(&[*ongoing])),
        LogLine::Unsteady(ongoing) => format!("unsteady {}", of(&[*ongoing])),
        LogLine::Steady(ongoing) => format!("steady {}", of(&[*ongoing])),
        LogLine::Still(all) => format!("still {}", of(all)),
        LogLine::Gap(gap) => format!("gap {}", show_gap(*gap)),
        LogLine::Deposed => "deposed".to_owned(),
        LogLine::Unfinished { messages } => format!("unfinished {messages}"),
    }
}
