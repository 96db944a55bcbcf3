//! A scanner elsewhere: it takes scans by title, is at them for some questions, and keeps what was made until it is removed.

use osel_core::conduct::{Answer, Call, Taken};
use osel_core::scan::{HostResult, RemoteState, ScanCommand, Trouble};
use osel_core::time::Timestamp;

/// How many questions a scan waits, and then runs, before it is over.
const QUESTIONS_WAITING: u32 = 1;
const QUESTIONS_RUNNING: u32 = 2;

/// A scan that was made.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) title: String,
    at: Timestamp,
    questions: u32,
    is_called_off: bool,
    pub(super) is_removed: bool,
}

/// The scanner.
#[derive(Clone, Debug, Default)]
pub(super) struct Remote {
    pub(super) made: Vec<Made>,
    /// What time it is.
    pub(super) now: Timestamp,
    /// For so long it does not list what it has taken.
    pub(super) unlisted_seconds: i64,
}

impl Remote {
    /// Does what it is asked.
    pub(super) fn answer(
        &mut self,
        call: Call,
        command: &ScanCommand,
        reference: &str,
    ) -> Result<Answer, Trouble> {
        let title = command.id.to_string();
        let is_listed = |made: &Made| made.at.plus_seconds(self.unlisted_seconds) <= self.now;
        let place = match call {
            Call::Find | Call::Launch => {
                let is_it = |made: &Made| made.title == title && !made.is_removed && is_listed(made);
                self.made.iter().position(is_it)
            }
            _ => reference.parse().ok().filter(|&place| place < self.made.len()),
        };
        let taken = |place: usize| Taken { reference: place.to_string(), left_out: Vec::new() };
        match (call, place) {
            (Call::Find, place) => Ok(Answer::Found(place.map(taken))),
            // It does not look at titles: who launches twice has two.
            (Call::Launch, _) => {
                let (questions, is_called_off, is_removed) = (0, false, false);
                self.made.push(Made { title, at: self.now, questions, is_called_off, is_removed });
                Ok(Answer::Launched(taken(self.made.len() - 1)))
            }
            (Call::Status | Call::Fetch, Some(place)) if !is_listed(&self.made[place]) => {
                Err(Trouble::Gone("no such scan".to_owned()))
            }
            (_, None) => Err(Trouble::Gone("no such scan".to_owned())),
            (call, Some(place)) => {
                let made = &mut self.made[place];
                if made.is_removed {
                    return if matches!(call, Call::Cancel | Call::Forget) {
                        Ok(Answer::Done)
                    } else {
                        Err(Trouble::Gone("the scan was removed".to_owned()))
                    };
                }
                Ok(Self::of(made, call, command))
            }
        }
    }

    fn of(made: &mut Made, call: Call, command: &ScanCommand) -> Answer {
        match call {
            Call::Status => {
                made.questions += 1;
                Answer::State(match made.questions {
                    _ if made.is_called_off => RemoteState::Cancelled,
                    0..=QUESTIONS_WAITING => RemoteState::Waiting,
                    questions if questions <= QUESTIONS_WAITING + QUESTIONS_RUNNING => RemoteState::Running,
                    _ => RemoteState::Finished,
                })
            }
            Call::Fetch => Answer::Seen {
                scanner: "simulated".to_owned(),
                hosts: command.targets.iter().map(|target| HostResult::new(target.address)).collect(),
            },
            Call::Cancel => {
                made.is_called_off = true;
                Answer::Done
            }
            Call::Forget => {
                made.is_removed = true;
                Answer::Done
            }
            // Answered before.
            Call::Find | Call::Launch => Answer::Done,
        }
    }

    /// Whether a scan is left that nobody ended or removed.
    pub(super) fn has_left(&self) -> bool {
        self.made.iter().any(|made| !made.is_removed)
    }
}
