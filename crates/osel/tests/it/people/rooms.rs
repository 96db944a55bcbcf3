//! Services for chat as their documents describe them: what they take, and with which words they refuse the rest.

use osel_sim::scanners::Reply;
use osel_sim::scanners::http::{Call, Served, Service};
use serde_json::{Value, json};

/// What stands in a message that a service will not take here.
pub(super) const POISON: &str = "poison";

/// A service for chat.
pub(super) struct Room {
    kind: Kind,
    /// What it answers instead of looking at a message.
    pub(super) answer: Option<(u16, &'static str)>,
    /// All that it was sent.
    pub(super) sent: Vec<Value>,
    /// What it has taken.
    pub(super) taken: Vec<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Slack,
    Mattermost,
    Teams,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Slack, Self::Mattermost, Self::Teams];
}

pub(super) fn served(kind: Kind) -> Served<Room> {
    Served::start(Room { kind, answer: None, sent: Vec::new(), taken: Vec::new() }, None).unwrap()
}

impl Service for Room {
    fn answer(&mut self, call: &Call) -> Reply {
        let text = |status, text: &str| Reply::text(status, "text/plain", text);
        if let Some((status, words)) = self.answer {
            return text(status, words).with("retry-after", "7");
        }
        if self.kind == Kind::Teams && call.body.len() > 28 * 1024 {
            return text(413, "Request Entity too large");
        }
        let is_json =
            call.headers.get("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        let Ok(message) = serde_json::from_slice::<Value>(&call.body) else {
            return text(400, "invalid_payload");
        };
        self.sent.push(message.clone());
        let fault = match self.kind {
            _ if !is_json || call.method != "POST" => Some("invalid_payload"),
            _ if message.to_string().contains(POISON) => Some("invalid_payload"),
            Kind::Slack => slack(&message),
            Kind::Mattermost => mattermost(&message),
            Kind::Teams => teams(&message),
        };
        match fault {
            None => {}
            Some(fault) if self.kind == Kind::Mattermost => return refused_by_mattermost(fault, call),
            Some(fault) => return text(400, fault),
        }
        self.taken.push(message);
        match self.kind {
            Kind::Teams => text(202, ""),
            Kind::Slack | Kind::Mattermost => text(200, "ok"),
        }
    }
}

fn characters(value: &Value) -> usize {
    value.as_str().map_or(usize::MAX, |text| text.chars().count())
}

/// The limits of blocks, by <https://docs.slack.dev/reference/block-kit/blocks>; that of all together is not there, and was measured by
/// others (<https://github.com/slackapi/bolt-js/issues/2509>).
fn slack(message: &Value) -> Option<&'static str> {
    let Some(blocks) = message["blocks"].as_array() else {
        return (message["text"].as_str().is_none_or(str::is_empty)).then_some("no_text");
    };
    let is_good = |block: &Value| {
        let (text, kind) = (&block["text"]["text"], block["text"]["type"].as_str().unwrap_or_default());
        match block["type"].as_str() {
            Some("header") => kind == "plain_text" && (1..=150).contains(&characters(text)),
            Some("section") => {
                ["plain_text", "mrkdwn"].contains(&kind) && (1..=3000).contains(&characters(text))
            }
            _ => false,
        }
    };
    let all = blocks.iter().filter(|block| is_good(block)).map(|block| characters(&block["text"]["text"]));
    if all.sum::<usize>() > 11_000 {
        return Some("msg_blocks_too_long");
    }
    (blocks.len() > 50 || !blocks.iter().all(is_good) || characters(&message["text"]) > 40_000)
        .then_some("invalid_blocks")
}

/// By `server/channels/app/webhook.go` of <https://github.com/mattermost/mattermost>. A text of more than 16,383 characters it makes several
/// posts of, which ours must not become.
fn mattermost(message: &Value) -> Option<&'static str> {
    match characters(&message["text"]) {
        _ if !message.is_object() => Some("web.incoming_webhook.decode.app_error"),
        0 | usize::MAX => Some("web.incoming_webhook.text.app_error"),
        1..=16_383 => None,
        _ => Some("web.incoming_webhook.split.app_error"),
    }
}

/// What it says then, with the id of the webhook, which is all that somebody needs to write there.
fn refused_by_mattermost(id: &str, call: &Call) -> Reply {
    let hook = call.path.last().map_or("", String::as_str);
    let message =
        format!("Failed to handle the payload of media type application/json for incoming webhook {hook}.");
    let error = json!({"id": id, "message": message, "detailed_error": "", "status_code": 400});
    Reply::text(400, "application/json", error.to_string())
}

/// By <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using>: an envelope with one card, of
/// at most 28 KB with all that is around it (<https://learn.microsoft.com/connectors/teams/>).
fn teams(message: &Value) -> Option<&'static str> {
    let attachment = &message["attachments"][0];
    let card = &attachment["content"];
    let is_good = message["type"] == "message"
        && attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
        && card["type"] == "AdaptiveCard"
        && card["version"].as_str().is_some_and(|version| version <= "1.5")
        && card["body"].as_array().is_some_and(|body| !body.is_empty());
    (!is_good).then_some("BadRequest")
}
