//! Whatever a receiver answers, in whatever order and whenever, with a crash between any two steps: nothing is lost, nothing is handed over
//! again that is known to have arrived, nothing overtakes, and the account says what became of every record.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::super::*;
use crate::time::Timestamp;

/// More than any run needs to come to rest: beyond it something goes round in circles.
const STEPS_MAX: usize = 5_000;
const LIMITS: BatchLimits = BatchLimits { items: 4, bytes: 60, awaited: 3, linger: Duration::ZERO };

/// Of half of the receivers, which want lines gathered.
fn limits(chance: u64) -> BatchLimits {
    BatchLimits { linger: Duration::from_millis(700 * (chance % 2)), ..LIMITS }
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Grow(u64),
    Read { records: u64 },
    Answer { how: u8, which: usize },
    Commit,
    Crash,
    Wait { seconds: i64 },
    Wake,
    Rewind(u64),
    Resend,
    Discard(u64),
    Renewed,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (1..9u64).prop_map(Act::Grow),
        5 => (1..9u64).prop_map(|records| Act::Read { records }),
        12 => (0..32u8, 0..8usize).prop_map(|(how, which)| Act::Answer { how, which }),
        3 => Just(Act::Commit),
        1 => Just(Act::Crash),
        1 => (0..400i64).prop_map(|seconds| Act::Wait { seconds }),
        8 => Just(Act::Wake),
        1 => (0..40u64).prop_map(Act::Rewind),
        1 => Just(Act::Resend),
        1 => (0..40u64).prop_map(Act::Discard),
        1 => Just(Act::Renewed),
    ]
}

/// What a record becomes: a third of them nothing, some of them several lines.
fn lines_of(seq: u64) -> Vec<usize> {
    match seq % 9 {
        0 | 3 | 6 => Vec::new(),
        5 => vec![20, 20, 20],
        7 => vec![200],
        _ => vec![10],
    }
}

fn ids_of(seq: u64) -> impl Iterator<Item = LineId> {
    (0_u32..).take(lines_of(seq).len()).map(move |line| LineId { seq, line })
}

/// What outlives a process.
#[derive(Clone, Debug, Default)]
struct Store {
    account: Account,
    letters: BTreeSet<LineId>,
    discarded: BTreeSet<u64>,
}

#[derive(Debug)]
enum Call {
    Send { batch: BatchNumber, is_fetched: bool, lines: Vec<LineId> },
    Confirm(Asked),
}

struct World {
    forward: Forward,
    now: Timestamp,
    chance: u64,
    head: u64,
    reading: Option<u64>,
    fetching: Option<Vec<u64>>,
    call: Option<Call>,
    /// Batches that the receiver took, with their lines, and whether they will arrive.
    awaited: BTreeMap<BatchNumber, (Vec<LineId>, bool)>,
    latest: Store,
    durable: Store,
    /// All that ever arrived.
    arrived: BTreeSet<LineId>,
    /// Lines that this process knows to have arrived or to be dead.
    settled: BTreeSet<LineId>,
    /// Lines that the receiver took or may have taken, in this process and since the last rewind.
    accepted: BTreeSet<LineId>,
    /// How often a line failed alone.
    failed: BTreeMap<LineId, usize>,
    /// Lines that were refused by themselves.
    refused: BTreeSet<LineId>,
    place: u64,
}

impl World {
    fn new(chance: u64) -> Self {
        Self {
            forward: Forward::new(limits(chance), Account::default(), []),
            now: Timestamp::from_micros(1),
            chance,
            head: 0,
            reading: None,
            fetching: None,
            call: None,
            awaited: BTreeMap::new(),
            latest: Store::default(),
            durable: Store::default(),
            arrived: BTreeSet::new(),
            settled: BTreeSet::new(),
            accepted: BTreeSet::new(),
            failed: BTreeMap::new(),
            refused: BTreeSet::new(),
            place: 0,
        }
    }

