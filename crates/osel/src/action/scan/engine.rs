//! The loop of a scan: sends what may be sent, waits for what was sent, and reports what came of it.
//!
//! One future, one owner of all state, no tasks and no locks beyond the list of ready slots; dropping it ends
//! the scan. Probes answered at once never take a slot. The others take one each, at most as many as
//! descriptors permit, and give it back when they are answered or overdue. After a batch of probes the loop
//! yields, so that it shares its thread with the rest of osel.

use std::net::IpAddr;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use socket2::Socket;
use tokio::task::yield_now;

use super::descriptors;
use super::host::{Host, Probe, Ticket, Turn};
use super::outcome::{NotProbed, PortResult, PortState, Protocol, ScanError, ScanSummary};
use super::pace::Pace;
use super::plan::ScanPlan;
use super::ports::PortSpec;
use super::probe::{self, Answer, Sockets, Step, is_own_machine};
use super::ready::{Ready, SlotWaker};
use super::watched::Watched;

/// Probes begun before the loop looks at answers and lets others run: about half a millisecond of work.
const BATCH: usize = 64;
/// Addresses scanned side by side; with more, each turn around would cost more than the probes it sends.
const MAX_ACTIVE_HOSTS: usize = 256;
/// The loop looks around that often even if nothing is expected to happen.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// The loop looks around so much later than it wanted to only where the process was stopped, or was not given a processor: times of answers
/// tell nothing of the network then. A busy machine's scheduler has others run for a few of its slices.
const PAUSE: Duration = Duration::from_millis(50);

/// Scans what the plan says and hands over each result as it comes, in no particular order, exactly one per
/// port.
///
/// Must run within a tokio runtime with I/O and time enabled. Dropping the future ends the scan and closes
/// its sockets; ports without a result by then have none. A scan of which [`ScanSummary::probed`] is 0 says
/// nothing about the addresses.
///
/// # Errors
/// When the plan is empty or the process may not open a single socket. What goes wrong with one port is that
/// port's result.
pub async fn scan(plan: &ScanPlan, on_result: impl FnMut(PortResult)) -> Result<ScanSummary, ScanError> {
    let targets = plan.merged_targets();
    if targets.is_empty() {
        return Err(ScanError::NothingToScan);
    }
    let descriptors = descriptors::available()?;
    let wanted = plan.concurrency.map_or(usize::MAX, |wanted| wanted.get() as usize);
    Ok(Engine::new(plan, targets, descriptors.min(wanted), on_result).run().await)
}

/// A probe that waits for its answer.
struct Flight {
    host: usize,
    probe: Probe,
    socket: Watched,
    sent: Instant,
    /// Another probe of ours met this one: its success proves nothing.
    doubtful: bool,
}

/// A place for a waiting probe; used again and again, so that wakers are made once.
struct Slot {
    flight: Option<Flight>,
    generation: u64,
    woken: Arc<SlotWaker>,
    waker: Waker,
}

struct Engine<'plan, F> {
    plan: &'plan ScanPlan,
    targets: std::vec::IntoIter<(IpAddr, PortSpec)>,
    hosts: Vec<Host>,
    active: Vec<usize>,
    turn: usize,
    slots: Vec<Slot>,
    free: Vec<usize>,
    in_flight: usize,
    /// Slots that may be used now; below `max_capacity` after the system refused a descriptor.
    capacity: usize,
    max_capacity: usize,
    pace: Option<Pace>,
    sockets: Sockets,
    ready: Ready,
    /// Whether answers may have lain in their sockets for long when the loop last looked around.
    was_paused: bool,
    summary: ScanSummary,
    on_result: F,
}

impl<'plan, F: FnMut(PortResult)> Engine<'plan, F> {
    fn new(plan: &'plan ScanPlan, targets: Vec<(IpAddr, PortSpec)>, capacity: usize, on_result: F) -> Self {
        Self {
            plan,
            targets: targets.into_iter(),
            hosts: Vec::new(),
            active: Vec::new(),
            turn: 0,
            slots: Vec::new(),
            free: Vec::new(),
            in_flight: 0,
            capacity,
            max_capacity: capacity,
            pace: plan.rate.map(Pace::new),
            sockets: Sockets::default(),
            ready: Ready::new(),
            was_paused: false,
            summary: ScanSummary::default(),
            on_result,
        }
    }

    async fn run(mut self) -> ScanSummary {
        let mut woken = Vec::new();
        loop {
            self.expire(Instant::now());
            self.change_hosts();
            if self.active.is_empty() {
                return self.summary;
            }
            let until = if self.launch() > 0 {
                // Immediate answers may have ended it, or made room: nothing to wait for before another look.
                let until = Instant::now();
                yield_now().await;
                self.ready.take(&mut woken);
                until
            } else {
                let until = self.next_event(Instant::now());
                self.ready.wait(until, &mut woken).await;
                until
            };
            self.was_paused = Instant::now() > until + PAUSE;
            for slot in woken.drain(..) {
                self.look(slot);
            }
        }
    }

