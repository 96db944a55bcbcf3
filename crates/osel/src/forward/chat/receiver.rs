//! A room for chat as the forwarder sees it: one message is one request.
//!
//! A message that the service refuses is sent once more without its lines, as those are what somebody in the cloud has written, and without
//! a template; so nobody can keep people from learning that there was something. Nothing here makes a dead letter.

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, HeaderValue};
use osel_core::forward::{Refusal, RefusalKind, Taken};
use osel_core::notice::Notice;
use serde_json::Value;
use std::time::Duration;

use super::{mattermost, slack, teams};
use crate::config::{ChatConfig, ChatService, ForwardConfig, NoticeConfig, ReceiverConfig};
use crate::forward::http::{ANSWER_BYTES_MAX, answers, leads_to, of_http, origin, reached, refusal, said};
use crate::forward::notice::{Written, notice_of, written};
use crate::forward::now::ConfigNow;
use crate::forward::receiver::{Batch, BatchLimits, Handed, Receiver};
use crate::http::Http;

/// A message has a few lines, whatever it tells of; the machine asks for a bound all the same.
const BATCH_BYTES: usize = 1 << 20;
/// How many lines are left of a message that is too long, one after the other.
const FEWER_LINES: [usize; 4] = [20, 10, 4, 1];

/// People in a room for chat.
pub struct Chat {
    forwarder: String,
    config: ChatConfig,
    now: ConfigNow,
    /// The way there; none before it is first used, and after it has to be made anew.
    way: Option<Http>,
}

impl std::fmt::Debug for Chat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chat").field("at", &self.target()).finish_non_exhaustive()
    }
}

/// What a service says of a message.
enum Said {
    Taken,
    /// It does not like the message; another one it may.
    Unfit(String),
}

impl Chat {
    /// The receiver of that table; `now` gives the table anew, should it refuse us.
    pub fn new(forwarder: &str, config: ChatConfig, now: ConfigNow) -> Self {
        Self { forwarder: forwarder.to_owned(), config, now, way: None }
    }

    /// The way there, with what the configuration says now.
    async fn made(&self) -> Result<(ChatConfig, Http), Refusal> {
        let (now, before) = (self.now.clone(), self.config.clone());
        let made = tokio::task::spawn_blocking(move || {
            let ForwardConfig { receiver, .. } = now();
            // It may have become something else, which the next start makes of it.
            let config = match receiver {
                ReceiverConfig::Chat(config) if config.service == before.service => *config,
                _ => before,
            };
            let http = reached(&config.http, config.url.expose().starts_with("https:"))?;
            Ok::<_, Refusal>((config, http))
        });
        made.await.map_err(|error| refusal(RefusalKind::Unavailable, &error.to_string()))?
    }

    async fn given(&mut self, batch: &Batch) -> Result<Taken, Refusal> {
        let (_, notice) = notice_of(batch)?;
        let mut way = match self.way.take() {
            Some(way) => way,
            None => {
                let (config, way) = self.made().await?;
                self.config = config;
                way
            }
        };
        let whole = message(&self.config, &self.forwarder, &notice);
        let said = match self.post(&mut way, &whole).await? {
            Said::Taken => Said::Taken,
            Said::Unfit(_) => {
                let plain = NoticeConfig {
                    subject_template: None,
                    body_template: None,
                    ..self.config.notices.clone()
                };
                let config = ChatConfig { notices: plain, ..self.config.clone() };
                self.post(&mut way, &message(&config, &self.forwarder, &notice.bare())).await?
            }
        };
        match said {
            Said::Taken => {
                self.way = Some(way);
                Ok(Taken::Kept)
            }
            Said::Unfit(words) => Err(refusal(RefusalKind::Unfit, &words)),
        }
    }

