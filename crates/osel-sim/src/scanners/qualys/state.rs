//! The whole of the service: who may ask, how often, and which part answers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use osel_core::time::Timestamp;

use super::answer::{Answer, Refusal};
use super::fault::{Fault, What};
use super::options::Options;
use super::request::Request;
use super::scan::Scan;
use super::{assets, hosts, scans};
use crate::random::Random;

/// So many requests are remembered; the oldest is forgotten first.
const REQUESTS_MAX: usize = 100_000;
/// The versions that there are.
const VERSIONS: [&str; 4] = ["2.0", "3.0", "4.0", "5.0"];

/// What an endpoint gives.
pub(super) type Given = Result<Answer, Refusal>;

/// The whole of the service.
pub(super) struct State {
    pub(super) options: Options,
    pub(super) scans: Vec<Scan>,
    /// Addresses that were added to the subscription.
    pub(super) added: BTreeSet<IpAddr>,
    pub(super) faults: Vec<Fault>,
    /// The requests in the order of their coming.
    pub(super) asked: VecDeque<String>,
    /// How many there were altogether.
    pub(super) requests: u64,
    /// How many scans were ever launched.
    pub(super) launches: u64,
    /// Seconds that a test let pass.
    pub(super) passed_seconds: i64,
    /// When each endpoint was asked, as far as it counts.
    calls: BTreeMap<String, VecDeque<Timestamp>>,
    /// How many requests to each endpoint are under way.
    running: BTreeMap<String, u32>,
    /// The cookies of those who are logged in.
    sessions: BTreeSet<String>,
    random: Random,
}

impl State {
    pub(super) fn new(options: Options) -> Self {
        let random = Random::new(options.seed);
        Self {
            options,
            scans: Vec::new(),
            added: BTreeSet::new(),
            faults: Vec::new(),
            asked: VecDeque::new(),
            requests: 0,
            launches: 0,
            passed_seconds: 0,
            calls: BTreeMap::new(),
            running: BTreeMap::new(),
            sessions: BTreeSet::new(),
            random,
        }
    }

