//! What is known of one address during a scan: which ports are next, which probes are out, and what its
//! answers taught.
//!
//! It decides and keeps books; sockets, slots and results are the engine's. Timeouts are not fixed when a
//! probe is sent: a probe is overdue when *now* more time has passed than the address's round trip allows
//! *now*. So the first answer of an address ends the long wait of all probes that went out before anything
//! was known.
//!
//! Silence is believed last, when all is known that the scan of the address can teach: how much the way loses, and whether it stood still
//! (`witness`).

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::outcome::{NotProbed, PortState, Protocol};
use super::pace::Pace;
use super::plan::ScanPlan;
use super::ports::{Cursor, PortSpec};
use super::round_trip::RoundTrip;
use super::window::Window;
use super::witness::Witness;

/// Retries granted beyond the plan's to an address whose retries were answered: it loses packets, so silence
/// means less there. Six silent tries are one chance in a million where every tenth of them is lost.
const EXTRA_RETRIES: u8 = 5;
/// How many open ports of one address may be missed by loss, on average over many scans of it.
const MISSES: f64 = 0.001;
/// The least and the most that an address is taken to lose of all tries, once it has lost any: few answers say little.
const LOSS: (f64, f64) = (0.02, 0.5);
/// Silent ports are few, and then more likely lost than dropped by a firewall, where so many times as many answered.
const FEW_OF: u64 = 10;
/// The most silent ports of one address, of those with a witness and of those without, that wait for what else is learned of it before
/// silence is believed: what a scan of all ports of a firewalled host needs no more of than this, and has results to show meanwhile.
const HELD_MAX: usize = 4096;
/// Times a port is asked afresh because nothing vouches for the way between its last tries; the second is for a control that got lost alone.
const DOUBTS_MAX: u8 = 2;
/// The shortest wait for a datagram's answer: a service has to work one out, which a kernel's reply to a
/// connect does not.
const MIN_UDP_TIMEOUT: Duration = Duration::from_millis(500);
/// Tries at sending a probe that our own system could not send, with a pause before each.
const MAX_LOCAL_FAILURES: u8 = 5;
/// The pause after the first failure of our own system; doubled with each. All five together are 0.6 seconds.
const LOCAL_PAUSE: Duration = Duration::from_millis(20);
/// Times a socket may meet itself, or another probe of ours, on one port before the port counts as closed:
/// that it could is proof that nothing listens, and another local port is chosen each time, so once is nearly
/// always enough.
const MAX_MEETINGS: u8 = 4;

/// One attempt at one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    pub(super) protocol: Protocol,
    pub(super) port: u16,
    /// Attempts before this one that stayed silent.
    pub(super) attempt: u8,
    /// It asks a port a second time, only to see whether the address answers.
    pub(super) is_control: bool,
    local_failures: u8,
    meetings: u8,
    /// Times it was asked afresh for want of a witness.
    doubts: u8,
    /// When the answer to the attempt before this one should have been there.
    after: Option<Instant>,
}

impl Probe {
    fn new(protocol: Protocol, port: u16) -> Self {
        Self {
            protocol,
            port,
            attempt: 0,
            is_control: false,
            local_failures: 0,
            meetings: 0,
            doubts: 0,
            after: None,
        }
    }

    /// The next attempt, where this one was silent.
    fn again(self, after: Instant) -> Self {
        Self { attempt: self.attempt.saturating_add(1), after: Some(after), ..self }
    }
}

/// A port that stayed silent as often as seemed enough then; small, for there may be many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Silent {
    protocol: Protocol,
    port: u16,
    attempt: u8,
    doubts: u8,
}

impl Silent {
    /// One more try.
    fn again(self, now: Instant) -> Probe {
        let probe =
            Probe { attempt: self.attempt, doubts: self.doubts, ..Probe::new(self.protocol, self.port) };
        probe.again(now)
    }

    /// The first of as many tries as a port has that was never asked, for those that it had may not count.
    fn afresh(self) -> Probe {
        Probe { doubts: self.doubts + 1, ..Probe::new(self.protocol, self.port) }
    }
}

/// Whether an address can have a probe now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// A probe may go.
    Now,
    /// A probe may go at that time.
    At(Instant),
    /// Nothing to send, or too much is out: an answer or a timeout comes first.
    AfterAnswer,
}