    async fn post(&self, way: &mut Http, message: &Value) -> Result<Said, Refusal> {
        let accept = [(ACCEPT, HeaderValue::from_static("*/*"))];
        let body = Bytes::from(message.to_string());
        let answer = way.send(Method::POST, self.config.url.expose(), &accept, Some(body)).await;
        let answer = answer.map_err(|error| of_http(&error))?;
        let (status, wait) = (answer.status.as_u16(), answer.retry_after());
        let leads_to = leads_to(&answer.headers, [&self.config.url]);
        // Read to its end, so that the connection can be used again.
        let answer = answer.beginning(ANSWER_BYTES_MAX).await;
        if (200..300).contains(&status) {
            return Ok(Said::Taken);
        }
        let said = said(&answer, [&self.config.url]);
        let answers = answers(status, leads_to.as_deref(), &said);
        let words = format!("{} answers {answers}", self.config.service.as_str());
        let kind = match status {
            // What it does not like of a message, and what is too much for it.
            400 | 413 | 422 => return Ok(Said::Unfit(words)),
            408 => RefusalKind::Silent,
            // Mattermost, where no webhooks are allowed at all.
            501 => RefusalKind::Denied,
            429 | 500..=599 => RefusalKind::Unavailable,
            // Nobody knows the room, or it was closed, or it is elsewhere.
            300..=399 | 404 | 410 => RefusalKind::Misplaced,
            // We must not write there.
            400..=499 => RefusalKind::Denied,
            _ => RefusalKind::Garbled,
        };
        Err(Refusal { wait, ..refusal(kind, &words) })
    }
}

/// Makes a service's message of a notice that is written.
type Write = fn(&ChatConfig, &str, &Notice, &Written) -> Value;

/// The message of a notice for the service, with fewer lines where it would be too long.
fn message(config: &ChatConfig, forwarder: &str, notice: &Notice) -> Value {
    let (escape, write): (fn(&str) -> String, Write) = match config.service {
        ChatService::Slack => (slack::escaped, slack::message),
        ChatService::Mattermost => (mattermost::escaped, mattermost::message),
        ChatService::Teams => (teams::escaped, teams::message),
    };
    let made = |notice: &Notice| {
        let written = written(notice, &config.notices, forwarder, escape);
        write(config, forwarder, notice, &written)
    };
    let whole = made(notice);
    let is_fitting = |message: &Value| match config.service {
        ChatService::Slack => slack::is_fitting(message),
        // It is cut where it is made.
        ChatService::Mattermost => true,
        ChatService::Teams => message.to_string().len() <= teams::MESSAGE_BYTES_MAX,
    };
    if is_fitting(&whole) {
        return whole;
    }
    let mut fewer = FEWER_LINES.into_iter().map(|lines| made(&notice.with_lines(lines)));
    fewer.find(is_fitting).unwrap_or_else(|| made(&notice.bare()))
}

impl Receiver for Chat {
    fn target(&self) -> String {
        origin(self.config.url.expose())
    }

    fn limits(&self) -> BatchLimits {
        BatchLimits { items: 1, bytes: BATCH_BYTES, awaited: 1, linger: Duration::ZERO }
    }

    fn send<'a>(&'a mut self, batch: &'a Batch) -> Handed<'a, Taken> {
        Box::pin(self.given(batch))
    }

