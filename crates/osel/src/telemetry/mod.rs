//! Logs of the daemon: to standard error, for people or for programs, with a level that can be changed while it runs.
//!
//! Only osel's own lines are written. What libraries say is their view of things that we tell ourselves, and theirs would come with each
//! attempt: a broker that is down for a night must not fill a disk.

mod escaped;
mod priority;
mod supervisor;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry, fmt, reload};

pub use self::supervisor::Supervisor;
use crate::config::{Level, LogConfig, LogFormat};

/// Changes the level of the log that is written.
#[derive(Clone)]
pub struct LogHandle(reload::Handle<Targets, Registry>);

impl LogHandle {
    /// Writes lines from this level on.
    pub fn set_level(&self, level: Level) {
        // The only failure is that nothing is logged any more.
        let _ = self.0.reload(targets(level));
    }
}

/// Starts to log.
///
/// # Errors
/// When something else logs in this process already.
pub fn start(config: &LogConfig) -> Result<LogHandle, TryInitError> {
    let (filter, handle) = reload::Layer::new(targets(config.level));
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let text = fmt::format().with_target(false).with_ansi(false);
    let json = fmt::format().json().with_target(false).flatten_event(true).with_current_span(false);
    let json = escaped::Escaped(json);
    let lines = match (config.format, priority::leads_to_journal()) {
        (LogFormat::Text, false) => lines.with_ansi(false).event_format(text).boxed(),
        (LogFormat::Text, true) => lines.with_ansi(false).event_format(priority::Prioritised(text)).boxed(),
        (LogFormat::Json, false) => lines.json().event_format(json).boxed(),
        (LogFormat::Json, true) => lines.json().event_format(priority::Prioritised(json)).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    Ok(LogHandle(handle))
}

/// Whether the lines of such a log are read by programs, be it that they are JSON or that they go to the journal: then whatever else the
/// daemon says to standard error has to be such a line.
pub fn is_for_programs(config: &LogConfig) -> bool {
    config.format == LogFormat::Json || priority::leads_to_journal()
}

/// An error with its causes, for a field of a line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        // Errors of others often say in their own words what their cause says.
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}

fn targets(level: Level) -> Targets {
    let level = match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    Targets::new().with_target("osel", level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{words}")]
    struct Failed {
        words: &'static str,
        source: std::io::Error,
    }

    #[test]
    fn what_an_error_says_of_its_cause_is_told_once() {
        let of = |words| chain(&Failed { words, source: std::io::Error::other("no such host") });
        assert_eq!(of("cannot connect"), "cannot connect: no such host");
        assert_eq!(of("cannot connect: no such host"), "cannot connect: no such host");
    }
}