/// A probe that is out, as its address remembers it.
#[derive(Debug)]
struct Sent {
    ticket: Ticket,
    at: Instant,
}

/// Where a probe that is out waits, and which one it is of all that waited there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) slot: usize,
    pub(super) generation: u64,
}

/// Probes that have the same timeout, in the order in which they were sent, so that the first is the first to
/// be overdue.
#[derive(Debug)]
struct Lane {
    protocol: Protocol,
    attempt: u8,
    sent: VecDeque<Sent>,
}

/// One address.
#[derive(Debug)]
pub(super) struct Host {
    address: IpAddr,
    ports: PortSpec,
    cursor: Cursor,
    next: Option<(Protocol, u16)>,
    again: VecDeque<Probe>,
    lanes: Vec<Lane>,
    in_flight: usize,
    without_result: u64,
    round_trip: RoundTrip,
    window: Window,
    pace: Option<Pace>,
    paused_until: Option<Instant>,
    /// Silent attempts after which the next silence is final.
    retries: u8,
    min_retries: u8,
    max_retries: u8,
    /// How many ports were asked for.
    asked: u64,
    /// Answers to first tries, and to later ones: the loss on the way.
    answers: u64,
    late_answers: u64,
    /// Ports whose silence was believed.
    believed: u64,
    /// Silent ports that wait for what else is learned, while the address answered others.
    held: VecDeque<Silent>,
    /// The same, but nothing tells whether their tries ever arrived.
    doubted: VecDeque<Silent>,
    witness: Witness,
    /// Set when a local failure outlasted all tries: the next ports get only one, until one can be sent.
    local_failure_lasts: bool,
}

impl Host {
    pub(super) fn new(address: IpAddr, ports: PortSpec, plan: &ScanPlan, concurrency: usize) -> Self {
        let retries = plan.retries.min(ScanPlan::MAX_RETRIES);
        let mut cursor = Cursor::default();
        Self {
            address,
            next: cursor.next(&ports),
            cursor,
            again: VecDeque::new(),
            lanes: Vec::new(),
            in_flight: 0,
            without_result: ports.count(),
            round_trip: RoundTrip::new(plan),
            window: Window::new(concurrency),
            pace: plan.rate_per_host.map(Pace::new),
            paused_until: None,
            retries,
            min_retries: retries,
            max_retries: if retries == 0 { 0 } else { retries + EXTRA_RETRIES },
            asked: ports.count(),
            answers: 0,
            late_answers: 0,
            believed: 0,
            held: VecDeque::new(),
            doubted: VecDeque::new(),
            witness: Witness::default(),
            local_failure_lasts: false,
            ports,
        }
    }

    /// The address itself.
    pub(super) fn address(&self) -> IpAddr {
        self.address
    }

    /// Where a probe goes to.
    pub(super) fn destination(&self, probe: Probe) -> SocketAddr {
        SocketAddr::new(self.address, probe.port)
    }

    /// Whether every port has its result and nothing is out.
    pub(super) fn is_finished(&self) -> bool {
        self.without_result == 0 && self.in_flight == 0
    }

    /// Whether a probe may go.
    pub(super) fn turn(&self, now: Instant) -> Turn {
        if self.again.is_empty() && self.next.is_none() || !self.window.has_room(self.in_flight) {
            return Turn::AfterAnswer;
        }
        let paced = self.pace.as_ref().map_or(now, |pace| pace.next(now));
        match self.paused_until.map_or(paced, |paused| paused.max(paced)) {
            at if at > now => Turn::At(at),
            _ => Turn::Now,
        }
    }

    /// The next probe; the caller sends it. Retries go first: their ports have waited longest.
    pub(super) fn next_probe(&mut self) -> Option<Probe> {
        if let Some(probe) = self.again.front() {
            let wants_witness = !probe.is_control && probe.attempt >= self.retries;
            let is_missing = probe.after.is_some_and(|after| wants_witness && self.witness.is_missing(after));
            let control = if is_missing { self.control(0) } else { None };
            return control.or_else(|| self.again.pop_front());
        }
        let (protocol, port) = self.next?;
        self.next = self.cursor.next(&self.ports);
        Some(Probe::new(protocol, port))
    }

    fn control(&self, attempt: u8) -> Option<Probe> {
        let port = self.witness.port()?;
        Some(Probe { is_control: true, attempt, ..Probe::new(Protocol::Tcp, port) })
    }

