//! What the client library cannot take is made harmless before it sees it.
//!
//! Its parser descends into tables as deep as they go, until the stack is used up and the process ends; and a short string that is
//! not UTF-8 is to it a broken connection. A broker passes both on: whoever may publish could stop osel with a single
//! message, and again after each restart, since nobody acknowledges it. So the two kinds of frames that hold words of publishers are
//! looked at on their way: what lies too deep becomes an opaque value, a byte that belongs to no text a question mark. Lengths
//! stay as they are. Nothing is judged here: what does not hold together is left to the library.

use std::io;

/// The largest frame that we agree on with the broker: RabbitMQ's own default.
pub const FRAME_BYTES_MAX: u32 = 131_072;
/// How deep tables and arrays may lie in each other; more than `message` shows.
const DEPTH_MAX: usize = 16;

/// How a TLS alert begins, which is what a port that speaks TLS answers to whoever does not: no frame of AMQP has this type.
const TLS_ALERT: u8 = 21;

/// A frame's type octet, channel and length (AMQP 0-9-1, §4.2.3).
const FRAME_HEADER_BYTES: usize = 7;
const FRAME_METHOD: u8 = 1;
const FRAME_CONTENT_HEADER: u8 = 2;
/// Class and method of `basic.deliver`, the one method that tells what publishers say.
const DELIVER: [u8; 4] = [0, 60, 0, 60];

/// The other side answers with TLS.
#[derive(Debug, thiserror::Error)]
#[error("the port speaks TLS")]
pub struct SpeaksTls;

/// Follows the frames of a byte stream and passes them on when they were looked at.
#[derive(Debug, Default)]
pub struct Guard {
    held: Vec<u8>,
    /// So many of the held bytes have gone on.
    gone: usize,
    /// So many may.
    clean: usize,
    /// What is left of a frame that needs no look.
    passing: u64,
    /// Something came.
    has_begun: bool,
}

impl Guard {
    /// Takes the next bytes of the stream.
    ///
    /// # Errors
    /// When the broker sends a frame that is larger than it may be, or speaks TLS.
    pub fn feed(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !std::mem::replace(&mut self.has_begun, true) && bytes.first() == Some(&TLS_ALERT) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, SpeaksTls));
        }
        self.held.drain(..self.gone);
        self.clean -= self.gone;
        self.gone = 0;
        self.held.extend_from_slice(bytes);
        loop {
            let rest = self.held.len() - self.clean;
            if self.passing > 0 {
                let passed = usize::try_from(self.passing).unwrap_or(usize::MAX).min(rest);
                self.clean += passed;
                self.passing -= passed as u64;
                if self.passing > 0 {
                    return Ok(());
                }
            }
            let start = &self.held[self.clean..];
            let Some(&[kind, _, _, a, b, c, d]) = start.first_chunk::<FRAME_HEADER_BYTES>() else {
                return Ok(());
            };
            let length = u32::from_be_bytes([a, b, c, d]);
            let whole = FRAME_HEADER_BYTES as u64 + u64::from(length) + 1;
            if !matches!(kind, FRAME_METHOD | FRAME_CONTENT_HEADER) {
                self.passing = whole;
                continue;
            }
            if length > FRAME_BYTES_MAX {
                return Err(io::Error::from(io::ErrorKind::InvalidData));
            }
            // Fits: it is at most the constant above.
            let whole = whole as usize;
            if start.len() < whole {
                return Ok(());
            }
            let payload = &mut self.held[self.clean + FRAME_HEADER_BYTES..self.clean + whole - 1];
            let _ = if kind == FRAME_METHOD { deliver(payload) } else { content_header(payload) };
            self.clean += whole;
        }
    }

    /// Hands out what may go on, as far as there is room; how much that is.
    pub fn take(&mut self, room: &mut [u8]) -> usize {
        let count = (self.clean - self.gone).min(room.len());
        room[..count].copy_from_slice(&self.held[self.gone..self.gone + count]);
        self.gone += count;
        count
    }
}

/// What is left of a payload; none where it ends before its time.
struct Fields<'a>(&'a mut [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Option<&'a mut [u8]> {
        let (taken, rest) = std::mem::take(&mut self.0).split_at_mut_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn octet(&mut self) -> Option<&'a mut u8> {
        self.take(1)?.first_mut()
    }

    fn short_string(&mut self) -> Option<()> {
        let length = usize::from(*self.octet()?);
        make_text(self.take(length)?);
        Some(())
    }

    /// What has its length in four bytes before it.
    fn long(&mut self) -> Option<Fields<'a>> {
        let length = u32::from_be_bytes(*self.take(4)?.first_chunk()?);
        self.take(usize::try_from(length).ok()?).map(Fields)
    }

    fn table(mut self, depth: usize) -> Option<()> {
        while !self.0.is_empty() {
            self.short_string()?;
            self.value(depth)?;
        }
        Some(())
    }

    fn array(mut self, depth: usize) -> Option<()> {
        while !self.0.is_empty() {
            self.value(depth)?;
        }
        Some(())
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        let kind = self.octet()?;
        let size = match *kind {
            b'A' | b'F' if depth == 0 => {
                // Bytes with their length before them, as tables and arrays are.
                *kind = b'x';
                return self.long().map(|_| ());
            }
            b'A' => return self.long()?.array(depth - 1),
            b'F' => return self.long()?.table(depth - 1),
            b'S' | b'x' => return self.long().map(|_| ()),
            b'V' => 0,
            b't' | b'b' | b'B' => 1,
            b's' | b'u' | b'U' => 2,
            b'I' | b'i' | b'f' => 4,
            b'D' => 5,
            b'L' | b'l' | b'd' | b'T' => 8,
            _ => return None,
        };
        self.take(size).map(|_| ())
    }
}

