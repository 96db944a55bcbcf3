//! One probe: makes a socket, begins a connect or sends datagrams, and reads a verdict from what the system
//! says.
//!
//! Nothing waits here. On Linux a second `connect` on a connecting socket tells in one call what became of
//! the first: success, refusal, or still under way. It is made at once after the first, because on loopback
//! and near networks the answer arrives while the first call still runs, and no timer or poller is needed
//! then. It also leaves a refused socket as good as new, so that the next probe can have it: making and
//! closing sockets is nearly half the cost of a probe of a closed port.
//!
//! An error of the *first* `connect` or `send` is our own system's and means that nothing was sent; an error
//! afterwards came from the network.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};

use super::outcome::{NotProbed, Protocol};
use super::payload;

/// Room for the start of an answer; only that there is one counts.
const ANSWER_LENGTH: usize = 64;
/// Refused sockets kept for the next probes of a family. More are of use only in the moment when a whole wave
/// of distant ports refuses at once.
const MAX_SPARE: usize = 64;
/// Whether a refused socket may connect again. Linux says so; elsewhere its state is unspecified (POSIX
/// `connect`).
const REUSABLE: bool = cfg!(target_os = "linux");

/// What a probe has come to so far.
#[derive(Debug)]
pub(super) enum Step {
    /// An answer, for good or ill.
    Answered(Answer),
    /// The probe is out; the socket will become ready, or not.
    Waiting(Socket),
    /// Nothing was sent.
    NotSent(NotProbed),
}

/// An answer from the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A connection or a datagram came back. `local` is our end of it.
    Open { local: Option<SocketAddr> },
    /// Nothing listens.
    Closed,
    /// Something on the way refuses to pass it on.
    Filtered,
    /// Our own socket met itself: the local port chosen for it happened to be the one it probed.
    Itself,
}

/// Makes the sockets of a scan, and keeps refused ones for reuse.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    spare_ipv4: Vec<Socket>,
    spare_ipv6: Vec<Socket>,
}

impl Sockets {
    /// Begins one attempt.
    pub(super) fn start(&mut self, protocol: Protocol, to: SocketAddr) -> Step {
        match protocol {
            Protocol::Tcp => self.start_tcp(to),
            Protocol::Udp => start_udp(to),
        }
    }

    /// Takes back the socket of a TCP probe that was answered, to use it again if it can be.
    pub(super) fn give_back(&mut self, to: SocketAddr, socket: Socket, answer: Answer) {
        let spare = if to.is_ipv4() { &mut self.spare_ipv4 } else { &mut self.spare_ipv6 };
        if REUSABLE && answer == Answer::Closed && spare.len() < MAX_SPARE {
            spare.push(socket);
        }
    }

    /// Closes the sockets kept; for when descriptors are short.
    pub(super) fn release(&mut self) {
        self.spare_ipv4.clear();
        self.spare_ipv6.clear();
    }

    fn start_tcp(&mut self, to: SocketAddr) -> Step {
        let spare = if to.is_ipv4() { self.spare_ipv4.pop() } else { self.spare_ipv6.pop() };
        let socket = match spare.map_or_else(|| new_socket(to, Type::STREAM), Ok) {
            Ok(socket) => socket,
            Err(error) => return Step::NotSent(errno(&error).into()),
        };
        let answer = match socket.connect(&SockAddr::from(to)) {
            Ok(()) => Some(connected(to, &socket)),
            Err(error) => match errno(&error) {
                Errno::INPROGRESS | Errno::INTR => check_tcp(to, &socket),
                Errno::CONNREFUSED => Some(Answer::Closed),
                errno => return Step::NotSent(errno.into()),
            },
        };
        match answer {
            Some(answer) => {
                self.give_back(to, socket, answer);
                Step::Answered(answer)
            }
            None => Step::Waiting(socket),
        }
    }
}

/// Looks at a probe that was [`Step::Waiting`]: its answer, or nothing yet.
pub(super) fn check(protocol: Protocol, to: SocketAddr, socket: &Socket) -> Option<Answer> {
    match protocol {
        Protocol::Tcp => check_tcp(to, socket),
        Protocol::Udp => check_udp(socket),
    }
}

fn new_socket(to: SocketAddr, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(to), kind, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The number of a system error; errors without one do not come from sockets.
fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::INVAL)
}

fn check_tcp(to: SocketAddr, socket: &Socket) -> Option<Answer> {
    let error = match socket.connect(&SockAddr::from(to)) {
        Ok(()) => return Some(connected(to, socket)),
        Err(error) => errno(&error),
    };
    match error {
        Errno::ISCONN => Some(connected(to, socket)),
        Errno::ALREADY | Errno::INPROGRESS | Errno::INTR => None,
        // Our system itself gave up, which is silence; the timeout says when that is long enough.
        Errno::TIMEDOUT => None,
        Errno::CONNREFUSED => Some(Answer::Closed),
        // The connection stood, and was reset before we looked: a listener that slams the door is a listener.
        Errno::CONNRESET | Errno::PIPE => Some(Answer::Open { local: None }),
        _ => Some(Answer::Filtered),
    }
}

/// Closes an accepted connection with a reset instead of leaving thousands of sockets in TIME_WAIT, and tells
/// whether the other end is somebody else.
fn connected(to: SocketAddr, socket: &Socket) -> Answer {
    let local = local_address(socket);
    // Without it the connection ends politely, which is only slower.
    let _ = socket.set_linger(Some(Duration::ZERO));
    if local.is_some_and(|local| is_itself(local, to)) { Answer::Itself } else { Answer::Open { local } }
}

