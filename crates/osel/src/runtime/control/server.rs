//! The daemon's side: takes the place of the socket, and one order from each connection.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener as BlockingListener, UnixStream as BlockingStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};

use super::import::{self, ImportStep};
use super::place::{self, TooLong};
use super::{Answer, Ask, Request, accounts, line};
use crate::telemetry::chain;

/// The owner and the group of the file give orders.
const MODE: u32 = 0o660;
/// How many orders are taken at once; more are told to come again. A person gives one.
pub(super) const CONNECTIONS_MAX: usize = 32;
/// How many connections may wait to be looked at, so that the refusal of one too many is told and not guessed.
const BACKLOG: i32 = 64;
/// The longest order: a reason of some hundred characters, each of them escaped.
const REQUEST_BYTES_MAX: usize = 16 << 10;
/// How long a client may take for its line, or to take ours: it has it ready.
const LINE_TIME: Duration = Duration::from_secs(5);
/// How long an order may take to become durable before its client is told that nobody knows.
const ANSWER_TIME: Duration = Duration::from_secs(15);
/// How long is waited before a place that could not be taken, or a socket that takes nobody, is tried again.
const RETRY_WAIT: Duration = Duration::from_secs(5);
/// How often it is looked whether the socket's file is still there: what clears folders of old files removes it, and then nobody finds us.
/// A person tries a command again after some seconds.
const LOOK_WAIT: Duration = Duration::from_secs(2);

/// Whom orders are given to.
pub trait Handler: Send + Sync {
    /// Takes an order of that user; the answer comes once it is durable.
    fn order(&self, actor: String, order: Ask) -> oneshot::Receiver<Answer>;

    /// Takes the next of the one inventory that is handed in at a time.
    fn import(&self, step: ImportStep) -> oneshot::Receiver<Answer>;
}

/// Why the place of the socket cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// It cannot be one.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// Somebody answers there.
    #[error("another process listens at `{path}`")]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something else is there.
    #[error("`{path}` is there and is no socket")]
    NoSocket {
        /// The file.
        path: PathBuf,
    },
    /// The system says no.
    #[error("cannot listen at `{path}`")]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The place of a socket, which is free again once this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    listener: UnixListener,
    path: PathBuf,
    /// Which file it is: another daemon may have put its own there meanwhile.
    file: (u64, u64),
}

impl Held {
    /// Whether the path leads to us.
    fn is_there(&self) -> bool {
        file_at(&self.path).is_ok_and(|file| file == self.file)
    }

