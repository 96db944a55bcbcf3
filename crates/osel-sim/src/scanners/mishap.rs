//! What goes wrong between a simulated scanner and whoever asks it, and when.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers, the type of the content among them.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// One with a body of that type.
    pub fn text(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { status, headers, body: body.into() }
    }

    /// A document.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::text(status, "application/json", body.to_string())
    }

    /// The same with a header.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The connection ends, and the request has had no effect.
    Down,
    /// The connection ends, and the request has had its effect.
    Lost,
    /// No answer ever comes, and the request has no effect.
    Hang,
    /// Request and answer take so much longer.
    Slow(Duration),
    /// Something else answers: the request has no effect.
    Instead(Reply),
    /// Something else answers, and its body comes so many times over.
    Flood {
        /// One piece of it.
        reply: Reply,
        /// How many.
        times: u64,
    },
    /// The body ends in its middle.
    Cut,
    /// The body comes byte by byte, with so much time between.
    Drip(Duration),
}

/// A mishap of some requests: those whose line (`POST /scans?x=1`) holds its part.
pub type Mishap = crate::fault::Fault<What>;

/// A body on its way.
pub(super) struct Sent {
    left: Bytes,
    length: Option<u64>,
    how: How,
}

enum How {
    Whole,
    /// Whether what was sent has been flushed, before the end.
    Cut {
        is_flushed: bool,
    },
    Drip {
        pause: Duration,
        wait: Option<Pin<Box<Sleep>>>,
    },
    Flood {
        piece: Bytes,
        times: u64,
    },
}

impl Sent {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self { length: Some(bytes.len() as u64), left: bytes, how: How::Whole }
    }

    pub(super) fn cut(mut bytes: Bytes) -> Self {
        let length = Some(bytes.len() as u64);
        bytes.truncate(bytes.len() / 2);
        Self { left: bytes, length, how: How::Cut { is_flushed: false } }
    }

    pub(super) fn drip(bytes: Bytes, pause: Duration) -> Self {
        Self { length: Some(bytes.len() as u64), left: bytes, how: How::Drip { pause, wait: None } }
    }

    pub(super) fn flood(piece: Bytes, times: u64) -> Self {
        Self { left: Bytes::new(), length: None, how: How::Flood { piece, times } }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let sent = &mut *self;
        match &mut sent.how {
            How::Drip { pause, wait } => {
                if sent.left.is_empty() {
                    return Poll::Ready(None);
                }
                let waiting = wait.get_or_insert_with(|| Box::pin(sleep(*pause)));
                if waiting.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                *wait = None;
                Poll::Ready(Some(Ok(Frame::data(sent.left.split_to(1)))))
            }
            How::Flood { times: 0, .. } => Poll::Ready(None),
            How::Flood { piece, times } => {
                *times -= 1;
                Poll::Ready(Some(Ok(Frame::data(piece.clone()))))
            }
            _ if !sent.left.is_empty() => Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut sent.left))))),
            How::Whole => Poll::Ready(None),
            // What is in the buffer is only sent where the body has nothing more for now.
            How::Cut { is_flushed: is_flushed @ false } => {
                *is_flushed = true;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            How::Cut { .. } => Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
