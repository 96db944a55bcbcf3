//! Where the scanner's bytes come from: a JSON text as it stands, or one that lies as a string in another.
//!
//! The second envelope format carries the notification as a string in which every quote is escaped.
//! [`Wrapped`] takes that string off while it is scanned, so that each byte is looked at once: what the
//! scanner takes is written to the text that is kept, without the white space between tokens. It knows the
//! escapes that real senders write and gives up on all others: then the envelope is unescaped as a whole
//! first, and the text inside scanned as [`Bare`].

use super::defect::{DefectKind, Fault};
use super::escape::{self, BLOCK_BYTES, find_special, run};

/// Where a scanner is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    /// The next byte.
    at: usize,
    /// Where it will stand in the text that is kept; counted by [`Wrapped`] only.
    end: usize,
    /// Whether white space was skipped that is still in the text.
    pub(super) has_space: bool,
}

/// What the scanner reads from. Places are places in the text that is kept.
///
/// The cursor is the scanner's, and everything it goes through is inlined: so it stays in registers.
pub(super) trait Layer {
    /// How many bytes there are at most.
    fn bytes(&self) -> usize;
    /// The cursor at the first byte.
    fn start(&self) -> Cursor;
    /// Where the next byte will stand.
    fn place(cursor: Cursor) -> usize;
    /// The next byte, white space skipped; 0 where there is none (and for a NUL, which no rule accepts
    /// either).
    fn peek(&self, cursor: &mut Cursor) -> u8;
    /// The next byte as it is; 0 as for [`Self::peek`].
    fn byte(&self, cursor: Cursor) -> u8;
    /// Takes the next byte over.
    fn take(&mut self, cursor: &mut Cursor);
    /// Takes this byte over, if it is next, and gives the one after it; white space is skipped before both.
    #[inline(always)]
    fn take_mark(&mut self, cursor: &mut Cursor, mark: u8) -> Option<u8> {
        if self.peek(cursor) != mark {
            return None;
        }
        self.take(cursor);
        Some(self.peek(cursor))
    }
    /// Takes a word over, if it is next.
    fn take_word<const N: usize>(&mut self, cursor: &mut Cursor, word: [u8; N]) -> bool;
    /// Takes a string over from its quote on; tells whether it has escapes.
    fn take_string(&mut self, cursor: &mut Cursor) -> Result<bool, Fault>;
    /// The text of a string without escapes and of that length, which the cursor was before: as it came.
    fn source(&self, before: Cursor, length: usize) -> &[u8];
    /// The text so far, at least.
    fn text(&self) -> &[u8];
    /// A fault of this kind, here.
    fn fault(&self, cursor: Cursor, kind: DefectKind) -> Fault;
}

/// A JSON text as it stands.
#[derive(Debug)]
pub(super) struct Bare<'a> {
    bytes: &'a [u8],
}

impl<'a> Bare<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }
}

impl Layer for Bare<'_> {
    fn bytes(&self) -> usize {
        self.bytes.len()
    }

    fn start(&self) -> Cursor {
        Cursor { at: 0, end: 0, has_space: false }
    }

    #[inline(always)]
    fn place(cursor: Cursor) -> usize {
        cursor.at
    }

    #[inline(always)]
    fn peek(&self, cursor: &mut Cursor) -> u8 {
        loop {
            match self.byte(*cursor) {
                b' ' | b'\n' | b'\r' | b'\t' => {
                    cursor.has_space = true;
                    cursor.at += 1;
                }
                byte => return byte,
            }
        }
    }

    #[inline(always)]
    fn byte(&self, cursor: Cursor) -> u8 {
        self.bytes.get(cursor.at).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn take(&mut self, cursor: &mut Cursor) {
        cursor.at += 1;
    }

    #[inline(always)]
    fn take_word<const N: usize>(&mut self, cursor: &mut Cursor, word: [u8; N]) -> bool {
        let is_next = self.source_at(cursor.at).first_chunk() == Some(&word);
        if is_next {
            cursor.at += N;
        }
        is_next
    }

    #[inline(always)]
    fn take_string(&mut self, cursor: &mut Cursor) -> Result<bool, Fault> {
        let special = find_special(self.bytes, cursor.at + 1);
        let escaped = self.bytes.get(special) != Some(&b'"');
        let end = if escaped { escape::check(self.bytes, special)? } else { special };
        cursor.at = end + 1;
        Ok(escaped)
    }

    #[inline(always)]
    fn source(&self, before: Cursor, length: usize) -> &[u8] {
        &self.bytes[before.at + 1..before.at + 1 + length]
    }

    #[inline(always)]
    fn text(&self) -> &[u8] {
        self.bytes
    }

    #[cold]
    fn fault(&self, cursor: Cursor, kind: DefectKind) -> Fault {
        match kind {
            DefectKind::Syntax => escape::unexpected(self.bytes, cursor.at),
            kind => Fault::byte(kind, cursor.at),
        }
    }
}

impl Bare<'_> {
    #[inline(always)]
    fn source_at(&self, at: usize) -> &[u8] {
        self.bytes.get(at..).unwrap_or_default()
    }
}

/// A JSON text that lies as a string in another, from after the string's quote on.
#[derive(Debug)]
pub(super) struct Wrapped<'a> {
    bytes: &'a [u8],
    from: usize,
    text: &'a mut [u8],
}

impl<'a> Wrapped<'a> {
    /// The text is written to `text`, whatever is in there.
    pub(super) fn new(bytes: &'a [u8], from: usize, text: &'a mut Vec<u8>) -> Self {
        // Escapes only get shorter. Room for a block more, since blocks are written before it is known how much
        // of them counts.
        let room = bytes.len() - from + BLOCK_BYTES;
        if text.len() < room {
            text.resize(room, 0);
        }
        Self { bytes, from, text }
    }