    fn step(&mut self, input: ForwardInput) {
        let mut orders = Vec::new();
        self.chance = self.chance.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        self.forward.step(self.now, self.chance, input, &mut orders);
        for order in orders {
            self.carry_out(order);
        }
        let account = self.forward.account();
        assert!(account.is_balanced() && account.place >= self.place, "{account:?} {}", self.place);
        self.place = account.place;
        let wake_at = self.forward.wake_at();
        assert!(wake_at.is_none_or(|at| at > self.now), "a tick would change nothing");
        let waits = !self.forward.is_idle()
            && self.call.is_none()
            && self.reading.is_none()
            && self.fetching.is_none();
        assert!(!waits || wake_at.is_some(), "nothing will happen: {:?}", self.forward);
    }

    fn carry_out(&mut self, order: ForwardOrder) {
        match order {
            ForwardOrder::Read { after, .. } => assert!(self.reading.replace(after).is_none()),
            ForwardOrder::Fetch(records) => assert!(self.fetching.replace(records).is_none()),
            ForwardOrder::Send { batch, is_fetched, lines } => {
                self.check_batch(is_fetched, &lines);
                assert!(self.call.is_none() && self.awaited.len() < LIMITS.awaited);
                self.call = Some(Call::Send { batch, is_fetched, lines });
            }
            ForwardOrder::Confirm(asked) => {
                assert!(self.call.replace(Call::Confirm(asked)).is_none());
            }
            ForwardOrder::Reset => {
                if let Some(Call::Send { lines, .. }) = self.call.take() {
                    self.accepted.extend(lines);
                }
                self.awaited.clear();
            }
            ForwardOrder::Place(progress) => self.check_progress(&progress),
            ForwardOrder::Close | ForwardOrder::Log(_) => {}
        }
    }

    fn is_on_its_way(&self, line: LineId) -> bool {
        self.awaited.values().any(|(lines, _)| lines.contains(&line))
    }

    /// Nothing is handed over twice but what nobody knows of, and nothing overtakes but what failed again and again.
    fn check_batch(&self, is_fetched: bool, lines: &[LineId]) {
        assert!(!lines.is_empty() && lines.len() <= LIMITS.items, "{lines:?}");
        assert!(lines.iter().all(|line| !self.is_on_its_way(*line)), "{lines:?} on their way");
        if is_fetched {
            assert!(lines.iter().all(|line| self.latest.letters.contains(line)), "{lines:?}");
            return;
        }
        let is_known = |line: &LineId| self.settled.contains(line);
        assert!(!lines.iter().any(is_known), "{lines:?} are known to have arrived");
        assert!(lines.is_sorted());
        let first = lines[0];
        let begin = self.latest.account.begin;
        let before = (begin + 1..=first.seq).flat_map(ids_of).filter(|line| *line < first);
        for line in before {
            let has_failed = self.failed.get(&line).is_some_and(|times| *times >= FAILED_TRIES);
            let is_suspected = has_failed || self.refused.contains(&line);
            let is_ahead = is_known(&line) || self.is_on_its_way(line) || is_suspected;
            assert!(is_ahead || line.seq <= self.latest.account.place, "{line} is overtaken by {lines:?}");
        }
        // What was accepted once and lost may be late; nothing else is handed over behind what comes after it.
        let on_their_way = self.awaited.values().flat_map(|(lines, _)| lines);
        // What was refused by itself never came before anything.
        let taken = self.settled.iter().filter(|line| !self.refused.contains(line));
        let last = taken.chain(on_their_way).filter(|line| line.seq > begin).max();
        let is_late = |line: &&LineId| last.is_some_and(|last| *line < last) && !self.accepted.contains(line);
        let late = lines.iter().find(|line| is_late(line) && !self.latest.letters.contains(line));
        assert!(late.is_none(), "{late:?} is late: {last:?} was before it");
    }

