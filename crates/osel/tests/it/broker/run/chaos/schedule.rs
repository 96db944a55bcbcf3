//! What happens when, all of it from a seed: the same number gives the same ground and the same faults in the same order.
//!
//! Pure. Time is counted in steps of the publishers, who go on whatever happens. What a seed cannot fix is how far osel and the
//! broker have come at each step: a failure is repeated by its seed often, not always.

use std::fmt;

use osel_sim::random::Random;

use super::fault::{Fault, Ground, Loss, Part};

/// How many outages a seed has: on one node, and in a cluster, whose nodes take longer to come back.
const OUTAGES: [u64; 2] = [5, 4];
/// Of so many seeds in a row one has its store in a database.
const SEEDS_TO_A_DATABASE: u64 = 3;
/// At most so many faults at one time.
const FAULTS_MAX: u64 = 3;
/// Within so many steps of each other the faults of one outage begin: all of them while the first is still felt.
const BEGIN_STEPS: u64 = 40;
/// So many steps a fault lasts: some end before anybody has seen them, most are seen and tried against several times.
const LAST_STEPS: (u64, u64) = (2, 120);

/// One fault of an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    pub fault: Fault,
    /// In steps since the outage began.
    pub begins: u64,
    /// In steps.
    pub lasts: u64,
    /// For what the fault leaves open, such as which node.
    pub pick: u64,
}

impl Planned {
    /// How a database is stopped, as `pg_ctl` calls it: in order, or as by a crash.
    pub fn database_stop(&self) -> &'static str {
        if self.pick.is_multiple_of(2) { "fast" } else { "immediate" }
    }
}

/// A seed played out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    pub seed: u64,
    pub ground: Ground,
    /// Whether a service with the real oslo.messaging is among the publishers.
    pub has_notifier: bool,
    /// Faults that overlap or follow so closely that they are one outage; between two outages all goes well.
    pub outages: Vec<Vec<Planned>>,
}

/// A fault begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    pub step: u64,
    pub planned: Planned,
    pub is_end: bool,
}

impl Schedule {
    /// What this seed means.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let nodes = if random.percent(25) { 3 } else { 1 };
        let ground = Ground {
            nodes,
            // In a cluster a classic queue is away with its node, and nobody who knows only that node can tell: decision 0006.
            is_quorum: nodes > 1 || random.percent(60),
            has_durable_exchanges: random.percent(30),
            has_database: seed.is_multiple_of(SEEDS_TO_A_DATABASE),
        };
        let count = OUTAGES[usize::from(nodes > 1)];
        let outages = (0..count).map(|_| outage(&mut random, ground)).collect();
        Self { seed, ground, has_notifier: random.percent(50), outages }
    }

    /// The beginnings and ends of the faults of an outage, in order.
    pub fn turns(outage: &[Planned]) -> Vec<Turn> {
        let begin = |planned: &Planned| Turn { step: planned.begins, planned: *planned, is_end: false };
        let end = |planned: &Planned| {
            let step = planned.begins + planned.lasts;
            Turn { step, planned: *planned, is_end: true }
        };
        let mut turns: Vec<Turn> = outage.iter().flat_map(|planned| [begin(planned), end(planned)]).collect();
        turns.sort_by_key(|turn| turn.step);
        turns
    }

    /// The worst that the faults of an outage cost.
    pub fn loss(&self, outage: &[Planned]) -> Loss {
        let losses = outage.iter().map(|planned| planned.fault.loss(self.ground));
        losses.max().unwrap_or(Loss::Nothing)
    }
}

