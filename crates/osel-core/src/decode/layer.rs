//! Where the scanner's bytes come from: a JSON text as it stands, or one that lies as a string in another.
//!
//! The second envelope format carries the notification as a string in which every quote is escaped.
//! [`Wrapped`] takes that string off while it is scanned, so that each byte is looked at once: what the
//! scanner takes is written to the text that is kept, without the white space between tokens. It knows the
//! escapes that real senders write and gives up on all others: then the envelope is unescaped as a whole
//! first, and the text inside scanned as [`Bare`].

use super::defect::{DefectKind, Fault};
use super::escape::{self, find_special, special};

/// What the scanner reads from. Places are places in the text that is kept.
pub(super) trait Layer {
    /// The next byte, white space skipped; 0 where there is none (and for a NUL, which no rule accepts
    /// either).
    fn peek(&mut self) -> u8;
    /// The next byte as it is; 0 as for [`Self::peek`].
    fn byte(&self) -> u8;
    /// Takes the next byte over.
    fn take(&mut self);
    /// Takes a word over, if it is next.
    fn take_word(&mut self, word: &[u8]) -> bool;
    /// Takes the colon over that is next, and gives the byte after it and after white space.
    fn take_colon(&mut self) -> Option<u8>;
    /// Takes a string over from its quote on; gives where its text starts and ends, and whether it has
    /// escapes.
    fn take_string(&mut self) -> Result<(usize, usize, bool), Fault>;
    /// Where the next byte will stand.
    fn place(&self) -> usize;
    /// The text so far, at least.
    fn text(&self) -> &[u8];
    /// Whether white space was skipped that is still in the text.
    fn has_space(&self) -> bool;
    /// A fault of this kind, here.
    fn fault(&self, kind: DefectKind) -> Fault;
}

/// A JSON text as it stands.
#[derive(Debug)]
pub(super) struct Bare<'a> {
    bytes: &'a [u8],
    at: usize,
    has_space: bool,
}

impl<'a> Bare<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, has_space: false }
    }
}

impl Layer for Bare<'_> {
    #[inline]
    fn peek(&mut self) -> u8 {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => {
                    self.has_space = true;
                    self.at += 1;
                }
                Some(&byte) => return byte,
                None => return 0,
            }
        }
    }

    #[inline]
    fn byte(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn take(&mut self) {
        self.at += 1;
    }

    fn take_word(&mut self, word: &[u8]) -> bool {
        let is_next = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word));
        if is_next {
            self.at += word.len();
        }
        is_next
    }

    #[inline]
    fn take_colon(&mut self) -> Option<u8> {
        if self.peek() != b':' {
            return None;
        }
        self.take();
        Some(self.peek())
    }

    #[inline]
    fn take_string(&mut self) -> Result<(usize, usize, bool), Fault> {
        let start = self.at + 1;
        let special = find_special(self.bytes, start);
        let escaped = self.bytes.get(special) != Some(&b'"');
        let end = if escaped { escape::check(self.bytes, special)? } else { special };
        self.at = end + 1;
        Ok((start, end, escaped))
    }

    fn place(&self) -> usize {
        self.at
    }

    fn text(&self) -> &[u8] {
        self.bytes
    }

    fn has_space(&self) -> bool {
        self.has_space
    }

    #[cold]
    fn fault(&self, kind: DefectKind) -> Fault {
        if kind == DefectKind::Syntax {
            escape::unexpected(self.bytes, self.at)
        } else {
            Fault::byte(kind, self.at)
        }
    }
}

/// A JSON text that lies as a string in another, from after the string's quote on.
#[derive(Debug)]
pub(super) struct Wrapped<'a> {
    bytes: &'a [u8],
    at: usize,
    text: Vec<u8>,
    end: usize,
}

