//! Whatever a scanner answers, in whatever order and whenever: no scan is launched twice, nothing waits for nothing, each command ends once.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::script::life;
use crate::conduct::limits::{CALLS_AT_ONCE_MAX, FETCHES_AT_ONCE_MAX};
use crate::conduct::{Answer, Ask, Call, Conduct, ConductInput, ConductOrder, Taken, Told};
use crate::scan::{CommandId, RemoteState, ScanLife, ScanStep, Trouble};
use crate::time::Timestamp;

const COMMANDS: usize = 5;
/// More than any run needs to come to rest: beyond it something goes round in circles.
const STEPS_MAX: usize = 5_000;

#[derive(Clone, Copy, Debug)]
enum Act {
    Give { is_resumed: bool },
    Answer { which: usize, how: u8 },
    Durable(usize),
    Cancel(usize),
    Wait { seconds: i64 },
    Wake,
    Renewed,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => any::<bool>().prop_map(|is_resumed| Act::Give { is_resumed }),
        6 => (0..8usize, 0..24u8).prop_map(|(which, how)| Act::Answer { which, how }),
        4 => (0..4usize).prop_map(Act::Durable),
        1 => (0..COMMANDS).prop_map(Act::Cancel),
        1 => (0..4000i64).prop_map(|seconds| Act::Wait { seconds }),
        4 => Just(Act::Wake),
        1 => Just(Act::Renewed),
    ]
}

struct World {
    conduct: Conduct,
    is_remote: bool,
    now: Timestamp,
    chance: u64,
    calls: BTreeMap<u64, (Call, CommandId)>,
    told: Vec<Told>,
    given: Vec<CommandId>,
    /// Of these nobody knows whether the scanner has them.
    uncertain: BTreeSet<CommandId>,
    taken: BTreeSet<CommandId>,
    ended: BTreeSet<CommandId>,
}

