//! `osel-sim forward`: records on their way to receivers that fail, by processes that are killed.

use std::io::Write;
use std::time::Instant;

use super::options::{CommandError, Options};
use crate::forward::run as play;

/// Plays the seeds and says what they were like; the first that fails is named with the command that plays it alone.
pub(super) fn run(words: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    let mut options = Options::new(words);
    let count = options.number("--seeds", 1_000)?;
    let first = options.number("--seed", 1)?;
    options.finish()?;

    let began = Instant::now();
    let (mut kills, mut faults, mut letters, mut repeated) = (0, 0, 0, 0);
    for seed in first..first.saturating_add(count) {
        let report = play(seed);
        if !report.is_good() {
            let again = format!("again: cargo xtask sim forward --seeds 1 --seed {seed}");
            return Err(CommandError::Check(format!("{report}\n{again}")));
        }
        kills += report.kills;
        faults += report.faults;
        letters += report.letters;
        repeated += report.repeated;
    }
    let seconds = began.elapsed().as_secs_f64();
    writeln!(
        out,
        "{count} seeds passed in {seconds:.1} s: {faults} faults, {kills} kills, {letters} dead letters, {repeated} lines \
         twice where nobody could know better"
    )?;
    Ok(())
}
