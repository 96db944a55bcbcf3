//! What messages travel over: a stream, or datagrams.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::io::Errno;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UdpSocket, UnixDatagram, UnixStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::acknowledged::{Acknowledged, Outstanding};
use super::fault::SyslogFault;
use crate::config::{SyslogFraming, SyslogTransport, TlsConfig};
use crate::tls;

/// How long a connection may take to stand.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long a batch may take to be accepted: a receiver whose own queue is full holds up its senders.
const WRITE_TIME: Duration = Duration::from_secs(60);
/// How long a server may take to end a connection after we have, having read what was before: a stopping osel has two seconds.
const CLOSE_TIME: Duration = Duration::from_millis(1500);
/// A server refuses a client's certificate when the handshake is over for the client: it is listened to for so long before it is sent
/// anything, so that it can say so.
const WELCOME_TIME: Duration = Duration::from_millis(250);
/// After so long without a word, and then as often, it is asked whether the other side is there.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(10));
/// How long data may wait to be acknowledged before a connection counts as broken.
const UNACKNOWLEDGED_TIME: Duration = Duration::from_secs(60);
/// Nobody answers in syslog: what comes is thrown away, so much at once and in one look.
const READ_BYTES: usize = 1024;
const READS_MAX: usize = 16;

/// A connection.
pub(super) enum Line {
    /// Messages need framing.
    Stream(Box<Stream>),
    /// One message each.
    Datagram(Datagram),
}

/// A stream of bytes.
pub(super) struct Stream {
    place: String,
    bytes: Box<dyn Bytes>,
    pub(super) framing: SyslogFraming,
    sent: Arc<AtomicU64>,
    acknowledged: Option<Acknowledged>,
}

/// Datagrams.
pub(super) struct Datagram {
    place: String,
    socket: DatagramSocket,
}

enum DatagramSocket {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

trait Bytes: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Bytes for S {}

/// What it is called in words.
pub(super) fn place(transport: &SyslogTransport) -> String {
    match transport {
        SyslogTransport::Tls { host, port, .. }
        | SyslogTransport::Tcp { host, port, .. }
        | SyslogTransport::Udp { host, port } => {
            if host.contains(':') {
                format!("[{host}]:{port}")
            } else {
                format!("{host}:{port}")
            }
        }
        SyslogTransport::Unix { path, .. } => path.display().to_string(),
    }
}

/// Connects.
pub(super) async fn connect(transport: &SyslogTransport) -> Result<Line, SyslogFault> {
    let place = place(transport);
    match transport {
        SyslogTransport::Tls { host, port, tls } => secured(place, host, *port, tls).await,
        SyslogTransport::Tcp { host, port, framing } => {
            let (stream, acknowledged) = dial(&place, host, *port).await?;
            Ok(stream_of(place, *framing, acknowledged, stream))
        }
        SyslogTransport::Udp { host, port } => {
            let socket = in_time(&place, udp(host, *port)).await?;
            Ok(Line::Datagram(Datagram { place, socket: DatagramSocket::Udp(socket) }))
        }
        SyslogTransport::Unix { path, framing } => unix(place, path, *framing).await,
    }
}

async fn secured(place: String, host: &str, port: u16, files: &TlsConfig) -> Result<Line, SyslogFault> {
    let untrusted = |source| SyslogFault::Trust { place: place.clone(), source };
    let own = files.clone();
    // It reads files.
    let client = tokio::task::spawn_blocking(move || tls::client(&own)).await;
    let client = client.map_err(|error| SyslogFault::unreachable(&place, io::Error::other(error)))?;
    let client = client.map_err(untrusted)?;
    let name = tls::server_name(files, host).map_err(untrusted)?;
    let (stream, acknowledged) = dial(&place, host, port).await?;
    let connecting = TlsConnector::from(client).connect(name, Counted::new(stream));
    let stream = in_time(&place, connecting).await?;
    let sent = Arc::clone(&stream.get_ref().0.sent);
    let framing = SyslogFraming::OctetCounting;
    let mut stream = Stream { place, bytes: Box::new(stream), framing, sent, acknowledged };
    match timeout(WELCOME_TIME, stream.end()).await {
        Err(_) => Ok(Line::Stream(Box::new(stream))),
        Ok(Ok(())) => Err(SyslogFault::Unwelcome(stream.place)),
        Ok(Err(error)) => match SyslogFault::broken(&stream.place, error) {
            SyslogFault::Broken { place, .. } => Err(SyslogFault::Unwelcome(place)),
            fault => Err(fault),
        },
    }
}

async fn dial(place: &str, host: &str, port: u16) -> Result<(TcpStream, Option<Acknowledged>), SyslogFault> {
    let connecting = async {
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        let (idle, interval) = KEEPALIVE;
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle).with_interval(interval))?;
        socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_TIME))?;
        let acknowledged = Acknowledged::of(stream.local_addr()?, stream.peer_addr()?).ok();
        Ok((stream, acknowledged))
    };
    in_time(place, connecting).await
}

async fn udp(host: &str, port: u16) -> io::Result<UdpSocket> {
    let mut error = io::Error::from(io::ErrorKind::NotFound);
    for address in lookup_host((host, port)).await? {
        let own: SocketAddr = if address.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
        let socket = UdpSocket::bind(own).await?;
        match socket.connect(address).await {
            Ok(()) => return Ok(socket),
            Err(failed) => error = failed,
        }
    }
    Err(error)
}

