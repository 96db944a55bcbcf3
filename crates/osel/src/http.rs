//! Requests over HTTP: what is sent and what comes back, within bounds. Redirects are not followed: a token goes to whom it was given for.
//!
//! Nothing is known here of whom is asked: OpenStack's API, or a scanner's. A proxy is used where one is given, and never taken from the
//! environment.

mod proxy;

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{
    ACCEPT, CONTENT_TYPE, HOST, HeaderName, HeaderValue, PROXY_AUTHORIZATION, RETRY_AFTER, USER_AGENT,
};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

pub use self::proxy::{Proxy, basic};
use crate::config::TlsConfig;
use crate::tls::{self, TrustError};

/// How long a connection may take to stand.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long the head of an answer may take, and each further piece: Neutron takes seconds for a page of a thousand ports, and minutes
/// when its database is busy; its proxies give up after one.
const ANSWER_TIME: Duration = Duration::from_secs(60);
/// The longest that an account may ask for: with all tries the driver is to be heard of before it counts as silent.
const ANSWER_TIME_MAX: Duration = Duration::from_mins(2);
/// The longest wait that a server is believed to mean.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// It is no URL of a server.
    #[error("`{0}` is not an `http` or `https` URL")]
    Url(String),
    /// Nobody is there.
    #[error("cannot reach `{0}`")]
    Unreachable(String, #[source] io::Error),
    /// It takes too long.
    #[error("no answer from `{0}` in time")]
    Slow(String),
    /// Nothing can be trusted.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// It is no URL of a proxy.
    #[error("`{0}` is not the URL of a proxy: write `http://HOST:PORT`")]
    Proxy(String),
    /// The proxy does not lead to the server.
    #[error("the proxy `{proxy}` does not lead to `{server}`: it answers {status}")]
    NoTunnel {
        /// The proxy.
        proxy: String,
        /// The server.
        server: String,
        /// What it answers.
        status: StatusCode,
    },
    /// The server's certificate does not convince.
    #[error("no trust with `{0}`")]
    Untrusted(String, #[source] io::Error),
    /// The connection ended before the answer did.
    #[error("the connection to `{0}` broke")]
    Broken(String, #[source] hyper::Error),
    /// A request cannot be written.
    #[error("the request cannot be written")]
    Request(#[from] hyper::http::Error),
    /// There is more of it than can be meant.
    #[error("the answer of `{0}` is larger than {1} bytes")]
    TooLarge(String, usize),
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Server {
    is_tls: bool,
    host: String,
    port: u16,
}

impl Server {
    fn of(url: &str) -> Result<(Self, Uri), HttpError> {
        let wrong = || HttpError::Url(without_login(url));
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong()),
        };
        let authority =
            uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(wrong)?;
        // An IPv6 address stands in brackets, which are no part of it.
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        Ok((Self { is_tls, host, port }, uri))
    }

    fn authority(&self) -> String {
        format!("{}:{}", self.bare_host(), self.port)
    }

    /// What the header `Host` says: without the port where it is the scheme's own, as others sign it.
    fn host_header(&self) -> String {
        let own = if self.is_tls { 443 } else { 80 };
        if self.port == own { self.bare_host() } else { self.authority() }
    }

    /// The host as a URL has it.
    fn bare_host(&self) -> String {
        let is_ipv6 = self.host.parse().is_ok_and(|address: IpAddr| address.is_ipv6());
        if is_ipv6 { format!("[{}]", self.host) } else { self.host.clone() }
    }
}

/// A URL as it may be shown: without user, password, or what else stands before an `@`.
pub fn without_login(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, rest)| rest))
        }
        None => url.rsplit_once('@').map_or(url, |(_, rest)| rest).to_owned(),
    }
}

/// Whom to trust, read once for an order; and how long to wait.
#[derive(Clone)]
pub struct Trust {
    client: Arc<ClientConfig>,
    files: TlsConfig,
    answer_time: Duration,
}

impl Trust {
    /// Reads the files; it blocks.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn read(files: &TlsConfig, verify: bool, time: Option<Duration>) -> Result<Self, TrustError> {
        let client = if verify { tls::client(files) } else { tls::blind_client(files) }?;
        let answer_time = time.unwrap_or(ANSWER_TIME).min(ANSWER_TIME_MAX);
        Ok(Self { client, files: files.clone(), answer_time })
    }
}

