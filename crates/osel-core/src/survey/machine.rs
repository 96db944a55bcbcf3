//! The machine itself: every input leads through [`Survey::step`], and what is due by then is found in one place after it.

use super::breaker::wait;
use super::limits::{JITTER_PART, REST_MICROS, SILENT_MICROS};
use super::looks::Looks;
use super::words::{ApiTrouble, LogLine, Ongoing, Reason, SurveyInput, SurveyOrder, Ticket, Why};
use crate::pace::{Breaker, Clock, Moment, REMINDER_MICROS, Trouble, drawn};
use crate::time::Timestamp;

/// A read of everything that is under way.
#[derive(Clone, Debug)]
struct Read {
    ticket: Ticket,
    reason: Reason,
    began: Moment,
    /// When the driver was heard of, or given leave to go on.
    heard: Moment,
    /// Pages that have come and were not handled: the driver may be waiting for that.
    pages: u64,
    /// Its end has come and was not handled.
    is_told: bool,
}

impl Read {
    /// Since when the driver owes a word, if it does.
    fn silent_since(&self) -> Option<Moment> {
        (self.pages == 0 && !self.is_told).then_some(self.heard)
    }
}

/// The state machine of one cloud's API. Time never comes from elsewhere than the steps.
#[derive(Clone, Debug)]
pub struct Survey {
    every_micros: u64,
    clock: Clock,
    is_running: bool,
    last_ticket: u64,
    /// Why everything is to be read once more, if it is.
    wanted: Option<Reason>,
    read: Option<Read>,
    /// No read begins before: the API has its rest, or the last one failed.
    rest_until: Moment,
    /// Reads that failed in a row. An API may answer and yet fail each time somewhere in the middle.
    failures: usize,
    scheduled_at: Option<Moment>,
    looks: Looks,
    breaker: Breaker<Ticket>,
    /// Whether the last answer was one.
    is_up: Option<bool>,
    trouble: Trouble<Why>,
    remind_at: Option<Moment>,
}

impl Survey {
    /// A survey that waits for [`SurveyInput::Start`], and reads everything at least that often.
    pub fn new(every_micros: u64) -> Self {
        let clock = Clock::default();
        Self {
            every_micros,
            is_running: false,
            last_ticket: 0,
            wanted: None,
            read: None,
            rest_until: clock.moment(),
            failures: 0,
            scheduled_at: None,
            looks: Looks::default(),
            breaker: Breaker::new(),
            is_up: None,
            trouble: Trouble::default(),
            remind_at: None,
            clock,
        }
    }

    /// Takes what happened and adds what is to be done, in its order. `chance` is a random number of 64 bits, for waits: the core draws
    /// none. Any input is taken in any state; what does not fit (a late answer) changes nothing.
    pub fn step(&mut self, now: Timestamp, chance: u64, what: SurveyInput, out: &mut Vec<SurveyOrder>) {
        self.clock.advance(now);
        let moment = self.clock.moment();
        log(self.trouble.settle(moment), out);
        self.take(what, chance, out);
        if self.is_running {
            self.break_silence(chance, out);
            if self.scheduled_at.is_some_and(|at| at <= moment) {
                self.scheduled_at = None;
                self.want(Reason::Schedule);
            }
            self.order(out);
            self.remind(out);
        }
    }

    /// When a [`SurveyInput::Tick`] is wanted if nothing else happens; none when time alone changes nothing. It is later than the last
    /// step's `now`.
    pub fn wake_at(&self) -> Option<Timestamp> {
        if !self.is_running {
            return None;
        }
        let moment = self.clock.moment();
        let opens_at = self.breaker.opens_at(moment);
        let together = |at: Option<Moment>| Some(opens_at?.max(at?));
        let is_awaited = self.read.is_none() && self.wanted.is_some();
        let deadlines = [
            self.read.as_ref().and_then(Read::silent_since).map(|since| since.plus(SILENT_MICROS)),
            self.looks.silent_since().map(|since| since.plus(SILENT_MICROS)),
            together(self.looks.next_at(moment)),
            together(is_awaited.then_some(self.rest_until)),
            self.scheduled_at,
            self.remind_at,
            self.trouble.settles_at(),
        ];
        deadlines.into_iter().flatten().min().map(|first| self.clock.time(first))
    }

