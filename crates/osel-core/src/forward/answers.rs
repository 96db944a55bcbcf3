//! What follows from an answer of the receiver, or from one that did not come.

use std::time::Duration;

use super::limits::{AWAITED_MICROS_MAX, FAILED_TRIES};
use super::machine::{Flight, Forward, log};
use super::narrow::Then;
use super::queue::Piece;
use super::receiver::{BatchNumber, Refusal, RefusalKind, Taken};
use super::wait;
use super::words::{ForwardOrder, ForwardWhy};

impl Forward {
    /// The receiver was handed a batch, and says what it did with it.
    pub(super) fn sent(
        &mut self,
        batch: BatchNumber,
        answer: Result<Taken, Refusal>,
        out: &mut Vec<ForwardOrder>,
    ) {
        let Some(mut flight) = self.flights.pop_back() else { return };
        debug_assert_eq!(flight.number, batch);
        self.last_answered = batch.0;
        let moment = self.clock.moment();
        match answer {
            Ok(taken) => {
                if !flight.is_fetched {
                    self.passed();
                }
                match taken {
                    Taken::Kept => {
                        self.books.account.batches += 1;
                        self.settle(flight.is_fetched, &flight.pieces);
                        self.well(out);
                    }
                    Taken::Awaited => {
                        if self.flights.is_empty() {
                            (self.vain, self.confirm_at) = (0, moment.plus(wait::confirm(0)));
                        }
                        flight.awaited_since = Some(moment);
                        self.flights.push_back(flight);
                        // What it was given may lie in a buffer that nobody reads: a trouble ends when something is there.
                        if self.trouble().is_none() {
                            self.well(out);
                        }
                    }
                }
            }
            Err(refusal) => self.refused(flight, refusal, out),
        }
    }

    /// The receiver says what has arrived.
    pub(super) fn confirmed(
        &mut self,
        answer: Result<Vec<BatchNumber>, Refusal>,
        out: &mut Vec<ForwardOrder>,
    ) {
        let moment = self.clock.moment();
        match answer {
            Ok(arrived) => {
                self.confirms_first = false;
                if self.arrived(&arrived, out) {
                    self.vain = 0;
                } else {
                    self.vain += 1;
                }
                self.confirm_at = moment.plus(wait::confirm(self.vain));
                let since = self.flights.front().and_then(|flight| flight.awaited_since);
                if since.is_some_and(|since| moment.since(since) >= AWAITED_MICROS_MAX) {
                    "it does not say that what it took has arrived".clone_into(&mut self.words);
                    self.reset(out);
                    self.failed(ForwardWhy::Silent, None, out);
                }
            }
            Err(refusal) => {
                self.words = refusal.words;
                // What it says to have of the oldest is there.
                if let Some(oldest) = self.flights.front_mut().filter(|oldest| oldest.awaited_since.is_some())
                {
                    let taken = refusal.taken.min(oldest.pieces.len());
                    let rest = oldest.pieces.split_off(taken);
                    let (there, is_fetched) =
                        (std::mem::replace(&mut oldest.pieces, rest), oldest.is_fetched);
                    self.settle(is_fetched, &there);
                }
                self.reset(out);
                self.failed(why(refusal.kind), refusal.wait, out);
            }
        }
    }

    /// These batches have arrived: whether any was awaited.
    pub(super) fn arrived(&mut self, batches: &[BatchNumber], out: &mut Vec<ForwardOrder>) -> bool {
        let before = self.flights.len();
        for batch in batches {
            let is_it = |flight: &Flight| flight.number == *batch && flight.awaited_since.is_some();
            let at = self.flights.iter().position(is_it);
            if let Some(flight) = at.and_then(|at| self.flights.remove(at)) {
                self.books.account.batches += 1;
                self.settle(flight.is_fetched, &flight.pieces);
            }
        }
        let has_any = self.flights.len() < before;
        if has_any {
            self.well(out);
        }
        has_any
    }

    /// Lines are where they are to be.
    fn settle(&mut self, is_fetched: bool, pieces: &[Piece]) {
        if is_fetched {
            self.fetched_tries = 0;
            for piece in pieces {
                self.books.revived(*piece);
            }
            self.has_room_again();
        } else {
            self.books.arrived(pieces);
        }
    }

    /// The receiver has taken lines of the trail: those before, at which it failed again and again, are to blame.
    fn passed(&mut self) {
        let words = self.narrow.passed();
        for (piece, words) in self.trail.take(0, words.len()).into_iter().zip(words) {
            self.books.bury(piece.id, &words);
        }
    }

