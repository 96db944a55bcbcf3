//! The words of a survey's scripts (`pace::script`).

use super::super::*;
use crate::event::Kind;
use crate::ids::Id;
use crate::pace::script::{self, Scripted};
use crate::time::Timestamp;

/// Between two reads, in seconds.
pub(super) const EVERY_SECONDS: u64 = 3600;

/// Plays a script; every order must stand there, and no other. The last word of an input may be its chance, as `0%`; else that is as
/// great as can be.
#[track_caller]
pub(super) fn check(script: &str) {
    script::check(Survey::new(EVERY_SECONDS * 1_000_000), script);
}

impl Scripted for Survey {
    fn time(milliseconds: i64) -> Timestamp {
        Timestamp::from_micros(milliseconds * 1000)
    }

    fn milliseconds_of(time: Timestamp) -> i64 {
        (time.micros() + 500) / 1000
    }

    fn take(&mut self, now: Timestamp, words: &str) -> Vec<String> {
        let (words, chance) = match words.rsplit_once(' ').filter(|(_, last)| last.ends_with('%')) {
            Some((words, share)) => {
                (words, u64::MAX / 100 * share.trim_end_matches('%').parse::<u64>().expect("a share"))
            }
            None => (words, u64::MAX),
        };
        let mut orders = Vec::new();
        self.step(now, chance, input(words), &mut orders);
        orders.iter().map(show).collect()
    }

    fn wake_at(&self) -> Option<Timestamp> {
        Self::wake_at(self)
    }
}

/// A look at a port of that name.
pub(super) fn port(name: &str) -> Look {
    Look { kind: Kind::Port, id: Id::from(name), cause: 7 }
}

fn input(words: &str) -> SurveyInput {
    let words: Vec<&str> = words.split(' ').collect();
    let ticket = || Ticket(words[1].parse().expect("a ticket"));
    match words[0] {
        "start" => SurveyInput::Start,
        "gap" => SurveyInput::Gap,
        "wished" => SurveyInput::Wished(port(words[1])),
        "began" => SurveyInput::Began(ticket()),
        "paged" => SurveyInput::Paged(ticket()),
        "handled" => SurveyInput::Handled(ticket()),
        "told" => SurveyInput::Told(ticket()),
        "ended" => SurveyInput::Ended(ticket()),
        "answered" => SurveyInput::Answered(ticket()),
        "failed" => SurveyInput::Failed(ticket(), trouble(words[2])),
        "renewed" => {
            let seconds: u64 = words.get(1).map_or(EVERY_SECONDS, |seconds| seconds.parse().unwrap());
            SurveyInput::Renewed { every_micros: seconds * 1_000_000 }
        }
        "tick" => SurveyInput::Tick,
        other => panic!("no such input: `{other}`"),
    }
}

fn trouble(word: &str) -> ApiTrouble {
    match word {
        "unreachable" => ApiTrouble::Unreachable,
        "untrusted" => ApiTrouble::Untrusted,
        "denied" => ApiTrouble::Denied,
        "refused" => ApiTrouble::Refused,
        "broken" => ApiTrouble::Broken,
        other => {
            let seconds = other.strip_prefix("throttled=").expect("a trouble");
            ApiTrouble::Throttled {
                retry_after: Some(std::time::Duration::from_secs(seconds.parse().unwrap())),
            }
        }
    }
}

fn show(order: &SurveyOrder) -> String {
    match order {
        SurveyOrder::ReadAll { ticket, reason } => format!("read {ticket} {reason:?}"),
        SurveyOrder::ReadOne { ticket, look } => format!("look {ticket} {}", look.id),
        SurveyOrder::Taken(ticket) => format!("taken {ticket}"),
        SurveyOrder::Abort(ticket) => format!("abort {ticket}"),
        SurveyOrder::Log(line) => format!("log {:?}: {}", line.severity(), show_line(*line)),
    }
}

fn show_line(line: LogLine) -> String {
    let of = |Ongoing { why, since, count }: Ongoing| {
        format!("{why:?} x{count} since {}", Survey::milliseconds_of(since))
    };
    match line {
        LogLine::Began(ongoing) => format!("began {}", of(ongoing)),
        LogLine::Ended(ongoing) => format!("ended {}", of(ongoing)),
        LogLine::Unsteady(ongoing) => format!("unsteady {}", of(ongoing)),
        LogLine::Steady(ongoing) => format!("steady {}", of(ongoing)),
        LogLine::Still(ongoing) => format!("still {}", of(ongoing)),
    }
}