fn outage(random: &mut Random, ground: Ground) -> Vec<Planned> {
    let mut free: Vec<Fault> = Fault::ALL.into_iter().filter(|fault| fault.fits(ground)).collect();
    let mut touched: Vec<Part> = Vec::new();
    let mut outage = Vec::new();
    for _ in 0..random.between(1, FAULTS_MAX) {
        free.retain(|fault| !fault.touches().iter().any(|part| touched.contains(part)));
        let Some(&fault) = random.pick(&free) else { break };
        touched.extend(fault.touches());
        let begins = if outage.is_empty() { 0 } else { random.below(BEGIN_STEPS) };
        let lasts = random.between(LAST_STEPS.0, LAST_STEPS.1);
        outage.push(Planned { fault, begins, lasts, pick: random.bits() });
    }
    outage
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = if self.has_notifier { ", oslo.messaging too" } else { "" };
        write!(f, "seed {}: {}{with}", self.seed, self.ground)?;
        for (number, outage) in (1..).zip(&self.outages) {
            write!(f, "\n  outage {number}:")?;
            for Planned { fault, begins, lasts, pick } in outage {
                write!(f, " {fault:?} at step {begins} for {lasts} (pick {});", pick % 3)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::SEEDS;
    use super::*;

    #[test]
    fn a_seed_is_one_schedule_and_another_seed_another() {
        assert_eq!(Schedule::new(7), Schedule::new(7));
        assert_ne!(Schedule::new(7).outages, Schedule::new(8).outages);
        assert!(Schedule::new(7).to_string().starts_with("seed 7: "));
    }

    #[test]
    fn faults_of_one_outage_touch_different_parts_and_overlap_sometimes() {
        let mut overlaps = 0;
        for schedule in (0..200).map(Schedule::new) {
            for outage in &schedule.outages {
                let parts: Vec<Part> =
                    outage.iter().flat_map(|planned| planned.fault.touches()).copied().collect();
                let twice = |part: &Part| parts.iter().filter(|other| *other == part).count() > 1;
                assert!(!parts.iter().any(twice), "{schedule}");
                assert!(outage.iter().all(|planned| planned.fault.fits(schedule.ground)), "{schedule}");
                let turns = Schedule::turns(outage);
                assert!(turns.is_sorted_by_key(|turn| turn.step) && turns.len() == 2 * outage.len());
                overlaps += usize::from(turns.windows(2).any(|two| !two[0].is_end && !two[1].is_end));
            }
        }
        assert!(overlaps > 100, "{overlaps}");
    }

    #[test]
    fn each_store_is_broken_in_its_own_way_and_one_seed_of_three_has_a_database() {
        let schedules: Vec<Schedule> = (0..200).map(Schedule::new).collect();
        for three in schedules.windows(3) {
            assert_eq!(three.iter().filter(|schedule| schedule.ground.has_database).count(), 1);
        }
        let mut modes = BTreeSet::new();
        for schedule in &schedules {
            for planned in schedule.outages.iter().flatten() {
                match planned.fault {
                    Fault::FillDisk => assert!(!schedule.ground.has_database, "{schedule}"),
                    Fault::StopDatabase => {
                        assert!(schedule.ground.has_database, "{schedule}");
                        modes.insert(planned.database_stop());
                    }
                    _ => {}
                }
            }
        }
        assert_eq!(modes, BTreeSet::from(["fast", "immediate"]));
    }

    #[test]
    fn what_an_outage_costs_depends_on_where_it_happens() {
        let loss = |faults: &[Fault], nodes, has_durable_exchanges| {
            let ground = Ground { nodes, is_quorum: true, has_durable_exchanges, has_database: false };
            let plan = |&fault: &Fault| Planned { fault, begins: 0, lasts: 1, pick: 0 };
            let outage: Vec<Planned> = faults.iter().map(plan).collect();
            Schedule { seed: 0, ground, has_notifier: false, outages: Vec::new() }.loss(&outage)
        };
        assert_eq!(loss(&[Fault::KillOsel, Fault::StallNetwork, Fault::FillDisk], 1, false), Loss::Nothing);
        assert_eq!(loss(&[Fault::KillOsel, Fault::StopDatabase], 1, false), Loss::Nothing);
        assert_eq!(loss(&[Fault::KillOsel, Fault::KillNode], 1, false), Loss::Bindings);
        assert_eq!(loss(&[Fault::KillNode], 1, true), Loss::Nothing);
        assert_eq!(loss(&[Fault::KillNode], 3, false), Loss::Nothing);
        assert_eq!(loss(&[Fault::KillMajority], 3, false), Loss::Bindings);
        assert_eq!(loss(&[Fault::DeleteQueue, Fault::FillDisk], 1, true), Loss::Content);
    }

    #[test]
    fn the_seeds_of_the_test_command_play_every_fault_and_every_ground() {
        let schedules: Vec<Schedule> = SEEDS.into_iter().map(Schedule::new).collect();
        let planned = schedules.iter().flat_map(|schedule| schedule.outages.iter().flatten());
        let played: BTreeSet<Fault> = planned.map(|planned| planned.fault).collect();
        assert_eq!(played, BTreeSet::from(Fault::ALL));
        let has = |test: fn(&Ground) -> bool| schedules.iter().any(|schedule| test(&schedule.ground));
        assert!(has(|ground| ground.nodes == 3));
        assert!(has(|ground| ground.nodes == 1 && ground.is_quorum));
        assert!(has(|ground| !ground.is_quorum));
        assert!(has(|ground| ground.has_database) && has(|ground| !ground.has_database));
        assert!(schedules.iter().any(|schedule| schedule.has_notifier));
        assert!(has(|ground| ground.has_durable_exchanges) && has(|ground| !ground.has_durable_exchanges));
    }
}