/// Connections on which nothing is under way, one to a server at most.
#[derive(Clone, Default)]
struct Idle(Arc<Mutex<BTreeMap<Server, SendRequest<Full<Bytes>>>>>);

impl Idle {
    fn all(&self) -> MutexGuard<'_, BTreeMap<Server, SendRequest<Full<Bytes>>>> {
        // Whoever panicked has put a connection in or taken one out, or has not.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connections to the few servers that one order asks. They are kept between requests; one whose answer is still being read is not
/// waited for, since whoever asks may be the one that reads it.
pub struct Http {
    trust: Option<Trust>,
    proxy: Option<Proxy>,
    answer_time: Duration,
    keeps_all: bool,
    idle: Idle,
}

/// What came back; its body is still to be read.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    server: Server,
    body: Incoming,
    answer_time: Duration,
    /// What it comes over, which is free when the body was read to its end.
    sender: Option<SendRequest<Full<Bytes>>>,
    idle: Idle,
}

impl Http {
    /// Without a trust only `http` can be spoken.
    pub fn new(trust: Option<Trust>) -> Self {
        let answer_time = trust.as_ref().map_or(ANSWER_TIME, |trust| trust.answer_time);
        Self { trust, proxy: None, answer_time, keeps_all: false, idle: Idle::default() }
    }

    /// The same with all requests over a connection that was kept, where there is one, for whoever can bear that a request was carried out
    /// and its answer lost: what changes something is repeated over a new connection only where it never left.
    pub fn keeping(self) -> Self {
        Self { keeps_all: true, ..self }
    }

    /// The same over a proxy, where there is one.
    pub fn over(self, proxy: Option<Proxy>) -> Self {
        Self { proxy, ..self }
    }

    /// The same with another time for the head of an answer and each further piece.
    pub fn within(self, time: Duration) -> Self {
        Self { answer_time: time.min(ANSWER_TIME_MAX), ..self }
    }

    /// Sends a request; what is said and accepted is JSON unless `headers` say otherwise. Only what changes nothing at the server, as a GET,
    /// is sent over a connection that was kept (unless all is, by [`Self::keeping`]), and once more over a new one where that breaks, as one
    /// does that was kept too long: anything else may have been done before its answer was lost.
    ///
    /// # Errors
    /// When nobody answers, or not in time, or the server is not to be trusted.
    pub async fn send(
        &mut self,
        method: Method,
        url: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Option<Bytes>,
    ) -> Result<Answer, HttpError> {
        let (server, uri) = Server::of(url)?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        // A proxy has to be told whom a request is for, unless it is a mere tunnel.
        let proxy = self.proxy.as_ref().filter(|_| !server.is_tls);
        let target =
            proxy.map_or_else(|| path.to_owned(), |_| format!("http://{}{path}", server.authority()));
        let login = proxy.and_then(|proxy| proxy.login().cloned());
        let request = || {
            let mut request = Request::builder()
                .method(method.clone())
                .uri(&target)
                .header(HOST, server.host_header())
                .header(USER_AGENT, concat!("osel/", env!("CARGO_PKG_VERSION")));
            let has = |wanted: &HeaderName| headers.iter().any(|(name, _)| name == wanted);
            if !has(&ACCEPT) {
                request = request.header(ACCEPT, "application/json");
            }
            if body.is_some() && !has(&CONTENT_TYPE) {
                request = request.header(CONTENT_TYPE, "application/json");
            }
            for (name, value) in headers {
                request = request.header(name, value);
            }
            if let Some(login) = &login {
                request = request.header(PROXY_AUTHORIZATION, login);
            }
            request.body(Full::new(body.clone().unwrap_or_default()))
        };
        let is_harmless = method.is_safe();
        let kept = if is_harmless || self.keeps_all { self.idle.all().remove(&server) } else { None };
        if let Some(mut kept) = kept
            && matches!(timeout(CONNECT_TIME, kept.ready()).await, Ok(Ok(())))
        {
            match self.exchanged(&server, &mut kept, request()?).await {
                Ok(response) => return Ok(self.answer(server, kept, response)),
                // The server had closed it; a request that is called off has not left.
                Err(HttpError::Broken(_, cause)) if is_harmless || cause.is_canceled() => {}
                Err(error) => return Err(error),
            }
        }
        // Nothing was sent yet: it is not the answer that is slow.
        let mut new = timeout(CONNECT_TIME, self.connected(&server))
            .await
            .map_err(|_| HttpError::Unreachable(server.authority(), io::ErrorKind::TimedOut.into()))??;
        let response = self.exchanged(&server, &mut new, request()?).await?;
        Ok(self.answer(server, new, response))
    }

