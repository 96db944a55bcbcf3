//! `osel-sim paths`: `reach` against the judge, in clouds where everything that decides about a path meets.

use std::io::Write;
use std::time::Instant;

use super::options::{CommandError, Options};
use crate::paths::{Plan, run as play};

/// Plays the clouds and says what they were asked; a difference is told with the command that finds it again.
pub(super) fn run(words: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    let mut options = Options::new(words);
    let clouds = options.number("--clouds", 2_000)?;
    let questions = options.number("--questions", 500)?;
    let first = options.number("--seed", 1)?;
    let usual = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = usize::try_from(options.number("--threads", usual as u64)?).unwrap_or(usual);
    options.finish()?;

    let began = Instant::now();
    let report = play(Plan { first, clouds, questions, threads });
    let seconds = began.elapsed().as_secs_f64();
    writeln!(
        out,
        "{} questions with the same answer, after {} events in any order, in {seconds:.1} s",
        report.questions, report.events
    )?;
    let told = |what: &str, counts: &std::collections::BTreeMap<&str, u64>| {
        let counts: Vec<String> = counts.iter().map(|(word, times)| format!("{times} {word}")).collect();
        format!("{what}: {}", counts.join(", "))
    };
    writeln!(out, "{}", told("answers", &report.reasons))?;
    writeln!(out, "{}", told("told by", &report.said_by))?;
    match report.difference {
        None => Ok(()),
        Some((seed, difference)) => Err(CommandError::Check(format!(
            "seed {seed}: {difference}\nagain: cargo xtask sim paths --clouds 1 --seed {seed} --questions {questions}"
        ))),
    }
}
