//! What follows from an answer, or from one that did not come.

use super::limits::{CLEAN_TRIES, GARBLED_TRIES, UNCERTAIN_REST_MICROS};
use super::machine::{Conduct, log};
use super::wait;
use super::words::{Answer, Ask, Call, ConductLine, ConductOrder, ConductWhy, Taken, Undone};
use super::work::Stage;
use crate::scan::{LeftOut, RemoteState, ScanEnd, ScanStep, Trouble};

impl Conduct {
    /// A call of a command was answered.
    pub(super) fn answered(
        &mut self,
        index: usize,
        answer: Result<Answer, Trouble>,
        chance: u64,
        out: &mut Vec<ConductOrder>,
    ) {
        let Some(pending) = self.works[index].pending.take() else { return };
        let (ask, call) = (pending.ask, pending.call);
        let fits = |answer: &Answer| {
            matches!(
                (call, answer),
                (Call::Find, Answer::Found(_))
                    | (Call::Launch, Answer::Launched(_))
                    | (Call::Status, Answer::State(_))
                    | (Call::Fetch, Answer::Seen { .. })
                    | (Call::Cancel | Call::Forget, Answer::Done)
            )
        };
        match answer {
            Ok(answer) if fits(&answer) => {
                self.is_well(out);
                let work = &mut self.works[index];
                work.tries = 0;
                work.denied.take_if(|denied| denied.call == call);
                self.good(index, answer, chance, out);
            }
            Ok(_) => {
                let trouble = Trouble::Garbled("it answers another question".to_owned());
                self.failed(index, (ask, call), trouble, chance, out);
            }
            Err(trouble) => self.failed(index, (ask, call), trouble, chance, out),
        }
        self.bring_to_end(index, out);
    }

    /// Gives up the calls that take too long.
    pub(super) fn time_out(&mut self, chance: u64, out: &mut Vec<ConductOrder>) {
        let moment = self.clock.moment();
        for index in 0..self.works.len() {
            let is_late = |until| until <= moment;
            let late = self.works[index].pending.take_if(|pending| pending.until.is_some_and(is_late));
            let Some(pending) = late else { continue };
            out.push(ConductOrder::Drop(pending.ask));
            let seconds = wait::longest(pending.call) / 1_000_000;
            self.words = format!("no answer within {seconds} s");
            self.is_away(pending.ask, ConductWhy::Silent, chance, out);
            self.unanswered(index, pending.call, chance, out);
            self.bring_to_end(index, out);
        }
    }

    fn good(&mut self, index: usize, answer: Answer, chance: u64, out: &mut Vec<ConductOrder>) {
        let moment = self.clock.moment();
        match answer {
            Answer::Found(found) => self.found(index, found, chance, out),
            Answer::Launched(taken) => {
                self.refusals = 0;
                self.room = (self.room + 1).min(self.running_max);
                self.taken(index, taken, chance, out);
            }
            Answer::State(state) => self.state(index, state, chance, out),
            Answer::Seen { scanner, hosts } => {
                let work = &self.works[index];
                let Stage::Fetching(end, partial) = work.stage.clone() else { return };
                let hosts = work.whole(hosts, partial.as_deref());
                self.end(index, end, scanner, hosts, out);
            }
            Answer::Done => {
                let work = &mut self.works[index];
                match work.stage {
                    Stage::Cancelling => self.called_off(index, out),
                    _ => work.go(Stage::Done, moment),
                }
            }
        }
    }

    /// The scanner was looked at for a scan.
    fn found(&mut self, index: usize, found: Option<Taken>, chance: u64, out: &mut Vec<ConductOrder>) {
        let moment = self.clock.moment();
        let work = &mut self.works[index];
        match found {
            Some(taken) if work.is_over => {
                work.reference = Some(taken.reference);
                work.go(Stage::Cancelling, moment);
            }
            Some(taken) if work.reference.is_some() => {
                work.reference = Some(taken.reference);
                work.go(Stage::Watching, moment.plus(wait::poll(0, chance)));
            }
            Some(taken) => self.taken(index, taken, chance, out),
            None if work.is_over => work.go(Stage::Done, moment),
            None if work.reference.is_some() => {
                work.is_ended_there = true;
                self.fail(index, "the scanner does not know the scan any more".to_owned(), out);
            }
            None => {
                work.is_uncertain = false;
                work.go(Stage::Waiting, moment);
            }
        }
    }

    /// The scanner has it.
    fn taken(&mut self, index: usize, taken: Taken, chance: u64, out: &mut Vec<ConductOrder>) {
        let due = self.clock.moment().plus(wait::poll(0, chance));
        let work = &mut self.works[index];
        work.is_uncertain = false;
        work.reference = Some(taken.reference.clone());
        work.leave_out(taken.left_out);
        work.go(Stage::Watching, due);
        if work.ending.is_none() {
            let left_out = work.left_out.clone();
            self.tell(index, ScanStep::Launched { reference: taken.reference, left_out }, out);
        }
    }

