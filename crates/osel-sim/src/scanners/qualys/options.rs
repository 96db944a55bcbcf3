//! What is at Qualys, and how it behaves; may be changed while it runs.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use osel_core::scan::Transport;
use osel_core::time::Timestamp;

/// A subscription and how the service behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who may log in, with the password.
    pub user: String,
    /// The password.
    pub password: String,
    /// What is in the subscription; others may be added.
    pub addresses: Vec<IpNet>,
    /// Whether the account may add addresses.
    pub may_add: bool,
    /// What is excluded from every scan.
    pub excluded: Vec<IpNet>,
    /// What hosts have open. An address that is not here is [`Self::other_host`].
    pub hosts: BTreeMap<IpAddr, Host>,
    /// What every other address is; none for nobody there.
    pub other_host: Option<Host>,
    /// Option profiles by their ids.
    pub profiles: BTreeMap<u64, String>,
    /// Scanner appliances.
    pub appliances: Vec<Appliance>,
    /// Asset groups.
    pub groups: Vec<AssetGroup>,
    /// Whether IPv6 may be scanned.
    pub has_ipv6: bool,
    /// How a scan goes on.
    pub life: Life,
    /// How the scans end, in the order of their launches; those behind finish.
    pub endings: Vec<Ending>,
    /// How often each endpoint may be asked.
    pub rate: RateLimit,
    /// How many requests to one endpoint may be under way.
    pub concurrency_limit: u32,
    /// How many requests of others are under way.
    pub others_running: u32,
    /// Whether the headers of concurrency are spelled as in the documentation, not as in the answers.
    pub spells_as_documented: bool,
    /// The content type of results in JSON: the service has been seen with `text/html`.
    pub json_type: &'static str,
    /// Whether a result in JSON has ports and severities as numbers.
    pub has_numbers: bool,
    /// The most scans or hosts of one list; the rest is behind the URL of a warning.
    pub page_max: usize,
    /// How long an answer takes at most; by chance from the seed.
    pub latency_max: Duration,
    /// For what is by chance.
    pub seed: u64,
    /// What time it is; none for the system's clock.
    pub now: Option<Timestamp>,
}

impl Default for Options {
    /// A subscription that has everything of IPv4, and nobody at any address.
    fn default() -> Self {
        Self {
            user: "osel".to_owned(),
            password: "a word".to_owned(),
            addresses: vec!["0.0.0.0/0".parse().expect("it is a prefix")],
            may_add: true,
            excluded: Vec::new(),
            hosts: BTreeMap::new(),
            other_host: None,
            profiles: [(7, "Initial Options".to_owned())].into(),
            appliances: vec![Appliance { id: 1, name: "scanner1".to_owned(), is_online: true }],
            groups: vec![AssetGroup { id: 11, title: "All".to_owned(), addresses: Vec::new() }],
            has_ipv6: false,
            life: Life::Looks { queued: 1, running: 1, loading: 1 },
            endings: Vec::new(),
            rate: RateLimit { calls: 300, seconds: 3600 },
            concurrency_limit: 2,
            others_running: 0,
            spells_as_documented: false,
            json_type: "application/json",
            has_numbers: false,
            page_max: 1000,
            latency_max: Duration::ZERO,
            seed: 0,
            now: None,
        }
    }
}

/// A host.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// What is open.
    pub ports: Vec<Port>,
    /// What is weak.
    pub weaknesses: Vec<Weakness>,
}

impl Host {
    /// A host with these ports of TCP open, and no weakness.
    pub fn with_tcp(ports: &[u16]) -> Self {
        let port = |&port| Port { transport: Transport::Tcp, port, service: "unknown" };
        Self { ports: ports.iter().map(port).collect(), weaknesses: Vec::new() }
    }
}

/// An open port.
#[derive(Clone, Debug)]
pub struct Port {
    /// Of which transport.
    pub transport: Transport,
    /// Its number.
    pub port: u16,
    /// What answers.
    pub service: &'static str,
}

/// A detection.
#[derive(Clone, Debug)]
pub struct Weakness {
    /// The QID.
    pub qid: u32,
    /// Its title.
    pub title: &'static str,
    /// What kind.
    pub kind: Kind,
    /// From 1 to 5.
    pub severity: u8,
    /// Where; none for the host as a whole.
    pub port: Option<(Transport, u16)>,
    /// CVEs with commas between.
    pub cves: &'static str,
    /// The CVSS base score with its vector, as the API writes it.
    pub cvss: &'static str,
    /// What was seen.
    pub results: &'static str,
}

/// The kinds of detections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Confirmed.
    Vuln,
    /// Potential.
    Practice,
    /// Information.
    Ig,
}

/// A scanner appliance.
#[derive(Clone, Debug)]
pub struct Appliance {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Whether it is connected.
    pub is_online: bool,
}

/// An asset group.
#[derive(Clone, Debug)]
pub struct AssetGroup {
    /// Its id.
    pub id: u64,
    /// Its title.
    pub title: String,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

/// How a scan goes on from state to state.
#[derive(Clone, Copy, Debug)]
pub enum Life {
    /// Each state is shown so many times by lists.
    Looks {
        /// `Queued`.
        queued: u32,
        /// `Running`.
        running: u32,
        /// `Loading`.
        loading: u32,
    },
    /// Each state lasts so many seconds.
    Seconds {
        /// `Queued`.
        queued: i64,
        /// `Running`.
        running: i64,
        /// `Loading`.
        loading: i64,
    },
}

/// How a scan ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// With a whole result.
    #[default]
    Finished,
    /// With half a result.
    Error,
    /// Somebody cancels it, half done.
    Canceled,
    /// Somebody pauses it, half done, until it is resumed.
    Paused,
    /// In a state that no document names.
    Word(&'static str),
}

/// So many calls of one endpoint in so many seconds.
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    /// Calls.
    pub calls: usize,
    /// Seconds.
    pub seconds: i64,
}
