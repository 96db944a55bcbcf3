//! What RabbitMQ's management interface says of one virtual host: its rows, with the columns that matter here.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::Asked;

/// A broker, as its management interface shows it.
#[derive(Clone, Debug)]
pub struct Management {
    /// What it is called: its address.
    pub name: String,
    /// Whether it was asked by TLS.
    pub tls: bool,
    /// The version of RabbitMQ.
    pub version: Asked<String>,
    /// The user that asked, with its tags.
    pub myself: Asked<User>,
    /// All exchanges.
    pub exchanges: Asked<Vec<Exchange>>,
    /// All queues.
    pub queues: Asked<Vec<Queue>>,
    /// All bindings.
    pub bindings: Asked<Vec<Binding>>,
    /// All consumers.
    pub consumers: Asked<Vec<Consumer>>,
    /// All users of the broker.
    pub users: Asked<Vec<User>>,
    /// Who may do what.
    pub permissions: Asked<Vec<Permission>>,
    /// Policies.
    pub policies: Asked<Vec<Policy>>,
    /// Who is connected.
    pub connections: Asked<Vec<Connection>>,
}

/// An exchange.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Exchange {
    /// Its name.
    pub name: String,
    /// Whether a restart of the broker leaves it.
    pub durable: bool,
}

/// A queue.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// `classic`, `quorum`, `stream`; old brokers do not say.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Messages that wait; absent until the broker has counted.
    pub messages: Option<u64>,
    /// Who consumes.
    pub consumers: Option<u64>,
    /// Its `x-` arguments.
    #[serde(default, deserialize_with = "settings")]
    pub arguments: Map<String, Value>,
    /// What policies say of it, all together.
    #[serde(default, deserialize_with = "settings")]
    pub effective_policy_definition: Map<String, Value>,
}

/// A binding.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Binding {
    /// The exchange it leads from.
    pub source: String,
    /// What it leads to.
    pub destination: String,
    /// The key.
    pub routing_key: String,
}

/// Somebody who consumes.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Consumer {
    /// What.
    pub queue: NameOfQueue,
    /// By which channel.
    #[serde(default, deserialize_with = "or_default")]
    pub channel_details: ChannelDetails,
}

/// A queue's name within a consumer.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct NameOfQueue {
    /// The name.
    pub name: String,
}

/// What a consumer says of its channel.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct ChannelDetails {
    /// The connection's name.
    #[serde(default)]
    pub connection_name: String,
    /// The user.
    #[serde(default)]
    pub user: String,
}

/// A user.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its tags.
    #[serde(default, deserialize_with = "tags")]
    pub tags: Vec<String>,
}

/// What a user may do: regular expressions for the names of exchanges and queues.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Permission {
    /// The user.
    pub user: String,
    /// What it may declare and delete.
    pub configure: String,
    /// What it may write to.
    pub write: String,
    /// What it may read from.
    pub read: String,
}

/// A policy.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Whose names it applies to, as a regular expression.
    pub pattern: String,
    /// What it applies to: `queues`, `exchanges`, `all`, …
    #[serde(rename = "apply-to")]
    pub apply_to: String,
    /// Of those that apply to a name, the one with the highest is in force, and no other.
    #[serde(default)]
    pub priority: i64,
    /// What it sets.
    #[serde(default, deserialize_with = "settings")]
    pub definition: Map<String, Value>,
}

/// Somebody who is connected.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Connection {
    /// The broker's name for it: both addresses.
    #[serde(default)]
    pub name: String,
    /// The user; absent while it logs in.
    #[serde(default)]
    pub user: String,
    /// Whether by TLS; absent while it logs in, and for those within the broker.
    pub ssl: Option<bool>,
    /// What the client says of itself.
    #[serde(default, deserialize_with = "or_default")]
    pub client_properties: ClientProperties,
}

/// What a client says of itself.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct ClientProperties {
    /// The name it gives its connection: oslo.messaging writes `PROGRAM:PID:UUID`.
    #[serde(default)]
    pub connection_name: String,
}

impl Connection {
    /// The program that holds it, where it says so.
    pub fn program(&self) -> Option<&str> {
        let name = self.client_properties.connection_name.split(':').next().unwrap_or_default();
        Some(name.trim()).filter(|name| !name.is_empty())
    }
}

/// What keeps a queue from growing for ever, as a policy sets it; as an argument, with `x-` before it.
pub const BOUNDS: [&str; 4] = ["max-length", "max-length-bytes", "message-ttl", "expires"];
/// After how many deliveries a message is discarded, written the same.
pub const DELIVERY_LIMIT: &str = "delivery-limit";

/// Those settings of an object that are judged: of what else stands in it, nothing is kept. RabbitMQ writes an empty list for an empty one.
fn settings<'de, D: Deserializer<'de>>(from: D) -> Result<Map<String, Value>, D::Error> {
    match Value::deserialize(from)? {
        Value::Object(map) => {
            let name = |key: &str| key.strip_prefix("x-").unwrap_or(key).to_owned();
            let is_judged = |key: &str| BOUNDS.contains(&&*name(key)) || name(key) == DELIVERY_LIMIT;
            Ok(map.into_iter().filter(|(key, value)| is_judged(key) && value.is_number()).collect())
        }
        _ => Ok(Map::new()),
    }
}

/// A value of this form, or what stands for none: RabbitMQ writes an empty list or a text in its place.
fn or_default<'de, D: Deserializer<'de>, T: Default + serde::de::DeserializeOwned>(
    from: D,
) -> Result<T, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(from)?).unwrap_or_default())
}

/// A list of texts, or one text with commas, as older brokers write it.
fn tags<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Tags {
        List(Vec<String>),
        Text(String),
    }
    Ok(match Tags::deserialize(from)? {
        Tags::List(tags) => tags,
        Tags::Text(text) => {
            text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_old_and_new_brokers_are_read() {
        let tags = |text: &str| serde_json::from_str::<User>(text).unwrap().tags;
        assert_eq!(
            tags(r#"{"name":"a","tags":"administrator, monitoring"}"#),
            ["administrator", "monitoring"]
        );
        assert_eq!(tags(r#"{"name":"a","tags":["administrator"]}"#), ["administrator"]);
        assert_eq!(tags(r#"{"name":"a","tags":""}"#), [""; 0]);
        let queue: Queue =
            serde_json::from_str(r#"{"name":"q","arguments":{},"effective_policy_definition":[]}"#).unwrap();
        assert_eq!((queue.messages, queue.effective_policy_definition.len()), (None, 0));
        let text = r#"{"name":"q","arguments":{"x-expires":1,"x-delivery-limit":-1,"x-max-length":[1],"x-queue-type":"quorum"}}"#;
        let queue: Queue = serde_json::from_str(text).unwrap();
        assert_eq!(queue.arguments.keys().collect::<Vec<_>>(), ["x-delivery-limit", "x-expires"]);
        let bare: Connection = serde_json::from_str(r#"{"name":"c","client_properties":[]}"#).unwrap();
        assert_eq!(bare.program(), None);
        let named = r#"{"user":"nova","ssl":true,"client_properties":{"connection_name":"nova-api:7:u-u"}}"#;
        let named: Connection = serde_json::from_str(named).unwrap();
        assert_eq!(named.program(), Some("nova-api"));
    }
}
