//! Microsoft Teams: the workflow "When a Teams webhook request is received", which takes an Adaptive Card in an envelope.
//!
//! What somebody in the cloud has named stands in text runs, in which no marks mean anything; in a text block they would.

use osel_core::notice::{Notice, NoticeLine};
use serde_json::{Value, json};

use crate::config::ChatConfig;
use crate::forward::notice::{Written, cut, link};

/// The most bytes of a message; Teams' own limit is 28 KB.
pub(super) const MESSAGE_BYTES_MAX: usize = 28_000;
/// The longest text that a template may make, which leaves room for what is around it and for escapes.
const BODY_CHARS_MAX: usize = 6_000;

/// What is only read in a text run: everything.
pub(super) fn escaped(text: &str) -> String {
    text.to_owned()
}

/// The message.
pub(super) fn message(config: &ChatConfig, forwarder: &str, notice: &Notice, written: &Written) -> Value {
    let base = config.notices.link_base.as_deref();
    let mut body = vec![rich(&[bold(&written.subject)])];
    if let Some(fault) = &written.fault {
        body.push(rich(&[run(fault)]));
    }
    match &written.body {
        Some(text) => {
            let text = cut(text, BODY_CHARS_MAX);
            body.extend(text.lines().filter(|line| !line.is_empty()).map(|line| rich(&[run(line)])));
        }
        None => {
            let times = format!("{}, {} to {}", notice.counts(), notice.since, notice.until);
            body.push(rich(&[run(&times)]));
            for group in &notice.groups {
                if group.told > 1 {
                    body.push(rich(&[bold(&format!("{} ({} records)", group.title, group.told))]));
                }
                body.extend(group.lines.iter().map(|line| told(line, base)));
            }
            if notice.more > 0 {
                body.push(rich(&[run(&format!("{} more: {}", notice.more, notice.search()))]));
            }
            body.push(rich(&[run(&format!("osel, forwarder {forwarder}"))]));
        }
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "fallbackText": notice.counts(),
                "msteams": {"width": "Full"},
                "body": body,
            },
        }],
    })
}

fn told(line: &NoticeLine, base: Option<&str>) -> Value {
    let word = if line.is_resolved { "resolved, was " } else { "" };
    let mut runs = vec![bold(&format!("{word}{} ", line.severity)), run(&format!("{} ", line.time))];
    if line.seq > 0 {
        let mut record = run(&format!("record {} ", line.seq));
        if let Some(base) = base {
            record["selectAction"] = json!({"type": "Action.OpenUrl", "url": link(base, line.seq)});
        }
        runs.push(record);
    }
    runs.push(run(&line.text));
    rich(&runs)
}

fn rich(inlines: &[Value]) -> Value {
    json!({"type": "RichTextBlock", "inlines": inlines})
}

fn run(text: &str) -> Value {
    json!({"type": "TextRun", "text": text})
}

fn bold(text: &str) -> Value {
    json!({"type": "TextRun", "text": text, "weight": "Bolder"})
}
