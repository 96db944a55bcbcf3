//! What was heard on the bus, as counts and a few names. No content of a notification is kept.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use osel_core::decode::Decoded;
use osel_core::event::Change;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::facts::Wanted;

/// The most names of one kind that are kept; beyond, there are just "many". A large cloud has some hundred of each.
pub const NAMES_MAX: usize = 1024;
/// How much of a name is kept: those of OpenStack have at most 255 characters.
pub const NAME_BYTES_MAX: usize = 255;

/// What was heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// For how long it was listened, in seconds.
    pub seconds: u64,
    /// Exchanges that were listened to.
    pub bound: Vec<String>,
    /// Exchanges that could not be listened to.
    pub deaf: Vec<String>,
    /// Exchanges that our own queue could not be bound to, for want of a permission for it.
    pub forbidden: Vec<String>,
    /// Messages.
    pub messages: u64,
    /// Those of them that could not be read.
    pub unreadable: u64,
    /// Kinds of events.
    pub event_types: Names,
    /// Who sent them.
    pub publishers: Names,
    /// The topics they came by.
    pub topics: Names,
    /// Messages with a context, in which a token would be. Keystone's never have one.
    pub with_context: u64,
    /// Messages that carried a token.
    pub with_token: u64,
    /// The exchanges that those came by.
    pub token_exchanges: Names,
    /// Messages that say from where a client came.
    pub with_address: u64,
    /// From where.
    pub addresses: Names,
    /// Who those clients were.
    pub users: Names,
    /// Notifications of Keystone that name nobody: of its `basic` format.
    pub basic: u64,
    /// Notifications of Keystone, of the same types, that name somebody.
    pub cadf: u64,
}

/// Names that were heard, at most [`NAMES_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(BTreeSet<Box<str>>);

impl Names {
    /// Adds one.
    pub fn add(&mut self, name: &str) {
        let name = &name[..name.floor_char_boundary(NAME_BYTES_MAX)];
        if self.0.len() < NAMES_MAX && !self.0.contains(name) {
            self.0.insert(name.into());
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }
}

/// How the keys of a context begin.
const CONTEXT: &str = "_context_";

/// Where services have put tokens: the context, flattened. In place of a token the decoder leaves a text that says so; null stays null.
#[derive(Deserialize)]
struct Context<'a> {
    #[serde(borrow, default, rename = "_context_auth_token")]
    auth_token: Option<&'a str>,
    #[serde(borrow, default, rename = "_context_service_token")]
    service_token: Option<&'a str>,
}

impl Heard {
    /// Counts a message.
    pub fn note(&mut self, exchange: &str, routing_key: &str, decoded: &Decoded<'_>) {
        self.messages += 1;
        self.topics.add(Wanted::topic_of(routing_key).unwrap_or(routing_key));
        if let Some(event_type) = &decoded.event_type {
            self.event_types.add(event_type);
        }
        if has_context(&decoded.body) {
            self.with_context += 1;
        }
        if let Ok(context) = serde_json::from_slice::<Context<'_>>(&decoded.body)
            && context.auth_token.or(context.service_token).is_some()
        {
            self.with_token += 1;
            self.token_exchanges.add(exchange);
        }
        let Ok(event) = &decoded.result else {
            self.unreadable += 1;
            return;
        };
        if let Some(publisher) = &event.publisher {
            self.publishers.add(publisher);
        }
        if let Some(address) = &event.actor.address {
            self.with_address += 1;
            self.addresses.add(address);
            if let Some(user) = &event.actor.user_id {
                self.users.add(&user.to_string());
            }
        }
        // Logins and role assignments are CADF in both formats.
        if matches!(event.change, Change::Identity(_)) {
            let is_basic = event.actor.user_id.is_none() && event.actor.address.is_none();
            if is_basic { self.basic += 1 } else { self.cadf += 1 }
        }
    }
}