fn deliver(payload: &mut [u8]) -> Option<()> {
    let mut fields = Fields(payload);
    if fields.take(DELIVER.len())? != DELIVER {
        return None;
    }
    fields.short_string()?; // consumer tag
    fields.take(9)?; // delivery tag, redelivered
    fields.short_string()?; // exchange
    fields.short_string() // routing key
}

fn content_header(payload: &mut [u8]) -> Option<()> {
    let mut fields = Fields(payload);
    fields.take(12)?; // class, weight, size of the body
    let flags = u16::from_be_bytes(*fields.take(2)?.first_chunk()?);
    // In the order of their flags, from the highest: type and encoding, headers, mode and priority, correlation id, where to reply,
    // expiration and message id, time, type, user, application, cluster.
    for (bit, kind) in (2..16).rev().zip(b"SSFBBSSSSTSSSS") {
        if flags & 1 << bit == 0 {
            continue;
        }
        match kind {
            b'S' => fields.short_string()?,
            b'F' => fields.long()?.table(DEPTH_MAX)?,
            b'T' => fields.take(8).map(|_| ())?,
            _ => fields.take(1).map(|_| ())?,
        }
    }
    Some(())
}

fn make_text(mut bytes: &mut [u8]) {
    while let Err(error) = str::from_utf8(bytes) {
        let (_, rest) = bytes.split_at_mut(error.valid_up_to());
        let (bad, rest) = rest.split_at_mut(error.error_len().unwrap_or(rest.len()));
        bad.fill(b'?');
        bytes = rest;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        [&[kind, 0, 1], &long(payload)[..], &[0xce]].concat()
    }

    fn long(bytes: &[u8]) -> Vec<u8> {
        [&(bytes.len() as u32).to_be_bytes(), bytes].concat()
    }

    /// A content header with these headers and a message id.
    fn header(table: &[u8], id: &[u8]) -> Vec<u8> {
        let fixed = [&[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0x20, 0x80], &long(table)[..]].concat();
        frame(FRAME_CONTENT_HEADER, &[&fixed[..], &[id.len() as u8], id].concat())
    }

    fn delivery(routing_key: &[u8]) -> Vec<u8> {
        let fixed = b"\x00\x3c\x00\x3c\x04osel\0\0\0\0\0\0\0\x07\0\x04nova";
        frame(FRAME_METHOD, &[fixed, &[routing_key.len() as u8][..], routing_key].concat())
    }

    /// Feeds in steps and gives all that comes out.
    fn passed(stream: &[u8], step: usize) -> Vec<u8> {
        let (mut guard, mut out, mut room) = (Guard::default(), Vec::new(), [0; 5]);
        for bytes in stream.chunks(step) {
            guard.feed(bytes).expect("frames of a size that they may have");
            loop {
                let count = guard.take(&mut room);
                if count == 0 {
                    break;
                }
                out.extend_from_slice(&room[..count]);
            }
        }
        out
    }

    /// A table in a table, so many times.
    fn nested(depth: usize) -> Vec<u8> {
        (0..depth).fold(b"\x01kt\x01".to_vec(), |inner, _| [b"\x01hF", &long(&inner)[..]].concat())
    }

    #[test]
    fn words_that_are_no_text_and_tables_too_deep_are_made_harmless() {
        let body = frame(3, b"\xff\xfebody");
        let check = |found: Vec<u8>, wanted: Vec<u8>| {
            let stream = [&body[..], &found, &body, &frame(8, b"")].concat();
            let wanted = [&body[..], &wanted, &body, &frame(8, b"")].concat();
            for step in [1, 2, 7, 100, stream.len()] {
                assert_eq!(passed(&stream, step), wanted, "in steps of {step}");
            }
        };
        check(delivery("notifications.ü".as_bytes()), delivery("notifications.ü".as_bytes()));
        check(delivery(b"notifications.\xff\xc3"), delivery(b"notifications.??"));
        check(header(b"\x02\xc3\x28t\x01", b"\xc3\xbc\xfe."), header(b"\x02?(t\x01", b"\xc3\xbc?."));
        check(header(&nested(DEPTH_MAX), b""), header(&nested(DEPTH_MAX), b""));
        let deep = nested(DEPTH_MAX + 1);
        let mut cut = deep.clone();
        let at = cut.iter().rposition(|byte| *byte == b'F').expect("it is a table");
        cut[at] = b'x';
        check(header(&deep, b"\xff"), header(&cut, b"?"));
        let values =
            b"\x01aA\0\0\0\x03t\x01V\x01bD\0\0\0\0\x01\x01cS\0\0\0\x01\xff\x01dl\0\0\0\0\0\0\0\0\x01\xfeV";
        let mended = [&values[..values.len() - 2], b"?V"].concat();
        check(header(values, b""), header(&mended, b""));
    }

    #[test]
    fn a_frame_larger_than_agreed_on_is_refused() {
        let mut guard = Guard::default();
        let start = [&[FRAME_CONTENT_HEADER, 0, 1], &(FRAME_BYTES_MAX + 1).to_be_bytes()[..]].concat();
        assert!(guard.feed(&start).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_change_a_length(
            payload in proptest::collection::vec(any::<u8>(), 0..200),
            kind in 1_u8..4,
        ) {
            let stream = frame(kind, &payload);
            let out = passed(&stream, 11);
            prop_assert_eq!(out.len(), stream.len());
            prop_assert_eq!(&out[..FRAME_HEADER_BYTES], &stream[..FRAME_HEADER_BYTES]);
        }
    }
}
