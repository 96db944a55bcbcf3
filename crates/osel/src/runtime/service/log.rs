//! What is logged of a source: one line for each change of its state, with constant words and the rest in fields.

use osel_core::intake::{BrokerTrouble, GapCause, LogLine, Ongoing, Severity, StoreTrouble, Why};

use crate::source::words::Change;

/// The most bytes of a broker's or the system's own words in a line.
const WORDS_BYTES_MAX: usize = 500;

/// A macro, since the level of a line is part of its constant description.
macro_rules! say {
    ($severity:expr, $($rest:tt)*) => {
        match $severity {
            Severity::Error => tracing::error!($($rest)*),
            Severity::Warn => tracing::warn!($($rest)*),
            Severity::Info => tracing::info!($($rest)*),
        }
    };
}

/// Writes a line of the state machine.
pub(super) fn line(source: &str, line: &LogLine, broker_words: &str, store_words: &str) {
    let words = |why: Why| {
        let words = match why {
            Why::Broker(_) => broker_words,
            Why::Store(_) => store_words,
            Why::Queue(_) | Why::Alarm => "",
        };
        cut(words)
    };
    let severity = line.severity();
    match line {
        LogLine::Connected { host } => say!(severity, source, host, "listening"),
        LogLine::Began(Ongoing { why, .. }) => {
            say!(severity, source, trouble = trouble(*why), detail = words(*why), "trouble began");
        }
        LogLine::Ended(Ongoing { why, since, count }) => {
            say!(severity, source, trouble = trouble(*why), %since, count, "trouble ended");
        }
        LogLine::Unsteady(Ongoing { why, since, .. }) => {
            let detail = words(*why);
            say!(severity, source, trouble = trouble(*why), %since, detail, "trouble comes and goes");
        }
        LogLine::Steady(Ongoing { why, since, count }) => {
            say!(severity, source, trouble = trouble(*why), %since, count, "steady again");
        }
        LogLine::Still(all) => {
            for Ongoing { why, since, count } in all {
                let detail = words(*why);
                say!(severity, source, trouble = trouble(*why), %since, count, detail, "trouble goes on");
            }
        }
        LogLine::Gap(gap) => {
            let (from, to, cause) = (gap.from, gap.to, trouble(Why::Queue(gap.why)));
            say!(severity, source, %from, %to, cause, "messages may be missing");
        }
        LogLine::Deposed => say!(severity, source, "another process leads the store"),
        LogLine::Unfinished { messages } => {
            say!(severity, source, messages, "stopped before these were written: they come again");
        }
    }
}

/// Writes what is new about an exchange.
pub(super) fn exchange(source: &str, change: &Change) {
    match change {
        Change::Bound(exchange) => tracing::info!(source, exchange = cut(exchange), "exchange bound"),
        Change::Gone(exchange) => {
            tracing::warn!(source, exchange = cut(exchange), "exchange is gone: waiting for it");
        }
        Change::Denied(exchange) => tracing::error!(
            source,
            exchange = cut(exchange),
            "exchange may not be read: give the user read permission for it, or take it off the list"
        ),
    }
}

fn trouble(why: Why) -> &'static str {
    match why {
        Why::Broker(BrokerTrouble::Unreachable) => "broker unreachable",
        Why::Broker(BrokerTrouble::Closed) => "connection closed",
        Why::Broker(BrokerTrouble::Silent) => "broker silent",
        Why::Broker(BrokerTrouble::Cancelled) => "queue gone",
        Why::Broker(BrokerTrouble::Denied) => "access denied",
        Why::Broker(BrokerTrouble::Untrusted) => "broker not trusted",
        Why::Broker(BrokerTrouble::Disorder) => "broker out of order",
        Why::Store(StoreTrouble::Transient | StoreTrouble::Permanent) => "store not writable",
        Why::Queue(GapCause::LongOutage) => "long outage",
        Why::Queue(GapCause::Unbound) => "queue not bound",
        Why::Queue(GapCause::Overflowed) => "queue overflowed",
        Why::Queue(GapCause::Missing) => "queue missing",
        Why::Alarm => "broker holds publishers back",
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(WORDS_BYTES_MAX)]
}
