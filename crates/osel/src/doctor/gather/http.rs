//! Questions over HTTP: one connection, `GET` only, answers of JSON within a bound. Redirects are not followed: credentials go to whom they
//! were given for.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use crate::config::{Secret, TlsConfig};
use crate::tls::{self, TrustError};

/// How long a connection may take to stand.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How much all answers to one [`Api`] may have together: ten thousand queues and thirty thousand connections have a third of it.
const ANSWERS_BYTES_MAX: usize = 32 << 20;
/// The largest answer: five hundred rows of a page have a tenth of it, and so have some thousand users in one list. Read, it takes a
/// multiple of this.
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// How much is read of a refusal for its reason.
const REFUSAL_BYTES_MAX: usize = 4096;
/// What RabbitMQ says to a user without any tag, whatever the password.
const UNTAGGED: &str = "Not management user";
/// The port of the management interface, and with TLS.
const PORT: u16 = 15672;
const PORT_TLS: u16 = 15671;

/// Where the management interface is, and as whom to ask it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    host: String,
    port: u16,
    /// What stands before `/api/`.
    prefix: String,
    tls: Option<TlsConfig>,
    /// The user.
    pub user: String,
    /// The user's password; none where the URL has none.
    pub password: Option<Secret>,
}

/// Why a URL is none of a management interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// It cannot be read.
    #[error("is not a URL: write `https://HOST:15671`")]
    NotAUrl,
    /// Another scheme.
    #[error("has a scheme other than `https` and `http`")]
    Scheme,
}

impl Access {
    /// Reads a URL, with or without user and password; `tls` says whom to trust where it asks for TLS.
    ///
    /// # Errors
    /// When it is no URL of HTTP. Nothing of it is quoted.
    pub fn parse(text: &str, tls: TlsConfig) -> Result<Self, AccessError> {
        let uri: Uri = text.trim().parse().map_err(|_| AccessError::NotAUrl)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(AccessError::NotAUrl);
        };
        let tls = match scheme {
            "https" => Some(tls),
            "http" => None,
            _ => return Err(AccessError::Scheme),
        };
        let login = authority.as_str().rsplit_once('@').map(|(login, _)| login).unwrap_or_default();
        let (user, password) = login.split_once(':').map_or((login, None), |(user, word)| (user, Some(word)));
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let default = if tls.is_some() { PORT_TLS } else { PORT };
        Ok(Self {
            // An IPv6 address stands in brackets, which are no part of it.
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(default),
            prefix: uri.path().trim_end_matches('/').trim_end_matches("/api").to_owned(),
            tls,
            user: decode(user),
            password: password.map(|word| Secret::new(decode(word))),
        })
    }

    /// Whether it is asked by TLS.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether what is sent stays on this machine.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }

    fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

