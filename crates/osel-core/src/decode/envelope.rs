//! From the bytes of a body to the text of a notification: unpacking, UTF-8, and the envelope of the second
//! format.
//!
//! What comes out is text that may be JSON. Whether it is, and what it says, is for the scanner and the
//! readers.

use std::borrow::Cow;
use std::io::Read;

use bzip2::read::BzDecoder;
use flate2::read::{MultiGzDecoder, ZlibDecoder};

use super::defect::{Defect, DefectKind, Fault};
use super::tape::{Token, Value};
use crate::event::{Compression, RawMessage};

/// The largest body, as received and after unpacking. Neutron's largest bulk answers are a few MiB;
/// RabbitMQ's own limit is 16 MiB by default since 4.0.
pub const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The only version of the envelope there has ever been.
const VERSION: &str = "2.0";

/// How an envelope begins as Python writes it.
const START: &[u8] = br#"{"oslo.version": "2.0", "oslo.message": ""#;

/// How gzip begins; kombu's `application/x-gzip` is a zlib stream without it.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A body that is no text, and what of it may be kept.
#[derive(Debug)]
pub(super) struct Unopened<'a> {
    pub(super) defect: Defect,
    /// The body, or as much of it as could be unpacked.
    pub(super) bytes: Cow<'a, [u8]>,
}

/// The body as text, unpacked where it is compressed.
pub(super) fn text(raw: &RawMessage) -> Result<Cow<'_, str>, Unopened<'_>> {
    let body = raw.body.as_slice();
    let whole = |kind| Unopened { defect: Defect::new(kind, "the body"), bytes: Cow::Borrowed(body) };
    let unknown = |name| Unopened {
        defect: Defect::new(DefectKind::UnknownCompression, format!("the body, packed by {name}")),
        bytes: Cow::Borrowed(body),
    };
    if body.len() > BODY_BYTES_MAX {
        return Err(whole(DefectKind::TooLarge));
    }
    match raw.properties.compression {
        None => match std::str::from_utf8(body) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(error) => Err(Unopened {
                defect: Fault::byte(DefectKind::NotUtf8, error.valid_up_to()).in_bytes(""),
                bytes: Cow::Borrowed(body),
            }),
        },
        Some(Compression::Gzip) if body.starts_with(&GZIP) => {
            unpacked_text(unpack(MultiGzDecoder::new(body), |_| true)?)
        }
        Some(Compression::Gzip) => {
            unpacked_text(unpack(ZlibDecoder::new(body), |decoder| decoder.total_in() == body.len() as u64)?)
        }
        // One stream, as Python writes it: each costs a table of megabytes, and a body could hold a million empty ones.
        Some(Compression::Bzip2) => {
            unpacked_text(unpack(BzDecoder::new(body), |decoder| decoder.total_in() == body.len() as u64)?)
        }
        Some(Compression::Lzma) => Err(unknown("lzma")),
        Some(Compression::Zstd) => Err(unknown("zstd")),
        Some(Compression::Brotli) => Err(unknown("brotli")),
        Some(Compression::Unknown) => Err(whole(DefectKind::UnknownCompression)),
    }
}

fn unpacked_text<'a>(unpacked: Vec<u8>) -> Result<Cow<'a, str>, Unopened<'a>> {
    String::from_utf8(unpacked).map(Cow::Owned).map_err(|error| Unopened {
        defect: Fault::byte(DefectKind::NotUtf8, error.utf8_error().valid_up_to())
            .in_bytes("the unpacked body"),
        bytes: Cow::Owned(error.into_bytes()),
    })
}

/// Unpacks a stream, as far as the limit; `is_whole` says whether nothing was left of it.
fn unpack<R: Read>(mut decoder: R, is_whole: impl FnOnce(&R) -> bool) -> Result<Vec<u8>, Unopened<'static>> {
    let mut unpacked = Vec::new();
    let read = decoder.by_ref().take(BODY_BYTES_MAX as u64 + 1).read_to_end(&mut unpacked);
    let kind = match read {
        _ if unpacked.len() > BODY_BYTES_MAX => DefectKind::TooLarge,
        Ok(_) if is_whole(&decoder) => return Ok(unpacked),
        _ => DefectKind::BrokenCompression,
    };
    // What was unpacked is kept in the place of the packed bytes: in those, nobody could find a secret to
    // mask it.
    unpacked.truncate(BODY_BYTES_MAX);
    let at = format!("byte {} of the unpacked body", unpacked.len());
    Err(Unopened { defect: Defect::new(kind, at), bytes: Cow::Owned(unpacked) })
}

/// Where the message starts in an envelope as every known release writes it: the version, then the message,
/// and nothing else.
///
/// Nothing means that the body does not begin like one: it may be a notification of the first format, or an
/// envelope in an unusual order, which [`open_scanned`] opens.
pub(super) fn message_start(body: &[u8]) -> Option<usize> {
    if body.starts_with(START) {
        return Some(START.len());
    }
    let parts: [&[u8]; 8] =
        [b"{", b"\"oslo.version\"", b":", b"\"2.0\"", b",", b"\"oslo.message\"", b":", b"\""];
    parts.iter().try_fold(0, |at, part| token(body, at, part))
}

/// Whether nothing but the envelope's closing brace follows its message.
pub(super) fn ends_after(body: &[u8], at: usize) -> bool {
    token(body, at, b"}").is_some_and(|at| skip(body, at) == body.len())
}

fn skip(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..].iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).count()
}

fn token(bytes: &[u8], at: usize, token: &[u8]) -> Option<usize> {
    let at = skip(bytes, at);
    bytes[at..].starts_with(token).then_some(at + token.len())
}

/// What an object that has been scanned is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Envelope {
    /// No envelope: a notification of the first format, perhaps.
    None,
    /// The message in an envelope.
    Message(String),
    /// The message in an envelope of another version.
    OtherVersion(String),
}

/// Opens an envelope that was scanned as a whole: known by having both keys.
pub(super) fn open_scanned(root: Value<'_>) -> Result<Envelope, Fault> {
    let (mut version, mut message) = (None, None);
    for (key, value) in root.members() {
        match key {
            b"oslo.version" => version = Some(value),
            b"oslo.message" => message = Some(value),
            _ => {}
        }
    }
    let (Some(version), Some(message)) = (version, message) else { return Ok(Envelope::None) };
    let text = match message.token() {
        Token::Text | Token::EscapedText => message.text().unwrap_or_default().into_owned(),
        _ => return Err(message.fault(DefectKind::WrongType)),
    };
    match version.text() {
        Some(version) if version == VERSION => Ok(Envelope::Message(text)),
        Some(_) => Ok(Envelope::OtherVersion(text)),
        None => Err(version.fault(DefectKind::WrongType)),
    }
}
