//! `[[source]]`: the buses, with what each needs to be reached.

use zeroize::Zeroizing;

use super::check::tables_and_variables;
use super::check_tls::TlsKeys;
use super::look;
use super::named::Names;
use super::parts::{
    BrokerHost, BusConfig, FileConfig, QueueConfig, QueueKind, RabbitMqConfig, SourceConfig, TransportUrl,
};
use super::reference::secret;
use super::section::{Section, boolean, number, one_of, quoted, text};
use super::transport_url::ParsedUrl;
use super::tree::{Node, Origin};

/// The most sources of one osel: each has a connection, a thread's worth of work and buffers of its own.
const SOURCES_MAX: usize = 64;
/// The longest name of a source.
const NAME_BYTES_MAX: usize = 63;
/// The longest name of a region: Keystone's column.
const REGION_CHARS_MAX: usize = 255;
/// The most exchanges of one source. OpenStack has some thirty services.
const EXCHANGES_MAX: usize = 256;
/// The most topics of one source; each is bound to each exchange.
const TOPICS_MAX: usize = 16;
/// The longest name of an exchange or a topic: AMQP carries 255 bytes, and names of ours are made of an exchange's with that of our queue.
const AMQP_NAME_BYTES_MAX: usize = 200;
/// Where the services publish unless they are told otherwise: what ceilometer listens to, the default of oslo.messaging, and services
/// that came later.
pub const EXCHANGES: [&str; 19] = [
    "nova",
    "glance",
    "neutron",
    "cinder",
    "heat",
    "keystone",
    "trove",
    "zaqar",
    "swift",
    "ceilometer",
    "magnum",
    "dns",
    "ironic",
    "aodh",
    "openstack",
    "octavia",
    "manila",
    "designate",
    "barbican",
];
/// The default topic of oslo.messaging, and that of nova's versioned notifications.
pub const TOPICS: [&str; 2] = ["notifications", "versioned_notifications"];
/// A dead connection is noticed after this time. Half of what oslo.messaging takes: events wait meanwhile.
const HEARTBEAT_SECONDS: u16 = 30;
/// A dead connection that goes unnoticed for longer is no longer noticed by the heartbeat.
const HEARTBEAT_SECONDS_MAX: i64 = 3600;
/// A broker that is there answers sooner, also across regions; the next host is tried after this time.
const CONNECT_TIMEOUT_SECONDS: u16 = 10;
/// Nobody waits longer for one host of several.
const CONNECT_TIMEOUT_SECONDS_MAX: i64 = 600;
/// How much a stopped osel may leave on the broker's disk: half a million notifications.
const QUEUE_LENGTH_BYTES_MAX: u64 = 1 << 30;

/// All sources: those of the file, and those that variables add behind them.
pub(super) fn sources(root: &mut Section<'_>) -> Option<Vec<SourceConfig>> {
    let nodes = tables(root)?;
    if nodes.is_empty() {
        if !root.was_given("source") {
            root.missing("source", "add a `[[source]]` with name, type and transport_url");
        }
        return None;
    }
    let count = nodes.len();
    let mut sources: Vec<SourceConfig> = Vec::with_capacity(count);
    let mut names = Names::new("source", "source");
    for (index, node) in nodes.into_iter().enumerate() {
        let origin = node.as_ref().map_or(Origin::Whole, |node| node.origin.clone());
        let section = table(root, index, node);
        if let Some(source) = source(section, index, &mut names) {
            if let Some(other) = sources.iter().find(|other| share_a_bus(other, &source)) {
                let what = format!(
                    "is the broker and virtual host of source `{}`: they would share one queue and take each other's messages; \
                     give one source all the exchanges",
                    other.name
                );
                root.problem(&origin, &format!("source[{index}].transport_url"), what);
            }
            if let Some(other) = sources.iter().find(|other| share_a_file(other, &source)) {
                let what = format!(
                    "is the file of source `{}`: each of its messages would be read twice; leave one of the two out",
                    other.name
                );
                root.problem(&origin, &format!("source[{index}].path"), what);
            }
            sources.push(source);
        }
    }
    (sources.len() == count).then_some(sources)
}

/// The names of all sources that are buses, and the source of that name with all its keys; of the others nothing else is read.
pub(super) fn one(root: &mut Section<'_>, wanted: &str) -> (Vec<String>, Option<SourceConfig>) {
    let (mut buses, mut found) = (Vec::new(), None);
    for (index, node) in tables(root).unwrap_or_default().into_iter().enumerate() {
        let mut section = table(root, index, node.clone());
        let name = section.read("name", |node| text(node).map(str::to_owned));
        // What is wrong with the type of another one is not asked for.
        let is_file = section.read("type", |node| Ok(text(node) == Ok("file")));
        let Some(name) = name else { continue };
        if name == wanted {
            found = source(table(root, index, node), index, &mut Names::new("source", "source"));
        }
        if is_file != Some(true) {
            buses.push(name);
        }
    }
    (buses, found)
}

