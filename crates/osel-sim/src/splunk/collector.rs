//! The collector and its indexer.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::event::{Refused, events, lines, unpacked};
use super::options::{Options, Token};
use crate::scanners::Reply;
use crate::scanners::http::{Call, Service};

/// The most channels that are known; a real collector has a million.
const CHANNELS_MAX: usize = 10_000;
/// The cookie of the balancer.
const COOKIE: &str = "AWSALB";

/// A simulated Splunk.
#[derive(Debug, Default)]
pub struct Splunk {
    /// How it is set up.
    pub options: Options,
    channels: BTreeMap<String, Channel>,
    indexed: Vec<Indexed>,
}

/// One client's channel.
#[derive(Debug, Default)]
struct Channel {
    next: u64,
    pending: BTreeMap<u64, Pending>,
}

/// A request that is not acknowledged.
#[derive(Debug)]
struct Pending {
    polls_left: u32,
    /// Its events among all.
    places: std::ops::Range<usize>,
}

/// An event that was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Indexed {
    /// In seconds, where the request said it.
    pub time: Option<f64>,
    /// The host.
    pub host: String,
    /// The source.
    pub source: String,
    /// The source type.
    pub sourcetype: String,
    /// The index.
    pub index: String,
    /// Indexed fields.
    pub fields: Map<String, Value>,
    /// The event.
    pub event: Value,
    /// Whether it would be there after the machine was down.
    pub is_written: bool,
}

impl Splunk {
    /// One of that set-up.
    pub fn new(options: Options) -> Self {
        Self { options, ..Self::default() }
    }

    /// What has been taken, in its order, with what is not written yet.
    pub fn indexed(&self) -> &[Indexed] {
        &self.indexed
    }

    /// The machine is down and up again: what was not written is gone, and so is every channel.
    pub fn crash(&mut self) {
        self.channels.clear();
        self.indexed.retain(|event| event.is_written);
    }

    fn events(&mut self, call: &Call, is_raw: bool) -> Reply {
        let options = &self.options;
        let token = match token(options, call) {
            Ok(token) => token.clone(),
            Err(code) => return self.refused(&Refused(code, None)),
        };
        if let Some((status, code)) = options.refusal {
            return self.reply(status, &json!({"text": text(code), "code": code}));
        }
        if options.is_ending {
            return self.refused(&Refused(23, None));
        }
        if options.is_busy || options.is_full {
            return self.refused(&Refused(9, None));
        }
        let channel = match channel(call) {
            Some(channel) if is_guid(channel) => Some(channel.to_owned()),
            Some(_) => return self.refused(&Refused(11, None)),
            None if is_raw || token.has_acks => return self.refused(&Refused(10, None)),
            None => None,
        };
        let Some(body) = unpacked(&call.body, call.headers.get("content-encoding").map(String::as_str))
        else {
            return self.refused(&Refused(6, None));
        };
        let given =
            |key: &str, default: &str| call.query.get(key).cloned().unwrap_or_else(|| default.to_owned());
        let defaults = Indexed {
            time: None,
            host: given("host", "splunk"),
            source: given("source", "http:hec"),
            sourcetype: given("sourcetype", "httpevent"),
            index: given("index", &token.default_index),
            fields: Map::new(),
            event: Value::Null,
            // Without acknowledgement nobody waits for it.
            is_written: !token.has_acks,
        };
        let (mut events, refused) = match is_raw {
            true => lines(&body, &defaults, &token),
            false => events(&body, &defaults, &token, options),
        };
        events.iter_mut().for_each(|event| event.is_written = !token.has_acks);
        let first = self.indexed.len();
        self.indexed.append(&mut events);
        if let Some(refused) = refused {
            return self.refused(&refused);
        }
        let mut answer = json!({"text": "Success", "code": 0});
        if token.has_acks {
            let channel = self.channels.entry(channel.unwrap_or_default()).or_default();
            let places = first..self.indexed.len();
            let pending = Pending { polls_left: self.options.polls_until_written, places };
            channel.pending.insert(channel.next, pending);
            answer["ackId"] = channel.next.into();
            channel.next += 1;
            while self.channels.len() > CHANNELS_MAX {
                self.channels.pop_first();
            }
        }
        self.reply(200, &answer)
    }

    fn acks(&mut self, call: &Call) -> Reply {
        let token = match token(&self.options, call) {
            Ok(token) => token,
            Err(code) => return self.refused(&Refused(code, None)),
        };
        if !token.has_acks {
            return self.refused(&Refused(14, None));
        }
        let Some(channel) = channel(call) else { return self.refused(&Refused(10, None)) };
        if !is_guid(channel) {
            return self.refused(&Refused(11, None));
        }
        let asked: Option<Vec<u64>> = serde_json::from_slice::<Value>(&call.body)
            .ok()
            .and_then(|body| body.get("acks")?.as_array()?.iter().map(Value::as_u64).collect());
        // What Splunk says to a question about nothing is not documented: here it is none.
        let Some(asked) = asked.filter(|asked| !asked.is_empty()) else {
            return self.refused(&Refused(6, None));
        };
        let known = self.channels.entry(channel.to_owned()).or_default();
        let mut answer = Map::new();
        for ack in asked {
            let is_written = known.pending.get_mut(&ack).is_some_and(|pending| {
                let is_written = pending.polls_left == 0;
                pending.polls_left = pending.polls_left.saturating_sub(1);
                is_written
            });
            if is_written && let Some(pending) = known.pending.remove(&ack) {
                // It is said once.
                self.indexed[pending.places].iter_mut().for_each(|event| event.is_written = true);
            }
            answer.insert(ack.to_string(), (is_written && !self.options.loses_acks).into());
        }
        self.reply(200, &json!({"acks": answer}))
    }

