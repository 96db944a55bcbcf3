//! A range of seeds, on as many threads as the machine has, and the first one that fails.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::failure::Failure;
use super::seed::{Counted, run};

/// A seed that fails.
#[derive(Clone, Debug)]
pub struct Found {
    /// The seed.
    pub seed: u64,
    /// What failed.
    pub failure: Failure,
}

/// What came of a range of seeds.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many seeds passed.
    pub passed: u64,
    /// What they were checked on.
    pub counted: Counted,
    /// For each check that failed how often it did, and the lowest seed, of those that were played.
    pub found: BTreeMap<&'static str, (u64, Found)>,
}

impl Report {
    /// The lowest seed that failed.
    pub fn first(&self) -> Option<&Found> {
        self.found.values().map(|(_, found)| found).min_by_key(|found| found.seed)
    }
}

/// Which seeds to play, and how.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// The first seed.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// How long each cloud lives, in place of what its seed says.
    pub steps: Option<u64>,
    /// How many are played at once.
    pub threads: usize,
    /// Whether to go on when one fails.
    pub goes_on: bool,
}

/// Plays a range of seeds.
pub fn run_many(range: Range) -> Report {
    let Range { first, count, steps, threads, goes_on } = range;
    let next = AtomicU64::new(0);
    let report = Mutex::new(Report::default());
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return;
            }
            let seed = first.wrapping_add(number);
            let played = play(seed, steps);
            let Ok(mut report) = report.lock() else { return };
            match played {
                Ok(counted) => {
                    report.passed += 1;
                    report.counted.add(counted);
                }
                Err(failure) => {
                    if !goes_on {
                        // Nobody begins another one; what is lower was begun before.
                        next.store(count, Ordering::Relaxed);
                    }
                    let check = failure.check;
                    let found = Found { seed, failure };
                    let known = report.found.entry(check).or_insert_with(|| (0, found.clone()));
                    known.0 += 1;
                    if seed < known.1.seed {
                        known.1 = found;
                    }
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(work);
        }
    });
    report.into_inner().unwrap_or_default()
}

/// A panic is a failure like any other: nothing that arrives may cause one.
fn play(seed: u64, steps: Option<u64>) -> Result<Counted, Failure> {
    catch_unwind(AssertUnwindSafe(|| run(seed, steps))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(Failure::new("nothing panics", text))
    })
}
