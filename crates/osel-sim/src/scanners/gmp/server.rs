//! The server: connections, requests one after the other, and the failures of the line.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{oneshot, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::command::{self, Session};
use super::fault::{Fault, What};
use super::hosts::Host;
use super::options::Options;
use super::state::{State, Status};
use super::xml::{self, Element};

/// The largest request that is read: a target of four thousand hosts has some hundred thousand bytes.
const REQUEST_BYTES_MAX: usize = 1024 * 1024;
/// How much is read at once.
const READ_BYTES: usize = 16 * 1024;

/// Where the manager listens.
#[derive(Clone, Debug)]
pub enum Place {
    /// At a unix socket.
    Socket(PathBuf),
    /// At a free port of this address, with TLS.
    Tls(SocketAddr, Arc<ServerConfig>),
}

/// What a hook is told of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The how many-th request it is, from 1.
    pub number: u64,
    /// Its command.
    pub command: String,
    /// Whether it had its effect, and is about to be answered.
    pub is_done: bool,
}

type Hook = Box<dyn FnMut(&Moment) + Send>;

/// A simulated manager in a thread of its own; it ends with this value.
pub struct Gvmd {
    /// Where it listens, if not at a unix socket.
    pub address: Option<SocketAddr>,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    hook: Mutex<Option<Hook>>,
    /// How often it was restarted; connections end with each.
    restarts: watch::Sender<u64>,
}

enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener, TlsAcceptor),
}

impl Gvmd {
    /// Listens there, with these hosts to be found.
    ///
    /// # Errors
    /// What the system says where it cannot listen there or make a thread.
    pub fn start(place: &Place, hosts: Vec<Host>, options: Options) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // Without waiting, so that it can be started from within another runtime.
        let entered = runtime.enter();
        let (listener, address) = match place {
            Place::Socket(path) => (Listener::Unix(UnixListener::bind(path)?), None),
            Place::Tls(address, config) => {
                let listener = std::net::TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                let address = listener.local_addr()?;
                (Listener::Tcp(TcpListener::from_std(listener)?, Arc::clone(config).into()), Some(address))
            }
        };
        drop(entered);
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(hosts, options)),
            hook: Mutex::default(),
            restarts: watch::Sender::new(0),
        });
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("simulated-gvmd".to_owned()).spawn(move || {
            runtime.block_on(serve(served, listener, stopped));
            runtime.shutdown_background();
        })?;
        Ok(Self { address, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Changes how it is set up.
    pub fn adjust(&self, change: impl FnOnce(&mut Options)) {
        change(&mut self.shared.state().options);
    }

    /// From now on this goes wrong.
    pub fn fail(&self, fault: Fault) {
        self.shared.state().faults.push(fault);
    }

    /// From now on nothing goes wrong.
    pub fn heal(&self) {
        self.shared.state().faults.clear();
    }

    /// Calls this before and after each request has its effect. It may not be called from there again.
    pub fn hook(&self, hook: impl FnMut(&Moment) + Send + 'static) {
        *self.shared.hook.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(hook));
    }

    /// Ends all connections, and breaks off what is under way.
    pub fn restart(&self) {
        self.shared.state().restart();
        self.shared.restarts.send_modify(|count| *count += 1);
    }

    /// Puts every task of that name into a state.
    pub fn set_status(&self, name: &str, status: Status) {
        self.shared
            .state()
            .tasks
            .iter_mut()
            .filter(|task| task.name == name)
            .for_each(|task| task.status = status);
    }

    /// Puts another task of that name beside the first, as a request does whose answer was never awaited.
    pub fn double_task(&self, name: &str) {
        let mut state = self.shared.state();
        let id = state.random.uuid();
        let double = state.tasks.iter().find(|task| task.name == name).cloned();
        state.tasks.extend(double.map(|task| super::state::Task {
            id,
            status: Status::New,
            report: None,
            ..task
        }));
    }

    /// Somebody deletes every task of that name.
    pub fn delete_tasks(&self, name: &str) {
        self.shared.state().tasks.retain(|task| task.name != name);
    }

    /// The names of the scans that were begun, in order; one that was resumed is named again with ` resumed` behind it.
    pub fn begun(&self) -> Vec<String> {
        self.shared.state().begun.clone()
    }

    /// Names and states of all tasks.
    pub fn tasks(&self) -> Vec<(String, Status)> {
        self.shared.state().tasks.iter().map(|task| (task.name.clone(), task.status)).collect()
    }

    /// The names of all targets, with their hosts and how it is found whether they are alive.
    pub fn targets(&self) -> Vec<(String, String, String)> {
        let hosts =
            |hosts: &[std::net::IpAddr]| hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let state = self.shared.state();
        state
            .targets
            .iter()
            .map(|target| (target.name.clone(), hosts(&target.hosts), target.alive_tests.clone()))
            .collect()
    }

    /// The names of all port lists that were made, with their ranges.
    pub fn port_lists(&self) -> Vec<(String, String)> {
        let range = |&(transport, first, last): &(char, u16, u16)| format!("{transport}:{first}-{last}");
        let state = self.shared.state();
        let made = state.port_lists.iter().skip(1);
        made.map(|list| (list.name.clone(), list.ranges.iter().map(range).collect::<Vec<_>>().join(",")))
            .collect()
    }

    /// The commands that came, in order.
    pub fn commands(&self) -> Vec<String> {
        self.shared.state().commands.clone()
    }
}

