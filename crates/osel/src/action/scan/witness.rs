//! Whether the silence of a port means anything: while the whole way stands still, every port is silent.
//!
//! A port's silence is believed if the address answered another probe that was sent between the port's last two tries: whatever swallowed
//! both of them would have swallowed that one as well. Where nothing else was asked in between, a *control* is: a port that has answered
//! before. Its second answer is nobody's result. This module keeps the times and the port; what to send, and when, is the address's.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::outcome::{PortState, Protocol};

/// Controls that may stay silent one after the other, each waited for twice as long as the one before, until an address counts as gone:
/// twelve seconds on a near network, which outlasts a failover of routers and of most that stalls a machine.
const CONTROLS_MAX: u8 = 7;
/// Answers that were sent for within this time of an earlier one add nothing: it is much shorter than any time between two tries.
const GRAIN: Duration = Duration::from_millis(20);
/// Times kept of one address: ten seconds of answers without a break, the longest wait between two tries.
const HEARD_MAX: usize = 512;

/// What vouches for the way to one address.
#[derive(Debug, Default)]
pub(super) struct Witness {
    /// A port that answered, and whether it refused: a refusal disturbs nobody, however often it is asked for.
    port: Option<(u16, bool)>,
    /// When a control was last sent.
    asked: Option<Instant>,
    /// When probes were sent that were answered.
    heard: BTreeSet<Instant>,
    /// Controls that stayed silent since the address last answered.
    silent: u8,
}

impl Witness {
    /// The port to ask as a control; none where the address never answered, or answers no more.
    pub(super) fn port(&self) -> Option<u16> {
        self.port.map(|(port, _)| port)
    }

    /// A port answered a probe that was sent then.
    pub(super) fn answered(&mut self, protocol: Protocol, port: u16, state: PortState, sent: Instant) {
        let refused = state == PortState::Closed;
        // Refusals of datagrams are rationed by most systems, and a router's "filtered" is not the address's own word.
        let is_good = protocol == Protocol::Tcp && (refused || state == PortState::Open);
        if is_good && self.port.is_none_or(|(_, known)| refused || !known) {
            self.port = Some((port, refused));
        }
        self.silent = 0;
        if self.heard.range(..=sent).next_back().is_none_or(|last| sent - *last >= GRAIN) {
            self.hear(sent);
        }
    }

    /// A control leaves, or could not.
    pub(super) fn asked(&mut self, now: Instant) {
        self.asked = Some(now);
    }

    /// A control that was sent then was answered.
    pub(super) fn control_answered(&mut self, sent: Instant) {
        self.silent = 0;
        self.hear(sent);
    }

    /// A control stayed silent, the first of a row being attempt 0.
    pub(super) fn control_silent(&mut self, attempt: u8) {
        self.silent = self.silent.max(attempt.saturating_add(1));
        if self.silent >= CONTROLS_MAX {
            self.port = None;
        }
    }

    /// Controls that stayed silent one after the other: the attempt that the next one is.
    pub(super) fn silent_controls(&self) -> u8 {
        self.silent
    }

    /// Whether nothing that was sent since `after` can vouch for a try that goes now.
    pub(super) fn is_missing(&self, after: Instant) -> bool {
        self.asked.is_none_or(|asked| asked < after) && self.heard.range(after..).next().is_none()
    }

    /// Whether a probe was answered that was sent between these times.
    pub(super) fn vouches(&self, after: Instant, sent: Instant) -> bool {
        after <= sent && self.heard.range(after..=sent).next().is_some()
    }

    fn hear(&mut self, sent: Instant) {
        self.heard.insert(sent);
        if self.heard.len() > HEARD_MAX {
            self.heard.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn only_what_was_sent_between_two_tries_vouches_for_the_later() {
        let mut witness = Witness::default();
        let start = Instant::now();
        let [first, second] = [start + SECOND, start + SECOND * 2];
        for outside in [start, start + SECOND * 3] {
            witness.answered(Protocol::Tcp, 22, PortState::Open, outside);
            assert!(!witness.vouches(first, second));
        }
        witness.control_answered(second);
        assert!(witness.vouches(first, second));
        assert!(!witness.vouches(second, first), "nothing lies between them");
    }

    #[test]
    fn a_port_that_refuses_is_asked_rather_than_one_that_listens() {
        let mut witness = Witness::default();
        let now = Instant::now();
        let mut asked = Vec::new();
        for (protocol, port, state) in [
            (Protocol::Udp, 53, PortState::Closed),
            (Protocol::Tcp, 21, PortState::Filtered),
            (Protocol::Tcp, 22, PortState::Open),
            (Protocol::Tcp, 23, PortState::Closed),
            (Protocol::Tcp, 80, PortState::Open),
        ] {
            witness.answered(protocol, port, state, now);
            asked.push(witness.port());
        }
        assert_eq!(asked, [None, None, Some(22), Some(23), Some(23)]);
    }

    #[test]
    fn an_address_whose_controls_stay_silent_is_gone_until_it_answers() {
        let mut witness = Witness::default();
        let now = Instant::now();
        witness.answered(Protocol::Tcp, 22, PortState::Open, now);
        // Those that go along with others do not count one by one: many of them fall into one short outage.
        (0..100).for_each(|_| witness.control_silent(0));
        while witness.port().is_some() {
            witness.control_silent(witness.silent_controls());
        }
        assert_eq!(witness.silent_controls(), CONTROLS_MAX);
        witness.answered(Protocol::Tcp, 22, PortState::Open, now);
        assert_eq!((witness.port(), witness.silent_controls()), (Some(22), 0));
    }

    #[test]
    fn the_times_that_are_kept_are_bounded() {
        let mut witness = Witness::default();
        let start = Instant::now();
        for number in 0..100_000 {
            witness.answered(Protocol::Tcp, 1, PortState::Closed, start + Duration::from_millis(number));
        }
        assert!(witness.heard.len() <= HEARD_MAX);
        let end = start + Duration::from_millis(99_999);
        assert!(witness.vouches(end - SECOND, end), "the latest are kept");
        assert!(witness.is_missing(end + SECOND));
        witness.asked(end + SECOND * 2);
        assert!(!witness.is_missing(end + SECOND), "one is on its way");
    }
}
