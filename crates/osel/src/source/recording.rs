//! Captured messages: `.jsonl` or `.jsonl.gz`, one message a line, in the order received.
//!
//! Each line is `{"received_at","exchange","routing_key","redelivered","properties","body"}`; a body that was not UTF-8 stands in `body_b64`
//! instead. Everything but the body may be missing. A line that is no such object ends the reading with the file and the line;
//! what came before it was handed over.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, PAD};
use flate2::bufread::MultiGzDecoder;
use osel_core::event::{Compression, Properties, RawMessage};
use osel_core::time::Timestamp;
use serde::Deserialize;

use super::line::{Body, Line, Lines};

/// The longest line that is read: a body at its own limit, with every byte escaped, and its properties.
pub const LINE_BYTES_MAX: usize = 128 << 20;

/// RFC 4648 §4; captures are written by many tools, and some leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}, at column {column}")]
pub struct LineFault {
    what: String,
    column: usize,
}

impl From<serde_json::Error> for LineFault {
    fn from(error: serde_json::Error) -> Self {
        // The reader counts the lines of the one it was given: the line of the file is said elsewhere.
        let (text, column) = (error.to_string(), error.column());
        let place = format!(" at line {} column {column}", error.line());
        Self { what: text.strip_suffix(&place).unwrap_or(&text).to_owned(), column }
    }
}

/// Why a recording cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be opened.
    #[error("cannot open `{path}`")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not a file.
    #[error("`{path}` is a directory, not a recording")]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// The file ends early or cannot be unpacked or read.
    #[error("cannot read `{path}` after line {line}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The last good line.
        line: u64,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line is not a message.
    #[error("`{path}` line {line} is not a recorded message")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// What is wrong with it.
        source: LineFault,
    },
    /// A line is longer than is accepted.
    #[error("`{path}` line {line} is longer than {LINE_BYTES_MAX} bytes")]
    LongLine {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
    },
    /// A line's time of reception is none.
    #[error("`{path}` line {line}: `received_at` is not a time such as 2026-11-21T00:40:34.668542Z")]
    Time {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
    },
    /// A line's body in base 64 is none.
    #[error("`{path}` line {line}: `body_b64` is not base 64")]
    Base64 {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
    },
}

#[derive(Default, Deserialize)]
struct KnownProperties<'a> {
    #[serde(borrow, default)]
    headers: Option<Headers<'a>>,
}

#[derive(Default, Deserialize)]
struct Headers<'a> {
    #[serde(borrow, default)]
    compression: Option<Cow<'a, str>>,
}

/// One recorded message; the time of reception is missing in recordings that did not note it.
#[derive(Debug)]
pub struct Recorded {
    /// The message; without a time of reception its `received_at` is [`Timestamp::EPOCH`].
    pub message: RawMessage,
    /// Whether the recording has its time of reception.
    pub timed: bool,
}

/// A recording, read line by line.
pub struct Recording {
    path: PathBuf,
    reader: Box<dyn BufRead + Send>,
    line: u64,
    buffer: Vec<u8>,
    messages: Messages,
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording")
            .field("path", &self.path)
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

impl Recording {
    /// Opens a recording. Its source is named after the file, without its endings.
    ///
    /// # Errors
    /// When the file cannot be opened or is a directory.
    pub fn open(path: &Path, region: Option<Arc<str>>) -> Result<Self, RecordingError> {
        let file = File::open(path).map_err(|source| RecordingError::Open { path: path.into(), source })?;
        if file.metadata().is_ok_and(|meta| meta.is_dir()) {
            return Err(RecordingError::Directory { path: path.into() });
        }
        let source = Arc::from(source_name(path));
        Ok(Self::new(path.into(), source, region, unpacked(path, file)))
    }

    /// A recording from any reader; `path` is what errors call it.
    pub fn new(
        path: PathBuf,
        source: Arc<str>,
        region: Option<Arc<str>>,
        reader: Box<dyn BufRead + Send>,
    ) -> Self {
        Self { path, reader, line: 0, buffer: Vec::new(), messages: Messages::new(source, region) }
    }

