//! What the simulated scanner finds: a table that the test gives.

use std::net::IpAddr;

/// The plugin that tells how a host was scanned.
pub(super) const SCAN_INFORMATION: u32 = 19_506;
/// The plugin that tells whether a host answers at all.
pub(super) const PING: u32 = 10_180;
/// The plugin that finds open ports of TCP by half-open connections.
pub(super) const SYN_SCANNER: u32 = 11_219;
/// The plugin that asks Windows itself for what it listens on.
pub(super) const NETSTAT: u32 = 34_220;

/// One line of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The number of the plugin that found it.
    pub plugin: u32,
    /// The plugin's name.
    pub name: String,
    /// `tcp`, `udp`, `icmp`.
    pub protocol: &'static str,
    /// The port; 0 for the host as a whole.
    pub port: u16,
    /// The service that the scanner takes it for.
    pub service: String,
    /// From 0 (information) to 4 (critical).
    pub severity: u8,
    /// Numbers of the list of common vulnerabilities.
    pub cves: Vec<String>,
    /// The CVSS 3 base score, as text.
    pub cvss3: Option<String>,
    /// What it is.
    pub description: String,
    /// What the plugin saw.
    pub output: String,
}

impl Item {
    /// A line about a port that says nothing more.
    pub fn new(plugin: u32, name: &str, protocol: &'static str, port: u16, service: &str) -> Self {
        Self {
            plugin,
            name: name.to_owned(),
            protocol,
            port,
            service: service.to_owned(),
            severity: 0,
            cves: Vec::new(),
            cvss3: None,
            description: "No description.".to_owned(),
            output: String::new(),
        }
    }

    /// The same as a weakness.
    pub fn weak(mut self, severity: u8, cvss3: &str, cves: &[&str], output: &str) -> Self {
        self.severity = severity;
        self.cvss3 = Some(cvss3.to_owned());
        self.cves = cves.iter().map(|cve| (*cve).to_owned()).collect();
        output.clone_into(&mut self.output);
        self
    }
}

/// A host that can be scanned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its address.
    pub address: IpAddr,
    /// What the report calls it; its address when there is none.
    pub name: Option<String>,
    /// Whether it answers nothing, but the report names it nevertheless.
    pub is_dead: bool,
    /// What is found.
    pub items: Vec<Item>,
}

impl Host {
    /// One at which nothing is open.
    pub fn new(address: &str) -> Option<Self> {
        Some(Self { address: address.parse().ok()?, name: None, is_dead: false, items: Vec::new() })
    }

    /// With an open port of TCP.
    pub fn open(self, port: u16, service: &str) -> Self {
        self.with(Item::new(SYN_SCANNER, "Nessus SYN scanner", "tcp", port, service))
    }

    /// With a port that the host itself says to listen on.
    pub fn listens(self, protocol: &'static str, port: u16, service: &str) -> Self {
        self.with(Item::new(NETSTAT, "Netstat Portscanner (WMI)", protocol, port, service))
    }

    /// With a line more.
    pub fn with(mut self, item: Item) -> Self {
        self.items.push(item);
        self
    }
}
