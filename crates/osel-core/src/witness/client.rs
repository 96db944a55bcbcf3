//! When a witness is asked, and what follows from its answer.
//!
//! One question is out at a time; what was signed meanwhile is asked for by the next one, the largest standing for all. Several witnesses are
//! asked about the same checkpoint, [`Common`] says which: one that two have cosigned is worth more than two that one has. A witness that is away
//! holds up nobody and is asked less and less often. One that has seen a larger log, or another one, is believed: its memory is the one thing
//! that whoever changes the store cannot change. But a refusal is not signed, and anybody on the way could give one: what raises the alarm is
//! the last checkpoint that the witness has signed.

use crate::pace::{Clock, Moment, Ongoing, REMINDER_MICROS, Severity, Trouble, Turn, Wrong, doubled, drawn};
use crate::time::Timestamp;

/// How long a witness is left alone after it has cosigned: what it has not seen could be cut off unseen, and each question makes it write.
pub const ASK_EVERY_MICROS: u64 = 5_000_000;
/// The first wait after a failure.
const RETRY_BASE_MICROS: u64 = 2_000_000;
/// A witness that is away is asked that often all the same.
const RETRY_CAP_MICROS: u64 = 300_000_000;
/// No wait is shorter, whatever chance says.
const RETRY_FLOOR_MICROS: u64 = 500_000;
/// How long one is left alone that does not know us: a person mends that.
const MENDING_WAIT_MICROS: u64 = 300_000_000;
/// So often in a row may a witness name another size at once: somebody else may send it the same log's checkpoints.
const CONFLICTS_AT_ONCE_MAX: usize = 3;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientInput {
    /// The log has signed checkpoints, and they are durable.
    Newest {
        /// The size of the last one.
        size: u64,
        /// That of the one that all witnesses are asked about now, not larger than the last.
        common: u64,
    },
    /// The question was answered, or not.
    Answered(Reply),
    /// It was looked what it has signed last.
    Shown(Shown),
    /// Time has passed.
    Tick,
}

/// What a witness answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It cosigned, and its signature is right.
    Cosigned,
    /// Another size is the last that it has seen.
    Conflict(u64),
    /// The proof does not lead from what it has seen.
    Inconsistent,
    /// It does not know the log or its key, or cannot read what it was sent.
    Refused(String),
    /// Nobody is there, or it has too much to do.
    Unavailable(String),
    /// What it answered cannot be understood, or is not signed by its key.
    Garbled(String),
    /// The question could not be asked: what the store keeps proves nothing.
    Unproved(String),
}

/// What a witness shows as the last of this log that it has cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Signed by it: a checkpoint that the log has, or goes on from.
    Ours(u64),
    /// Signed by it: one of more records than the log has.
    Larger(u64),
    /// Signed by it: one of so many records, of which the log has others.
    Other(u64),
    /// Signed by it: the checkpoint of so many records that are there, though what is kept of the tree over them says another root.
    Damaged(u64),
    /// Nothing that it has signed, and why.
    Nothing(String),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientOrder {
    /// Ask for a cosignature of the checkpoint of `size`, which goes on from `old`.
    Ask {
        /// The size that it is believed to have seen last.
        old: u64,
        /// The checkpoint's.
        size: u64,
    },
    /// Look what it has cosigned last of this log.
    Prove,
    /// The log is not what the witness has seen: nothing more may be taken. Nothing is ordered after it.
    Alarm(Alarm),
    /// Say something in the log.
    Log(WitnessLine),
}

/// How the log differs from what a witness has seen of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Alarm {
    /// It has seen a larger one.
    #[error("the witness has seen {seen} records of this log, and it has {ours}: what followed was cut off")]
    Shorter {
        /// What it has seen.
        seen: u64,
        /// The size of the log.
        ours: u64,
    },
    /// It has seen another one.
    #[error(
        "the first {seen} records of this log are not those that the witness has seen: they were rewritten"
    )]
    Different {
        /// The size at which they differ.
        seen: u64,
    },
}

