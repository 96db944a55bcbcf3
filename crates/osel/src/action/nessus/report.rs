//! A report in the format `nessus`, version 2, read as it comes in: what is kept is about the addresses that were asked for, and bounded.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::BufRead;
use std::net::IpAddr;

use osel_core::scan::{
    EVIDENCE_CHARS_MAX, HOST_VULNERABILITIES_MAX, Severity, TEXT_CHARS_MAX, Transport, Vulnerability, cut,
};

use crate::action::xml::{Element, Xml, XmlError};

/// The plugin that tells how a host was scanned, at the end of its scan.
const SCAN_INFORMATION: u32 = 19_506;
/// The plugin that tells whether a host answers at all.
const PING: u32 = 10_180;
/// Plugins that ask the host itself for what it listens on (netstat over SSH, over WMI; remote listeners over WMI). That says nothing
/// about who reaches it from outside: a filter may stand between.
const FROM_INSIDE: [u32; 3] = [14_272, 34_220, 34_252];
/// What a plugin's description says when it has believed a version without a test.
const UNTESTED: &str = "self-reported version";
/// The most numbers of one weakness in the list of common vulnerabilities: cumulative updates have some hundreds.
const CVES_MAX: usize = 200;
/// The longest such number: `CVE-2024-1234567`.
const CVE_CHARS_MAX: usize = 20;

/// What a report says of the addresses that were asked for.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// The version of the scanner that wrote it.
    pub(super) version: Option<String>,
    /// The hosts.
    pub(super) hosts: BTreeMap<IpAddr, Host>,
}

/// What a report says of one host.
#[derive(Debug, Default)]
pub(super) struct Host {
    /// Whether it tells how the host was scanned, which it does at the end.
    pub(super) is_ended: bool,
    /// Whether the host was taken for dead, and not scanned.
    pub(super) is_dead: bool,
    /// The ports that it names.
    pub(super) ports: BTreeMap<(Transport, u16), Port>,
    /// Whether more weaknesses were found than are kept.
    pub(super) is_cut: bool,
    /// The weaknesses, none twice by plugin and place.
    pub(super) weaknesses: BTreeMap<(u32, Option<(Transport, u16)>), Vulnerability>,
}

/// What a report says of one port.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Port {
    /// Whether it answered over the network.
    pub(super) answers: bool,
    /// The service that the scanner takes it for.
    pub(super) service: Option<String>,
}

/// One line of a report.
#[derive(Debug, Default)]
struct Item {
    plugin: u32,
    name: String,
    at: Option<(Transport, u16)>,
    service: Option<String>,
    severity: Severity,
    cves: Vec<String>,
    cvss3: Option<u8>,
    cvss2: Option<u8>,
    is_untested: bool,
    output: String,
}

/// Reads a report; what it says of others than these addresses is passed over.
///
/// # Errors
/// When it is no such report, breaks off, or goes beyond the bounds.
pub(super) fn read<R: BufRead>(
    mut xml: Xml<R>,
    is_wanted: impl Fn(IpAddr) -> bool,
) -> Result<Report, XmlError> {
    let mut report = Report::default();
    let root = xml.root(&["NessusClientData_v2"])?;
    while let Some(part) = xml.child(&root)? {
        if part.name() != "Report" {
            continue;
        }
        while let Some(child) = xml.child(&part)? {
            if child.name() == "ReportHost" {
                host(&mut xml, &child, &is_wanted, &mut report)?;
            }
        }
    }
    xml.finish()?;
    Ok(report)
}

fn host<R: BufRead>(
    xml: &mut Xml<R>,
    element: &Element,
    is_wanted: &impl Fn(IpAddr) -> bool,
    report: &mut Report,
) -> Result<(), XmlError> {
    let mut address = element.number::<IpAddr>("name").filter(|address| is_wanted(*address));
    let mut is_new = false;
    while let Some(child) = xml.child(element)? {
        match child.name() {
            // The name may be one of DNS; the address is among the properties then, which come first.
            "HostProperties" if address.is_none() => {
                address = property(xml, &child)?.filter(|address| is_wanted(*address));
            }
            "ReportItem" => {
                let Some(address) = address else { return Ok(()) };
                let item = item(xml, &child)?;
                report.note(address, item);
                is_new = true;
            }
            _ => {}
        }
    }
    // Of a host without a line it was at least begun.
    if let (Some(address), false) = (address, is_new) {
        report.hosts.entry(address).or_default();
    }
    Ok(())
}

fn property<R: BufRead>(xml: &mut Xml<R>, element: &Element) -> Result<Option<IpAddr>, XmlError> {
    let mut address = None;
    while let Some(tag) = xml.child(element)? {
        if tag.name() == "tag" && tag.get("name") == Some("host-ip") {
            address = xml.text(&tag)?.parse().ok();
        }
    }
    Ok(address)
}

