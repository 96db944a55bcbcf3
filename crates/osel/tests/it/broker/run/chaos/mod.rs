//! Chaos by seed: services publish and note what the broker confirmed, while osel, broker, network and store are broken; in the end
//! every confirmed message has one record or lies in a gap, and every gap had a cause. `docs/chaos.md` says what is promised.
//!
//! [`fault`], [`schedule`] and [`judge`] are pure; [`world`] and [`deeds`] do it; [`publishers`],
//! [`notifier`] and [`evidence`] see it.

mod deeds;
mod evidence;
mod fault;
mod judge;
mod notifier;
mod publishers;
mod schedule;
mod tally;
mod world;

use std::env;
use std::time::{Duration, Instant};

use self::judge::{Report, judge};
use self::schedule::Schedule;
use self::tally::Tally;
use self::world::World;

/// What the test command plays: every fault and every ground is among them.
const SEEDS: [u64; 3] = [21, 46, 55];
/// The first of the seeds that are played; without [`MINUTES`] the only one.
const SEED: &str = "OSEL_CHAOS_SEED";
/// For how many minutes new seeds are begun, one after the other; at least one is played.
const MINUTES: &str = "OSEL_CHAOS_MINUTES";

/// Says on failure how to have it again.
struct Told<'a>(&'a Schedule);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seed = self.0.seed;
            eprintln!("{}\nseed {seed} failed; again: cargo xtask chaos --minutes 0 --seed {seed}", self.0);
        }
    }
}

/// Plays a seed and judges it.
#[track_caller]
fn play(seed: u64) -> Tally {
    let schedule = Schedule::new(seed);
    let _told = Told(&schedule);
    let mut world = World::new(&schedule);
    for outage in &schedule.outages {
        world.suffer(outage, schedule.loss(outage));
    }
    let done = world.end_well();
    let kept = evidence::gather(&world.osel);
    let (counts, broken) = judge(&done, &kept);
    assert!(broken.is_empty(), "{}", Report { done: &done, kept: &kept, broken: &broken });
    Tally::of(&schedule, counts, kept.gaps.len(), world.slowest)
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: `{text}`")))
}

#[test]
fn every_confirmed_message_has_one_record_or_lies_in_a_gap() {
    let start = Instant::now();
    let (seed, minutes) = (number(SEED), number(MINUTES));
    let limit = Duration::from_secs(60 * minutes.unwrap_or(0));
    let seeds: Box<dyn Iterator<Item = u64>> = match (seed, minutes) {
        (None, None) => Box::new(SEEDS.into_iter()),
        (Some(seed), None) => Box::new([seed].into_iter()),
        (seed, Some(_)) => Box::new(seed.unwrap_or_else(|| u64::from(getrandom::u32().unwrap()))..),
    };
    let mut sum = Tally::default();
    for (count, seed) in seeds.enumerate() {
        if count > 0 && minutes.is_some() && start.elapsed() >= limit {
            break;
        }
        let tally = play(seed);
        eprintln!("{:>4} s, seed {seed}: {tally}", start.elapsed().as_secs());
        sum.add(&tally);
    }
    eprintln!("in all, {} s: {sum}", start.elapsed().as_secs());
}
