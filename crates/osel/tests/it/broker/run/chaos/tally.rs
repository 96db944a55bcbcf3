//! How much was broken, and what became of the messages.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::fault::Fault;
use super::judge::Counts;
use super::schedule::Schedule;

/// The sum over seeds.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    seeds: usize,
    outages: usize,
    faults: BTreeMap<Fault, usize>,
    nodes_killed: usize,
    gaps: usize,
    counts: Counts,
    /// The longest time from when nothing was broken to when osel consumed and was bound.
    slowest: Duration,
}

impl Tally {
    /// Of one seed.
    pub fn of(schedule: &Schedule, counts: Counts, gaps: usize, slowest: Duration) -> Self {
        let outages = schedule.outages.len();
        let mut tally = Self { seeds: 1, outages, gaps, counts, slowest, ..Self::default() };
        for planned in schedule.outages.iter().flatten() {
            *tally.faults.entry(planned.fault).or_default() += 1;
            tally.nodes_killed += match planned.fault {
                Fault::KillNode => 1,
                Fault::KillMajority => schedule.ground.nodes - 1,
                _ => 0,
            };
        }
        tally
    }

    pub fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.outages += other.outages;
        for (fault, count) in &other.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
        self.nodes_killed += other.nodes_killed;
        self.gaps += other.gaps;
        self.counts.confirmed += other.counts.confirmed;
        self.counts.recorded += other.counts.recorded;
        self.counts.in_gaps += other.counts.in_gaps;
        self.slowest = self.slowest.max(other.slowest);
    }

    fn count(&self, faults: &[Fault]) -> usize {
        faults.iter().filter_map(|fault| self.faults.get(fault)).sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seeds, outages, nodes_killed, gaps, counts, .. } = self;
        let Counts { confirmed, recorded, in_gaps } = counts;
        let network = [Fault::CutNetwork, Fault::RefuseNetwork, Fault::StallNetwork, Fault::DelayNetwork];
        write!(
            f,
            "seeds {seeds}, outages {outages}: osel killed {}, stopped {}; nodes killed {nodes_killed}; network cut or late {}; \
             disk filled {}; database stopped {}; queue deleted {}, overflowed {}; password rotated {}. \
             Messages confirmed {confirmed}, recorded {recorded}, in gaps {in_gaps}; gaps {gaps}; \
             back within {:.1} s",
            self.count(&[Fault::KillOsel]),
            self.count(&[Fault::StopOsel]),
            self.count(&network),
            self.count(&[Fault::FillDisk]),
            self.count(&[Fault::StopDatabase]),
            self.count(&[Fault::DeleteQueue]),
            self.count(&[Fault::Overflow]),
            self.count(&[Fault::RotatePassword]),
            self.slowest.as_secs_f64(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_over_seeds_names_how_often_each_store_was_broken() {
        let schedules = || (0..30).map(Schedule::new);
        let planned = |fault| {
            schedules()
                .flat_map(|schedule| schedule.outages.concat())
                .filter(|planned| planned.fault == fault)
                .count()
        };
        let mut sum = Tally::default();
        for schedule in schedules() {
            sum.add(&Tally::of(&schedule, Counts::default(), 0, Duration::ZERO));
        }
        let (filled, stopped) = (planned(Fault::FillDisk), planned(Fault::StopDatabase));
        assert!(filled > 0 && stopped > 0 && filled != stopped);
        let said = sum.to_string();
        assert!(said.contains(&format!("disk filled {filled}; database stopped {stopped};")), "{said}");
    }
}