    fn state(&mut self, index: usize, state: RemoteState, chance: u64, out: &mut Vec<ConductOrder>) {
        let moment = self.clock.moment();
        let work = &mut self.works[index];
        work.polls = work.polls.saturating_add(1);
        let next = moment.plus(wait::poll(work.polls, chance));
        work.is_ended_there = !matches!(state, RemoteState::Waiting | RemoteState::Running);
        match state {
            RemoteState::Running if !work.told_running => {
                (work.told_running, work.due) = (true, next);
                self.tell(index, ScanStep::Running, out);
            }
            RemoteState::Waiting | RemoteState::Running => work.due = next,
            RemoteState::Finished => work.go(Stage::Fetching(ScanEnd::Finished, None), moment),
            RemoteState::Partial(why) => work.go(Stage::Fetching(ScanEnd::Finished, Some(why)), moment),
            RemoteState::Cancelled => {
                let why = "the scan was called off at the scanner".to_owned();
                work.go(Stage::Fetching(ScanEnd::Cancelled, Some(why)), moment);
            }
            RemoteState::Failed(why) => self.fail(index, why, out),
        }
    }

    /// The scan is called off at the scanner, or cannot be.
    fn called_off(&mut self, index: usize, out: &mut Vec<ConductOrder>) {
        let moment = self.clock.moment();
        let work = &mut self.works[index];
        work.is_ended_there = true;
        if work.is_over {
            return work.go(Stage::Forgetting, moment);
        }
        let end = work.ending.clone().unwrap_or(ScanEnd::Cancelled);
        self.end(index, end, String::new(), Vec::new(), out);
    }

    pub(super) fn fail(&mut self, index: usize, why: String, out: &mut Vec<ConductOrder>) {
        if self.works[index].is_over {
            self.works[index].stage = Stage::Done;
            return;
        }
        self.end(index, ScanEnd::Failed(why), String::new(), Vec::new(), out);
    }

    /// A call failed.
    fn failed(
        &mut self,
        index: usize,
        (ask, call): (Ask, Call),
        trouble: Trouble,
        chance: u64,
        out: &mut Vec<ConductOrder>,
    ) {
        match trouble {
            Trouble::Busy { after_seconds } => {
                self.is_well(out);
                self.is_full(index, call, after_seconds, chance);
            }
            Trouble::Limited { after_seconds } => {
                self.is_well(out);
                let rest = wait::after(after_seconds, self.refusals, chance);
                self.refusals = self.refusals.saturating_add(1);
                self.rest_until = self.rest_until.max(self.clock.moment().plus(rest));
                self.not_taken(index, call);
            }
            Trouble::Unavailable(words) | Trouble::Uncertain(words) => {
                self.words = words;
                self.is_away(ask, ConductWhy::Unavailable, chance, out);
                self.unanswered(index, call, chance, out);
            }
            Trouble::Denied(words) => self.denied(index, (ask, call), &words, chance, out),
            Trouble::Refused { why, addresses } => {
                self.is_well(out);
                self.refused(index, call, why, &addresses, out);
            }
            Trouble::Gone(why) => {
                self.is_well(out);
                self.gone(index, call, why, chance, out);
            }
            Trouble::Garbled(words) => {
                self.words.clone_from(&words);
                self.breaker.answered();
                self.is_up = Some(true);
                log(self.trouble.happened(self.clock.now(), ConductWhy::Garbled), out);
                self.garbled(index, call, words, chance, out);
            }
        }
    }

    /// The scanner has as much as it takes.
    fn is_full(&mut self, index: usize, call: Call, after: Option<u32>, chance: u64) {
        let moment = self.clock.moment();
        let until = moment.plus(wait::after(after, self.refusals, chance));
        self.refusals = self.refusals.saturating_add(1);
        self.not_taken(index, call);
        if self.works[index].stage == Stage::Waiting {
            self.room = self.places().clamp(1, self.running_max);
            self.launch_at = self.launch_at.max(until);
        } else {
            self.works[index].due = until;
        }
    }

    /// The scanner has not done what it was asked: a command that was to begin waits again.
    pub(super) fn not_taken(&mut self, index: usize, call: Call) {
        let is_remote = self.is_remote;
        let work = &mut self.works[index];
        if call == Call::Launch || !is_remote {
            work.is_uncertain = false;
            work.stage = Stage::Waiting;
        }
    }

    /// The scanner did not answer: what it was told it may have done.
    fn unanswered(&mut self, index: usize, call: Call, chance: u64, out: &mut Vec<ConductOrder>) {
        let (moment, is_remote) = (self.clock.moment(), self.is_remote);
        let work = &mut self.works[index];
        match call {
            Call::Launch => work.go(Stage::Looking, moment.plus(UNCERTAIN_REST_MICROS)),
            Call::Fetch if !is_remote => work.stage = Stage::Waiting,
            // One that is over is not looked for for ever.
            Call::Find if work.is_over => self.clean_later(index, chance, out),
            Call::Find | Call::Status | Call::Fetch => {}
            Call::Cancel | Call::Forget => self.clean_later(index, chance, out),
        }
    }

