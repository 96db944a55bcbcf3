//! Reading and decoding ahead, on a thread of its own: what comes out is ready for the engine, in the order of the files.

use std::borrow::Cow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use osel_core::decode::{Decoded, Decoder, Defect};
use osel_core::event::{Digest, Event, RawMessage};
use osel_core::time::Timestamp;
use osel_core::trail::Committed;

use super::recording::{Recorded, Recording, RecordingError};
use super::salts::Salts;

/// How many messages go over at once.
const CHUNK_MESSAGES: usize = 256;
/// How many such chunks may wait: some megabytes.
const CHUNKS_AHEAD: usize = 8;

/// A message with what decoding made of it.
#[derive(Debug)]
pub struct Prepared {
    /// The message, received at `now`.
    pub message: RawMessage,
    body: Option<Vec<u8>>,
    digest: Digest,
    /// To the body; what a person's order takes out of quarantine is committed to then.
    committed: Option<Committed>,
    message_id: Option<Box<str>>,
    event_type: Option<Box<str>>,
    result: Result<Event, Defect>,
}

impl Prepared {
    /// Decodes a message, and commits to its body, so that whoever seals its record does not have to.
    pub fn new(mut message: RawMessage, decoder: &mut Decoder, salts: &mut Salts) -> Self {
        let Decoded { body, digest, message_id, event_type, result } = decoder.decode(&message);
        // Where the system gives no random numbers, the recorder is told so when it asks.
        let salt = result.is_ok().then(|| salts.draw().ok()).flatten();
        let committed = salt.map(|salt| Committed::to(&body, salt));
        let body = match body {
            Cow::Borrowed(_) => None,
            Cow::Owned(body) => Some(body),
        };
        if body.is_some() {
            // What was received is not needed any more, and may hold what was removed from it.
            message.body = Vec::new();
        }
        Self { message, body, digest, committed, message_id, event_type, result }
    }

    /// What it is quarantined for stands there, if it is.
    pub fn defect_at(mut self, place: impl FnOnce() -> String) -> Self {
        if let Err(defect) = &mut self.result {
            defect.at = place().into();
        }
        self
    }

    /// The message, its decoding and what was committed to the body, as the recorder takes them.
    pub fn split(mut self) -> (RawMessage, Decoded<'static>, Option<Committed>) {
        let body = self.body.unwrap_or_else(|| std::mem::take(&mut self.message.body));
        let decoded = Decoded {
            body: Cow::Owned(body),
            digest: self.digest,
            message_id: self.message_id,
            event_type: self.event_type,
            result: self.result,
        };
        (self.message, decoded, self.committed)
    }
}

/// Messages of several recordings, decoded ahead.
#[derive(Debug)]
pub struct DecodedAhead {
    chunks: Receiver<Chunk>,
    chunk: std::vec::IntoIter<Prepared>,
    failed: Option<RecordingError>,
}

struct Chunk {
    messages: Vec<Prepared>,
    failed: Option<RecordingError>,
}

impl DecodedAhead {
    /// Starts to read at most `limit` messages.
    ///
    /// # Errors
    /// When the system has no thread for it.
    pub fn start(recordings: Vec<Recording>, limit: u64) -> std::io::Result<Self> {
        let (sender, chunks) = sync_channel(CHUNKS_AHEAD);
        let thread = std::thread::Builder::new().name("osel-decode".into());
        thread.spawn(move || read(recordings, limit, &sender))?;
        Ok(Self { chunks, chunk: Vec::new().into_iter(), failed: None })
    }

    /// The next message; none at the end.
    ///
    /// # Errors
    /// When a file cannot be read on; the messages before that came first.
    pub fn next_message(&mut self) -> Result<Option<Prepared>, RecordingError> {
        loop {
            if let Some(prepared) = self.chunk.next() {
                return Ok(Some(prepared));
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            let Ok(chunk) = self.chunks.recv() else { return Ok(None) };
            self.chunk = chunk.messages.into_iter();
            self.failed = chunk.failed;
        }
    }
}

fn read(recordings: Vec<Recording>, limit: u64, sender: &SyncSender<Chunk>) {
    let mut chunk = Chunk { messages: Vec::with_capacity(CHUNK_MESSAGES), failed: None };
    let (mut decoder, mut salts) = (Decoder::default(), Salts::default());
    let mut left = limit;
    let mut last = Timestamp::EPOCH;
    'all: for mut recording in recordings {
        while left > 0 {
            match recording.next_message() {
                Ok(None) => break,
                Ok(Some(recorded)) => {
                    let prepared = prepare(recorded, &mut last, &mut decoder, &mut salts);
                    chunk.messages.push(prepared);
                    left -= 1;
                }
                Err(error) => {
                    chunk.failed = Some(error);
                    break 'all;
                }
            }
            if chunk.messages.len() == CHUNK_MESSAGES {
                let full = std::mem::replace(
                    &mut chunk,
                    Chunk { messages: Vec::with_capacity(CHUNK_MESSAGES), failed: None },
                );
                if sender.send(full).is_err() {
                    return;
                }
            }
        }
    }
    // Whoever listens may have given up.
    let _ = sender.send(chunk);
}

/// "Now" is the line's time of reception; without one, the notification's own time, else that of the line before.
fn prepare(recorded: Recorded, last: &mut Timestamp, decoder: &mut Decoder, salts: &mut Salts) -> Prepared {
    let timed = recorded.timed;
    let mut prepared = Prepared::new(recorded.message, decoder, salts);
    if !timed {
        let own = prepared.result.as_ref().ok().map(|event| event.timestamp);
        prepared.message.received_at = own.filter(|time| *time != Timestamp::EPOCH).unwrap_or(*last);
    }
    *last = prepared.message.received_at;
    prepared
}
