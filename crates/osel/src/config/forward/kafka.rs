//! `type = "kafka"`: a topic of Apache Kafka, or of another system that speaks its protocol.

use osel_core::format::Format;

use super::super::endpoint::{client_tls, host_and_port};
use super::super::keys::Otherwise::{Default, Needed, Words};
use super::super::keys::{self, key};
use super::super::parts::TlsConfig;
use super::super::reference;
use super::super::secret::Secret;
use super::super::section::{Section, boolean, one_of, text};
use super::super::tree::Node;
use super::kind::{ReceiverConfig, Type};

/// The port of a broker.
const PORT: u16 = 9092;
/// The most brokers that are named; each tells of all others.
const BROKERS_MAX: usize = 64;
/// The longest name of a topic.
const TOPIC_BYTES_MAX: usize = 249;
/// The longest path to a key.
const POINTER_BYTES_MAX: usize = 200;
/// The most of a batch: a little less than brokers take without being told otherwise, since a batch has more than lines.
const BATCH_KILOBYTES: i64 = 900;
const BATCH_KILOBYTES_MAX: i64 = 10_000;
/// The keys that speak of TLS.
const TLS_KEYS: [&str; 4] = ["ca_file", "cert_file", "key_file", "server_name"];

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaConfig {
    /// The brokers that are asked first, each by host and port; at least one.
    pub brokers: Vec<(String, u16)>,
    /// The topic.
    pub topic: String,
    /// What records are told apart by.
    pub key: KafkaKey,
    /// How batches are packed.
    pub compression: KafkaCompression,
    /// The most bytes of lines in one batch, before it is packed.
    pub batch_bytes: usize,
    /// TLS; none for connections as they are.
    pub tls: Option<TlsConfig>,
    /// Who we are; none where nobody asks, or the certificate says it.
    pub login: Option<KafkaLogin>,
}

/// What records are told apart by: those of one key are in one partition, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KafkaKey {
    /// All have the same.
    One,
    /// None has one.
    None,
    /// What stands at that place (RFC 6901) of a record in JSON.
    At(String),
}

/// How batches are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KafkaCompression {
    /// Not at all.
    None,
    /// By gzip.
    Gzip,
    /// By Zstandard.
    Zstd,
}

/// A login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaLogin {
    /// The way.
    pub mechanism: KafkaMechanism,
    /// Who.
    pub user: Secret,
    /// With what.
    pub password: Secret,
}

/// The way of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KafkaMechanism {
    /// The password is shown.
    Plain,
    /// It is not, with SHA-256.
    ScramSha256,
    /// It is not, with SHA-512.
    ScramSha512,
}

