//! What the simulated scanner finds: a table of hosts.

use std::net::IpAddr;

/// A host, and what a scan of it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its address.
    pub address: IpAddr,
    /// What answers, as gvmd writes ports: `22/tcp`.
    pub open: Vec<String>,
    /// What is wrong with it.
    pub weaknesses: Vec<Weakness>,
    /// What becomes of its scan.
    pub fate: Fate,
}

/// What becomes of the scan of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// It is scanned to its end.
    #[default]
    Scanned,
    /// It answers no ping: it is only scanned where hosts are considered alive.
    Silent,
    /// It is held to be dead, however that is set.
    Dead,
    /// Its scan begins and never ends.
    Unfinished,
    /// Nothing is said of it.
    Missing,
    /// It is scanned to its end, and these tests failed.
    Errors(Vec<String>),
}

impl Host {
    /// A host with these ports.
    pub fn new(address: IpAddr, open: &[&str]) -> Self {
        let open = open.iter().map(ToString::to_string).collect();
        Self { address, open, weaknesses: Vec::new(), fate: Fate::Scanned }
    }

    /// With this weakness.
    pub fn with(mut self, weakness: Weakness) -> Self {
        self.weaknesses.push(weakness);
        self
    }

    /// With this fate.
    pub fn fated(self, fate: Fate) -> Self {
        Self { fate, ..self }
    }
}

/// A result of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weakness {
    /// The test's id.
    pub oid: String,
    /// Its name.
    pub name: String,
    /// Where: `22/tcp`, `general/tcp`.
    pub port: String,
    /// How bad, as gvmd writes it: `9.8`, `-1.0`.
    pub severity: String,
    /// How sure, in percent.
    pub qod: u8,
    /// Its numbers in the list of common vulnerabilities.
    pub cves: Vec<String>,
    /// What was seen.
    pub description: String,
}

impl Weakness {
    /// One of that severity at that port.
    pub fn new(oid: &str, name: &str, port: &str, severity: &str) -> Self {
        Self {
            oid: oid.to_owned(),
            name: name.to_owned(),
            port: port.to_owned(),
            severity: severity.to_owned(),
            qod: 95,
            cves: Vec::new(),
            description: String::new(),
        }
    }

    /// With these numbers in the list of common vulnerabilities.
    pub fn of_cves(self, cves: &[&str]) -> Self {
        Self { cves: cves.iter().map(ToString::to_string).collect(), ..self }
    }

    /// As sure as that.
    pub fn sure(self, qod: u8) -> Self {
        Self { qod, ..self }
    }

    /// With what was seen.
    pub fn seen(self, description: &str) -> Self {
        Self { description: description.to_owned(), ..self }
    }

    /// The word that gvmd has for the severity.
    pub(super) fn threat(&self) -> &'static str {
        match self.severity.parse::<f64>().unwrap_or(0.0) {
            score if score <= -3.0 => "Error",
            score if score < 0.0 => "False Positive",
            score if score < 0.1 => "Log",
            score if score < 4.0 => "Low",
            score if score < 7.0 => "Medium",
            score if score < 9.0 => "High",
            _ => "Critical",
        }
    }

    /// The letter of the filter's `levels` that shows it.
    pub(super) fn level(&self) -> char {
        match self.threat() {
            "Critical" => 'c',
            "High" => 'h',
            "Medium" => 'm',
            "Low" => 'l',
            "Log" => 'g',
            _ => 'f',
        }
    }
}
