//! `type = "webhook"`: any receiver that takes requests over HTTP.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hyper::header::{HeaderName, HeaderValue};
use osel_core::format::Format;
use zeroize::Zeroizing;

use super::super::keys;
use super::super::keys::Otherwise::{Default, Needed, Words};
use super::super::section::{Section, one_of, text};
use super::super::tree::{Node, Value};
use super::super::{Secret, reference};
use super::http::{self, HttpReceiverConfig, http_keys};
use super::kind::{ReceiverConfig, Type};

/// The most headers of a request that are configured.
const HEADERS_MAX: usize = 32;
/// The longest content type.
const CONTENT_TYPE_BYTES_MAX: usize = 200;
/// The longest template: a page of text.
const TEMPLATE_BYTES_MAX: usize = 65_536;
/// The most records of one request.
const BATCH_RECORDS_MAX: i64 = 10_000;
/// What a receiver that writes them one by one does in a second or so.
const BATCH_RECORDS: i64 = 100;
/// The least for a request: a record or two.
const BATCH_KILOBYTES_MIN: i64 = 16;
/// The most for a request: it is held in memory, and sent again as a whole.
const BATCH_KILOBYTES_MAX: i64 = 16_000;
/// What servers take that have no limit of their own set: nginx takes 1 MiB.
const BATCH_KILOBYTES: i64 = 1000;
/// How a secret of Standard Webhooks begins.
const SECRET_PREFIX: &str = "whsec_";
/// The bytes that such a secret may have, as Standard Webhooks have it.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Headers that the request has by itself, or that are signed.
const OWN_HEADERS: [&str; 8] = [
    "connection",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
];

/// A receiver of requests over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookConfig {
    /// Where requests go; whoever knows it may be able to send there.
    pub url: Secret,
    /// How.
    pub method: WebhookMethod,
    /// What is in a request.
    pub body: WebhookBody,
    /// What its content is said to be; none for what suits the body.
    pub content_type: Option<String>,
    /// Further headers, by their names.
    pub headers: Vec<(String, Secret)>,
    /// The keys that requests are signed with, as bytes in base64; none where they are not signed.
    pub secrets: Vec<Secret>,
    /// The most records of one request.
    pub batch_records: usize,
    /// The most bytes of their lines.
    pub batch_bytes: usize,
    /// How it is reached.
    pub http: HttpReceiverConfig,
}

/// How a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookMethod {
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
}

/// What is in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookBody {
    /// One line.
    Single,
    /// A JSON array of lines.
    Array,
    /// Lines, each with an end.
    Lines,
    /// What a template makes of one line.
    Template(String),
}

/// Its type.
pub(super) const TYPE: Type = Type {
    name: "webhook",
    section: keys::Section {
        header: "[[forward]] # type = \"webhook\"",
        what: "Any receiver that takes requests over HTTP.",
        is_optional: true,
        needs: &["name = \"hook\"", "type = \"webhook\""],
    },
    keys: KEYS,
    read: |section| read(section).map(|config| ReceiverConfig::Webhook(Box::new(config))),
    format: Format::Native,
};

const KEYS: &[keys::Key] = http_keys!(
    "webhook",
    [
        (
            "url",
            Needed("\"https://hook.example/records\""),
            "Where requests go, or where that stands, since whoever knows it may be able to send there. Without TLS only an address of this \
             host's loopback is taken."
        ),
        ("method", Default("\"POST\""), "`POST` or `PUT`."),
        (
            "body",
            Default("\"array\""),
            "What is in a request: `single` has one record, `array` a JSON array of records, `lines` one record a line (JSON Lines)."
        ),
        (
            "template",
            Words("none", "'{\"text\": {{ record.summary }}}'"),
            "A request's body made of one record, instead of `body`: a text of Jinja in which each `{{ }}` becomes JSON. It knows `record`, `line`, \
             `id`, `seq`, `kind`, `severity`, `event_type` and `time`."
        ),
        (
            "content_type",
            Words("what suits the body", "\"application/json\""),
            "The type of the content, as a request says it."
        ),
        (
            "headers",
            Words(
                "none",
                "[{ name = \"Authorization\", value = { file = \"/etc/osel/hook-authorization\" } }]"
            ),
            "Further headers. Their values are secrets, named in the same ways."
        ),
        (
            "secret",
            Words("none: requests are not signed", "{ file = \"/etc/osel/hook-secret\" }"),
            "What requests are signed with, in the way of Standard Webhooks: `whsec_` and base64 of 24 to 64 bytes."
        ),
        (
            "second_secret",
            Words("none", "{ file = \"/etc/osel/hook-second-secret\" }"),
            "A second one, with which requests are signed as well while receivers go over from one to the other."
        ),
        ("batch_records", Default("100"), "The most records of one request, where it may have several."),
        (
            "batch_kilobytes",
            Default("1000"),
            "The most of their lines together, in 1,000 bytes; a single longer one is sent all the same."
        ),
    ]
);