/// What is wrong with a witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WitnessWhy {
    /// Nobody is there.
    Unavailable,
    /// It does not know the log, or we do not know its key.
    Refused,
    /// Its answer cannot be understood.
    Garbled,
    /// What the store keeps proves nothing.
    Unproved,
    /// It says that the log is not what it has seen, and shows nothing signed that says so.
    Disputed,
}

/// A line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WitnessLine {
    /// It cosigned for the first time.
    Witnessed(u64),
    /// Something is wrong, or it became something that needs somebody.
    Began(Ongoing<WitnessWhy>),
    /// It is over.
    Ended(Ongoing<WitnessWhy>),
    /// It comes and goes.
    Unsteady(Ongoing<WitnessWhy>),
    /// What came and went has gone well for a minute.
    Steady(Ongoing<WitnessWhy>),
    /// It still lasts.
    Still(Ongoing<WitnessWhy>),
}

impl WitnessLine {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Witnessed(_) | Self::Ended(_) | Self::Steady(_) => Severity::Info,
            Self::Began(ongoing) | Self::Still(ongoing) if ongoing.why.needs_person() => Severity::Error,
            Self::Began(_) | Self::Unsteady(_) | Self::Still(_) => Severity::Warn,
        }
    }
}

impl Wrong for WitnessWhy {
    fn needs_person(self) -> bool {
        matches!(self, Self::Refused | Self::Unproved | Self::Disputed)
    }
}

/// How far a witness has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientStatus {
    /// The largest size that it has cosigned, as far as we know.
    pub cosigned: u64,
    /// The largest size that could be.
    pub newest: u64,
    /// When it cosigned last, by our clock; none for not since the start.
    pub cosigned_at: Option<Timestamp>,
    /// What is wrong, and since when.
    pub trouble: Option<Ongoing<WitnessWhy>>,
    /// What was said last when something was wrong.
    pub words: String,
}

/// The state machine of one witness.
#[derive(Clone, Debug)]
pub struct WitnessClient {
    clock: Clock,
    /// What it is believed to have seen last.
    seen: u64,
    /// Whether it has said so itself.
    is_told: bool,
    newest: u64,
    /// What all are asked about.
    common: u64,
    /// What it is being asked.
    asked: Option<(u64, u64)>,
    /// What it says against the log, while it is looked what it has signed.
    disputed: Option<(WitnessWhy, String)>,
    /// It is not asked before.
    next_at: Moment,
    failures: usize,
    conflicts: usize,
    cosigned: u64,
    cosigned_at: Option<Timestamp>,
    trouble: Trouble<WitnessWhy>,
    remind_at: Option<Moment>,
    words: String,
    is_alarmed: bool,
}

impl WitnessClient {
    /// One that has cosigned that size last, as far as is remembered; 0 for never.
    pub fn new(cosigned: u64) -> Self {
        let clock = Clock::default();
        Self {
            seen: cosigned,
            is_told: false,
            newest: 0,
            common: 0,
            asked: None,
            disputed: None,
            next_at: clock.moment(),
            failures: 0,
            conflicts: 0,
            cosigned,
            cosigned_at: None,
            trouble: Trouble::default(),
            remind_at: None,
            words: String::new(),
            is_alarmed: false,
            clock,
        }
    }

    /// Takes what happened and adds what is to be done. `chance` is a random number of 64 bits, for waits: the core draws none.
    pub fn step(&mut self, now: Timestamp, chance: u64, what: ClientInput, out: &mut Vec<ClientOrder>) {
        self.clock.advance(now);
        if self.is_alarmed {
            return;
        }
        let settled = self.trouble.settle(self.clock.moment());
        self.log(settled, out);
        match what {
            ClientInput::Newest { size, common } => {
                self.newest = self.newest.max(size);
                self.common = self.common.max(common).min(self.newest);
            }
            ClientInput::Answered(reply) => {
                if let Some((old, size)) = self.asked.take() {
                    self.answered(old, size, reply, chance, out);
                }
            }
            ClientInput::Shown(shown) => {
                if let Some((why, words)) = self.disputed.take() {
                    self.shown(why, &words, shown, chance, out);
                }
            }
            ClientInput::Tick => {}
        }
        self.ask(out);
        self.remind(out);
    }