    async fn exchanged(
        &self,
        server: &Server,
        sender: &mut SendRequest<Full<Bytes>>,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, HttpError> {
        timeout(self.answer_time, sender.send_request(request))
            .await
            .map_err(|_| HttpError::Slow(server.authority()))?
            .map_err(|error| HttpError::Broken(server.authority(), error))
    }

    fn answer(
        &self,
        server: Server,
        sender: SendRequest<Full<Bytes>>,
        response: Response<Incoming>,
    ) -> Answer {
        let (head, body) = response.into_parts();
        let (answer_time, idle) = (self.answer_time, self.idle.clone());
        let (status, headers, sender) = (head.status, head.headers, Some(sender));
        Answer { status, headers, server, body, answer_time, sender, idle }
    }

    async fn connected(&self, server: &Server) -> Result<SendRequest<Full<Bytes>>, HttpError> {
        let first = self.proxy.as_ref().map_or(server, Proxy::server);
        let unreachable = |error| HttpError::Unreachable(first.authority(), error);
        let stream = TcpStream::connect((first.host.as_str(), first.port)).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        match &self.proxy {
            _ if !server.is_tls => spoken(server, TokioIo::new(stream)).await,
            None => self.secured(server, stream).await,
            Some(proxy) => self.secured(server, proxy.tunnel(stream, server).await?).await,
        }
    }

    /// HTTP over TLS over a stream.
    async fn secured<S>(&self, server: &Server, stream: S) -> Result<SendRequest<Full<Bytes>>, HttpError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(trust) = &self.trust else { return Err(TrustError::NoRoots.into()) };
        let name = tls::server_name(&trust.files, &server.host)?;
        let untrusted =
            |error: io::Error| match error.get_ref().is_some_and(|cause| cause.is::<rustls::Error>()) {
                true => HttpError::Untrusted(server.authority(), error),
                false => HttpError::Unreachable(server.authority(), error),
            };
        let connector = TlsConnector::from(Arc::clone(&trust.client));
        spoken(server, TokioIo::new(connector.connect(name, stream).await.map_err(untrusted)?)).await
    }
}

/// HTTP over a stream; what carries it ends with the sender.
async fn spoken<S>(server: &Server, stream: S) -> Result<SendRequest<Full<Bytes>>, HttpError>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let broken = |error| HttpError::Broken(server.authority(), error);
    let (sender, connection) = handshake(stream).await.map_err(broken)?;
    tokio::spawn(async move {
        // Its failure is told to whoever waits for an answer.
        let _ = connection.await;
    });
    Ok(sender)
}

