//! A proxy that stands between us and a server: `CONNECT` for `https`, whole URLs for `http`.
//!
//! The proxy itself is spoken to without TLS, as is usual. What is sent to a server over TLS it cannot read; who we are to the proxy the
//! server never hears.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use hyper::upgrade::Upgraded;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use super::{HttpError, Server};

/// The proxy, and who we are to it.
#[derive(Clone, Debug)]
pub struct Proxy {
    server: Server,
    login: Option<HeaderValue>,
}

impl Proxy {
    /// A proxy by its URL (`http://proxy.example:3128`).
    ///
    /// # Errors
    /// When it is no `http` URL of a server.
    pub fn new(url: &str) -> Result<Self, HttpError> {
        let (server, uri) = Server::of(url)?;
        let is_bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        if server.is_tls || !is_bare {
            Err(HttpError::Proxy(super::without_login(url)))
        } else {
            Ok(Self { server, login: None })
        }
    }

    /// The same for somebody whom the proxy knows.
    pub fn with_login(mut self, user: &str, password: &str) -> Self {
        self.login = Some(basic(user, password));
        self
    }

    /// Where it is.
    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    /// What it is told of us.
    pub(super) fn login(&self) -> Option<&HeaderValue> {
        self.login.as_ref()
    }

    /// Has a connection to the proxy lead to a server.
    pub(super) async fn tunnel(
        &self,
        stream: TcpStream,
        server: &Server,
    ) -> Result<TokioIo<Upgraded>, HttpError> {
        let broken = |error| HttpError::Broken(self.server.authority(), error);
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(async move {
            // Its failure is told to whoever waits for an answer.
            let _ = connection.with_upgrades().await;
        });
        let authority = server.authority();
        let mut request = Request::builder().method(Method::CONNECT).uri(&authority).header(HOST, &authority);
        if let Some(login) = &self.login {
            request = request.header(PROXY_AUTHORIZATION, login);
        }
        let response = sender.send_request(request.body(Empty::<Bytes>::new())?).await.map_err(broken)?;
        if !response.status().is_success() {
            return Err(HttpError::NoTunnel {
                proxy: self.server.authority(),
                server: authority,
                status: response.status(),
            });
        }
        hyper::upgrade::on(response).await.map(TokioIo::new).map_err(broken)
    }
}

/// A user and a password as a header has them; it is not shown in logs.
///
/// # Panics
/// Never: base64 has no characters that a header cannot have.
pub fn basic(user: &str, password: &str) -> HeaderValue {
    let both = Zeroizing::new(format!("{user}:{password}"));
    let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(both.as_bytes())))
        .expect("base64 has no characters that a header cannot have");
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_server_that_is_spoken_to_without_tls() {
        assert_eq!(
            Proxy::new("http://proxy.example:3128/").unwrap().server.authority(),
            "proxy.example:3128"
        );
        for (url, wanted) in [
            (
                "https://proxy.example",
                "`https://proxy.example` is not the URL of a proxy: write `http://HOST:PORT`",
            ),
            (
                "http://proxy.example/a",
                "`http://proxy.example/a` is not the URL of a proxy: write `http://HOST:PORT`",
            ),
            ("http://ann:hunter2@proxy.example", "`http://proxy.example` is not an `http` or `https` URL"),
        ] {
            assert_eq!(Proxy::new(url).unwrap_err().to_string(), wanted);
        }
    }

    #[test]
    fn a_login_does_not_show_itself() {
        let proxy = Proxy::new("http://proxy.example:3128").unwrap().with_login("ann", "hunter2");
        assert_eq!(proxy.login().unwrap().to_str().unwrap(), "Basic YW5uOmh1bnRlcjI=");
        assert!(!format!("{proxy:?}").contains("YW5u"), "{proxy:?}");
    }
}
