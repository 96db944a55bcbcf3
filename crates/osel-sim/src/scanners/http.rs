//! The HTTP server below the simulated scanners: it hands requests to a service, remembers them, and breaks what it is told to break.
//!
//! It knows no scanner. A request is answered under one lock, so that a service needs none of its own; what is slow or hangs is slow
//! outside of it.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use tokio_rustls::rustls::ServerConfig;

use super::mishap::{Mishap, Reply, Sent, What};
use crate::serving::{Place, Responder, Serving};

/// The largest request that is read: orders for scans name some thousands of addresses.
const REQUEST_BYTES_MAX: usize = 1024 * 1024;
/// So many requests are remembered; the oldest is forgotten first.
const ASKED_MAX: usize = 10_000;

/// What somebody asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The how manieth request it is, from 1.
    pub number: u64,
    /// `GET` and the like.
    pub method: String,
    /// The parts of the path between slashes; empty ones are left out.
    pub path: Vec<String>,
    /// The query, decoded; of a key that is there twice the last value.
    pub query: BTreeMap<String, String>,
    /// The headers, by lower-case name; those that are no text are left out.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Call {
    /// The parts of the path.
    pub fn parts(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }
}

/// Answers requests, one at a time.
pub trait Service: Send + 'static {
    /// The answer to one.
    fn answer(&mut self, call: &Call) -> Reply;

    /// What goes wrong with one by the service's own habits, before it is looked at.
    fn mishap(&mut self, _call: &Call) -> Option<What> {
        None
    }
}

/// A moment of a request's life, for whoever wants to end the asker there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It has come, and has had no effect.
    Before,
    /// It has had its effect, and the answer is not sent yet.
    After,
}

/// Called at each moment of each request.
pub type Hook = Arc<dyn Fn(Moment, &Call) + Send + Sync>;

struct Inner<S> {
    service: S,
    mishaps: Vec<Mishap>,
    hook: Option<Hook>,
    asked: VecDeque<String>,
    requests: u64,
}

/// A service that is being served in a thread of its own; it ends with this value.
pub struct Served<S> {
    /// Scheme, host and port.
    pub url: String,
    inner: Arc<Mutex<Inner<S>>>,
    /// What ends with it.
    _serving: Serving,
}

impl<S: Service> Served<S> {
    /// Serves on a free port of 127.0.0.1: plain HTTP, or HTTPS by a certificate for `localhost`.
    ///
    /// # Errors
    /// What the system says where it cannot listen or make a thread.
    pub fn start(service: S, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        let place = Place::listen((Ipv4Addr::LOCALHOST, 0).into())?;
        let port = place.address.port();
        let url = match tls {
            Some(_) => format!("https://localhost:{port}"),
            None => format!("http://127.0.0.1:{port}"),
        };
        let inner = Inner { service, mishaps: Vec::new(), hook: None, asked: VecDeque::new(), requests: 0 };
        let inner = Arc::new(Mutex::new(inner));
        let serving = place.serve("simulated-scanner", tls, Server(Arc::clone(&inner)))?;
        Ok(Self { url, inner, _serving: serving })
    }

    /// Looks at the service or changes it; nobody is answered meanwhile.
    pub fn change<T>(&self, change: impl FnOnce(&mut S) -> T) -> T {
        change(&mut lock(&self.inner).service)
    }

    /// From now on this goes wrong.
    pub fn fail(&self, mishap: Mishap) {
        lock(&self.inner).mishaps.push(mishap);
    }

    /// From now on nothing goes wrong.
    pub fn heal(&self) {
        lock(&self.inner).mishaps.clear();
    }

    /// From now on this is called at each moment of each request.
    pub fn hook(&self, hook: Hook) {
        lock(&self.inner).hook = Some(hook);
    }

    /// How many requests there were.
    pub fn requests(&self) -> u64 {
        lock(&self.inner).requests
    }

    /// The last requests as method, path and query: those whose text holds this.
    pub fn asked(&self, part: &str) -> Vec<String> {
        lock(&self.inner).asked.iter().filter(|line| line.contains(part)).cloned().collect()
    }
}

/// A test that panicked while it changed the service leaves one that can still be asked.
fn lock<S>(inner: &Mutex<Inner<S>>) -> MutexGuard<'_, Inner<S>> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Server<S>(Arc<Mutex<Inner<S>>>);

impl<S: Service> Responder for Server<S> {
    type Body = Sent;

    async fn respond(&self, request: hyper::Request<Incoming>) -> io::Result<hyper::Response<Sent>> {
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, REQUEST_BYTES_MAX).collect().await else {
            return response(Reply::text(413, "text/plain", "too large"), Sent::whole);
        };
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let line = format!("{} {target}", head.method);
        let headers = head
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
        let query = form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes());
        let mut call = Call {
            number: 0,
            method: head.method.as_str().to_owned(),
            path: head.uri.path().split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect(),
            query: query.into_owned().collect(),
            headers: headers.collect(),
            body: body.to_bytes().to_vec(),
        };
        let (wrong, hook) = {
            let mut inner = lock(&self.0);
            inner.requests += 1;
            call.number = inner.requests;
            if inner.asked.len() >= ASKED_MAX {
                inner.asked.pop_front();
            }
            inner.asked.push_back(line.clone());
            let wrong =
                inner.mishaps.iter_mut().find_map(|mishap| mishap.strike(|_, part| line.contains(part)));
            (wrong.or_else(|| inner.service.mishap(&call)), inner.hook.clone())
        };
        if let Some(hook) = &hook {
            hook(Moment::Before, &call);
        }
        match &wrong {
            Some(What::Down) => return Err(io::ErrorKind::ConnectionReset.into()),
            Some(What::Hang) => return std::future::pending().await,
            Some(What::Slow(time)) => tokio::time::sleep(*time).await,
            Some(What::Instead(reply)) => return response(reply.clone(), Sent::whole),
            Some(What::Flood { reply, times }) => {
                let times = *times;
                return response(reply.clone(), |bytes| Sent::flood(bytes, times));
            }
            Some(What::Lost | What::Cut | What::Drip(_)) | None => {}
        }
        let reply = lock(&self.0).service.answer(&call);
        if let Some(hook) = &hook {
            hook(Moment::After, &call);
        }
        match wrong {
            Some(What::Lost) => Err(io::ErrorKind::ConnectionReset.into()),
            Some(What::Cut) => response(reply, Sent::cut),
            Some(What::Drip(pause)) => response(reply, |bytes| Sent::drip(bytes, pause)),
            _ => response(reply, Sent::whole),
        }
    }
}

fn response(
    reply: Reply,
    sent: impl FnOnce(hyper::body::Bytes) -> Sent,
) -> io::Result<hyper::Response<Sent>> {
    let mut response = hyper::Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(name, HeaderValue::from_str(value).map_err(io::Error::other)?);
    }
    response.body(sent(reply.body.into())).map_err(io::Error::other)
}
