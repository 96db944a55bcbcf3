//! `type = "hec"`: Splunk, by its HTTP Event Collector.

use osel_core::format::Format;

use super::super::keys;
use super::super::keys::Otherwise::{Default, Needed, Words};
use super::super::section::{Section, boolean, one_of, quoted, text};
use super::super::tree::{Node, Origin, Value};
use super::super::{Secret, reference};
use super::http::{self, HttpReceiverConfig, http_keys};
use super::kind::{ReceiverConfig, Type};

/// The most collectors of one forwarder, of which one is used at a time.
const URLS_MAX: usize = 16;
/// The longest name of an index, a source and the like; Splunk's own limit for an index is 80.
const NAME_BYTES_MAX: usize = 200;
/// The most events of one request.
const BATCH_EVENTS_MAX: i64 = 10_000;
/// Some hundred kilobytes of usual records: more at once saves little.
const BATCH_EVENTS: i64 = 500;
/// The least for a request: a record or two with what stands around them.
const BATCH_KILOBYTES_MIN: i64 = 16;
/// The most for a request: Splunk Enterprise takes 800 MB, and what is sent again after a lost answer is one request.
const BATCH_KILOBYTES_MAX: i64 = 16_000;
/// What Splunk Cloud takes, and others send.
const BATCH_KILOBYTES: i64 = 1000;
/// The most requests that wait for the indexers: each is sent again when one of them gives no answer.
const AWAITED_MAX: i64 = 64;
/// Indexers answer within some ten seconds; eight requests of 500 events keep up with several hundred events a second meanwhile.
const AWAITED: i64 = 8;
/// How long an indexer may take to say that it has written something: Splunk's own clients wait five minutes.
const ACK_SECONDS: i64 = 300;
/// The longest that can be asked for: after that everything is sent again in any case.
const ACK_SECONDS_MAX: i64 = 300;

/// Splunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HecConfig {
    /// The collectors, without a `/` at their ends; the next one is used when one fails.
    pub urls: Vec<String>,
    /// Its token.
    pub token: Secret,
    /// Which way events are handed over.
    pub endpoint: HecEndpoint,
    /// Whether indexers say that they have written what they were sent.
    pub acks: HecAcks,
    /// How long that may take.
    pub ack_seconds: u32,
    /// How many requests may wait for it.
    pub awaited_max: u32,
    /// The index; none for the token's.
    pub index: Option<String>,
    /// What Splunk knows as the source.
    pub source: String,
    /// What Splunk knows as the source type; none for the token's.
    pub sourcetype: Option<String>,
    /// What Splunk knows as the host; none for Splunk's choice.
    pub host: Option<String>,
    /// Whether events have fields of ours that are indexed.
    pub has_fields: bool,
    /// Whether requests are packed by gzip.
    pub packs: bool,
    /// The most events of one request.
    pub batch_events: usize,
    /// The most bytes of one request before it is packed.
    pub batch_bytes: usize,
    /// How it is reached.
    pub http: HttpReceiverConfig,
}

/// Which way events are handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HecEndpoint {
    /// `/services/collector/event`: each with its time, its place and fields.
    Event,
    /// `/services/collector/raw`: lines, of which Splunk makes events by their source type.
    Raw,
}

/// Whether indexers say that they have written what they were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HecAcks {
    /// They are asked where the token has it.
    Auto,
    /// They have to.
    Always,
    /// They are not asked.
    Never,
}

/// Its type.
pub(super) const TYPE: Type = Type {
    name: "hec",
    section: keys::Section {
        header: "[[forward]] # type = \"hec\"",
        what: "Splunk, by its HTTP Event Collector (HEC).",
        is_optional: true,
        needs: &["name = \"splunk\"", "type = \"hec\""],
    },
    keys: KEYS,
    read: |section| read(section).map(|config| ReceiverConfig::Hec(Box::new(config))),
    format: Format::Native,
};