    /// What time it is.
    pub(super) fn now(&self) -> Timestamp {
        let system = || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
        };
        self.options.now.unwrap_or_else(system).plus_seconds(self.passed_seconds)
    }

    /// The time as answers have it.
    pub(super) fn now_text(&self) -> String {
        time_text(self.now())
    }

    /// Whether an address may be scanned.
    pub(super) fn has(&self, address: IpAddr) -> bool {
        self.added.contains(&address) || self.options.addresses.iter().any(|prefix| prefix.contains(&address))
    }

    /// Remembers a request; says what number it has, what goes wrong with it, and how long it takes.
    pub(super) fn note(&mut self, request: &Request, line: &str) -> (u64, Option<What>, Duration) {
        self.requests += 1;
        if self.asked.len() >= REQUESTS_MAX {
            self.asked.pop_front();
        }
        self.asked.push_back(line.to_owned());
        *self.running.entry(endpoint(&request.path)).or_default() += 1;
        let wrong = self.faults.iter_mut().find_map(|fault| fault.strike(|_, part| line.contains(part)));
        let most = u64::try_from(self.options.latency_max.as_micros()).unwrap_or(u64::MAX);
        (self.requests, wrong, Duration::from_micros(self.random.between(0, most)))
    }

    /// A request has its answer.
    pub(super) fn done(&mut self, request: &Request) {
        if let Some(running) = self.running.get_mut(&endpoint(&request.path)) {
            *running = running.saturating_sub(1);
        }
    }

    /// The answer to a request.
    pub(super) fn answer(&mut self, request: &Request) -> Answer {
        let now = self.now_text();
        if request.path.ends_with("/fo/session/") {
            return self.session(request).unwrap_or_else(|refusal| Answer::refused(&now, &refusal));
        }
        if let Err(refusal) = self.admit(request) {
            return Answer::refused(&now, &refusal);
        }
        let (limits, blocked) = self.count(request);
        let answer = match blocked {
            Some(refusal) => Err(refusal),
            None => self.endpoint(request),
        };
        let mut answer = answer.unwrap_or_else(|refusal| Answer::refused(&now, &refusal));
        answer.headers.extend(limits);
        answer
    }

    fn endpoint(&mut self, request: &Request) -> Given {
        let parts: Vec<&str> = request.path.split('/').filter(|part| !part.is_empty()).collect();
        let ["api", version, "fo", rest @ ..] = parts.as_slice() else { return Ok(Answer::page(404)) };
        if !VERSIONS.contains(version) {
            return Ok(Answer::page(404));
        }
        match rest {
            ["scan"] => scans::answer(self, request),
            ["asset", "ip"] => assets::ip(self, request),
            ["asset", "excluded_ip"] => assets::excluded(self, request),
            ["asset", "group"] => assets::groups(self, request),
            ["asset", "host"] => hosts::list(self, request),
            ["asset", "host", "vm", "detection"] => hosts::detections(self, request),
            ["appliance"] => assets::appliances(self, request),
            _ => Ok(Answer::page(404)),
        }
    }

    /// Whether somebody may ask at all.
    fn admit(&self, request: &Request) -> Result<(), Refusal> {
        let login = format!("{}:{}", self.options.user, self.options.password);
        let by_password = request.authorization.as_deref().and_then(|value| value.strip_prefix("Basic "));
        let is_known = by_password.is_some_and(|given| given == STANDARD.encode(&login));
        let cookies = request.cookie.iter().flat_map(|cookie| cookie.split(';'));
        let mut sessions = cookies.filter_map(|cookie| cookie.trim().strip_prefix("QualysSession="));
        if !is_known && !sessions.any(|session| self.sessions.contains(session)) {
            return Err(Refusal::new(401, 2000, "Bad Login/Password"));
        }
        if request.requested_with.as_deref().is_none_or(str::is_empty) {
            return Err(Refusal::new(400, 1903, "Missing required header: X-Requested-With"));
        }
        match request.method.as_str() {
            "POST" | "GET" => Ok(()),
            _ => Err(Refusal::new(400, 1908, "Request method is incompatible with specification")),
        }
    }

    /// Counts a call. What the limits are stands in headers; why it may not be, if it may not, in the refusal.
    fn count(&mut self, request: &Request) -> (Vec<(&'static str, String)>, Option<Refusal>) {
        let (now, rate, endpoint) = (self.now(), self.options.rate, endpoint(&request.path));
        let running = self.running.get(&endpoint).copied().unwrap_or(1) + self.options.others_running;
        let calls = self.calls.entry(endpoint).or_default();
        while calls.front().is_some_and(|&call| call.plus_seconds(rate.seconds) <= now) {
            calls.pop_front();
        }
        let names = match self.options.spells_as_documented {
            true => ["X-ConcurrencyLimit-Limit", "X-ConcurrencyLimit-Running"],
            false => ["X-Concurrency-Limit-Limit", "X-Concurrency-Limit-Running"],
        };
        let mut headers = vec![
            ("X-RateLimit-Limit", rate.calls.to_string()),
            ("X-RateLimit-Window-Sec", rate.seconds.to_string()),
            (names[0], self.options.concurrency_limit.to_string()),
            (names[1], running.min(self.options.concurrency_limit).to_string()),
        ];
        // What is said of concurrency goes before what is said of the rate.
        let refusal = if running > self.options.concurrency_limit {
            let text = format!(
                "This API cannot be run again until {} currently running instance has finished.",
                self.options.concurrency_limit
            );
            Some(Refusal::new(409, 1960, text))
        } else if let Some(first) = calls.front().filter(|_| calls.len() >= rate.calls) {
            let micros = first.plus_seconds(rate.seconds).micros() - now.micros();
            let wait = micros.div_euclid(1_000_000) + 1;
            headers.push(("X-RateLimit-ToWait-Sec", wait.to_string()));
            Some(Refusal::new(409, 1965, format!("This API cannot be run again for another {wait} seconds.")))
        } else {
            calls.push_back(now);
            None
        };
        headers.push(("X-RateLimit-Remaining", rate.calls.saturating_sub(calls.len()).to_string()));
        (headers, refusal)
    }

    /// `session/`: a cookie in place of a password for each request.
    fn session(&mut self, request: &Request) -> Given {
        if request.requested_with.as_deref().is_none_or(str::is_empty) {
            return Err(Refusal::new(400, 1903, "Missing required header: X-Requested-With"));
        }
        let now = self.now_text();
        match request.action() {
            "login" => {
                let is_known = request.get("username") == Some(&self.options.user)
                    && request.get("password") == Some(&self.options.password);
                if !is_known {
                    return Err(Refusal::new(401, 2000, "Bad Login/Password"));
                }
                let session = self.random.hex32();
                let cookie = format!("QualysSession={session}; path=/api; secure");
                self.sessions.insert(session);
                Ok(Answer::simple(&now, "Logged in", &[]).with("set-cookie", cookie))
            }
            "logout" => {
                let cookie = request.cookie.clone().unwrap_or_default();
                self.sessions.retain(|session| !cookie.contains(session.as_str()));
                Ok(Answer::simple(&now, "Logged out", &[]))
            }
            _ => Err(Refusal::invalid("action")),
        }
    }

    /// A part of a scan's reference by chance.
    pub(super) fn five_digits(&mut self) -> u64 {
        self.random.below(100_000)
    }
}

/// An endpoint, for which limits are counted: a path without its version.
fn endpoint(path: &str) -> String {
    path.split('/').filter(|part| !part.is_empty()).skip(2).collect::<Vec<_>>().join("/")
}

/// A time as answers have it: to the second.
pub(super) fn time_text(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{}Z", text.get(..19).unwrap_or(&text))
}
