//! The machine itself: every input leads through [`Conduct::step`], and what is due by then is found in one place after it.

use std::sync::Arc;

use super::limits::{CALLS_AT_ONCE_MAX, FETCHES_AT_ONCE_MAX, LOCAL_TOLD_MICROS, UNCERTAIN_REST_MICROS};
use super::wait;
use super::words::{Ask, Call, ConductInput, ConductLine, ConductOrder, ConductWhy, Told};
use super::work::{Pending, Stage, Turn, Work};
use crate::pace::{Breaker, Clock, Moment, Ongoing, REMINDER_MICROS, Trouble};
use crate::scan::{ScanEnd, ScanLife, ScanReport, ScanStep};
use crate::time::Timestamp;

/// The state machine of one scanner. Time never comes from elsewhere than the steps.
#[derive(Clone, Debug)]
pub struct Conduct {
    pub(super) is_remote: bool,
    pub(super) running_max: usize,
    /// How many scans it is given at one time: fewer than `running_max` after it said that it has enough.
    pub(super) room: usize,
    pub(super) clock: Clock,
    is_stopped: bool,
    last_ask: u64,
    last_told: u64,
    /// In the order in which they were given.
    pub(super) works: Vec<Work>,
    pub(super) breaker: Breaker<Ask>,
    /// Nothing is asked before: the service has had too many calls.
    pub(super) rest_until: Moment,
    /// Nothing is launched before: the scanner has enough.
    pub(super) launch_at: Moment,
    /// How often it had enough or too much in a row.
    pub(super) refusals: usize,
    pub(super) is_up: Option<bool>,
    /// Whether it has answered well since it last denied anything.
    pub(super) knows_us: bool,
    /// What was denied is not asked before, unless it knows us.
    pub(super) denied_until: Moment,
    pub(super) words: String,
    pub(super) trouble: Trouble<ConductWhy>,
    remind_at: Option<Moment>,
}

impl Conduct {
    /// One of a scanner that scans elsewhere, or here, and of which so many may run.
    pub fn new(is_remote: bool, running_max: usize) -> Self {
        let clock = Clock::default();
        let running_max = running_max.max(1);
        Self {
            is_remote,
            running_max,
            room: running_max,
            is_stopped: false,
            last_ask: 0,
            last_told: 0,
            works: Vec::new(),
            breaker: Breaker::new(),
            rest_until: clock.moment(),
            launch_at: clock.moment(),
            refusals: 0,
            is_up: None,
            knows_us: false,
            denied_until: clock.moment(),
            words: String::new(),
            trouble: Trouble::default(),
            remind_at: None,
            clock,
        }
    }

    /// Takes what happened and adds what is to be done, in its order. `chance` is a random number of 64 bits, for waits: the core draws
    /// none. Any input is taken in any state; what does not fit (a late answer) changes nothing.
    pub fn step(&mut self, now: Timestamp, chance: u64, what: ConductInput, out: &mut Vec<ConductOrder>) {
        self.clock.advance(now);
        log(self.trouble.settle(self.clock.moment()), out);
        self.take(what, chance, out);
        if !self.is_stopped {
            self.time_out(chance, out);
            self.expire(out);
            self.order(out);
            self.tell_running(out);
            self.remind(out);
        }
        self.works.retain(|work| work.stage != Stage::Done);
    }

    /// When a [`ConductInput::Tick`] is wanted if nothing else happens; none when time alone changes nothing. It is later than the last
    /// step's `now`.
    pub fn wake_at(&self) -> Option<Timestamp> {
        if self.is_stopped {
            return None;
        }
        let moment = self.clock.moment();
        let of_works = self.works.iter().flat_map(|work| {
            let asked = work.pending.as_ref();
            let told = asked.filter(|_| self.may_tell_running(work));
            [
                asked.and_then(|pending| pending.until),
                told.map(|pending| pending.since.plus(LOCAL_TOLD_MICROS)),
                // What is blocked by others now is woken by them.
                self.turn_at(work).filter(|at| *at > moment),
            ]
        });
        let deadlines = of_works.chain([self.remind_at, self.trouble.settles_at()]);
        let first = deadlines.flatten().min().map(|first| self.clock.time(first));
        let expiry = self.works.iter().filter(|work| may_expire(work)).map(|work| work.planned.expires_at);
        first.into_iter().chain(expiry).min()
    }