    fn health(&self, call: &Call) -> Reply {
        // Only a token that was sent is looked at.
        if call.headers.contains_key("authorization") {
            match token(&self.options, call) {
                Ok(_) => {}
                Err(1) => return self.refused(&Refused(22, None)),
                Err(_) => return self.refused(&Refused(21, None)),
            }
        }
        match self.options.is_full {
            true => self.refused(&Refused(18, None)),
            false => self.reply(200, &json!({"text": text(17), "code": 17})),
        }
    }

    fn refused(&self, Refused(code, place): &Refused) -> Reply {
        let mut answer = json!({"text": text(*code), "code": code});
        if let Some(place) = place {
            answer["invalid-event-number"] = (*place).into();
        }
        let mut reply = self.reply(status(*code), &answer);
        if let Some(seconds) = self.options.retry_after {
            reply = reply.with("retry-after", seconds.to_string());
        }
        reply
    }

    fn reply(&self, status: u16, answer: &Value) -> Reply {
        let reply = Reply::json(status, answer);
        if self.options.needs_cookie {
            reply.with("set-cookie", format!("{COOKIE}=here; Path=/"))
        } else {
            reply
        }
    }
}

impl Service for Splunk {
    fn answer(&mut self, call: &Call) -> Reply {
        let Some(rest) = call.parts().strip_prefix(&["services", "collector"][..]).map(<[&str]>::to_vec)
        else {
            return Reply::text(404, "text/html", "<html>404 Not Found</html>");
        };
        // A balancer leads who has no cookie of its own to another machine, which knows nothing.
        let is_led = call.headers.get("cookie").is_some_and(|cookies| cookies.contains(COOKIE));
        if self.options.needs_cookie && !is_led && rest == ["ack"] {
            return self.reply(200, &json!({"acks": {}}));
        }
        match (call.method.as_str(), &rest[..]) {
            ("POST", [] | ["event"] | ["event", "1.0"]) => self.events(call, false),
            ("POST", ["raw"] | ["raw", "1.0"]) => self.events(call, true),
            ("POST", ["ack"]) => self.acks(call),
            ("GET", ["health"] | ["health", "1.0"]) => self.health(call),
            (_, []) | (_, ["event" | "raw" | "ack" | "health", ..]) => {
                Reply::text(405, "text/html", "<html>405 Method Not Allowed</html>")
            }
            _ => Reply::text(404, "text/html", "<html>404 Not Found</html>"),
        }
    }
}

/// Whose request it is, or the code that says why it is nobody's.
fn token<'o>(options: &'o Options, call: &Call) -> Result<&'o Token, u16> {
    let given =
        call.headers.get("authorization").ok_or(if call.query.contains_key("token") { 16 } else { 2_u16 })?;
    let value = match given.split_once(' ') {
        Some(("Splunk", value)) => value.trim().to_owned(),
        // Any user, with the token as the password.
        Some(("Basic", login)) => {
            let login = STANDARD.decode(login.trim()).ok().and_then(|login| String::from_utf8(login).ok());
            login.and_then(|login| Some(login.split_once(':')?.1.to_owned())).ok_or(3_u16)?
        }
        _ => return Err(3),
    };
    let token = options.tokens.iter().find(|token| token.value == value).ok_or(4_u16)?;
    if token.is_disabled { Err(1) } else { Ok(token) }
}

fn channel(call: &Call) -> Option<&str> {
    call.headers.get("x-splunk-request-channel").or_else(|| call.query.get("channel")).map(String::as_str)
}

fn is_guid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn text(code: u16) -> &'static str {
    match code {
        0 => "Success",
        1 => "Token disabled",
        2 => "Token is required",
        3 => "Invalid authorization",
        4 => "Invalid token",
        5 => "No data",
        6 => "Invalid data format",
        7 => "Incorrect index",
        8 => "Internal server error",
        9 => "Server is busy",
        10 => "Data channel is missing",
        11 => "Invalid data channel",
        12 => "Event field is required",
        13 => "Event field cannot be blank",
        14 => "ACK is disabled",
        15 => "Error in handling indexed fields",
        16 => "Query string authorization is not enabled",
        17 => "HEC is healthy",
        18 => "HEC is unhealthy, queues are full",
        19 => "HEC is unhealthy, ack service unavailable",
        20 => "HEC is unhealthy, queues are full, ack service unavailable",
        21 => "Invalid token",
        22 => "Token disabled",
        23 => "Server is shutting down",
        _ => "Capacity reached",
    }
}

fn status(code: u16) -> u16 {
    match code {
        0 | 17 => 200,
        1 | 4 => 403,
        2 | 3 => 401,
        8 => 500,
        9 | 18..=20 | 23 => 503,
        24.. => 429,
        _ => 400,
    }
}
