//! One connection to one broker: TCP, TLS, a login, and one request at a time.

use std::io;
use std::time::Duration;

use osel_core::forward::RefusalKind;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::fault::KafkaFault;
use super::login;
use super::messages::{self, Api};
use super::wire::Malformed;
use crate::config::KafkaConfig;
use crate::tls;

/// How long a connection may take to stand, TLS and login included.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long an answer may take: longer than a broker waits for its replicas.
const ANSWER_TIME: Duration = Duration::from_secs(40);
/// The longest answer that is read: a topic of ten thousand partitions with their replicas has less.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// A connection that stands.
pub(super) struct Connection {
    place: String,
    stream: Box<dyn Stream>,
    correlation: i32,
}

trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for S {}

impl Connection {
    /// Connects and logs in.
    pub(super) async fn open(config: &KafkaConfig, host: &str, port: u16) -> Result<Self, KafkaFault> {
        let place = place(host, port);
        let opening = async {
            let stream = connect(config, host, port, &place).await?;
            let mut connection = Self { place: place.clone(), stream, correlation: 0 };
            if let Some(login) = &config.login {
                login::log_in(&mut connection, login).await?;
            }
            Ok(connection)
        };
        timeout(CONNECT_TIME, opening).await.unwrap_or_else(|_| Err(KafkaFault::slow(&place)))
    }

    /// Where it leads.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// What the broker answers to a request, behind the answer's head.
    pub(super) async fn ask(&mut self, api: Api, body: &[u8]) -> Result<Vec<u8>, KafkaFault> {
        self.correlation = self.correlation.wrapping_add(1);
        let mut request = messages::head(api, self.correlation);
        request.extend_from_slice(body);
        let asking = async {
            let length = i32::try_from(request.len()).unwrap_or(i32::MAX);
            self.stream.write_all(&length.to_be_bytes()).await?;
            self.stream.write_all(&request).await?;
            self.stream.flush().await?;
            let length = usize::try_from(self.stream.read_i32().await?).unwrap_or(usize::MAX);
            if length > ANSWER_BYTES_MAX {
                return Ok(None);
            }
            // It grows by what is read and not by what was promised.
            let mut answer = Vec::new();
            let mut stream = (&mut self.stream).take(length as u64);
            stream.read_to_end(&mut answer).await?;
            if answer.len() < length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Ok(Some(answer))
        };
        let answer = match timeout(ANSWER_TIME, asking).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(KafkaFault::broken(&self.place, &error)),
            Err(_) => return Err(KafkaFault::slow(&self.place)),
        };
        let mut answer = answer.ok_or_else(|| self.malformed(Malformed))?;
        match answer.split_first_chunk::<4>() {
            Some((correlation, _)) if *correlation == self.correlation.to_be_bytes() => {
                answer.drain(..4);
                Ok(answer)
            }
            _ => Err(self.malformed(Malformed)),
        }
    }

    /// An answer of this broker that is none.
    pub(super) fn malformed(&self, error: Malformed) -> KafkaFault {
        KafkaFault::malformed(&self.place, error)
    }
}

async fn connect(
    config: &KafkaConfig,
    host: &str,
    port: u16,
    place: &str,
) -> Result<Box<dyn Stream>, KafkaFault> {
    let broken = |error: io::Error| KafkaFault::broken(place, &error);
    let stream = TcpStream::connect((host, port)).await.map_err(broken)?;
    stream.set_nodelay(true).map_err(broken)?;
    let Some(files) = &config.tls else { return Ok(Box::new(stream)) };
    let own = files.clone();
    // Files may lie on a disk that does not answer.
    let client = tokio::task::spawn_blocking(move || tls::client(&own)).await;
    let client = client
        .map_err(|error| KafkaFault::new(RefusalKind::Unavailable, error.to_string()))?
        .map_err(|error| KafkaFault::trust(&error))?;
    let name = tls::server_name(files, host).map_err(|error| KafkaFault::trust(&error))?;
    Ok(Box::new(TlsConnector::from(client).connect(name, stream).await.map_err(broken)?))
}

/// What a broker is called in words.
pub(super) fn place(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
