//! A reader below the parser's, which ends before the parser's memory grows too far.
//!
//! The parser collects a tag, a text or a comment as a whole before it shows it, however long it is.

use std::io::{self, BufRead, Read};

use super::fault::Fault;
use super::reader::Limits;

/// Passes on what it reads, as long as the document and its present piece are within the limits.
pub(super) struct Bounded<R> {
    inner: R,
    limits: Limits,
    total: u64,
    piece: usize,
    has_nul: bool,
    refused: Option<Fault>,
}

impl<R: BufRead> Bounded<R> {
    pub(super) fn new(inner: R, limits: Limits) -> Self {
        Self { inner, limits, total: 0, piece: 0, has_nul: false, refused: None }
    }

    /// The next piece begins.
    pub(super) fn next_piece(&mut self) {
        self.piece = 0;
    }

    /// How many bytes have been read.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Why it refused to read on, or why what it read is not to be used.
    pub(super) fn refused(&mut self) -> Option<Fault> {
        self.refused.take().or_else(|| self.has_nul.then_some(Fault::Nul))
    }
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let there = self.inner.fill_buf()?;
        if there.is_empty() {
            return Ok(there);
        }
        let piece_left = self.limits.piece_bytes - self.piece;
        let left = usize::try_from(self.limits.bytes - self.total).unwrap_or(usize::MAX);
        let may = there.len().min(piece_left).min(left);
        if may == 0 {
            let long = if left == 0 {
                Fault::Long(self.limits.bytes)
            } else {
                Fault::LongPiece(self.limits.piece_bytes)
            };
            self.refused = Some(long);
            return Err(io::Error::other("the limit is reached"));
        }
        Ok(&there[..may])
    }

    fn consume(&mut self, count: usize) {
        // Each byte is looked at once, here: a buffer may be shown many times before it is consumed.
        let nul = self
            .inner
            .fill_buf()
            .is_ok_and(|there| memchr::memchr(0, &there[..count.min(there.len())]).is_some());
        self.has_nul |= nul;
        self.total += count as u64;
        self.piece += count;
        self.inner.consume(count);
    }
}
