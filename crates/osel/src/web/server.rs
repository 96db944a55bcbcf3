//! The listening socket, its connections and their bounds, and which page answers what.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::log::{self, OpenReader};
use super::{health, metrics};
use crate::runtime::service::ServiceStatus;

/// How many connections are open at one time: those who watch are a few. For the next one, that which has been quiet for the longest goes, so
/// that no number of open connections keeps anybody from asking whether osel is alive.
const CONNECTIONS_MAX: usize = 64;
/// How long a client may take to send the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// The largest head of a request.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// The most fields of a head.
const FIELDS_MAX: usize = 64;
/// After so long a connection ends, whatever it does: who reads an answer a byte a minute does not keep it.
const CONNECTION_TIME: Duration = Duration::from_secs(120);
/// How long an address that cannot be had is left alone.
const LISTEN_WAIT: Duration = Duration::from_secs(10);
/// How long nothing is accepted after that failed: the process has no more files until some are closed.
const ACCEPT_WAIT: Duration = Duration::from_secs(1);

/// Answers on this address until its task is dropped, with the log of the store that `log` opens, if it is to be served. An address that
/// cannot be had is told once and waited for.
pub async fn serve(
    address: SocketAddr,
    status: watch::Receiver<ServiceStatus>,
    log: Option<OpenReader>,
) -> Infallible {
    listen(address, pages(status, log)).await
}

/// Answers with these pages on this address until its task is dropped. An address that cannot be had is told once and waited for.
async fn listen(address: SocketAddr, pages: Router) -> Infallible {
    let mut is_told = false;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => {
                let bound = listener.local_addr().unwrap_or(address);
                tracing::info!(address = %bound, "HTTP answers");
                return serve_on(&listener, &pages).await;
            }
            Err(error) if !is_told => {
                is_told = true;
                let (address, error) = (address.to_string(), error.to_string());
                tracing::error!(address, error, "HTTP cannot listen: trying on, all else goes on without it");
            }
            Err(_) => {}
        }
        sleep(LISTEN_WAIT).await;
    }
}

/// Which page answers what; other methods than GET and HEAD are refused.
fn pages(status: watch::Receiver<ServiceStatus>, log: Option<OpenReader>) -> Router {
    let pages = Router::new()
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::page))
        .with_state(status);
    match log {
        Some(open) => pages.merge(log::pages(open)),
        None => pages,
    }
}

/// Answers with these pages to whoever connects.
pub(super) async fn serve_on(listener: &TcpListener, pages: &Router) -> Infallible {
    let mut open = Connections::default();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => open.begin(stream, pages.clone()),
                // One that was given up before it was accepted is of no matter.
                Err(error) if is_of_one(&error) => {}
                Err(_) => sleep(ACCEPT_WAIT).await,
            },
            Some(ended) = open.tasks.join_next_with_id() => {
                let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                open.known.retain(|known| known.task.id() != id);
            }
        }
    }
}

/// The connections that are open, and which of them was heard of when.
#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    known: Vec<Known>,
    /// Counts what happens in all of them: the lower a connection's number, the longer it has been quiet.
    turn: Arc<AtomicU64>,
}

struct Known {
    task: AbortHandle,
    /// The turn in which it was accepted or last answered; [`BUSY`] while it is answered.
    heard: Arc<AtomicU64>,
}

/// No connection is quiet for a shorter time than one whose request is answered just now.
const BUSY: u64 = u64::MAX;

impl Connections {
    /// Answers a new one, for which another one may have to go.
    fn begin(&mut self, stream: TcpStream, pages: Router) {
        if self.known.len() >= CONNECTIONS_MAX {
            let heard = |known: &Known| known.heard.load(Ordering::Relaxed);
            // Of those that are busy the oldest, which stands first.
            let quiet = (0..self.known.len()).min_by_key(|&at| self.known.get(at).map(heard));
            if let Some(at) = quiet {
                self.known.remove(at).task.abort();
            }
        }
        let turn = Arc::clone(&self.turn);
        let heard = Arc::new(AtomicU64::new(turn.fetch_add(1, Ordering::Relaxed)));
        let of_answers = Arc::clone(&heard);
        let task = self.tasks.spawn(async move {
            // Whether it went well is the client's to see.
            let _ = timeout(CONNECTION_TIME, answer(stream, pages, turn, of_answers)).await;
        });
        self.known.push(Known { task, heard });
    }
}

fn is_of_one(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn answer(
    stream: TcpStream,
    pages: Router,
    turn: Arc<AtomicU64>,
    heard: Arc<AtomicU64>,
) -> Result<(), hyper::Error> {
    let pages = TowerToHyperService::new(pages);
    let answers = service_fn(move |request: hyper::Request<Incoming>| {
        heard.store(BUSY, Ordering::Relaxed);
        let (turn, heard, answered) = (Arc::clone(&turn), Arc::clone(&heard), pages.call(request));
        async move {
            let answered = answered.await;
            heard.store(turn.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
            answered
        }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(FIELDS_MAX)
        .serve_connection(TokioIo::new(stream), answers)
        .await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// For what takes a moment; a machine may be busy. Less than after what a connection is ended.
    const LIMIT: Duration = Duration::from_secs(30);

    /// Asks for a page and leaves the connection open.
    async fn ask(address: SocketAddr, page: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("GET {page} HTTP/1.1\r\nhost: osel\r\n\r\n").as_bytes()).await.unwrap();
        stream
    }

    #[tokio::test]
    async fn however_many_connections_are_open_the_next_one_is_answered() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let begun = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&begun);
        // Neither the time for a head nor anything else ends these within a minute.
        let hanging = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            std::future::pending::<&'static str>()
        };
        let pages = Router::new().route("/healthz", get(|| async { "alive" })).route("/hang", get(hanging));
        let served = tokio::spawn(async move { serve_on(&listener, &pages).await });
        let mut hang = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            hang.push(ask(address, "/hang").await);
        }
        let all_begun = async {
            while begun.load(Ordering::Relaxed) < CONNECTIONS_MAX {
                tokio::task::yield_now().await;
            }
        };
        let in_time = timeout(LIMIT, all_begun).await;
        assert!(in_time.is_ok(), "{begun:?} of {CONNECTIONS_MAX} were heard within {} s", LIMIT.as_secs());
        for _ in 0..2 * CONNECTIONS_MAX {
            let mut stream = ask(address, "/healthz").await;
            let mut answer = vec![0; "HTTP/1.1 200 OK".len()];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, b"HTTP/1.1 200 OK");
            // It stays open, and quiet.
            hang.push(stream);
        }
        // The oldest one had to go for the first that asked; later ones went for each other, and who is answered is left alone.
        assert_eq!(hang[0].read(&mut [0; 1]).await.unwrap_or(0), 0);
        let others = hang.iter().take(CONNECTIONS_MAX).skip(1);
        assert!(others.into_iter().all(|stream| stream.try_read(&mut [0; 1]).is_err()));
        served.abort();
    }
}
