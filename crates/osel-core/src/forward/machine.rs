//! The machine itself: every input leads through [`Forward::step`], and what is due by then is found in one place after it.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::account::Account;
use super::books::Books;
use super::limits::{
    AHEAD_BYTES_MAX, AHEAD_LINES_MAX, CALL_MICROS_MAX, FETCH_RECORDS_MAX, LINGER_MICROS, READ_BYTES_MAX,
    READ_RECORDS_MAX, STOP_MICROS_MAX,
};
use super::narrow::Narrow;
use super::queue::{Piece, Queue};
use super::receiver::{BatchLimits, BatchNumber};
use super::wait;
use super::words::{
    Asked, ForwardInput, ForwardLine, ForwardOrder, ForwardWhy, LineId, Mark, Page, Rendered, Which,
};
use crate::pace::{Clock, Moment, Ongoing, REMINDER_MICROS, STEADY_MICROS, Trouble};
use crate::time::Timestamp;

/// A batch on its way.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub(super) number: BatchNumber,
    /// Its lines are of dead letters.
    pub(super) is_fetched: bool,
    pub(super) pieces: Vec<Piece>,
    /// The receiver took it then, and will say later whether it arrived; none while it is handed over.
    pub(super) awaited_since: Option<Moment>,
}

/// What is asked of the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Send(BatchNumber),
    Confirm(Asked),
    Close,
}

/// A question that the caller has not answered yet, and whether its answer is still of use.
#[derive(Clone, Debug)]
struct Reading<T> {
    what: T,
    is_stale: bool,
}

/// What the receiver is asked next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Confirm,
    /// So many dead letters.
    SendFetched,
    /// So many lines of the trail.
    SendTrail(usize),
}

/// The state machine of one forwarder. Time never comes from elsewhere than the steps.
#[derive(Clone, Debug)]
pub struct Forward {
    pub(super) limits: BatchLimits,
    pub(super) clock: Clock,
    pub(super) chance: u64,
    call_micros: u64,
    head: Option<u64>,
    pub(super) books: Books,
    reading: Option<Reading<u64>>,
    /// Lines of the trail that wait.
    pub(super) trail: Queue,
    pub(super) narrow: Narrow,
    /// The most bytes of a batch: less than its limit after the receiver said that one was too large.
    pub(super) batch_bytes: usize,
    /// Records whose dead letters are to be tried again.
    wanted: BTreeSet<u64>,
    fetching: Option<Reading<Vec<u64>>>,
    /// Lines of dead letters that wait.
    pub(super) fetched: Queue,
    /// How often in a row the receiver failed at the first of them.
    pub(super) fetched_tries: usize,
    was_fetched: bool,
    /// In the order in which they were sent; the last one may be under way.
    pub(super) flights: VecDeque<Flight>,
    pub(super) call: Option<(Call, Moment)>,
    last_batch: u64,
    last_asked: u64,
    /// The last batch of which the receiver has said what it did with it.
    pub(super) last_answered: u64,
    /// Of batches up to this one, no mark fits any place.
    unknown_through: u64,
    mark: Mark,
    /// How many lines the account had when `mark` was found.
    mark_lines: u64,
    /// Nothing is sent before it was asked what has arrived.
    pub(super) confirms_first: bool,
    pub(super) confirm_at: Moment,
    /// How many such questions in a row brought nothing.
    pub(super) vain: usize,
    /// The receiver is left alone until then.
    pub(super) rest_until: Moment,
    /// How often it failed in a row.
    pub(super) failures: usize,
    /// There is no room for one more dead letter.
    pub(super) is_full: bool,
    is_stopping: bool,
    is_over: bool,
    pub(super) is_up: Option<bool>,
    pub(super) words: String,
    pub(super) trouble: Trouble<ForwardWhy>,
    remind_at: Option<Moment>,
    dead_told_at: Option<Moment>,
}

