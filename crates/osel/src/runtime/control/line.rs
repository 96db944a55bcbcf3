//! One line of a stream that may be anything, within a bound of bytes. The bound of time is the caller's.

use std::io;

use tokio::net::UnixStream;

/// How much is read at a time.
const CHUNK_BYTES: usize = 4096;

/// Reads to the first line end, which is not part of the line; none where the stream ends before one.
///
/// # Errors
/// `InvalidData` when the line is longer, or something follows it; what the system says.
pub(super) async fn read(stream: &UnixStream, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let mut chunk = [0; CHUNK_BYTES];
    loop {
        stream.readable().await?;
        let count = match stream.try_read(&mut chunk) {
            Ok(0) => return Ok(None),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        };
        let read = chunk.get(..count).unwrap_or_default();
        let end = memchr::memchr(b'\n', read);
        line.extend_from_slice(read.get(..end.unwrap_or(count)).unwrap_or_default());
        if line.len() > bytes_max || end.is_some_and(|end| end + 1 < count) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if end.is_some() {
            return Ok(Some(line));
        }
    }
}

/// Writes all of it.
///
/// # Errors
/// What the system says.
pub(super) async fn write(stream: &UnixStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
