//! What several runs saw of the addresses of one order, as one result for each.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use osel_core::scan::{
    Coverage, HOST_VULNERABILITIES_MAX, HostResult, PortFound, ProbeState, TEXT_CHARS_MAX, Transport,
    Vulnerability, cut,
};

use crate::action::scanner::ScanOrder;

/// How many reasons are told of one address.
const REASONS_MAX: usize = 4;

/// Results under way. What is said of an address that is not in the order is not heard.
#[derive(Debug)]
pub(in crate::action) struct Gathered {
    hosts: BTreeMap<IpAddr, Host>,
}

#[derive(Debug, Default)]
struct Host {
    was_seen: bool,
    ports: BTreeMap<(Transport, u16), PortFound>,
    vulnerabilities: BTreeMap<(String, Option<(Transport, u16)>), Vulnerability>,
    missing: BTreeSet<String>,
}

impl Gathered {
    pub(in crate::action) fn new(order: &ScanOrder) -> Self {
        Self { hosts: order.addresses().map(|address| (address, Host::default())).collect() }
    }

    /// An address was looked at.
    pub(in crate::action) fn seen(&mut self, address: IpAddr) {
        if let Some(host) = self.hosts.get_mut(&address) {
            host.was_seen = true;
        }
    }

    /// A port was looked at; what is known more exactly stays.
    pub(in crate::action) fn port(&mut self, address: IpAddr, found: PortFound) {
        let Some(host) = self.hosts.get_mut(&address) else { return };
        host.was_seen |= found.state != ProbeState::NotProbed;
        let place = (found.transport, found.port);
        match host.ports.get(&place) {
            Some(before)
                if before.service.is_some() && found.service.is_none() && before.state == found.state => {}
            Some(_) if found.state == ProbeState::NotProbed => {}
            _ => {
                host.ports.insert(place, found);
            }
        }
    }

    /// A weakness was found. Beyond their number, the most severe are kept.
    pub(in crate::action) fn vulnerability(&mut self, address: IpAddr, found: Vulnerability) {
        let Some(host) = self.hosts.get_mut(&address) else { return };
        host.was_seen = true;
        let known = &mut host.vulnerabilities;
        let place = (found.id.clone(), found.at);
        if known.len() == HOST_VULNERABILITIES_MAX && !known.contains_key(&place) {
            let mildest = known.iter().min_by_key(|(_, known)| known.severity);
            let Some((mildest, severity)) = mildest.map(|(place, known)| (place.clone(), known.severity))
            else {
                return;
            };
            host.missing.insert(format!("more than {HOST_VULNERABILITIES_MAX} vulnerabilities"));
            if severity >= found.severity {
                return;
            }
            known.remove(&mildest);
        }
        known.insert(place, found);
    }

    /// Some of what was asked for was not looked at.
    pub(in crate::action) fn missing(&mut self, address: IpAddr, why: &str) {
        if let Some(host) = self.hosts.get_mut(&address)
            && host.missing.len() < REASONS_MAX
        {
            host.missing.insert(cut(why, TEXT_CHARS_MAX));
        }
    }

    /// One result for each address of the order, in its order. `silence` is why nothing is known of one that nothing was said of.
    pub(in crate::action) fn finish(mut self, order: &ScanOrder, silence: &str) -> Vec<HostResult> {
        order
            .addresses()
            .map(|address| self.hosts.remove(&address).unwrap_or_default().result(address, silence))
            .collect()
    }
}

impl Host {
    fn result(self, address: IpAddr, silence: &str) -> HostResult {
        let why = self.missing.into_iter().collect::<Vec<_>>().join("; ");
        let coverage = match (self.was_seen, why.is_empty()) {
            (true, true) => Coverage::Whole,
            (true, false) => Coverage::Partial(why),
            (false, true) => Coverage::NotScanned(silence.to_owned()),
            (false, false) => Coverage::NotScanned(why),
        };
        HostResult {
            coverage,
            ports: self.ports.into_values().collect(),
            vulnerabilities: self.vulnerabilities.into_values().collect(),
            ..HostResult::new(address)
        }
    }
}