    /// Whether the last call was answered; none before the first one's end.
    pub fn is_up(&self) -> Option<bool> {
        self.is_up
    }

    /// What is wrong, while it lasts or comes and goes.
    pub fn trouble(&self) -> Option<Ongoing<ConductWhy>> {
        self.trouble.ongoing()
    }

    /// What the scanner, or the way to it, said last when something was wrong.
    pub fn words(&self) -> &str {
        &self.words
    }

    /// How many commands wait for their turn.
    pub fn waiting(&self) -> usize {
        let waits = |work: &&Work| !work.is_over && work.ending.is_none() && !work.is_running();
        self.works.iter().filter(waits).filter(|work| work.stage != Stage::Ending).count()
    }

    /// How many scans run, or are being launched or fetched.
    pub fn running(&self) -> usize {
        self.works.iter().filter(|work| work.is_running()).count()
    }

    /// How many places at the scanner are taken: what is over there and only has to be fetched takes none.
    pub(super) fn places(&self) -> usize {
        self.works.iter().filter(|work| work.is_running() && !work.is_ended_there).count()
    }

    /// Whether nothing is left to be done.
    pub fn is_idle(&self) -> bool {
        self.works.is_empty()
    }

    fn take(&mut self, what: ConductInput, chance: u64, out: &mut Vec<ConductOrder>) {
        let moment = self.clock.moment();
        match what {
            ConductInput::Given { life, is_resumed } => self.given(*life, is_resumed, out),
            ConductInput::Answered(ask, answer) => {
                let asked = |work: &Work| work.pending.is_some_and(|pending| pending.ask == ask);
                if let Some(index) = self.works.iter().position(asked) {
                    self.answered(index, answer, chance, out);
                }
            }
            ConductInput::Durable(told) => {
                if let Some(index) = self.works.iter().position(|work| work.telling == Some(told)) {
                    self.works[index].telling = None;
                    self.durable(index, out);
                }
            }
            ConductInput::Cancel(id) => {
                let is_it = |work: &Work| work.planned.id == id && !work.is_over;
                if let Some(index) = self.works.iter().position(is_it) {
                    // What is past its time the engine has ended, and nobody has called off.
                    let is_late = self.works[index].planned.expires_at <= self.clock.now();
                    let end = if is_late { ScanEnd::Expired } else { ScanEnd::Cancelled };
                    self.call_off(index, end, out);
                }
            }
            ConductInput::Renewed { running_max } => {
                self.running_max = running_max.max(1);
                self.room = self.running_max;
                self.breaker.renewed(moment);
                (self.rest_until, self.launch_at, self.refusals) = (moment, moment, 0);
                self.denied_until = moment;
                for work in self.works.iter_mut().filter(|work| work.denied.is_some()) {
                    (work.denied, work.due) = (None, moment);
                }
            }
            ConductInput::Stop => {
                self.is_stopped = true;
                for work in &mut self.works {
                    out.extend(work.pending.take().map(|pending| ConductOrder::Drop(pending.ask)));
                }
            }
            ConductInput::Tick => {}
        }
    }

    fn given(&mut self, life: ScanLife, is_resumed: bool, out: &mut Vec<ConductOrder>) {
        if self.works.iter().any(|work| work.planned.id == life.command.id) {
            return;
        }
        let mut work = Work::new(life, self.is_remote, is_resumed, self.clock.moment());
        if work.is_uncertain {
            work.due = work.due.plus(UNCERTAIN_REST_MICROS);
        }
        self.works.push(work);
        self.bring_to_end(self.works.len() - 1, out);
        self.bound_cleaning(out);
    }

    /// Tells a step of a command; nothing else is done for it until that is durable.
    pub(super) fn tell(&mut self, index: usize, step: ScanStep, out: &mut Vec<ConductOrder>) {
        self.last_told += 1;
        let told = Told(self.last_told);
        let work = &mut self.works[index];
        work.telling = Some(told);
        let report = ScanReport { id: work.planned.id.clone(), step };
        out.push(ConductOrder::Tell(told, Box::new(report)));
    }

