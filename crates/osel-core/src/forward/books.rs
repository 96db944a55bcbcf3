//! What is known of the records behind the place, and what becomes of them: the account, the place, and the dead letters.

use std::collections::{BTreeSet, VecDeque};

use super::account::Account;
use super::limits::{DEAD_LETTERS_MAX, DEAD_WORDS_MAX};
use super::queue::Piece;
use super::words::{DeadLetter, LineId, Mark, Page, Progress, Rendered, Which};

/// A record behind the place that has lines, or several that have them together.
#[derive(Clone, Debug)]
struct Open {
    seq: u64,
    /// How many records up to it, and how many of these are told.
    covers: u64,
    told: u64,
    lines: usize,
    bytes: usize,
    /// How many lines are where they are to be, and their bytes.
    arrived: (usize, u64),
    dead: Vec<DeadLetter>,
}

impl Open {
    fn settled(&self) -> usize {
        self.arrived.0 + self.dead.len()
    }

    fn is_settled(&self) -> bool {
        self.settled() >= self.lines
    }
}

/// The books of a forwarder.
#[derive(Clone, Debug)]
pub(super) struct Books {
    pub(super) account: Account,
    /// Records up to this one were read.
    pub(super) read_to: u64,
    /// Those that were read, are behind the place and have lines, in order.
    open: VecDeque<Open>,
    letters: BTreeSet<LineId>,
    /// Dead letters of `open`, which are not told yet.
    letters_to_come: usize,
    held_lines: usize,
    held_bytes: usize,
    dead: Vec<DeadLetter>,
    gone: Vec<LineId>,
    /// One of `dead` that was none before.
    buried: Option<DeadLetter>,
    is_changed: bool,
}

impl Books {
    pub(super) fn new(account: Account, letters: BTreeSet<LineId>) -> Self {
        Self {
            account,
            read_to: account.place,
            open: VecDeque::new(),
            letters,
            letters_to_come: 0,
            held_lines: 0,
            held_bytes: 0,
            dead: Vec::new(),
            gone: Vec::new(),
            buried: None,
            is_changed: false,
        }
    }

