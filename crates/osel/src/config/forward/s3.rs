//! `type = "s3"`: a bucket of S3, or of what speaks as S3 does.

use osel_core::format::Format;

use super::super::keys;
use super::super::keys::Otherwise::{Default, Needed, Words};
use super::super::section::{Section, boolean, one_of, text};
use super::super::tree::Node;
use super::super::{Secret, reference};
use super::http::{self, HttpReceiverConfig, http_keys};
use super::kind::{ReceiverConfig, Type};
use super::objects::{self, ObjectsConfig, object_keys};

/// The longest name of a bucket, a region or a key: AWS takes 63 for a bucket, and the ARN of a key is the longest of them.
const NAME_BYTES_MAX: usize = 256;
/// The region that stores know which have none.
const REGION: &str = "us-east-1";

/// A bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Config {
    /// Scheme, host and port of the store.
    pub endpoint: String,
    /// Its region.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// The bucket is part of the path, not of the host.
    pub is_in_path: bool,
    /// Who we are.
    pub key_id: Secret,
    /// What requests are signed with.
    pub key: Secret,
    /// What belongs to a key that was given for a time.
    pub token: Option<Secret>,
    /// How the store encrypts objects; none for what the bucket says.
    pub encryption: Option<S3Encryption>,
    /// No object is ever written over.
    pub writes_once: bool,
    /// How records become objects.
    pub objects: ObjectsConfig,
    /// How it is reached.
    pub http: HttpReceiverConfig,
}

/// How the store encrypts an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum S3Encryption {
    /// By keys of its own.
    Own,
    /// By a key of its key manager; none for the account's own.
    Managed(Option<String>),
}

/// Its type.
pub(super) const TYPE: Type = Type {
    name: "s3",
    section: keys::Section {
        header: "[[forward]] # type = \"s3\"",
        what: "A bucket of S3, or of another store that speaks as S3 does: Ceph, MinIO, and more.",
        is_optional: true,
        needs: &["name = \"archive\"", "type = \"s3\""],
    },
    keys: KEYS,
    read: |section| read(section).map(|config| ReceiverConfig::S3(Box::new(config))),
    format: Format::Native,
};

const KEYS: &[keys::Key] = object_keys!(
    http_keys,
    "s3",
    [
        (
            "endpoint",
            Needed("\"https://s3.eu-central-1.amazonaws.com\""),
            "The store, without the bucket. Without TLS only an address of this host's loopback is taken."
        ),
        ("region", Default("\"us-east-1\""), "The region of the bucket, by which requests are signed."),
        ("bucket", Needed("\"osel-records\""), "The bucket. It is not made."),
        (
            "addressing",
            Default("\"path\""),
            "Where a request names the bucket: `path`, or `host` as in `https://BUCKET.s3.example`."
        ),
        (
            "access_key_id",
            Needed("{ file = \"/etc/osel/s3-key-id\" }"),
            "Who we are. It, the key and the token are read again when the store refuses them."
        ),
        (
            "secret_access_key",
            Needed("{ file = \"/etc/osel/s3-key\" }"),
            "The key that requests are signed with."
        ),
        (
            "session_token",
            Words("none", "{ file = \"/etc/osel/s3-token\" }"),
            "The token of a key that is good for a time."
        ),
        (
            "encryption",
            Words("what the bucket says", "\"aws:kms\""),
            "How the store encrypts objects: `AES256` or `aws:kms`."
        ),
        (
            "encryption_key_id",
            Words("the account's own", "\"arn:aws:kms:eu-central-1:111122223333:key/1234\""),
            "The key for `aws:kms`."
        ),
        (
            "write_once",
            Default("false"),
            "Whether the store is told to refuse an object whose name is taken (`If-None-Match`), which not every store understands."
        ),
    ]
);

fn read(section: &mut Section<'_>) -> Option<S3Config> {
    let endpoint = section.read("endpoint", endpoint);
    if endpoint.is_none() && !section.was_given("endpoint") {
        section.missing("endpoint", "name the store, such as \"https://s3.eu-central-1.amazonaws.com\"");
    }
    let region = section.read("region", name).unwrap_or_else(|| REGION.to_owned());
    let bucket = section.read("bucket", name);
    if bucket.is_none() && !section.was_given("bucket") {
        section.missing("bucket", "name the bucket");
    }
    let is_in_path =
        section.read("addressing", |node| one_of(node, &[("path", true), ("host", false)])).unwrap_or(true);
    let key_id = secret(section, "access_key_id", "write { file = \"/etc/osel/s3-key-id\" }");
    let key = secret(section, "secret_access_key", "write { file = \"/etc/osel/s3-key\" }");
    let token = if reference::is_given(section, "session_token") {
        secret(section, "session_token", "write { file = \"/etc/osel/s3-token\" }")
    } else {
        // Nobody gave it; it is a key all the same.
        let _ = section.take("session_token");
        None
    };
    let encryption = encryption(section);
    let writes_once = section.read("write_once", boolean).unwrap_or(false);
    let objects = objects::read(section);
    let http = http::read(section);
    Some(S3Config {
        endpoint: endpoint?,
        region,
        bucket: bucket?,
        is_in_path,
        key_id: key_id?,
        key: key?,
        token,
        encryption,
        writes_once,
        objects,
        http: http?,
    })
}

fn endpoint(node: &Node) -> Result<String, String> {
    let given = text(node)?.trim_end_matches('/');
    let uri = http::url(given)?;
    if uri.query().is_some() {
        return Err("must be the store, without a query".to_owned());
    }
    Ok(given.to_owned())
}

/// A word that needs no quoting in a path or the name of a host, and leads nowhere else there.
fn name(node: &Node) -> Result<String, String> {
    let given = text(node)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if given.is_empty()
        || given.starts_with('.')
        || given.len() > NAME_BYTES_MAX
        || !given.bytes().all(is_plain)
    {
        return Err("must be a name of letters, digits, `-`, `_` and `.`".to_owned());
    }
    Ok(given.to_owned())
}

/// A word of ASCII, as all of them are.
fn secret(section: &mut Section<'_>, key: &'static str, example: &str) -> Option<Secret> {
    let (given, origin) = reference::secret(section, key, example)?;
    if given.is_empty() || !given.bytes().all(|byte| byte.is_ascii_graphic()) {
        section.problem(&origin, key, "must be a word of ASCII");
        return None;
    }
    Some(Secret::new(given.to_string()))
}

fn encryption(section: &mut Section<'_>) -> Option<S3Encryption> {
    let is_managed = section.read("encryption", |node| one_of(node, &[("AES256", false), ("aws:kms", true)]));
    let key_id = section.read("encryption_key_id", |node| http::word(node, NAME_BYTES_MAX));
    if key_id.is_some() && is_managed == Some(false) || key_id.is_some() && !section.was_given("encryption") {
        let origin = section.origin().clone();
        section.problem(&origin, "encryption_key_id", "is for `encryption = \"aws:kms\"`");
    }
    is_managed.map(|is_managed| if is_managed { S3Encryption::Managed(key_id) } else { S3Encryption::Own })
}
