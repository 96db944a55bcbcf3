//! A process: the machine, and whoever reads, calls and keeps for it, until it is at rest or killed.

use std::collections::{BTreeMap, BTreeSet};

use osel_core::forward::{BatchNumber, Forward, ForwardInput, ForwardOrder, Mark, Page, Progress, Which};
use osel_core::time::Timestamp;

use super::people::People;
use super::receiver::Kind;
use super::trail::{RECORDS, rendered};
use super::world::{Store, World};

/// The process was killed.
#[derive(Debug)]
pub(super) struct Killed;

/// Steps that no process needs: beyond it something goes round in circles.
const STEPS_MAX: u32 = 20_000;

/// What is on its way to the machine, and when it comes.
type Coming = (Timestamp, ForwardInput);

/// A call to the receiver.
struct Call {
    /// The batch that it hands over, if it does.
    batch: Option<BatchNumber>,
    /// None when none comes.
    answer: Option<Coming>,
}

/// A process.
struct Process {
    forward: Forward,
    call: Option<Call>,
    read: Option<Coming>,
    fetch: Option<Coming>,
    /// What the store will have with the next commit, and when that is.
    pending: Store,
    commit_at: Option<Timestamp>,
    marks: BTreeMap<BatchNumber, Option<usize>>,
    /// The records of which it holds lines.
    held: BTreeSet<u64>,
    fetched: BTreeSet<u64>,
    /// Where people are told.
    people: Option<People>,
}

/// Runs one process to its end.
pub(super) fn live(world: &mut World) -> Result<(), Killed> {
    let store = world.store.clone();
    let mut process = Process {
        forward: Forward::new(world.kind.limits(), store.account, store.letters.iter().copied()),
        call: None,
        read: None,
        fetch: None,
        pending: store,
        commit_at: None,
        marks: BTreeMap::new(),
        held: BTreeSet::new(),
        fetched: BTreeSet::new(),
        people: (world.kind == Kind::People).then(People::new),
    };
    let done = process.run(world);
    if done.is_err() {
        let is_sending = process.call.is_some_and(|call| call.batch.is_some());
        world.killed(is_sending);
    }
    done
}

impl Process {
    fn run(&mut self, world: &mut World) -> Result<(), Killed> {
        self.step(world, ForwardInput::Head(world.head))?;
        for _ in 0..STEPS_MAX {
            world.action()?;
            if self.is_at_rest(world) {
                if world.store.letters.is_empty() {
                    return Ok(());
                }
                // Whoever answers for the receiver has mended it, and says so.
                world.receiver.is_mended = true;
                self.step(world, ForwardInput::Resend(Which::All))?;
            }
            self.happen(world)?;
        }
        unreachable!("the forwarder goes round in circles: {:?}", self.forward)
    }

    fn is_at_rest(&self, world: &World) -> bool {
        world.head == RECORDS && world.is_quiet() && self.forward.is_idle() && self.commit_at.is_none()
    }

