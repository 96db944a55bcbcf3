//! One seed from beginning to end: the cloud lives, the engine listens, every check is made.

use osel_core::engine::{Disposition, ReadDifferences, ReadStep};
use osel_core::exposure;
use osel_core::model::Row;
use osel_core::trail::RecordKind;

use super::account::{self, Fates};
use super::deltas::Before;
use super::drift::Known;
use super::failure::{Failure, ensure};
use super::fold::Fold;
use super::machine::{Came, Machine, Stored};
use super::plan::Plan;
use super::rows::{self, Untold};
use super::script::{Arrival, Reads, Script, What};
use super::trail::{self, Journal};
use super::world::World;
use super::{assignments, erasure, names, order, questions};
use crate::random::Random;
use crate::schedule::{Reorder, Schedule};

/// How many questions are asked of one cloud, before and after the last read.
const QUESTIONS: usize = 12;
/// How many in a hundred arrivals are held against the rows before and after.
const SAMPLED_PERCENT: u64 = 6;

/// What the checks of a seed were made on, so that nobody is content with checks of nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Messages that were handled.
    pub messages: usize,
    /// Rows in the end.
    pub rows: usize,
    /// Deltas that were held against the judge's and were not empty.
    pub deltas: usize,
    /// Questions that were answered with yes.
    pub admitted: usize,
    /// Records about failed calls.
    pub failed_calls: usize,
    /// Objects that a read found otherwise than they were known, each with its record.
    pub drifts: usize,
    /// Addresses that were scanned and judged.
    pub scans: usize,
    /// Single objects that were looked at as they were then.
    pub looks: usize,
    /// How often the process was killed in the middle of a read.
    pub kills: usize,
    /// How many went on after a restart as if there had been none.
    pub restarts: usize,
    /// Messages that were written again without a person who was erased.
    pub rewritten: usize,
}

impl Counted {
    /// Adds what another seed was checked on.
    pub fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.rows += other.rows;
        self.deltas += other.deltas;
        self.admitted += other.admitted;
        self.failed_calls += other.failed_calls;
        self.drifts += other.drifts;
        self.scans += other.scans;
        self.looks += other.looks;
        self.kills += other.kills;
        self.restarts += other.restarts;
        self.rewritten += other.rewritten;
    }
}

/// Plays one seed. `steps` overrides how long the cloud lives.
///
/// # Errors
/// The first check that fails.
pub fn run(seed: u64, steps: Option<u64>) -> Result<Counted, Failure> {
    let mut random = Random::new(seed ^ 0x0C4E_C4E5);
    let plan = Plan::new(seed, steps, &mut random);
    let world = World::live(&plan);
    let reads = Reads::parse(&world)?;
    let script = Script::write(&plan, &plan.schedule, &world, &reads, &mut random.fork(1));
    let mut played = Played::new(&plan, &world);
    let cut = random.index(script.arrivals.len() + 1);
    let mut counted = Counted::default();

    played.play(&script.arrivals[..script.before_last_read], cut, &mut random)?;
    let untold = Untold::of(&world, &plan, &script);
    let came_early = plan.hold_back_percent == 0;
    if came_early {
        let rows = played.machine.rows();
        rows::are_right_where_told("rows before the last read", &rows, &world, &plan, &untold)?;
        if plan.tells_everything() {
            rows::are_right("rows without a read", &rows, &world.last.state, &plan)?;
        }
        check_order(&plan, &world, &reads, &script, &played, &mut random)?;
    }
    played.play(&script.arrivals[script.before_last_read..script.after_last_read], cut, &mut random)?;
    counted.admitted += check_all(&plan, &world, &played, "rows after the last read", &mut random)?;
    played.play(&script.arrivals[script.after_last_read..], cut, &mut random)?;
    counted.admitted += check_all(&plan, &world, &played, "rows after late messages", &mut random)?;

    let engine = played.machine.engine();
    played.fates.balance(engine, &script)?;
    account::each_message_has_one_record(&script, &played.records)?;
    if plan.keeps_order() && came_early {
        account::failures_are_reported(&script, &played.records, &plan)?;
    }
    names::are_right(engine, &script, &world, &plan)?;
    names::are_recorded(&script, &played.records)?;
    assignments::are_right(&played.machine, &world, &plan)?;
    assignments::are_no_news(&played.records, &plan)?;
    played.machine.no_scan_is_lost()?;
    played.fold.is(played.machine.rows())?;
    played.shadow_is_the_same()?;
    trail::verifies(&played.records, &played.machine)?;
    let again = trail::is_folded_again(&plan, &script.arrivals, &played.journal, &played.records)?;
    if let (Some(one), Some(other)) = (again.cloud(), played.machine.cloud()) {
        order::is_the_same("the journal gives the same model", one, other)?;
    }
    trail::same_lines("the journal gives the same state", &again.uncounted(), &played.machine.uncounted())?;
    if let Some(Restart { machine, arrival, record }) = played.restart.take() {
        counted.restarts = 1;
        trail::goes_on(machine, &script.arrivals[arrival..], &played.records[record..], &played.machine)?;
    }
    counted.rewritten =
        erasure::leaves_all_else(&plan, &script, &played.journal, &played.machine, &mut random)?;
    counted.messages = script.heard.len();
    counted.rows = played.machine.rows().len();
    counted.deltas = played.deltas;
    (counted.drifts, counted.looks, counted.kills) = (played.drifts, played.looks, played.kills);
    let scans = played.records.iter().filter(|record| record.body.kind == RecordKind::Scan);
    counted.scans = scans.count();
    counted.failed_calls = played.records.iter().filter(|record| record.body.cause.is_some()).count();
    Ok(counted)
}