    /// Whether the last order was answered; none before the first one's end.
    pub fn is_up(&self) -> Option<bool> {
        self.is_up
    }

    /// What is wrong, while it lasts or comes and goes.
    pub fn trouble(&self) -> Option<Ongoing> {
        self.trouble.ongoing()
    }

    /// How many looks wait for their turn.
    pub fn looks_waiting(&self) -> usize {
        self.looks.waiting()
    }

    fn take(&mut self, what: SurveyInput, chance: u64, out: &mut Vec<SurveyOrder>) {
        let moment = self.clock.moment();
        match what {
            SurveyInput::Start => {
                self.is_running = true;
                self.want(Reason::Start);
            }
            SurveyInput::Gap => self.want(Reason::Gap),
            SurveyInput::Wished(look) => {
                if !self.looks.wish(moment, look) {
                    self.want(Reason::Looks);
                }
            }
            SurveyInput::Began(ticket) => {
                if let Some(read) = self.reading(ticket) {
                    read.heard = moment;
                }
            }
            SurveyInput::Paged(ticket) => {
                if let Some(read) = self.reading(ticket) {
                    read.heard = moment;
                    read.pages += 1;
                    self.answered(false, out);
                }
            }
            SurveyInput::Handled(ticket) => {
                if let Some(read) = self.reading(ticket) {
                    read.heard = moment;
                    read.pages = read.pages.saturating_sub(1);
                    out.push(SurveyOrder::Taken(ticket));
                }
            }
            SurveyInput::Told(ticket) => {
                if let Some(read) = self.reading(ticket) {
                    (read.heard, read.is_told) = (moment, true);
                } else {
                    self.looks.told(ticket);
                }
            }
            SurveyInput::Ended(ticket) => {
                if self.reading(ticket).is_some() {
                    self.ended(chance, out);
                }
            }
            SurveyInput::Answered(ticket) => {
                if self.is_looking(ticket) {
                    self.looks.done();
                    self.answered(false, out);
                }
            }
            SurveyInput::Failed(ticket, trouble) => self.failed(ticket, Why::Api(trouble), chance, out),
            SurveyInput::Renewed { every_micros } => self.renewed(every_micros, chance),
            SurveyInput::Tick => {}
        }
    }

    fn want(&mut self, reason: Reason) {
        self.wanted = self.wanted.max(Some(reason));
    }

    fn reading(&mut self, ticket: Ticket) -> Option<&mut Read> {
        self.read.as_mut().filter(|read| read.ticket == ticket)
    }

    fn is_looking(&self, ticket: Ticket) -> bool {
        self.looks.under_way() == Some(ticket)
    }

    fn ended(&mut self, chance: u64, out: &mut Vec<SurveyOrder>) {
        let Some(read) = self.read.take() else { return };
        let moment = self.clock.moment();
        self.failures = 0;
        // How long the end waited here was rest already.
        let asked_until = if read.is_told { read.heard } else { moment };
        self.rest_until = asked_until.plus(asked_until.since(read.began).max(REST_MICROS));
        self.schedule(chance);
        // They were wished before it began to ask, so that it has shown what there was to see.
        self.looks.all_read(read.began);
        self.answered(true, out);
    }

    fn schedule(&mut self, chance: u64) {
        let earlier = drawn(self.every_micros / JITTER_PART, chance);
        self.scheduled_at = Some(self.clock.moment().plus(self.every_micros.saturating_sub(earlier)));
    }

    /// The API has answered. That a policy refuses to show everything ends only when everything was shown.
    fn answered(&mut self, is_whole: bool, out: &mut Vec<SurveyOrder>) {
        self.breaker.answered();
        self.is_up = Some(true);
        let refused = Why::Api(ApiTrouble::Refused);
        if is_whole || self.trouble.ongoing().is_none_or(|ongoing| ongoing.why != refused) {
            log(self.trouble.ended(self.clock.moment()), out);
        }
    }

