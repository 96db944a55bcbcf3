//! One connection to one host: name, TCP, TLS, AMQP, in this order, and what each failure means.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_rs::Runtime;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo, SASLMechanism};
use lapin::{AsyncTcpStream, Connection, ConnectionProperties, ErrorKind};
use osel_core::intake::BrokerTrouble;
use rustls::CertificateError;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::gate::{Gate, HELD_BYTES_MAX, Keeper, Meter};
use super::guard::{FRAME_BYTES_MAX, SpeaksTls};
use super::socket::{Alert, Kit, Socket, alert_in, tls_error};
use crate::config::TlsConfig;
use crate::tls::{self, TrustError};

/// Where to connect, and as whom.
#[derive(Clone)]
pub struct Address {
    /// Name or address of the host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The user.
    pub user: String,
    /// The user's password.
    pub password: String,
    /// The virtual host.
    pub vhost: String,
    /// TLS; none for a connection as it is.
    pub tls: Option<TlsConfig>,
    /// Seconds between two heartbeats.
    pub heartbeat: u16,
}

impl Address {
    /// Host and port, as they are told.
    pub fn place(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The name leads nowhere, or nobody answers.
    #[error("cannot reach `{0}`")]
    Unreachable(String, #[source] io::Error),
    /// The connection took too long.
    #[error("`{0}` did not answer in time")]
    Slow(String),
    /// TLS cannot be prepared.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The other side cannot be trusted, or does not trust us.
    #[error("no trust with `{0}`{advice}", advice = advice(.1))]
    Untrusted(String, #[source] io::Error),
    /// The other side ends TLS with what it says, mostly of how we introduce ourselves.
    #[error("`{place}` refuses TLS with {own}")]
    Unwelcome {
        /// The host and its port.
        place: String,
        /// As whom we introduce ourselves.
        own: String,
        /// What it says.
        source: rustls::Error,
    },
    /// The port speaks TLS, and we do not.
    #[error("`{0}` speaks TLS, and was spoken to without: add `ssl=true` to transport_url, or write `amqps`")]
    SpeaksTls(String),
    /// We speak TLS, and the port does not.
    #[error(
        "`{0}` does not speak TLS: name the port that does (RabbitMQ's is 5671, where 5672 is the one without), or leave `ssl=true`, `amqps` and the \
         table `tls` away"
    )]
    SpeaksPlain(String),
    /// The broker refused or broke off.
    #[error("no AMQP with `{0}`")]
    Broker(String, #[source] lapin::Error),
}

impl DialError {
    /// What kind of trouble it is.
    pub fn trouble(&self) -> BrokerTrouble {
        match self {
            Self::Unreachable(..) | Self::Slow(_) => BrokerTrouble::Unreachable,
            Self::Trust(_)
            | Self::Untrusted(..)
            | Self::Unwelcome { .. }
            | Self::SpeaksTls(_)
            | Self::SpeaksPlain(_) => BrokerTrouble::Untrusted,
            // Old brokers close the socket where new ones say that the login is refused.
            Self::Broker(_, error) => trouble_of(error),
        }
    }
}

/// What kind of trouble the library's error is.
pub fn trouble_of(error: &lapin::Error) -> BrokerTrouble {
    match error.kind() {
        ErrorKind::ProtocolError(error) => match error.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED)
            | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => BrokerTrouble::Denied,
            AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => BrokerTrouble::Cancelled,
            AMQPErrorKind::Hard(AMQPHardError::CONNECTIONFORCED) => BrokerTrouble::Closed,
            AMQPErrorKind::Hard(AMQPHardError::INTERNALERROR | AMQPHardError::RESOURCEERROR) => {
                BrokerTrouble::Closed
            }
            _ => BrokerTrouble::Disorder,
        },
        ErrorKind::MissingHeartbeatError => BrokerTrouble::Silent,
        ErrorKind::ParsingError(_) | ErrorKind::InvalidProtocolVersion(_) => BrokerTrouble::Disorder,
        _ => BrokerTrouble::Closed,
    }
}

/// A connection that stands, with the keeper of its socket's gate: what is read ends with it.
///
/// # Errors
/// When it does not stand within the limit.
pub async fn dial(address: &Address, limit: Duration) -> Result<(Connection, Keeper), DialError> {
    let slow = |_| DialError::Slow(address.place());
    tokio::time::timeout(limit, connect(address)).await.map_err(slow)?
}

