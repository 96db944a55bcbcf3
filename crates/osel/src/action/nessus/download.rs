//! A body that comes in pieces, read by code that waits for bytes: no more than a few pieces are in memory at a time.

use std::io::{self, BufRead, Read};
use std::time::Duration;

use hyper::body::Bytes;
use osel_core::scan::Trouble;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::trouble::{Effect, garbled, of_http};
use crate::http::Answer;

/// How many pieces may wait to be read.
const PIECES_MAX: usize = 8;
/// How long a report may take as a whole: a quarter of a gigabyte, the most that is read, over 10 Mbit/s takes 4 minutes.
const DOWNLOAD_TIME: Duration = Duration::from_mins(10);
/// The least that has to come in a second, once the time of one answer is over: the slowest line is a hundred times as fast.
const BYTES_PER_SECOND_MIN: f64 = 1024.0;

/// Reads an answer's body by `read`, which may block. `grace` is how long the body may be slow.
///
/// # Errors
/// When the body does not come, or `read` does not understand it.
pub(super) async fn read<T: Send + 'static, E: std::fmt::Display + Send + 'static>(
    mut answer: Answer,
    what: &str,
    grace: Duration,
    read: impl FnOnce(Pieces) -> Result<T, E> + Send + 'static,
) -> Result<T, Trouble> {
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    let reading = tokio::task::spawn_blocking(move || read(Pieces { receiver, piece: Bytes::new() }));
    let slow = || Trouble::Unavailable(format!("the answer to `{what}` comes too slowly"));
    let passing = async {
        let (began, mut bytes) = (Instant::now(), 0_usize);
        while let Some(piece) = answer.piece().await.map_err(|error| of_http(&error, Effect::None))? {
            bytes += piece.len();
            let (elapsed, come) = (began.elapsed(), bytes as f64);
            if elapsed > grace && come < elapsed.as_secs_f64() * BYTES_PER_SECOND_MIN {
                return Err(slow());
            }
            // Whoever reads has enough: what it says about that counts.
            if sender.send(piece).await.is_err() {
                break;
            }
        }
        Ok(())
    };
    let passed = timeout(DOWNLOAD_TIME, passing).await;
    drop(sender);
    let read = reading.await;
    passed.unwrap_or_else(|_| Err(slow()))?;
    match read {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(error)) => Err(garbled(what, &error.to_string(), Effect::None)),
        Err(error) => Err(garbled(what, &error.to_string(), Effect::None)),
    }
}

/// The pieces, one after the other.
pub(super) struct Pieces {
    receiver: mpsc::Receiver<Bytes>,
    piece: Bytes,
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
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => break,
            }
        }
        Ok(&self.piece)
    }

    fn consume(&mut self, count: usize) {
        // A reader consumes no more than it was shown.
        self.piece = self.piece.slice(count.min(self.piece.len())..);
    }
}
