//! What is asked of the scanner: addresses with their ports, and how hard it may try.
//!
//! A plan is only data. Whether an address may be scanned at all was decided before there is a plan.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use super::ports::PortSpec;

/// Times a silent port is asked again by default; nmap too starts with one retransmission and adds more only
/// where retransmissions prove to be answered.
const DEFAULT_RETRIES: u8 = 1;
/// Retries beyond this would take longer than any network's outage is worth: the timeout doubles each time.
const MAX_RETRIES: u8 = 10;
/// The wait before anything is known of an address: RFC 6298's initial timeout, and nmap's.
const DEFAULT_INITIAL_TIMEOUT: Duration = Duration::from_secs(1);
/// No wait is shorter, however near the address: a busy machine may take that long to answer. nmap's value.
const DEFAULT_MIN_TIMEOUT: Duration = Duration::from_millis(100);
/// No wait is longer, whatever was measured. nmap's value.
const DEFAULT_MAX_TIMEOUT: Duration = Duration::from_secs(10);
/// A timeout that is longer is nothing anybody waits for on one port, but a slip or an attack on the clock.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(120);

/// Addresses, ports and limits of one scan. [`ScanPlan::new`] has defaults for all but the targets.
#[derive(Clone, Debug)]
pub struct ScanPlan {
    /// What to scan. An address named twice is scanned once, on the ports of both.
    pub targets: Vec<(IpAddr, PortSpec)>,
    /// Connections and datagrams per second over all addresses; none is without limit.
    pub rate: Option<NonZeroU32>,
    /// Connections and datagrams per second to one address; none is without limit.
    pub rate_per_host: Option<NonZeroU32>,
    /// Probes out at the same time over all addresses; the descriptor limit holds in any case.
    pub concurrency: Option<NonZeroU32>,
    /// How often a silent port is asked again, at most [`ScanPlan::MAX_RETRIES`].
    pub retries: u8,
    /// The wait for an answer before a round trip to the address is known.
    pub initial_timeout: Duration,
    /// The shortest wait for an answer.
    pub min_timeout: Duration,
    /// The longest wait for an answer, at most [`ScanPlan::LONGEST_TIMEOUT`].
    pub max_timeout: Duration,
}

impl ScanPlan {
    /// The most retries a plan can ask for; more count as this many.
    pub const MAX_RETRIES: u8 = MAX_RETRIES;
    /// The longest timeout a plan can ask for; longer ones count as this.
    pub const LONGEST_TIMEOUT: Duration = LONGEST_TIMEOUT;

    /// A scan of the targets without a rate limit and with the usual timeouts and retries.
    pub fn new(targets: Vec<(IpAddr, PortSpec)>) -> Self {
        Self {
            targets,
            rate: None,
            rate_per_host: None,
            concurrency: None,
            retries: DEFAULT_RETRIES,
            initial_timeout: DEFAULT_INITIAL_TIMEOUT,
            min_timeout: DEFAULT_MIN_TIMEOUT,
            max_timeout: DEFAULT_MAX_TIMEOUT,
        }
    }

    /// The targets, each address once in its first place; an IPv4 address written as IPv6 is the IPv4
    /// address.
    pub(super) fn merged_targets(&self) -> Vec<(IpAddr, PortSpec)> {
        let mut places = std::collections::BTreeMap::new();
        let mut merged: Vec<(IpAddr, PortSpec)> = Vec::with_capacity(self.targets.len());
        for (address, ports) in &self.targets {
            let address = address.to_canonical();
            let place = *places.entry(address).or_insert(merged.len());
            match merged.get_mut(place) {
                Some((_, known)) => known.merge(ports),
                None => merged.push((address, ports.clone())),
            }
        }
        merged.retain(|(_, ports)| !ports.is_empty());
        merged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_named_twice_is_one_target() {
        let target = |address: &str, ports: &str| (address.parse().unwrap(), ports.parse().unwrap());
        let plan = ScanPlan::new(vec![
            target("192.0.2.7", "22"),
            target("2001:db8::1", "80"),
            target("::ffff:192.0.2.7", "23,U:53"),
            ("192.0.2.8".parse().unwrap(), PortSpec::new()),
        ]);
        assert_eq!(plan.merged_targets(), [target("192.0.2.7", "22-23,U:53"), target("2001:db8::1", "80")]);
    }
}
