//! The server: connections, bodies, and the failures that are below HTTP.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{HOST, HeaderValue};
use tokio_rustls::rustls::ServerConfig;

use super::answer::Answer;
use super::cloud::Cloud;
use super::fault::{Fault, What};
use super::options::Options;
use super::query::Query;
use super::request::Request;
use super::state::State;
use crate::serving::{Place, Responder, Serving};

/// The largest request that is read: a request for a token has a few hundred bytes.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// How the server is started.
#[derive(Clone, Debug)]
pub struct Start {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What clients call the host, where its certificate has a name.
    pub host: Option<String>,
    /// HTTPS with this certificate.
    pub tls: Option<Arc<ServerConfig>>,
}

impl Default for Start {
    /// Plain HTTP on a free port of 127.0.0.1.
    fn default() -> Self {
        Self { listen: (Ipv4Addr::LOCALHOST, 0).into(), host: None, tls: None }
    }
}

/// An emulated Keystone (`/identity/v3`) and Neutron (`/network`) in a thread of its own; it ends with this value.
pub struct Emulated {
    /// Scheme, host and port.
    pub url: String,
    state: Arc<Mutex<State>>,
    serving: Serving,
}

impl Emulated {
    /// Serves a cloud on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// What the system says where it cannot listen or make a thread.
    pub fn start(cloud: Cloud, options: Options) -> io::Result<Self> {
        Self::start_at(&Start::default(), cloud, options)
    }

    /// Serves a cloud where it is told to.
    ///
    /// # Errors
    /// What the system says where it cannot listen there or make a thread.
    pub fn start_at(start: &Start, cloud: Cloud, options: Options) -> io::Result<Self> {
        let place = Place::listen(start.listen)?;
        let scheme = if start.tls.is_some() { "https" } else { "http" };
        let host = start.host.clone().unwrap_or_else(|| place.address.ip().to_string());
        let url = format!("{scheme}://{host}:{}", place.address.port());
        let state = Arc::new(Mutex::new(State::new(cloud, options)));
        let server = Server { state: Arc::clone(&state), url: url.clone() };
        let serving = place.serve("emulated-openstack", start.tls.clone(), server)?;
        Ok(Self { url, state, serving })
    }

    /// Where clients authenticate: the `auth_url`.
    pub fn auth_url(&self) -> String {
        format!("{}/identity/v3", self.url)
    }

    /// Looks at the cloud or changes it; nobody is answered meanwhile.
    pub fn change<T>(&self, change: impl FnOnce(&mut Cloud) -> T) -> T {
        change(&mut self.state().cloud)
    }

    /// Changes how the services are set up.
    pub fn adjust(&self, change: impl FnOnce(&mut Options)) {
        let mut state = self.state();
        change(&mut state.options);
        state.know_accounts();
    }

    /// From now on this goes wrong.
    pub fn fail(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// From now on nothing goes wrong.
    pub fn heal(&self) {
        self.state().faults.clear();
    }

    /// All tokens have expired.
    pub fn expire_tokens(&self) {
        self.state().tokens.revoke_all();
    }

    /// How many requests there were.
    pub fn requests(&self) -> u64 {
        self.state().requests
    }

    /// The last requests as method, path and query: those whose text holds this.
    pub fn asked(&self, part: &str) -> Vec<String> {
        self.state().asked.iter().filter(|line| line.contains(part)).cloned().collect()
    }

    /// Serves until the process ends.
    pub fn wait(self) {
        self.serving.wait();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// A test that panicked while it changed the cloud leaves a cloud that can still be shown.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Server {
    state: Arc<Mutex<State>>,
    url: String,
}

impl Responder for Server {
    type Body = Reply;

    async fn respond(&self, request: hyper::Request<Incoming>) -> Result<hyper::Response<Reply>, io::Error> {
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, REQUEST_BYTES_MAX).collect().await else {
            return response(413, Answer::of_keystone(413, "Request is too large."), 0, false);
        };
        let header =
            |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        let scheme = self.url.split("://").next().unwrap_or("http");
        let host = header(HOST.as_str());
        let request = Request {
            method: head.method.as_str().to_owned(),
            path: head.uri.path().split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect(),
            query: Query::new(head.uri.query().unwrap_or_default()),
            origin: host.map_or_else(|| self.url.clone(), |host| format!("{scheme}://{host}")),
            token: header("x-auth-token"),
            accept: header("accept"),
            subject: header("x-subject-token"),
            body: body.to_bytes().to_vec(),
        };
        let wrong = lock(&self.state).note(&request.method, &target);
        match &wrong {
            Some(What::Down) => return Err(io::ErrorKind::ConnectionReset.into()),
            Some(What::Hang) => return std::future::pending().await,
            Some(What::Slow(time)) => tokio::time::sleep(*time).await,
            Some(What::Status { code, retry_after }) => {
                let mut answer = Answer::of_keystone(*code, "Something before the service says no.");
                if let Some(time) = retry_after {
                    answer = answer.with("retry-after", time.clone());
                }
                return response(*code, answer, 0, false);
            }
            _ => {}
        }
        let (answer, number) = {
            let mut state = lock(&self.state);
            (state.answer(&request, wrong.as_ref()), state.requests)
        };
        let answer = match wrong {
            Some(What::Garbage) => Answer { body: "<html>Welcome to nginx!</html>".to_owned(), ..answer },
            _ => answer,
        };
        response(answer.status, answer, number, wrong == Some(What::CutBody))
    }
}

fn response(
    status: u16,
    answer: Answer,
    number: u64,
    is_cut: bool,
) -> Result<hyper::Response<Reply>, io::Error> {
    let mut response = hyper::Response::builder()
        .status(status)
        .header("content-type", answer.content_type)
        .header("vary", "X-Auth-Token")
        .header("x-openstack-request-id", format!("req-00000000-0000-4000-8000-{number:012x}"));
    for (name, value) in answer.headers {
        let value = HeaderValue::from_str(&value).map_err(io::Error::other)?;
        response = response.header(name, value);
    }
    let whole = Bytes::from(answer.body);
    let length = whole.len() as u64;
    let sent = if is_cut { whole.slice(..whole.len() / 2) } else { whole };
    response.body(Reply { sent: Some(sent), length, is_cut, is_flushed: false }).map_err(io::Error::other)
}

/// A body that may end before its announced end.
struct Reply {
    sent: Option<Bytes>,
    length: u64,
    is_cut: bool,
    is_flushed: bool,
}

impl Body for Reply {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.sent.take() {
            Some(bytes) if !bytes.is_empty() => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            // What is in the buffer is only sent where the body has nothing more for now.
            _ if self.is_cut && !self.is_flushed => {
                self.is_flushed = true;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            _ if self.is_cut => Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))),
            _ => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        !self.is_cut && self.sent.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}
