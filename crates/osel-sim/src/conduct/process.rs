//! A process: the engine and the conductor, built from what the store has, until the conductor is at rest or the process is killed.

use std::collections::VecDeque;

use osel_core::conduct::{Conduct, ConductInput, ConductOrder};
use osel_core::engine::{Engine, EngineOptions, Input, Output};
use osel_core::scan::{CommandId, ScanLife};
use osel_core::time::Timestamp;

use super::run::World;

/// The process was killed.
#[derive(Debug)]
pub(super) struct Killed;

/// The most scans at one time.
const RUNNING_MAX: usize = 2;
/// A chance that is as good as any.
const CHANCE: u64 = 1 << 63;
/// Steps that no run needs: beyond it something goes round in circles.
const STEPS_MAX: u32 = 10_000;

/// One process.
struct Process {
    engine: Engine,
    conduct: Conduct,
    orders: VecDeque<ConductOrder>,
}

impl Process {
    fn step(&mut self, now: Timestamp, input: ConductInput) {
        let mut out = Vec::new();
        self.conduct.step(now, CHANCE, input, &mut out);
        let wake_at = self.conduct.wake_at();
        assert!(wake_at.is_none_or(|at| at > now), "a tick would change nothing: {wake_at:?} at {now}");
        self.orders.extend(out);
    }
}

/// Runs one process to its end.
pub(super) fn live(world: &mut World, is_first: bool) -> Result<(), Killed> {
    let mut engine = Engine::new(EngineOptions::default());
    let open = world.store.values().filter(|life| !life.state.is_over());
    engine.set_running_scans(open.cloned());
    let mut process = Process { engine, conduct: Conduct::new(true, RUNNING_MAX), orders: VecDeque::new() };
    for life in world.store.clone().into_values() {
        let given = ConductInput::Given { life: Box::new(life), is_resumed: !is_first };
        process.step(world.now, given);
    }
    for _ in 0..STEPS_MAX {
        world.boundary()?;
        if let Some(id) = world.cancels() {
            call_off(world, &mut process, id)?;
        }
        match process.orders.pop_front() {
            Some(order) => carry_out(world, &mut process, order)?,
            None => match process.conduct.wake_at() {
                Some(at) if !process.conduct.is_idle() => {
                    world.now = at;
                    process.step(at, ConductInput::Tick);
                }
                _ => return Ok(()),
            },
        }
    }
    unreachable!("the conductor goes round in circles: {:?}", process.conduct)
}

/// Somebody has called the command off: that is durable before the conductor hears of it.
fn call_off(world: &mut World, process: &mut Process, id: CommandId) -> Result<(), Killed> {
    let Some(life) = world.store.get_mut(&id).filter(|life| !life.state.is_over()) else { return Ok(()) };
    life.is_cancelled = true;
    let life = life.clone();
    process.engine.set_running_scans([life]);
    world.boundary()?;
    process.step(world.now, ConductInput::Cancel(id));
    Ok(())
}

fn carry_out(world: &mut World, process: &mut Process, order: ConductOrder) -> Result<(), Killed> {
    match order {
        ConductOrder::Call { ask, call, command, reference } => {
            let answer = world.ask(call, &command, &reference);
            world.boundary()?;
            match answer {
                Some(answer) => process.step(world.now, ConductInput::Answered(ask, answer)),
                // It never comes: the conductor's patience ends it.
                None => {
                    while let Some(at) = process.conduct.wake_at()
                        && !process.orders.contains(&ConductOrder::Drop(ask))
                    {
                        world.now = at;
                        process.step(at, ConductInput::Tick);
                    }
                }
            }
        }
        ConductOrder::Tell(told, report) => {
            let mut out = Output::default();
            process.engine.handle(world.now, Input::Scan(*report), &mut out);
            world.boundary()?;
            // The transaction: all that follows from the report, or nothing.
            for life in std::mem::take(&mut out.lives) {
                commit(world, life);
            }
            world.boundary()?;
            process.step(world.now, ConductInput::Durable(told));
        }
        ConductOrder::Drop(_) | ConductOrder::Log(_) => {}
    }
    Ok(())
}

fn commit(world: &mut World, life: ScanLife) {
    if life.state.is_over() {
        world.ends += 1;
        world.ended.insert(life.command.id.clone(), (life.state, world.now));
    }
    let wanted = world.store.insert(life.command.id.clone(), life);
    assert!(wanted.is_some(), "the engine tells of a command that was never planned");
}
