//! What is logged of a source: one line for each change of its state, with constant words and the rest in fields.

use osel_core::intake::{GapCause, LogLine, Ongoing, Severity, StoreTrouble, Why};

use super::kind::SourceKind;
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
pub(super) use say;

/// What others said last of a source, for its lines.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// The broker, or the way to it.
    pub(super) broker: String,
    /// Which host it is, by name and port; empty where there are none.
    pub(super) host: String,
    /// The store.
    pub(super) store: String,
    /// The exchanges to which the queue was not bound.
    pub(super) unbound: String,
}

impl Words {
    fn host(&self) -> Option<&str> {
        Some(cut(&self.host)).filter(|host| !host.is_empty())
    }

    fn of(&self, why: Why) -> &str {
        cut(match why {
            Why::Broker(_) => &self.broker,
            Why::Store(_) => &self.store,
            Why::Queue(GapCause::Unbound) => &self.unbound,
            Why::Queue(_) | Why::Alarm => "",
        })
    }
}

/// Writes a line of the state machine.
pub(super) fn line(source: &str, kind: SourceKind, line: &LogLine, said: &Words) {
    let words = |why: Why| said.of(why);
    let severity = line.severity();
    match line {
        LogLine::Connected { .. } => say!(severity, source, host = said.host(), "listening"),
        LogLine::Began(Ongoing { why, .. }) => {
            say!(severity, source, trouble = trouble(kind, *why), detail = words(*why), "trouble began");
        }
        LogLine::Ended(Ongoing { why, since, count }) => {
            let host = said.host().filter(|_| matches!(why, Why::Broker(_)));
            say!(severity, source, host, trouble = trouble(kind, *why), %since, count, "trouble ended");
        }
        LogLine::Unsteady(Ongoing { why, since, .. }) => {
            let detail = words(*why);
            say!(severity, source, trouble = trouble(kind, *why), %since, detail, "trouble comes and goes");
        }
        LogLine::Steady(Ongoing { why, since, count }) => {
            say!(severity, source, trouble = trouble(kind, *why), %since, count, "steady again");
        }
        LogLine::Still(all) => {
            for Ongoing { why, since, count } in all {
                let detail = words(*why);
                say!(severity, source, trouble = trouble(kind, *why), %since, count, detail, "trouble goes on");
            }
        }
        LogLine::Gap(gap) => {
            let why = Why::Queue(gap.why);
            let (from, to, cause, detail) = (gap.from, gap.to, trouble(kind, why), words(why));
            say!(severity, source, %from, %to, cause, detail, "messages may be missing");
        }
        LogLine::Deposed => say!(severity, source, "another process leads the store"),
        LogLine::Unfinished { messages } => {
            say!(severity, source, messages, "stopped before these were written: they come again");
        }
    }
}

/// Writes that a source that ends has ended.
pub(super) fn ended(source: &str) {
    tracing::info!(source, "read to its end");
}

/// Writes that nothing is known of a source's region while others are known.
pub(super) fn new_region(source: &str, region: Option<&str>, known: &[Option<&str>]) {
    let known: Vec<&str> = known.iter().map(|region| region.unwrap_or("(none)")).collect();
    tracing::warn!(
        source,
        region = region.unwrap_or("(none)"),
        known = cut(&known.join(", ")),
        "nothing is known of this source's region, and other regions are known: what the source tells is a cloud of its own; if it is one of those, \
         `region` has to say so"
    );
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
        Change::Unheard(exchanges) => tracing::warn!(
            source,
            exchanges = cut(&exchanges.join(", ")),
            "none of the exchanges is there, and nothing is heard: services make theirs with their first notification; where they have sent some, \
             look at the virtual host of transport_url, and at the names"
        ),
        Change::Heard => tracing::info!(source, "an exchange is there, and heard"),
        Change::Released(exchange) => tracing::info!(
            source,
            exchange = cut(exchange),
            "exchange is not in the configuration any more: unbound, by all topics that are known"
        ),
        Change::Held(exchange) => tracing::warn!(
            source,
            exchange = cut(exchange),
            "exchange is not in the configuration any more, and may not be unbound: what it gets is heard until the user has read permission \
             for it at a start"
        ),
        Change::Otherwise(detail) => tracing::warn!(
            source,
            detail = cut(detail),
            "the queue is not made as the configuration asks, and stays as it is: stop osel, delete the queue once it is empty, and start osel \
             again"
        ),
        Change::Shared => tracing::error!(
            source,
            "another program takes messages off this queue, and they are missing here: a copy of this store, or a second source for the \
             same bus; stop one of the two"
        ),
        Change::Alone => tracing::info!(source, "nobody else takes messages off this queue any more"),
        Change::Forbidden(exchange) => tracing::error!(
            source,
            exchange = cut(exchange),
            "own queue may not be bound to the exchange: give the user configure and write permission for `^osel\\.`"
        ),
    }
}

fn trouble(kind: SourceKind, why: Why) -> &'static str {
    match why {
        Why::Broker(why) => kind.no_connection(why),
        Why::Store(StoreTrouble::Transient | StoreTrouble::Permanent) => "store not writable",
        Why::Queue(why) => kind.no_queue(why),
        Why::Alarm => "broker holds publishers back",
    }
}

pub(super) fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(WORDS_BYTES_MAX)]
}