impl Forward {
    /// One of a receiver with these limits, from where its account stands, with the dead letters that there are.
    pub fn new(limits: BatchLimits, account: Account, letters: impl IntoIterator<Item = LineId>) -> Self {
        let clock = Clock::default();
        let limits = BatchLimits {
            items: limits.items.max(1),
            bytes: limits.bytes.max(1),
            awaited: limits.awaited.max(1),
            ..limits
        };
        Self {
            limits,
            chance: 0,
            call_micros: CALL_MICROS_MAX,
            head: None,
            books: Books::new(account, letters.into_iter().collect()),
            reading: None,
            trail: Queue::default(),
            narrow: Narrow::new(limits.items),
            batch_bytes: limits.bytes,
            wanted: BTreeSet::new(),
            fetching: None,
            fetched: Queue::default(),
            fetched_tries: 0,
            was_fetched: false,
            flights: VecDeque::new(),
            call: None,
            last_batch: 0,
            last_asked: 0,
            last_answered: 0,
            unknown_through: 0,
            mark: Mark::Same,
            mark_lines: account.lines,
            confirms_first: false,
            confirm_at: clock.moment(),
            vain: 0,
            rest_until: clock.moment(),
            failures: 0,
            is_full: false,
            is_stopping: false,
            is_over: false,
            is_up: None,
            words: String::new(),
            trouble: Trouble::default(),
            remind_at: None,
            dead_told_at: None,
            clock,
        }
    }

    /// The same, of a receiver whose calls may take so long: one that must not be given up while it may still take what it was given.
    #[must_use]
    pub fn waiting(self, call: Duration) -> Self {
        Self { call_micros: u64::try_from(call.as_micros()).unwrap_or(u64::MAX), ..self }
    }

    /// Takes what happened and adds what is to be done, in its order. `chance` is a random number of 64 bits, for waits: the core draws
    /// none. Any input is taken in any state; what does not fit (a late answer) changes nothing.
    pub fn step(&mut self, now: Timestamp, chance: u64, what: ForwardInput, out: &mut Vec<ForwardOrder>) {
        self.clock.advance(now);
        self.chance = chance;
        log(self.trouble.settle(self.clock.moment()), out);
        if self.is_over {
            return;
        }
        self.take(what, out);
        self.time_out(out);
        self.place(out);
        self.drop_trouble(out);
        if self.is_stopping {
            self.close(out);
        } else if !self.is_over {
            self.order_reading(out);
            self.order_call(out);
            self.remind(out);
        }
    }

    /// When a [`ForwardInput::Tick`] is wanted if nothing else happens; none when time alone changes nothing. It is later than the last
    /// step's `now`.
    pub fn wake_at(&self) -> Option<Timestamp> {
        if self.is_over {
            return None;
        }
        let deadlines = [
            self.call.map(|(_, until)| until),
            self.next().map(|(at, _)| at).filter(|_| !self.is_stopping),
            self.remind_at.filter(|_| !self.is_stopping),
            self.trouble.settles_at(),
        ];
        deadlines.into_iter().flatten().min().map(|first| self.clock.time(first))
    }

    /// What became of every record so far.
    pub fn account(&self) -> Account {
        self.books.account
    }

    /// The last record that is durable; none before it was told.
    pub fn head(&self) -> Option<u64> {
        self.head
    }

    /// How many dead letters there are that were told by a [`ForwardOrder::Place`].
    pub fn letters(&self) -> usize {
        self.books.letters()
    }

    /// How many batches are on their way and not known to have arrived.
    pub fn awaited(&self) -> usize {
        self.flights.len()
    }

    /// Whether the last call was answered well; none before the first one's end.
    pub fn is_up(&self) -> Option<bool> {
        self.is_up
    }

    /// What is wrong, while it lasts or comes and goes. What comes and goes is nothing where everything was taken in the end and nothing waits.
    pub fn trouble(&self) -> Option<Ongoing<ForwardWhy>> {
        let is_over = self.is_up == Some(true) && self.is_idle() && !self.is_full;
        self.trouble.ongoing().filter(|_| !is_over)
    }

    /// What the receiver, or the way to it, said last when something was wrong.
    pub fn words(&self) -> &str {
        &self.words
    }

    /// Whether everything that is durable was read, and nothing of it remains to be done.
    pub fn is_idle(&self) -> bool {
        let is_at_head = self.head.is_none_or(|head| self.books.account.place >= head);
        let is_resending = !self.wanted.is_empty() || self.fetching.is_some() || !self.fetched.is_empty();
        is_at_head && !is_resending && self.call.is_none() && self.flights.is_empty()
    }

