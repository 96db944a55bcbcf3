//! `osel-sim --seeds`: the checkers on a range of seeds.

use std::io::Write;
use std::time::Instant;

use super::options::{CommandError, Options};
use crate::check::{Found, Range, run_many};

/// Plays the seeds and says how fast; the first that fails is named with the command that plays it alone.
pub(super) fn run(words: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    let mut options = Options::new(words);
    let count = options.number("--seeds", 1)?;
    let first = options.number("--seed", 1)?;
    let steps = options.value("--steps")?;
    let steps = steps
        .map(|text| {
            text.parse::<u64>()
                .map_err(|_| CommandError::Usage(format!("`--steps` is not a number: `{text}`")))
        })
        .transpose()?;
    let usual = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = usize::try_from(options.number("--threads", usual as u64)?).unwrap_or(usual);
    let goes_on = options.flag("--all");
    options.finish()?;

    let began = Instant::now();
    let report = run_many(Range { first, count, steps, threads, goes_on });
    let seconds = began.elapsed().as_secs_f64().max(f64::MIN_POSITIVE);
    let (counted, rate) = (report.counted, report.passed as f64 / seconds);
    writeln!(
        out,
        "{} seeds passed in {seconds:.1} s, {rate:.0} a second: {} messages, {} rows, {} deltas, {} answers \
         of yes, {} failed calls, {} drifts, {} scans, {} looks, {} kills in a read, {} messages without a person",
        report.passed,
        counted.messages,
        counted.rows,
        counted.deltas,
        counted.admitted,
        counted.failed_calls,
        counted.drifts,
        counted.scans,
        counted.looks,
        counted.kills,
        counted.rewritten
    )?;
    let steps = steps.map(|steps| format!(" --steps {steps}")).unwrap_or_default();
    let again = |seed| format!("again: cargo xtask sim --seeds 1 --seed {seed}{steps}");
    if goes_on {
        for (times, found) in report.found.values() {
            writeln!(out, "{times} times {}\n{}\n", found.failure, again(found.seed))?;
        }
    }
    match report.first() {
        None => Ok(()),
        Some(Found { seed, failure }) => {
            Err(CommandError::Check(format!("seed {seed}: {failure}\n{}", again(*seed))))
        }
    }
}