/// After an exact read nothing may differ any more.
fn check_all(
    plan: &Plan,
    world: &World,
    played: &Played,
    check: &'static str,
    random: &mut Random,
) -> Result<usize, Failure> {
    rows::are_right(check, &played.machine.rows(), &world.last.state, plan)?;
    Known::of(&played.machine).are_of(check, &world.last.state)?;
    let Some(cloud) = played.machine.cloud() else { return Ok(0) };
    questions::ask(cloud, &world.last.state, plan, QUESTIONS, random)
}

/// The same messages in the order of sending end in the same model.
fn check_order(
    plan: &Plan,
    world: &World,
    reads: &Reads,
    script: &Script,
    played: &Played,
    random: &mut Random,
) -> Result<(), Failure> {
    // What a read that breaks off has shown until then is another matter in each order.
    let is_partly_read = (plan.read_breaks_off || plan.read_is_killed) && world.middle.is_some();
    // Who asks for single objects asks for others, and at other times.
    if !plan.loses_nothing() || is_partly_read || plan.looks {
        return Ok(());
    }
    let straight =
        Schedule { seed: plan.schedule.seed.wrapping_add(1), reorder: Reorder::Keep, ..Schedule::default() };
    let other = Script::write(plan, &straight, world, reads, &mut random.fork(2));
    let mut machine = Machine::new(plan);
    for arrival in &other.arrivals[..other.before_last_read] {
        machine.take(arrival)?;
    }
    let _ = script;
    if let (Some(one), Some(other)) = (played.machine.cloud(), machine.cloud()) {
        const CHECK: &str = "any order gives the same model";
        let is_read = world.middle.is_some();
        let check = if is_read { order::says_the_same } else { order::is_the_same };
        check(CHECK, one, other)?;
    }
    ensure(
        sorted(played.machine.rows()) == sorted(machine.rows()),
        "any order gives the same rows",
        String::new,
    )
}

fn sorted(rows: Vec<Row>) -> Vec<Row> {
    rows
}

/// A machine at the point of its restart.
struct Restart {
    machine: Machine,
    /// The first arrival that it has not had.
    arrival: usize,
    /// How many records there were.
    record: usize,
}