    fn check_progress(&mut self, progress: &Progress) {
        let store = &mut self.latest;
        for letter in &progress.dead {
            let id = letter.id;
            let has_failed = self.failed.get(&id).is_some_and(|times| *times >= FAILED_TRIES);
            assert!(self.refused.contains(&id) || has_failed, "{id} was given up");
            store.letters.insert(id);
        }
        for id in &progress.gone {
            assert!(store.letters.remove(id), "{id} was none");
        }
        store.account = progress.account;
        let Account { begin, place, delivered, filtered, dead, .. } = store.account;
        let of_letters = store.letters.iter().map(|id| id.seq).chain(store.discarded.iter().copied());
        let is_counted = |seq: &u64| *seq > begin && *seq <= place;
        let all_dead: BTreeSet<u64> = of_letters.filter(is_counted).collect();
        let without_lines = (begin + 1..=place).filter(|seq| lines_of(*seq).is_empty()).count() as u64;
        assert_eq!((dead, filtered), (all_dead.len() as u64, without_lines), "{:?}", store.account);
        for line in (begin + 1..=place).filter(|seq| !all_dead.contains(seq)).flat_map(ids_of) {
            assert!(self.arrived.contains(&line), "{line} is said to be delivered");
        }
        assert_eq!(delivered, place - begin - dead - filtered);
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Grow(records) => {
                self.head += records;
                self.step(ForwardInput::Head(self.head));
            }
            Act::Read { records } => {
                let rendered = |seq| Rendered::of(seq, lines_of(seq));
                if let Some(records) = self.fetching.take() {
                    self.step(ForwardInput::Fetched(records.into_iter().map(rendered).collect()));
                } else if let Some(after) = self.reading.take() {
                    let through = (after + records).min(self.head);
                    let records = (after + 1..=through).map(rendered).collect();
                    self.step(ForwardInput::Read(Page { after, through, records }));
                }
            }
            Act::Answer { how, which } => self.answer(how, which),
            Act::Commit => self.durable = self.latest.clone(),
            Act::Crash => {
                self.latest = self.durable.clone();
                let letters = self.latest.letters.iter().copied();
                self.forward = Forward::new(limits(self.chance), self.latest.account, letters);
                (self.reading, self.fetching, self.call) = (None, None, None);
                self.awaited.clear();
                self.place = self.latest.account.place;
                self.settled.clear();
                self.accepted.clear();
                self.step(ForwardInput::Head(self.head));
            }
            Act::Wait { seconds } => {
                self.now = self.now.plus_seconds(seconds);
                self.step(ForwardInput::Tick);
            }
            Act::Wake => {
                self.now = self.forward.wake_at().map_or(self.now, |at| at.max(self.now));
                self.step(ForwardInput::Tick);
            }
            Act::Rewind(seq) => {
                self.place = 0;
                self.settled.clear();
                self.accepted.clear();
                self.latest.account = Account::after(seq.min(self.head));
                self.latest.discarded.clear();
                self.step(ForwardInput::Rewind(seq));
            }
            Act::Resend => self.step(ForwardInput::Resend(Which::All)),
            Act::Discard(seq) => {
                if self.latest.letters.iter().any(|id| id.seq == seq) {
                    self.latest.discarded.insert(seq);
                }
                self.step(ForwardInput::Discard(Which::Records([seq].into())));
            }
            Act::Renewed => self.step(ForwardInput::Renewed),
        }
    }

    fn answer(&mut self, how: u8, which: usize) {
        match self.call.take() {
            None => {}
            Some(Call::Confirm(asked)) => {
                let answer = match how {
                    0..3 => {
                        self.awaited.clear();
                        Err(refusal(RefusalKind::Unavailable, 0, which))
                    }
                    3..8 => Ok(Vec::new()),
                    _ => {
                        let there = self.awaited.iter().filter(|(_, (_, arrives))| *arrives);
                        let said: Vec<_> = there.map(|(batch, _)| *batch).skip(which % 2).collect();
                        for batch in &said {
                            let (lines, _) = self.awaited.remove(batch).expect("it is there");
                            self.arrived.extend(&lines);
                            self.settled.extend(lines);
                        }
                        Ok(said)
                    }
                };
                self.step(ForwardInput::Confirmed(asked, answer));
            }
            Some(Call::Send { batch, is_fetched, lines }) => {
                let answer = self.sent(batch, &lines, how, which);
                if !is_fetched {
                    self.note(&lines, &answer);
                }
                self.step(ForwardInput::Sent(batch, answer));
            }
        }
    }

    fn sent(
        &mut self,
        batch: BatchNumber,
        lines: &[LineId],
        how: u8,
        which: usize,
    ) -> Result<Taken, Refusal> {
        let taken = which % (lines.len() + 1);
        let kind = match how {
            0..8 => {
                self.arrived.extend(lines);
                return Ok(Taken::Kept);
            }
            8..16 => {
                self.awaited.insert(batch, (lines.to_vec(), how != 8));
                return Ok(Taken::Awaited);
            }
            16 | 17 => RefusalKind::Unavailable,
            18 => RefusalKind::Silent,
            19..24 => RefusalKind::Failed,
            24 => RefusalKind::Denied,
            25 => RefusalKind::Garbled,
            26 | 27 => RefusalKind::Item(which),
            28 => RefusalKind::Suspect,
            _ => RefusalKind::TooLarge,
        };
        let known = match kind {
            RefusalKind::Item(place) if place < lines.len() => taken.min(place),
            _ => taken,
        };
        self.arrived.extend(&lines[..known]);
        if kind == RefusalKind::Silent {
            // It may have taken more than it said.
            self.arrived.extend(lines);
        }
        Err(refusal(kind, taken, which))
    }

    /// Notes what the process knows by this answer of lines of the trail.
    fn note(&mut self, lines: &[LineId], answer: &Result<Taken, Refusal>) {
        match answer {
            Ok(Taken::Kept) => self.settled.extend(lines),
            Ok(Taken::Awaited) => self.accepted.extend(lines),
            Err(refusal) => {
                let taken = match refusal.kind {
                    RefusalKind::Item(place) if place < lines.len() => {
                        self.refused.insert(lines[place]);
                        self.settled.insert(lines[place]);
                        refusal.taken.min(place)
                    }
                    RefusalKind::Suspect if refusal.taken < lines.len() => {
                        let taken = refusal.taken;
                        self.refused.insert(lines[taken]);
                        if taken > 0 {
                            self.settled.insert(lines[taken]);
                        }
                        taken
                    }
                    RefusalKind::TooLarge if lines.len() == 1 => {
                        // It is settled once a later one is taken, which a step says by the place.
                        self.refused.insert(lines[0]);
                        0
                    }
                    _ => refusal.taken,
                };
                let rest = &lines[taken..];
                self.settled.extend(&lines[..taken]);
                if let (RefusalKind::Failed, [line]) = (refusal.kind, rest) {
                    *self.failed.entry(*line).or_default() += 1;
                }
            }
        }
    }

    /// All is well from now on.
    fn come_to_rest(&mut self) {
        // Behind the last line at which the receiver failed has to come one that passes.
        self.act(Act::Grow(10));
        for _ in 0..STEPS_MAX {
            if self.forward.is_idle() {
                return;
            }
            let next = if self.call.is_some() {
                Act::Answer { how: 31, which: 0 }
            } else if self.reading.is_some() || self.fetching.is_some() {
                Act::Read { records: 5 }
            } else {
                Act::Wake
            };
            match (next, self.call.take()) {
                (_, Some(Call::Confirm(asked))) => {
                    self.call = Some(Call::Confirm(asked));
                    self.answer(30, 0);
                }
                (_, Some(call)) => {
                    self.call = Some(call);
                    self.answer(0, 0);
                }
                (next, None) => self.act(next),
            }
        }
        panic!("it goes round in circles: {:?}", self.forward);
    }
}

fn refusal(kind: RefusalKind, taken: usize, which: usize) -> Refusal {
    let wait = (which == 7).then(|| Duration::from_secs(90));
    Refusal { kind, words: "as it is".to_owned(), taken, wait }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_happens_nothing_is_lost_nothing_overtakes_and_the_account_is_exact(
        acts in proptest::collection::vec(act(), 0..250),
        chance in any::<u64>(),
    ) {
        let mut world = World::new(chance);
        world.step(ForwardInput::Head(0));
        for act in acts {
            world.act(act);
        }
        world.come_to_rest();
        let account = world.forward.account();
        prop_assert_eq!(account.place, world.head);
        let Store { letters, discarded, .. } = &world.latest;
        for line in (account.begin + 1..=world.head).flat_map(ids_of) {
            let is_known_dead = letters.contains(&line) || discarded.contains(&line.seq);
            prop_assert!(world.arrived.contains(&line) || is_known_dead, "{} is lost", line);
        }
    }
}