/// The region of each source, or none for one that has none.
pub(super) fn regions(root: &mut Section<'_>) -> Vec<Option<String>> {
    let nodes = tables(root).unwrap_or_default();
    nodes.into_iter().enumerate().map(|(index, node)| region(&mut table(root, index, node))).collect()
}

/// The tables of sources. Each needs a name, by which a variable may begin one too.
fn tables(root: &mut Section<'_>) -> Option<Vec<Option<Node>>> {
    tables_and_variables(root, "source", &["name"], (SOURCES_MAX, "sources"))
}

fn table<'a>(root: &mut Section<'a>, index: usize, node: Option<Node>) -> Section<'a> {
    root.inner(&format!("source[{index}]"), &format!("source__{index}"), node)
}

fn region(section: &mut Section<'_>) -> Option<String> {
    section.read("region", |node| region_name(text(node)?))
}

/// Whether two sources would listen to one virtual host of one broker.
fn share_a_bus(one: &SourceConfig, other: &SourceConfig) -> bool {
    let (Some(one), Some(other)) = (one.rabbitmq(), other.rabbitmq()) else { return false };
    is_same_bus(&one.transport_url, &other.transport_url)
}

/// Whether two sources would read one file, by whatever way it is named.
fn share_a_file(one: &SourceConfig, other: &SourceConfig) -> bool {
    let (Some(one), Some(other)) = (one.file(), other.file()) else { return false };
    let place = |file: &FileConfig| file.path.canonicalize().ok();
    one.path == other.path || place(one).is_some_and(|one| Some(one) == place(other))
}

/// Whether two URLs lead to one virtual host of one broker, as far as their addresses tell.
pub(super) fn is_same_bus(one: &TransportUrl, other: &TransportUrl) -> bool {
    let is_known = |host: &BrokerHost| {
        other.hosts.iter().any(|known| (&known.host, known.port) == (&host.host, host.port))
    };
    one.vhost == other.vhost && one.hosts.iter().any(is_known)
}

/// A region as messages and inventories are of one: kept as it is, in records for ever.
///
/// # Errors
/// When it cannot be one.
pub fn region_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().count() > REGION_CHARS_MAX || text.contains(char::is_control) {
        return Err(format!("must be the id of a region, of at most {REGION_CHARS_MAX} characters"));
    }
    Ok(text.to_owned())
}

fn source(mut section: Section<'_>, index: usize, names: &mut Names) -> Option<SourceConfig> {
    let name =
        names.read(&mut section, index, "give the bus a name for records and logs, such as \"region-one\"");
    let kind = section.read("type", |node| match text(node)? {
        "rabbitmq" => Ok(Kind::RabbitMq),
        "file" => Ok(Kind::File),
        other => {
            Err(format!("must be `rabbitmq` or `file`, not `{}`: osel reads no other bus yet", quoted(other)))
        }
    });
    if kind.is_none() && !section.was_given("type") {
        section.missing("type", "write type = \"rabbitmq\"");
    }
    let region = region(&mut section);
    let bus = match kind {
        Some(Kind::File) => {
            refuse_all(&mut section, &RABBITMQ_KEYS, "file");
            file(&mut section).map(BusConfig::File)
        }
        // Of one that is neither, what else is wrong is told as well.
        Some(Kind::RabbitMq) | None => {
            refuse_all(&mut section, &FILE_KEYS, "rabbitmq");
            rabbitmq(&mut section).map(|rabbitmq| BusConfig::RabbitMq(Box::new(rabbitmq)))
        }
    };
    section.finish();
    kind?;
    Some(SourceConfig { name: name?, region, bus: bus? })
}

#[derive(Clone, Copy)]
enum Kind {
    RabbitMq,
    File,
}

/// The keys that only a bus of RabbitMQ has.
const RABBITMQ_KEYS: [&str; 8] = [
    "transport_url",
    "exchanges",
    "topics",
    "durable_exchanges",
    "queue",
    "tls",
    "heartbeat_seconds",
    "connect_timeout_seconds",
];
/// The keys that only a file has.
const FILE_KEYS: [&str; 2] = ["path", "follow"];

fn refuse_all(section: &mut Section<'_>, keys: &[&'static str], kind: &str) {
    for key in keys {
        section.refuse(key, &format!("is no key of a source of the type `{kind}`"));
    }
}

fn file(section: &mut Section<'_>) -> Option<FileConfig> {
    let path = section.read("path", |node| Ok((text(node)?.to_owned(), node.origin.clone())));
    if path.is_none() && !section.was_given("path") {
        section.missing("path", "name the file with captured messages");
    }
    let follow = section.read("follow", boolean);
    let (text, origin) = path?;
    let path = section.reading().resolve(&origin, &text);
    look::source(section, &origin, &path);
    Some(FileConfig { path, follow: follow.unwrap_or(true) })
}

