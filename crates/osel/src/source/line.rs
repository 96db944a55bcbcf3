//! One line of a recording as its members.
//!
//! Captures have one shape, and a replay reads millions of lines of it: [`Lines::read`] takes that shape apart itself, a word at a time,
//! and hands everything that is the least bit unusual to `serde_json`, which alone decides what is a fault. Both give the same members
//! of the same line.

use std::borrow::Cow;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The members of a line; all may be missing.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Line<'a> {
    #[serde(borrow, default)]
    pub(super) received_at: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) exchange: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) routing_key: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) redelivered: bool,
    /// As JSON.
    #[serde(borrow, default, deserialize_with = "raw")]
    pub(super) properties: Option<&'a str>,
    #[serde(default)]
    pub(super) body: Option<Body>,
    #[serde(borrow, default)]
    pub(super) body_b64: Option<Cow<'a, str>>,
}

/// A body as a JSON text, which may hold what no text may: half a surrogate pair, or bytes that are not UTF-8. It is handed over as it
/// is, so that the decoder can say what is wrong with it and the lines after it are not lost.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Body(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Body;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Body, E> {
                Ok(Body(bytes.to_vec()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Body, E> {
                Ok(Body(text.as_bytes().to_vec()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

fn raw<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de str>, D::Error> {
    Option::<&RawValue>::deserialize(deserializer).map(|raw| raw.map(RawValue::get))
}

/// Reads lines, one after the other.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Where bodies are unescaped: at most as long as the longest line.
    unescaped: Vec<u8>,
}

/// The memory that is kept for unescaping: enough for lines as they are. One long line must not hold more for ever.
const UNESCAPED_BYTES_KEPT: usize = 1 << 20;

impl Lines {
    /// Reads a line.
    ///
    /// # Errors
    /// When it is no object with these members.
    pub(super) fn read<'a>(&mut self, text: &'a [u8]) -> Result<Line<'a>, serde_json::Error> {
        let usual = self.usual(text);
        if self.unescaped.len() > UNESCAPED_BYTES_KEPT {
            self.unescaped = Vec::new();
        }
        match usual {
            Some(line) => Ok(line),
            None => serde_json::from_slice(text),
        }
    }

    /// Reads a line of the usual shape: known members once each, in any order, strings without escapes except for the body's, which
    /// has the short ones, and numbers under other names.
    fn usual<'a>(&mut self, text: &'a [u8]) -> Option<Line<'a>> {
        let mut rest = Rest(text);
        let mut line = Line::default();
        let mut redelivered = None;
        rest.take(b'{')?;
        loop {
            let key = rest.plain()?;
            rest.take(b':')?;
            match key {
                "received_at" => once(&mut line.received_at, Cow::Borrowed(rest.plain()?))?,
                "exchange" => once(&mut line.exchange, Cow::Borrowed(rest.plain()?))?,
                "routing_key" => once(&mut line.routing_key, Cow::Borrowed(rest.plain()?))?,
                "redelivered" => once(&mut redelivered, rest.flag()?)?,
                "properties" => once(&mut line.properties, rest.object()?)?,
                "body" => once(&mut line.body, Body(rest.body(&mut self.unescaped)?.to_vec()))?,
                "body_b64" => return None,
                _ => rest.digits()?,
            }
            match rest.next()? {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
        line.redelivered = redelivered.unwrap_or_default();
        rest.0.is_empty().then_some(line)
    }
}

/// A member that came before is a fault.
fn once<T>(member: &mut Option<T>, value: T) -> Option<()> {
    member.replace(value).is_none().then_some(())
}

/// What is left of a line. What it cannot take is not of the usual shape.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    /// The next byte that is no white space.
    fn next(&mut self) -> Option<u8> {
        loop {
            let (&first, rest) = self.0.split_first()?;
            self.0 = rest;
            if !matches!(first, b' ' | b'\t' | b'\r' | b'\n') {
                return Some(first);
            }
        }
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.next()? == wanted).then_some(())
    }

    /// A string of ASCII letters, digits and signs, as it stands.
    fn plain(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let end = self
            .0
            .iter()
            .position(|&byte| byte == b'"' || byte == b'\\' || !(b' '..=b'~').contains(&byte))?;
        let (text, rest) = self.0.split_at_checked(end)?;
        self.0 = rest.strip_prefix(b"\"")?;
        std::str::from_utf8(text).ok()
    }

    fn flag(&mut self) -> Option<bool> {
        let rest = self.0.trim_ascii_start();
        let value = rest.starts_with(b"true");
        self.0 = rest.strip_prefix(if value { &b"true"[..] } else { b"false" })?;
        Some(value)
    }

    /// A number without sign, point and leading zero.
    fn digits(&mut self) -> Option<()> {
        let first = self.next()?;
        let end = self.0.iter().position(|byte| !byte.is_ascii_digit())?;
        self.0 = self.0.get(end..)?;
        (matches!(first, b'1'..=b'9') && !matches!(self.0.first()?, b'.' | b'e' | b'E')).then_some(())
    }

    /// An object, as it stands.
    fn object(&mut self) -> Option<&'a str> {
        let rest = self.0.trim_ascii_start();
        if !rest.starts_with(b"{") {
            return None;
        }
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<&'a RawValue>();
        let raw = values.next()?.ok()?;
        self.0 = rest.get(values.byte_offset()..)?;
        Some(raw.get())
    }

    /// A string with the short escapes, unescaped.
    ///
    /// Eight bytes are copied before it is known whether one of them ends the run: what was copied too many is written over.
    fn body<'b>(&mut self, out: &'b mut Vec<u8>) -> Option<&'b [u8]> {
        self.take(b'"')?;
        let text = self.0;
        // No text grows by unescaping; eight more, as whole words are written.
        if out.len() < text.len() + WORD {
            out.resize(text.len() + WORD, 0);
        }
        let (mut from, mut to) = (0, 0);
        loop {
            let rest = text.get(from..)?;
            if let Some(word) = rest.first_chunk::<WORD>() {
                out.get_mut(to..to + WORD)?.copy_from_slice(word);
                let special = special_bytes(u64::from_le_bytes(*word));
                if special == 0 {
                    (from, to) = (from + WORD, to + WORD);
                    continue;
                }
                // Each byte has eight bits, the first byte the lowest.
                let run = special.trailing_zeros() as usize / 8;
                (from, to) = (from + run, to + run);
            }
            let value = match *text.get(from)? {
                b'"' => break,
                // The usual quote in the text within the body's text: its backslash and itself, both escaped.
                b'\\' if text.get(from..from + 4) == Some(br#"\\\""#) => {
                    *out.get_mut(to)? = b'\\';
                    (from, to) = (from + 3, to + 1);
                    b'"'
                }
                b'\\' => {
                    from += 1;
                    unescaped(*text.get(from)?)?
                }
                byte => byte,
            };
            *out.get_mut(to)? = value;
            (from, to) = (from + 1, to + 1);
        }
        self.0 = text.get(from + 1..)?;
        out.get(..to)
    }
}

