//! How much of what was sent the other side's TCP has not acknowledged.
//!
//! The system tells by `sock_diag(7)`, which needs no privilege: what it says is what `ss` shows as `Send-Q`. Where netlink is not to be
//! had, nothing is known, and the time that a connection stood has to do.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

/// `AF_NETLINK`, `NETLINK_SOCK_DIAG`, `SOCK_DIAG_BY_FAMILY`, `NLM_F_REQUEST`: of `linux/netlink.h` and `linux/sock_diag.h`.
const NETLINK: i32 = 16;
const SOCK_DIAG: i32 = 4;
const BY_FAMILY: u16 = 20;
const IS_REQUEST: u16 = 1;
/// `NLMSG_ERROR` of `linux/netlink.h`, and `ENOENT` as an answer has it.
const IS_ERROR: u16 = 2;
const NO_ENTRY: i32 = -2;
/// `AF_INET`, `AF_INET6` and `IPPROTO_TCP`.
const INET: u8 = 2;
const INET6: u8 = 10;
const TCP: u8 = 6;
/// The header of a message, and the question with it (`inet_diag_req_v2`).
const HEADER_BYTES: usize = 16;
const REQUEST_BYTES: u32 = 72;
/// Where an answer (`inet_diag_msg`) has `idiag_wqueue`.
const QUEUE_AT: usize = HEADER_BYTES + 60;
/// An answer with nothing that was not asked for has half of that.
const ANSWER_BYTES: usize = 256;

/// What the system says of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outstanding {
    /// So many bytes are not acknowledged.
    Bytes(u64),
    /// There is no such connection any more.
    Gone,
    /// It says nothing just now.
    Unknown,
}

/// Asks the system about one connection.
#[derive(Debug)]
pub(super) struct Acknowledged {
    netlink: Socket,
    request: Vec<u8>,
}

impl Acknowledged {
    /// Of the connection between these, which stands.
    ///
    /// # Errors
    /// When the system cannot be asked: of a connection that it does not know one that stands cannot be told from one that is gone.
    pub(super) fn of(local: SocketAddr, peer: SocketAddr) -> io::Result<Self> {
        let netlink = Socket::new(Domain::from(NETLINK), Type::DGRAM, Some(Protocol::from(SOCK_DIAG)))?;
        // The answer is there when the question was taken.
        netlink.set_nonblocking(true)?;
        let this = Self { netlink, request: request(local, peer) };
        match this.outstanding() {
            Outstanding::Bytes(_) => Ok(this),
            Outstanding::Gone | Outstanding::Unknown => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// How many bytes are not acknowledged.
    pub(super) fn outstanding(&self) -> Outstanding {
        self.asked().unwrap_or(Outstanding::Unknown)
    }

    fn asked(&self) -> Option<Outstanding> {
        let mut answer = [0; ANSWER_BYTES];
        self.netlink.send(&self.request).ok()?;
        let length = (&self.netlink).read(&mut answer).ok()?;
        let answer = answer.get(..length)?;
        let four = |at: usize| answer.get(at..at + 4)?.try_into().ok();
        match u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?) {
            BY_FAMILY => Some(Outstanding::Bytes(u32::from_ne_bytes(four(QUEUE_AT)?).into())),
            IS_ERROR => (i32::from_ne_bytes(four(HEADER_BYTES)?) == NO_ENTRY).then_some(Outstanding::Gone),
            _ => None,
        }
    }
}

fn request(local: SocketAddr, peer: SocketAddr) -> Vec<u8> {
    let mut request = Vec::with_capacity(REQUEST_BYTES as usize);
    // struct nlmsghdr: length, type, flags, sequence, port.
    request.extend(REQUEST_BYTES.to_ne_bytes());
    request.extend(BY_FAMILY.to_ne_bytes());
    request.extend(IS_REQUEST.to_ne_bytes());
    request.extend([0; 8]);
    // Family, protocol, no extensions, padding; any state.
    request.extend([if local.is_ipv4() { INET } else { INET6 }, TCP, 0, 0]);
    request.extend(u32::MAX.to_ne_bytes());
    // struct inet_diag_sockid: ports and addresses as they are on the wire, any interface, no cookie.
    request.extend(local.port().to_be_bytes());
    request.extend(peer.port().to_be_bytes());
    for address in [local.ip(), peer.ip()] {
        match address {
            IpAddr::V4(address) => {
                request.extend(address.octets());
                request.extend([0; 12]);
            }
            IpAddr::V6(address) => request.extend(address.octets()),
        }
    }
    request.extend([0; 4]);
    request.extend([0xff; 8]);
    request
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn what_nobody_reads_is_not_acknowledged_for_ever() {
        for listen in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(listen).unwrap();
            let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (mut reader, _) = listener.accept().unwrap();
            let acknowledged =
                Acknowledged::of(stream.local_addr().unwrap(), stream.peer_addr().unwrap()).unwrap();
            assert_eq!(acknowledged.outstanding(), Outstanding::Bytes(0));
            stream.set_nonblocking(true).unwrap();
            let mut sent = 0;
            while let Ok(count) = stream.write(&[0; 65_536]) {
                sent += count;
            }
            assert!(matches!(acknowledged.outstanding(), Outstanding::Bytes(1..)));
            let mut read = vec![0; sent];
            reader.read_exact(&mut read).unwrap();
            // The last acknowledgement may be on its way.
            while acknowledged.outstanding() != Outstanding::Bytes(0) {
                std::thread::yield_now();
            }
            // One that never was cannot be asked about.
            let (own, peer) = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
            assert!(Acknowledged::of(own, own).is_err());
            assert!(Acknowledged::of(own, peer).is_ok());
            // What the other side had not read ends the connection at once, and not in order.
            stream.set_nonblocking(false).unwrap();
            stream.write_all(b"unread").unwrap();
            while reader.peek(&mut [0]).unwrap() == 0 {}
            drop(reader);
            while acknowledged.outstanding() != Outstanding::Gone {
                std::thread::yield_now();
            }
        }
    }
}
