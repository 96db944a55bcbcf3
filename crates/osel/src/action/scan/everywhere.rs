//! Hosts that answer everywhere: a SYN proxy, or a balancer before them, completes every connection, and then an open port proves nothing.
//!
//! A few ports that nobody listens on tell: whoever answers at those as well answers at all.

use osel_core::scan::{PortFound, ProbeState, Transport};

use super::{PortSpec, Protocol};

/// Ports that nmap's list of services does not have, and that lie below those that systems give to outgoing connections: something listens at one of
/// them by chance, and hardly at several.
pub const DECOYS: [u16; 4] = [20_771, 21_503, 22_961, 24_551];
/// So many of them have to answer: one may get lost on the way.
const DECOYS_OPEN_MIN: usize = 3;
/// Of ten ports of TCP that were asked for, so many have to be open before it is worth asking: some answers get lost on the way.
const OPEN_OF_TEN_MIN: usize = 9;

/// Whether so many ports are open that the host may answer everywhere.
pub fn is_suspicious(ports: &[PortFound]) -> bool {
    let tcp = || ports.iter().filter(|found| found.transport == Transport::Tcp);
    let open = tcp().filter(|found| found.state == ProbeState::Open).count();
    open > 0 && open * 10 >= tcp().count() * OPEN_OF_TEN_MIN
}

/// The ports that tell.
pub fn decoys() -> PortSpec {
    let mut spec = PortSpec::new();
    for port in DECOYS {
        spec.add(Protocol::Tcp, port, port);
    }
    spec
}

/// Whether a host of which so many decoys are open answers everywhere.
pub fn is_everywhere(open: usize) -> bool {
    open >= DECOYS_OPEN_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(open: u16, closed: u16) -> Vec<PortFound> {
        let found = |port, state| PortFound::new(Transport::Tcp, port, state);
        let open = (1..=open).map(|port| found(port, ProbeState::Open));
        open.chain((1001..1001 + closed).map(|port| found(port, ProbeState::Closed))).collect()
    }

    #[test]
    fn only_hosts_with_nearly_all_ports_open_are_suspicious() {
        for (open, closed, wanted) in [
            (0, 0, false),
            (0, 5, false),
            (1, 0, true),
            (1, 1, false),
            (9, 1, true),
            (8, 2, false),
            (90, 10, true),
        ] {
            assert_eq!(is_suspicious(&ports(open, closed)), wanted, "{open} open, {closed} closed");
        }
        let udp = PortFound::new(Transport::Udp, 53, ProbeState::Open);
        assert!(!is_suspicious(&[udp]));
    }
}
