//! Chores that only hand on to Cargo what a person would otherwise have to remember.

use std::path::Path;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use anyhow::Result;

use crate::command;

/// A simulation or benchmark is as long as its arguments ask for: a day is only a net under a hanging one.
const LIMIT: Duration = Duration::from_hours(24);

/// `cargo xtask sim`: the simulator, optimised, since it is worth what it gets through.
pub(crate) fn sim(root: &Path, arguments: &[String]) -> Result<ExitCode> {
    simulator(root, &[], arguments)
}

/// `cargo xtask cloudgen`: the generator of clouds, optimised, since a million ports are many.
pub(crate) fn cloudgen(root: &Path, arguments: &[String]) -> Result<ExitCode> {
    simulator(root, &["cloudgen"], arguments)
}

fn simulator(root: &Path, command: &[&str], arguments: &[String]) -> Result<ExitCode> {
    let mut cargo = command::cargo(root);
    cargo.args(["run", "--release", "--package", "osel-sim", "--"]).args(command).args(arguments);
    Ok(code(command::run(cargo, LIMIT)?))
}

/// `cargo xtask bench`.
pub(crate) fn bench(root: &Path, arguments: &[String]) -> Result<ExitCode> {
    let mut cargo = command::cargo(root);
    cargo.args(["bench", "--workspace"]).args(arguments);
    Ok(code(command::run(cargo, LIMIT)?))
}

/// The exit code of a program that was run, handed on; one that died of a signal has failed.
pub(crate) fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    ExitCode::from(code)
}
