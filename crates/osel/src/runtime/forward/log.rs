//! What is said of forwarders in the log.

use osel_core::conduct::Severity;
use osel_core::forward::{ForwardLine, ForwardWhy};

/// The most bytes of a receiver's words in a line of the log.
const WORDS_BYTES_MAX: usize = 500;

/// Words as they fit into a line.
pub(super) fn cut(words: &str) -> &str {
    &words[..words.floor_char_boundary(WORDS_BYTES_MAX)]
}

/// Writes a line of a forwarder's machine, with what the receiver said last.
pub(super) fn line(forwarder: &str, line: &ForwardLine, words: &str) {
    let detail = cut(words);
    match line {
        ForwardLine::Began(ongoing) => {
            let (why, since) = (ongoing.why, ongoing.since);
            let todo = todo(why);
            if line.severity() == Severity::Error {
                tracing::error!(forwarder, %why, %since, detail, todo, "records are not delivered");
            } else {
                tracing::warn!(forwarder, %why, %since, detail, "records are not delivered: trying again");
            }
        }
        ForwardLine::Still(ongoing) => {
            let (why, since, tries, todo) = (ongoing.why, ongoing.since, ongoing.count, todo(ongoing.why));
            if line.severity() == Severity::Error {
                tracing::error!(forwarder, %why, %since, tries, detail, todo, "records are still not delivered");
            } else {
                tracing::warn!(forwarder, %why, %since, tries, detail, "records are still not delivered");
            }
        }
        ForwardLine::Unsteady(ongoing) => {
            let (why, since, tries) = (ongoing.why, ongoing.since, ongoing.count);
            tracing::warn!(forwarder, %why, %since, tries, detail, "delivery comes and goes: told again when it is steady");
        }
        ForwardLine::Ended(ongoing) | ForwardLine::Steady(ongoing) => {
            let (since, tries) = (ongoing.since, ongoing.count);
            tracing::info!(forwarder, %since, tries, "records are delivered again");
        }
        ForwardLine::NothingLeft(ongoing) => {
            let (why, since, tries) = (ongoing.why, ongoing.since, ongoing.count);
            tracing::info!(forwarder, %why, %since, tries, "nothing is left to be sent: whether the receiver takes it shows with the next record");
        }
        ForwardLine::Dead { letter, letters } => {
            let words = cut(&letter.words);
            tracing::warn!(
                forwarder,
                record = letter.id.seq,
                line = letter.id.line,
                detail = words,
                letters,
                "the receiver will not take a line: it waits as a dead letter, see `osel forward dead`"
            );
        }
        ForwardLine::Ahead { place, head } => {
            tracing::error!(
                forwarder,
                place,
                head,
                "the place lies behind the end of the trail, as after a store was put back: `osel forward rewind` sets it"
            );
        }
    }
}

/// What somebody has to do.
fn todo(why: ForwardWhy) -> &'static str {
    match why {
        ForwardWhy::Unavailable | ForwardWhy::Silent | ForwardWhy::Failed => "",
        ForwardWhy::Denied => {
            "look at the receiver: credentials, addresses, rights, and whether another one writes there"
        }
        ForwardWhy::Misplaced => "look at the address that is configured, and what is there",
        ForwardWhy::Unfit => {
            "look at what the receiver says: its limits, its filters, and what it is set up to take"
        }
        ForwardWhy::Garbled => "look whether the receiver is what the configuration says",
        ForwardWhy::Full => "look at `osel forward dead`, then resend or discard",
    }
}