    fn refused(
        &mut self,
        index: usize,
        call: Call,
        why: String,
        addresses: &[std::net::IpAddr],
        out: &mut Vec<ConductOrder>,
    ) {
        let moment = self.clock.moment();
        self.not_taken(index, call);
        let work = &mut self.works[index];
        match call {
            Call::Cancel => self.called_off(index, out),
            Call::Forget => {
                let id = work.planned.id.clone();
                work.go(Stage::Done, moment);
                self.words = why;
                out.push(ConductOrder::Log(ConductLine::Left(id, Undone::Forget)));
            }
            Call::Launch | Call::Fetch if work.stage == Stage::Waiting => {
                let before = work.left_out.len();
                let left = addresses.iter().map(|&address| LeftOut { address, why: why.clone() });
                work.leave_out(left.collect());
                if work.left_out.len() == before || work.asked.targets.is_empty() {
                    self.fail(index, why, out);
                }
            }
            Call::Fetch if matches!(work.stage, Stage::Fetching(ScanEnd::Cancelled, _)) => {
                self.end(index, ScanEnd::Cancelled, String::new(), Vec::new(), out);
            }
            Call::Find | Call::Launch | Call::Status | Call::Fetch => self.fail(index, why, out),
        }
    }

    /// The scanner does not know what it was asked about.
    fn gone(&mut self, index: usize, call: Call, why: String, chance: u64, out: &mut Vec<ConductOrder>) {
        let moment = self.clock.moment();
        let is_remote = self.is_remote;
        let work = &mut self.works[index];
        match call {
            // That there is none it says otherwise: to launch once more on this word might make a second one.
            Call::Find => self.garbled(index, call, why, chance, out),
            Call::Status | Call::Fetch if is_remote && !work.looked_again => {
                work.looked_again = true;
                // It may have taken the scan and not list it yet.
                work.go(Stage::Looking, moment.plus(UNCERTAIN_REST_MICROS));
            }
            Call::Launch | Call::Status | Call::Fetch => {
                (work.is_ended_there, work.is_uncertain) = (true, false);
                self.fail(index, why, out);
            }
            Call::Cancel => self.called_off(index, out),
            Call::Forget => work.go(Stage::Done, moment),
        }
    }

    fn garbled(&mut self, index: usize, call: Call, words: String, chance: u64, out: &mut Vec<ConductOrder>) {
        let moment = self.clock.moment();
        let is_remote = self.is_remote;
        let work = &mut self.works[index];
        if work.is_over || call == Call::Cancel {
            return self.clean_later(index, chance, out);
        }
        work.garbled += 1;
        let tries = work.garbled;
        if tries >= GARBLED_TRIES {
            return self.fail(index, words, out);
        }
        match call {
            // It may have taken it.
            Call::Launch => work.go(Stage::Looking, moment.plus(UNCERTAIN_REST_MICROS)),
            Call::Fetch if !is_remote => {
                (work.stage, work.due) = (Stage::Waiting, moment.plus(wait::retry(tries, chance)));
            }
            _ => work.due = moment.plus(wait::retry(tries, chance)),
        }
    }

    /// Something could not be removed: again later, some times.
    fn clean_later(&mut self, index: usize, chance: u64, out: &mut Vec<ConductOrder>) {
        let moment = self.clock.moment();
        let work = &mut self.works[index];
        work.due = moment.plus(wait::retry(work.tries, chance));
        work.tries += 1;
        if work.tries >= CLEAN_TRIES {
            self.leave_there(index, out);
        }
    }

    /// What could not be called off or removed is left at the scanner.
    pub(super) fn leave_there(&mut self, index: usize, out: &mut Vec<ConductOrder>) {
        let work = &mut self.works[index];
        let undone = if work.stage == Stage::Cancelling { Undone::Cancel } else { Undone::Forget };
        out.push(ConductOrder::Log(ConductLine::Left(work.planned.id.clone(), undone)));
        match undone {
            Undone::Cancel => self.called_off(index, out),
            Undone::Forget => work.stage = Stage::Done,
        }
    }

    /// The scanner has answered as it should.
    fn is_well(&mut self, out: &mut Vec<ConductOrder>) {
        self.breaker.answered();
        (self.is_up, self.knows_us) = (Some(true), true);
        log(self.trouble.ended(self.clock.moment()), out);
    }

    /// The scanner is left alone for a while.
    pub(super) fn is_away(&mut self, ask: Ask, why: ConductWhy, chance: u64, out: &mut Vec<ConductOrder>) {
        let rest = match why {
            ConductWhy::Denied => wait::denied(0, chance),
            _ => wait::retry(self.breaker.failures(), chance),
        };
        self.breaker.failed(ask, self.clock.moment().plus(rest));
        self.is_up = Some(false);
        log(self.trouble.happened(self.clock.now(), why), out);
    }
}
