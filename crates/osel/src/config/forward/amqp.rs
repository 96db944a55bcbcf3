//! `type = "amqp"`: an exchange of RabbitMQ, or of another broker of AMQP 0-9-1 with publisher confirms.

use osel_core::format::Format;

use super::super::check_source::{self, amqp_name, is_same_bus};
use super::super::check_tls::TlsKeys;
use super::super::keys::Otherwise::{Default, Needed, Words};
use super::super::keys::{self, key};
use super::super::parts::{SourceConfig, TlsConfig, TransportUrl};
use super::super::reference;
use super::super::section::{Section, one_of, text};
use super::super::transport_url::ParsedUrl;
use super::super::tree::Origin;
use super::kind::{ReceiverConfig, Type};
use super::routing::RoutingKey;
use super::table::ForwardConfig;

/// The routing key when nobody says otherwise.
const ROUTING_KEY: &str = "osel.{kind}.{severity}";
/// A dead connection is noticed after this time.
const HEARTBEAT_SECONDS: u16 = 30;
/// The keys that speak of TLS: with one of them, a URL that says nothing of it means it.
const TLS_KEYS: [&str; 5] = ["ca_file", "cert_file", "key_file", "server_name", "external"];

/// An exchange of a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmqpConfig {
    /// The brokers of one cluster, with the credentials for each.
    pub url: TransportUrl,
    /// TLS; there exactly when `url.tls` is true.
    pub tls: Option<TlsConfig>,
    /// After how many seconds without a sign of the broker a connection counts as dead.
    pub heartbeat_seconds: u16,
    /// The exchange.
    pub exchange: String,
    /// As what the exchange is declared; none where it has to be there.
    pub declare: Option<AmqpExchangeKind>,
    /// What records are routed by.
    pub routing_key: RoutingKey,
    /// What becomes of a record that no queue wants.
    pub unroutable: AmqpUnroutable,
}

/// The kind of an exchange that osel declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmqpExchangeKind {
    /// By patterns of routing keys.
    Topic,
    /// By routing keys.
    Direct,
    /// To all queues.
    Fanout,
}

/// What becomes of a record that no queue wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmqpUnroutable {
    /// Nobody would have it: it waits.
    Refuse,
    /// It counts as delivered.
    Accept,
}

/// Its type.
pub(super) const TYPE: Type = Type {
    name: "amqp",
    section: keys::Section {
        header: "[[forward]] # type = \"amqp\"",
        what: "An exchange of RabbitMQ, over a connection of its own: see docs/forwarders/amqp.md.",
        is_optional: true,
        needs: &["name = \"queue\"", "type = \"amqp\""],
    },
    keys: KEYS,
    read: |section| read(section).map(|config| ReceiverConfig::Amqp(Box::new(config))),
    format: Format::Native,
};

const KEYS: &[keys::Key] = &[
    key(
        "forward.amqp.url",
        Needed("{ file = \"/etc/osel/amqp-url\" }"),
        "Where the broker is and who we are to it, as the `transport_url` of a source: `amqps://USER:PASSWORD@HOST:5671/VHOST`, with further \
         hosts of one cluster behind commas. It is read again for each connection.",
    ),
    key(
        "forward.amqp.exchange",
        Needed("\"osel.records\""),
        "The exchange. It has to be there, unless `declare` is set.",
    ),
    key(
        "forward.amqp.declare",
        Words("not at all", "\"topic\""),
        "Has osel declare the exchange, durable, as `topic`, `direct` or `fanout`, which needs the right to configure it.",
    ),
    key(
        "forward.amqp.routing_key",
        Default("\"osel.{kind}.{severity}\""),
        "What records are routed by. `{kind}`, `{severity}` and `{event_type}` stand for what a record has.",
    ),
    key(
        "forward.amqp.unroutable",
        Default("\"refuse\""),
        "What becomes of a record that no queue is bound for: with `refuse` it waits until somebody binds one, with `accept` it counts as \
         delivered, though nobody has it.",
    ),
    key(
        "forward.amqp.ca_file",
        Words("the system's", "\"/etc/osel/ca.pem\""),
        "The authorities that may have signed the broker's certificate, as PEM. It is always verified.",
    ),
    key(
        "forward.amqp.cert_file",
        Words("none", "\"/etc/osel/client.pem\""),
        "osel's own certificate and the chain above it, as PEM, where the broker asks for one.",
    ),
    key(
        "forward.amqp.key_file",
        Words("that in `cert_file`", "\"/etc/osel/client.key\""),
        "The key of `cert_file`, as PEM.",
    ),
    key(
        "forward.amqp.server_name",
        Words("the host", "\"mq.example\""),
        "The name that the broker's certificate has to have.",
    ),
    key(
        "forward.amqp.external",
        Default("false"),
        "Whether osel logs in by its certificate (EXTERNAL) instead of user and password.",
    ),
];

