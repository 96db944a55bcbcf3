//! One command on its way through a scanner.

use std::net::IpAddr;
use std::sync::Arc;

use super::words::{Ask, Call, Told};
use crate::pace::Moment;
use crate::scan::{HostResult, LeftOut, ScanCommand, ScanEnd, ScanLife, ScanState};

/// Where a command stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its turn has not come; the scanner does not have it.
    Waiting,
    /// Whether the scanner has it is to be found out.
    Looking,
    /// It is being given to the scanner.
    Launching,
    /// The scanner has it.
    Watching,
    /// It ended so at the scanner, and its result is to be fetched; why that is a part only, if it is.
    Fetching(ScanEnd, Option<String>),
    /// It is to be called off.
    Cancelling,
    /// Its end is told.
    Ending,
    /// What was made for it is to be removed.
    Forgetting,
    /// There is nothing more to be done.
    Done,
}

/// Whose turn it is, among those who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// What the scanner has.
    There,
    /// What it has not.
    Launch,
    /// What it has denied.
    Denied,
}

impl Turn {
    /// All of them, in their order.
    pub(super) const ALL: [Self; 3] = [Self::There, Self::Launch, Self::Denied];
}

/// That a call of a command was denied.
#[derive(Clone, Copy, Debug)]
pub(super) struct Denied {
    pub(super) call: Call,
    /// How often in a row.
    pub(super) times: usize,
    /// The scanner knew us at one of these times.
    pub(super) is_its_own: bool,
}

/// A call that was not answered yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) ask: Ask,
    pub(super) call: Call,
    pub(super) since: Moment,
    /// When it is given up; one that works here may take as long as the command lives.
    pub(super) until: Option<Moment>,
}

/// A command.
#[derive(Clone, Debug)]
pub(super) struct Work {
    /// As it was planned.
    pub(super) planned: Arc<ScanCommand>,
    /// The same without what is left out.
    pub(super) asked: Arc<ScanCommand>,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) reference: Option<String>,
    pub(super) stage: Stage,
    /// How it is to end before its time, if it is.
    pub(super) ending: Option<ScanEnd>,
    /// Its end is durable: what is left to do is at the scanner.
    pub(super) is_over: bool,
    /// The scanner may have it although it never said so.
    pub(super) is_uncertain: bool,
    /// It was looked for after the scanner had lost it.
    pub(super) looked_again: bool,
    /// The scanner has ended it, or does not have it.
    pub(super) is_ended_there: bool,
    pub(super) told_running: bool,
    /// What was told and is not durable yet.
    pub(super) telling: Option<Told>,
    pub(super) pending: Option<Pending>,
    /// What failed in a row.
    pub(super) tries: usize,
    /// What was denied last and not answered well since.
    pub(super) denied: Option<Denied>,
    /// Answers that nobody understood.
    pub(super) garbled: usize,
    pub(super) polls: usize,
    /// Nothing is asked before.
    pub(super) due: Moment,
}

impl Work {
    /// One that was given, and where it begins.
    pub(super) fn new(life: ScanLife, is_remote: bool, is_resumed: bool, due: Moment) -> Self {
        let ScanLife { command, state, reference, left_out, is_cancelled, .. } = life;
        let planned = Arc::new(command);
        let reference = reference.filter(|_| is_remote);
        let is_over = state.is_over();
        let is_called_off = matches!(state, ScanState::Cancelled | ScanState::Expired);
        let is_uncertain =
            is_remote && reference.is_none() && (is_resumed || is_over) && (is_called_off || !is_over);
        let stage = match (&reference, is_over) {
            (None, _) if is_uncertain => Stage::Looking,
            (None, true) => Stage::Done,
            (None, false) => Stage::Waiting,
            (Some(_), true) if state == ScanState::Judged => Stage::Forgetting,
            (Some(_), true) => Stage::Cancelling,
            (Some(_), false) => Stage::Watching,
        };
        let mut work = Self {
            asked: Arc::clone(&planned),
            planned,
            left_out: Vec::new(),
            reference,
            stage,
            ending: (is_cancelled || is_called_off).then_some(ScanEnd::Cancelled),
            is_over,
            is_uncertain,
            looked_again: false,
            is_ended_there: state == ScanState::Judged,
            told_running: state == ScanState::Running,
            telling: None,
            pending: None,
            tries: 0,
            denied: None,
            garbled: 0,
            polls: 0,
            due,
        };
        work.leave_out(left_out);
        work
    }

    /// Leaves addresses out of what is asked for; those that it does not have are nothing.
    pub(super) fn leave_out(&mut self, more: Vec<LeftOut>) {
        let is_in = |address: &IpAddr| self.asked.targets.iter().any(|target| target.address == *address);
        let more: Vec<LeftOut> = more.into_iter().filter(|left| is_in(&left.address)).collect();
        if more.is_empty() {
            return;
        }
        let command = Arc::make_mut(&mut self.asked);
        command.targets.retain(|target| !more.iter().any(|left| left.address == target.address));
        self.left_out.extend(more);
    }

    /// One result for each address of the command, in its order.
    pub(super) fn whole(&self, mut hosts: Vec<HostResult>, partial: Option<&str>) -> Vec<HostResult> {
        let of = |address: IpAddr| {
            if let Some(left) = self.left_out.iter().find(|left| left.address == address) {
                return Some(HostResult::not_scanned(address, left.why.clone()));
            }
            let place = hosts.iter().position(|host| host.address == address)?;
            let mut host = hosts.swap_remove(place);
            if let Some(why) = partial.filter(|_| host.coverage == crate::scan::Coverage::Whole) {
                host.coverage = crate::scan::Coverage::Partial(why.to_owned());
            }
            Some(host)
        };
        self.planned.targets.iter().map(|target| target.address).filter_map(of).collect()
    }

    /// Whether it takes one of the places at the scanner.
    pub(super) fn is_running(&self) -> bool {
        !self.is_over
            && match self.stage {
                Stage::Launching | Stage::Watching | Stage::Fetching(..) | Stage::Cancelling => true,
                Stage::Looking => self.reference.is_some(),
                Stage::Waiting | Stage::Ending | Stage::Forgetting | Stage::Done => false,
            }
    }

    /// The call that its stage asks for.
    pub(super) fn call(&self) -> Option<Call> {
        match self.stage {
            Stage::Looking => Some(Call::Find),
            Stage::Launching => Some(Call::Launch),
            Stage::Watching => Some(Call::Status),
            Stage::Fetching(..) => Some(Call::Fetch),
            Stage::Cancelling => Some(Call::Cancel),
            Stage::Forgetting => Some(Call::Forget),
            Stage::Waiting | Stage::Ending | Stage::Done => None,
        }
    }

    /// When it is its turn.
    pub(super) fn turn(&self) -> Turn {
        match (self.denied, &self.stage) {
            (Some(_), _) => Turn::Denied,
            (None, Stage::Waiting) => Turn::Launch,
            (None, _) => Turn::There,
        }
    }

    /// Whether it waits for its turn to ask, or to be launched.
    pub(super) fn is_idle(&self) -> bool {
        self.pending.is_none() && self.telling.is_none() && !matches!(self.stage, Stage::Ending | Stage::Done)
    }

    /// Goes to the next stage, with nothing failed yet.
    pub(super) fn go(&mut self, stage: Stage, due: Moment) {
        (self.stage, self.due, self.tries) = (stage, due, 0);
    }
}
