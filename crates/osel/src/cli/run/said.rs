//! What the daemon says beside its log: what is wrong with its configuration, and why it ends. Where programs read the log, which see lines
//! one by one and know them by their form or by the priority before them, this looks as the log does; else it is for the person who
//! started it.

use std::process::ExitCode;

use super::super::config::tell;
use super::super::output::{exit_code, in_one_line};
use crate::config::{Config, LogConfig, Problems, Remark};
use crate::telemetry;

/// Says what is wrong with a configuration, and the warnings.
pub(super) fn configuration(log: &LogConfig, loaded: &Result<Config, Problems>, warnings: &[Remark]) {
    if !telemetry::is_for_programs(log) {
        return tell(loaded, warnings);
    }
    if let Err(told) = loaded {
        for Remark { place, key, what } in &told.problems {
            tracing::error!(place = place.to_string(), key, what, "the configuration cannot be used");
        }
        if told.untold > 0 {
            tracing::error!(problems = told.untold, "the configuration has more problems than are told");
        }
    }
    for Remark { place, key, what } in warnings {
        tracing::warn!(place = place.to_string(), key, what, "the configuration may not be what is meant");
    }
}

/// Says why it ends, if that is for the log; else whoever called says it.
pub(super) fn end(log: &LogConfig, error: anyhow::Error) -> anyhow::Result<ExitCode> {
    if !telemetry::is_for_programs(log) {
        return Err(error);
    }
    tracing::error!(error = in_one_line(&error), "osel cannot go on");
    Ok(exit_code(&error))
}