    /// How many lines the caller holds, and their bytes.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.held_lines, self.held_bytes)
    }

    /// How many dead letters there are that are told.
    pub(super) fn letters(&self) -> usize {
        self.letters.len()
    }

    /// Whether so many more lines may become dead letters.
    pub(super) fn has_room(&self, more: usize) -> bool {
        (self.letters.len() + self.letters_to_come).saturating_add(more) <= DEAD_LETTERS_MAX
    }

    /// Whether it is a dead letter.
    pub(super) fn is_letter(&self, id: LineId) -> bool {
        self.letters.contains(&id)
    }

    /// The records among these that have dead letters.
    pub(super) fn with_letters(&self, which: &Which) -> BTreeSet<u64> {
        let all = self.letters.iter().map(|id| id.seq);
        match which {
            Which::All => all.collect(),
            Which::Records(records) => records.iter().copied().filter(|seq| self.has_letters(*seq)).collect(),
        }
    }

    fn has_letters(&self, seq: u64) -> bool {
        self.letters_of(seq).next().is_some()
    }

    fn letters_of(&self, seq: u64) -> impl Iterator<Item = LineId> {
        self.letters.range(LineId { seq, line: 0 }..=LineId { seq, line: u32::MAX }).copied()
    }

    /// Whether a record behind the place has lines of which something became, and others.
    pub(super) fn is_amid_a_record(&self) -> bool {
        self.open.front().is_some_and(|open| open.settled() > 0)
    }

    /// Takes what was read: the lines of it.
    pub(super) fn read(&mut self, page: Page) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for record in page.records {
            let is_next = record.seq > self.read_to && record.seq <= page.through;
            if !is_next || record.lines.is_empty() {
                continue;
            }
            let covers = record.covers.clamp(1, record.seq - self.read_to);
            let told = record.told.min(covers);
            self.read_to = record.seq;
            let before = pieces.len();
            pieces.extend(pieces_of(&record));
            let lines = pieces.len() - before;
            let bytes = record.lines.iter().fold(0_usize, |sum, bytes| sum.saturating_add(*bytes));
            self.held_lines += lines;
            self.held_bytes = self.held_bytes.saturating_add(bytes);
            let (seq, arrived, dead) = (record.seq, (0, 0), Vec::new());
            self.open.push_back(Open { seq, covers, told, lines, bytes, arrived, dead });
        }
        self.read_to = self.read_to.max(page.through);
        self.advance();
        pieces
    }

    /// Lines are where they are to be.
    pub(super) fn arrived(&mut self, pieces: &[Piece]) {
        for piece in pieces {
            if let Some(open) = self.open_of(piece.id.seq) {
                open.arrived.0 += 1;
                open.arrived.1 += piece.bytes as u64;
            }
        }
        self.advance();
    }

    /// A line will never be taken.
    pub(super) fn bury(&mut self, id: LineId, words: &str) {
        let letter = DeadLetter { id, words: words.chars().take(DEAD_WORDS_MAX).collect() };
        if let Some(open) = self.open_of(id.seq) {
            open.dead.push(letter);
            self.letters_to_come += 1;
        }
        self.advance();
    }

    fn open_of(&mut self, seq: u64) -> Option<&mut Open> {
        let at = self.open.binary_search_by_key(&seq, |open| open.seq).ok()?;
        self.open.get_mut(at)
    }

    /// Moves the place over everything of which nothing remains to be done.
    fn advance(&mut self) {
        while let Some(open) = self.open.pop_front_if(|open| open.is_settled()) {
            self.pass_filtered(open.seq - open.covers);
            self.held_lines -= open.lines;
            self.held_bytes = self.held_bytes.saturating_sub(open.bytes);
            self.account.place = open.seq;
            self.account.lines += open.arrived.0 as u64;
            self.account.bytes += open.arrived.1;
            let counter =
                if open.dead.is_empty() { &mut self.account.delivered } else { &mut self.account.dead };
            *counter += open.told;
            self.account.filtered += open.covers - open.told;
            self.letters_to_come -= open.dead.len();
            self.letters.extend(open.dead.iter().map(|letter| letter.id));
            self.buried = open.dead.first().cloned().or(self.buried.take());
            self.dead.extend(open.dead);
            self.is_changed = true;
        }
        self.pass_filtered(self.open.front().map_or(self.read_to, |open| open.seq - open.covers));
    }

    fn pass_filtered(&mut self, through: u64) {
        let passed = through.saturating_sub(self.account.place);
        self.account.filtered += passed;
        self.account.place += passed;
        self.is_changed |= passed > 0;
    }

    /// The lines of dead letters of a record, as they are now; those that are none any more are forgotten.
    pub(super) fn fetched(&mut self, record: &Rendered) -> Vec<Piece> {
        let (there, not_there): (Vec<LineId>, Vec<LineId>) =
            self.letters_of(record.seq).partition(|id| (id.line as usize) < record.lines.len());
        for id in not_there {
            self.forget(id);
            if self.is_mended(id.seq) {
                self.account.filtered += 1;
            }
        }
        pieces_of(record).filter(|piece| there.contains(&piece.id)).collect()
    }

    /// A dead letter was taken after all.
    pub(super) fn revived(&mut self, piece: Piece) {
        if !self.is_letter(piece.id) {
            return;
        }
        self.forget(piece.id);
        self.account.lines += 1;
        self.account.bytes += piece.bytes as u64;
        if self.is_mended(piece.id.seq) {
            self.account.delivered += 1;
        }
    }

    /// A dead letter was refused again.
    pub(super) fn refused_again(&mut self, id: LineId, words: &str) {
        if self.is_letter(id) {
            self.dead.push(DeadLetter { id, words: words.chars().take(DEAD_WORDS_MAX).collect() });
            self.is_changed = true;
        }
    }

    /// Dead letters are given up: their records remain dead.
    pub(super) fn discard(&mut self, which: &Which) {
        for seq in self.with_letters(which) {
            for id in self.letters_of(seq).collect::<Vec<_>>() {
                self.forget(id);
            }
        }
    }

    fn forget(&mut self, id: LineId) {
        self.letters.remove(&id);
        self.gone.push(id);
        self.is_changed = true;
    }

    /// Whether the last dead letter of a record was just forgotten that the account has as dead; it does not have it any more then.
    fn is_mended(&mut self, seq: u64) -> bool {
        let is_counted = seq > self.account.begin && seq <= self.account.place && self.account.dead > 0;
        let is_mended = is_counted && !self.has_letters(seq);
        self.account.dead -= u64::from(is_mended);
        is_mended
    }

    /// Begins after that record. Letters behind it are none any more: their lines will be sent again.
    pub(super) fn rewind(&mut self, seq: u64) {
        self.gone.extend(self.letters.split_off(&LineId { seq: seq.saturating_add(1), line: 0 }));
        self.account = Account::after(seq);
        self.read_to = seq;
        self.open.clear();
        (self.letters_to_come, self.held_lines, self.held_bytes) = (0, 0, 0);
        self.is_changed = true;
    }

    /// A line that has become a dead letter since the last time.
    pub(super) fn buried(&mut self) -> Option<DeadLetter> {
        self.buried.take()
    }

    /// What has changed since the last time, but for the mark.
    pub(super) fn progress(&mut self) -> Option<Progress> {
        std::mem::take(&mut self.is_changed).then(|| Progress {
            account: self.account,
            mark: Mark::Same,
            dead: std::mem::take(&mut self.dead),
            gone: std::mem::take(&mut self.gone),
        })
    }
}

fn pieces_of(record: &Rendered) -> impl Iterator<Item = Piece> {
    let seq = record.seq;
    (0_u32..).zip(&record.lines).map(move |(line, &bytes)| Piece { id: LineId { seq, line }, bytes })
}