async fn connect(address: &Address) -> Result<(Connection, Keeper), DialError> {
    let (host, place) = (&address.host, address.place());
    let unreachable = |error| DialError::Unreachable(place.clone(), error);
    let stream = TcpStream::connect((host.as_str(), address.port)).await.map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    let gate = Gate::new(HELD_BYTES_MAX);
    let meter = Meter::new(gate.clone());
    // When this is given up half way, the library's thread must not wait for a peer that never answers.
    let keeper = Keeper::of(gate);
    let alert = Alert::default();
    let socket = match &address.tls {
        None => Socket::plain(stream, meter),
        Some(files) => {
            let (own, unreadable) = (files.clone(), DialError::Slow(place.clone()));
            // Files may lie on a disk that does not answer.
            let client = tokio::task::spawn_blocking(move || tls::client(&own)).await;
            let connector = TlsConnector::from(client.map_err(|_| unreadable)??);
            let name = tls::server_name(files, host)?;
            match connector.connect(name, stream).await {
                Ok(stream) => Socket::tls(stream, meter, Arc::clone(&alert)),
                Err(error) => {
                    return Err(match alert_in(&error) {
                        Some(said) => unwelcome(place, files, said).await,
                        None => handshake(&place, error),
                    });
                }
            }
        }
    };
    // Asked for once: the library's own attempts are switched off.
    let socket = Arc::new(Mutex::new(Some(AsyncTcpStream::Plain(socket))));
    let hand_over = async move |_, _| {
        let socket = socket.lock().unwrap_or_else(PoisonError::into_inner).take();
        socket.ok_or_else(|| lapin::Error::from(io::Error::from(io::ErrorKind::NotConnected)))
    };
    let name = format!("osel {}", env!("CARGO_PKG_VERSION"));
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let runtime = Runtime::new(Kit::current());
    let connection = Connection::connector(uri(address), runtime, hand_over, properties).await;
    match (connection, alert.get(), &address.tls) {
        (Ok(connection), ..) => Ok((connection, keeper)),
        (Err(_), Some(said), Some(files)) => Err(unwelcome(place, files, said.clone()).await),
        (Err(error), ..) => Err(refused(place, error)),
    }
}

/// The other side has refused us in TLS.
async fn unwelcome(place: String, files: &TlsConfig, said: rustls::Error) -> DialError {
    let own = files.clone();
    let own = tokio::task::spawn_blocking(move || tls::own_certificate(&own)).await;
    let own = own.unwrap_or_else(|_| "a certificate".to_owned());
    DialError::Unwelcome { place, own, source: said }
}

/// Why a handshake failed: for want of trust, or of a peer that goes on with it.
fn handshake(place: &str, error: io::Error) -> DialError {
    let place = place.to_owned();
    match tls_error(&error) {
        Some(rustls::Error::InvalidMessage(_)) => DialError::SpeaksPlain(place),
        Some(_) => DialError::Untrusted(place, error),
        None => DialError::Unreachable(place, error),
    }
}

/// Why AMQP came to nothing on a connection that stood.
fn refused(place: String, error: lapin::Error) -> DialError {
    let is_tls = match error.kind() {
        ErrorKind::IOError(cause) => cause.get_ref().is_some_and(|cause| cause.is::<SpeaksTls>()),
        _ => false,
    };
    if is_tls { DialError::SpeaksTls(place) } else { DialError::Broker(place, error) }
}

/// What somebody may do about a certificate that is not trusted.
fn advice(error: &io::Error) -> &'static str {
    match tls_error(error) {
        // An authority that only has the name of one that is trusted is unknown too.
        Some(rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        )) => ": name the authority that signed its certificate with `ca_file`",
        Some(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => ": name the host as its certificate does, in transport_url or by `server_name`",
        _ => "",
    }
}

fn uri(address: &Address) -> AMQPUri {
    let is_external = address.tls.as_ref().is_some_and(|tls| tls.external);
    let mechanism = if is_external { SASLMechanism::External } else { SASLMechanism::Plain };
    AMQPUri {
        scheme: AMQPScheme::AMQP,
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo { username: address.user.clone(), password: address.password.clone() },
            host: address.host.clone(),
            port: address.port,
        },
        vhost: address.vhost.clone(),
        query: AMQPQueryString {
            heartbeat: Some(address.heartbeat),
            frame_max: Some(FRAME_BYTES_MAX),
            auth_mechanism: Some(mechanism),
            ..AMQPQueryString::default()
        },
    }
}

#[cfg(test)]
mod tests;
