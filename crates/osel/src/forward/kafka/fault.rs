//! What goes wrong with Kafka, and what is to be done about it.

use std::io;

use osel_core::forward::{Refusal, RefusalKind};
use osel_core::scan::{TEXT_CHARS_MAX, cut};

use super::wire::Malformed;
use crate::telemetry::chain;
use crate::tls::TrustError;

/// What went wrong.
#[derive(Clone, Debug)]
pub(super) struct KafkaFault {
    pub(super) kind: RefusalKind,
    words: String,
}

impl KafkaFault {
    pub(super) fn new(kind: RefusalKind, words: impl Into<String>) -> Self {
        Self { kind, words: words.into() }
    }

    /// There is no connection, or it broke.
    pub(super) fn broken(place: &str, error: &io::Error) -> Self {
        let is_trust = error.get_ref().is_some_and(|cause| cause.is::<rustls::Error>());
        if is_trust {
            return Self::new(RefusalKind::Denied, format!("no trust with `{place}`: {error}"));
        }
        // A broker that wants TLS or a login says nothing else.
        let words = match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                format!("`{place}` closed the connection: if it always does, see to `tls` and `sasl`")
            }
            _ => format!("`{place}` is not reached: {error}"),
        };
        Self::new(RefusalKind::Unavailable, words)
    }

    /// TLS cannot be prepared.
    pub(super) fn trust(error: &TrustError) -> Self {
        Self::new(RefusalKind::Denied, chain(error))
    }

    /// It takes too long.
    pub(super) fn slow(place: &str) -> Self {
        Self::new(RefusalKind::Silent, format!("`{place}` does not answer in time"))
    }

    /// An answer that is none.
    pub(super) fn malformed(place: &str, error: Malformed) -> Self {
        let words = format!("`{place}`: {error}: it may want TLS, or be another service");
        Self::new(RefusalKind::Garbled, words)
    }

    /// An answer's code, with what was tried and what it says besides.
    pub(super) fn of_code(tried: &str, code: i16, says: Option<&str>) -> Self {
        let (name, kind, advice) = meaning(code);
        let says = says.filter(|says| !says.is_empty()).map(|says| format!(": {says}")).unwrap_or_default();
        let advice = if advice.is_empty() { String::new() } else { format!(": {advice}") };
        Self::new(kind, format!("{tried}: {name} ({code}){says}{advice}"))
    }

    /// Whether it is said of what was handed over, by a cluster with which all is well.
    pub(super) fn is_of_records(&self) -> bool {
        matches!(self.kind, RefusalKind::Item(_) | RefusalKind::TooLarge | RefusalKind::Failed)
    }

    /// The refusal of a batch of which so many items, from the first, were taken.
    pub(super) fn refusal(self, taken: usize) -> Refusal {
        Refusal { kind: self.kind, words: cut(&self.words, TEXT_CHARS_MAX), taken, wait: None }
    }
}

/// The protocol's name of a code, what it means for whoever sends, and what is to be done about it.
fn meaning(code: i16) -> (&'static str, RefusalKind, &'static str) {
    use RefusalKind::{Denied, Failed, Garbled, Silent, TooLarge, Unavailable};
    match code {
        -1 => ("UNKNOWN_SERVER_ERROR", Failed, "the broker's log says more"),
        2 => ("CORRUPT_MESSAGE", Failed, ""),
        // Of a topic that was there a moment ago.
        3 => ("UNKNOWN_TOPIC_OR_PARTITION", Unavailable, ""),
        5 => ("LEADER_NOT_AVAILABLE", Unavailable, ""),
        6 => ("NOT_LEADER_OR_FOLLOWER", Unavailable, ""),
        7 => ("REQUEST_TIMED_OUT", Silent, "replicas do not have it in time"),
        8 => ("BROKER_NOT_AVAILABLE", Unavailable, ""),
        9 => ("REPLICA_NOT_AVAILABLE", Unavailable, ""),
        10 => ("MESSAGE_TOO_LARGE", TooLarge, "the topic's `max.message.bytes` is less"),
        13 => ("NETWORK_EXCEPTION", Unavailable, ""),
        17 => ("INVALID_TOPIC_EXCEPTION", Denied, ""),
        18 => ("RECORD_LIST_TOO_LARGE", TooLarge, "the topic's `segment.bytes` is less"),
        19 => ("NOT_ENOUGH_REPLICAS", Unavailable, "fewer replicas than `min.insync.replicas` are in step"),
        20 => (
            "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
            Unavailable,
            "replicas fell out of step while it was written",
        ),
        29 => ("TOPIC_AUTHORIZATION_FAILED", Denied, "allow Describe and Write on the topic"),
        31 => ("CLUSTER_AUTHORIZATION_FAILED", Denied, ""),
        32 => ("INVALID_TIMESTAMP", Failed, "the topic's `message.timestamp.*.max.ms` do not allow it"),
        33 => ("UNSUPPORTED_SASL_MECHANISM", Denied, ""),
        34 => ("ILLEGAL_SASL_STATE", Denied, "set `sasl`, or use another port"),
        35 => ("UNSUPPORTED_VERSION", Denied, "osel speaks to Kafka 2.4 and later"),
        41 => ("NOT_CONTROLLER", Unavailable, ""),
        43 => ("UNSUPPORTED_FOR_MESSAGE_FORMAT", Denied, "the topic keeps records in an old form"),
        44 => ("POLICY_VIOLATION", Denied, ""),
        54 => ("SECURITY_DISABLED", Denied, ""),
        56 => ("KAFKA_STORAGE_ERROR", Unavailable, "the broker cannot write to its disk"),
        58 => ("SASL_AUTHENTICATION_FAILED", Denied, ""),
        72 => ("LISTENER_NOT_FOUND", Unavailable, ""),
        74 => ("FENCED_LEADER_EPOCH", Unavailable, ""),
        75 => ("UNKNOWN_LEADER_EPOCH", Unavailable, ""),
        76 => ("UNSUPPORTED_COMPRESSION_TYPE", Denied, "choose another `compression`"),
        87 => ("INVALID_RECORD", Failed, "the topic wants records otherwise, as compacted ones want a key"),
        89 => ("THROTTLING_QUOTA_EXCEEDED", Unavailable, ""),
        _ => ("an error that osel does not know", Garbled, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_whether_waiting_helps_and_what_to_do() {
        let fault = |code, says| KafkaFault::of_code("cannot hand over", code, says);
        for (code, wanted) in [
            (19, RefusalKind::Unavailable),
            (6, RefusalKind::Unavailable),
            (10, RefusalKind::TooLarge),
            (29, RefusalKind::Denied),
            (7, RefusalKind::Silent),
            (87, RefusalKind::Failed),
            (12_345, RefusalKind::Garbled),
        ] {
            assert_eq!(fault(code, None).kind, wanted, "{code}");
        }
        assert_eq!(
            fault(29, Some("by a rule")).refusal(0).words,
            "cannot hand over: TOPIC_AUTHORIZATION_FAILED (29): by a rule: allow Describe and Write on the topic"
        );
    }
}
