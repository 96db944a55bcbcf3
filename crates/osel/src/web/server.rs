//! The listening socket, its connections and their bounds, and which page answers what.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::log::{self, OpenReader};
use super::{health, metrics};
use crate::runtime::service::ServiceStatus;

/// How many connections are open at one time: those who watch are a few. The next ones wait in the system's queue.
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
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut is_told = false;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => {
                is_told = false;
                let bound = listener.local_addr().unwrap_or(address);
                tracing::info!(address = %bound, "HTTP answers");
                accept(&listener, &pages, &places).await;
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
pub(super) async fn serve_on(listener: &TcpListener, pages: &Router) {
    accept(listener, pages, &Arc::new(Semaphore::new(CONNECTIONS_MAX))).await;
}

/// Accepts, for as long as there are places.
async fn accept(listener: &TcpListener, pages: &Router, places: &Arc<Semaphore>) {
    loop {
        let Ok(place) = Arc::clone(places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let pages = pages.clone();
                tokio::spawn(async move {
                    // Whether it went well is the client's to see.
                    let _ = timeout(CONNECTION_TIME, answer(stream, pages)).await;
                    drop(place);
                });
            }
            // One that was given up before it was accepted is of no matter.
            Err(error) if is_of_one(&error) => {}
            Err(_) => sleep(ACCEPT_WAIT).await,
        }
    }
}

fn is_of_one(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn answer(stream: TcpStream, pages: Router) -> Result<(), hyper::Error> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(FIELDS_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(pages))
        .await
}