    /// Lets finished addresses go and takes new ones in.
    fn change_hosts(&mut self) {
        let hosts = &mut self.hosts;
        self.active.retain(|&index| {
            let finished = hosts[index].is_finished();
            if finished {
                hosts[index].release();
            }
            !finished
        });
        while self.active.len() < MAX_ACTIVE_HOSTS {
            let Some((address, ports)) = self.targets.next() else { return };
            self.active.push(self.hosts.len());
            self.hosts.push(Host::new(address, ports, self.plan, self.max_capacity));
        }
    }

    /// Sends up to a batch of probes, one per address in turn, and returns how many.
    fn launch(&mut self) -> usize {
        let mut launched = 0;
        let mut passed = 0;
        while launched < BATCH && passed < self.active.len() && self.in_flight < self.capacity {
            let now = Instant::now();
            if self.pace.as_ref().is_some_and(|pace| pace.next(now) > now) {
                break;
            }
            self.turn = (self.turn + 1) % self.active.len();
            let host = self.active[self.turn];
            if self.hosts[host].turn(now) == Turn::Now
                && let Some(probe) = self.hosts[host].next_probe()
            {
                self.start(host, probe);
                launched += 1;
                passed = 0;
            } else {
                passed += 1;
            }
        }
        launched
    }

    fn start(&mut self, host: usize, probe: Probe) {
        let to = self.hosts[host].destination(probe);
        let sent = Instant::now();
        let step = self.sockets.start(probe.protocol, to);
        if let Step::NotSent(reason) = step {
            return self.not_sent(host, probe, reason);
        }
        self.summary.attempts += 1;
        self.hosts[host].was_sent(probe, sent);
        if let Some(pace) = &mut self.pace {
            pace.sent(sent);
        }
        match step {
            Step::Answered(answer) => self.answered(host, probe, answer, sent, false),
            Step::Waiting(socket) => self.wait_for(host, probe, socket, sent),
            Step::NotSent(_) => {}
        }
    }

    fn not_sent(&mut self, host: usize, probe: Probe, reason: NotProbed) {
        if reason == NotProbed::NoDescriptor {
            self.sockets.release();
            if self.in_flight > 0 {
                // Our own probes hold descriptors: fewer of them, and this one when one is done.
                self.capacity = self.in_flight;
                return self.hosts[host].postponed(probe);
            }
        }
        if let Some(reason) = self.hosts[host].not_sent(probe, reason, Instant::now()) {
            self.report(host, probe, Err(reason));
        }
    }

    /// Puts a probe into a slot and looks at it once, which registers its waker.
    fn wait_for(&mut self, host: usize, probe: Probe, socket: Socket, sent: Instant) {
        let socket = match Watched::new(probe.protocol, socket) {
            Ok(socket) => socket,
            Err(error) => {
                let errno = Errno::from_io_error(&error).unwrap_or(Errno::NOBUFS);
                return self.not_sent(host, probe, errno.into());
            }
        };
        let slot = self.free.pop().unwrap_or_else(|| {
            let woken = self.ready.waker(self.slots.len());
            let waker = Waker::from(Arc::clone(&woken));
            self.slots.push(Slot { flight: None, generation: 0, woken, waker });
            self.slots.len() - 1
        });
        self.slots[slot].flight = Some(Flight { host, probe, socket, sent, doubtful: false });
        self.in_flight += 1;
        self.hosts[host].waits(probe, Ticket { slot, generation: self.slots[slot].generation }, sent);
        self.look(slot);
    }

    /// Looks at a slot whose socket may have become ready.
    fn look(&mut self, slot: usize) {
        let Slot { flight: Some(flight), woken, waker, .. } = &mut self.slots[slot] else { return };
        woken.rearm();
        let protocol = flight.probe.protocol;
        let to = self.hosts[flight.host].destination(flight.probe);
        let answer = flight.socket.look(waker, |socket| probe::check(protocol, to, socket));
        if let Some(answer) = answer {
            self.came(slot, answer);
        }
    }

    /// Looks at a slot whose probe is overdue, ready or not: after a pause of ours there are answers that the poller has not told of.
    fn look_again(&mut self, slot: usize) -> Option<Answer> {
        let flight = self.slots[slot].flight.as_ref()?;
        let to = self.hosts[flight.host].destination(flight.probe);
        flight.socket.look_now(|socket| probe::check(flight.probe.protocol, to, socket))
    }

