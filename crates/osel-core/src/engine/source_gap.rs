//! Gaps of a source: a span of time in which messages may have been lost before they reached us.
//!
//! When there is one is decided by `intake`, told by the shell, and written down here, so that nobody who reads the trail takes silence
//! for peace.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::record::RecordBody;
use super::{Engine, Output, system_record};
use crate::time::Timestamp;
use crate::trail::RecordKind;

/// Why messages may be missing; the words are kept in journals and records for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceGapCause {
    /// The outage was so long that the bounded queue may have overflowed.
    LongOutage,
    /// A binding of the queue was gone.
    Unbound,
    /// The queue was full and dropped its oldest messages.
    Overflowed,
    /// The queue was gone.
    Missing,
    /// A file of captured messages was cut or removed, and what was read of it before is in no other.
    Unread,
}

impl SourceGapCause {
    fn as_str(self) -> &'static str {
        match self {
            Self::LongOutage => "long_outage",
            Self::Unbound => "unbound",
            Self::Overflowed => "overflowed",
            Self::Missing => "missing",
            Self::Unread => "unread",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::LongOutage => "the outage was so long that the queue may have overflowed",
            Self::Unbound => "the queue was not bound to an exchange",
            Self::Overflowed => "the queue was full and dropped its oldest messages",
            Self::Missing => "the queue was gone",
            Self::Unread => "the file was cut or gone before it was known to be read to its end",
        }
    }
}

/// Messages of a source that were published between two times may be missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceGap {
    /// The source.
    pub source: Arc<str>,
    /// Its region, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Arc<str>>,
    /// Nothing published before is missing.
    pub from: Timestamp,
    /// Nothing published after is missing.
    pub to: Timestamp,
    /// Why.
    pub cause: SourceGapCause,
}

impl Engine {
    pub(super) fn source_gap(&mut self, now: Timestamp, gap: &SourceGap, out: &mut Output) {
        let SourceGap { source, region, from, to, cause } = gap;
        let text = format!(
            "messages of {source} published between {from} and {to} may be missing: {}",
            cause.sentence()
        );
        let mut record = RecordBody {
            source: Some(Arc::clone(source)),
            region: region.clone(),
            ..system_record(now, *to, RecordKind::Gap, text)
        };
        let told = [("from", from.to_string()), ("to", to.to_string()), ("cause", cause.as_str().to_owned())];
        record.detail.extend(told.map(|(key, value)| (key.into(), value)));
        self.attempts.give_up(region.as_ref());
        let seq = self.record(record, out);
        self.lost.insert(region.clone(), seq);
    }
}