fn read(section: &mut Section<'_>) -> Option<WebhookConfig> {
    let url = reference::secret_if(|_| false, section, "url", "write { file = \"…\" } or the URL itself");
    let url = url.and_then(|(url, origin)| match http::url(&url) {
        Ok(_) => Some(Secret::new(url.to_string())),
        Err(what) => {
            section.problem(&origin, "url", what);
            None
        }
    });
    let methods = [("POST", WebhookMethod::Post), ("PUT", WebhookMethod::Put)];
    let method = section.read("method", |node| one_of(node, &methods)).unwrap_or(WebhookMethod::Post);
    let body = body(section);
    let content_type = section.read("content_type", |node| {
        let given = http::word(node, CONTENT_TYPE_BYTES_MAX)?;
        HeaderValue::from_str(&given).map(|_| given).map_err(|_| "must be text for a header".to_owned())
    });
    let headers = headers(section);
    let secrets = [secret(section, "secret"), secret(section, "second_secret")];
    if section.was_given("second_secret") && !section.was_given("secret") {
        section.missing("secret", "`second_secret` is one besides");
    }
    let batch_records = section.count("batch_records", 1..=BATCH_RECORDS_MAX, BATCH_RECORDS);
    let batch_kilobytes =
        section.count("batch_kilobytes", BATCH_KILOBYTES_MIN..=BATCH_KILOBYTES_MAX, BATCH_KILOBYTES);
    let http = http::read(section);
    Some(WebhookConfig {
        url: url?,
        method,
        body,
        content_type,
        headers: headers?,
        secrets: secrets.into_iter().flatten().collect(),
        batch_records,
        batch_bytes: batch_kilobytes.saturating_mul(1000),
        http: http?,
    })
}

/// The way of the body, or the template in its place. A wrong one is told, and then does not matter.
fn body(section: &mut Section<'_>) -> WebhookBody {
    let ways = [("single", 0), ("array", 1), ("lines", 2)];
    let way = section.read("body", |node| one_of(node, &ways));
    let template = section.read("template", template);
    if section.was_given("body") && section.was_given("template") {
        section.problem(
            &section.origin().clone(),
            "template",
            "stands in the place of `body`: leave one of them out",
        );
    }
    match (template, way) {
        (Some(template), _) => WebhookBody::Template(template),
        (None, Some(0)) => WebhookBody::Single,
        (None, Some(2)) => WebhookBody::Lines,
        (None, _) => WebhookBody::Array,
    }
}

/// A text that can be read as a template.
fn template(node: &Node) -> Result<String, String> {
    let given = text(node)?;
    if given.len() > TEMPLATE_BYTES_MAX {
        return Err(format!("must have at most {TEMPLATE_BYTES_MAX} bytes"));
    }
    match minijinja::Environment::new().template_from_str(given) {
        Ok(_) => Ok(given.to_owned()),
        Err(error) => Err(format!("is no template: {error}")),
    }
}

/// The headers; none at all when one is wrong.
pub(super) fn headers(section: &mut Section<'_>) -> Option<Vec<(String, Secret)>> {
    let Some(Node { origin, value }) = section.take("headers") else { return Some(Vec::new()) };
    let Value::List(nodes) = value else {
        section.problem(&origin, "headers", "must be a list of tables with `name` and `value`");
        return None;
    };
    if nodes.len() > HEADERS_MAX {
        section.problem(&origin, "headers", format!("has more than {HEADERS_MAX} entries"));
        return None;
    }
    let read = |(index, node)| {
        let mut header =
            section.inner(&format!("headers[{index}]"), &format!("headers__{index}"), Some(node));
        let name = header.read("name", header_name);
        if name.is_none() && !header.was_given("name") {
            header.missing("name", "name the header, such as \"Authorization\"");
        }
        let value = header_value(&mut header);
        header.finish();
        Some((name?, value?))
    };
    // Each is read, so that all that is wrong is told.
    let read: Vec<Option<(String, Secret)>> = nodes.into_iter().enumerate().map(read).collect();
    read.into_iter().collect()
}

fn header_name(node: &Node) -> Result<String, String> {
    let given = text(node)?;
    let name =
        HeaderName::from_bytes(given.as_bytes()).map_err(|_| "must be the name of a header".to_owned())?;
    match OWN_HEADERS.contains(&name.as_str()) {
        true => Err("is a header that osel sets itself".to_owned()),
        false => Ok(name.as_str().to_owned()),
    }
}

fn header_value(header: &mut Section<'_>) -> Option<Secret> {
    let (value, origin) = reference::secret(header, "value", "write { file = \"…\" }")?;
    if HeaderValue::from_str(&value).is_err() {
        header.problem(&origin, "value", "must be text in one line");
        return None;
    }
    Some(Secret::new(value.to_string()))
}

/// The key of a secret of Standard Webhooks, as base64.
fn secret(section: &mut Section<'_>, key: &'static str) -> Option<Secret> {
    if !reference::is_given(section, key) {
        // Nobody gave it; it is a key all the same.
        let _ = section.take(key);
        return None;
    }
    let (given, origin) = reference::secret(section, key, "write { file = \"…\" }")?;
    let bytes = given
        .strip_prefix(SECRET_PREFIX)
        .and_then(|text| STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok().map(Zeroizing::new));
    match bytes.filter(|bytes| SECRET_BYTES.contains(&bytes.len())) {
        Some(bytes) => Some(Secret::new(STANDARD.encode(&*bytes))),
        None => {
            section.problem(
                &origin,
                key,
                "must be `whsec_` and base64 of 24 to 64 bytes, as Standard Webhooks have it",
            );
            None
        }
    }
}