    /// The next message; none at the end.
    ///
    /// # Errors
    /// When the file cannot be read on, with the file and the line.
    pub fn next_message(&mut self) -> Result<Option<Recorded>, RecordingError> {
        loop {
            self.buffer.clear();
            let limit = LINE_BYTES_MAX as u64 + 1;
            let read =
                self.reader.by_ref().take(limit).read_until(b'\n', &mut self.buffer).map_err(|source| {
                    RecordingError::Read { path: self.path.clone(), line: self.line, source }
                })?;
            if read == 0 {
                return Ok(None);
            }
            self.line += 1;
            if self.buffer.len() > LINE_BYTES_MAX {
                return Err(RecordingError::LongLine { path: self.path.clone(), line: self.line });
            }
            if !self.buffer.trim_ascii().is_empty() {
                return self.message().map(Some);
            }
        }
    }

    fn message(&mut self) -> Result<Recorded, RecordingError> {
        let (path, line) = (&self.path, self.line);
        self.messages.read(&self.buffer).map_err(|fault| match fault {
            Fault::Line(source) => RecordingError::Line { path: path.clone(), line, source },
            Fault::Time => RecordingError::Time { path: path.clone(), line },
            Fault::Base64 => RecordingError::Base64 { path: path.clone(), line },
        })
    }
}

/// Why a line is no message.
#[derive(Debug)]
pub(super) enum Fault {
    /// It is no object with these members.
    Line(LineFault),
    /// Its time of reception is none.
    Time,
    /// Its body in base 64 is none.
    Base64,
}

/// Makes messages of the lines of one source.
#[derive(Debug)]
pub(super) struct Messages {
    source: Arc<str>,
    region: Option<Arc<str>>,
    lines: Lines,
    known: Known,
}

impl Messages {
    pub(super) fn new(source: Arc<str>, region: Option<Arc<str>>) -> Self {
        Self { source, region, lines: Lines::default(), known: Known::default() }
    }

    /// The message of a line.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn read(&mut self, line: &[u8]) -> Result<Recorded, Fault> {
        let text = line.trim_ascii();
        if text.first().is_some_and(|&first| first != b'{') {
            return Err(Fault::Line(LineFault { what: "it is not a JSON object".to_owned(), column: 1 }));
        }
        let line: Line<'_> = self.lines.read(text).map_err(|error| Fault::Line(error.into()))?;
        let received_at = match line.received_at.as_deref() {
            None => None,
            Some(text) => Some(Timestamp::parse(text).ok_or(Fault::Time)?),
        };
        let body = match (line.body, line.body_b64) {
            (Some(Body(body)), _) => body,
            (None, Some(text)) => BASE64.decode(&*text).map_err(|_| Fault::Base64)?,
            (None, None) => {
                let what = "there is neither `body` nor `body_b64`".to_owned();
                return Err(Fault::Line(LineFault { what, column: text.len() }));
            }
        };
        let message = self.message(
            &line.exchange.unwrap_or_default(),
            &line.routing_key.unwrap_or_default(),
            line.properties.unwrap_or_default(),
            body,
        );
        let received = received_at.unwrap_or(Timestamp::EPOCH);
        let message = RawMessage { redelivered: line.redelivered, received_at: received, ..message };
        Ok(Recorded { message, timed: received_at.is_some() })
    }

    /// A message of this source that consists of a body alone.
    pub(super) fn bare(&mut self, body: Vec<u8>) -> RawMessage {
        self.message("", "", "", body)
    }

    fn message(&mut self, exchange: &str, routing_key: &str, properties: &str, body: Vec<u8>) -> RawMessage {
        RawMessage {
            source: Arc::clone(&self.source),
            region: self.region.clone(),
            exchange: self.known.text(exchange),
            routing_key: self.known.text(routing_key),
            redelivered: false,
            received_at: Timestamp::EPOCH,
            properties: self.known.properties(properties),
            body,
        }
    }
}

/// What stands in one line after the other: kept once, and read once.
#[derive(Debug, Default)]
struct Known {
    texts: Vec<Arc<str>>,
    properties: Vec<Properties>,
}

impl Known {
    /// The most that are kept of each; a cloud has a dozen exchanges. Whoever has more of them loses the gain, and nothing else.
    const KEPT_MAX: usize = 16;
    /// The longest text that is kept.
    const KEPT_BYTES_MAX: usize = 1024;

    fn text(&mut self, text: &str) -> Arc<str> {
        let known = self.texts.iter().find(|known| ***known == *text);
        known.cloned().unwrap_or_else(|| keep(&mut self.texts, Arc::from(text), text.len()))
    }