    fn refused(&mut self, mut flight: Flight, refusal: Refusal, out: &mut Vec<ForwardOrder>) {
        self.books.account.retries += 1;
        let Refusal { kind, words, taken, wait } = refusal;
        let (lines, is_fetched) = (flight.pieces.len(), flight.is_fetched);
        let bytes: usize = flight.pieces.iter().map(|piece| piece.bytes).sum();
        let kind = match kind {
            RefusalKind::Item(place) if place >= lines => RefusalKind::Garbled,
            RefusalKind::TooLarge if lines == 1 && is_fetched => RefusalKind::Item(0),
            RefusalKind::Suspect if taken >= lines => RefusalKind::Garbled,
            // What it has just taken shows that it takes others. A dead letter stays one whatever it says.
            RefusalKind::Suspect if taken > 0 || is_fetched => RefusalKind::Item(taken),
            kind => kind,
        };
        let taken = match kind {
            RefusalKind::Item(place) => taken.min(place),
            RefusalKind::TooLarge if lines == 1 => 0,
            _ => taken.min(lines),
        };
        let mut rest = flight.pieces.split_off(taken);
        if taken > 0 {
            if !is_fetched {
                self.passed();
            }
            self.settle(is_fetched, &flight.pieces);
        }
        self.words.clone_from(&words);
        match kind {
            RefusalKind::Item(place) => {
                self.judged(is_fetched, rest, place - taken, &words, out);
                self.rest(wait);
            }
            RefusalKind::TooLarge if lines > 1 => {
                self.batch_bytes = (bytes / 2).max(1);
                self.narrow.too_large(lines);
                self.put_back(is_fetched, rest);
                self.well(out);
                self.rest(wait);
            }
            RefusalKind::Failed if is_fetched => {
                self.fetched_tries += 1;
                if self.fetched_tries >= FAILED_TRIES {
                    self.fetched_tries = 0;
                    for piece in rest.drain(..) {
                        self.books.refused_again(piece.id, &words);
                    }
                }
                self.put_back(is_fetched, rest);
                self.is_in_the_way(ForwardWhy::Failed, wait, out);
            }
            RefusalKind::Failed | RefusalKind::TooLarge | RefusalKind::Suspect => {
                self.put_back(is_fetched, rest);
                let is_named = kind != RefusalKind::Failed;
                let lines = if is_named { 1 } else { lines - taken };
                let is_last = self.narrow.at() + lines >= self.trail.len();
                let then = if is_named {
                    self.narrow.alone_refused(is_last, &words)
                } else {
                    self.narrow.failed(lines, is_last, &words)
                };
                match then {
                    Then::Next if self.books.has_room(self.narrow.at()) => {
                        self.confirms_first = !self.flights.is_empty();
                        self.rest(wait);
                        self.is_up = Some(false);
                        // One line that it does not take is no trouble of a receiver that takes the next one.
                        if !is_named {
                            log(self.trouble.happened(self.clock.now(), ForwardWhy::Failed), out);
                        }
                    }
                    Then::Next => self.hold(out),
                    Then::Wait => self.is_in_the_way(ForwardWhy::Failed, wait, out),
                }
            }
            RefusalKind::Unavailable
            | RefusalKind::Silent
            | RefusalKind::Denied
            | RefusalKind::Misplaced
            | RefusalKind::Unfit
            | RefusalKind::Garbled => {
                self.put_back(is_fetched, rest);
                self.narrow.interrupted();
                self.is_in_the_way(why(kind), wait, out);
            }
        }
    }

    /// The receiver will never take the line of that place, and would take the others.
    fn judged(
        &mut self,
        is_fetched: bool,
        mut rest: Vec<Piece>,
        place: usize,
        words: &str,
        out: &mut Vec<ForwardOrder>,
    ) {
        if !is_fetched {
            self.narrow.judged();
        }
        if is_fetched {
            let refused = rest.remove(place);
            self.fetched_tries = 0;
            self.books.refused_again(refused.id, words);
            self.put_back(is_fetched, rest);
        } else if self.books.has_room(1) {
            let refused = rest.remove(place);
            self.put_back(is_fetched, rest);
            self.books.bury(refused.id, words);
        } else {
            self.put_back(is_fetched, rest);
            return self.hold(out);
        }
        self.well(out);
    }

    /// There is no room for what would have to become a dead letter: nothing of the trail is sent until there is.
    fn hold(&mut self, out: &mut Vec<ForwardOrder>) {
        self.is_full = true;
        self.is_up = Some(false);
        self.narrow.interrupted();
        log(self.trouble.happened(self.clock.now(), ForwardWhy::Full), out);
    }

    /// A batch was not taken for a reason that may have met those before it too.
    fn is_in_the_way(&mut self, why: ForwardWhy, wait: Option<Duration>, out: &mut Vec<ForwardOrder>) {
        self.confirms_first = !self.flights.is_empty();
        self.failed(why, wait, out);
    }

    /// The receiver is left alone for a while.
    pub(super) fn failed(&mut self, why: ForwardWhy, wait: Option<Duration>, out: &mut Vec<ForwardOrder>) {
        self.rest_until = self.clock.moment().plus(wait::retry(self.failures, self.chance, wait));
        self.failures = self.failures.saturating_add(1);
        self.is_up = Some(false);
        log(self.trouble.happened(self.clock.now(), why), out);
    }

    /// It does what it is asked, and wants a pause.
    fn rest(&mut self, wait: Option<Duration>) {
        self.rest_until = self.clock.moment().plus(wait.map_or(0, wait::micros));
    }

    fn well(&mut self, out: &mut Vec<ForwardOrder>) {
        self.failures = 0;
        self.is_up = Some(true);
        if !self.is_full {
            log(self.trouble.ended(self.clock.moment()), out);
        }
    }
}

/// What a refusal says of the receiver.
fn why(kind: RefusalKind) -> ForwardWhy {
    match kind {
        RefusalKind::Unavailable => ForwardWhy::Unavailable,
        RefusalKind::Silent => ForwardWhy::Silent,
        RefusalKind::Failed => ForwardWhy::Failed,
        RefusalKind::Denied => ForwardWhy::Denied,
        RefusalKind::Misplaced => ForwardWhy::Misplaced,
        RefusalKind::Unfit => ForwardWhy::Unfit,
        // To a question that has no lines, also what speaks of lines.
        RefusalKind::Garbled | RefusalKind::Item(_) | RefusalKind::Suspect | RefusalKind::TooLarge => {
            ForwardWhy::Garbled
        }
    }
}
