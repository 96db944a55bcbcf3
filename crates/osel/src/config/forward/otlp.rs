//! `type = "otlp"`: a receiver of logs by OpenTelemetry's protocol over HTTP.

use osel_core::format::Format;

use super::super::Secret;
use super::super::keys;
use super::super::keys::Otherwise::{Default, Needed, Words};
use super::super::section::{Section, boolean, text};
use super::http::{self, HttpReceiverConfig, http_keys};
use super::kind::{ReceiverConfig, Type};

/// Where receivers take logs when nobody says otherwise, by the specification.
const LOGS_PATH: &str = "/v1/logs";
/// The most records of one request.
const BATCH_RECORDS_MAX: i64 = 10_000;
/// As many as OpenTelemetry's own exporters put into one.
const BATCH_RECORDS: i64 = 512;
/// The least for a request: a record or two.
const BATCH_KILOBYTES_MIN: i64 = 16;
/// The most for a request: the collector takes 20 MiB.
const BATCH_KILOBYTES_MAX: i64 = 16_000;
/// What also receivers behind a proxy take.
const BATCH_KILOBYTES: i64 = 1000;

/// A receiver of OpenTelemetry's logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpConfig {
    /// Where requests go, with the path.
    pub url: String,
    /// Further headers, by their names.
    pub headers: Vec<(String, Secret)>,
    /// Requests are packed.
    pub packs: bool,
    /// The most records of one request.
    pub batch_records: usize,
    /// The most bytes of their lines.
    pub batch_bytes: usize,
    /// How it is reached.
    pub http: HttpReceiverConfig,
}

/// Its type.
pub(super) const TYPE: Type = Type {
    name: "otlp",
    section: keys::Section {
        header: "[[forward]] # type = \"otlp\"",
        what: "A receiver of logs by OpenTelemetry's protocol, OTLP, over HTTP.",
        is_optional: true,
        needs: &["name = \"telemetry\"", "type = \"otlp\""],
    },
    keys: KEYS,
    read: |section| read(section).map(|config| ReceiverConfig::Otlp(Box::new(config))),
    format: Format::Native,
};

const KEYS: &[keys::Key] = http_keys!(
    "otlp",
    [
        (
            "endpoint",
            Needed("\"https://collector.example:4318\""),
            "The receiver. Where it has no path, `/v1/logs` is added. Without TLS only an address of this host's loopback is taken."
        ),
        (
            "headers",
            Words(
                "none",
                "[{ name = \"Authorization\", value = { file = \"/etc/osel/otlp-authorization\" } }]"
            ),
            "Further headers. Their values are secrets, read again when the receiver refuses us."
        ),
        ("gzip", Default("true"), "Whether requests are packed."),
        ("batch_records", Default("512"), "The most records of one request."),
        (
            "batch_kilobytes",
            Default("1000"),
            "The most of their lines together, in 1,000 bytes; a single longer one is sent all the same."
        ),
    ]
);

fn read(section: &mut Section<'_>) -> Option<OtlpConfig> {
    let url = section.read("endpoint", |node| endpoint(text(node)?));
    if url.is_none() && !section.was_given("endpoint") {
        section.missing("endpoint", "name the receiver, such as \"https://collector.example:4318\"");
    }
    let headers = super::webhook::headers(section);
    let packs = section.read("gzip", boolean).unwrap_or(true);
    let batch_records = section.count("batch_records", 1..=BATCH_RECORDS_MAX, BATCH_RECORDS);
    let batch_kilobytes =
        section.count("batch_kilobytes", BATCH_KILOBYTES_MIN..=BATCH_KILOBYTES_MAX, BATCH_KILOBYTES);
    let http = http::read(section);
    Some(OtlpConfig {
        url: url?,
        headers: headers?,
        packs,
        batch_records,
        batch_bytes: batch_kilobytes.saturating_mul(1000),
        http: http?,
    })
}

fn endpoint(given: &str) -> Result<String, String> {
    let uri = http::url(given)?;
    let has_path = uri.path() != "/" || uri.query().is_some();
    Ok(if has_path { given.to_owned() } else { format!("{}{LOGS_PATH}", given.trim_end_matches('/')) })
}