/// By datagrams, as the system's syslog has it, or by a stream if it is one.
async fn unix(place: String, path: &Path, framing: SyslogFraming) -> Result<Line, SyslogFault> {
    let socket = UnixDatagram::unbound().map_err(|why| SyslogFault::unreachable(&place, why))?;
    match socket.connect(path) {
        Ok(()) => Ok(Line::Datagram(Datagram { place, socket: DatagramSocket::Unix(socket) })),
        Err(error) if Errno::from_io_error(&error) == Some(Errno::PROTOTYPE) => {
            let stream = in_time(&place, UnixStream::connect(path)).await?;
            Ok(stream_of(place, framing, None, stream))
        }
        Err(error) => Err(SyslogFault::unreachable(&place, error)),
    }
}

fn stream_of(
    place: String,
    framing: SyslogFraming,
    acknowledged: Option<Acknowledged>,
    stream: impl AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static,
) -> Line {
    let stream = Counted::new(stream);
    let sent = Arc::clone(&stream.sent);
    Line::Stream(Box::new(Stream { place, bytes: Box::new(stream), framing, sent, acknowledged }))
}

async fn in_time<T>(place: &str, connecting: impl Future<Output = io::Result<T>>) -> Result<T, SyslogFault> {
    match timeout(CONNECT_TIME, connecting).await {
        Ok(connected) => connected.map_err(|error| SyslogFault::unreachable(place, error)),
        Err(_) => Err(SyslogFault::Slow {
            place: place.to_owned(),
            what: "answer",
            seconds: CONNECT_TIME.as_secs(),
        }),
    }
}

impl Stream {
    /// Hands all of it to the system.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), SyslogFault> {
        self.look().await?;
        let sending = async {
            self.bytes.write_all(bytes).await?;
            self.bytes.flush().await
        };
        match timeout(WRITE_TIME, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                // What the other side said before it hung up says more.
                let said = self.look().await;
                Err(match said {
                    Err(fault @ SyslogFault::Untrusted { .. }) => fault,
                    _ => SyslogFault::broken(&self.place, error),
                })
            }
            Err(_) => Err(SyslogFault::Slow {
                place: self.place.clone(),
                what: "take what it is sent",
                seconds: WRITE_TIME.as_secs(),
            }),
        }
    }

    /// Whether the other side is still there, as far as is known without waiting.
    pub(super) async fn look(&mut self) -> Result<(), SyslogFault> {
        let mut buffer = [0; READ_BYTES];
        for _ in 0..READS_MAX {
            let read = poll_fn(|context| {
                let mut buffer = ReadBuf::new(&mut buffer);
                Poll::Ready(match Pin::new(&mut self.bytes).poll_read(context, &mut buffer) {
                    Poll::Pending => None,
                    Poll::Ready(read) => Some(read.map(|()| buffer.filled().len())),
                })
            });
            match read.await {
                None => break,
                Some(Ok(0)) => return Err(SyslogFault::Closed(self.place.clone())),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(SyslogFault::broken(&self.place, error)),
            }
        }
        Ok(())
    }

    /// How many bytes were given to the system so far.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// How many of them the other side's system has; all of them where the system cannot be asked, none of a connection that is no more.
    pub(super) fn acknowledged(&self) -> u64 {
        match self.acknowledged.as_ref().map_or(Outstanding::Unknown, Acknowledged::outstanding) {
            Outstanding::Bytes(outstanding) => self.sent().saturating_sub(outstanding),
            // What was on its way when it ended is not known to have arrived; the next look says that it ended.
            Outstanding::Gone => 0,
            Outstanding::Unknown => self.sent(),
        }
    }

    /// Ends our side, and waits for the other to end its own: then it has read everything.
    pub(super) async fn close(&mut self) -> bool {
        let closing = async {
            self.bytes.shutdown().await?;
            self.end().await
        };
        match timeout(CLOSE_TIME, closing).await {
            Ok(Ok(())) => true,
            // rsyslog ends TCP and says nothing in TLS.
            Ok(Err(error)) => error.kind() == io::ErrorKind::UnexpectedEof,
            Err(_) => false,
        }
    }

    /// Waits for the other side's end.
    async fn end(&mut self) -> io::Result<()> {
        let mut buffer = [0; READ_BYTES];
        while self.bytes.read(&mut buffer).await? > 0 {}
        Ok(())
    }
}

impl Datagram {
    /// Whether a fault may be about messages that were sent before: over a network the system tells with a later one that nobody was there
    /// for an earlier one.
    pub(super) fn tells_of_earlier(&self, fault: &SyslogFault) -> bool {
        matches!((&self.socket, fault), (DatagramSocket::Udp(_), SyslogFault::Broken { .. }))
    }

    /// Sends one message, the item of that place.
    pub(super) async fn send(&mut self, message: &[u8], item: usize) -> Result<(), SyslogFault> {
        let sending = async {
            match &self.socket {
                DatagramSocket::Udp(socket) => socket.send(message).await,
                DatagramSocket::Unix(socket) => socket.send(message).await,
            }
        };
        let place = || self.place.clone();
        match timeout(WRITE_TIME, sending).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if Errno::from_io_error(&error) == Some(Errno::MSGSIZE) => {
                Err(SyslogFault::TooLong { place: place(), bytes: message.len(), item })
            }
            Ok(Err(error)) => Err(SyslogFault::broken(&self.place, error)),
            Err(_) => Err(SyslogFault::Slow {
                place: place(),
                what: "take what it is sent",
                seconds: WRITE_TIME.as_secs(),
            }),
        }
    }
}

/// Counts what is given to the system, with what TLS adds.
struct Counted<S> {
    inner: S,
    sent: Arc<AtomicU64>,
}

impl<S> Counted<S> {
    fn new(inner: S) -> Self {
        Self { inner, sent: Arc::default() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        if let Poll::Ready(Ok(count)) = &written {
            self.sent.fetch_add(*count as u64, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
