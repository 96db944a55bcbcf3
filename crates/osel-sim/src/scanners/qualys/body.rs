//! Bodies, those that never should be among them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::time::{Interval, interval};

/// Bytes of a flood that are sent at once.
const FLOOD_BYTES: usize = 64 * 1024;

/// A body.
pub(super) enum Reply {
    /// All at once.
    Whole(Option<Bytes>),
    /// A space at a time.
    Drip(Interval),
    /// The same piece many times.
    Flood {
        /// Many of it.
        chunk: Bytes,
        /// Bytes that are still to be sent.
        left: u64,
    },
}

impl Reply {
    pub(super) fn whole(body: String) -> Self {
        Self::Whole(Some(Bytes::from(body)))
    }

    pub(super) fn drip(every: Duration) -> Self {
        Self::Drip(interval(every))
    }

    pub(super) fn flood(piece: &str, bytes: u64) -> Self {
        Self::Flood { chunk: Bytes::from(piece.repeat(FLOOD_BYTES / piece.len())), left: bytes }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut *self {
            Self::Whole(body) => {
                Poll::Ready(body.take().filter(|body| !body.is_empty()).map(|body| Ok(Frame::data(body))))
            }
            Self::Drip(interval) => {
                interval.poll_tick(context).map(|_| Some(Ok(Frame::data(Bytes::from_static(b" ")))))
            }
            Self::Flood { left: 0, .. } => Poll::Ready(None),
            Self::Flood { chunk, left } => {
                *left = left.saturating_sub(chunk.len() as u64);
                Poll::Ready(Some(Ok(Frame::data(chunk.clone()))))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64)),
            Self::Drip(_) | Self::Flood { .. } => SizeHint::default(),
        }
    }
}
