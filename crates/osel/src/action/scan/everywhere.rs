//! Hosts that answer everywhere: a SYN proxy, or a balancer before them, completes every connection, and then an open port proves nothing.
//!
//! A few ports that nobody listens on tell: whoever answers at those as well answers at all.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{PortResult, PortSpec, PortState, Protocol, ScanError, ScanPlan, scan};

/// Ports that nmap's list of services does not have, and that lie below those that systems give to outgoing connections: something listens at one of
/// them by chance, and hardly at several.
pub const DECOYS: [u16; 4] = [20_771, 21_503, 22_961, 24_551];
/// So many of them have to answer: one may get lost on the way.
const DECOYS_OPEN_MIN: usize = 3;
/// Of ten ports of TCP that were asked for, so many have to be open before it is worth asking: some answers get lost on the way.
const OPEN_OF_TEN_MIN: usize = 9;

/// How many ports of TCP of a host were asked for, and were open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    asked: usize,
    open: usize,
}

impl Answered {
    /// Takes what was found at one of its ports.
    pub fn add(&mut self, protocol: Protocol, is_open: bool) {
        if protocol == Protocol::Tcp {
            self.asked += 1;
            self.open += usize::from(is_open);
        }
    }

    /// Whether so many are open that the host may answer everywhere.
    pub fn is_suspicious(self) -> bool {
        self.open > 0 && self.open * 10 >= self.asked * OPEN_OF_TEN_MIN
    }
}

/// Asks suspicious hosts at the ports that tell, as fast as `plan` permits, whose targets do not matter; which of them answer everywhere.
///
/// # Errors
/// When no scan is possible.
pub async fn among(
    suspects: impl IntoIterator<Item = IpAddr>,
    plan: &ScanPlan,
) -> Result<BTreeSet<IpAddr>, ScanError> {
    let targets: Vec<_> = suspects.into_iter().map(|address| (address, decoys())).collect();
    if targets.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut open: BTreeMap<IpAddr, usize> = BTreeMap::new();
    let plan = ScanPlan { targets, ..plan.clone() };
    let on_result = |result: PortResult| {
        if result.state == Ok(PortState::Open) {
            *open.entry(result.address).or_default() += 1;
        }
    };
    scan(&plan, on_result).await?;
    Ok(open.into_iter().filter(|(_, count)| *count >= DECOYS_OPEN_MIN).map(|(address, _)| address).collect())
}

/// The ports that tell.
fn decoys() -> PortSpec {
    let mut spec = PortSpec::new();
    for port in DECOYS {
        spec.add(Protocol::Tcp, port, port);
    }
    spec
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let mut answered = Answered::default();
            for number in 0..open + closed {
                answered.add(Protocol::Tcp, number < open);
            }
            assert_eq!(answered.is_suspicious(), wanted, "{open} open, {closed} closed");
        }
        let mut datagrams = Answered::default();
        datagrams.add(Protocol::Udp, true);
        assert!(!datagrams.is_suspicious());
    }
}
