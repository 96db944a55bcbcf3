//! Lines in the form of an object.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::name::LinesDigest;
use super::parquet::table;
use crate::config::{ObjectCompression, ObjectContent, ObjectsConfig};
use crate::forward::receiver::Item;

/// How hard Zstandard tries: its own default, fast enough for whatever a bus brings.
const ZSTD_LEVEL: i32 = 3;

/// Lines, packed.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) body: Vec<u8>,
    pub(super) digest: LinesDigest,
}

/// Packs lines, each with an end. It takes a while.
///
/// # Errors
/// When the packer refuses, which memory does not give it a reason for.
pub(super) fn packed(
    lines: &[Item],
    content: ObjectContent,
    compression: ObjectCompression,
) -> io::Result<Packed> {
    let mut digest = LinesDigest::default();
    if content == ObjectContent::Parquet {
        lines.iter().for_each(|item| digest.add(&item.line));
        return Ok(Packed { body: table(lines, compression)?, digest });
    }
    let mut written = |into: &mut dyn Write| {
        lines.iter().try_for_each(|item| {
            digest.add(&item.line);
            into.write_all(&item.line)?;
            into.write_all(b"\n")
        })
    };
    let body = match compression {
        ObjectCompression::None => {
            let mut body = Vec::new();
            written(&mut body)?;
            body
        }
        ObjectCompression::Gzip => {
            let mut packer = GzEncoder::new(Vec::new(), Compression::default());
            written(&mut packer)?;
            packer.finish()?
        }
        ObjectCompression::Zstd => {
            let mut packer = zstd::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
            written(&mut packer)?;
            packer.finish()?
        }
    };
    Ok(Packed { body, digest })
}

/// What the name of an object ends with.
pub(super) fn extension(config: &ObjectsConfig, is_json: bool) -> &'static str {
    match (config.content, is_json, config.compression) {
        // It packs its own columns.
        (ObjectContent::Parquet, ..) => ".parquet",
        (ObjectContent::Lines, true, ObjectCompression::Gzip) => ".jsonl.gz",
        (ObjectContent::Lines, true, ObjectCompression::Zstd) => ".jsonl.zst",
        (ObjectContent::Lines, true, ObjectCompression::None) => ".jsonl",
        (ObjectContent::Lines, false, ObjectCompression::Gzip) => ".txt.gz",
        (ObjectContent::Lines, false, ObjectCompression::Zstd) => ".txt.zst",
        (ObjectContent::Lines, false, ObjectCompression::None) => ".txt",
    }
}

/// What its content is said to be: as it lies there, since what is said to be packed on the way only would be unpacked by who reads it.
pub(super) fn content_type(config: &ObjectsConfig, is_json: bool) -> &'static str {
    match (config.content, config.compression) {
        (ObjectContent::Parquet, _) => "application/vnd.apache.parquet",
        (ObjectContent::Lines, ObjectCompression::Gzip) => "application/gzip",
        (ObjectContent::Lines, ObjectCompression::Zstd) => "application/zstd",
        (ObjectContent::Lines, ObjectCompression::None) if is_json => "application/x-ndjson",
        (ObjectContent::Lines, ObjectCompression::None) => "text/plain; charset=utf-8",
    }
}