/// Whether a message says for whom it was sent.
fn has_context(body: &[u8]) -> bool {
    let keys = serde_json::from_slice::<BTreeMap<Cow<'_, str>, IgnoredAny>>(body);
    keys.is_ok_and(|keys| keys.keys().any(|key| key.starts_with(CONTEXT)))
}

#[cfg(test)]
mod tests {
    use osel_core::decode::decode;
    use osel_core::event::{Properties, RawMessage};
    use osel_core::time::Timestamp;

    use super::*;

    fn note(heard: &mut Heard, exchange: &str, body: &str) {
        let raw = RawMessage {
            source: "test".into(),
            region: None,
            exchange: exchange.into(),
            routing_key: "notifications.info".into(),
            redelivered: false,
            received_at: Timestamp::EPOCH,
            properties: Properties::default(),
            body: body.as_bytes().to_vec(),
        };
        heard.note(exchange, "notifications.info", &decode(&raw));
    }

    fn message(event_type: &str, payload: &str, context: &str) -> String {
        format!(
            r#"{{"message_id":"m","event_type":"{event_type}","publisher_id":"p.host","priority":"INFO","timestamp":"2026-11-21 00:00:00","payload":{payload}{context}}}"#
        )
    }

    #[test]
    fn tokens_are_counted_where_they_were_and_not_where_there_was_none() {
        let mut heard = Heard::default();
        let payload = r#"{"network":{"id":"n"}}"#;
        for context in ["", r#","_context_auth_token":null,"_context_service_token":null"#] {
            note(&mut heard, "neutron", &message("network.update.end", payload, context));
        }
        assert_eq!((heard.messages, heard.with_context, heard.with_token), (2, 1, 0));
        for context in [r#","_context_auth_token":"gAAAAABx""#, r#","_context_service_token":"x""#] {
            note(&mut heard, "neutron", &message("network.update.end", payload, context));
        }
        let text = message("network.update.end", payload, r#","_context_auth_token":"gAAAAABx""#);
        let wrapped = serde_json::json!({"oslo.version": "2.0", "oslo.message": text}).to_string();
        note(&mut heard, "nova", &wrapped);
        assert_eq!((heard.messages, heard.with_token, heard.unreadable), (5, 3, 0));
        assert_eq!(heard.token_exchanges.iter().collect::<Vec<_>>(), ["neutron", "nova"]);
        assert!(!format!("{heard:?}").contains("gAAAAAB"), "a token is kept");
    }

    #[test]
    fn keystones_formats_are_told_apart() {
        let mut heard = Heard::default();
        let basic = r#"{"resource_info":"u1","request_id":"req-1"}"#;
        note(&mut heard, "keystone", &message("identity.user.created", basic, ""));
        let cadf = r#"{"typeURI":"http://schemas.dmtf.org/cloud/audit/1.0/event","eventType":"activity","id":"e","eventTime":"2026-02-03T04:05:06.100000+0000","action":"created.user","outcome":"success","resource_info":"u5","initiator":{"typeURI":"service/security/account/user","id":"u1","user_id":"u1","host":{"address":"10.1.1.9","agent":"a"}},"target":{"typeURI":"data/security/account/user","id":"u5"},"observer":{"typeURI":"service/security","id":"s1"}}"#;
        note(&mut heard, "keystone", &message("identity.user.created", cadf, ""));
        assert_eq!((heard.basic, heard.cadf), (1, 1));
        assert_eq!((heard.with_address, heard.addresses.len(), heard.users.len()), (1, 1, 1));
        note(&mut heard, "keystone", "not JSON");
        assert_eq!((heard.messages, heard.unreadable), (3, 1));
    }

    #[test]
    fn names_are_bounded() {
        let mut names = Names::default();
        for number in 0..2 * NAMES_MAX {
            names.add(&number.to_string());
        }
        assert_eq!(names.len(), NAMES_MAX);
    }
}