impl<'a> Wrapped<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        // Escapes only get shorter. Room for a word more, since words are written before it is known how much
        // of them counts.
        let text = vec![0; bytes.len() - at + 8];
        Self { bytes, at, text, end: 0 }
    }

    /// The text, and the place after the string's closing quote; nothing if that is not next.
    pub(super) fn finish(mut self) -> Option<(String, usize)> {
        if self.byte() != b'"' {
            return None;
        }
        self.text.truncate(self.end);
        Some((String::from_utf8(self.text).ok()?, self.at + 1))
    }

    #[cold]
    fn give_up<T>(&self) -> Result<T, Fault> {
        Err(self.fault(DefectKind::Syntax))
    }

    /// Takes over an escape of the inner text, which is an escaped backslash and what that one escapes.
    #[cold]
    fn take_inner_escape(&mut self) -> Result<(), Fault> {
        let length = match (self.bytes.get(self.at + 2), self.bytes.get(self.at + 3)) {
            (Some(b'\\'), Some(b'"' | b'\\')) => 4,
            (Some(b'n' | b't' | b'r' | b'b' | b'f' | b'/' | b'u'), _) => 3,
            _ => return self.give_up(),
        };
        self.text[self.end] = b'\\';
        self.text[self.end + 1] = self.bytes[self.at + length - 1];
        self.at += length;
        self.end += 2;
        Ok(())
    }
}

impl Layer for Wrapped<'_> {
    #[inline]
    fn peek(&mut self) -> u8 {
        loop {
            // Comparisons, not a table: what is next is hard to foresee, and a wrong jump costs more than
            // three comparisons.
            match self.bytes.get(self.at..).unwrap_or_default() {
                [b'\\', after, ..] => return if *after == b'"' { b'"' } else { 0 },
                [b' ', ..] => self.at += 1,
                // The end of the outer string is no byte of the inner text.
                [b'"', ..] | [] => return 0,
                [byte, ..] => return *byte,
            }
        }
    }

    #[inline]
    fn byte(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn take(&mut self) {
        self.text[self.end] = self.byte();
        self.end += 1;
        self.at += 1;
    }

    fn take_word(&mut self, word: &[u8]) -> bool {
        let is_next = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word));
        if is_next {
            self.text[self.end..self.end + word.len()].copy_from_slice(word);
            self.end += word.len();
            self.at += word.len();
        }
        is_next
    }

    #[inline]
    fn take_colon(&mut self) -> Option<u8> {
        if self.peek() != b':' {
            return None;
        }
        self.take();
        Some(self.peek())
    }

    #[inline]
    fn take_string(&mut self) -> Result<(usize, usize, bool), Fault> {
        let (mut at, mut end) = (self.at + 2, self.end + 1);
        self.text[self.end] = b'"';
        let start = end;
        let mut escaped = false;
        loop {
            let rooms = self.text.get_mut(end..).unwrap_or_default().as_chunks_mut::<8>().0;
            let eights = self.bytes.get(at..).unwrap_or_default().as_chunks::<8>().0;
            let mut run = 0;
            for (room, eight) in rooms.iter_mut().zip(eights) {
                *room = *eight;
                let word = u64::from_le_bytes(*eight);
                let marks = special(word);
                if marks != 0 {
                    run += marks.trailing_zeros() as usize / 8;
                    break;
                }
                run += 8;
            }
            at += run;
            end += run;
            let next = self.bytes.get(at..).unwrap_or_default();
            if let [b'\\', b'"', ..] = next {
                break;
            }
            match next {
                [b'\\', b'\\', ..] => {
                    escaped = true;
                    (self.at, self.end) = (at, end);
                    self.take_inner_escape()?;
                    (at, end) = (self.at, self.end);
                }
                // The last bytes of the body, fewer than a word.
                [byte, ..] if *byte >= 0x20 && !matches!(byte, b'"' | b'\\') => {
                    self.text[end] = *byte;
                    at += 1;
                    end += 1;
                }
                _ => return self.give_up(),
            }
        }
        self.text[end] = b'"';
        self.at = at + 2;
        self.end = end + 1;
        if escaped {
            let text = &self.text[..self.end];
            if escape::check(text, find_special(text, start))? != end {
                return self.give_up();
            }
        }
        Ok((start, end, escaped))
    }

    fn place(&self) -> usize {
        self.end
    }

    fn text(&self) -> &[u8] {
        &self.text
    }

    fn has_space(&self) -> bool {
        false
    }

    #[cold]
    fn fault(&self, kind: DefectKind) -> Fault {
        Fault::byte(kind, self.at)
    }
}