/// Without user and password.
impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls() { "https" } else { "http" };
        write!(f, "management {scheme}://{}{}", self.authority(), self.prefix)
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("cannot reach `{0}`")]
    Unreachable(String, #[source] io::Error),
    #[error("no answer in time")]
    Slow,
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("no trust with `{0}`")]
    Untrusted(String, #[source] io::Error),
    #[error("the connection broke")]
    Broken(#[from] hyper::Error),
    #[error("user or password is wrong")]
    Login,
    #[error("the user needs the tag `monitoring` (rabbitmqctl set_user_tags)")]
    Untagged,
    #[error(
        "the user may not ask that: it needs the tag `monitoring`, for users and permissions `administrator`"
    )]
    Denied,
    #[error("the answer is {0}")]
    Status(StatusCode),
    #[error("the answer is larger than {ANSWER_BYTES_MAX} bytes")]
    TooLarge,
    #[error("the answers together are larger than {ANSWERS_BYTES_MAX} bytes")]
    TooMuch,
    #[error("the answer cannot be read")]
    Answer(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the answer is not what RabbitMQ would say")]
    NotUnderstood(#[source] serde_json::Error),
    #[error("user or password cannot stand in a header")]
    Header,
}

/// A connection to the management interface, which is made anew when the last question broke it.
pub(super) struct Api {
    access: Access,
    authorization: HeaderValue,
    sender: SendRequest<Empty<Bytes>>,
    /// When the last answer must be there.
    deadline: Instant,
    /// How much may still come.
    bytes_left: usize,
}

impl Api {
    /// Connects; nothing is asked yet. What is not answered by the deadline, all together, is not answered at all.
    pub(super) async fn connect(access: Access, deadline: Instant) -> Result<Self, HttpError> {
        let password = access.password.as_ref().map_or("", Secret::expose);
        let login = Zeroizing::new(format!("{}:{password}", access.user));
        let header = Zeroizing::new(format!("Basic {}", STANDARD.encode(login.as_bytes())));
        let mut authorization = HeaderValue::from_str(&header).map_err(|_| HttpError::Header)?;
        authorization.set_sensitive(true);
        let sender = connected(&access).await?;
        Ok(Self { access, authorization, sender, deadline, bytes_left: ANSWERS_BYTES_MAX })
    }

    /// The answer to a question below `/api/`.
    pub(super) async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, HttpError> {
        let bytes = timeout_at(self.deadline, self.body(path)).await.map_err(|_| HttpError::Slow)??;
        serde_json::from_slice(&bytes).map_err(HttpError::NotUnderstood)
    }

    async fn body(&mut self, path: &str) -> Result<Bytes, HttpError> {
        let request = Request::get(format!("{}/api/{path}", self.access.prefix))
            .header(HOST, self.access.authority())
            .header(AUTHORIZATION, &self.authorization)
            .body(Empty::new())
            .map_err(|error| HttpError::Answer(error.into()))?;
        if self.sender.ready().await.is_err() {
            self.sender = connected(&self.access).await?;
        }
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let is_answer = status == StatusCode::OK;
        let most = if is_answer { self.bytes_left.min(ANSWER_BYTES_MAX) } else { REFUSAL_BYTES_MAX };
        let body = Limited::new(response.into_body(), most).collect().await.map(|body| body.to_bytes());
        match status {
            StatusCode::OK => {}
            // RabbitMQ says 401 for all three; the first question tells which it is.
            StatusCode::UNAUTHORIZED if path == "whoami" => {
                let is_untagged = body.is_ok_and(|body| String::from_utf8_lossy(&body).contains(UNTAGGED));
                return Err(if is_untagged { HttpError::Untagged } else { HttpError::Login });
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(HttpError::Denied),
            other => return Err(HttpError::Status(other)),
        }
        match body {
            Ok(body) => {
                self.bytes_left -= body.len();
                Ok(body)
            }
            Err(error) if error.is::<LengthLimitError>() => {
                self.bytes_left -= most;
                Err(if most < ANSWER_BYTES_MAX { HttpError::TooMuch } else { HttpError::TooLarge })
            }
            Err(error) => Err(HttpError::Answer(error)),
        }
    }
}

/// HTTP, by TLS where the URL says so.
async fn connected(access: &Access) -> Result<SendRequest<Empty<Bytes>>, HttpError> {
    timeout(CONNECT_TIME, dialed(access)).await.map_err(|_| HttpError::Slow)?
}

async fn dialed(access: &Access) -> Result<SendRequest<Empty<Bytes>>, HttpError> {
    let authority = || access.authority();
    let unreachable = |error| HttpError::Unreachable(authority(), error);
    let stream = TcpStream::connect((access.host.as_str(), access.port)).await.map_err(unreachable)?;
    let Some(files) = &access.tls else { return spoken(TokioIo::new(stream)).await };
    let connector = TlsConnector::from(tls::client(files)?);
    let name = tls::server_name(files, &access.host)?;
    let untrusted = |error| HttpError::Untrusted(authority(), error);
    spoken(TokioIo::new(connector.connect(name, stream).await.map_err(untrusted)?)).await
}

/// HTTP over a stream; what carries it ends with the sender.
async fn spoken<S>(stream: S) -> Result<SendRequest<Empty<Bytes>>, HttpError>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(stream).await?;
    tokio::spawn(async move {
        // Its failure is told to whoever waits for an answer.
        let _ = connection.await;
    });
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_and_never_shown_with_its_password() {
        let read = |text: &str| Access::parse(text, TlsConfig::default());
        let access = read("https://ann:p%40ss@rabbit.example/").unwrap();
        assert_eq!((access.user.as_str(), access.port, access.is_tls()), ("ann", 15671, true));
        assert_eq!(access.password, Some(Secret::new("p@ss".to_owned())));
        assert_eq!(access.to_string(), "management https://rabbit.example:15671");
        assert!(!format!("{access:?}").contains("p@ss"));
        let access = read("http://[::1]:8080/rabbit/api/").unwrap();
        assert_eq!(access.to_string(), "management http://[::1]:8080/rabbit");
        assert_eq!((access.user.as_str(), access.password.clone(), access.host.as_str()), ("", None, "::1"));
        assert_eq!(read("rabbit"), Err(AccessError::NotAUrl));
        assert_eq!(read("amqp://a:b@host"), Err(AccessError::Scheme));
        assert_eq!(read("https://a b"), Err(AccessError::NotAUrl));
        for (url, is_loopback) in [
            ("http://127.0.0.1", true),
            ("http://127.9.9.9:1", true),
            ("http://localhost", true),
            ("http://[::1]", true),
            ("http://10.0.0.1", false),
            ("http://localhost.example", false),
            ("http://127.0.0.1.example", false),
        ] {
            assert_eq!(read(url).unwrap().is_loopback(), is_loopback, "{url}");
        }
    }

    #[tokio::test]
    async fn after_the_deadline_nothing_is_waited_for() {
        // It takes connections and never answers.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://a:b@{}", listener.local_addr().unwrap());
        let access = Access::parse(&url, TlsConfig::default()).unwrap();
        let mut api = Api::connect(access, Instant::now()).await.unwrap();
        for _ in 0..100 {
            assert!(matches!(api.get::<()>("whoami").await, Err(HttpError::Slow)));
        }
    }
}