    fn properties(&mut self, json: &str) -> Properties {
        let known = self.properties.iter().find(|known| *known.json == *json);
        known.cloned().unwrap_or_else(|| {
            let properties = Properties { compression: compression(json), json: json.into() };
            keep(&mut self.properties, properties, json.len())
        })
    }
}

fn keep<T: Clone>(kept: &mut Vec<T>, value: T, bytes: usize) -> T {
    if bytes <= Known::KEPT_BYTES_MAX {
        if kept.len() == Known::KEPT_MAX {
            kept.clear();
        }
        kept.push(value.clone());
    }
    value
}

/// How a body is compressed, by the AMQP properties that came with it, as JSON.
pub fn compression(properties: &str) -> Option<Compression> {
    let known: KnownProperties<'_> = serde_json::from_str(properties).unwrap_or_default();
    known.headers.and_then(|headers| headers.compression).as_deref().map(compression_of)
}

fn compression_of(name: &str) -> Compression {
    match name {
        "application/x-gzip" | "application/gzip" => Compression::Gzip,
        "application/x-bz2" | "application/x-bzip2" => Compression::Bzip2,
        "application/x-lzma" => Compression::Lzma,
        "application/zstd" => Compression::Zstd,
        "application/x-brotli" => Compression::Brotli,
        _ => Compression::Unknown,
    }
}

/// What some editors and shells put before UTF-8. It means nothing there.
pub const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Reads gzip by its first bytes, not by its name, and anything else as it is behind its mark.
pub(super) fn unpacked(path: &Path, file: File) -> Box<dyn BufRead + Send> {
    const GZIP: [u8; 2] = [0x1f, 0x8b];
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let packed = reader.fill_buf().is_ok_and(|start| start.starts_with(&GZIP));
    if packed || path.extension().is_some_and(|ending| ending == "gz") {
        // Looking into it would use up the error of one that is cut short.
        return Box::new(BufReader::with_capacity(1 << 18, MultiGzDecoder::new(reader)));
    }
    if reader.fill_buf().is_ok_and(|start| start.starts_with(BYTE_ORDER_MARK)) {
        reader.consume(BYTE_ORDER_MARK.len());
    }
    Box::new(reader)
}

/// A file's name without its endings.
pub fn source_name(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let name = name.strip_suffix(".jsonl").or_else(|| name.strip_suffix(".json")).unwrap_or(name);
    if name.is_empty() { "recording".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(text: &'static str) -> Recording {
        Recording::new("test.jsonl".into(), "test".into(), None, Box::new(text.as_bytes()))
    }

    #[test]
    fn reads_what_captures_have() {
        let mut recording = recording(concat!(
            r#"{"received_at":"2026-11-21T00:40:34.668542+00:00","exchange":"keystone","routing_key":"notifications.info","#,
            r#""redelivered":true,"properties":{"headers":{"compression":"application/x-gzip"}},"body":"a\"b"}"#,
            "\n\n{\"body_b64\":\"//79\"}\n"
        ));
        let first = recording.next_message().expect("reads").expect("a message");
        assert!(first.timed && first.message.redelivered);
        assert_eq!(first.message.body, b"a\"b");
        assert_eq!(first.message.properties.compression, Some(Compression::Gzip));
        let second = recording.next_message().expect("reads").expect("a message");
        assert_eq!((second.timed, second.message.body), (false, vec![0xff, 0xfe, 0xfd]));
        assert!(recording.next_message().expect("reads").is_none());
    }

    #[test]
    fn a_body_that_is_no_text_is_handed_over() {
        let mut recording = recording("{\"body\":\"a\\udcff\"}\n{\"body\":\"b\"}\n");
        let first = recording.next_message().expect("reads").expect("a message");
        assert!(std::str::from_utf8(&first.message.body).is_err());
        assert_eq!(recording.next_message().expect("reads").expect("a message").message.body, b"b");
    }

    #[test]
    fn a_bad_line_is_named() {
        let mut recording = recording("{\"body\":\"a\"}\nnonsense\n");
        assert!(recording.next_message().is_ok());
        let error = recording.next_message().expect_err("not JSON");
        assert_eq!(error.to_string(), "`test.jsonl` line 2 is not a recorded message");
    }

    #[test]
    fn sources_are_named_after_files() {
        for (path, name) in [("/a/dev-2026.jsonl.gz", "dev-2026"), ("x.jsonl", "x"), ("plain", "plain")] {
            assert_eq!(source_name(Path::new(path)), name);
        }
    }
}
