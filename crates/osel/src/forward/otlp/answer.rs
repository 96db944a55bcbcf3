//! What a receiver of OpenTelemetry's logs says.

use prost::Message;
use serde::Deserialize;

use super::messages::{LogsResponse, PartialSuccess, Status};

/// What it has taken of a request that it answered well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// All.
    All,
    /// So many not, of which it does not say which; and why.
    Not(usize, String),
}

/// The same answer as JSON.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct JsonResponse {
    partial_success: JsonPartial,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct JsonPartial {
    rejected_log_records: JsonCount,
    error_message: String,
}

/// A number of 64 bits, which JSON of protobuf has as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum JsonCount {
    Number(i64),
    Text(String),
}

impl Default for JsonCount {
    fn default() -> Self {
        Self::Number(0)
    }
}

/// Reads an answer of success; what is neither protobuf nor JSON says no more than its status.
pub(super) fn answered(body: &[u8]) -> Answered {
    let partial = if body.first() == Some(&b'{') {
        let read: JsonResponse = serde_json::from_slice(body).unwrap_or_default();
        let JsonPartial { rejected_log_records, error_message } = read.partial_success;
        let rejected_log_records = match rejected_log_records {
            JsonCount::Number(count) => count,
            JsonCount::Text(count) => count.parse().unwrap_or(0),
        };
        PartialSuccess { rejected_log_records, error_message }
    } else {
        LogsResponse::decode(body).ok().and_then(|read| read.partial_success).unwrap_or_default()
    };
    match usize::try_from(partial.rejected_log_records) {
        Ok(0) | Err(_) => Answered::All,
        Ok(count) => Answered::Not(count, partial.error_message),
    }
}

/// What a refusal says, where that is protobuf; else it is text already.
pub(super) fn words(is_protobuf: bool, body: Vec<u8>) -> Vec<u8> {
    match Status::decode(&*body) {
        Ok(status) if is_protobuf => status.message.into_bytes(),
        _ => body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_taken_is_told_in_either_encoding_and_nothing_else_is() {
        let not = |count, words: &str| Answered::Not(count, words.to_owned());
        let partial = PartialSuccess { rejected_log_records: 2, error_message: "too old".to_owned() };
        let response = |partial_success| LogsResponse { partial_success }.encode_to_vec();
        assert_eq!(answered(&response(Some(partial))), not(2, "too old"));
        assert_eq!(answered(&response(None)), Answered::All);
        // A warning, with all taken.
        let warning = PartialSuccess { rejected_log_records: 0, error_message: "hm".to_owned() };
        assert_eq!(answered(&response(Some(warning))), Answered::All);
        for (body, wanted) in [
            (r#"{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"no"}}"#, not(2, "no")),
            (r#"{"partialSuccess":{"rejectedLogRecords":3}}"#, not(3, "")),
            (r#"{"partialSuccess":{"rejectedLogRecords":-1}}"#, Answered::All),
            (r#"{"partialSuccess":{}}"#, Answered::All),
            ("{}", Answered::All),
            ("", Answered::All),
            ("OK", Answered::All),
        ] {
            assert_eq!(answered(body.as_bytes()), wanted, "{body}");
        }
    }

    #[test]
    fn a_refusal_is_a_status_or_text() {
        let status = Status { message: "no such tenant".to_owned() }.encode_to_vec();
        assert_eq!(words(true, status), b"no such tenant");
        assert_eq!(words(false, b"404 page not found".to_vec()), b"404 page not found");
        assert_eq!(words(true, b"\xff\xff".to_vec()), b"\xff\xff");
    }
}