fn item<R: BufRead>(xml: &mut Xml<R>, element: &Element) -> Result<Item, XmlError> {
    let port = element.number("port").unwrap_or(0_u16);
    let transport = match element.get("protocol") {
        Some("tcp") => Some(Transport::Tcp),
        Some("udp") => Some(Transport::Udp),
        _ => None,
    };
    let mut item = Item {
        plugin: element.number("pluginID").unwrap_or(0),
        name: cut(element.get("pluginName").unwrap_or_default(), TEXT_CHARS_MAX),
        at: transport.filter(|_| port > 0).map(|transport| (transport, port)),
        service: element.get("svc_name").and_then(service),
        severity: severity(element.get("severity")),
        ..Item::default()
    };
    while let Some(child) = xml.child(element)? {
        match child.name() {
            "cve" if item.cves.len() < CVES_MAX => item.cves.push(cut(&xml.text(&child)?, CVE_CHARS_MAX)),
            "cvss3_base_score" => item.cvss3 = tenths(&xml.text(&child)?),
            "cvss_base_score" => item.cvss2 = tenths(&xml.text(&child)?),
            "description" => item.is_untested = xml.text(&child)?.contains(UNTESTED),
            "plugin_output" => {
                let output = xml.text(&child)?;
                item.output =
                    if item.plugin == SCAN_INFORMATION { output } else { cut(&output, EVIDENCE_CHARS_MAX) };
            }
            _ => {}
        }
    }
    Ok(item)
}

impl Report {
    fn note(&mut self, address: IpAddr, item: Item) {
        let host = self.hosts.entry(address).or_default();
        match item.plugin {
            SCAN_INFORMATION => {
                host.is_ended = true;
                if self.version.is_none() {
                    self.version = version(&item.output);
                }
            }
            PING if item.output.contains("considered as dead") => host.is_dead = true,
            _ => {}
        }
        if let Some(at) = item.at {
            let port = host.ports.entry(at).or_default();
            port.answers |= !FROM_INSIDE.contains(&item.plugin);
            if port.service.is_none() {
                port.service.clone_from(&item.service);
            }
        }
        if item.severity > Severity::Info || !item.cves.is_empty() {
            host.weakness(item);
        }
    }
}

impl Host {
    fn weakness(&mut self, item: Item) {
        let Item { plugin, name, at, severity, mut cves, cvss3, cvss2, is_untested, output, .. } = item;
        cves.sort();
        cves.dedup();
        match self.weaknesses.entry((plugin, at)) {
            // The same plugin tells of several accounts or files at one port: what it saw first stands for all.
            Entry::Occupied(mut known) => known.get_mut().is_certain |= !is_untested,
            Entry::Vacant(free) => {
                free.insert(Vulnerability {
                    id: format!("plugin:{plugin}"),
                    title: name,
                    cves,
                    cvss_tenths: cvss3.or(cvss2),
                    severity,
                    at,
                    is_certain: !is_untested,
                    evidence: output,
                });
            }
        }
        if self.weaknesses.len() > 2 * HOST_VULNERABILITIES_MAX {
            self.keep_the_worst();
        }
    }

    /// Leaves the most severe of the weaknesses, as many as are told of a host.
    pub(super) fn keep_the_worst(&mut self) {
        if self.weaknesses.len() <= HOST_VULNERABILITIES_MAX {
            return;
        }
        self.is_cut = true;
        let mut all: Vec<_> = std::mem::take(&mut self.weaknesses).into_iter().collect();
        // Equal ones stay in the order of their plugins.
        all.sort_by_key(|(_, weakness)| std::cmp::Reverse((weakness.severity, weakness.cvss_tenths)));
        all.truncate(HOST_VULNERABILITIES_MAX);
        self.weaknesses = all.into_iter().collect();
    }
}

/// The service; a question mark says that it was guessed by the port, and `general` and `unknown` say nothing.
fn service(name: &str) -> Option<String> {
    let name = name.trim().trim_end_matches('?');
    (!matches!(name, "" | "general" | "unknown")).then(|| cut(name, TEXT_CHARS_MAX))
}

fn severity(text: Option<&str>) -> Severity {
    match text {
        Some("1") => Severity::Low,
        Some("2") => Severity::Medium,
        Some("3") => Severity::High,
        Some("4") => Severity::Critical,
        _ => Severity::Info,
    }
}

/// A score such as `9.8` in tenths, if it is one.
fn tenths(text: &str) -> Option<u8> {
    let (whole, tenth) = text.split_once('.').unwrap_or((text, "0"));
    let (whole, tenth): (u8, u8) = (whole.parse().ok()?, tenth.get(..1)?.parse().ok()?);
    whole.checked_mul(10)?.checked_add(tenth).filter(|score| *score <= 100)
}

/// The version of the scanner, from what the plugin for it says.
fn version(output: &str) -> Option<String> {
    let line = output.lines().find_map(|line| line.trim().strip_prefix("Nessus version"))?;
    let version = line.trim_start_matches([' ', ':']).split_whitespace().next()?;
    Some(cut(version, TEXT_CHARS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_tenths_up_to_ten() {
        for (text, wanted) in [("9.8", Some(98)), ("10.0", Some(100)), ("7", Some(70)), ("0", Some(0))] {
            assert_eq!(tenths(text), wanted, "{text}");
        }
        for text in ["", "x", "9.", "10.1", "25.9", "255.9", "-1.0", "9.é"] {
            assert_eq!(tenths(text), None, "{text}");
        }
    }
}
