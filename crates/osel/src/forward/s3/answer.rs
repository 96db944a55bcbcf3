//! What a refusal of S3 means. No line is ever to blame: the store does not look into objects.

use osel_core::forward::RefusalKind;

/// The word of a refusal: what stands in the element `Code` of its answer.
pub(super) fn code(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    code.map_or_else(String::new, |(code, _)| code.to_owned())
}

/// What stands in the way.
pub(super) fn kind(status: u16, code: &str) -> RefusalKind {
    match (code, status) {
        ("EntityTooLarge", _) | (_, 413) => RefusalKind::TooLarge,
        ("RequestTimeout", _) | (_, 408) => RefusalKind::Silent,
        // Another one is at the same object, or the object was damaged on its way.
        ("ConditionalRequestConflict" | "OperationAborted", _)
        | ("BadDigest" | "IncompleteBody" | "XAmzContentChecksumMismatch", _)
        | ("SlowDown", _)
        | (_, 429 | 500 | 502..=599) => RefusalKind::Unavailable,
        // Another region, or no such bucket.
        (_, 300..=399 | 404) => RefusalKind::Misplaced,
        // The key, the clock, or something that the store does not know: somebody has to act.
        (_, 400..=499 | 501) => RefusalKind::Denied,
        _ => RefusalKind::Garbled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_whether_waiting_helps_or_somebody_has_to_act() {
        use RefusalKind::{Denied, Garbled, Misplaced, Silent, TooLarge, Unavailable};
        for (status, told, wanted) in [
            (301, "PermanentRedirect", Misplaced),
            (400, "ExpiredToken", Denied),
            (400, "EntityTooLarge", TooLarge),
            (400, "RequestTimeout", Silent),
            (400, "BadDigest", Unavailable),
            (403, "AccessDenied", Denied),
            (403, "RequestTimeTooSkewed", Denied),
            (404, "NoSuchBucket", Misplaced),
            (409, "ConditionalRequestConflict", Unavailable),
            (500, "InternalError", Unavailable),
            (501, "NotImplemented", Denied),
            (503, "SlowDown", Unavailable),
            (503, "", Unavailable),
            (100, "", Garbled),
        ] {
            let answer =
                format!("<?xml version=\"1.0\"?><Error><Code>{told}</Code><Message>m</Message></Error>");
            let code = code(answer.as_bytes());
            assert_eq!((code.as_str(), kind(status, &code)), (told, wanted), "{status}");
        }
        assert_eq!(code(b"<html>503</html>"), "");
    }
}
