//! `osel-sim generate`: a cloud and a stream of any size, written to files.

use std::io::Write;
use std::path::Path;

use super::options::{CommandError, Options, create};
use crate::generate::{GenerateOptions, Generator};

/// Ports when nobody says how many.
const USUAL_PORTS: u64 = 1000;

/// Writes what is asked for: the cloud before, the stream, the cloud after.
pub(super) fn run(words: &[&str]) -> Result<(), CommandError> {
    let mut options = Options::new(words);
    let ports = options.number("--ports", USUAL_PORTS)?;
    let messages = options.number("--messages", 0)?;
    let seed = options.number("--seed", 1)?;
    let (inventory, stream, last) =
        (options.value("--inventory")?, options.value("--stream")?, options.value("--final")?);
    let audit = !options.flag("--no-audit");
    options.finish()?;

    let ports = usize::try_from(ports).unwrap_or(usize::MAX);
    let mut generator = Generator::new(GenerateOptions { ports, seed, audit });
    write_inventory(&generator, inventory)?;
    if let Some(path) = stream {
        let mut file = create(Path::new(path))?;
        let mut line = String::new();
        for _ in 0..messages {
            generator.next_line(&mut line);
            file.write_all(line.as_bytes())?;
        }
        file.flush()?;
    }
    write_inventory(&generator, last)
}

fn write_inventory(generator: &Generator, path: Option<&str>) -> Result<(), CommandError> {
    if let Some(path) = path {
        let mut file = create(Path::new(path))?;
        generator.write_inventory(&mut file)?;
        file.flush()?;
    }
    Ok(())
}