fn rabbitmq(section: &mut Section<'_>) -> Option<RabbitMqConfig> {
    let secret = secret(
        section,
        "transport_url",
        "name the file that has it, such as { file = \"/etc/osel/transport_url\" }",
    );
    let mut tls_section = section.section("tls");
    let tls_keys = TlsKeys::read(&mut tls_section);
    let asks_for_tls = tls_section.is_given();
    let parsed = secret.and_then(|secret| url(section, "transport_url", secret, asks_for_tls, &tls_keys));
    let options = parsed.as_ref().map(|parsed| parsed.options.clone()).unwrap_or_default();
    let wants_tls = parsed.as_ref().map_or(asks_for_tls, |parsed| parsed.url.tls);
    let tls = tls_keys.with(&tls_section, &options, wants_tls);
    tls_section.finish();

    let own_name = |text: &str| amqp_name(text).map(str::to_owned);
    let exchanges = section.list("exchanges", 1..=EXCHANGES_MAX, own_name);
    let topics = section.list("topics", 1..=TOPICS_MAX, |text| {
        if text.contains(['*', '#']) {
            return Err("must be a topic, not a pattern: its priorities are bound by themselves".to_owned());
        }
        own_name(text)
    });
    let durable = section.read("durable_exchanges", boolean);
    let queue = queue(section.section("queue"));
    let seconds =
        |node: &Node, max| number(node, 1..=max).map(|seconds| u16::try_from(seconds).unwrap_or(u16::MAX));
    let heartbeat = section.read("heartbeat_seconds", |node| seconds(node, HEARTBEAT_SECONDS_MAX));
    let connect = section.read("connect_timeout_seconds", |node| seconds(node, CONNECT_TIMEOUT_SECONDS_MAX));
    let ParsedUrl { url, .. } = parsed?;
    Some(RabbitMqConfig {
        transport_url: url,
        exchanges: exchanges.unwrap_or_else(|| EXCHANGES.map(str::to_owned).to_vec()),
        topics: topics.unwrap_or_else(|| TOPICS.map(str::to_owned).to_vec()),
        durable_exchanges: durable.unwrap_or(false),
        queue,
        tls,
        heartbeat_seconds: heartbeat.or(options.heartbeat_seconds).unwrap_or(HEARTBEAT_SECONDS),
        connect_timeout_seconds: connect.unwrap_or(CONNECT_TIMEOUT_SECONDS),
    })
}

fn queue(mut section: Section<'_>) -> QueueConfig {
    let kinds = [("auto", QueueKind::Auto), ("quorum", QueueKind::Quorum), ("classic", QueueKind::Classic)];
    let bytes = section.read("length_bytes_max", |node| number(node, 1..=i64::MAX));
    let queue = QueueConfig {
        kind: section.read("kind", |node| one_of(node, &kinds)).unwrap_or_default(),
        length_bytes_max: bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(QUEUE_LENGTH_BYTES_MAX),
    };
    section.finish();
    queue
}

pub(super) fn name(text: &str) -> Result<String, String> {
    let is_plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_good = text.len() <= NAME_BYTES_MAX
        && text.as_bytes().first().is_some_and(is_plain)
        && text.as_bytes().iter().all(|byte| is_plain(byte) || b"._-".contains(byte));
    if is_good {
        return Ok(text.to_owned());
    }
    Err(format!(
        "`{}` is no name: 1 to {NAME_BYTES_MAX} small letters, digits, `.`, `_`, `-`, the first a letter or digit",
        quoted(text)
    ))
}

/// The URL of a broker under a key, with what is to be told about it; `asks_for_tls` says that a table beside it does.
pub(super) fn url(
    section: &Section<'_>,
    key: &'static str,
    (url, origin): (Zeroizing<String>, Origin),
    asks_for_tls: bool,
    tls: &TlsKeys,
) -> Option<ParsedUrl> {
    match TransportUrl::parse_with(&url, asks_for_tls, tls.is_external()) {
        Ok(parsed) => {
            parsed.notes.iter().for_each(|note| section.warning(&origin, key, note));
            Some(parsed)
        }
        Err(error) => {
            section.problem(&origin, key, error.to_string());
            None
        }
    }
}

/// A name that AMQP can carry.
pub(super) fn amqp_name(text: &str) -> Result<&str, String> {
    if text.len() > AMQP_NAME_BYTES_MAX || text.contains(char::is_control) {
        return Err(format!("must be a name of at most {AMQP_NAME_BYTES_MAX} bytes"));
    }
    Ok(text)
}
