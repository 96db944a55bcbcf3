//! The words of a conductor's scripts (`pace::script`).

use super::super::*;
use crate::pace::script::Scripted;
use crate::scan::{HostResult, RemoteState, ScanCommand, ScanLife, ScanReason, ScanStep, Trouble};
use crate::time::Timestamp;

impl Scripted for Conduct {
    fn time(milliseconds: i64) -> Timestamp {
        Timestamp::from_micros(milliseconds * 1000)
    }

    fn milliseconds_of(time: Timestamp) -> i64 {
        (time.micros() + 500) / 1000
    }

    fn take(&mut self, now: Timestamp, words: &str) -> Vec<String> {
        let mut orders = Vec::new();
        self.step(now, u64::MAX, input(words), &mut orders);
        orders.iter().map(show).collect()
    }

    fn wake_at(&self) -> Option<Timestamp> {
        Self::wake_at(self)
    }
}

/// A command that lives an hour.
pub(super) fn life(id: &str) -> ScanLife {
    ScanLife::planned(ScanCommand {
        id: id.into(),
        seq: 1,
        scanner: "far".into(),
        kind: "simulated".into(),
        region: None,
        targets: Vec::new(),
        reason: ScanReason::Change,
        planned_at: Timestamp::EPOCH,
        expires_at: Timestamp::from_micros(3_600_000_000),
    })
}

fn input(words: &str) -> ConductInput {
    let words: Vec<&str> = words.split(' ').collect();
    let ask = || Ask(words[1].parse().expect("a call"));
    let answered = |answer| ConductInput::Answered(ask(), answer);
    let taken = || Taken { reference: words[2].to_owned(), left_out: Vec::new() };
    match words[0] {
        "new" => ConductInput::Given { life: Box::new(life(words[1])), is_resumed: false },
        "resumed" => ConductInput::Given { life: Box::new(life(words[1])), is_resumed: true },
        "launched" => answered(Ok(Answer::Launched(taken()))),
        "found" => answered(Ok(Answer::Found(Some(taken())))),
        "absent" => answered(Ok(Answer::Found(None))),
        "running" => answered(Ok(Answer::State(RemoteState::Running))),
        "finished" => answered(Ok(Answer::State(RemoteState::Finished))),
        "seen" => answered(Ok(Answer::Seen { scanner: "it".into(), hosts: Vec::<HostResult>::new() })),
        "done" => answered(Ok(Answer::Done)),
        "busy" => answered(Err(Trouble::Busy { after_seconds: words[2].parse().ok() })),
        "limited" => answered(Err(Trouble::Limited { after_seconds: words[2].parse().ok() })),
        "away" => answered(Err(Trouble::Unavailable("away".into()))),
        "denied" => answered(Err(Trouble::Denied("who are you".into()))),
        "refused" => answered(Err(Trouble::Refused { why: "no".into(), addresses: Vec::new() })),
        "durable" => ConductInput::Durable(Told(words[1].parse().expect("a step"))),
        "cancel" => ConductInput::Cancel(words[1].into()),
        "tick" => ConductInput::Tick,
        "stop" => ConductInput::Stop,
        other => panic!("no such input: `{other}`"),
    }
}

fn show(order: &ConductOrder) -> String {
    match order {
        ConductOrder::Call { ask, call, command, reference } => {
            format!("{call:?} {} {} {reference}", ask.0, command.id).trim_end().to_owned()
        }
        ConductOrder::Drop(ask) => format!("drop {}", ask.0),
        ConductOrder::Tell(told, report) => {
            let step = match &report.step {
                ScanStep::Launched { reference, .. } => format!("launched {reference}"),
                ScanStep::Running => "running".to_owned(),
                ScanStep::Ended(outcome) => format!("{:?}", outcome.end),
            };
            format!("tell {} {} {step}", told.0, report.id)
        }
        ConductOrder::Log(line) => match line {
            ConductLine::Began(ongoing) => format!("log began {}", ongoing.why),
            ConductLine::Ended(ongoing) => format!("log ended {}", ongoing.why),
            other => format!("log {other:?}"),
        },
    }
}
