//! One scan and its way from state to state.

use std::net::IpAddr;

use osel_core::time::Timestamp;

use super::options::{Ending, Life};

/// A scan.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    pub(super) id: u64,
    pub(super) reference: String,
    pub(super) title: String,
    pub(super) profile: String,
    pub(super) priority: u8,
    pub(super) groups: Vec<String>,
    pub(super) appliance: String,
    pub(super) network: u64,
    /// What was asked for, in order; excluded addresses are among them.
    pub(super) targets: Vec<IpAddr>,
    /// The same as it was written.
    pub(super) target_text: String,
    pub(super) launched_at: Timestamp,
    pub(super) ending: Ending,
    /// Whether nobody was there.
    pub(super) is_lonely: bool,
    /// How often it was looked at.
    looks: u32,
    state: State,
}

/// The states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Queued,
    Running,
    Loading,
    Paused,
    Finished,
    Error,
    Canceled,
    /// One that no document names.
    Word(&'static str),
}

/// What a new scan is made of.
pub(super) struct Order {
    pub(super) title: String,
    pub(super) profile: String,
    pub(super) priority: u8,
    pub(super) groups: Vec<String>,
    pub(super) appliance: String,
    pub(super) network: u64,
    pub(super) targets: Vec<IpAddr>,
    pub(super) target_text: String,
}

impl Scan {
    pub(super) fn new(id: u64, reference: String, order: Order, now: Timestamp, ending: Ending) -> Self {
        let Order { title, profile, priority, groups, appliance, network, targets, target_text } = order;
        Self {
            id,
            reference,
            title,
            profile,
            priority,
            groups,
            appliance,
            network,
            targets,
            target_text,
            launched_at: now,
            ending,
            is_lonely: false,
            looks: 0,
            state: State::Queued,
        }
    }

    /// It is looked at: it may have gone on since.
    pub(super) fn look(&mut self, now: Timestamp, life: Life) {
        if !matches!(self.state, State::Queued | State::Running | State::Loading) {
            return;
        }
        let seconds = (now.micros() - self.launched_at.micros()).div_euclid(1_000_000);
        let (done, steps) = match life {
            Life::Looks { queued, running, loading } => {
                (i64::from(self.looks), [queued, running, loading].map(i64::from))
            }
            Life::Seconds { queued, running, loading } => (seconds, [queued, running, loading]),
        };
        self.looks += 1;
        let [queued, running, loading] = steps;
        self.state = if done < queued {
            State::Queued
        } else if done < queued + running {
            State::Running
        } else if self.ending == Ending::Finished && done < queued + running + loading {
            State::Loading
        } else {
            match self.ending {
                Ending::Finished => State::Finished,
                Ending::Error => State::Error,
                Ending::Canceled => State::Canceled,
                Ending::Paused => State::Paused,
                Ending::Word(word) => State::Word(word),
            }
        };
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// The word for its state.
    pub(super) fn state_word(&self) -> &'static str {
        match self.state {
            State::Queued => "Queued",
            State::Running => "Running",
            State::Loading => "Loading",
            State::Paused => "Paused",
            State::Finished => "Finished",
            State::Error => "Error",
            State::Canceled => "Canceled",
            State::Word(word) => word,
        }
    }

    /// Whether it goes no further by itself or by anybody.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Finished | State::Error | State::Canceled)
    }

    /// Cancels it; false where it cannot be.
    pub(super) fn cancel(&mut self) -> bool {
        let may = !self.is_over() && self.state != State::Loading;
        if may {
            self.state = State::Canceled;
        }
        may
    }

    /// Pauses it; false where it does not run.
    pub(super) fn pause(&mut self) -> bool {
        let may = self.state == State::Running;
        if may {
            self.state = State::Paused;
        }
        may
    }

    /// Lets it go on; false where it is not paused.
    pub(super) fn resume(&mut self) -> bool {
        let may = self.state == State::Paused;
        if may {
            self.state = State::Running;
            self.ending = Ending::Finished;
        }
        may
    }

    /// What there are results of: all of it, or what was done when it was stopped.
    pub(super) fn done_targets(&self) -> &[IpAddr] {
        match self.state {
            State::Finished => &self.targets,
            State::Error | State::Canceled | State::Paused => &self.targets[..self.targets.len() / 2],
            _ => &[],
        }
    }

    /// How long it took or takes.
    pub(super) fn duration(&self) -> &'static str {
        match self.state {
            State::Queued => "Pending",
            State::Running | State::Loading | State::Word(_) => "Running",
            _ => "00:08:44",
        }
    }
}