    fn failed(&mut self, ticket: Ticket, why: Why, chance: u64, out: &mut Vec<SurveyOrder>) {
        let (now, moment) = (self.clock.now(), self.clock.moment());
        let is_refused = why == Why::Api(ApiTrouble::Refused);
        if self.is_looking(ticket) {
            if is_refused {
                // It has answered, and would answer so again.
                self.looks.done();
                return self.answered(false, out);
            }
            self.looks.failed();
        } else if let Some(read) = self.read.take_if(|read| read.ticket == ticket) {
            self.want(read.reason);
            self.rest_until = moment.plus(wait(why, self.failures, chance));
            self.failures = self.failures.saturating_add(1);
        } else {
            return;
        }
        if is_refused {
            self.breaker.answered();
        } else {
            let rest = wait(why, self.breaker.failures(), chance);
            self.breaker.failed(ticket, moment.plus(rest));
        }
        self.is_up = Some(is_refused);
        log(self.trouble.happened(now, why), out);
    }

    fn renewed(&mut self, every_micros: u64, chance: u64) {
        let moment = self.clock.moment();
        if every_micros != self.every_micros {
            self.every_micros = every_micros;
            if self.scheduled_at.is_some() {
                self.schedule(chance);
            }
        }
        self.breaker.renewed(moment);
        if self.failures > 0 {
            self.failures = 0;
            self.rest_until = moment;
        }
    }

    /// Ends what the driver has forgotten.
    fn break_silence(&mut self, chance: u64, out: &mut Vec<SurveyOrder>) {
        let moment = self.clock.moment();
        let read = self.read.as_ref().and_then(|read| Some((read.ticket, read.silent_since()?)));
        let look = self.looks.under_way().zip(self.looks.silent_since());
        for (ticket, heard) in [read, look].into_iter().flatten() {
            if moment.since(heard) >= SILENT_MICROS {
                out.push(SurveyOrder::Abort(ticket));
                self.failed(ticket, Why::Silent, chance, out);
            }
        }
    }

    fn order(&mut self, out: &mut Vec<SurveyOrder>) {
        let moment = self.clock.moment();
        let may = |breaker: &Breaker<Ticket>| breaker.opens_at(moment).is_some_and(|at| at <= moment);
        // A look is one request: it goes before the many of a read.
        if may(&self.breaker) && self.looks.next_at(moment).is_some_and(|at| at <= moment) {
            let ticket = self.next_ticket();
            if let Some(look) = self.looks.order(moment, ticket) {
                self.breaker.ordered(ticket);
                out.push(SurveyOrder::ReadOne { ticket, look });
            }
        }
        if may(&self.breaker)
            && self.read.is_none()
            && self.rest_until <= moment
            && let Some(reason) = self.wanted.take()
        {
            let ticket = self.next_ticket();
            self.breaker.ordered(ticket);
            self.scheduled_at = None;
            self.read = Some(Read { ticket, reason, began: moment, heard: moment, pages: 0, is_told: false });
            out.push(SurveyOrder::ReadAll { ticket, reason });
        }
    }

    fn next_ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        Ticket(self.last_ticket)
    }

    fn remind(&mut self, out: &mut Vec<SurveyOrder>) {
        let moment = self.clock.moment();
        let Some(ongoing) = self.trouble.ongoing() else {
            self.remind_at = None;
            return;
        };
        if *self.remind_at.get_or_insert(moment.plus(REMINDER_MICROS)) <= moment {
            self.remind_at = Some(moment.plus(REMINDER_MICROS));
            out.push(SurveyOrder::Log(LogLine::Still(ongoing)));
        }
    }
}

fn log(turn: Option<impl Into<LogLine>>, out: &mut Vec<SurveyOrder>) {
    out.extend(turn.map(|turn| SurveyOrder::Log(turn.into())));
}