impl Answer {
    /// How long the server wants to be left alone, where it says so in seconds.
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
    }

    /// The next piece of the body; none at its end.
    ///
    /// # Errors
    /// When the connection breaks, or the piece does not come in time.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, HttpError> {
        loop {
            let frame = timeout(self.answer_time, self.body.frame())
                .await
                .map_err(|_| HttpError::Slow(self.server.authority()))?;
            match frame {
                None => {
                    if let Some(sender) = self.sender.take() {
                        self.idle.all().insert(self.server.clone(), sender);
                    }
                    return Ok(None);
                }
                Some(Err(error)) => return Err(HttpError::Broken(self.server.authority(), error)),
                // Trailers are no part of it.
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }

    /// The whole body, which has to come in the time of one answer: a server that sends a byte a minute would never be done.
    ///
    /// # Errors
    /// When it breaks off, does not come in time, or has more than so many bytes.
    pub async fn whole(self, bytes_max: usize) -> Result<Vec<u8>, HttpError> {
        let time = self.answer_time;
        self.whole_within(bytes_max, time).await
    }

    /// The same of a body that may take longer as a whole, though no piece of it may.
    ///
    /// # Errors
    /// When it breaks off, does not come in time, or has more than so many bytes.
    pub async fn whole_within(mut self, bytes_max: usize, time: Duration) -> Result<Vec<u8>, HttpError> {
        let whole = timeout(time, self.all(bytes_max)).await;
        whole.unwrap_or_else(|_| Err(HttpError::Slow(self.server.authority())))
    }

    async fn all(&mut self, bytes_max: usize) -> Result<Vec<u8>, HttpError> {
        let expected = usize::try_from(self.body.size_hint().lower()).unwrap_or(usize::MAX);
        let mut whole = Vec::with_capacity(expected.min(bytes_max));
        while let Some(bytes) = self.piece().await? {
            if whole.len() + bytes.len() > bytes_max {
                return Err(HttpError::TooLarge(self.server.authority(), bytes_max));
            }
            whole.extend_from_slice(&bytes);
        }
        Ok(whole)
    }

    /// The beginning of the body, of as much as comes without trouble: what a refusal says of itself.
    pub async fn beginning(mut self, bytes_max: usize) -> Vec<u8> {
        let (mut beginning, time) = (Vec::new(), self.answer_time);
        let read = async {
            while beginning.len() < bytes_max
                && let Ok(Some(bytes)) = self.piece().await
            {
                beginning.extend_from_slice(&bytes);
            }
        };
        // What came until then is what there is.
        let _ = timeout(time, read).await;
        beginning.truncate(bytes_max);
        beginning
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::JoinHandle;

    use super::*;

    /// A server that answers the first request of each connection but a POST, and breaks at any other; with what it was asked, in order.
    async fn breaking() -> (String, Arc<Mutex<Vec<String>>>, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&asked);
        let served = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let told = Arc::clone(&told);
                tokio::spawn(async move {
                    for number in 0.. {
                        let mut head = Vec::new();
                        while !head.ends_with(b"\r\n\r\n") {
                            let Ok(byte) = stream.read_u8().await else { return };
                            head.push(byte);
                        }
                        let head = String::from_utf8(head).unwrap();
                        let method = head.split(' ').next().unwrap().to_owned();
                        told.lock().unwrap().push(method.clone());
                        if number > 0 || method == "POST" {
                            return;
                        }
                        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
                    }
                });
            }
        });
        (url, asked, served)
    }

    #[tokio::test]
    async fn only_what_changes_nothing_is_sent_again_when_a_kept_connection_breaks() {
        let (url, asked, served) = breaking().await;
        let mut http = Http::new(None);
        for _ in 0..2 {
            let answer = http.send(Method::GET, &url, &[], None).await.unwrap();
            assert_eq!(answer.whole(10).await.unwrap(), b"{}");
        }
        // The second went over the connection of the first, which broke, and then over a new one, which is kept.
        assert_eq!(*asked.lock().unwrap(), ["GET", "GET", "GET"]);
        let lost = http.send(Method::POST, &url, &[], None).await;
        assert!(matches!(lost, Err(HttpError::Broken(..))));
        assert_eq!(asked.lock().unwrap().split_off(3), ["POST"]);
        served.abort();
    }

    #[tokio::test]
    async fn a_request_over_a_kept_connection_is_repeated_only_where_it_never_left() {
        let (url, asked, served) = breaking().await;
        let mut http = Http::new(None).keeping();
        let answer = http.send(Method::GET, &url, &[], None).await.unwrap();
        assert_eq!(answer.whole(10).await.unwrap(), b"{}");
        // It is read by the server, which breaks the connection: nobody knows what it did.
        let lost = http.send(Method::POST, &url, &[], None).await;
        assert!(matches!(lost, Err(HttpError::Broken(..))));
        assert_eq!(*asked.lock().unwrap(), ["GET", "POST"]);
        served.abort();
    }

    #[test]
    fn urls_lead_to_servers_and_are_shown_without_a_login() {
        let read = |url| Server::of(url).map(|(server, uri)| (server.authority(), uri.path().to_owned()));
        assert_eq!(
            read("https://keystone.example/identity/v3").unwrap(),
            ("keystone.example:443".into(), "/identity/v3".into())
        );
        assert_eq!(read("http://[::1]:5000/v3").unwrap(), ("[::1]:5000".into(), "/v3".into()));
        let host = |url| Server::of(url).unwrap().0.host_header();
        assert_eq!(host("https://s3.example/b"), "s3.example");
        assert_eq!(host("https://s3.example:80/b"), "s3.example:80");
        assert_eq!(host("http://[::1]:80/"), "[::1]");
        for (url, shown) in [
            ("keystone.example", "`keystone.example` is not an `http` or `https` URL"),
            ("ftp://a/b", "`ftp://a/b` is not an `http` or `https` URL"),
            ("https://ann:hunter2@a/v3", "`https://a/v3` is not an `http` or `https` URL"),
            ("https://a b/", "`https://a b/` is not an `http` or `https` URL"),
        ] {
            assert_eq!(read(url).unwrap_err().to_string(), shown);
        }
    }
}