    /// When a [`ClientInput::Tick`] is wanted if nothing else happens; none when time alone changes nothing.
    pub fn wake_at(&self) -> Option<Timestamp> {
        if self.is_alarmed {
            return None;
        }
        let ask = (self.is_free() && self.has_question()).then_some(self.next_at);
        let first = [ask, self.remind_at, self.trouble.settles_at()].into_iter().flatten().min();
        first.map(|first| self.clock.time(first))
    }

    /// How far it has come.
    pub fn status(&self) -> ClientStatus {
        ClientStatus {
            cosigned: self.cosigned,
            newest: self.newest,
            cosigned_at: self.cosigned_at,
            trouble: self.trouble.ongoing(),
            words: self.words.clone(),
        }
    }

    fn answered(&mut self, old: u64, size: u64, reply: Reply, chance: u64, out: &mut Vec<ClientOrder>) {
        if !matches!(reply, Reply::Conflict(_)) {
            self.conflicts = 0;
        }
        match reply {
            Reply::Cosigned => {
                let is_first = !std::mem::replace(&mut self.is_told, true);
                (self.seen, self.cosigned, self.cosigned_at) = (size, size, Some(self.clock.now()));
                self.failures = 0;
                self.next_at = self.clock.moment().plus(ASK_EVERY_MICROS);
                let ended = self.trouble.ended(self.clock.moment());
                self.log(ended, out);
                if is_first {
                    out.push(ClientOrder::Log(WitnessLine::Witnessed(size)));
                }
            }
            Reply::Conflict(seen) if seen > self.newest => {
                let words = format!("it says that it has seen {seen} records, of {}", self.newest);
                self.look(WitnessWhy::Disputed, words, out);
            }
            Reply::Conflict(seen) => {
                (self.seen, self.is_told) = (seen, true);
                self.conflicts += 1;
                if self.conflicts > CONFLICTS_AT_ONCE_MAX {
                    self.conflicts = 0;
                    let words = format!("it names another size each time, now {seen}");
                    self.failed(WitnessWhy::Garbled, words, chance, out);
                }
            }
            Reply::Inconsistent if old > 0 => {
                let words = format!("it says that it has seen {old} other records");
                self.look(WitnessWhy::Disputed, words, out);
            }
            // Every tree goes on from the empty one: it has not understood.
            Reply::Inconsistent => {
                let words = "it takes no proof to be wrong where none is needed".to_owned();
                self.failed(WitnessWhy::Garbled, words, chance, out);
            }
            Reply::Refused(words) => self.failed(WitnessWhy::Refused, words, chance, out),
            Reply::Unavailable(words) => self.failed(WitnessWhy::Unavailable, words, chance, out),
            Reply::Garbled(words) => self.failed(WitnessWhy::Garbled, words, chance, out),
            // It could not be asked for a signature: what it has signed can be looked at all the same.
            Reply::Unproved(words) => self.look(WitnessWhy::Unproved, words, out),
        }
    }

    /// Has it looked what the witness has signed, before it is told what is wrong.
    fn look(&mut self, why: WitnessWhy, words: String, out: &mut Vec<ClientOrder>) {
        self.disputed = Some((why, words));
        out.push(ClientOrder::Prove);
    }