    /// The probe in a slot was answered.
    fn came(&mut self, slot: usize, answer: Answer) {
        let Some(Flight { host, probe, socket, sent, doubtful }) = self.leave(slot) else { return };
        let to = self.hosts[host].destination(probe);
        self.answered(host, probe, answer, sent, doubtful);
        if probe.protocol == Protocol::Tcp
            && let Some(socket) = socket.into_socket()
        {
            self.sockets.give_back(to, socket, answer);
        }
    }

    /// Takes a probe out of its slot, which others may then have.
    fn leave(&mut self, slot: usize) -> Option<Flight> {
        let flight = self.slots[slot].flight.take()?;
        self.slots[slot].generation += 1;
        self.free.push(slot);
        self.in_flight -= 1;
        self.hosts[flight.host].waits_no_longer();
        // After a shortage of descriptors the scan widens again, probe by probe.
        self.capacity = (self.capacity + 1).min(self.max_capacity);
        Some(flight)
    }

    fn answered(&mut self, host: usize, probe: Probe, answer: Answer, sent: Instant, doubtful: bool) {
        let is_ours = match answer {
            Answer::Itself => true,
            Answer::Open { local: Some(local) } if is_own_machine(local, self.hosts[host].address()) => {
                self.doubt_the_other_end(host, probe.protocol, local.port()) || doubtful
            }
            Answer::Open { .. } => doubtful,
            Answer::Closed | Answer::Filtered => false,
        };
        if is_ours {
            if let Some(state) = self.hosts[host].met_ourselves(probe) {
                self.report(host, probe, Ok(state));
            }
            return;
        }
        let now = Instant::now();
        let state = match answer {
            Answer::Open { .. } => PortState::Open,
            Answer::Closed | Answer::Itself => PortState::Closed,
            Answer::Filtered => PortState::Filtered,
        };
        if !self.was_paused {
            self.hosts[host].measured(probe, now - sent);
        }
        if self.hosts[host].answered(probe, state, sent, now) {
            self.report(host, probe, Ok(state));
        }
    }

    /// Whether the other end of a connection within this machine may be another probe of ours, which then is
    /// in doubt too: two sockets that connect to each other's local port meet without any listener.
    fn doubt_the_other_end(&mut self, host: usize, protocol: Protocol, port: u16) -> bool {
        let mut met = false;
        for flight in self.slots.iter_mut().filter_map(|slot| slot.flight.as_mut()) {
            if flight.host == host && (flight.probe.protocol, flight.probe.port) == (protocol, port) {
                flight.doubtful = true;
                met = true;
            }
        }
        met
    }

    /// Ends the wait of every probe that is overdue.
    fn expire(&mut self, now: Instant) {
        for place in 0..self.active.len() {
            let host = self.active[place];
            while let Some(ticket) = {
                let slots = &self.slots;
                let is_waiting = |ticket: Ticket| {
                    let slot = &slots[ticket.slot];
                    slot.generation == ticket.generation && slot.flight.is_some()
                };
                self.hosts[host].overdue(now, is_waiting)
            } {
                if let Some(answer) = self.look_again(ticket.slot) {
                    self.came(ticket.slot, answer);
                } else if let Some(flight) = self.leave(ticket.slot)
                    && let Some(state) = self.hosts[host].silent(flight.probe, flight.sent)
                {
                    self.report(host, flight.probe, Ok(state));
                }
            }
            while let Some((protocol, port, state)) = self.hosts[host].settled(now) {
                self.report_port(host, protocol, port, Ok(state));
            }
        }
    }

    /// When something is to be done even if no socket becomes ready.
    fn next_event(&self, now: Instant) -> Instant {
        let mut next = now + MAX_WAIT;
        let global = self.pace.as_ref().map_or(now, |pace| pace.next(now));
        for &host in &self.active {
            let host = &self.hosts[host];
            next = next.min(host.next_overdue().unwrap_or(next));
            if self.in_flight < self.capacity {
                match host.turn(now) {
                    Turn::Now => next = next.min(global),
                    Turn::At(at) => next = next.min(at.max(global)),
                    Turn::AfterAnswer => {}
                }
            }
        }
        next
    }

    fn report(&mut self, host: usize, probe: Probe, state: Result<PortState, NotProbed>) {
        self.report_port(host, probe.protocol, probe.port, state);
    }

    fn report_port(
        &mut self,
        host: usize,
        protocol: Protocol,
        port: u16,
        state: Result<PortState, NotProbed>,
    ) {
        self.summary.count(state);
        let address = self.hosts[host].address();
        (self.on_result)(PortResult { address, protocol, port, state });
    }
}
