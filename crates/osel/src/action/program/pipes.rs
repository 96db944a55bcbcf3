//! What a program says and is told, within the bytes it may say.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

/// How much is read at once.
const PIECE_BYTES: usize = 64 << 10;
/// How much of what goes to standard error is kept: its beginning, where a program says what is wrong.
const ERRORS_KEPT_BYTES: usize = 16 << 10;

/// A program has said more than it may.
#[derive(Debug)]
pub(super) struct Flooded;

/// What a program has said.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) output: Vec<u8>,
    pub(super) errors: Vec<u8>,
}

impl Said {
    /// Tells the program its input and gathers what it says, at most so many bytes on both ways, until it has closed all of them.
    pub(super) async fn gather(
        &mut self,
        (input, stdin): (Vec<u8>, Option<ChildStdin>),
        stdout: Option<ChildStdout>,
        stderr: Option<ChildStderr>,
        bytes_max: usize,
    ) -> Result<(), Flooded> {
        let left = AtomicUsize::new(bytes_max);
        let tell = async move {
            if let Some(mut stdin) = stdin {
                // A program need not read what it is told.
                let _ = stdin.write_all(&input).await;
            }
            Ok(())
        };
        let output = read(stdout, &left, &mut self.output, usize::MAX);
        let errors = read(stderr, &left, &mut self.errors, ERRORS_KEPT_BYTES);
        tokio::try_join!(tell, output, errors).map(|((), (), ())| ())
    }
}

async fn read(
    from: Option<impl AsyncRead + Unpin>,
    left: &AtomicUsize,
    into: &mut Vec<u8>,
    kept_bytes_max: usize,
) -> Result<(), Flooded> {
    let Some(mut from) = from else { return Ok(()) };
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        // A pipe that cannot be read has ended as well.
        let count = from.read(&mut piece).await.unwrap_or(0);
        if count == 0 {
            return Ok(());
        }
        let may = left.load(Ordering::Relaxed).min(count);
        left.fetch_sub(may, Ordering::Relaxed);
        let kept = may.min(kept_bytes_max - into.len());
        into.extend_from_slice(&piece[..kept]);
        if may < count {
            return Err(Flooded);
        }
    }
}
