//! What requests and answers travel over: a unix socket, or TLS.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::error::GmpError;
use crate::config::{GmpAddress, TlsConfig};
use crate::tls;

/// How long a connection may take to stand.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// Where gvmd has its socket: now, in packages of some years, and in those before them.
const SOCKETS: [&str; 3] = ["/run/gvmd/gvmd.sock", "/run/gvm/gvmd.sock", "/var/run/gvmd.sock"];

/// Either of them.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection.
pub(super) type Line = Box<dyn Stream>;

/// Connects.
pub(super) async fn connect(address: &GmpAddress) -> Result<Line, GmpError> {
    match address {
        GmpAddress::Socket(path) => {
            let path = match path {
                Some(path) => path.clone(),
                None => usual().ok_or_else(|| GmpError::NoSocket(SOCKETS.join("`, `")))?,
            };
            let stream = in_time(&path.display().to_string(), UnixStream::connect(&path)).await?;
            Ok(Box::new(stream))
        }
        GmpAddress::Tls { host, port, tls } => secured(host, *port, tls).await,
    }
}

/// The first of the usual sockets that is there.
fn usual() -> Option<PathBuf> {
    SOCKETS.into_iter().map(Path::new).find(|path| path.exists()).map(Path::to_path_buf)
}

async fn secured(host: &str, port: u16, files: &TlsConfig) -> Result<Line, GmpError> {
    let place = format!("{host}:{port}");
    let own = files.clone();
    // It reads files.
    let client = tokio::task::spawn_blocking(move || tls::client(&own)).await;
    let client = client.map_err(|error| GmpError::Unreachable(place.clone(), io::Error::other(error)))??;
    let name = tls::server_name(files, host)?;
    let stream = in_time(&place, TcpStream::connect((host, port))).await?;
    let connector = TlsConnector::from(Arc::clone(&client));
    match timeout(CONNECT_TIME, connector.connect(name, stream)).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) if error.get_ref().is_some_and(|cause| cause.is::<rustls::Error>()) => {
            Err(GmpError::Untrusted(place, error))
        }
        Ok(Err(error)) => Err(GmpError::Unreachable(place, error)),
        Err(_) => Err(GmpError::Unreachable(place, io::ErrorKind::TimedOut.into())),
    }
}

async fn in_time<S>(place: &str, connecting: impl Future<Output = io::Result<S>>) -> Result<S, GmpError> {
    let connected = timeout(CONNECT_TIME, connecting).await;
    let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    connected.map_err(|error| GmpError::Unreachable(place.to_owned(), error))
}