    fn shown(&mut self, why: WitnessWhy, words: &str, shown: Shown, chance: u64, out: &mut Vec<ClientOrder>) {
        match shown {
            Shown::Larger(seen) if seen > self.newest => {
                self.alarm(Alarm::Shorter { seen, ours: self.newest }, out);
            }
            Shown::Other(seen) => self.alarm(Alarm::Different { seen }, out),
            // Another leader has gone on meanwhile.
            Shown::Larger(seen) => (self.seen, self.is_told) = (seen, true),
            Shown::Ours(seen) => {
                let words = format!("{words}; the last that it has signed is this log, with {seen} records");
                self.failed(why, words, chance, out);
            }
            // The store proves nothing to anybody, whatever else is said.
            Shown::Damaged(seen) => {
                let words = format!(
                    "{words}; the last that it has signed is this log, with {seen} records, and nodes that the store keeps over them are damaged: \
                     `osel audit verify` names the first"
                );
                self.failed(WitnessWhy::Unproved, words, chance, out);
            }
            Shown::Nothing(reason) => {
                let words = format!("{words}; it shows nothing that it has signed: {reason}");
                self.failed(why, words, chance, out);
            }
        }
    }

    fn failed(&mut self, why: WitnessWhy, words: String, chance: u64, out: &mut Vec<ClientOrder>) {
        self.words = words;
        // What disputes the log and could not show why may show it in a moment, and until then a log that was cut goes on.
        let wait = if why.needs_person() && why != WitnessWhy::Disputed {
            MENDING_WAIT_MICROS + drawn(MENDING_WAIT_MICROS, chance)
        } else {
            drawn(doubled(RETRY_BASE_MICROS, self.failures, RETRY_CAP_MICROS), chance).max(RETRY_FLOOR_MICROS)
        };
        self.failures = self.failures.saturating_add(1);
        self.next_at = self.clock.moment().plus(wait);
        let began = self.trouble.happened(self.clock.now(), why);
        self.log(began, out);
    }

    fn alarm(&mut self, alarm: Alarm, out: &mut Vec<ClientOrder>) {
        self.is_alarmed = true;
        out.push(ClientOrder::Alarm(alarm));
    }

    /// Whether nothing is awaited of it.
    fn is_free(&self) -> bool {
        self.asked.is_none() && self.disputed.is_none()
    }

    /// Whether there is something to ask: what it has not cosigned, as far as we know, or at the start whether it has. That it names a size as
    /// the last that it has seen says nothing about the root that it has seen.
    fn has_question(&self) -> bool {
        self.common > self.seen.min(self.cosigned) || (!self.is_told && self.common > 0)
    }

    fn ask(&mut self, out: &mut Vec<ClientOrder>) {
        if self.is_alarmed || !self.is_free() || !self.has_question() || self.next_at > self.clock.moment() {
            return;
        }
        // What we remember of it may be more than we have left, and what it has seen of another leader more than what all are asked about.
        let old = self.seen.min(self.newest);
        let question = (old, if old > self.common { self.newest } else { self.common });
        self.asked = Some(question);
        out.push(ClientOrder::Ask { old: question.0, size: question.1 });
    }

    fn log(&mut self, turn: Option<Turn<WitnessWhy>>, out: &mut Vec<ClientOrder>) {
        let Some(turn) = turn else { return };
        let line = match turn {
            Turn::Began(ongoing) => WitnessLine::Began(ongoing),
            Turn::Ended(ongoing) => WitnessLine::Ended(ongoing),
            Turn::Unsteady(ongoing) => WitnessLine::Unsteady(ongoing),
            Turn::Steady(ongoing) => WitnessLine::Steady(ongoing),
        };
        self.remind_at = self.trouble.ongoing().map(|_| self.clock.moment().plus(REMINDER_MICROS));
        out.push(ClientOrder::Log(line));
    }

    fn remind(&mut self, out: &mut Vec<ClientOrder>) {
        let is_due = self.remind_at.is_some_and(|at| at <= self.clock.moment());
        let Some(ongoing) = self.trouble.ongoing().filter(|_| is_due && !self.is_alarmed) else { return };
        self.remind_at = Some(self.clock.moment().plus(REMINDER_MICROS));
        out.push(ClientOrder::Log(WitnessLine::Still(ongoing)));
    }
}