    /// How long the text is, and the place after the string's closing quote; nothing if that is not next.
    pub(super) fn finish(self, cursor: Cursor) -> Option<(usize, usize)> {
        (self.byte(cursor) == b'"').then_some((cursor.end, cursor.at + 1))
    }

    #[inline(always)]
    fn rest(&self, at: usize) -> &[u8] {
        self.bytes.get(at..).unwrap_or_default()
    }

    /// Takes the rest of a string over, from an escape of the inner text or from the last few bytes of the
    /// body on.
    #[cold]
    fn take_rest(
        &mut self,
        start: usize,
        mut at: usize,
        mut end: usize,
    ) -> Result<(usize, usize, bool), Fault> {
        let mut escaped = false;
        loop {
            let (taken, kept): (usize, &[u8]) = match self.rest(at) {
                [b'\\', b'"', ..] => break,
                // An escape of the inner text is an escaped backslash and what that one escapes.
                [b'\\', b'\\', b'\\', second @ (b'"' | b'\\'), ..] => (4, &[b'\\', *second]),
                [b'\\', b'\\', second @ (b'n' | b't' | b'r' | b'b' | b'f' | b'/' | b'u'), ..] => {
                    (3, &[b'\\', *second])
                }
                [byte, ..] if *byte >= 0x20 && !matches!(byte, b'"' | b'\\') => {
                    (1, std::slice::from_ref(byte))
                }
                _ => return Err(Fault::byte(DefectKind::Syntax, at)),
            };
            escaped |= taken > 1;
            let kept: [u8; 2] = [kept[0], kept.get(1).copied().unwrap_or(0)];
            self.text[end..end + 2].copy_from_slice(&kept);
            at += taken;
            end += if taken > 1 { 2 } else { 1 };
        }
        if escaped {
            self.text[end] = b'"';
            let text = &self.text[..=end];
            if escape::check(text, find_special(text, start))? != end {
                return Err(Fault::byte(DefectKind::Syntax, at));
            }
        }
        Ok((at, end, escaped))
    }
}

impl Layer for Wrapped<'_> {
    fn bytes(&self) -> usize {
        self.bytes.len() - self.from
    }

    fn start(&self) -> Cursor {
        Cursor { at: self.from, end: 0, has_space: false }
    }

    #[inline(always)]
    fn place(cursor: Cursor) -> usize {
        cursor.end
    }

    #[inline(always)]
    fn peek(&self, cursor: &mut Cursor) -> u8 {
        let mut byte = self.byte(*cursor);
        while byte == b' ' {
            cursor.at += 1;
            byte = self.byte(*cursor);
        }
        // The end of the outer string is no byte of the inner text, and of escapes only the quote's is known
        // here.
        match byte {
            b'\\' if self.bytes.get(cursor.at + 1) == Some(&b'"') => b'"',
            b'\\' | b'"' => 0,
            byte => byte,
        }
    }

    #[inline(always)]
    fn byte(&self, cursor: Cursor) -> u8 {
        self.bytes.get(cursor.at).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn take(&mut self, cursor: &mut Cursor) {
        self.text[cursor.end] = self.byte(*cursor);
        cursor.end += 1;
        cursor.at += 1;
    }

    #[inline(always)]
    fn take_mark(&mut self, cursor: &mut Cursor, mark: u8) -> Option<u8> {
        // As Python writes it: the mark, one blank, and a string in most places.
        if self.rest(cursor.at).first_chunk() == Some(&[mark, b' ', b'\\', b'"']) {
            self.text[cursor.end] = mark;
            cursor.end += 1;
            cursor.at += 2;
            return Some(b'"');
        }
        if self.peek(cursor) != mark {
            return None;
        }
        self.take(cursor);
        Some(self.peek(cursor))
    }

    #[inline(always)]
    fn take_word<const N: usize>(&mut self, cursor: &mut Cursor, word: [u8; N]) -> bool {
        let is_next = self.rest(cursor.at).first_chunk() == Some(&word);
        if is_next {
            self.text[cursor.end..cursor.end + N].copy_from_slice(&word);
            cursor.end += N;
            cursor.at += N;
        }
        is_next
    }

    #[inline(always)]
    fn take_string(&mut self, cursor: &mut Cursor) -> Result<bool, Fault> {
        let (mut at, mut end) = (cursor.at + 2, cursor.end + 1);
        self.text[cursor.end] = b'"';
        let start = end;
        let blocks = self.bytes.get(at..).unwrap_or_default().as_chunks::<BLOCK_BYTES>().0;
        let rooms = self.text.get_mut(end..).unwrap_or_default().as_chunks_mut::<BLOCK_BYTES>().0;
        for (room, block) in rooms.iter_mut().zip(blocks) {
            *room = *block;
            let run = run(*block);
            at += run;
            end += run;
            if run < BLOCK_BYTES {
                break;
            }
        }
        let mut escaped = false;
        if self.rest(at).first_chunk() != Some(b"\\\"") {
            (at, end, escaped) = self.take_rest(start, at, end)?;
        }
        self.text[end] = b'"';
        *cursor = Cursor { at: at + 2, end: end + 1, ..*cursor };
        Ok(escaped)
    }

    #[inline(always)]
    fn source(&self, before: Cursor, length: usize) -> &[u8] {
        &self.bytes[before.at + 2..before.at + 2 + length]
    }

    #[inline(always)]
    fn text(&self) -> &[u8] {
        self.text
    }

    #[cold]
    fn fault(&self, cursor: Cursor, kind: DefectKind) -> Fault {
        Fault::byte(kind, cursor.at)
    }
}
