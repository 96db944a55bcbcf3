//! A report as it comes: what is kept of it are the hosts that were asked for, each within its bounds.

use std::collections::BTreeMap;
use std::net::IpAddr;

use osel_core::scan::{EVIDENCE_CHARS_MAX, Severity, TEXT_CHARS_MAX, Transport, Vulnerability, cut};

use super::super::xml::{Element, XmlError};
use super::hosts::Shown;
use super::session::Answer;

/// The most weaknesses that are kept of one report, of all hosts together: some hundred megabytes of memory at the worst.
const REPORT_VULNERABILITIES_MAX: usize = 50_000;
/// From this quality of detection on, in percent, gvmd itself shows a result unless told otherwise.
const CERTAIN_QOD: u8 = 70;
/// The most numbers of the list of common vulnerabilities that are kept of one test; some of collective updates have hundreds.
const CVES_MAX: usize = 64;

/// What a report shows of the hosts that were asked for.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) hosts: BTreeMap<IpAddr, Shown>,
    vulnerabilities: usize,
}

impl Report {
    /// One that is to show these.
    pub(super) fn new(addresses: impl Iterator<Item = IpAddr>) -> Self {
        Self {
            hosts: addresses.map(|address| (address.to_canonical(), Shown::default())).collect(),
            vulnerabilities: 0,
        }
    }

    /// Reads it: `get_reports_response/report/report`.
    pub(super) fn read(mut self, xml: &mut Answer<'_>, root: &Element) -> Result<Self, XmlError> {
        while let Some(outer) = xml.child(root)? {
            while let Some(report) = xml.child(&outer)? {
                if outer.name() != "report" || report.name() != "report" {
                    continue;
                }
                while let Some(part) = xml.child(&report)? {
                    match part.name() {
                        "ports" => self.ports(xml, &part)?,
                        "results" => self.results(xml, &part)?,
                        "host" => self.host(xml, &part)?,
                        "errors" => self.errors(xml, &part)?,
                        _ => {}
                    }
                }
            }
        }
        Ok(self)
    }

    fn shown(&mut self, host: &str) -> Option<&mut Shown> {
        let address: IpAddr = host.parse().ok()?;
        self.hosts.get_mut(&address.to_canonical())
    }

    fn ports(&mut self, xml: &mut Answer<'_>, ports: &Element) -> Result<(), XmlError> {
        while let Some(element) = xml.child(ports)? {
            if element.name() != "port" {
                continue;
            }
            let (mut text, mut host) = (String::new(), String::new());
            while let Some(child) = xml.child_and_text(&element, &mut text)? {
                if child.name() == "host" {
                    host = xml.text(&child)?;
                }
            }
            if let (Some(shown), Some(port)) = (self.shown(&host), port(&text)) {
                shown.open.insert(port);
            }
        }
        Ok(())
    }

    fn results(&mut self, xml: &mut Answer<'_>, results: &Element) -> Result<(), XmlError> {
        while let Some(element) = xml.child(results)? {
            if element.name() != "result" {
                continue;
            }
            let result = Found::read(xml, &element)?;
            let is_full = self.vulnerabilities == REPORT_VULNERABILITIES_MAX;
            let Some(shown) = self.shown(&result.host) else { continue };
            if result.severity <= -3.0 {
                shown.fail(&result.description);
                continue;
            }
            shown.open.extend(port(&result.port));
            let Some(vulnerability) = result.vulnerability() else { continue };
            if is_full {
                shown.is_cut = true;
            } else {
                let added = usize::from(shown.add(vulnerability));
                self.vulnerabilities += added;
            }
        }
        Ok(())
    }

    fn host(&mut self, xml: &mut Answer<'_>, element: &Element) -> Result<(), XmlError> {
        let (mut address, mut end, mut is_dead) = (String::new(), String::new(), false);
        while let Some(child) = xml.child(element)? {
            match child.name() {
                "ip" => address = xml.text(&child)?,
                "end" => end = xml.text(&child)?,
                "detail" => is_dead |= says_dead(xml, &child)?,
                _ => {}
            }
        }
        if let Some(shown) = self.shown(&address) {
            shown.is_there = true;
            shown.is_ended |= !end.is_empty();
            shown.is_dead |= is_dead;
        }
        Ok(())
    }

