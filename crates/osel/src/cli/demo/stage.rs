//! Sockets in place of the recorded cloud's servers, so that the demo's scans are real.
//!
//! Each address of the cloud has one of 127.79.0.0/16, each port one above 20,000, where nothing else listens and no privilege is needed.
//! Of the exposed ports two in three listen. What is closed stops to listen, but for the first: somebody forgot to tell the
//! firewall, and the scan finds out.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use osel_core::scan::{HostResult, PortFound, ScanTarget, Transport};

use crate::action::scan::{PortSpec, Protocol, ScanPlan, scan};

/// Ports of the cloud are moved by this much, wrapping within what is left.
const PORT_SHIFT: u16 = 20_000;
const PORTS: u16 = u16::MAX - PORT_SHIFT;

pub(super) struct Stage {
    runtime: tokio::runtime::Runtime,
    addresses: BTreeMap<IpAddr, IpAddr>,
    listening: BTreeMap<(IpAddr, u16), TcpListener>,
    /// How many exposed ports there were so far.
    exposed: usize,
    /// The port that goes on listening though it was closed.
    forgotten: Option<(IpAddr, u16)>,
}

impl Stage {
    pub(super) fn new() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self {
            runtime,
            addresses: BTreeMap::new(),
            listening: BTreeMap::new(),
            exposed: 0,
            forgotten: None,
        })
    }

    /// Puts the sockets into the state that the cloud has before the scan.
    pub(super) fn set(&mut self, target: &ScanTarget) {
        for (&(transport, port), &exposed) in &target.expected {
            if transport != Transport::Tcp {
                continue;
            }
            let key = (target.address, port);
            if !exposed {
                if self.forgotten.is_none() && self.listening.contains_key(&key) {
                    self.forgotten = Some(key);
                }
                if self.forgotten != Some(key) {
                    self.listening.remove(&key);
                }
                continue;
            }
            self.exposed += 1;
            if !self.exposed.is_multiple_of(3) && !self.listening.contains_key(&key) {
                let socket = SocketAddr::new(self.place(target.address), moved(port));
                // A port that somebody else has is one that does not answer for us.
                if let Ok(listener) = TcpListener::bind(socket) {
                    self.listening.insert(key, listener);
                }
            }
        }
    }

    /// Scans the sockets that stand for the target's address and gives what it found in the cloud's own terms.
    pub(super) fn scan(&mut self, target: &ScanTarget) -> anyhow::Result<HostResult> {
        let mut spec = PortSpec::new();
        let mut back: BTreeMap<(Protocol, u16), Vec<(Transport, u16)>> = BTreeMap::new();
        for &(transport, port) in target.expected.keys() {
            let protocol = Protocol::from(transport);
            spec.add(protocol, moved(port), moved(port));
            back.entry((protocol, moved(port))).or_default().push((transport, port));
        }
        let plan = ScanPlan::new(vec![(self.place(target.address), spec)]);
        let mut ports = Vec::new();
        self.runtime.block_on(scan(&plan, |result| {
            let state = result.probe_state();
            for &(transport, port) in back.get(&(result.protocol, result.port)).into_iter().flatten() {
                ports.push(PortFound::new(transport, port, state));
            }
        }))?;
        Ok(HostResult { ports, ..HostResult::new(target.address) })
    }

    /// The loopback address that stands for one of the cloud.
    fn place(&mut self, address: IpAddr) -> IpAddr {
        let number = u16::try_from(self.addresses.len() + 1).unwrap_or(u16::MAX);
        let [high, low] = number.to_be_bytes();
        *self.addresses.entry(address).or_insert(IpAddr::V4(Ipv4Addr::new(127, 79, high, low)))
    }
}

fn moved(port: u16) -> u16 {
    PORT_SHIFT + port % PORTS
}
