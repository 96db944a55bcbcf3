//! The scanner that osel has in itself, behind the words of all scanners.
//!
//! It scans here and now: [`Scanner::fetch`] is the whole scan, and dropping that ends it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU32;

use osel_core::scan::{Coverage, HostResult, PortFound, ProbeState, RemoteState, Trouble};

use super::scan::everywhere::{self, Answered};
use super::scan::{NotProbed, PortSpec, ScanError, ScanPlan, scan};
use super::scanner::{Asked, Launched, ScanOrder, Scanner, Seen};

/// Its name in what it saw.
const NAME: &str = "builtin";
/// How often a silent port is asked again. Where the way loses 5 % in each direction, two tries miss one open port of a hundred and four
/// miss one of ten thousand; a command has so few ports that the waiting, 4 s for a silent host, is nobody's loss.
const RETRIES: u8 = 3;

/// How hard the built-in scanner may try, over all its scans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanRates {
    /// Connections and datagrams per second over all scans.
    pub rate: NonZeroU32,
    /// Connections and datagrams per second to one address.
    pub rate_per_host: NonZeroU32,
    /// Probes out at the same time over all scans.
    pub concurrency: NonZeroU32,
}

/// The built-in scanner.
#[derive(Debug)]
pub struct Builtin {
    /// Of one scan.
    share: ScanRates,
}

impl Builtin {
    /// One that has at most so many scans at a time, each with its share of the rates.
    pub fn new(rates: ScanRates, running_max: NonZeroU32) -> Self {
        let share =
            |all: NonZeroU32| NonZeroU32::new(all.get() / running_max.get()).unwrap_or(NonZeroU32::MIN);
        let ScanRates { rate, rate_per_host, concurrency } = rates;
        Self { share: ScanRates { rate: share(rate), rate_per_host, concurrency: share(concurrency) } }
    }

    async fn scan(&self, order: &ScanOrder) -> Result<Seen, Trouble> {
        let mut hosts: BTreeMap<IpAddr, HostResult> = BTreeMap::new();
        let mut plan = ScanPlan::new(Vec::with_capacity(order.command.targets.len()));
        for target in &order.command.targets {
            let mut spec = PortSpec::new();
            for &(transport, port) in target.expected.keys() {
                spec.add(transport.into(), port, port);
            }
            plan.targets.push((target.address, spec));
            hosts.insert(target.address.to_canonical(), HostResult::new(target.address));
        }
        let plan = self.within_share(plan);
        let mut reasons: BTreeMap<IpAddr, NotProbed> = BTreeMap::new();
        let scanned = scan(&plan, |result| {
            if let Some(host) = hosts.get_mut(&result.address) {
                host.ports.push(PortFound::new(result.protocol.into(), result.port, result.probe_state()));
            }
            if let Err(reason) = result.state {
                reasons.insert(result.address, reason);
            }
        });
        scanned.await.map_err(|error| trouble(&error))?;
        for (address, host) in &mut hosts {
            host.ports.sort_unstable_by_key(|found| (found.transport, found.port));
            host.coverage = coverage(&host.ports, reasons.get(address));
        }
        self.suspect(&mut hosts).await?;
        let take = |address: IpAddr| {
            hosts.remove(&address.to_canonical()).unwrap_or_else(|| HostResult::new(address))
        };
        Ok(Seen { scanner: NAME.to_owned(), hosts: order.addresses().map(take).collect() })
    }

    /// A plan that goes no faster than one scan may, and asks as often as commands do.
    fn within_share(&self, mut plan: ScanPlan) -> ScanPlan {
        plan.rate = Some(self.share.rate);
        plan.rate_per_host = Some(self.share.rate_per_host);
        plan.concurrency = Some(self.share.concurrency);
        plan.retries = RETRIES;
        plan
    }

    /// Asks the hosts with nearly all ports open at a few that nobody listens on.
    async fn suspect(&self, hosts: &mut BTreeMap<IpAddr, HostResult>) -> Result<(), Trouble> {
        let is_suspicious = |host: &HostResult| {
            let mut answered = Answered::default();
            for found in &host.ports {
                answered.add(found.transport.into(), found.state == ProbeState::Open);
            }
            answered.is_suspicious()
        };
        let suspects: Vec<_> =
            hosts.iter().filter(|(_, host)| is_suspicious(host)).map(|(address, _)| *address).collect();
        let plan = self.within_share(ScanPlan::new(Vec::new()));
        for address in everywhere::among(suspects, &plan).await.map_err(|error| trouble(&error))? {
            if let Some(host) = hosts.get_mut(&address) {
                host.answers_everywhere = true;
            }
        }
        Ok(())
    }
}

/// How much of what was asked for left this machine; `reason` is why something did not.
fn coverage(ports: &[PortFound], reason: Option<&NotProbed>) -> Coverage {
    let missing = ports.iter().filter(|found| found.state == ProbeState::NotProbed).count();
    match reason {
        _ if ports.is_empty() => Coverage::NotScanned("it has no ports to be asked for".to_owned()),
        Some(reason) if missing == ports.len() => Coverage::NotScanned(reason.to_string()),
        Some(reason) => Coverage::Partial(format!("{missing} ports were not probed: {reason}")),
        None => Coverage::Whole,
    }
}

fn trouble(error: &ScanError) -> Trouble {
    match error {
        ScanError::NothingToScan => Trouble::Refused { why: error.to_string(), addresses: Vec::new() },
        ScanError::Descriptors { .. } => Trouble::Unavailable(error.to_string()),
    }
}

impl Scanner for Builtin {
    fn is_remote(&self) -> bool {
        false
    }

    fn find<'a>(&'a self, _: &'a ScanOrder) -> Asked<'a, Option<Launched>> {
        Box::pin(async { Ok(None) })
    }

    fn launch<'a>(&'a self, _: &'a ScanOrder) -> Asked<'a, Launched> {
        Box::pin(async { Ok(Launched { reference: String::new(), left_out: Vec::new() }) })
    }

    fn status<'a>(&'a self, _: &'a ScanOrder, _: &'a str) -> Asked<'a, RemoteState> {
        Box::pin(async { Ok(RemoteState::Finished) })
    }

    fn fetch<'a>(&'a self, order: &'a ScanOrder, _: &'a str) -> Asked<'a, Seen> {
        Box::pin(self.scan(order))
    }

    fn cancel<'a>(&'a self, _: &'a ScanOrder, _: &'a str) -> Asked<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn forget<'a>(&'a self, _: &'a ScanOrder, _: &'a str) -> Asked<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}