const KEYS: &[keys::Key] = http_keys!(
    "hec",
    [
        (
            "urls",
            Needed("[\"https://splunk.example:8088\"]"),
            "The collectors, without the path. One is used at a time, and the next one when it fails. Without TLS only an address of this host's \
             loopback is taken."
        ),
        (
            "token",
            Needed("{ file = \"/etc/osel/splunk-token\" }"),
            "The token of the collector. It is read again when Splunk refuses it."
        ),
        (
            "endpoint",
            Default("\"event\""),
            "`event` hands each record over with its time and fields; `raw` hands lines over, of which Splunk makes events by `sourcetype`."
        ),
        (
            "acks",
            Default("\"auto\""),
            "Whether a record counts as delivered only when an indexer has written it: `\"auto\"` where the token has indexer acknowledgement, \
             `true` always, which needs it, `false` never."
        ),
        (
            "ack_seconds",
            Default("300"),
            "How long an indexer may take for that before everything not acknowledged is sent again, up to 300."
        ),
        ("awaited", Default("8"), "How many requests may wait for that at once."),
        ("index", Words("that of the token", "\"openstack\""), "The index. The token must allow it."),
        ("source", Default("\"osel\""), "What Splunk has as `source`."),
        (
            "sourcetype",
            Words(
                "`osel:` and the format, as `osel:native`; with `raw` that of the token",
                "\"osel:native\""
            ),
            "What Splunk has as `sourcetype`."
        ),
        ("host", Words("as Splunk chooses", "\"ctl1.example\""), "What Splunk has as `host`."),
        (
            "fields",
            Default("true"),
            "Whether events have the indexed fields `osel_id`, `osel_seq`, `osel_kind` and `osel_severity`. `raw` has none."
        ),
        ("gzip", Default("true"), "Whether requests are packed."),
        ("batch_events", Default("500"), "The most events of one request."),
        (
            "batch_kilobytes",
            Default("1000"),
            "The most of one request before it is packed, in 1,000 bytes; a single larger event is sent all the same. Splunk Cloud takes 1000."
        ),
    ]
);

fn read(section: &mut Section<'_>) -> Option<HecConfig> {
    let urls = section.list("urls", 1..=URLS_MAX, base);
    if urls.is_none() && !section.was_given("urls") {
        section.missing("urls", "name the collector, such as [\"https://splunk.example:8088\"]");
    }
    let token = token(section);
    let endpoint = section
        .read("endpoint", |node| one_of(node, &[("event", HecEndpoint::Event), ("raw", HecEndpoint::Raw)]))
        .unwrap_or(HecEndpoint::Event);
    let acks = section.read("acks", acks).unwrap_or(HecAcks::Auto);
    let mut name = |key| section.read(key, |node| http::word(node, NAME_BYTES_MAX));
    let (index, source) = (name("index"), name("source"));
    let (sourcetype, host) = (name("sourcetype"), name("host"));
    let has_fields = section.read("fields", boolean).unwrap_or(true);
    let packs = section.read("gzip", boolean).unwrap_or(true);
    let ack_seconds = section.count("ack_seconds", 1..=ACK_SECONDS_MAX, ACK_SECONDS);
    let awaited_max = section.count("awaited", 1..=AWAITED_MAX, AWAITED);
    let batch_events = section.count("batch_events", 1..=BATCH_EVENTS_MAX, BATCH_EVENTS);
    let batch_kilobytes =
        section.count("batch_kilobytes", BATCH_KILOBYTES_MIN..=BATCH_KILOBYTES_MAX, BATCH_KILOBYTES);
    let http = http::read(section);
    Some(HecConfig {
        urls: urls?,
        token: token?,
        endpoint,
        acks,
        ack_seconds: u32::try_from(ack_seconds).unwrap_or(u32::MAX),
        awaited_max: u32::try_from(awaited_max).unwrap_or(u32::MAX),
        index,
        source: source.unwrap_or_else(|| "osel".to_owned()),
        sourcetype,
        host,
        has_fields,
        packs,
        batch_events,
        batch_bytes: batch_kilobytes.saturating_mul(1000),
        http: http?,
    })
}

/// Scheme, host and port, and a path where a proxy before Splunk has one.
fn base(given: &str) -> Result<String, String> {
    let uri = http::url(given)?;
    let base = given.trim_end_matches('/');
    if uri.query().is_some() || base.contains("/services/collector") {
        return Err("must be the collector without `/services/collector` and without a query".to_owned());
    }
    Ok(base.to_owned())
}

/// A GUID as Splunk makes it, or whatever somebody had it be: a header takes it.
fn token(section: &mut Section<'_>) -> Option<Secret> {
    let (token, origin) = reference::secret(section, "token", "write { file = \"/etc/osel/splunk-token\" }")?;
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        section.problem(&origin, "token", "must be a word of ASCII, as Splunk shows it");
        return None;
    }
    Some(Secret::new(token.to_string()))
}

fn acks(node: &Node) -> Result<HecAcks, String> {
    match (&node.value, &node.origin) {
        (Value::Text(word), _) if word == "auto" => Ok(HecAcks::Auto),
        (Value::Boolean(_), _) | (Value::Text(_), Origin::Variable(_)) => {
            boolean(node).map(|is_on| if is_on { HecAcks::Always } else { HecAcks::Never })
        }
        _ => Err(format!("must be `\"auto\"`, `true` or `false`, not {}", describe(node))),
    }
}

fn describe(node: &Node) -> String {
    text(node).map_or_else(|_| node.value.kind().to_owned(), |word| format!("`{}`", quoted(word)))
}
