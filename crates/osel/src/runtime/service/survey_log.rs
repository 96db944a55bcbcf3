//! What is logged of an API: one line for each change of its state, with constant words and the rest in fields. What goes well again and
//! again, as reads by schedule do, is told when it begins and then now and then.

use std::collections::BTreeMap;
use std::time::Duration;

use osel_core::pace::Spaced;
use osel_core::survey::{ApiTrouble, LogLine, Reason, Severity, Why};
use osel_core::time::Timestamp;

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

/// What was told of reads that came to their ends.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// By what they were made for: a source that comes and goes, and a short schedule, have one follow the other.
    by_reason: BTreeMap<Reason, Spaced>,
    /// What is not shown, as it was told.
    told: BTreeMap<String, Refusal>,
    /// When something was told of a collection: servers of which one has another policy take turns.
    spaced: BTreeMap<String, Spaced>,
}

/// What is to be told of what is not shown.
#[derive(Debug, PartialEq, Eq)]
enum Shown<'a> {
    /// This is not, or for another reason than before.
    Not(&'a Refusal),
    /// This is again.
    Again(String),
}

impl Reads {
    /// Writes that everything was read.
    pub(super) fn read(
        &mut self,
        region: &str,
        now: Timestamp,
        reason: Reason,
        objects: usize,
        time: Duration,
    ) {
        let Some(reads) = self.by_reason.entry(reason).or_default().happened(now) else { return };
        let reason = match reason {
            Reason::Start => "start",
            Reason::Gap => "gap",
            Reason::Looks => "too many single objects to look at",
            Reason::Schedule => "schedule",
        };
        let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(region, reason, reads, objects, milliseconds, "the cloud was read");
    }

    /// Writes what may not be read and why, where that has changed.
    pub(super) fn refused(&mut self, region: &str, now: Timestamp, refused: &[Refusal]) {
        for shown in self.changes(now, refused) {
            match shown {
                Shown::Not(Refusal { what, hides, why }) => {
                    let (collection, why) = (cut(what), cut(why));
                    tracing::warn!(region, collection, hides, why, "the API does not show this");
                }
                Shown::Again(what) => {
                    tracing::info!(region, collection = cut(&what), "the API shows this again");
                }
            }
        }
    }

    /// What has changed since it was told; what is told too often for that is a change for the next read too.
    fn changes<'a>(&mut self, now: Timestamp, refused: &'a [Refusal]) -> Vec<Shown<'a>> {
        let (told, spaced) = (&mut self.told, &mut self.spaced);
        let mut is_due = |what: &str| spaced.entry(what.to_owned()).or_default().happened(now).is_some();
        let is_shown = |what: &str| refused.iter().all(|refusal| refusal.what != what);
        let again: Vec<String> = told.keys().filter(|what| is_shown(what)).cloned().collect();
        let mut changes = Vec::new();
        for what in again.into_iter().filter(|what| is_due(what)).collect::<Vec<_>>() {
            told.remove(&what);
            changes.push(Shown::Again(what));
        }
        for refusal in refused.iter().take(REFUSED_MAX) {
            if told.get(&refusal.what) != Some(refusal) && is_due(&refusal.what) {
                told.insert(refusal.what.clone(), refusal.clone());
                changes.push(Shown::Not(refusal));
            }
        }
        changes
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

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(what: &str, why: &str) -> Refusal {
        Refusal { what: what.to_owned(), hides: "what it hides", why: why.to_owned() }
    }

    #[test]
    fn what_is_not_shown_is_told_when_it_changes_and_not_with_each_read() {
        let mut reads = Reads::default();
        let mut told = |second, refused: &[Refusal]| {
            let changes = reads.changes(Timestamp::EPOCH.plus_seconds(second), refused);
            let words = changes.into_iter().map(|shown| match shown {
                Shown::Not(refusal) => format!("{}: {}", refusal.what, refusal.why),
                Shown::Again(what) => format!("{what} again"),
            });
            words.collect::<Vec<_>>()
        };
        let (ports, routers) = (refusal("ports", "403"), refusal("routers", "404"));
        assert_eq!(told(0, std::slice::from_ref(&ports)), ["ports: 403"]);
        assert_eq!(told(10, std::slice::from_ref(&ports)), [""; 0]);
        assert_eq!(told(20, &[ports.clone(), routers.clone()]), ["routers: 404"]);
        // It comes and goes with each read.
        assert_eq!(told(30, std::slice::from_ref(&routers)), [""; 0]);
        assert_eq!(told(40, &[ports.clone(), routers.clone()]), [""; 0]);
        assert_eq!(told(640, &[refusal("ports", "500"), routers]), ["ports: 500"]);
        assert_eq!(told(1300, &[]), ["ports again", "routers again"]);
        assert_eq!(told(1310, &[]), [""; 0]);
    }
}