fn read(section: &mut Section<'_>) -> Option<AmqpConfig> {
    let secret = reference::secret(
        section,
        "url",
        "name the file that has it, such as { file = \"/etc/osel/amqp-url\" }",
    );
    let tls = TlsKeys::read(section);
    let asks_for_tls = TLS_KEYS.iter().any(|key| section.was_given(key));
    let parsed = secret.and_then(|secret| check_source::url(section, "url", secret, asks_for_tls, &tls));
    let exchange = section.read("exchange", |node| amqp_name(text(node)?).map(str::to_owned));
    if exchange.is_none() && !section.was_given("exchange") {
        section.missing("exchange", "name the exchange, such as \"osel.records\"");
    }
    let kinds = [
        ("topic", AmqpExchangeKind::Topic),
        ("direct", AmqpExchangeKind::Direct),
        ("fanout", AmqpExchangeKind::Fanout),
    ];
    let declare = section.read("declare", |node| one_of(node, &kinds));
    let routing_key = section.read("routing_key", |node| RoutingKey::parse(text(node)?));
    let ways = [("refuse", AmqpUnroutable::Refuse), ("accept", AmqpUnroutable::Accept)];
    let unroutable = section.read("unroutable", |node| one_of(node, &ways));
    let ParsedUrl { url, options, .. } = parsed?;
    let tls = tls.with(section, &options, url.tls);
    Some(AmqpConfig {
        tls,
        heartbeat_seconds: options.heartbeat_seconds.unwrap_or(HEARTBEAT_SECONDS),
        url,
        exchange: exchange?,
        declare,
        routing_key: match routing_key {
            Some(key) => key,
            None => RoutingKey::parse(ROUTING_KEY).ok()?,
        },
        unroutable: unroutable.unwrap_or(AmqpUnroutable::Refuse),
    })
}

/// Tells of forwarders whose records osel itself would hear: each would be a message again, and what is told of it a record.
pub(in crate::config) fn refuse_loops(
    root: &Section<'_>,
    sources: &[SourceConfig],
    forwards: &[ForwardConfig],
) {
    for (index, forward) in forwards.iter().enumerate() {
        let ReceiverConfig::Amqp(amqp) = &forward.receiver else { continue };
        for (source, bus) in sources.iter().filter_map(|source| Some((&source.name, source.rabbitmq()?))) {
            if is_same_bus(&bus.transport_url, &amqp.url) && bus.exchanges.contains(&amqp.exchange) {
                let what =
                    format!("is an exchange that source `{source}` listens to: osel would hear itself");
                root.problem(&Origin::Whole, &format!("forward[{index}].exchange"), what);
            } else if let Some(topic) =
                bus.topics.iter().find(|topic| amqp.routing_key.may_be_of_topic(topic))
            {
                // Exchanges may be bound to each other, and one broker has many names.
                let what = format!(
                    "begins with the topic `{topic}` that source `{source}` listens to: osel's own messages must not be taken for those of a \
                     service"
                );
                root.problem(&Origin::Whole, &format!("forward[{index}].routing_key"), what);
            }
        }
    }
}
