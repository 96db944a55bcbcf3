//! `cargo xtask chaos`: seeds of the chaos suite for as long as it is asked for, beyond the few that the test command plays.
//!
//! The suite is a test of `osel`'s binary of integration tests; it is run by Cargo's own runner, which ends no test for its time.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::{command, packages, python};

/// The test, by its whole name.
const TEST: &str = "broker::run::chaos::every_confirmed_message_has_one_record_or_lies_in_a_gap";
/// What tells the test how long to go on, and with which seed to begin.
const MINUTES: &str = "OSEL_CHAOS_MINUTES";
const SEED: &str = "OSEL_CHAOS_SEED";
/// How long it goes on where nobody says.
const MINUTES_DEFAULT: u64 = 15;
/// The longest that may be asked for: a week.
const MINUTES_MAX: u64 = 7 * 24 * 60;
/// What is added to that for compiling, and for the seed that is under way when the time is over.
const SLACK: Duration = Duration::from_mins(90);

/// Plays new seeds until the time is over or one fails.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<ExitCode> {
    let Asked { minutes, seed } = Asked::read(arguments)?;
    packages::install()?;
    python::install(root)?;
    let mut tests = command::cargo(root);
    tests.args(["test", "--package", "osel", "--test", "it", "--", "--exact", TEST, "--nocapture"]);
    tests.env(MINUTES, minutes.to_string());
    match seed {
        Some(seed) => tests.env(SEED, seed.to_string()),
        None => tests.env_remove(SEED),
    };
    let status = command::run(tests, Duration::from_mins(minutes) + SLACK)?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the arguments ask for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    minutes: u64,
    seed: Option<u64>,
}

impl Asked {
    fn read(arguments: &[String]) -> Result<Self> {
        let mut asked = Self { minutes: MINUTES_DEFAULT, seed: None };
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let mut number = || -> Result<u64> {
                let text = arguments.next().with_context(|| format!("`{name}` needs a number"))?;
                text.parse().with_context(|| format!("`{name}` needs a number, not `{text}`"))
            };
            match name.as_str() {
                "--minutes" => asked.minutes = number()?,
                "--seed" => asked.seed = Some(number()?),
                _ => bail!("`chaos` takes `--minutes N` and `--seed S`, but got `{name}`"),
            }
        }
        if asked.minutes > MINUTES_MAX {
            bail!("`--minutes` may be {MINUTES_MAX} at most");
        }
        Ok(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Asked> {
        let arguments: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        Asked::read(&arguments)
    }

    #[test]
    fn arguments_say_how_long_and_where_to_begin() {
        let asked = |minutes, seed| Asked { minutes, seed };
        assert_eq!(read("").expect("nothing is asked for"), asked(MINUTES_DEFAULT, None));
        assert_eq!(read("--seed 7 --minutes 0").expect("both are known"), asked(0, Some(7)));
        for (text, wanted) in [
            ("--minutes", "needs a number"),
            ("--minutes soon", "not `soon`"),
            ("--seconds 5", "but got `--seconds`"),
            ("--minutes 1000000", "at most"),
        ] {
            let error = read(text).expect_err(text).to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
