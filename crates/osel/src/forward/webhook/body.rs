//! The body of a request.

use std::time::Duration;

use osel_core::format::Format;
use osel_core::forward::{Refusal, RefusalKind};
use serde_json::value::RawValue;

use super::template::Template;
use crate::config::{WebhookBody, WebhookConfig};
use crate::forward::http::refusal;
use crate::forward::receiver::{BatchLimits, Item};
use crate::telemetry::chain;

/// How much a batch may have.
pub(super) fn limits(config: &WebhookConfig) -> BatchLimits {
    let items = match config.body {
        WebhookBody::Single | WebhookBody::Template(_) => 1,
        WebhookBody::Array | WebhookBody::Lines => config.batch_records.max(1),
    };
    BatchLimits { items, bytes: config.batch_bytes, awaited: 1, linger: Duration::ZERO }
}

/// What the content is said to be.
pub(super) fn content_type(config: &WebhookConfig, format: Format) -> &str {
    let of_body = match config.body {
        WebhookBody::Array | WebhookBody::Template(_) => "application/json",
        WebhookBody::Single if format.is_json() => "application/json",
        WebhookBody::Lines if format.is_json() => "application/x-ndjson",
        WebhookBody::Single | WebhookBody::Lines => "text/plain; charset=utf-8",
    };
    config.content_type.as_deref().unwrap_or(of_body)
}

/// The body for these items.
///
/// # Errors
/// When the template makes nothing of the one there is: others it may.
pub(super) fn body(
    config: &WebhookConfig,
    format: Format,
    template: Option<&Template>,
    items: &[Item],
) -> Result<Vec<u8>, Refusal> {
    if let (Some(template), [item]) = (template, items) {
        let is_json = content_type(config, format).contains("json");
        return template.filled(item, is_json).map_err(|error| refusal(RefusalKind::Item(0), &chain(&error)));
    }
    let mut body = Vec::with_capacity(items.iter().map(|item| item.line.len() + 2).sum());
    match config.body {
        WebhookBody::Array => {
            body.push(b'[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    body.push(b',');
                }
                element(format, item, &mut body);
            }
            body.push(b']');
        }
        WebhookBody::Single => items.iter().for_each(|item| body.extend_from_slice(&item.line)),
        WebhookBody::Lines | WebhookBody::Template(_) => {
            for item in items {
                body.extend_from_slice(&item.line);
                body.push(b'\n');
            }
        }
    }
    Ok(body)
}

/// Why the template of a table makes nothing of a line; none where it makes something, or there is no template.
pub fn unfilled(config: &WebhookConfig, format: Format, item: &Item) -> Option<String> {
    let WebhookBody::Template(text) = &config.body else { return None };
    match Template::new(text) {
        Ok(template) => body(config, format, Some(&template), std::slice::from_ref(item))
            .err()
            .map(|refusal| refusal.words),
        Err(error) => Some(error.to_string()),
    }
}

/// A line in an array: an object as it is, a text as one of JSON.
fn element(format: Format, item: &Item, body: &mut Vec<u8>) {
    if format.is_json() && serde_json::from_slice::<&RawValue>(&item.line).is_ok() {
        body.extend_from_slice(&item.line);
    } else {
        let text = String::from_utf8_lossy(&item.line);
        serde_json::to_writer(body, &text).expect("a text is JSON, and memory takes it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::http::tests::item;
    use crate::forward::webhook::receiver::tests::config;

    fn check(way: WebhookBody, format: Format, lines: &[&str], wanted: &str, content: &str) {
        let config = WebhookConfig { body: way, ..config("http://localhost/") };
        let items: Vec<Item> = lines.iter().zip(1..).map(|(line, seq)| item(seq, line)).collect();
        let body = body(&config, format, None, &items).unwrap();
        assert_eq!(String::from_utf8(body).unwrap(), wanted);
        assert_eq!(content_type(&config, format), content);
        assert!(limits(&config).items >= items.len());
    }

    #[test]
    fn a_body_has_lines_in_the_way_that_is_wanted() {
        use Format::{Cef, Native};
        let text = "text/plain; charset=utf-8";
        check(WebhookBody::Single, Native, &[r#"{"a":1}"#], r#"{"a":1}"#, "application/json");
        check(WebhookBody::Single, Cef, &["CEF:0|"], "CEF:0|", text);
        let two = [r#"{"a":1}"#, r#"{"b":2}"#];
        check(WebhookBody::Array, Native, &two, r#"[{"a":1},{"b":2}]"#, "application/json");
        check(WebhookBody::Array, Cef, &["a \"b\"", "c"], r#"["a \"b\"","c"]"#, "application/json");
        check(WebhookBody::Lines, Native, &two, "{\"a\":1}\n{\"b\":2}\n", "application/x-ndjson");
        check(WebhookBody::Lines, Cef, &["a", "b"], "a\nb\n", text);
    }
}