    /// A probe left this machine.
    pub(super) fn was_sent(&mut self, probe: Probe, now: Instant) {
        self.local_failure_lasts = false;
        if probe.is_control {
            self.witness.asked(now);
        }
        if let Some(pace) = &mut self.pace {
            pace.sent(now);
        }
    }

    /// A probe that was sent now waits for its answer.
    pub(super) fn waits(&mut self, probe: Probe, ticket: Ticket, at: Instant) {
        self.in_flight += 1;
        let sent = Sent { ticket, at };
        let lane = self
            .lanes
            .iter_mut()
            .find(|lane| lane.protocol == probe.protocol && lane.attempt == probe.attempt);
        match lane {
            Some(lane) => lane.sent.push_back(sent),
            None => self.lanes.push(Lane {
                protocol: probe.protocol,
                attempt: probe.attempt,
                sent: VecDeque::from([sent]),
            }),
        }
    }

    /// A probe waits no longer, for whatever reason.
    pub(super) fn waits_no_longer(&mut self) {
        self.in_flight -= 1;
    }

    /// The next probe that is overdue; `waiting` tells which still wait.
    pub(super) fn overdue(&mut self, now: Instant, waiting: impl Fn(Ticket) -> bool) -> Option<Ticket> {
        for lane in &mut self.lanes {
            let timeout = timeout(&self.round_trip, lane.protocol, lane.attempt);
            while let Some(first) = lane.sent.front() {
                let ticket = first.ticket;
                let is_waiting = waiting(ticket);
                if is_waiting && first.at + timeout > now {
                    break;
                }
                lane.sent.pop_front();
                if is_waiting {
                    return Some(ticket);
                }
            }
        }
        None
    }

    /// When the first probe will be overdue, as far as is known; true right after [`Self::overdue`] found
    /// none.
    pub(super) fn next_overdue(&self) -> Option<Instant> {
        let first = |lane: &Lane| {
            let timeout = timeout(&self.round_trip, lane.protocol, lane.attempt);
            lane.sent.front().map(|sent| sent.at + timeout)
        };
        self.lanes.iter().filter_map(first).min()
    }

    /// An answer took so long.
    pub(super) fn measured(&mut self, probe: Probe, waited: Duration) {
        if probe.protocol == Protocol::Tcp {
            self.round_trip.measure(waited);
        }
    }

    /// An answer to a probe that was sent then came; whether it is a result.
    pub(super) fn answered(&mut self, probe: Probe, state: PortState, sent: Instant, now: Instant) -> bool {
        if probe.is_control {
            self.witness.control_answered(sent);
            return false;
        }
        self.witness.answered(probe.protocol, probe.port, state, sent);
        self.window.answered();
        self.answers += 1;
        if probe.attempt > 0 {
            let round = timeout(&self.round_trip, probe.protocol, 0);
            self.window.lost(now, now + round);
            self.late_answers += 1;
        }
        if self.late_answers > 0 {
            self.retries = self.retries_against_loss(self.late_answers, self.answers);
        }
        self.without_result -= 1;
        true
    }

    /// So many retries that hardly any port stays silent by loss alone, where `lost` first tries of so many were.
    fn retries_against_loss(&self, lost: u64, of: u64) -> u8 {
        let loss = (lost as f64 / of as f64).clamp(LOSS.0, LOSS.1);
        let tries = (MISSES / self.asked.max(1) as f64).ln() / loss.ln();
        let retries = tries.ceil().clamp(1.0, f64::from(u8::MAX)) as u8 - 1;
        retries.max(self.min_retries).min(self.max_retries)
    }

    /// No answer to a probe that was sent then came in time: the port's state, or nothing when it is asked again or kept for
    /// [`Self::settled`].
    pub(super) fn silent(&mut self, probe: Probe, sent: Instant) -> Option<PortState> {
        if probe.is_control {
            self.witness.control_silent(probe.attempt);
            return None;
        }
        if probe.attempt < self.retries {
            self.window.silent();
            self.again.push_back(probe.again(sent + self.round_trip.usual()));
            return None;
        }
        if self.max_retries == 0 {
            return Some(self.believe(probe.protocol));
        }
        let Probe { protocol, port, attempt, doubts, .. } = probe;
        let is_vouched_for = probe.after.is_some_and(|after| self.witness.vouches(after, sent));
        let kept = if is_vouched_for { &mut self.held } else { &mut self.doubted };
        kept.push_back(Silent { protocol, port, attempt, doubts });
        None
    }

