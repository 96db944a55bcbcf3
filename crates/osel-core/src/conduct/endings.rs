//! How commands end: by their results, by a person, by time; and what is left to be done at the scanner then.

use super::limits::CLEANING_MAX;
use super::machine::{Conduct, may_expire};
use super::words::{Call, ConductLine, ConductOrder, Undone};
use super::work::Stage;
use crate::scan::{HostResult, ScanEnd, ScanOutcome, ScanStep};

impl Conduct {
    /// Ends a command whose time is over.
    pub(super) fn expire(&mut self, out: &mut Vec<ConductOrder>) {
        let now = self.clock.now();
        for index in 0..self.works.len() {
            let work = &self.works[index];
            if may_expire(work) && work.planned.expires_at <= now {
                self.call_off(index, ScanEnd::Expired, out);
            }
        }
    }

    /// A command is to end so, as soon as it is known how it stands.
    pub(super) fn call_off(&mut self, index: usize, end: ScanEnd, out: &mut Vec<ConductOrder>) {
        let work = &mut self.works[index];
        if work.stage == Stage::Ending {
            return;
        }
        let is_expired = end == ScanEnd::Expired;
        work.ending = Some(end);
        // Whether it was taken has to be known, and a cancellation under way is what is wanted, unless time is over.
        let is_needed = |call: Call| match call {
            Call::Launch => true,
            Call::Find | Call::Cancel => !is_expired,
            Call::Status | Call::Fetch | Call::Forget => false,
        };
        if let Some(pending) = work.pending.take_if(|pending| !is_needed(pending.call)) {
            out.push(ConductOrder::Drop(pending.ask));
            self.breaker.dropped(pending.ask, self.clock.moment());
        }
        self.bring_to_end(index, out);
    }

    /// The next step of a command that is to end before its time.
    pub(super) fn bring_to_end(&mut self, index: usize, out: &mut Vec<ConductOrder>) {
        let (is_remote, moment) = (self.is_remote, self.clock.moment());
        let work = &mut self.works[index];
        let Some(end) = work.ending.clone() else { return };
        if work.is_over || !work.is_idle() {
            return;
        }
        let is_known = work.reference.is_some();
        let tells = end == ScanEnd::Expired || !is_remote || work.stage == Stage::Waiting;
        if tells {
            self.end(index, end, String::new(), Vec::new(), out);
        } else if is_known && work.stage != Stage::Cancelling {
            work.go(Stage::Cancelling, moment);
        }
    }

    /// Tells the end of a command; `scanner` is who saw it, or nothing.
    pub(super) fn end(
        &mut self,
        index: usize,
        end: ScanEnd,
        scanner: String,
        hosts: Vec<HostResult>,
        out: &mut Vec<ConductOrder>,
    ) {
        let work = &mut self.works[index];
        let scanner = if scanner.is_empty() { work.planned.scanner.to_string() } else { scanner };
        work.stage = Stage::Ending;
        self.tell(index, ScanStep::Ended(ScanOutcome { scanner, end, hosts }), out);
    }

    /// A step of a command is durable.
    pub(super) fn durable(&mut self, index: usize, out: &mut Vec<ConductOrder>) {
        let moment = self.clock.moment();
        let work = &mut self.works[index];
        if work.stage != Stage::Ending {
            return self.bring_to_end(index, out);
        }
        (work.is_over, work.denied) = (true, None);
        let next = match &work.reference {
            Some(_) if work.is_ended_there => Stage::Forgetting,
            Some(_) => Stage::Cancelling,
            // It may be there all the same.
            None if work.is_uncertain => Stage::Looking,
            None => Stage::Done,
        };
        // It is not there before services list what they have taken.
        let due = if next == Stage::Looking { work.due.max(moment) } else { moment };
        work.go(next, due);
        self.bound_cleaning(out);
    }

    /// Leaves the oldest at the scanner of too many that are over.
    pub(super) fn bound_cleaning(&mut self, out: &mut Vec<ConductOrder>) {
        let cleaning = self.works.iter().filter(|work| work.is_over && work.stage != Stage::Done).count();
        if cleaning > CLEANING_MAX
            && let Some(work) = self.works.iter_mut().find(|work| work.is_over && work.pending.is_none())
        {
            work.stage = Stage::Done;
            out.push(ConductOrder::Log(ConductLine::Left(work.planned.id.clone(), Undone::Forget)));
        }
    }
}