impl Drop for Gvmd {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Nobody hears it where the thread is gone, and then it need not.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // A panic of it was told when it happened.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, moment: &Moment) {
        if let Some(hook) = self.hook.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            hook(moment);
        }
    }
}

async fn serve(shared: Arc<Shared>, listener: Listener, mut stopped: oneshot::Receiver<()>) {
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            () = accept(&shared, &listener) => {}
        }
    }
}

async fn accept(shared: &Arc<Shared>, listener: &Listener) {
    let shared = Arc::clone(shared);
    match listener {
        Listener::Unix(listener) => {
            let Ok((stream, _)) = listener.accept().await else { return };
            tokio::spawn(connection(shared, stream));
        }
        Listener::Tcp(listener, tls) => {
            let Ok((stream, _)) = listener.accept().await else { return };
            let tls = tls.clone();
            tokio::spawn(async move {
                if let Ok(stream) = tls.accept(stream).await {
                    connection(shared, stream).await;
                }
            });
        }
    }
}

async fn connection(shared: Arc<Shared>, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut restarts = shared.restarts.subscribe();
    tokio::select! {
        _ = restarts.changed() => {}
        // How a connection ends is the client's affair, or the fault that was wanted.
        _ = talk(&shared, &mut stream) => {}
    }
}

async fn talk(shared: &Shared, stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
    let (mut buffer, mut session) = (Vec::new(), Session::default());
    while let Some(request) = next(stream, &mut buffer).await? {
        let (number, wrong, late, piece) = {
            let mut state = shared.state();
            let wrong = state.note(&request.name);
            let late_max = u64::try_from(state.options.latency_max.as_micros()).unwrap_or(u64::MAX);
            let late = Duration::from_micros(state.random.below(late_max));
            (state.requests, wrong, late, state.options.piece_bytes)
        };
        shared.tell(&Moment { number, command: request.name.clone(), is_done: false });
        tokio::time::sleep(late).await;
        let instead = match &wrong {
            Some(What::CutBefore) => return Ok(()),
            Some(What::Status(status, text)) => Some(command::plain(&request.name, *status, text)),
            Some(What::Instead(text)) => Some(text.clone()),
            Some(What::Endless(begin, again)) => return endless(stream, begin, again).await,
            _ => None,
        };
        let answer = instead.unwrap_or_else(|| command::answer(&mut shared.state(), &mut session, &request));
        shared.tell(&Moment { number, command: request.name.clone(), is_done: true });
        match wrong {
            Some(What::CutAfter) => return Ok(()),
            Some(What::CutHalf) => return stream.write_all(&answer.as_bytes()[..answer.len() / 2]).await,
            Some(What::Hang) => std::future::pending().await,
            Some(What::Drip(apart)) => {
                for byte in answer.as_bytes() {
                    stream.write_all(&[*byte]).await?;
                    stream.flush().await?;
                    tokio::time::sleep(apart).await;
                }
            }
            _ => {
                for part in answer.as_bytes().chunks(piece.unwrap_or(usize::MAX).max(1)) {
                    stream.write_all(part).await?;
                    stream.flush().await?;
                }
            }
        }
    }
    Ok(())
}

/// The next request; none where the client has gone, or says what is no request.
async fn next(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> io::Result<Option<Element>> {
    loop {
        match xml::first(buffer) {
            Ok(Some((element, taken))) => {
                buffer.drain(..taken);
                return Ok(Some(element));
            }
            Ok(None) if buffer.len() <= REQUEST_BYTES_MAX => {}
            _ => return Ok(None),
        }
        let mut piece = vec![0; READ_BYTES];
        let count = stream.read(&mut piece).await?;
        if count == 0 {
            return Ok(None);
        }
        buffer.extend_from_slice(&piece[..count]);
    }
}

async fn endless(stream: &mut (impl AsyncWrite + Unpin), begin: &str, again: &str) -> io::Result<()> {
    stream.write_all(begin.as_bytes()).await?;
    let many = again.repeat(READ_BYTES / again.len().max(1) + 1);
    loop {
        stream.write_all(many.as_bytes()).await?;
    }
}