const WORD: usize = size_of::<u64>();

/// What a short escape stands for; none for a long one and for what is no escape.
fn unescaped(letter: u8) -> Option<u8> {
    Some(match letter {
        b'"' | b'\\' | b'/' => letter,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        _ => return None,
    })
}

/// The lowest bit that is set lies in the first byte that is a quotation mark or a backslash; none where there is neither.
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    // Zero bytes: the first one is found exactly, others after it need not be.
    let zeros = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes & HIGHS;
    zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const USUAL: &str = concat!(
        r#"{"seq": 12, "received_at": "2026-11-21T00:40:34.668542+00:00", "exchange": "neutron", "#,
        r#""routing_key": "notifications.info", "redelivered": false, "#,
        r#""properties": {"headers": {"a": "}\""}, "priority": 0}, "#,
        r#""body": "{\"oslo.message\": \"{\\\"id\\\": \\\"line\\\\n\\\"}\"}\/\b\f\n\r\t"}"#
    );

    #[test]
    fn the_usual_line_is_read_without_help() {
        let line = Lines::default().usual(USUAL.as_bytes()).expect("usual");
        assert_eq!(line.properties, Some(r#"{"headers": {"a": "}\""}, "priority": 0}"#));
        let body = "{\"oslo.message\": \"{\\\"id\\\": \\\"line\\\\n\\\"}\"}/\u{8}\u{c}\n\r\t";
        assert_eq!(line.body, Some(Body(body.as_bytes().to_vec())));
        assert_eq!(Some(line), serde_json::from_str(USUAL).ok());
    }

    #[test]
    fn what_is_unusual_is_left_to_others() {
        for text in [
            r#"{"body": "a", "body": "b"}"#,
            r#"{"redelivered": true, "redelivered": true}"#,
            r#"{"body": "\u00e9"}"#,
            r#"{"body": "\x"}"#,
            r#"{"body": "a"} x"#,
            r#"{"body": "a""#,
            r#"{"body": "a"#,
            r#"{"exchange": "é"}"#,
            r#"{"exchange": null}"#,
            r#"{"seq": 01}"#,
            r#"{"seq": 1.5}"#,
            r#"{"seq": -1}"#,
            r#"{"seq": "1"}"#,
            r#"{"redelivered": 1}"#,
            r#"{"properties": null}"#,
            r#"{"properties": {}"#,
            r#"{"body_b64": "//79"}"#,
            r"{}",
            "",
        ] {
            assert_eq!(Lines::default().usual(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        /// A line with some bytes changed, taken out or doubled: what is taken for usual is what `serde_json` reads.
        #[test]
        fn both_ways_give_the_same(
            edits in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, prop::sample::select(&b"\"\\{}:, au0\n\x01\xc3\xa9"[..])), 0..4),
            padding in 0..9_usize,
        ) {
            let mut text = USUAL.replacen("oslo", &"o".repeat(padding), 1).into_bytes();
            for (at, what, byte) in edits {
                let at = at.index(text.len());
                match what {
                    0 => text[at] = byte,
                    1 => text.insert(at, byte),
                    _ => drop(text.remove(at)),
                }
            }
            let mut lines = Lines { unescaped: vec![b'#'; 9] };
            if let Some(line) = lines.usual(&text) {
                prop_assert_eq!(Some(line), serde_json::from_slice(&text).ok());
            }
        }
    }
}