    /// The next thing that is due.
    fn happen(&mut self, world: &mut World) -> Result<(), Killed> {
        let at = |coming: Option<&Coming>| coming.map(|(at, _)| *at);
        let answer_at = at(self.call.as_ref().and_then(|call| call.answer.as_ref()));
        let (read_at, fetch_at) = (at(self.read.as_ref()), at(self.fetch.as_ref()));
        let due = [answer_at, read_at, fetch_at, self.commit_at, world.grows_at(), world.rewinds_at()];
        let looks_at = self.people.as_ref().and_then(People::looks_at);
        let all = due.into_iter().chain([self.forward.wake_at(), world.quiet_at(), looks_at]);
        let Some(at) = all.flatten().min() else { return Ok(()) };
        world.now = world.now.max(at);
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= world.now);
        if is_due(self.commit_at) {
            self.commit_at = None;
            world.commit(&self.pending);
            Ok(())
        } else if is_due(answer_at) {
            let Call { batch, answer } = self.call.take().expect("an answer was due");
            if let Some(batch) = batch {
                self.marks.insert(batch, world.receiver.mark());
            }
            let (_, input) = answer.expect("it was due");
            self.step(world, input)
        } else if is_due(read_at) {
            let (_, input) = self.read.take().expect("a page was due");
            self.step(world, input)
        } else if is_due(looks_at) {
            let is_sending = !self.held.is_empty();
            let page = self.people.as_mut().and_then(|people| people.look(world, is_sending));
            let Some(page) = page else { return Ok(()) };
            self.held.extend(page.records.iter().map(|record| record.seq));
            self.step(world, ForwardInput::Read(page))
        } else if is_due(fetch_at) {
            let (_, input) = self.fetch.take().expect("records were due");
            self.step(world, input)
        } else if is_due(world.grows_at()) {
            world.grow();
            self.step(world, ForwardInput::Head(world.head))
        } else if is_due(world.rewinds_at()) {
            let seq = world.rewind(self.forward.account().place);
            self.held.clear();
            self.fetched.clear();
            self.step(world, ForwardInput::Rewind(seq))?;
            match self.people.as_mut().and_then(People::set_back) {
                Some(stale) => self.step(world, stale),
                None => Ok(()),
            }
        } else {
            self.step(world, ForwardInput::Tick)
        }
    }

    fn step(&mut self, world: &mut World, input: ForwardInput) -> Result<(), Killed> {
        let before = self.forward.account();
        let is_rewind = matches!(input, ForwardInput::Rewind(_));
        let mut out = Vec::new();
        self.forward.step(world.now, world.random.bits(), input, &mut out);
        let wake_at = self.forward.wake_at();
        assert!(wake_at.is_none_or(|at| at > world.now), "a tick would change nothing");
        let account = self.forward.account();
        let is_forward = account.place >= before.place && account.begin == before.begin;
        assert!(account.is_balanced() && (is_forward || is_rewind), "{before:?} {account:?}");
        for order in out {
            world.action()?;
            self.carry_out(world, order);
        }
        Ok(())
    }

    fn carry_out(&mut self, world: &mut World, order: ForwardOrder) {
        let soon = |world: &mut World| {
            let micros = world.random.between(1, 400_000);
            Timestamp::from_micros(world.now.micros() + micros.cast_signed())
        };
        match order {
            ForwardOrder::Read { after, .. } if self.people.is_some() => {
                let at = soon(world);
                if let Some(people) = &mut self.people {
                    people.want(after, at);
                }
            }
            ForwardOrder::Read { after, .. } => {
                let through = (after + world.random.between(1, 12)).min(world.head);
                let records: Vec<_> = (after + 1..=through).map(rendered).collect();
                self.held.extend(records.iter().map(|record| record.seq));
                let page = ForwardInput::Read(Page { after, through, records });
                assert!(self.read.replace((soon(world), page)).is_none(), "one page at a time");
            }
            ForwardOrder::Fetch(records) => {
                self.fetched = records.iter().copied().collect();
                let fetched = ForwardInput::Fetched(records.into_iter().map(rendered).collect());
                assert!(self.fetch.replace((soon(world), fetched)).is_none(), "one at a time");
            }
            ForwardOrder::Send { batch, is_fetched, lines } => {
                let held = if is_fetched { &self.fetched } else { &self.held };
                assert!(lines.iter().all(|line| held.contains(&line.seq)), "{lines:?} are not held");
                let at = soon(world);
                let answer = world.send(batch, &lines);
                let answer = answer.map(|answer| (at, ForwardInput::Sent(batch, answer)));
                assert!(self.call.is_none(), "one call at a time");
                self.call = Some(Call { batch: Some(batch), answer });
            }
            ForwardOrder::Confirm(asked) => {
                let at = soon(world);
                let answer = world.confirm().map(|answer| (at, ForwardInput::Confirmed(asked, answer)));
                assert!(self.call.is_none(), "one call at a time");
                self.call = Some(Call { batch: None, answer });
            }
            ForwardOrder::Reset => {
                self.call = None;
                world.reset();
            }
            ForwardOrder::Place(progress) => self.place(world, *progress),
            ForwardOrder::Close | ForwardOrder::Log(_) => {}
        }
    }

    fn place(&mut self, world: &World, progress: Progress) {
        let Progress { account, mark, dead, gone } = progress;
        match mark {
            Mark::Same => {}
            Mark::After(batch) => {
                self.pending.mark = self.marks.get(&batch).copied().flatten();
                self.marks = self.marks.split_off(&batch);
            }
            Mark::Nothing => self.pending.mark = None,
        }
        self.pending.account = account;
        self.pending.letters.extend(dead.into_iter().map(|letter| letter.id));
        for id in gone {
            assert!(self.pending.letters.remove(&id), "{id} was no dead letter");
        }
        self.held = self.held.split_off(&(account.place + 1));
        self.commit_at.get_or_insert(world.now.plus_seconds(1));
    }
}