    fn errors(&mut self, xml: &mut Answer<'_>, errors: &Element) -> Result<(), XmlError> {
        while let Some(element) = xml.child(errors)? {
            if element.name() != "error" {
                continue;
            }
            let (mut host, mut description) = (String::new(), String::new());
            while let Some(child) = xml.child(&element)? {
                match child.name() {
                    "host" => host = xml.text(&child)?,
                    "description" => description = xml.text(&child)?,
                    _ => {}
                }
            }
            if let Some(shown) = self.shown(&host) {
                shown.fail(&description);
            }
        }
        Ok(())
    }
}

/// Whether a detail of a host says that it did not answer and was left alone.
fn says_dead(xml: &mut Answer<'_>, detail: &Element) -> Result<bool, XmlError> {
    let (mut is_about_it, mut value) = (false, String::new());
    while let Some(child) = xml.child(detail)? {
        match child.name() {
            "name" => is_about_it = xml.text(&child)? == "Host dead",
            "value" => value = xml.text(&child)?,
            _ => {}
        }
    }
    Ok(is_about_it && value == "1")
}

/// `22/tcp`; what is about the host as a whole is none.
fn port(text: &str) -> Option<(Transport, u16)> {
    let (number, transport) = text.trim().split_once('/')?;
    let transport = match transport {
        "tcp" => Transport::Tcp,
        "udp" => Transport::Udp,
        _ => return None,
    };
    number.parse().ok().filter(|number| *number > 0).map(|number| (transport, number))
}

/// A result.
#[derive(Debug, Default)]
struct Found {
    host: String,
    port: String,
    oid: String,
    name: String,
    severity: f64,
    qod: u8,
    cves: Vec<String>,
    description: String,
}

impl Found {
    fn read(xml: &mut Answer<'_>, element: &Element) -> Result<Self, XmlError> {
        let mut found = Self::default();
        while let Some(child) = xml.child(element)? {
            match child.name() {
                "host" => found.host = xml.text(&child)?,
                "port" => found.port = xml.text(&child)?,
                "name" => found.name = xml.text(&child)?,
                "severity" => found.severity = xml.text(&child)?.parse().unwrap_or_default(),
                "description" => found.description = xml.text(&child)?,
                "nvt" => found.nvt(xml, &child)?,
                "qod" => {
                    while let Some(child) = xml.child(&child)? {
                        if child.name() == "value" {
                            found.qod = xml.text(&child)?.parse().unwrap_or_default();
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }

    fn nvt(&mut self, xml: &mut Answer<'_>, nvt: &Element) -> Result<(), XmlError> {
        self.oid = cut(nvt.get("oid").unwrap_or_default(), TEXT_CHARS_MAX);
        while let Some(child) = xml.child(nvt)? {
            if child.name() != "refs" {
                continue;
            }
            while let Some(reference) = xml.child(&child)? {
                let is_cve = reference.get("type").is_some_and(|kind| kind.eq_ignore_ascii_case("cve"));
                if let Some(id) = reference.get("id").filter(|_| is_cve && self.cves.len() < CVES_MAX) {
                    self.cves.push(cut(id, TEXT_CHARS_MAX));
                }
            }
        }
        Ok(())
    }

    /// A weakness, unless it is an entry of a log or a false positive: those have no severity, or one below zero.
    fn vulnerability(mut self) -> Option<Vulnerability> {
        // What is no number is none either.
        if self.severity.is_nan() || self.severity <= 0.0 || self.oid.is_empty() {
            return None;
        }
        // It is between 0 and 100 then.
        let tenths = (self.severity * 10.0).round().min(100.0) as u8;
        self.cves.sort_unstable();
        self.cves.dedup();
        Some(Vulnerability {
            id: format!("nvt:{}", self.oid),
            title: cut(&self.name, TEXT_CHARS_MAX),
            cves: self.cves,
            cvss_tenths: Some(tenths),
            severity: Severity::of_cvss(tenths),
            at: port(&self.port),
            is_certain: self.qod >= CERTAIN_QOD,
            evidence: cut(&self.description, EVIDENCE_CHARS_MAX),
        })
    }
}
