//! Slack: incoming webhooks, <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>.
//!
//! What somebody in the cloud has named stands in `plain_text`, in which Slack reads neither marks nor mentions nor links. The text for
//! notifications is `mrkdwn`, where `&`, `<` and `>` begin all that means something.

use osel_core::notice::Notice;
use serde_json::{Value, json};

use crate::config::ChatConfig;
use crate::forward::notice::{Written, cut, link, text};

/// The most characters of a header.
const HEADER_CHARS_MAX: usize = 150;
/// The most characters of a section.
const SECTION_CHARS_MAX: usize = 3000;
/// The most sections that we make of the 50 blocks that a message may have: what is cut of more is in the trail.
const SECTIONS_MAX: usize = 40;
/// The most characters of all blocks together. Slack does not document where it ends: it refuses some with 11,300 (`msg_blocks_too_long`,
/// slackapi/bolt-js issues 2509 and 2867).
const MESSAGE_CHARS_MAX: usize = 10_000;

/// What is only read in `mrkdwn`.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The message.
pub(super) fn message(config: &ChatConfig, forwarder: &str, notice: &Notice, written: &Written) -> Value {
    let base = config.notices.link_base.as_deref();
    let mut blocks = vec![json!({"type": "header", "text": plain(&cut(&written.subject, HEADER_CHARS_MAX))})];
    if let Some(fault) = &written.fault {
        blocks.push(json!({"type": "section", "text": plain(&cut(fault, SECTION_CHARS_MAX))}));
    }
    match &written.body {
        Some(body) => {
            for part in parts(body) {
                let text = json!({"type": "mrkdwn", "text": part, "verbatim": true});
                blocks.push(json!({"type": "section", "text": text}));
            }
        }
        None => {
            // Links are no links in plain text, so that they stand apart.
            for part in parts(&text(notice, None, forwarder)) {
                blocks.push(json!({"type": "section", "text": plain(&part)}));
            }
            blocks.extend(base.and_then(|base| links(notice, base)));
        }
    }
    json!({"text": escaped(&written.subject), "blocks": blocks, "unfurl_links": false, "unfurl_media": false})
}

/// Whether Slack takes so much at once.
pub(super) fn is_fitting(message: &Value) -> bool {
    let texts =
        message["blocks"].as_array().into_iter().flatten().filter_map(|block| block["text"]["text"].as_str());
    texts.map(|text| text.chars().count()).sum::<usize>() <= MESSAGE_CHARS_MAX
}

fn links(notice: &Notice, base: &str) -> Option<Value> {
    let mut text = String::new();
    for line in notice.lines().filter(|line| line.seq > 0) {
        let one = format!("<{}|record {}> ", link(base, line.seq), line.seq);
        if text.len() + one.len() > SECTION_CHARS_MAX {
            break;
        }
        text.push_str(&one);
    }
    let text = text.trim_end();
    (!text.is_empty())
        .then(|| json!({"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": true}}))
}

fn plain(text: &str) -> Value {
    json!({"type": "plain_text", "text": text, "emoji": false})
}

/// A text in pieces that fit into a section each, divided between lines where that can be.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut count = 0;
    for line in text.lines() {
        let line = cut(line, SECTION_CHARS_MAX - 1);
        let characters = line.chars().count() + 1;
        if count + characters > SECTION_CHARS_MAX {
            parts.push(String::new());
            count = 0;
        }
        count += characters;
        if let Some(part) = parts.last_mut() {
            part.push_str(&line);
            part.push('\n');
        }
    }
    // Slack takes no section without a text.
    parts.retain(|part| !part.trim().is_empty());
    parts.truncate(SECTIONS_MAX);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_end_between_lines_and_none_is_too_long() {
        let text = format!("{}\n{}\n\n{}", "é".repeat(1700), "b".repeat(1700), "c".repeat(9000));
        let parts = parts(&text);
        let lengths: Vec<usize> = parts.iter().map(|part| part.chars().count()).collect();
        assert_eq!(lengths, [1701, 1702, 3000]);
        assert_eq!(super::parts(" \n").len(), 0);
        assert_eq!(super::parts(&"x\n".repeat(999_999)).len(), SECTIONS_MAX);
    }
}
