//! The characters of a bundle's lines: the small part of JSON that they are written in, in one form only.
//!
//! Reading is a walk that expects what writing would have put there, so that whatever is read is what would be written again. It knows
//! no line and no meaning; these are `line`'s.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr;

use super::super::hash::Hash;

/// A line is not in the one form that it could have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at} of the line {wanted} should stand")]
pub struct FormError {
    /// Where, from 0.
    pub at: usize,
    /// What should stand there.
    pub wanted: &'static str,
}

/// A walk along one line.
#[derive(Clone, Debug)]
pub(super) struct Walk<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(line: &'a [u8]) -> Self {
        Self { line, at: 0 }
    }

    fn rest(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    fn wants<T>(&self, wanted: &'static str) -> Result<T, FormError> {
        Err(FormError { at: self.at, wanted })
    }

    /// Goes over `text` if it comes next.
    pub(super) fn passes(&mut self, text: &str) -> bool {
        let comes = self.rest().starts_with(text.as_bytes());
        if comes {
            self.at += text.len();
        }
        comes
    }

    /// Goes over `text`, which must come next.
    pub(super) fn literal(&mut self, text: &'static str) -> Result<(), FormError> {
        if self.passes(text) {
            return Ok(());
        }
        self.at += text.bytes().zip(self.rest()).take_while(|(wanted, found)| wanted == *found).count();
        self.wants(text)
    }

    /// The line feed, and nothing after it.
    pub(super) fn end(mut self) -> Result<(), FormError> {
        self.literal("\n")?;
        if self.rest().is_empty() { Ok(()) } else { self.wants("the end of the line") }
    }

    /// A number without sign and without zeros before it.
    pub(super) fn number(&mut self) -> Result<u64, FormError> {
        let length = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = self.rest().get(..length).unwrap_or_default();
        let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok());
        match number {
            Some(number) if length == 1 || digits.first() != Some(&b'0') => {
                self.at += length;
                Ok(number)
            }
            _ => self.wants("a number"),
        }
    }

    /// A text in quotes, in which a line feed, a quote and a backslash are escaped, and nothing else is.
    pub(super) fn text(&mut self) -> Result<String, FormError> {
        const WANTED: &str = "a text in quotes";
        self.literal("\"")?;
        let mut text = Vec::new();
        loop {
            match self.rest() {
                [b'"', ..] => break,
                [b'\\', escaped, ..] => {
                    match escaped {
                        b'n' => text.push(b'\n'),
                        b'"' | b'\\' => text.push(*escaped),
                        _ => return self.wants(WANTED),
                    }
                    self.at += 2;
                }
                [byte, ..] if *byte >= b' ' && *byte != b'\\' => {
                    text.push(*byte);
                    self.at += 1;
                }
                _ => return self.wants(WANTED),
            }
        }
        self.at += 1;
        String::from_utf8(text).or_else(|_| self.wants(WANTED))
    }

    /// Bytes in base64 and in quotes, put behind those that are in `bytes` already.
    pub(super) fn bytes(&mut self, bytes: &mut Vec<u8>) -> Result<Range<usize>, FormError> {
        const WANTED: &str = "base64 in quotes";
        self.literal("\"")?;
        let Some(length) = memchr(b'"', self.rest()) else { return self.wants(WANTED) };
        let encoded = self.rest().get(..length).unwrap_or_default();
        let start = bytes.len();
        if STANDARD.decode_vec(encoded, bytes).is_err() {
            return self.wants(WANTED);
        }
        self.at += length + 1;
        Ok(start..bytes.len())
    }

    /// A list of hashes in base64, of which there may be `most`.
    pub(super) fn hashes(&mut self, most: usize) -> Result<Vec<Hash>, FormError> {
        self.literal("[")?;
        let (mut hashes, mut bytes) = (Vec::new(), Vec::new());
        while !self.passes("]") {
            if hashes.len() == most {
                return self.wants("the end of the list");
            }
            if !hashes.is_empty() {
                self.literal(",")?;
            }
            bytes.clear();
            let before = self.clone();
            self.bytes(&mut bytes)?;
            match Hash::from_slice(&bytes) {
                Some(hash) => hashes.push(hash),
                None => return before.wants("a hash in base64"),
            }
        }
        Ok(hashes)
    }
}

pub(super) fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '"' | '\\' => out.extend(['\\', character]),
            _ => out.push(character),
        }
    }
    out.push('"');
}

pub(super) fn write_bytes(bytes: &[u8], out: &mut String) {
    out.push('"');
    STANDARD.encode_string(bytes, out);
    out.push('"');
}

pub(super) fn write_hashes(hashes: &[Hash], out: &mut String) {
    out.push('[');
    for (place, hash) in hashes.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        write_bytes(&hash.0, out);
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut line = String::new();
        write_text("log — \"x\"\\\n\n", &mut line);
        write_bytes(b"\0\xff", &mut line);
        write_hashes(&[Hash([7; 32]), Hash::ZERO], &mut line);
        write_hashes(&[], &mut line);
        line.push_str("18446744073709551615\n");
        let mut walk = Walk::new(line.as_bytes());
        assert_eq!(walk.text().unwrap(), "log — \"x\"\\\n\n");
        let mut bytes = vec![1];
        assert_eq!(walk.bytes(&mut bytes).unwrap(), 1..3);
        assert_eq!(bytes, [1, 0, 0xff]);
        assert_eq!(walk.hashes(2).unwrap(), [Hash([7; 32]), Hash::ZERO]);
        assert!(walk.hashes(0).unwrap().is_empty());
        assert_eq!(walk.number().unwrap(), u64::MAX);
        assert_eq!(walk.end(), Ok(()));
    }

    #[test]
    fn there_is_one_form() {
        for text in ["\"\\u0041\"", "\"\\/\"", "\"a\tb\"", "\"a", "\"a\\", "\"a\nb\"", "a\"", ""] {
            assert!(Walk::new(text.as_bytes()).text().is_err(), "{text}");
        }
        assert!(Walk::new(b"\"\xff\"").text().is_err());
        for bytes in ["\"AA\"", "\"AA=\"", "\"AB==\"", "\"AA==\\n\"", "\"A A=\"", "\"AA==", "\"_-==\""] {
            assert!(Walk::new(bytes.as_bytes()).bytes(&mut Vec::new()).is_err(), "{bytes}");
        }
        for number in ["01", "+1", "-1", "", "18446744073709551616", "x"] {
            assert!(Walk::new(number.as_bytes()).number().is_err(), "{number}");
        }
        for end in ["", "\r\n", "\n\n", " \n"] {
            assert!(Walk::new(end.as_bytes()).end().is_err(), "{end:?}");
        }
        let zero = format!("\"{}=\"", "A".repeat(43));
        for hashes in
            [format!("[{zero},]"), format!("[{zero}{zero}]"), format!("[{zero}"), "[\"AA==\"]".into()]
        {
            assert!(Walk::new(hashes.as_bytes()).hashes(9).is_err(), "{hashes}");
        }
        let error = Walk::new(format!("[{zero},{zero}]").as_bytes()).hashes(1);
        assert_eq!(error, Err(FormError { at: 47, wanted: "the end of the list" }));
        assert_eq!(
            Walk::new(b"{\"sex\":").literal("{\"seq\":"),
            Err(FormError { at: 4, wanted: "{\"seq\":" })
        );
    }
}
