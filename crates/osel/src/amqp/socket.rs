//! The connection's bytes, plain or through TLS, and the little of an asynchronous runtime that the AMQP library asks for.
//!
//! The library would connect by itself. We do it, so that trust is decided in one place (the crate's `tls`), errors are told apart, and the
//! [`Gate`](super::gate::Gate) and the [`Guard`] stand where the bytes come in.

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_rs::Tokio;
use async_rs::traits::{Executor, Reactor, RuntimeKit};
use async_rs::util::Task;
use futures_io::{AsyncRead, AsyncWrite};
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::gate::Meter;
use super::guard::Guard;

/// What the other side said when it refused us in TLS, if it did. In TLS 1.3 it looks at our certificate only when the connection stands for
/// us, and the library tells of an end, not of what it was told.
pub type Alert = Arc<OnceLock<rustls::Error>>;

/// Bytes from and to the broker.
#[derive(Debug)]
pub struct Socket {
    stream: Stream,
    meter: Meter,
    guard: Guard,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>, Alert),
}

impl Socket {
    /// Over TCP as it is.
    pub fn plain(stream: TcpStream, meter: Meter) -> Self {
        Self { stream: Stream::Plain(stream), meter, guard: Guard::default() }
    }

    /// Over TLS.
    pub fn tls(stream: TlsStream<TcpStream>, meter: Meter, alert: Alert) -> Self {
        Self { stream: Stream::Tls(Box::new(stream), alert), meter, guard: Guard::default() }
    }

    fn writer(&mut self) -> Pin<&mut (dyn tokio::io::AsyncWrite + Send + Unpin)> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream),
            Stream::Tls(stream, _) => Pin::new(&mut **stream),
        }
    }
}

/// What the other side said, if that is why reading has failed.
pub fn alert_in(error: &io::Error) -> Option<rustls::Error> {
    let cause = tls_error(error)?;
    matches!(cause, rustls::Error::AlertReceived(_)).then(|| cause.clone())
}

/// What is wrong in TLS, if that is why something has failed.
pub fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.meter.gate().is_shut() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        loop {
            let ready = this.guard.take(buffer);
            if ready > 0 || buffer.is_empty() {
                return Poll::Ready(Ok(ready));
            }
            if !this.meter.gate().is_open(context.waker()) {
                return Poll::Pending;
            }
            let mut space = ReadBuf::new(buffer);
            let read = match &mut this.stream {
                Stream::Plain(stream) => {
                    tokio::io::AsyncRead::poll_read(Pin::new(stream), context, &mut space)
                }
                Stream::Tls(stream, alert) => {
                    let read = tokio::io::AsyncRead::poll_read(Pin::new(&mut **stream), context, &mut space);
                    if let Poll::Ready(Err(error)) = &read
                        && let Some(said) = alert_in(error)
                    {
                        let _ = alert.set(said);
                    }
                    read
                }
            };
            if read.is_pending() {
                this.meter.gate().awaits(context.waker());
            }
            ready!(read)?;
            let read = space.filled();
            if read.is_empty() {
                return Poll::Ready(Ok(0));
            }
            this.meter.feed(read);
            this.guard.feed(read)?;
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writer().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer().poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer().poll_shutdown(context)
    }
}

/// tokio, but for the sockets: those are [`Socket`]s.
#[derive(Clone, Debug)]
pub struct Kit(Tokio);

impl Kit {
    /// The runtime in which this is called.
    pub fn current() -> Self {
        Self(Tokio::current())
    }
}

impl RuntimeKit for Kit {}

impl Executor for Kit {
    type Task<T: Send + 'static> = <Tokio as Executor>::Task<T>;

    fn block_on<T, F: Future<Output = T>>(&self, future: F) -> T {
        self.0.block_on(future)
    }

    fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        future: F,
    ) -> Task<Self::Task<T>> {
        self.0.spawn(future)
    }

    fn spawn_blocking<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(
        &self,
        work: F,
    ) -> Task<Self::Task<T>> {
        self.0.spawn_blocking(work)
    }
}

impl Reactor for Kit {
    type TcpStream = Socket;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        self.0.register(socket)
    }

    fn sleep(&self, time: Duration) -> Self::Sleep {
        self.0.sleep(time)
    }

    fn interval(&self, time: Duration) -> impl futures_core::Stream<Item = Instant> + Send + 'static {
        self.0.interval(time)
    }

    fn tcp_connect_addr(
        &self,
        _address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        // The library is always handed a socket that stands.
        std::future::ready(Err(io::Error::from(io::ErrorKind::Unsupported)))
    }
}
