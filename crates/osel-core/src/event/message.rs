//! A message as it arrived, and the event that decoding makes of it.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::Change;
use crate::ids::Id;
use crate::time::Timestamp;

/// SHA-256 of a notification without its `_unique_id` and without white space between tokens.
pub type Digest = [u8; 32];

/// How a body is compressed, by the header `compression` that kombu sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// `application/x-gzip` (zlib stream, as Python's `zlib.compress` writes) or gzip.
    Gzip,
    /// `application/x-bz2`.
    Bzip2,
    /// `application/x-lzma`: kombu knows it, oslo.messaging does not offer it.
    Lzma,
    /// `application/zstd`: as `Lzma`.
    Zstd,
    /// `application/x-brotli`: as `Lzma`.
    Brotli,
    /// Something this version cannot undo.
    Unknown,
}

/// What of the AMQP properties matters to decoding, and all of them as they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// From the header `compression`; none for a plain body.
    pub compression: Option<Compression>,
    /// All properties as JSON text, to be kept with the message; empty when there were none.
    pub json: Arc<str>,
}

/// Bytes from a source, with where they came from.
#[derive(Clone, Debug)]
pub struct RawMessage {
    /// The name of the configured source (for a replay: the file's name without its endings).
    pub source: Arc<str>,
    /// The region that the source belongs to, where one is configured.
    pub region: Option<Arc<str>>,
    /// The AMQP exchange it was published to.
    pub exchange: Arc<str>,
    /// The AMQP routing key, for example `notifications.info`.
    pub routing_key: Arc<str>,
    /// Whether the broker said that it had delivered it before.
    pub redelivered: bool,
    /// When it was received.
    pub received_at: Timestamp,
    /// AMQP properties.
    pub properties: Properties,
    /// The body, as received.
    pub body: Vec<u8>,
}

/// Who did it, as far as the message says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// The user's id (CADF: `user_id`, since `id` may be a hash of it).
    pub user_id: Option<Id>,
    /// The user's name as the message gives it, valid at the time of the event.
    pub user_name: Option<Box<str>>,
    /// The id of the user's domain.
    pub user_domain_id: Option<Id>,
    /// The project of the token that was used.
    pub project_id: Option<Id>,
    /// That project's name.
    pub project_name: Option<Box<str>>,
    /// The client's address, as the service saw it (often a proxy's).
    pub address: Option<Box<str>>,
    /// The client's user agent.
    pub agent: Option<Box<str>>,
}

/// Where a client was, without regard to how that is written: in IPv6 there are many ways, one of which is an address of IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress<'a> {
    /// The address.
    pub ip: IpAddr,
    /// On which link, of those that the service's machine has: the same address is another client's on another one. It is a name that has one way to be
    /// written.
    pub zone: Option<&'a str>,
}

impl Actor {
    /// The address that a text is.
    pub fn address_of(text: &str) -> Option<ClientAddress<'_>> {
        let (ip, zone) = match text.split_once('%') {
            Some((_, "")) => return None,
            Some((ip, zone)) => (ip, Some(zone)),
            None => (text, None),
        };
        let ip = ip.parse::<IpAddr>().ok()?.to_canonical();
        Some(ClientAddress { ip, zone })
    }
}

impl fmt::Display for ClientAddress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ip)?;
        self.zone.map_or(Ok(()), |zone| write!(f, "%{zone}"))
    }
}

/// What it was done to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The resource's kind in OpenStack's words: `port`, `user`, `server`, …
    pub kind: Cow<'static, str>,
    /// Its id, where there is one.
    pub id: Option<Id>,
    /// Its name, where the message gives one.
    pub name: Option<Box<str>>,
    /// The project that owns it.
    pub project_id: Option<Id>,
}

/// How it ended; CADF's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was refused or failed.
    Failure,
    /// It has begun; the end is told elsewhere.
    Pending,
    /// The message does not say.
    Unknown,
}

impl Outcome {
    /// CADF's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Pending => "pending",
            Self::Unknown => "unknown",
        }
    }
}

/// A notification with its meaning.
#[derive(Clone, Debug)]
pub struct Event {
    /// The notification's id, made once by the sender; absent in a few old producers' messages.
    pub message_id: Option<Box<str>>,
    /// The notification's type, for example `security_group_rule.create.end`.
    pub event_type: Box<str>,
    /// Who sent it: `network.HOST`, `identity.HOST`, `nova-compute:HOST`, …
    pub publisher: Option<Box<str>>,
    /// The notification's own time; the time of reception when it has none.
    pub timestamp: Timestamp,
    /// The request that caused it, `req-…`.
    pub request_id: Option<Id>,
    /// Who.
    pub actor: Actor,
    /// To what.
    pub target: Option<Target>,
    /// How it ended.
    pub outcome: Outcome,
    /// What it changes.
    pub change: Change,
}