    /// Whether it was stopped and has nothing more to say.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    fn take(&mut self, what: ForwardInput, out: &mut Vec<ForwardOrder>) {
        let moment = self.clock.moment();
        match what {
            ForwardInput::Head(head) => self.head_is(head, out),
            ForwardInput::Read(page) => self.read(page),
            ForwardInput::Fetched(records) => self.fetched(&records),
            ForwardInput::Sent(batch, answer) => {
                if self.ends(Call::Send(batch)) {
                    self.sent(batch, answer, out);
                }
            }
            ForwardInput::Confirmed(asked, answer) => {
                if self.ends(Call::Confirm(asked)) {
                    self.confirmed(answer, out);
                }
            }
            ForwardInput::Closed(answer) => {
                if self.ends(Call::Close) {
                    let arrived = answer.unwrap_or_else(|refusal| {
                        self.words = refusal.words;
                        Vec::new()
                    });
                    self.arrived(&arrived, out);
                    self.is_over = true;
                }
            }
            ForwardInput::Rewind(seq) => self.rewind(seq, out),
            ForwardInput::Resend(which) => self.wanted.extend(self.books.with_letters(&which)),
            ForwardInput::Discard(which) => self.discard(&which),
            ForwardInput::Renewed => {
                (self.rest_until, self.failures) = (moment, 0);
                self.batch_bytes = self.limits.bytes;
            }
            ForwardInput::Stop => {
                self.is_stopping = true;
                if let Some((_, until)) = &mut self.call {
                    *until = (*until).min(moment.plus(STOP_MICROS_MAX));
                }
            }
            ForwardInput::Tick => {}
        }
    }

    /// Whether the call that is under way is that one; it is over then.
    fn ends(&mut self, call: Call) -> bool {
        self.call.take_if(|(under_way, _)| *under_way == call).is_some()
    }

    fn head_is(&mut self, head: u64, out: &mut Vec<ForwardOrder>) {
        let place = self.books.account.place;
        if self.head.is_none() && head < place {
            out.push(ForwardOrder::Log(ForwardLine::Ahead { place, head }));
        }
        self.head = self.head.max(Some(head));
    }

    fn read(&mut self, page: Page) {
        let Some(reading) = self.reading.take_if(|reading| reading.what == page.after) else { return };
        if reading.is_stale {
            return;
        }
        for piece in self.books.read(page) {
            self.trail.push(piece, self.clock.moment());
        }
    }

    fn fetched(&mut self, records: &[Rendered]) {
        let Some(fetching) = self.fetching.take().filter(|fetching| !fetching.is_stale) else { return };
        for record in records.iter().filter(|record| fetching.what.contains(&record.seq)) {
            for piece in self.books.fetched(record) {
                self.fetched.push(piece, self.clock.moment());
            }
        }
        self.has_room_again();
    }

    fn discard(&mut self, which: &Which) {
        self.books.discard(which);
        let books = &self.books;
        self.fetched.retain(|id| books.is_letter(id));
        self.wanted = books.with_letters(&Which::Records(std::mem::take(&mut self.wanted)));
        self.has_room_again();
    }

    fn rewind(&mut self, seq: u64, out: &mut Vec<ForwardOrder>) {
        self.reset(out);
        self.books.rewind(self.head.map_or(seq, |head| seq.min(head)));
        self.trail = Queue::default();
        self.narrow = Narrow::new(self.limits.items);
        if let Some(reading) = &mut self.reading {
            reading.is_stale = true;
        }
        // The caller has dropped the lines of dead letters too: what is left of them is fetched again.
        self.wanted.extend(self.fetched.records());
        if let Some(fetching) = &mut self.fetching {
            self.wanted.extend(fetching.what.iter().copied());
            fetching.is_stale = true;
        }
        self.fetched = Queue::default();
        self.wanted = self.books.with_letters(&Which::Records(std::mem::take(&mut self.wanted)));
        (self.mark, self.mark_lines) = (Mark::Nothing, self.books.account.lines);
        self.has_room_again();
    }

    /// Gives up a call that takes too long.
    fn time_out(&mut self, out: &mut Vec<ForwardOrder>) {
        let moment = self.clock.moment();
        if self.call.is_none_or(|(_, until)| until > moment) {
            return;
        }
        self.reset(out);
        if self.is_stopping {
            self.is_over = true;
        } else {
            "no answer".clone_into(&mut self.words);
            self.failed(ForwardWhy::Silent, None, out);
        }
    }

    /// Has everything that is not known to have arrived sent again, in its order.
    pub(super) fn reset(&mut self, out: &mut Vec<ForwardOrder>) {
        out.push(ForwardOrder::Reset);
        self.call = None;
        self.confirms_first = false;
        self.unknown_through = self.last_batch;
        if self.flights.iter().any(|flight| !flight.is_fetched && flight.awaited_since.is_some()) {
            // Others come to the front now: who was suspected is not known any more.
            self.narrow.judged();
        } else {
            self.narrow.interrupted();
        }
        // From the last one back, so that each is put before those that follow it.
        while let Some(flight) = self.flights.pop_back() {
            self.books.account.retries += 1;
            self.put_back(flight.is_fetched, flight.pieces);
        }
    }

    /// Lines wait again.
    pub(super) fn put_back(&mut self, is_fetched: bool, pieces: Vec<Piece>) {
        let queue = if is_fetched { &mut self.fetched } else { &mut self.trail };
        queue.put_back(pieces);
        if is_fetched {
            let books = &self.books;
            self.fetched.retain(|id| books.is_letter(id));
        }
    }

    /// A dead letter is none any more, perhaps.
    pub(super) fn has_room_again(&mut self) {
        self.is_full &= !self.books.has_room(1);
    }

    /// Tells what has changed.
    fn place(&mut self, out: &mut Vec<ForwardOrder>) {
        let Some(mut progress) = self.books.progress() else { return };
        let lines = progress.account.lines;
        let settled = self.flights.front().map_or(self.last_answered, |flight| flight.number.0 - 1);
        let is_fitting = settled > self.unknown_through && !self.books.is_amid_a_record();
        if is_fitting {
            (self.mark, self.mark_lines) = (Mark::After(BatchNumber(settled)), lines);
        } else if lines != self.mark_lines {
            (self.mark, self.mark_lines) = (Mark::Nothing, lines);
        }
        progress.mark = self.mark;
        out.push(ForwardOrder::Place(Box::new(progress)));
        self.tell_dead(out);
    }

    /// Says that there is a new dead letter, which is one from here on: one that waits for the place is none for people yet.
    fn tell_dead(&mut self, out: &mut Vec<ForwardOrder>) {
        let Some(letter) = self.books.buried() else { return };
        let moment = self.clock.moment();
        if self.dead_told_at.is_none_or(|told| moment.since(told) >= STEADY_MICROS) {
            self.dead_told_at = Some(moment);
            out.push(ForwardOrder::Log(ForwardLine::Dead { letter, letters: self.books.letters() }));
        }
    }

    fn close(&mut self, out: &mut Vec<ForwardOrder>) {
        if self.call.is_none() && !self.is_over {
            self.call = Some((Call::Close, self.clock.moment().plus(STOP_MICROS_MAX)));
            out.push(ForwardOrder::Close);
        }
    }

    fn order_reading(&mut self, out: &mut Vec<ForwardOrder>) {
        let after = self.books.read_to;
        if self.reading.is_none() && self.may_hold_more() && self.head.is_some_and(|head| head > after) {
            self.reading = Some(Reading { what: after, is_stale: false });
            out.push(ForwardOrder::Read { after, records: READ_RECORDS_MAX, bytes: READ_BYTES_MAX });
        }
        // Those that were fetched last are held until then.
        let is_free = self.fetched.is_empty() && !self.flights.iter().any(|flight| flight.is_fetched);
        if self.fetching.is_none() && is_free && !self.wanted.is_empty() {
            let records: Vec<u64> = self.wanted.iter().copied().take(FETCH_RECORDS_MAX).collect();
            self.wanted.retain(|seq| !records.contains(seq));
            self.fetching = Some(Reading { what: records.clone(), is_stale: false });
            out.push(ForwardOrder::Fetch(records));
        }
    }

    /// Whether fewer lines are held than all batches that may be on their way, and the next one, can have.
    fn may_hold_more(&self) -> bool {
        let (lines, bytes) = self.books.held();
        let batches = self.limits.awaited.saturating_add(1);
        let lines_max =
            batches.saturating_mul(self.limits.items).clamp(READ_RECORDS_MAX as usize, AHEAD_LINES_MAX);
        let bytes_max = batches.saturating_mul(self.limits.bytes).clamp(READ_BYTES_MAX, AHEAD_BYTES_MAX);
        lines < lines_max && bytes < bytes_max
    }

    /// What the receiver is asked next, and when; none while a call is under way, or when nothing is to be asked.
    fn next(&self) -> Option<(Moment, Next)> {
        if self.call.is_some() {
            return None;
        }
        let moment = self.clock.moment();
        let is_awaited = !self.flights.is_empty();
        let confirm_at = if self.confirms_first { moment } else { self.confirm_at };
        let confirm = is_awaited.then_some((confirm_at, Next::Confirm));
        let may_send = !self.confirms_first && self.flights.len() < self.limits.awaited;
        let send = may_send.then(|| self.next_batch(is_awaited)).flatten();
        let next = [confirm, send].into_iter().flatten().min_by_key(|(at, _)| *at)?;
        Some((next.0.max(self.rest_until), next.1))
    }

    fn next_batch(&self, is_awaited: bool) -> Option<(Moment, Next)> {
        let moment = self.clock.moment();
        let fetched = (!self.fetched.is_empty()).then_some((moment, Next::SendFetched));
        let at = self.narrow.at();
        let reach = self.trail.reach(at, self.narrow.items(), self.batch_bytes);
        let is_open = !self.is_full && reach.count > 0;
        let asked = wait::linger(self.limits.linger);
        let linger = if is_awaited { asked.max(LINGER_MICROS) } else { asked };
        let trail = self.trail.due(linger).filter(|_| is_open).map(|due| {
            let due = if reach.is_full { moment } else { due.max(moment) };
            (due, Next::SendTrail(reach.count))
        });
        // In turn, so that neither waits for the other's end.
        let (first, second) = if self.was_fetched { (trail, fetched) } else { (fetched, trail) };
        [first, second].into_iter().flatten().min_by_key(|(due, _)| *due)
    }

    fn order_call(&mut self, out: &mut Vec<ForwardOrder>) {
        let moment = self.clock.moment();
        let Some((_, next)) = self.next().filter(|(due, _)| *due <= moment) else { return };
        let (is_fetched, pieces) = match next {
            Next::Confirm => {
                self.last_asked += 1;
                let asked = Asked(self.last_asked);
                self.begin(Call::Confirm(asked));
                return out.push(ForwardOrder::Confirm(asked));
            }
            // One by one: each was refused before, and may be again.
            Next::SendFetched => (true, self.fetched.take(0, 1)),
            Next::SendTrail(count) => (false, self.trail.take(self.narrow.at(), count)),
        };
        self.was_fetched = is_fetched;
        self.last_batch += 1;
        let batch = BatchNumber(self.last_batch);
        self.begin(Call::Send(batch));
        let lines = pieces.iter().map(|piece| piece.id).collect();
        out.push(ForwardOrder::Send { batch, is_fetched, lines });
        self.flights.push_back(Flight { number: batch, is_fetched, pieces, awaited_since: None });
    }

    fn begin(&mut self, call: Call) {
        self.call = Some((call, self.clock.moment().plus(self.call_micros)));
    }

    /// Where nothing is left to be sent, nothing stands in its way; a list of dead letters that is full would in that of the next line.
    fn drop_trouble(&mut self, out: &mut Vec<ForwardOrder>) {
        if self.is_idle() && !self.is_full {
            log(self.trouble.dropped().map(ForwardLine::NothingLeft), out);
        }
    }

    fn remind(&mut self, out: &mut Vec<ForwardOrder>) {
        let moment = self.clock.moment();
        let Some(ongoing) = self.trouble.ongoing() else {
            self.remind_at = None;
            return;
        };
        if *self.remind_at.get_or_insert(moment.plus(REMINDER_MICROS)) <= moment {
            self.remind_at = Some(moment.plus(REMINDER_MICROS));
            out.push(ForwardOrder::Log(ForwardLine::Still(ongoing)));
        }
    }
}

pub(super) fn log(turn: Option<impl Into<ForwardLine>>, out: &mut Vec<ForwardOrder>) {
    out.extend(turn.map(|turn| ForwardOrder::Log(turn.into())));
}
