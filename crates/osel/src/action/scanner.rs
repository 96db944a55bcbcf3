//! What every scanner can be asked to do, whatever it is made of.
//!
//! An adapter knows one service or program. It makes one attempt at what it is asked and says in the words of [`Trouble`] what stood in
//! the way; when to ask, how often, and what follows is decided in the core (`conduct`). It keeps nothing between calls that matters
//! after a crash: whatever has to be known again is in the command, its title and the reference.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use osel_core::scan::{HostResult, LeftOut, RemoteState, ScanCommand, Trouble};

/// What an adapter's method gives.
pub type Asked<'a, T> = Pin<Box<dyn Future<Output = Result<T, Trouble>> + Send + 'a>>;

/// What is to be scanned, and under which name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanOrder {
    /// The name of the scan at the scanner, which no other scan has: `osel-STORE-scan-17`. A scan is found again by it.
    pub title: String,
    /// The command.
    pub command: ScanCommand,
}

impl ScanOrder {
    /// The addresses, in order.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.command.targets.iter().map(|target| target.address)
    }
}

/// What a scanner has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launched {
    /// What it calls the scan.
    pub reference: String,
    /// What it did not take.
    pub left_out: Vec<LeftOut>,
}

/// What a scanner saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Who saw it, with the version where it says one: `nmap 7.93`.
    pub scanner: String,
    /// One for each address of the order, in its order.
    pub hosts: Vec<HostResult>,
}

/// A scanner.
pub trait Scanner: Send + Sync + std::fmt::Debug {
    /// Whether scans run elsewhere and outlive this process: they are launched, found again, polled, fetched. One that does not is only
    /// ever told to [`Self::fetch`], which does the whole scan.
    fn is_remote(&self) -> bool;

    /// The scan of that title, if the scanner has one: asked before a launch that may have been tried before.
    fn find<'a>(&'a self, order: &'a ScanOrder) -> Asked<'a, Option<Launched>>;

    /// Has it begun. An answer that did not come is [`Trouble::Uncertain`].
    fn launch<'a>(&'a self, order: &'a ScanOrder) -> Asked<'a, Launched>;

    /// How far it is.
    fn status<'a>(&'a self, order: &'a ScanOrder, reference: &'a str) -> Asked<'a, RemoteState>;

    /// What it saw: of a scan that is over, or of which there is a part. A scanner that runs here scans now; dropping the future ends that.
    fn fetch<'a>(&'a self, order: &'a ScanOrder, reference: &'a str) -> Asked<'a, Seen>;

    /// Calls it off. One that is over already is no trouble.
    fn cancel<'a>(&'a self, order: &'a ScanOrder, reference: &'a str) -> Asked<'a, ()>;

    /// Removes what was made at the scanner for this scan alone, once its result is durable. What is gone already is no trouble.
    fn forget<'a>(&'a self, order: &'a ScanOrder, reference: &'a str) -> Asked<'a, ()>;
}

/// One result for each address of the order, in its order: what a scanner is silent about was not scanned, and what nobody asked for is
/// not told.
pub fn complete(order: &ScanOrder, mut hosts: Vec<HostResult>, why: &str) -> Vec<HostResult> {
    let take = |address: IpAddr| match hosts.iter().position(|host| host.address == address) {
        Some(place) => hosts.swap_remove(place),
        None => HostResult::not_scanned(address, why),
    };
    order.addresses().map(take).collect()
}
