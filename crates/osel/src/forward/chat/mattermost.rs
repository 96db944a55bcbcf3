//! Mattermost: incoming webhooks, <https://developers.mattermost.com/integrate/webhooks/incoming/>.
//!
//! What somebody in the cloud has named stands in a block of code, where nothing is a link, a mention or an emoji, and which no name can
//! end, as it has no backtick.

use osel_core::notice::Notice;
use serde_json::{Value, json};

use crate::config::ChatConfig;
use crate::forward::notice::{Written, cut, text};

/// The most characters of a message; Mattermost's own limit.
const TEXT_CHARS_MAX: usize = 16_383;
/// What of it is left for what is around the text.
const AROUND_CHARS: usize = 400;

/// What is only read in Markdown: every mark is one of text, and nobody is named by an `@`.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // A character without width keeps it from being a mention, a channel, a tag, an emoji or an address.
            '@' | '~' | '#' | ':' | '.' => out.extend([c, '\u{200b}']),
            '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '<' | '>' | '!' | '|' | '{' | '}' | '+'
            | '-' | '=' | '&' | '$' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// The message.
pub(super) fn message(config: &ChatConfig, forwarder: &str, notice: &Notice, written: &Written) -> Value {
    let fault = written.fault.iter().map(|fault| format!("{fault}\n")).collect::<String>();
    let body = match &written.body {
        Some(body) => cut(body, TEXT_CHARS_MAX),
        None => {
            let text = text(notice, None, forwarder).replace('`', "'");
            let links = links(config, notice);
            let most = TEXT_CHARS_MAX - AROUND_CHARS - links.len().min(TEXT_CHARS_MAX / 2);
            let text = cut(&format!("{}{text}", fault.replace('`', "'")), most);
            format!("**{}**\n```text\n{text}\n```{links}", notice.counts())
        }
    };
    let mut message = json!({"text": body});
    let own = [("username", &config.user_name), ("icon_url", &config.icon_url)];
    for (key, value) in own {
        if let Some(value) = value {
            message[key] = json!(value);
        }
    }
    message
}

fn links(config: &ChatConfig, notice: &Notice) -> String {
    let Some(base) = &config.notices.link_base else { return String::new() };
    let lines = notice.lines().filter(|line| line.seq > 0);
    let links: Vec<String> = lines
        .map(|line| format!("[record {}]({})", line.seq, crate::forward::notice::link(base, line.seq)))
        .collect();
    let links = links.join(" ");
    // What is too long is left out as a whole: half a link leads nowhere.
    if links.is_empty() || links.len() > TEXT_CHARS_MAX / 2 { String::new() } else { format!("\n{links}") }
}
