//! What a receiver of OpenTelemetry's logs says.

use prost::Message;
use serde::Deserialize;

use super::messages::{LogsResponse, PartialSuccess, Status};

/// The type of what is sent, and of an answer to it.
pub(super) const PROTOBUF: &str = "application/x-protobuf";
/// The type of an answer that is JSON all the same.
const JSON: &str = "application/json";
/// The type of a page for people, as of a proxy that wants somebody to log in.
const HTML: &str = "text/html";

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
    partial_success: Option<JsonPartial>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct JsonPartial {
    rejected_log_records: Option<JsonCount>,
    error_message: Option<String>,
}

/// A number of 64 bits, which JSON of protobuf has as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum JsonCount {
    Number(i64),
    Text(String),
}

/// What is no answer of a receiver of logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer is not one of OpenTelemetry's protocol, so that nobody knows what was taken")]
pub(super) struct Unreadable;

/// Reads an answer of success. One without a type of the protocol, which is neither protobuf nor JSON, says no more than its status.
///
/// # Errors
/// When it is not what its type says, or a page for people: something else than a receiver has answered, or half of it is missing.
pub(super) fn answered(content_type: &str, body: &[u8]) -> Result<Answered, Unreadable> {
    let content_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = content_type == JSON;
    if content_type == HTML {
        return Err(Unreadable);
    }
    // No message of protobuf that is an answer begins like JSON.
    let partial = if is_json && body.is_empty() {
        Some(PartialSuccess::default())
    } else if is_json || body.first() == Some(&b'{') {
        of_json(body)
    } else {
        LogsResponse::decode(body).ok().map(|read| read.partial_success.unwrap_or_default())
    };
    let partial = match partial {
        None if is_json || content_type == PROTOBUF => return Err(Unreadable),
        partial => partial.unwrap_or_default(),
    };
    Ok(match usize::try_from(partial.rejected_log_records) {
        Ok(0) | Err(_) => Answered::All,
        Ok(count) => Answered::Not(count, partial.error_message),
    })
}

fn of_json(body: &[u8]) -> Option<PartialSuccess> {
    let read: JsonResponse = serde_json::from_slice(body).ok()?;
    let JsonPartial { rejected_log_records, error_message } = read.partial_success.unwrap_or_default();
    let rejected_log_records = match rejected_log_records {
        None => 0,
        Some(JsonCount::Number(count)) => count,
        Some(JsonCount::Text(count)) => count.parse().ok()?,
    };
    Some(PartialSuccess { rejected_log_records, error_message: error_message.unwrap_or_default() })
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
        assert_eq!(answered(PROTOBUF, &response(Some(partial))), Ok(not(2, "too old")));
        assert_eq!(answered(PROTOBUF, &response(None)), Ok(Answered::All));
        // A warning, with all taken.
        let warning = PartialSuccess { rejected_log_records: 0, error_message: "hm".to_owned() };
        assert_eq!(answered(PROTOBUF, &response(Some(warning))), Ok(Answered::All));
        for (body, wanted) in [
            (r#"{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"no"}}"#, not(2, "no")),
            (r#"{"partialSuccess":{"rejectedLogRecords":3}}"#, not(3, "")),
            (r#"{"partialSuccess":{"rejectedLogRecords":-1}}"#, Answered::All),
            (r#"{"partialSuccess":{}}"#, Answered::All),
            (r#"{"partialSuccess":null}"#, Answered::All),
            (r#"{"partialSuccess":{"rejectedLogRecords":4,"errorMessage":null}}"#, not(4, "")),
            (r#"{"partialSuccess":{"rejectedLogRecords":null}}"#, Answered::All),
            ("{}", Answered::All),
            ("", Answered::All),
            ("OK", Answered::All),
        ] {
            assert_eq!(answered("", body.as_bytes()), Ok(wanted), "{body}");
        }
    }

    #[test]
    fn an_answer_that_is_not_what_its_type_says_takes_nothing() {
        let partial = PartialSuccess { rejected_log_records: 2, error_message: "too old".to_owned() };
        let whole = LogsResponse { partial_success: Some(partial) }.encode_to_vec();
        for (content_type, body, wanted) in [
            (PROTOBUF, &whole[..whole.len() - 1], Err(Unreadable)),
            (PROTOBUF, b"<html>", Err(Unreadable)),
            (PROTOBUF, b"", Ok(Answered::All)),
            ("Application/JSON; charset=utf-8", b"OK", Err(Unreadable)),
            (JSON, br#"{"partialSuccess":{"rejectedLogRecords":"2"#, Err(Unreadable)),
            (JSON, br#"{"partialSuccess":{"rejectedLogRecords":"two"}}"#, Err(Unreadable)),
            (JSON, b"{}", Ok(Answered::All)),
            (JSON, b"", Ok(Answered::All)),
            ("text/html; charset=utf-8", b"<html>log in</html>", Err(Unreadable)),
            ("text/plain", b"OK", Ok(Answered::All)),
        ] {
            assert_eq!(answered(content_type, body), wanted, "{content_type}: {body:?}");
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
