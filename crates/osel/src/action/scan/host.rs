//! What is known of one address during a scan: which ports are next, which probes are out, and what its
//! answers taught.
//!
//! It decides and keeps books; sockets, slots and results are the engine's. Timeouts are not fixed when a
//! probe is sent: a probe is overdue when *now* more time has passed than the address's round trip allows
//! *now*. So the first answer of an address ends the long wait of all probes that went out before anything
//! was known.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::outcome::{NotProbed, PortState, Protocol};
use super::pace::Pace;
use super::plan::ScanPlan;
use super::ports::{Cursor, PortSpec};
use super::round_trip::RoundTrip;
use super::window::Window;

/// Retries granted beyond the plan's to an address whose retries were answered: it loses packets, so silence
/// means less there. Six silent tries are one chance in a million where every tenth of them is lost.
const EXTRA_RETRIES: u8 = 5;
/// How many open ports of one address may be missed by loss, on average over many scans of it.
const MISSES: f64 = 0.001;
/// The least and the most that an address is taken to lose of all tries, once it has lost any: few answers say little.
const LOSS: (f64, f64) = (0.02, 0.5);
/// The most silent ports of one address that wait for what else is learned of it before silence is believed: what a scan of all
/// ports of a firewalled host needs no more of than this, and has results to show meanwhile.
const HELD_MAX: usize = 4096;
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
    local_failures: u8,
    meetings: u8,
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
    /// Ports that stayed silent as often as seemed enough then, with their last attempt.
    held: VecDeque<Probe>,
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
            held: VecDeque::new(),
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

    /// Whether every port has its result.
    pub(super) fn is_finished(&self) -> bool {
        self.without_result == 0
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
        if let Some(probe) = self.again.pop_front() {
            return Some(probe);
        }
        let (protocol, port) = self.next?;
        self.next = self.cursor.next(&self.ports);
        Some(Probe { protocol, port, attempt: 0, local_failures: 0, meetings: 0 })
    }

    /// A probe left this machine.
    pub(super) fn was_sent(&mut self, now: Instant) {
        self.local_failure_lasts = false;
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

    /// An answer came. `waited` is how long the probe was out; nothing when it is known to say nothing about
    /// the way.
    pub(super) fn answered(&mut self, probe: Probe, waited: Duration, now: Instant) {
        if probe.protocol == Protocol::Tcp {
            self.round_trip.measure(waited);
        }
        self.window.answered();
        self.answers += 1;
        if probe.attempt > 0 {
            let round = timeout(&self.round_trip, probe.protocol, 0);
            self.window.lost(now, now + round);
            self.late_answers += 1;
        }
        if self.late_answers > 0 {
            self.retries = self.retries_against_loss().max(self.min_retries).min(self.max_retries);
        }
        self.without_result -= 1;
    }

    /// So many retries that hardly any port stays silent by loss alone.
    fn retries_against_loss(&self) -> u8 {
        let loss = (self.late_answers as f64 / self.answers as f64).clamp(LOSS.0, LOSS.1);
        let tries = (MISSES / self.asked.max(1) as f64).ln() / loss.ln();
        tries.ceil().clamp(1.0, f64::from(u8::MAX)) as u8 - 1
    }

    /// No answer came in time: the port's state, or nothing when it is asked again or kept for [`Self::settled`].
    pub(super) fn silent(&mut self, probe: Probe) -> Option<PortState> {
        if probe.attempt < self.retries {
            self.window.silent();
            self.again.push_back(Probe { attempt: probe.attempt + 1, ..probe });
            return None;
        }
        if self.answers > 0 && self.max_retries > 0 {
            self.held.push_back(probe);
            return None;
        }
        Some(self.believed(probe))
    }

    /// A port whose silence is believed by now, with its state. One that was kept while less was known of the loss on the way is asked
    /// again once nothing else is left to ask.
    pub(super) fn settled(&mut self) -> Option<(Probe, PortState)> {
        let is_last = self.again.is_empty() && self.next.is_none() && self.in_flight == 0;
        while is_last || self.held.len() > HELD_MAX {
            let probe = self.held.pop_front()?;
            if probe.attempt >= self.retries {
                return Some((probe, self.believed(probe)));
            }
            self.again.push_back(Probe { attempt: probe.attempt + 1, ..probe });
        }
        None
    }

    fn believed(&mut self, probe: Probe) -> PortState {
        self.without_result -= 1;
        match probe.protocol {
            Protocol::Tcp => PortState::Filtered,
            Protocol::Udp => PortState::OpenFiltered,
        }
    }

    /// The probe met itself or another of ours: the port's state, or nothing when it is asked again.
    pub(super) fn met_ourselves(&mut self, probe: Probe) -> Option<PortState> {
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
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    fn host(ports: &str) -> Host {
        let plan = ScanPlan::new(Vec::new());
        Host::new("192.0.2.1".parse().unwrap(), ports.parse().unwrap(), &plan, 1000)
    }

    fn send(host: &mut Host, slot: usize, at: Instant) -> Probe {
        let probe = host.next_probe().unwrap();
        host.was_sent(at);
        host.waits(probe, Ticket { slot, generation: 0 }, at);
        probe
    }

    #[test]
    fn one_answer_shortens_the_wait_of_probes_already_out() {
        let mut host = host("1-3");
        let start = Instant::now();
        for slot in 0..3 {
            send(&mut host, slot, start);
        }
        let later = start + MILLISECOND * 200;
        assert_eq!(host.overdue(later, |_| true), None);
        assert_eq!(host.next_overdue(), Some(start + MILLISECOND * 1000));
        let answered = Probe { protocol: Protocol::Tcp, port: 1, attempt: 0, local_failures: 0, meetings: 0 };
        host.waits_no_longer();
        host.answered(answered, MILLISECOND, later);
        let overdue: Vec<_> = std::iter::from_fn(|| host.overdue(later, |ticket| ticket.slot != 0)).collect();
        assert_eq!(overdue.iter().map(|ticket| ticket.slot).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn silence_is_asked_again_once_and_then_believed() {
        let mut host = host("9,U:53");
        let now = Instant::now();
        for (slot, state) in [(0, PortState::Filtered), (1, PortState::OpenFiltered)] {
            let probe = send(&mut host, slot, now);
            host.waits_no_longer();
            assert_eq!(host.silent(probe), None);
            let again = host.next_probe().unwrap();
            assert_eq!((again.port, again.attempt), (probe.port, 1));
            assert_eq!(host.silent(again), Some(state));
        }
        assert!(host.is_finished());
    }

    #[test]
    fn what_an_address_loses_decides_how_often_its_silence_is_asked_again() {
        let retries = |answers: u32, late: u32| {
            let mut host = host("1-100");
            let probe = host.next_probe().unwrap();
            for number in 0..answers {
                let attempt = u8::from(number < late);
                host.answered(Probe { attempt, ..probe }, MILLISECOND, Instant::now());
            }
            host.retries
        };
        assert_eq!(retries(60, 0), 1, "nothing was lost");
        assert_eq!([retries(60, 1), retries(60, 5), retries(60, 30)], [2, 4, 6], "up to a bound");
    }

    #[test]
    fn silence_that_was_believed_too_early_is_asked_again_at_the_end() {
        let mut host = host("1-3");
        let now = Instant::now();
        let probes: Vec<_> = (0..3).map(|slot| send(&mut host, slot, now)).collect();
        probes.iter().for_each(|_| host.waits_no_longer());
        host.answered(probes[0], MILLISECOND, now);
        let silent = Probe { attempt: 1, ..probes[1] };
        assert_eq!((host.silent(silent), host.settled()), (None, Some((silent, PortState::Filtered))));
        assert!(!host.is_finished());

        let mut host = self::host("1-3");
        let probes: Vec<_> = (0..3).map(|slot| send(&mut host, slot, now)).collect();
        host.answered(probes[0], MILLISECOND, now);
        assert_eq!(host.silent(silent), None);
        assert_eq!(host.settled(), None, "others are still out");
        host.answered(Probe { attempt: 1, ..probes[2] }, MILLISECOND, now);
        probes.iter().for_each(|_| host.waits_no_longer());
        assert_eq!(host.settled(), None);
        let again = host.next_probe().unwrap();
        assert_eq!((again.port, again.attempt), (silent.port, 2), "the address loses packets");
        assert_eq!(host.silent(Probe { attempt: host.retries, ..again }), None);
        assert_eq!(host.settled().map(|(probe, _)| probe.port), Some(silent.port));
        assert!(host.is_finished());
    }

    #[test]
    fn a_lasting_local_failure_is_reported_and_does_not_hold_up_every_port() {
        let mut host = host("1-3");
        let mut now = Instant::now();
        let mut failures = 0;
        let mut reported = Vec::new();
        while !host.is_finished() {
            match host.turn(now) {
                Turn::At(at) => now = at,
                Turn::Now => {
                    let probe = host.next_probe().unwrap();
                    failures += 1;
                    reported.extend(host.not_sent(probe, NotProbed::NoLocalAddress, now));
                }
                Turn::AfterAnswer => panic!("there are ports left"),
            }
        }
        assert_eq!(reported, [NotProbed::NoLocalAddress; 3]);
        assert_eq!(failures, 1 + 5 + 2);
    }

    #[test]
    fn a_port_on_which_only_we_meet_is_closed() {
        let mut host = host("40000");
        let mut probe = host.next_probe().unwrap();
        while host.met_ourselves(probe).is_none() {
            probe = host.next_probe().unwrap();
        }
        assert_eq!((probe.meetings, host.is_finished()), (4, true));
    }
}
