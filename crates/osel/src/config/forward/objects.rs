//! What stores of objects have in common: what objects are called, how large and how old they may be, and how they are packed.

use std::time::Duration;

use super::super::section::{Section, one_of, text};
use super::super::tree::Node;

/// The longest prefix: what is behind it needs some 150 of the 1024 bytes that a name may have.
const PREFIX_BYTES_MAX: usize = 512;
/// The least for an object: some records.
const OBJECT_KILOBYTES_MIN: i64 = 16;
/// The most for an object: it is held in memory as lines and packed, and so is the next one.
const OBJECT_KILOBYTES_MAX: i64 = 24_000;
/// What is read fast, and is a few objects a day of a large cloud.
const OBJECT_KILOBYTES: i64 = 8000;
/// The longest that records wait for others of their object: a day.
const OBJECT_SECONDS_MAX: i64 = 86_400;
/// A cloud in which little happens makes a dozen objects an hour, and nobody waits long.
const OBJECT_SECONDS: i64 = 300;

/// How records become objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectsConfig {
    /// What names of objects begin with: nothing, or with a `/` at its end.
    pub prefix: String,
    /// What is in an object.
    pub content: ObjectContent,
    /// How it is packed.
    pub compression: ObjectCompression,
    /// The most bytes of lines of one object.
    pub object_bytes: usize,
    /// How long the first record of an object waits for others.
    pub object_age: Duration,
}

/// What is in an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectContent {
    /// Lines, each with an end.
    Lines,
    /// A table of Parquet.
    Parquet,
}

/// How an object is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectCompression {
    /// As gzip.
    Gzip,
    /// By Zstandard.
    Zstd,
    /// Not at all.
    None,
}

/// The keys of a type of receiver that stores objects, in the way of `http_keys`: its own, and those here.
macro_rules! object_keys {
    ($keys:ident, $kind:literal, [$(($name:literal, $otherwise:expr, $what:expr)),* $(,)?]) => {
        $keys!(
            $kind,
            [
                $(($name, $otherwise, $what),)*
                (
                    "prefix",
                    $crate::config::keys::Otherwise::Words("none", "\"osel\""),
                    "What names of objects begin with. Behind it come the store, the day and the records: \
                     `STORE/2026/11/26/FIRST-LAST-DIGEST.jsonl.gz`."
                ),
                (
                    "content",
                    $crate::config::keys::Otherwise::Default("\"lines\""),
                    "What is in an object: `lines`, which are JSON Lines where the format is JSON, or `parquet`, a table with the record in one column \
                     and what all records have in others."
                ),
                (
                    "compression",
                    $crate::config::keys::Otherwise::Default("\"gzip\""),
                    "How objects are packed: `gzip`, `zstd` or `none`. The columns of `parquet` are packed by `gzip` or not at all."
                ),
                (
                    "object_kilobytes",
                    $crate::config::keys::Otherwise::Default("8000"),
                    "The most of the lines of one object together before it is packed, in 1,000 bytes; a single longer one is written all the same."
                ),
                (
                    "object_seconds",
                    $crate::config::keys::Otherwise::Default("300"),
                    "How long the first record of an object waits for others: an object is written when it is full or so old."
                ),
            ]
        )
    };
}
pub(super) use object_keys;

/// Reads those keys.
pub(super) fn read(section: &mut Section<'_>) -> ObjectsConfig {
    let prefix = section.read("prefix", prefix).unwrap_or_default();
    let compressions = [
        ("gzip", ObjectCompression::Gzip),
        ("zstd", ObjectCompression::Zstd),
        ("none", ObjectCompression::None),
    ];
    let compression =
        section.read("compression", |node| one_of(node, &compressions)).unwrap_or(ObjectCompression::Gzip);
    let contents = [("lines", ObjectContent::Lines), ("parquet", ObjectContent::Parquet)];
    let content = section.read("content", |node| one_of(node, &contents)).unwrap_or(ObjectContent::Lines);
    if (content, compression) == (ObjectContent::Parquet, ObjectCompression::Zstd) {
        let origin = section.origin().clone();
        section.problem(
            &origin,
            "compression",
            "is not for `content = \"parquet\"`: leave it out, or write \"none\"",
        );
    }
    let kilobytes =
        section.count("object_kilobytes", OBJECT_KILOBYTES_MIN..=OBJECT_KILOBYTES_MAX, OBJECT_KILOBYTES);
    let seconds = section.count("object_seconds", 0..=OBJECT_SECONDS_MAX, OBJECT_SECONDS);
    ObjectsConfig {
        prefix,
        content,
        compression,
        object_bytes: kilobytes.saturating_mul(1000),
        object_age: Duration::from_secs(seconds as u64),
    }
}

/// A prefix that needs no quoting anywhere, and leads nowhere else: a `..` in the path of a URL would.
fn prefix(node: &Node) -> Result<String, String> {
    let given = text(node)?.trim_end_matches('/');
    let is_good = |part: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.=".contains(&byte);
        !part.is_empty() && !part.starts_with('.') && part.bytes().all(is_plain)
    };
    if given.is_empty() {
        return Ok(String::new());
    }
    if given.len() > PREFIX_BYTES_MAX || !given.split('/').all(is_good) {
        return Err(format!(
            "must be names of letters, digits, `-`, `_`, `.` and `=` with `/` between them, of at most {PREFIX_BYTES_MAX} bytes"
        ));
    }
    Ok(format!("{given}/"))
}