impl World {
    fn step(&mut self, input: ConductInput) {
        let mut orders = Vec::new();
        self.chance = self.chance.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        self.conduct.step(self.now, self.chance, input, &mut orders);
        for order in orders {
            match order {
                ConductOrder::Call { ask, call, command, .. } => {
                    let id = command.id.clone();
                    assert!(!self.calls.values().any(|(_, other)| *other == id), "two calls at once: {id}");
                    let is_free = !self.uncertain.contains(&id) && !self.taken.contains(&id);
                    assert!(call != Call::Launch || is_free, "{id} may be launched twice");
                    self.calls.insert(ask.0, (call, id));
                }
                ConductOrder::Drop(ask) => {
                    if let Some((Call::Launch, id)) = self.calls.remove(&ask.0) {
                        self.uncertain.insert(id);
                    }
                }
                ConductOrder::Tell(told, report) => {
                    assert!(!self.ended.contains(&report.id), "{} is over: {:?}", report.id, report.step);
                    if matches!(report.step, ScanStep::Ended(_)) {
                        self.ended.insert(report.id);
                    }
                    self.told.push(told);
                }
                ConductOrder::Log(_) => {}
            }
        }
        let fetches = self.calls.values().filter(|(call, _)| *call == Call::Fetch).count();
        let is_bounded = self.calls.len() <= CALLS_AT_ONCE_MAX && fetches <= FETCHES_AT_ONCE_MAX;
        assert!(is_bounded || !self.is_remote, "{:?}", self.calls);
        let wake_at = self.conduct.wake_at();
        assert!(wake_at.is_none_or(|at| at > self.now), "a tick would change nothing");
        let waits_for_time = !self.conduct.is_idle() && self.calls.is_empty() && self.told.is_empty();
        assert!(wake_at.is_some() || !waits_for_time, "nothing will happen: {:?}", self.conduct);
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Give { is_resumed } if self.given.len() < COMMANDS => {
                let id = format!("c{}", self.given.len());
                let life: ScanLife = life(&id);
                self.given.push(life.command.id.clone());
                if is_resumed && self.is_remote {
                    self.uncertain.insert(life.command.id.clone());
                }
                self.step(ConductInput::Given { life: Box::new(life), is_resumed });
            }
            Act::Give { .. } => {}
            Act::Answer { which, how } => {
                let place = which % self.calls.len().max(1);
                if let Some((ask, (call, id))) = self.calls.iter().nth(place).map(|(k, v)| (*k, v.clone())) {
                    self.answer(ask, call, id, how);
                }
            }
            Act::Durable(which) => {
                if !self.told.is_empty() {
                    let told = self.told.remove(which % self.told.len());
                    self.step(ConductInput::Durable(told));
                }
            }
            Act::Cancel(which) => {
                if let Some(id) = self.given.get(which).cloned() {
                    self.step(ConductInput::Cancel(id));
                }
            }
            Act::Wait { seconds } => {
                self.now = self.now.plus_seconds(seconds);
                self.step(ConductInput::Tick);
            }
            Act::Wake => {
                self.now = self.conduct.wake_at().map_or(self.now, |at| at.max(self.now));
                self.step(ConductInput::Tick);
            }
            Act::Renewed => self.step(ConductInput::Renewed { running_max: 2 }),
        }
    }

    fn answer(&mut self, ask: u64, call: Call, id: CommandId, how: u8) {
        self.calls.remove(&ask);
        let words = || "as it is".to_owned();
        let answer = match how {
            12 => Err(Trouble::Busy { after_seconds: None }),
            13 => Err(Trouble::Limited { after_seconds: Some(30) }),
            14 | 15 => Err(Trouble::Unavailable(words())),
            16 => Err(Trouble::Uncertain(words())),
            17 => Err(Trouble::Denied(words())),
            18 => Err(Trouble::Refused { why: words(), addresses: Vec::new() }),
            19 => Err(Trouble::Gone(words())),
            20 | 21 => Err(Trouble::Garbled(words())),
            22 => Ok(Answer::Found(None)),
            23 => Ok(Answer::Done),
            _ => Ok(self.good(call, &id, how)),
        };
        let is_unclear = matches!(
            answer,
            Err(Trouble::Unavailable(_) | Trouble::Uncertain(_) | Trouble::Garbled(_))
                | Ok(Answer::Found(_) | Answer::Done)
        );
        match (call, &answer) {
            (Call::Launch, Ok(Answer::Launched(_))) | (Call::Find, Ok(Answer::Found(Some(_)))) => {
                self.uncertain.remove(&id);
                self.taken.insert(id);
            }
            (Call::Launch, _) if is_unclear => _ = self.uncertain.insert(id),
            (Call::Find, Ok(Answer::Found(None))) => _ = self.uncertain.remove(&id),
            _ => {}
        }
        self.step(ConductInput::Answered(Ask(ask), answer));
    }

    fn good(&self, call: Call, id: &CommandId, how: u8) -> Answer {
        let taken = || Taken { reference: format!("r-{id}"), left_out: Vec::new() };
        match call {
            Call::Find => {
                let is_there = self.taken.contains(id) || how.is_multiple_of(2);
                Answer::Found(is_there.then(taken))
            }
            Call::Launch => Answer::Launched(taken()),
            Call::Status => Answer::State(match how {
                0..4 => RemoteState::Finished,
                4..7 => RemoteState::Running,
                7 | 8 => RemoteState::Waiting,
                9 => RemoteState::Partial("a part".to_owned()),
                10 => RemoteState::Cancelled,
                _ => RemoteState::Failed("no".to_owned()),
            }),
            Call::Fetch => Answer::Seen { scanner: "it".to_owned(), hosts: Vec::new() },
            Call::Cancel | Call::Forget => Answer::Done,
        }
    }

    /// All is well from now on.
    fn come_to_rest(&mut self) {
        for _ in 0..STEPS_MAX {
            if self.conduct.is_idle() {
                return;
            }
            let next = if !self.told.is_empty() {
                Act::Durable(0)
            } else if !self.calls.is_empty() {
                Act::Answer { which: 0, how: 0 }
            } else {
                Act::Wake
            };
            self.act(next);
        }
        panic!("it goes round in circles: {:?}", self.conduct);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_happens_no_scan_is_made_twice_and_each_command_ends_once(
        is_remote in any::<bool>(),
        acts in proptest::collection::vec(act(), 0..120),
        chance in any::<u64>(),
    ) {
        let mut world = World {
            conduct: Conduct::new(is_remote, 2),
            is_remote,
            now: Timestamp::from_micros(1),
            chance,
            calls: BTreeMap::new(),
            told: Vec::new(),
            given: Vec::new(),
            uncertain: BTreeSet::new(),
            taken: BTreeSet::new(),
            ended: BTreeSet::new(),
        };
        for act in acts {
            world.act(act);
        }
        world.come_to_rest();
        prop_assert_eq!(world.ended.iter().collect::<Vec<_>>(), world.given.iter().collect::<Vec<_>>());
    }
}