/// A run, with what the checks need of it.
struct Played {
    machine: Machine,
    /// An engine that is only told how objects look after each record.
    shadow: Machine,
    records: Vec<Stored>,
    journal: Journal,
    fold: Fold,
    fates: Fates,
    restart: Option<Restart>,
    /// How many arrivals came.
    arrived: usize,
    deltas: usize,
    /// How many objects a read found otherwise than they were known.
    drifts: usize,
    looks: usize,
    kills: usize,
    /// Whether a read has come to its end.
    is_informed: bool,
    sampled: Random,
}

impl Played {
    fn new(plan: &Plan, world: &World) -> Self {
        Self {
            machine: Machine::new(plan).asking(&world.moments),
            shadow: Machine::new(plan),
            records: Vec::new(),
            journal: Vec::new(),
            fold: Fold::default(),
            fates: Fates::default(),
            restart: None,
            arrived: 0,
            deltas: 0,
            drifts: 0,
            looks: 0,
            kills: 0,
            is_informed: false,
            sampled: Random::new(plan.seed),
        }
    }

    fn play(&mut self, arrivals: &[Arrival], cut: usize, random: &mut Random) -> Result<(), Failure> {
        let _ = random;
        for arrival in arrivals {
            // What a read has shown and not merged is no part of the state, nor is what was asked for, nor the marks of a read that was not
            // whole: whoever goes on in the middle of that reads and asks anew, and is not the same.
            let engine = self.machine.engine();
            let is_whole = !(engine.is_reading() || engine.has_wishes() || engine.has_marks());
            if self.arrived >= cut && self.restart.is_none() && is_whole {
                let machine = self.machine.restarted()?;
                trail::same_lines("a snapshot is the whole state", &machine.lines(), &self.machine.lines())?;
                self.restart = Some(Restart { machine, arrival: self.arrived, record: self.records.len() });
            }
            let is_read = matches!(arrival.what, What::Page(..) | What::ReadEnd(..));
            let is_message = matches!(arrival.what, What::Message(_));
            let is_sampled = is_read || (is_message && self.sampled.percent(SAMPLED_PERCENT));
            let before = is_sampled.then(|| Before::of(&self.machine));
            let known = is_read.then(|| Known::of(&self.machine));
            self.kills +=
                usize::from(matches!(arrival.what, What::Killed) && self.machine.engine().is_reading());
            let came = self.machine.take(arrival)?;
            self.looks += came.looked;
            let is_silent = came.differences.iter().any(|part| part.is_silent);
            // A look that follows at once may take back what the arrival did.
            let is_looked_at = came.differences.iter().any(|part| part.step == ReadStep::Looked);
            if let Some(before) = before.filter(|_| !is_silent && !is_looked_at)
                && came.disposition.as_ref().is_none_or(|came| matches!(came, Disposition::Recorded(_)))
            {
                self.deltas += usize::from(before.is_explained(&self.machine, &came.records)?);
            }
            if let Some(known) = known.filter(|_| !is_silent && !is_looked_at) {
                self.drifts += known.is_told(&self.machine, &came.records, self.is_informed)?;
            }
            let ended = |part: &ReadDifferences| matches!(part.step, ReadStep::End { .. });
            self.is_informed |= came.differences.iter().any(ended);
            self.keep(came)?;
            if is_silent {
                self.fold = Fold::of(self.machine.rows());
            }
            self.arrived += 1;
        }
        Ok(())
    }

    fn keep(&mut self, came: Came) -> Result<(), Failure> {
        self.fates.note(came.disposition.as_ref());
        self.journal.extend(came.kept.into_iter().map(|kept| (self.arrived, kept)));
        for version in came.versions {
            self.shadow.restore(version);
        }
        for record in came.records {
            self.fold.take(&record.body)?;
            self.records.push(record);
        }
        Ok(())
    }

    /// Versions alone lead to the same objects.
    fn shadow_is_the_same(&self) -> Result<(), Failure> {
        let (Some(shadow), Some(cloud)) = (self.shadow.cloud(), self.machine.cloud()) else { return Ok(()) };
        order::is_the_same("versions lead to the model", shadow, cloud)?;
        ensure(exposure::rows(shadow) == exposure::rows(cloud), "versions lead to the rows", String::new)
    }
}