    /// The next connection; none once the path does not lead to us any more.
    async fn next(&self) -> Option<io::Result<UnixStream>> {
        loop {
            match timeout(LOOK_WAIT, self.listener.accept()).await {
                Ok(accepted) => return Some(accepted.map(|(stream, _)| stream)),
                Err(_) if self.is_there() => {}
                Err(_) => return None,
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.is_there() {
            // Whoever comes next removes it if we cannot.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Takes orders for a store until the future is dropped. A place that cannot be taken now is tried again, since what is in the way may go:
/// a daemon without it records all the same. One that is taken from us is taken anew.
pub async fn serve(path: PathBuf, store: String, handler: Arc<dyn Handler>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let importing = Arc::new(Semaphore::new(1));
    let store: Arc<str> = store.into();
    while let Some(held) = hold_at_last(&path).await {
        while let Some(accepted) = held.next().await {
            let Ok(stream) = accepted else {
                // As when there are no more file descriptors.
                sleep(RETRY_WAIT).await;
                continue;
            };
            let place = Arc::clone(&places).try_acquire_owned();
            let (store, handler, importing) =
                (Arc::clone(&store), Arc::clone(&handler), Arc::clone(&importing));
            tokio::spawn(async move {
                let answer = match place {
                    Ok(_) => answer(&stream, &store, &handler, importing).await,
                    Err(_) => {
                        Some(Answer::Refused("too many orders are given at once: try again".to_owned()))
                    }
                };
                if let Some(answer) = answer {
                    // Who does not take the answer does not want it.
                    let _ = say(&stream, &answer).await;
                }
                drop(place);
            });
        }
        let path = path.display().to_string();
        tracing::warn!(path, "the socket for orders was removed and is made again");
    }
}

/// Takes the place once it can be taken; none when it never can. What is in the way is told once.
async fn hold_at_last(path: &Path) -> Option<Held> {
    let mut is_told = false;
    loop {
        match hold(path) {
            Ok(held) => return Some(held),
            Err(error) => {
                if !is_told {
                    let error = chain(&error);
                    tracing::error!(
                        error,
                        "no orders can be given to this osel: what changes something waits for its end"
                    );
                }
                is_told = true;
                if matches!(error, ControlError::TooLong(_)) {
                    return None;
                }
            }
        }
        sleep(RETRY_WAIT).await;
    }
}

/// What is said to a client; nothing to one that went away.
async fn answer(
    stream: &UnixStream,
    store: &str,
    handler: &Arc<dyn Handler>,
    importing: Arc<Semaphore>,
) -> Option<Answer> {
    let line = match timeout(LINE_TIME, line::read(stream, REQUEST_BYTES_MAX)).await {
        Ok(Ok(line)) => line?,
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
            return refused("an order is one line of at most 16 KiB");
        }
        Ok(Err(_)) => return None,
        Err(_) => return refused("the order took too long"),
    };
    let request: Request = match serde_json::from_slice(&line) {
        Ok(request) => request,
        Err(error) => return refused(&format!("not understood, as by an osel of another version: {error}")),
    };
    if request.store != store {
        return refused("this osel has another store");
    }
    let user = stream.peer_cred().ok()?.uid();
    let actor = tokio::task::spawn_blocking(move || accounts::name_of(user)).await.ok()?;
    match request.order {
        Ask::ImportInventory(begin) => match importing.try_acquire_owned() {
            Ok(place) => import::take(stream, begin, actor, Arc::clone(handler), place).await,
            Err(_) => refused("another inventory is being imported: try again when it has come to its end"),
        },
        order => Some(answered(handler.order(actor, order), ANSWER_TIME).await),
    }
}

/// What becomes of something that was given to the loop, within this time.
pub(super) async fn answered(answer: oneshot::Receiver<Answer>, time: Duration) -> Answer {
    let refused = match timeout(time, answer).await {
        Ok(Ok(answer)) => return answer,
        Ok(Err(_)) => "osel has ended before it was known whether the order is durable: the trail says",
        Err(_) => "the store has not taken the order yet, and may still: the trail says",
    };
    Answer::Refused(refused.to_owned())
}

/// Says a line; nothing when it is not taken.
pub(super) async fn say(stream: &UnixStream, answer: &Answer) -> Option<()> {
    let mut text = serde_json::to_vec(answer).ok()?;
    text.push(b'\n');
    timeout(LINE_TIME, line::write(stream, &text)).await.ok()?.ok()
}

pub(super) fn refused(why: &str) -> Option<Answer> {
    Some(Answer::Refused(why.to_owned()))
}

/// Listens at a place that nobody listens at. Who may connect is settled before anybody can.
pub(super) fn hold(path: &Path) -> Result<Held, ControlError> {
    place::check(path)?;
    let failed = |source| ControlError::Io { path: path.to_owned(), source };
    make_free(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
    SockAddr::unix(path).and_then(|address| socket.bind(&address)).map_err(failed)?;
    fs::set_permissions(path, Permissions::from_mode(MODE)).map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    socket.listen(BACKLOG).map_err(failed)?;
    let listener = UnixListener::from_std(BlockingListener::from(socket)).map_err(failed)?;
    Ok(Held { listener, path: path.to_owned(), file: file_at(path).map_err(failed)? })
}

/// Removes the socket that a killed daemon has left.
fn make_free(path: &Path) -> Result<(), ControlError> {
    let failed = |source| ControlError::Io { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(ControlError::NoSocket { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    match BlockingStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error)),
        Ok(_) => Err(ControlError::InUse { path: path.to_owned() }),
    }
}

fn file_at(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}
