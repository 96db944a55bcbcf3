//! The server: connections, forms, and the failures that are below the API.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::HOST;
use tokio_rustls::rustls::ServerConfig;

use super::answer::{Answer, Refusal};
use super::body::Reply;
use super::fault::{Fault, What};
use super::options::Options;
use super::request::Request;
use super::state::State;
use crate::serving::{Place, Responder, Serving};

/// The largest form: a launch with some thousand addresses has some ten thousand bytes.
const FORM_BYTES_MAX: usize = 1 << 20;

/// Where a request stands, for whoever wants to do something at just this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Which request it is, from 1.
    pub number: u64,
    /// Method, path and parameters.
    pub line: String,
    /// Whether it has taken effect; its answer is not sent yet.
    pub is_done: bool,
}

/// What is told of each moment; nobody is answered meanwhile.
type Hook = Arc<dyn Fn(&Moment) + Send + Sync>;

/// How the server is started.
#[derive(Clone, Default)]
pub struct Start {
    /// Where it listens; none for a free port of 127.0.0.1.
    pub listen: Option<SocketAddr>,
    /// HTTPS with this certificate.
    pub tls: Option<Arc<ServerConfig>>,
}

/// A simulated Qualys in a thread of its own; it ends with this value.
pub struct Qualys {
    /// Scheme, host and port.
    pub url: String,
    state: Arc<Mutex<State>>,
    hook: Arc<Mutex<Option<Hook>>>,
    /// What ends with it.
    _serving: Serving,
}

impl Qualys {
    /// Serves a subscription over plain HTTP.
    ///
    /// # Errors
    /// What the system says where it cannot listen or make a thread.
    pub fn start(options: Options) -> io::Result<Self> {
        Self::start_at(&Start::default(), options)
    }

    /// Serves a subscription where it is told to.
    ///
    /// # Errors
    /// What the system says where it cannot listen there or make a thread.
    pub fn start_at(start: &Start, options: Options) -> io::Result<Self> {
        let state = Arc::new(Mutex::new(State::new(options)));
        let hook = Arc::new(Mutex::new(None));
        let scheme = if start.tls.is_some() { "https" } else { "http" };
        let place = Place::listen(start.listen.unwrap_or((Ipv4Addr::LOCALHOST, 0).into()))?;
        let url = format!("{scheme}://{}", place.address);
        let server = Server { state: Arc::clone(&state), hook: Arc::clone(&hook), scheme };
        let serving = place.serve("qualys", start.tls.clone(), server)?;
        Ok(Self { url, state, hook, _serving: serving })
    }

    /// Changes what is there or how it behaves.
    pub fn change<T>(&self, change: impl FnOnce(&mut Options) -> T) -> T {
        change(&mut self.state().options)
    }

    /// From now on this goes wrong.
    pub fn fail(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// From now on nothing goes wrong.
    pub fn heal(&self) {
        self.state().faults.clear();
    }

    /// Time passes.
    pub fn pass(&self, seconds: i64) {
        self.state().passed_seconds += seconds;
    }

    /// From now on this is told of each moment of each request. It is called in the server's thread and may block it.
    pub fn at_each(&self, hook: impl Fn(&Moment) + Send + Sync + 'static) {
        *lock(&self.hook) = Some(Arc::new(hook));
    }

    /// From now on nobody is told.
    pub fn unhook(&self) {
        *lock(&self.hook) = None;
    }

    /// How many requests there were.
    pub fn requests(&self) -> u64 {
        self.state().requests
    }

    /// The requests as method, path and parameters: those whose line holds this.
    pub fn asked(&self, part: &str) -> Vec<String> {
        self.state().asked.iter().filter(|line| line.contains(part)).cloned().collect()
    }

    /// The titles of all scans that were ever launched, in their order.
    pub fn launched(&self) -> Vec<String> {
        self.state().scans.iter().map(|scan| scan.title.clone()).collect()
    }

    /// The references of all scans that are there, with the state each is in.
    pub fn scans(&self) -> Vec<(String, String)> {
        self.state().scans.iter().map(|scan| (scan.reference.clone(), scan.state_word().to_owned())).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// A test that panicked while it held something leaves what can still be shown.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Server {
    state: Arc<Mutex<State>>,
    hook: Arc<Mutex<Option<Hook>>>,
    scheme: &'static str,
}

impl Responder for Server {
    type Body = Reply;

    async fn respond(&self, request: hyper::Request<Incoming>) -> Result<hyper::Response<Reply>, io::Error> {
        let (head, body) = request.into_parts();
        let Ok(form) = Limited::new(body, FORM_BYTES_MAX).collect().await else {
            return response(Answer::page(413));
        };
        let header =
            |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let form = form.to_bytes();
        let pairs = |text: &[u8]| form_urlencoded::parse(text).into_owned().collect::<Vec<_>>();
        let mut parameters = pairs(head.uri.query().unwrap_or_default().as_bytes());
        parameters.extend(pairs(&form));
        let request = Request {
            method: head.method.as_str().to_owned(),
            path: head.uri.path().to_owned(),
            parameters,
            authorization: header("authorization"),
            requested_with: header("x-requested-with"),
            cookie: header("cookie"),
            origin: format!("{}://{}", self.scheme, header(HOST.as_str()).unwrap_or_default()),
        };
        let line = request.line();
        let (number, wrong, latency) = lock(&self.state).note(&request, &line);
        self.tell(&Moment { number, line: line.clone(), is_done: false });
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let answer = match wrong {
            Some(What::Down) => Err(io::ErrorKind::ConnectionReset.into()),
            Some(What::Hang) => std::future::pending().await,
            Some(What::Page(status)) => response(Answer::page(status)),
            Some(What::Redirect(to)) => response(Answer::page(302).with("location", to)),
            Some(What::Code { status, code, text }) => {
                let now = lock(&self.state).now_text();
                response(Answer::refused(&now, &Refusal(status, code, text)))
            }
            Some(What::Body(body)) => {
                let content_type = if body.starts_with('<') { "text/xml" } else { "application/json" };
                response(Answer { status: 200, content_type, headers: Vec::new(), body })
            }
            Some(What::Drip(every)) => Ok(hyper::Response::new(Reply::drip(every))),
            Some(What::Flood { piece, bytes }) => Ok(hyper::Response::new(Reply::flood(piece, bytes))),
            Some(What::Lost) => {
                lock(&self.state).answer(&request);
                Err(io::ErrorKind::ConnectionReset.into())
            }
            None => {
                let answer = lock(&self.state).answer(&request);
                response(answer)
            }
        };
        lock(&self.state).done(&request);
        self.tell(&Moment { number, line, is_done: true });
        answer
    }
}

impl Server {
    fn tell(&self, moment: &Moment) {
        let hook = lock(&self.hook).clone();
        if let Some(hook) = hook {
            hook(moment);
        }
    }
}

fn response(answer: Answer) -> Result<hyper::Response<Reply>, io::Error> {
    let mut response =
        hyper::Response::builder().status(answer.status).header("content-type", answer.content_type);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Reply::whole(answer.body)).map_err(io::Error::other)
}
