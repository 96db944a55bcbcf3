//! What is logged of an API: one line for each change of its state and each read, with constant words and the rest in fields.

use std::time::Duration;

use osel_core::survey::{ApiTrouble, LogLine, Reason, Severity, Why};

use super::log::{cut, say};
use crate::openstack::words::Refusal;

/// The most refused collections that are told, each in a line: there are some twenty.
const REFUSED_MAX: usize = 32;

/// Writes a line of the state machine; `words` are those of the last failure.
pub(super) fn line(region: &str, line: LogLine, words: &str) {
    let (severity, detail) = (line.severity(), cut(words));
    match line {
        LogLine::Began(ongoing) => {
            say!(severity, region, trouble = trouble(ongoing.why), detail, "API trouble began");
        }
        LogLine::Ended(ongoing) => {
            let (since, count) = (ongoing.since, ongoing.count);
            say!(severity, region, trouble = trouble(ongoing.why), %since, count, "API trouble ended");
        }
        LogLine::Unsteady(ongoing) => {
            let since = ongoing.since;
            say!(severity, region, trouble = trouble(ongoing.why), %since, detail, "API trouble comes and goes");
        }
        LogLine::Steady(ongoing) => {
            let (since, count) = (ongoing.since, ongoing.count);
            say!(severity, region, trouble = trouble(ongoing.why), %since, count, "API steady again");
        }
        LogLine::Still(ongoing) => {
            let (since, count) = (ongoing.since, ongoing.count);
            say!(
                severity,
                region,
                trouble = trouble(ongoing.why),
                %since,
                count,
                detail,
                "API trouble goes on: the model is not checked"
            );
        }
    }
}

/// Writes that everything was read.
pub(super) fn read(region: &str, reason: Reason, objects: usize, time: Duration) {
    let reason = match reason {
        Reason::Start => "start",
        Reason::Gap => "gap",
        Reason::Looks => "too many single objects to look at",
        Reason::Schedule => "schedule",
    };
    let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    tracing::info!(region, reason, objects, milliseconds, "the cloud was read");
}

/// Writes what may not be read, when that has changed.
pub(super) fn refused(region: &str, refused: &[Refusal]) {
    if refused.is_empty() {
        tracing::info!(region, "the API shows everything again");
    }
    for Refusal { what, hides } in refused.iter().take(REFUSED_MAX) {
        tracing::warn!(region, collection = cut(what), hides, "the API does not show this");
    }
}

/// What is wrong, in words.
pub(super) fn trouble(why: Why) -> &'static str {
    match why {
        Why::Silent => "driver silent",
        Why::Api(ApiTrouble::Unreachable) => "unreachable",
        Why::Api(ApiTrouble::Untrusted) => "not trusted",
        Why::Api(ApiTrouble::Denied) => "access denied",
        Why::Api(ApiTrouble::Refused) => "reading not permitted",
        Why::Api(ApiTrouble::Throttled { .. }) => "throttled",
        Why::Api(ApiTrouble::Broken) => "out of order",
    }
}