    /// A port whose silence is believed by now, with its state. Once nothing else is left to ask, ports are asked again that were kept
    /// while less was known of the loss on the way, or whose tries may never have arrived; the latter only after a control was answered,
    /// if the last one was not.
    pub(super) fn settled(&mut self, now: Instant) -> Option<(Protocol, u16, PortState)> {
        let is_last = self.again.is_empty() && self.next.is_none() && self.in_flight == 0;
        if is_last {
            self.weigh_few();
            let silent_controls = self.witness.silent_controls();
            if silent_controls > 0
                && !self.doubted.is_empty()
                && let Some(control) = self.control(silent_controls)
            {
                self.again.push_back(control);
                return None;
            }
        }
        while is_last || self.held.len() > HELD_MAX {
            let Some(silent) = self.held.pop_front() else { break };
            if silent.attempt >= self.retries {
                return Some((silent.protocol, silent.port, self.believe(silent.protocol)));
            }
            self.again.push_back(silent.again(now));
        }
        while is_last || self.doubted.len() > HELD_MAX {
            let silent = self.doubted.pop_front()?;
            if is_last && silent.doubts < DOUBTS_MAX && self.witness.port().is_some() {
                self.again.push_back(silent.afresh());
            } else if silent.attempt < self.retries {
                self.again.push_back(silent.again(now));
            } else {
                return Some((silent.protocol, silent.port, self.believe(silent.protocol)));
            }
        }
        None
    }

    /// Takes the silence of few ports beside many that answer for loss, so that it has to outlast it.
    fn weigh_few(&mut self) {
        let silent = self.believed + (self.held.len() + self.doubted.len()) as u64;
        if silent > 0 && silent * FEW_OF <= self.answers {
            let of = self.answers + silent;
            self.retries = self.retries.max(self.retries_against_loss(self.late_answers + silent, of));
        }
    }

    fn believe(&mut self, protocol: Protocol) -> PortState {
        self.without_result -= 1;
        self.believed += 1;
        match protocol {
            Protocol::Tcp => PortState::Filtered,
            Protocol::Udp => PortState::OpenFiltered,
        }
    }

    /// The probe met itself or another of ours: the port's state, or nothing when it is asked again.
    pub(super) fn met_ourselves(&mut self, probe: Probe) -> Option<PortState> {
        if probe.is_control {
            self.witness.control_silent(probe.attempt);
            return None;
        }
        if probe.meetings < MAX_MEETINGS {
            self.again.push_back(Probe { meetings: probe.meetings + 1, ..probe });
            return None;
        }
        self.without_result -= 1;
        Some(PortState::Closed)
    }

    /// The probe could not be sent: the reason if that is final, or nothing when it is tried again after a
    /// pause.
    pub(super) fn not_sent(&mut self, probe: Probe, reason: NotProbed, now: Instant) -> Option<NotProbed> {
        if probe.is_control {
            self.witness.asked(now);
            self.witness.control_silent(probe.attempt);
            return None;
        }
        if reason.may_pass() && !self.local_failure_lasts && probe.local_failures < MAX_LOCAL_FAILURES {
            self.paused_until = Some(now + LOCAL_PAUSE * (1 << probe.local_failures));
            self.again.push_front(Probe { local_failures: probe.local_failures + 1, ..probe });
            return None;
        }
        self.local_failure_lasts = reason.may_pass();
        self.without_result -= 1;
        Some(reason)
    }

    /// The probe could not be sent because others of ours hold what it needs: it waits its turn.
    pub(super) fn postponed(&mut self, probe: Probe) {
        self.again.push_front(probe);
    }

    /// Frees what a finished address needs no more.
    pub(super) fn release(&mut self) {
        self.ports = PortSpec::new();
        self.lanes = Vec::new();
        self.again = VecDeque::new();
        self.held = VecDeque::new();
        self.doubted = VecDeque::new();
        self.witness = Witness::default();
    }
}

fn timeout(round_trip: &RoundTrip, protocol: Protocol, attempt: u8) -> Duration {
    let timeout = round_trip.timeout(attempt);
    match protocol {
        Protocol::Tcp => timeout,
        Protocol::Udp => timeout.max(MIN_UDP_TIMEOUT),
    }
}

#[cfg(test)]
mod tests;