    /// When it is the turn of what waits to ask; none for what does not, and while one call finds out whether the scanner answers.
    fn turn_at(&self, work: &Work) -> Option<Moment> {
        if !work.is_idle() {
            return None;
        }
        let opens_at = self.breaker.opens_at(self.clock.moment())?;
        let mut at = work.due.max(self.rest_until).max(opens_at);
        if work.stage == Stage::Waiting {
            at = at.max(self.launch_at);
        }
        if work.denied.is_some() && !self.knows_us {
            at = at.max(self.denied_until);
        }
        Some(at)
    }

    fn order(&mut self, out: &mut Vec<ConductOrder>) {
        for turn in Turn::ALL {
            for index in 0..self.works.len() {
                let work = &self.works[index];
                let is_due = self.turn_at(work).is_some_and(|at| at <= self.clock.moment());
                if is_due && work.turn() == turn {
                    self.order_one(index, out);
                }
            }
        }
    }

    fn order_one(&mut self, index: usize, out: &mut Vec<ConductOrder>) {
        if self.works[index].denied.is_some() && self.is_denied_asked() {
            return;
        }
        if self.works[index].stage == Stage::Waiting {
            if self.places() >= self.room {
                return;
            }
            let call = if self.is_remote { Call::Launch } else { Call::Fetch };
            if !self.has_line(call) {
                return;
            }
            self.works[index].stage =
                if self.is_remote { Stage::Launching } else { Stage::Fetching(ScanEnd::Finished, None) };
        }
        let Some(call) = self.works[index].call() else { return };
        if !self.has_line(call) {
            return;
        }
        self.last_ask += 1;
        let (ask, moment) = (Ask(self.last_ask), self.clock.moment());
        self.breaker.ordered(ask);
        let until = self.is_remote.then(|| moment.plus(wait::longest(call)));
        let work = &mut self.works[index];
        work.pending = Some(Pending { ask, call, since: moment, until });
        if call == Call::Launch {
            // From now on until the answer is there, nobody knows.
            work.is_uncertain = true;
        }
        let reference = work.reference.clone().unwrap_or_default();
        out.push(ConductOrder::Call { ask, call, command: Arc::clone(&work.asked), reference });
    }

    /// Whether one more call of the kind may be under way.
    fn has_line(&self, call: Call) -> bool {
        let under_way = |wanted: Option<Call>| {
            let pending = self.works.iter().filter_map(|work| work.pending);
            pending.filter(|pending| wanted.is_none_or(|wanted| pending.call == wanted)).count()
        };
        !self.is_remote
            || (under_way(None) < CALLS_AT_ONCE_MAX
                && (call != Call::Fetch || under_way(Some(Call::Fetch)) < FETCHES_AT_ONCE_MAX))
    }

    fn may_tell_running(&self, work: &Work) -> bool {
        !self.is_remote && !work.told_running && work.ending.is_none()
    }

    /// A scan here that takes long is told to run; whether that is durable matters to nobody.
    fn tell_running(&mut self, out: &mut Vec<ConductOrder>) {
        let moment = self.clock.moment();
        for index in 0..self.works.len() {
            let work = &self.works[index];
            let since = work.pending.filter(|_| self.may_tell_running(work)).map(|pending| pending.since);
            if since.is_some_and(|since| moment.since(since) >= LOCAL_TOLD_MICROS) {
                self.tell(index, ScanStep::Running, out);
                let work = &mut self.works[index];
                (work.telling, work.told_running) = (None, true);
            }
        }
    }

    fn remind(&mut self, out: &mut Vec<ConductOrder>) {
        let moment = self.clock.moment();
        let Some(ongoing) = self.trouble.ongoing() else {
            self.remind_at = None;
            return;
        };
        if *self.remind_at.get_or_insert(moment.plus(REMINDER_MICROS)) <= moment {
            self.remind_at = Some(moment.plus(REMINDER_MICROS));
            out.push(ConductOrder::Log(ConductLine::Still(ongoing)));
        }
    }
}

/// Whether the time of a command may run out.
pub(super) fn may_expire(work: &Work) -> bool {
    !work.is_over && work.stage != Stage::Ending && work.ending != Some(ScanEnd::Expired)
}

pub(super) fn log(turn: Option<impl Into<ConductLine>>, out: &mut Vec<ConductOrder>) {
    out.extend(turn.map(|turn| ConductOrder::Log(turn.into())));
}
