//! The command's side: says one thing to the daemon, if there is one.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use socket2::{Domain, SockAddr, Socket, Type};

use super::place::{self, TooLong};
use super::{Answer, Request};

/// How long a daemon may take to take a connection or a line: it waits for them.
const LINE_TIME: Duration = Duration::from_secs(5);
/// How long its answer is waited for: longer than it lets itself take.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// How long something takes that is only told, for the sake of a daemon that may be there.
const TELL_TIME: Duration = Duration::from_millis(500);
/// The longest answer: what became of [`REPLAY_IDS_MAX`](super::REPLAY_IDS_MAX) messages, with the reasons of those that stay.
const ANSWER_BYTES_MAX: u64 = 256 << 10;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No daemon listens there.
    #[error("no osel listens at `{0}` (OSEL_CONTROL__SOCKET names another socket)")]
    Absent(PathBuf),
    /// It cannot be a socket.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// One does, and does not listen to this user.
    #[error("no permission to give orders at `{0}`: run as root, as osel's user or in its group")]
    Denied(PathBuf),
    /// It cannot be spoken to.
    #[error("the osel at `{path}` cannot be spoken to")]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It went away before it answered.
    #[error(
        "the osel at `{0}` has ended the conversation before it answered: the trail says what became of it"
    )]
    Gone(PathBuf),
    /// It answers nothing that can be understood.
    #[error("the answer of the osel at `{0}` is not understood")]
    Garbled(PathBuf),
}

/// Gives an order and waits for what becomes of it.
///
/// # Errors
/// When there is nobody, or no answer. After [`ClientError::Io`] the order may have been taken.
pub fn ask(path: &Path, request: &Request) -> Result<Answer, ClientError> {
    Ok(Conversation::begin(path, request)?.1)
}

/// A conversation of more than one line: each is answered before the next.
pub struct Conversation {
    path: PathBuf,
    stream: BufReader<UnixStream>,
}

impl Conversation {
    /// Gives an order, and has the answer to it.
    ///
    /// # Errors
    /// When there is nobody, or no answer. After [`ClientError::Io`] the order may have been taken.
    pub fn begin(path: &Path, request: &Request) -> Result<(Self, Answer), ClientError> {
        let stream = connected(path, request, LINE_TIME)?;
        let mut this = Self { path: path.to_owned(), stream: BufReader::new(stream) };
        let answer = this.answer(ANSWER_TIME)?;
        Ok((this, answer))
    }

    /// Says a line more, and has the answer to it, which may take this long.
    ///
    /// # Errors
    /// When it cannot be said, or there is no answer.
    pub fn say(&mut self, line: &impl Serialize, time: Duration) -> Result<Answer, ClientError> {
        write_line(self.stream.get_mut(), line)
            .map_err(|source| ClientError::Io { path: self.path.clone(), source })?;
        self.answer(time)
    }

    fn answer(&mut self, time: Duration) -> Result<Answer, ClientError> {
        let failed = |source| ClientError::Io { path: self.path.clone(), source };
        self.stream.get_ref().set_read_timeout(Some(time)).map_err(failed)?;
        let mut text = Vec::new();
        // To the line end and no further: one that refused without reading has reset the connection behind it.
        (&mut self.stream).take(ANSWER_BYTES_MAX).read_until(b'\n', &mut text).map_err(failed)?;
        if text.is_empty() {
            return Err(ClientError::Gone(self.path.clone()));
        }
        serde_json::from_slice(&text).map_err(|_| ClientError::Garbled(self.path.clone()))
    }
}

/// Tells something that no answer is wanted to; one that is not there does not hear it.
pub fn tell(path: &Path, request: &Request) {
    // Nobody misses it but a daemon.
    let _ = connected(path, request, TELL_TIME);
}

fn connected(path: &Path, request: &Request, time: Duration) -> Result<UnixStream, ClientError> {
    place::check(path)?;
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::NotADirectory => {
            ClientError::Absent(path.to_owned())
        }
        io::ErrorKind::PermissionDenied => ClientError::Denied(path.to_owned()),
        _ => ClientError::Io { path: path.to_owned(), source },
    };
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
    let address = SockAddr::unix(path).map_err(failed)?;
    socket.connect_timeout(&address, time).map_err(failed)?;
    socket.set_write_timeout(Some(time)).map_err(failed)?;
    let mut stream = UnixStream::from(socket);
    write_line(&mut stream, request).map_err(|source| ClientError::Io { path: path.to_owned(), source })?;
    Ok(stream)
}

fn write_line(stream: &mut UnixStream, line: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(line)?;
    line.push(b'\n');
    // One that refuses before it has read may have closed: what it said says why.
    match stream.write_all(&line) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
