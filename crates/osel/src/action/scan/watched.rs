//! A socket that waits under the runtime's poller for the answer to its probe.

use std::io;
use std::task::{Context, Poll, Waker};

use socket2::{SockRef, Socket};
use tokio::io::Interest;
use tokio::net::{TcpStream, UdpSocket};

use super::outcome::Protocol;

/// Looks at a socket per wake-up; a datagram socket that saw an error may claim to be ready for ever.
const MAX_LOOKS: usize = 4;

/// The socket of a probe that is out.
#[derive(Debug)]
pub(super) enum Watched {
    Tcp(TcpStream),
    Udp(UdpSocket),
}

impl Watched {
    /// Puts a socket, already connecting or connected, under the poller of the current runtime.
    ///
    /// # Errors
    /// When the system has no room for one more.
    pub(super) fn new(protocol: Protocol, socket: Socket) -> io::Result<Self> {
        match protocol {
            Protocol::Tcp => TcpStream::from_std(socket.into()).map(Self::Tcp),
            Protocol::Udp => UdpSocket::from_std(socket.into()).map(Self::Udp),
        }
    }

    /// Asks `check` whether there is an answer if the socket is ready; if not, `waker` is woken as soon as it
    /// is.
    pub(super) fn look<A>(&self, waker: &Waker, mut check: impl FnMut(&Socket) -> Option<A>) -> Option<A> {
        let context = &mut Context::from_waker(waker);
        for _ in 0..MAX_LOOKS {
            // A refusal of a datagram is an error, which tokio counts as being ready to write.
            let (read, write) = match self {
                Self::Tcp(stream) => (Poll::Pending, stream.poll_write_ready(context)),
                Self::Udp(socket) => (socket.poll_recv_ready(context), socket.poll_send_ready(context)),
            };
            let mut is_ready = false;
            for (side, interest) in [(read, Interest::READABLE), (write, Interest::WRITABLE)] {
                // An error here means that the runtime shuts down: the timeout, or the end of the scan, comes
                // next.
                if let Poll::Ready(Ok(())) = side {
                    is_ready = true;
                    if let Ok(answer) = self.checked(interest, &mut check) {
                        return Some(answer);
                    }
                }
            }
            if !is_ready {
                return None;
            }
        }
        None
    }

    /// Asks `check` whether there is an answer, whatever the poller knows by now.
    pub(super) fn look_now<A>(&self, check: impl FnOnce(&Socket) -> Option<A>) -> Option<A> {
        match self {
            Self::Tcp(stream) => check(&SockRef::from(stream)),
            Self::Udp(socket) => check(&SockRef::from(socket)),
        }
    }

    /// Calls `check`; where it finds nothing the readiness is forgotten, so that only what happens later
    /// wakes again.
    fn checked<A>(&self, interest: Interest, check: impl FnOnce(&Socket) -> Option<A>) -> io::Result<A> {
        let nothing = || io::Error::from(io::ErrorKind::WouldBlock);
        match self {
            Self::Tcp(stream) => {
                stream.try_io(interest, || check(&SockRef::from(stream)).ok_or_else(nothing))
            }
            Self::Udp(socket) => {
                socket.try_io(interest, || check(&SockRef::from(socket)).ok_or_else(nothing))
            }
        }
    }

    /// The socket, no longer watched; nothing when that fails and it is closed.
    pub(super) fn into_socket(self) -> Option<Socket> {
        match self {
            Self::Tcp(stream) => stream.into_std().ok().map(Socket::from),
            Self::Udp(socket) => socket.into_std().ok().map(Socket::from),
        }
    }
}
