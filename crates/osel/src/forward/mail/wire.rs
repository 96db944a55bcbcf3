//! A connection to a mail server, up to where mail can be spoken of: with TLS from the begin, after a word in plain text, or without.
//!
//! Certificates are verified as everywhere else. What a server says in plain text is believed to the end of one line only: whoever stands
//! on the way must not be able to put words into it that count as said under TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use lettre::transport::smtp::client::AsyncTokioStream;
use osel_core::forward::{Refusal, RefusalKind};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::{MailConfig, MailSecurity};
use crate::forward::http::refusal;
use crate::telemetry::chain;
use crate::tls;

/// The longest answer before TLS: a greeting and what a server can do.
const PLAIN_ANSWER_BYTES_MAX: usize = 16_384;
/// The most that a server may say between two words of ours. Whoever reads it looks for the end of a line, and would keep all that comes
/// before one.
const ANSWER_BYTES_MAX: usize = 1 << 17;
/// What is read of a server that has greeted before TLS began, by whoever wants a greeting.
const GREETED: &[u8] = b"220 greeted before\r\n";

/// A connection.
#[derive(Debug)]
pub(super) struct Wire {
    /// What is read before anything that the server says.
    ahead: &'static [u8],
    /// How many bytes the server has said since we said something.
    unasked: usize,
    stream: Stream,
    peer: SocketAddr,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Connects as the configuration says.
///
/// # Errors
/// When nobody is there, or it is not to be trusted.
pub(super) async fn connected(config: &MailConfig) -> Result<Wire, Refusal> {
    let place = format!("{}:{}", config.host, config.port);
    let away =
        |error: io::Error| refusal(RefusalKind::Unavailable, &format!("cannot reach `{place}`: {error}"));
    let mut stream = TcpStream::connect((config.host.as_str(), config.port)).await.map_err(away)?;
    let peer = stream.peer_addr().map_err(away)?;
    let ahead = match config.security {
        MailSecurity::Nothing => {
            return Ok(Wire { ahead: &[], unasked: 0, stream: Stream::Plain(stream), peer });
        }
        MailSecurity::Tls => &[],
        MailSecurity::StartTls => {
            start_tls(&mut stream, &place, &config.hello_name).await?;
            GREETED
        }
    };
    let files = config.tls.clone();
    let client = spawn_blocking(move || tls::client(&files)).await;
    let client = client.map_err(|error| refusal(RefusalKind::Unavailable, &error.to_string()))?;
    let misconfigured = |error: &dyn std::error::Error| refusal(RefusalKind::Denied, &chain(error));
    let client = client.map_err(|error| misconfigured(&error))?;
    let name = tls::server_name(&config.tls, &config.host).map_err(|error| misconfigured(&error))?;
    let stream = TlsConnector::from(client).connect(name, stream).await.map_err(|error| {
        let is_distrust = error.get_ref().is_some_and(|error| error.is::<rustls::Error>());
        let kind = if is_distrust { RefusalKind::Denied } else { RefusalKind::Unavailable };
        refusal(kind, &format!("no TLS with `{place}`: {error}"))
    })?;
    Ok(Wire { ahead, unasked: 0, stream: Stream::Tls(Box::new(stream)), peer })
}

/// Speaks in plain text up to where TLS begins.
async fn start_tls(stream: &mut TcpStream, place: &str, hello_name: &str) -> Result<(), Refusal> {
    expected(stream, place, "220").await?;
    say(stream, place, &format!("EHLO {hello_name}\r\n")).await?;
    let can = expected(stream, place, "250").await?;
    let has_tls = can
        .lines()
        .any(|line| line.get(4..).is_some_and(|word| word.trim().eq_ignore_ascii_case("STARTTLS")));
    if !has_tls {
        let words = format!(
            "`{place}` does not offer STARTTLS: nothing is sent without TLS, unless `security` says otherwise"
        );
        return Err(refusal(RefusalKind::Denied, &words));
    }
    say(stream, place, "STARTTLS\r\n").await?;
    expected(stream, place, "220").await.map(drop)
}

async fn say(stream: &mut TcpStream, place: &str, words: &str) -> Result<(), Refusal> {
    let sent = stream.write_all(words.as_bytes()).await;
    sent.map_err(|error| {
        refusal(RefusalKind::Unavailable, &format!("the connection to `{place}` broke: {error}"))
    })
}

/// Reads one answer, which has to have that code and must be followed by nothing.
async fn expected(stream: &mut TcpStream, place: &str, code: &str) -> Result<String, Refusal> {
    let broken =
        |why: &str| refusal(RefusalKind::Unavailable, &format!("the connection to `{place}` broke{why}"));
    let mut answer = Vec::new();
    let end = loop {
        if let Some(end) = end_of(&answer) {
            break end;
        }
        if answer.len() > PLAIN_ANSWER_BYTES_MAX {
            return Err(refusal(
                RefusalKind::Garbled,
                &format!("`{place}` says too much to be a mail server"),
            ));
        }
        let read = stream.read_buf(&mut answer).await;
        if read.map_err(|error| broken(&format!(": {error}")))? == 0 {
            return Err(broken(" before it had answered"));
        }
    };
    if end < answer.len() {
        let words =
            format!("`{place}` says more than it was asked before TLS begins: somebody may stand on the way");
        return Err(refusal(RefusalKind::Denied, &words));
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let kind = match answer.as_bytes().first() {
        _ if answer.starts_with(code) => return Ok(answer),
        Some(b'4') => RefusalKind::Unavailable,
        Some(b'5') => RefusalKind::Denied,
        _ => RefusalKind::Garbled,
    };
    Err(refusal(kind, &format!("`{place}` answers: `{}`", answer.trim())))
}

/// Where an answer ends, if it is whole: behind the line whose code is followed by no `-`.
fn end_of(answer: &[u8]) -> Option<usize> {
    let mut begin = 0;
    while let Some(length) = answer.get(begin..)?.iter().position(|byte| *byte == b'\n') {
        let is_last = answer.get(begin + 3) != Some(&b'-');
        begin += length + 1;
        if is_last {
            return Some(begin);
        }
    }
    None
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.ahead.is_empty() {
            let (now, later) = this.ahead.split_at(this.ahead.len().min(buf.remaining()));
            buf.put_slice(now);
            this.ahead = later;
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        this.unasked += buf.filled().len() - before;
        if this.unasked > ANSWER_BYTES_MAX {
            let words = format!("it says more than {ANSWER_BYTES_MAX} bytes at once");
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, words)));
        }
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.unasked = 0;
        match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_with_its_last_line() {
        for (answer, wanted) in [
            ("220 mail\r\n", Some(10)),
            ("250-mail\r\n250 STARTTLS\r\n", Some(24)),
            ("250-mail\r\n250-STARTTLS\r\n", None),
            ("220 mail", None),
            ("", None),
            ("220 mail\r\n250 more\r\n", Some(10)),
            ("\n", Some(1)),
        ] {
            assert_eq!(end_of(answer.as_bytes()), wanted, "{answer:?}");
        }
    }

    #[tokio::test]
    async fn a_server_that_ends_no_line_is_not_read_for_ever() {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, peer) = listener.accept().await.unwrap();
        let mut wire = Wire { ahead: &[], unasked: 0, stream: Stream::Plain(stream), peer };
        let talker = tokio::spawn(async move {
            // It stops when the other side has gone.
            while server.write_all(&[b'x'; 4096]).await.is_ok() {}
        });
        let mut said = vec![0; ANSWER_BYTES_MAX];
        for _ in 0..2 {
            // Whoever is spoken to may answer as much again.
            wire.write_all(b"NOOP\r\n").await.unwrap();
            wire.read_exact(&mut said).await.unwrap();
        }
        assert_eq!(wire.read(&mut said).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        drop(wire);
        talker.await.unwrap();
    }
}
