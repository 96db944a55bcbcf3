//! `osel-sim cloud`: a simulated cloud written to files.

use std::io::Write;
use std::path::Path;

use super::options::{CommandError, Options, create};
use crate::cloud::{Cloud, CloudOptions, Release};
use crate::schedule::{Reorder, Schedule};

/// Steps of a cloud when nobody says how many.
const USUAL_STEPS: u64 = 1000;

/// Lets a cloud live and writes inventory, stream and the state in the end.
pub(super) fn run(words: &[&str]) -> Result<(), CommandError> {
    let mut options = Options::new(words);
    let (inventory, stream, state) =
        (options.required("--inventory")?, options.required("--stream")?, options.required("--state")?);
    let release = options.value("--release")?.unwrap_or(Release::TwentyTwentySix.name());
    let release = release
        .parse()
        .map_err(|error: crate::cloud::UnknownRelease| CommandError::Usage(error.to_string()))?;
    let seed = options.number("--seed", 1)?;
    let steps = options.number("--steps", USUAL_STEPS)?;
    let schedule = Schedule {
        seed,
        duplicate_percent: options.number("--duplicate", 0)?,
        drop_percent: options.number("--drop", 0)?,
        reorder: match options.value("--reorder")? {
            Some("all") => Reorder::Totally,
            Some(window) => Reorder::Within(
                window
                    .parse()
                    .map_err(|_| CommandError::Usage("`--reorder` is a number or `all`".to_owned()))?,
            ),
            None => Reorder::Keep,
        },
        ..Schedule::default()
    };
    let (silent, racing) = (options.flag("--silent"), options.flag("--racing"));
    options.finish()?;

    let mut cloud = Cloud::new(CloudOptions { release, seed, silent, racing, ..CloudOptions::default() });
    cloud.drain();
    write(inventory, [cloud.inventory()])?;
    cloud.run(usize::try_from(steps).unwrap_or(usize::MAX));
    write(stream, schedule.deliver(cloud.drain()).lines())?;
    write(state, [cloud.state()])
}

fn write(path: &str, values: impl IntoIterator<Item = serde_json::Value>) -> Result<(), CommandError> {
    let mut file = create(Path::new(path))?;
    for value in values {
        writeln!(file, "{value}")?;
    }
    file.flush()?;
    Ok(())
}