impl KafkaMechanism {
    /// Its name in the protocol.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// Its type.
pub(super) const TYPE: Type = Type {
    name: "kafka",
    section: keys::Section {
        header: "[[forward]] # type = \"kafka\"",
        what: "A topic of Kafka, 2.4 or later: see docs/forwarders/kafka.md.",
        is_optional: true,
        needs: &["name = \"stream\"", "type = \"kafka\""],
    },
    keys: KEYS,
    read: |section| read(section).map(|config| ReceiverConfig::Kafka(Box::new(config))),
    format: Format::Native,
};

const KEYS: &[keys::Key] = &[
    key(
        "forward.kafka.brokers",
        Needed("[\"kafka1.example:9093\", \"kafka2.example:9093\"]"),
        "Some of the brokers, as `HOST` or `HOST:PORT`; they tell of the others. The port is 9092.",
    ),
    key("forward.kafka.topic", Needed("\"osel.records\""), "The topic. It has to be there: osel makes none."),
    key(
        "forward.kafka.key",
        Words("one for all records", "\"/actor/project_id\""),
        "What records are told apart by: Kafka keeps the order of those of one key. Without it all have the same, are in one partition, and in \
         the order of the trail. A path such as `/actor/project_id` takes what stands there in the record (formats in JSON); `none` gives no \
         keys, and no order between batches.",
    ),
    key(
        "forward.kafka.compression",
        Default("\"gzip\""),
        "How batches are packed: `none`, `gzip` or `zstd`.",
    ),
    key(
        "forward.kafka.batch_kilobytes",
        Default("900"),
        "The most of one batch before it is packed, in 1,000 bytes; a single larger record is sent all the same. Brokers and topics take 1,048,588 \
         bytes after packing unless `max.message.bytes` says otherwise.",
    ),
    key("forward.kafka.tls", Default("true"), "Whether connections use TLS."),
    key(
        "forward.kafka.ca_file",
        Words("the system's", "\"/etc/osel/ca.pem\""),
        "The authorities that may have signed the brokers' certificates, as PEM. They are always verified.",
    ),
    key(
        "forward.kafka.cert_file",
        Words("none", "\"/etc/osel/client.pem\""),
        "osel's own certificate and the chain above it, as PEM, where brokers ask for one.",
    ),
    key(
        "forward.kafka.key_file",
        Words("that in `cert_file`", "\"/etc/osel/client.key\""),
        "The key of `cert_file`, as PEM.",
    ),
    key(
        "forward.kafka.server_name",
        Words("each broker's host", "\"kafka.example\""),
        "The name that the certificate of every broker has to have.",
    ),
    key(
        "forward.kafka.sasl",
        Words("no login", "\"scram-sha-512\""),
        "How osel logs in: `plain` (over TLS only), `scram-sha-256` or `scram-sha-512`.",
    ),
    key("forward.kafka.user", Words("none", "{ file = \"/etc/osel/kafka-user\" }"), "Who logs in."),
    key(
        "forward.kafka.password",
        Words("none", "{ file = \"/etc/osel/kafka-password\" }"),
        "With what. It is read again whenever the cluster is reached anew.",
    ),
];

fn read(section: &mut Section<'_>) -> Option<KafkaConfig> {
    let brokers = section.list("brokers", 1..=BROKERS_MAX, |text| {
        host_and_port(text, PORT).ok_or_else(|| "must be `HOST` or `HOST:PORT`".to_owned())
    });
    if brokers.is_none() && !section.was_given("brokers") {
        section.missing("brokers", "name one, such as [\"kafka1.example:9093\"]");
    }
    let topic = section.read("topic", |node| topic(text(node)?));
    if topic.is_none() && !section.was_given("topic") {
        section.missing("topic", "name the topic, such as \"osel.records\"");
    }
    let key = section.read("key", record_key);
    let ways = [
        ("none", KafkaCompression::None),
        ("gzip", KafkaCompression::Gzip),
        ("zstd", KafkaCompression::Zstd),
    ];
    let compression = section.read("compression", |node| one_of(node, &ways));
    let kilobytes = section.count("batch_kilobytes", 1..=BATCH_KILOBYTES_MAX, BATCH_KILOBYTES);
    let uses_tls = section.read("tls", boolean).unwrap_or(true);
    let tls = client_tls(section);
    if !uses_tls && let Some(key) = TLS_KEYS.into_iter().find(|key| section.was_given(key)) {
        section.problem(&section.origin().clone(), key, "is for TLS: leave it out, or `tls = false`");
    }
    let login = login(section, uses_tls)?;
    Some(KafkaConfig {
        brokers: brokers?,
        topic: topic?,
        key: key.unwrap_or(KafkaKey::One),
        compression: compression.unwrap_or(KafkaCompression::Gzip),
        batch_bytes: kilobytes.saturating_mul(1000),
        tls: uses_tls.then_some(tls),
        login,
    })
}

fn topic(given: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if given.len() > TOPIC_BYTES_MAX || [".", ".."].contains(&given) || !given.bytes().all(is_plain) {
        return Err(format!("must be at most {TOPIC_BYTES_MAX} letters, digits, `.`, `_`, `-`"));
    }
    Ok(given.to_owned())
}

fn record_key(node: &Node) -> Result<KafkaKey, String> {
    match text(node)? {
        "none" => Ok(KafkaKey::None),
        path if path.starts_with('/') && path.len() <= POINTER_BYTES_MAX => Ok(KafkaKey::At(path.to_owned())),
        _ => Err("must be `none`, or a path in the record such as `/actor/project_id`".to_owned()),
    }
}

/// The login, and none when something about it is wrong.
fn login(section: &mut Section<'_>, uses_tls: bool) -> Option<Option<KafkaLogin>> {
    let ways = [
        ("plain", KafkaMechanism::Plain),
        ("scram-sha-256", KafkaMechanism::ScramSha256),
        ("scram-sha-512", KafkaMechanism::ScramSha512),
    ];
    let mechanism = section.read("sasl", |node| one_of(node, &ways));
    let mut secret = |key: &'static str| match reference::is_given(section, key) {
        true => reference::secret(section, key, "write { file = \"…\" }")
            .map(|(text, _)| Some(Secret::new(text.to_string()))),
        false => {
            // Nobody gave it; it is a key all the same.
            let _ = section.take(key);
            Some(None)
        }
    };
    // Both are read before either matters, so that all that is wrong is told.
    let (user, password) = (secret("user"), secret("password"));
    let (user, password) = (user?, password?);
    let origin = section.origin().clone();
    match (mechanism, user, password) {
        (None, None, None) => (!section.was_given("sasl")).then_some(None),
        (None, ..) => {
            if !section.was_given("sasl") {
                section.missing(
                    "sasl",
                    "`user` and `password` log in by `plain`, `scram-sha-256` or `scram-sha-512`",
                );
            }
            None
        }
        (Some(KafkaMechanism::Plain), ..) if !uses_tls => {
            section.problem(
                &origin,
                "sasl",
                "`plain` would show the password to everybody on the way: use TLS or SCRAM",
            );
            None
        }
        (Some(mechanism), Some(user), Some(password)) => Some(Some(KafkaLogin { mechanism, user, password })),
        (Some(_), user, _) => {
            let key = if user.is_none() { "user" } else { "password" };
            section.missing(key, "`sasl` needs it: write { file = \"…\" }");
            None
        }
    }
}
