//! What comes over a connection, for a reader that waits for it.

use std::io::{self, BufRead, Read};

use tokio::sync::mpsc::Receiver;

/// The pieces of an answer, in their order. It blocks: it is read in a thread of its own.
pub(super) struct Pieces {
    coming: Receiver<Vec<u8>>,
    piece: Vec<u8>,
    read: usize,
}

impl Pieces {
    pub(super) fn new(coming: Receiver<Vec<u8>>) -> Self {
        Self { coming, piece: Vec::new(), read: 0 }
    }

    /// Whether what has come was read, but for white space.
    pub(super) fn is_read(&self) -> bool {
        self.piece[self.read..].iter().all(u8::is_ascii_whitespace)
    }
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Pieces {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.read == self.piece.len() {
            let Some(piece) = self.coming.blocking_recv() else { return Ok(&[]) };
            self.piece = piece;
            self.read = 0;
        }
        Ok(&self.piece[self.read..])
    }

    fn consume(&mut self, count: usize) {
        self.read = (self.read + count).min(self.piece.len());
    }
}