fn start_udp(to: SocketAddr) -> Step {
    match send_datagrams(to) {
        Ok((socket, Some(answer))) => {
            drop(socket);
            Step::Answered(answer)
        }
        Ok((socket, None)) => Step::Waiting(socket),
        Err(reason) => Step::NotSent(reason),
    }
}

/// Sends one attempt's datagrams from a connected socket, which is how refusals come back to it.
fn send_datagrams(to: SocketAddr) -> Result<(Socket, Option<Answer>), NotProbed> {
    let local_error = |error: io::Error| NotProbed::from(errno(&error));
    let socket = new_socket(to, Type::DGRAM).map_err(local_error)?;
    socket.connect(&SockAddr::from(to)).map_err(local_error)?;
    if local_address(&socket).is_some_and(|local| is_itself(local, to)) {
        return Ok((socket, Some(Answer::Itself)));
    }
    for (already_sent, datagram) in payload::datagrams(to.port()).iter().enumerate() {
        if let Err(error) = socket.send(datagram) {
            match (already_sent, answer_of_error(errno(&error))) {
                // The answer to an earlier datagram is told by the next call on the socket.
                (1.., Some(answer)) => return Ok((socket, Some(answer))),
                (1.., None) => break,
                (0, _) => return Err(local_error(error)),
            }
        }
    }
    let answer = check_udp(&socket);
    Ok((socket, answer))
}

fn check_udp(mut socket: &Socket) -> Option<Answer> {
    match socket.read(&mut [0; ANSWER_LENGTH]).map(|_length| ()) {
        Ok(()) => Some(Answer::Open { local: local_address(socket) }),
        Err(error) => answer_of_error(errno(&error)),
    }
}

/// What an error on a UDP socket says about a datagram that was sent; nothing when it says nothing.
fn answer_of_error(error: Errno) -> Option<Answer> {
    match error {
        Errno::CONNREFUSED => Some(Answer::Closed),
        Errno::HOSTUNREACH
        | Errno::NETUNREACH
        | Errno::HOSTDOWN
        | Errno::NONET
        | Errno::ACCESS
        | Errno::PERM
        | Errno::PROTO
        | Errno::NOPROTOOPT
        | Errno::OPNOTSUPP => Some(Answer::Filtered),
        _ => None,
    }
}

fn local_address(socket: &Socket) -> Option<SocketAddr> {
    socket.local_addr().ok()?.as_socket()
}

/// Whether a socket's own address is the one it was sent to. Connecting to the unspecified address reaches
/// loopback.
fn is_itself(local: SocketAddr, to: SocketAddr) -> bool {
    local.port() == to.port() && (local.ip() == to.ip() || to.ip().is_unspecified())
}

/// Whether the far end is on this machine, as far as a connection's own address tells.
pub(super) fn is_own_machine(local: SocketAddr, to: IpAddr) -> bool {
    local.ip() == to || to.is_loopback() || to.is_unspecified()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    /// An address of loopback that nothing listens on: bound, noted and freed again.
    fn refused(address: &str) -> SocketAddr {
        TcpListener::bind((address, 0)).unwrap().local_addr().unwrap()
    }

    fn answer(step: Step) -> Answer {
        match step {
            Step::Answered(answer) => answer,
            other => panic!("loopback answers at once, this is {other:?}"),
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn loopback_answers_within_the_call_and_a_refused_socket_is_used_again() {
        let mut sockets = Sockets::default();
        let listener = TcpListener::bind(("127.0.0.2", 0)).unwrap();
        let listening = listener.local_addr().unwrap();
        for _ in 0..3 {
            assert_eq!(answer(sockets.start(Protocol::Tcp, refused("127.0.0.2"))), Answer::Closed);
            assert_eq!(sockets.spare_ipv4.len(), 1);
        }
        assert!(matches!(answer(sockets.start(Protocol::Tcp, listening)), Answer::Open { local: Some(_) }));
        assert!(sockets.spare_ipv4.is_empty());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_socket_that_meets_itself_is_not_a_listener() {
        // Bound to the port it connects to: what happens by chance when the system picks that port.
        let to = refused("127.0.0.1");
        let socket = new_socket(to, Type::STREAM).unwrap();
        socket.bind(&SockAddr::from(to)).unwrap();
        let mut sockets = Sockets { spare_ipv4: vec![socket], ..Sockets::default() };
        assert_eq!(answer(sockets.start(Protocol::Tcp, to)), Answer::Itself);
    }

    #[test]
    fn a_udp_port_is_refused_silent_or_answering() {
        let mut sockets = Sockets::default();
        let server = UdpSocket::bind("127.0.0.2:0").unwrap();
        let to = server.local_addr().unwrap();
        let Step::Waiting(socket) = sockets.start(Protocol::Udp, to) else { panic!("silent, so it waits") };
        assert_eq!(check(Protocol::Udp, to, &socket), None);
        let (_, from) = server.recv_from(&mut [0; 8]).unwrap();
        server.send_to(b"", from).unwrap();
        assert!(matches!(check(Protocol::Udp, to, &socket), Some(Answer::Open { .. })));
        drop(server);
        let closed = match sockets.start(Protocol::Udp, to) {
            Step::Answered(answer) => Some(answer),
            Step::Waiting(socket) => check(Protocol::Udp, to, &socket),
            Step::NotSent(reason) => panic!("{reason}"),
        };
        assert_eq!(closed, Some(Answer::Closed));
    }

    #[test]
    fn what_cannot_be_sent_is_not_an_answer() {
        let mut sockets = Sockets::default();
        let broadcast: SocketAddr = "255.255.255.255:9".parse().unwrap();
        assert!(matches!(sockets.start(Protocol::Tcp, broadcast), Step::NotSent(_)));
        assert!(matches!(sockets.start(Protocol::Udp, broadcast), Step::NotSent(NotProbed::NotPermitted)));
    }
}
