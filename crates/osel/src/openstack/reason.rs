//! What a service says of why it refuses something, as it may stand in a log and in an error: short, and without what it was sent.
//!
//! Services quote what they do not like: a token that cannot be validated, a body that does not keep a schema. Whoever reads logs must
//! not be let in by them.

use std::borrow::Cow;

/// How much of a service's reason is told, in characters: policies name a rule, schemas go on for pages.
const REASON_CHARS_MAX: usize = 200;
/// What stands in place of a secret.
const MASK: &str = "***";
/// How each of Keystone's tokens begins: by the version of Fernet and the first bytes of its time.
const TOKEN_BEGINNING: &str = "gAAAAA";

/// The reason in a body, with a colon before it; nothing where there is none. What was sent and is secret is left out of it.
pub(super) fn reason(body: &[u8], sent: &[&str]) -> String {
    let text = serde_json::from_slice::<serde_json::Value>(body).ok().and_then(|body| {
        // `NeutronError`, Keystone's `error`, and with Nova the name of what went wrong.
        let message = body.as_object().and_then(|body| body.values().find_map(|inner| inner.get("message")));
        // Octavia has the second, Barbican the third.
        let text = message.or(body.get("faultstring")).or(body.get("description"))?;
        // Masked before it is cut: of a part of a secret nobody knows that it is one.
        text.as_str().map(|text| masked(text, sent).chars().take(REASON_CHARS_MAX).collect::<String>())
    });
    text.map(|text| format!(": {text}")).unwrap_or_default()
}

/// A text without these secrets, and without anything that looks like a token.
fn masked(text: &str, secrets: &[&str]) -> String {
    let mut text = Cow::Borrowed(text);
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        if text.contains(secret) {
            text = text.replace(secret, MASK).into();
        }
    }
    let mut parts = text.split(TOKEN_BEGINNING);
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown.push_str(MASK);
        shown.push_str(part.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "-_=%".contains(c)));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, sent: &[&str], wanted: &str) {
        let body = serde_json::json!({"NeutronError": {"type": "T", "message": message, "detail": ""}});
        assert_eq!(reason(body.to_string().as_bytes(), sent), wanted, "{message}");
    }

    #[test]
    fn a_secret_that_a_service_quotes_is_not_told() {
        check("Port p-1 could not be found.", &["token"], ": Port p-1 could not be found.");
        check("bad token own, own", &["own"], ": bad token ***, ***");
        check("'hunter2' is too short", &["", "hunter2"], ": '***' is too short");
        check("of gAAAAABk-x_Y==, and gAAAAAz%3D.", &[], ": of ***, and ***.");
        check("gAAAAAone gAAAAAgAAAAA", &["gAAAAAone"], ": *** ******");
    }

    #[test]
    fn each_services_reason_is_found() {
        for body in [
            r#"{"NeutronError": {"type": "T", "message": "why", "detail": ""}}"#,
            r#"{"error": {"code": 403, "message": "why", "title": "Forbidden"}}"#,
            r#"{"badRequest": {"code": 400, "message": "why"}}"#,
            r#"{"faultcode": "Client", "faultstring": "why", "debuginfo": null}"#,
            r#"{"code": 403, "title": "Forbidden", "description": "why"}"#,
        ] {
            assert_eq!(reason(body.as_bytes(), &[]), ": why", "{body}");
        }
        for body in ["", "<html>", "[]", "{}", r#"{"error": "why"}"#] {
            assert_eq!(reason(body.as_bytes(), &[]), "", "{body}");
        }
    }

    #[test]
    fn a_secret_where_the_reason_is_cut_is_not_told_in_part() {
        let message = format!("{}hunter2 and more", "x".repeat(REASON_CHARS_MAX - 3));
        check(&message, &["hunter2"], &format!(": {}***", "x".repeat(REASON_CHARS_MAX - 3)));
    }
}