    fn reset(&mut self) {
        self.way = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{HttpReceiverConfig, Secret, TlsConfig};
    use crate::forward::notice::{template_tests, tests};

    const HOSTILE: &str = "<!channel> @all @here <@U1> [x](http://evil) ``` *b* <http://evil|x> ~town :bomb:";

    fn config(service: ChatService) -> ChatConfig {
        ChatConfig {
            service,
            url: Secret::new("https://hooks.example/T0/hunter2".to_owned()),
            user_name: None,
            icon_url: None,
            http: HttpReceiverConfig { tls: TlsConfig::default(), proxy: None, answer_seconds: 30 },
            notices: NoticeConfig {
                link_base: Some("https://osel.example".to_owned()),
                ..template_tests::config()
            },
        }
    }

    /// All texts of a message whose key is `text`, each with the type that stands beside it.
    fn texts(value: &Value, found: &mut Vec<(String, String)>) {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(text)) = map.get("text") {
                    let kind = map.get("type").and_then(Value::as_str).unwrap_or("message");
                    found.push((kind.to_owned(), text.clone()));
                }
                map.values().for_each(|value| texts(value, found));
            }
            Value::Array(all) => all.iter().for_each(|value| texts(value, found)),
            _ => {}
        }
    }

    fn slack_characters(block: &Value) -> usize {
        block["text"]["text"].as_str().unwrap().chars().count()
    }

    fn found(service: ChatService, texts_told: &[&str]) -> Vec<(String, String)> {
        let mut found = Vec::new();
        texts(&message(&config(service), "room", &tests::notice(texts_told)), &mut found);
        found
    }

    #[test]
    fn in_slack_a_name_is_neither_a_mention_nor_a_link() {
        let found = found(ChatService::Slack, &[HOSTILE]);
        let meant: Vec<&str> =
            found.iter().filter(|(kind, _)| kind != "plain_text").map(|(_, text)| text.as_str()).collect();
        let heading = slack::escaped(&format!("critical: {HOSTILE}"));
        assert_eq!(meant, [heading.as_str(), "<https://osel.example/records/1|record 1>"]);
        assert!(!heading.contains(['<', '>']));
        assert!(found.iter().any(|(kind, text)| kind == "plain_text" && text.contains(HOSTILE)));
    }

    #[test]
    fn in_mattermost_a_name_stands_in_code_and_cannot_end_it() {
        let found = found(ChatService::Mattermost, &[HOSTILE]);
        let [(_, text)] = found.as_slice() else { panic!("{found:?}") };
        let parts: Vec<&str> = text.split("```").collect();
        let [before, code, behind] = parts.as_slice() else { panic!("{text}") };
        assert_eq!((*before, *behind), ("**1 critical**\n", "\n[record 1](https://osel.example/records/1)"));
        assert!(code.contains("<!channel> @all"));
        let escaped = mattermost::escaped(HOSTILE);
        assert!(
            !escaped.contains("@all") && !escaped.contains("](") && !escaped.contains("~town"),
            "{escaped}"
        );
        assert!(!escaped.contains("://") && !escaped.contains(":bomb"), "{escaped}");
    }

    #[test]
    fn in_teams_a_name_stands_in_runs_which_have_no_marks() {
        let found = found(ChatService::Teams, &[HOSTILE]);
        assert!(found.iter().all(|(kind, _)| kind == "TextRun"), "{found:?}");
        assert!(found.iter().any(|(_, text)| text == HOSTILE));
    }

    #[test]
    fn a_message_keeps_the_bounds_of_its_service_however_much_there_is_to_tell() {
        let long = "é\"<&`".repeat(80);
        let lines = vec![long.as_str(); 50];
        for (service, bytes) in
            [(ChatService::Slack, 100_000), (ChatService::Mattermost, 60_000), (ChatService::Teams, 28_000)]
        {
            let message = message(&config(service), "room", &tests::notice(&lines));
            assert!(message.to_string().len() <= bytes, "{service:?}: {}", message.to_string().len());
            if let Some(blocks) = message["blocks"].as_array() {
                assert!(blocks.len() <= 50);
            }
        }
        for (kind, text) in found(ChatService::Slack, &lines) {
            assert!(kind == "message" || text.chars().count() <= 3000);
        }
        let mattermost = found(ChatService::Mattermost, &lines);
        assert!(mattermost[0].1.chars().count() <= 16_383 && mattermost[0].1.contains("```"));
        let slack = message(&config(ChatService::Slack), "room", &tests::notice(&lines));
        let characters: usize = slack["blocks"].as_array().unwrap().iter().map(slack_characters).sum();
        assert!((1_000..=10_000).contains(&characters), "{characters}");
        assert!(slack.to_string().contains("more: osel audit search --seq 1..50"), "{slack}");
        let teams = message(&config(ChatService::Teams), "room", &tests::notice(&lines)).to_string();
        assert!(teams.contains("more: osel audit search --seq 1..50"), "{teams}");
    }

    #[test]
    fn a_receiver_shows_no_secret() {
        let config = config(ChatService::Slack);
        let chat = Chat::new("room", config, std::sync::Arc::new(|| unreachable!("nothing is sent")));
        assert_eq!(chat.target(), "https://hooks.example");
        assert!(!format!("{chat:?}").contains("hunter2"));
    }
}
