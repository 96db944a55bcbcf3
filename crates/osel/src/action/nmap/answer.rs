//! What nmap answers (`-oX`), for the ports that it was asked for.

use std::io::BufRead;
use std::net::IpAddr;

use osel_core::scan::{
    EVIDENCE_CHARS_MAX, PortFound, ProbeState, Severity, TEXT_CHARS_MAX, Transport, Vulnerability, cut,
};

use crate::action::local::cves;
use crate::action::xml::{Element, Limits, Xml, XmlError};

/// What one run saw.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// `nmap`, with its version.
    pub scanner: String,
    /// The addresses that it speaks of.
    pub hosts: Vec<HostAnswer>,
}

/// What one run saw of an address.
#[derive(Debug, PartialEq, Eq)]
pub struct HostAnswer {
    /// The address.
    pub address: IpAddr,
    /// Why it was not scanned, if it was not.
    pub not_scanned: Option<String>,
    /// Why not all of it was scanned, if so.
    pub partial: Option<String>,
    /// The ports that were asked for and told of.
    pub ports: Vec<PortFound>,
    /// What scripts said.
    pub vulnerabilities: Vec<Vulnerability>,
}

impl HostAnswer {
    fn new(address: IpAddr) -> Self {
        Self { address, not_scanned: None, partial: None, ports: Vec::new(), vulnerabilities: Vec::new() }
    }
}

/// Why an answer is none.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// It cannot be read.
    #[error("nmap's answer cannot be read: {0}")]
    Xml(#[from] XmlError),
    /// nmap says that it failed, or did not come to say that it did not.
    #[error("nmap did not succeed: {0}")]
    Failed(String),
}

/// Reads an answer for these ports of one transport, which are in order.
///
/// # Errors
///
/// If it is no answer of nmap, or of one that did not come to its end.
pub fn read(source: impl BufRead, transport: Transport, asked: &[u16]) -> Result<Answer, AnswerError> {
    let mut xml = Xml::new(source, Limits::default());
    let root = xml.root(&["nmaprun"])?;
    let version = root.get("version").unwrap_or("of an unknown version");
    let mut answer = Answer { scanner: format!("nmap {}", cut(version, TEXT_CHARS_MAX)), hosts: Vec::new() };
    let mut exit = None;
    while let Some(child) = xml.child(&root)? {
        match child.name() {
            "host" => answer.hosts.extend(host(&mut xml, &child, transport, asked)?),
            "target" => answer.hosts.extend(skipped(&child)),
            "runstats" => {
                while let Some(child) = xml.child(&child)? {
                    if child.name() == "finished" {
                        let word = |name| cut(child.get(name).unwrap_or_default(), TEXT_CHARS_MAX);
                        exit = Some((word("exit"), word("errormsg")));
                    }
                }
            }
            _ => {}
        }
    }
    xml.finish()?;
    match exit {
        Some((exit, _)) if exit == "success" => Ok(answer),
        Some((exit, message)) => Err(AnswerError::Failed(format!("{exit} {message}").trim().to_owned())),
        None => Err(AnswerError::Failed("it does not say how it ended".to_owned())),
    }
}

/// A target that nmap did not take.
fn skipped(target: &Element) -> Option<HostAnswer> {
    let address = target.get("specification")?.parse().ok()?;
    let why = format!("nmap skipped it: {}", cut(target.get("reason").unwrap_or("unknown"), TEXT_CHARS_MAX));
    (target.get("status") == Some("skipped"))
        .then(|| HostAnswer { not_scanned: Some(why), ..HostAnswer::new(address) })
}

fn host(
    xml: &mut Xml<impl BufRead>,
    element: &Element,
    transport: Transport,
    asked: &[u16],
) -> Result<Option<HostAnswer>, XmlError> {
    let mut address = None;
    let mut state = None;
    let mut ports =
        Ports { transport, asked, found: vec![None; asked.len()], extras: Vec::new(), told: Vec::new() };
    while let Some(child) = xml.child(element)? {
        match child.name() {
            "status" => state = child.get("state").map(|state| cut(state, TEXT_CHARS_MAX)),
            "address" if child.get("addrtype") != Some("mac") && address.is_none() => {
                address = child.get("addr").and_then(|text| text.parse::<IpAddr>().ok());
            }
            "ports" => {
                while let Some(child) = xml.child(&child)? {
                    match child.name() {
                        "port" => ports.port(xml, &child)?,
                        "extraports" => ports.extra(xml, &child)?,
                        _ => {}
                    }
                }
            }
            "hostscript" => {
                while let Some(child) = xml.child(&child)? {
                    ports.told.extend(script(&child, None));
                }
            }
            _ => {}
        }
    }
    let Some(address) = address else { return Ok(None) };
    let mut answer = HostAnswer::new(address);
    match state.as_deref() {
        Some("up") => {}
        Some(state) => answer.not_scanned = Some(format!("nmap says that it is {state}")),
        None => answer.not_scanned = Some("nmap does not say what it is".to_owned()),
    }
    ports.spread_extras();
    let silent = ports.found.iter().filter(|found| found.is_none()).count();
    if element.get("timedout") == Some("true") {
        answer.partial = Some("nmap gave up on it: it took too long".to_owned());
    } else if silent > 0 {
        answer.partial = Some(format!("nmap says nothing of {silent} ports"));
    }
    answer.ports = ports.found.into_iter().flatten().collect();
    answer.vulnerabilities = ports.told;
    Ok(Some(answer))
}

/// The ports of one host, as they are read.
struct Ports<'a> {
    transport: Transport,
    asked: &'a [u16],
    /// For each port that was asked for, in its place.
    found: Vec<Option<PortFound>>,
    /// States that many ports have, where nmap does not say which: how many.
    extras: Vec<(ProbeState, usize)>,
    told: Vec<Vulnerability>,
}

impl Ports<'_> {
    /// One port that is listed by itself.
    fn port(&mut self, xml: &mut Xml<impl BufRead>, element: &Element) -> Result<(), XmlError> {
        let is_ours = element.get("protocol") == Some(self.transport.as_str());
        let place = element.number("portid").and_then(|port: u16| self.asked.binary_search(&port).ok());
        let Some(place) = place.filter(|_| is_ours) else { return Ok(()) };
        let mut found = PortFound::new(self.transport, self.asked[place], ProbeState::NotProbed);
        while let Some(child) = xml.child(element)? {
            match child.name() {
                "state" => found.state = probe_state(child.get("state").unwrap_or_default()),
                // What the number of the port stands for in a table is no finding.
                "service" if child.get("method") == Some("probed") => {
                    let word = |name| child.get(name).map(|text| cut(text, TEXT_CHARS_MAX));
                    let tunnel = if child.get("tunnel") == Some("ssl") { "ssl/" } else { "" };
                    found.service = word("name").map(|name| format!("{tunnel}{name}"));
                    found.product = word("product");
                    found.version = word("version");
                }
                "script" => self.told.extend(script(&child, Some((self.transport, found.port)))),
                _ => {}
            }
        }
        self.found[place] = Some(found);
        Ok(())
    }

    /// Many ports in one state; newer versions say which.
    fn extra(&mut self, xml: &mut Xml<impl BufRead>, element: &Element) -> Result<(), XmlError> {
        let state = probe_state(element.get("state").unwrap_or_default());
        let mut are_named = false;
        while let Some(child) = xml.child(element)? {
            if let Some(list) = child.get("ports")
                && child.get("proto").is_none_or(|proto| proto == self.transport.as_str())
            {
                are_named = true;
                self.named(list, state);
            }
        }
        if !are_named {
            self.extras.push((state, element.number("count").unwrap_or(0)));
        }
        Ok(())
    }

    fn named(&mut self, list: &str, state: ProbeState) {
        for range in list.split(',') {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (Ok(first), Ok(last)) = (first.trim().parse::<u16>(), last.trim().parse::<u16>()) else {
                continue;
            };
            let from = self.asked.partition_point(|&port| port < first);
            let to = self.asked.partition_point(|&port| port <= last);
            for place in from..to {
                self.found[place]
                    .get_or_insert_with(|| PortFound::new(self.transport, self.asked[place], state));
            }
        }
    }

    /// Where one state is said of as many ports as are left, those have it; otherwise nobody knows which do.
    fn spread_extras(&mut self) {
        let left = self.found.iter().filter(|found| found.is_none()).count();
        if let [(state, count)] = self.extras[..]
            && count == left
        {
            for (place, found) in self.found.iter_mut().enumerate() {
                found.get_or_insert_with(|| PortFound::new(self.transport, self.asked[place], state));
            }
        }
    }
}

fn probe_state(word: &str) -> ProbeState {
    match word {
        "open" => ProbeState::Open,
        "closed" => ProbeState::Closed,
        "filtered" | "closed|filtered" => ProbeState::Filtered,
        "open|filtered" => ProbeState::OpenFiltered,
        _ => ProbeState::NotProbed,
    }
}

/// What a script said. Scripts that look for one weakness say whether it is there, in words that nmap's library gives them.
fn script(element: &Element, at: Option<(Transport, u16)>) -> Option<Vulnerability> {
    let id = element.get("id").filter(|_| element.name() == "script")?;
    let output = element.get("output").unwrap_or_default();
    // One script may look for several.
    let denied = output.matches("NOT VULNERABLE").count();
    let is_vulnerable = output.matches("VULNERABLE").count() > denied;
    if denied > 0 && !is_vulnerable {
        return None;
    }
    let severity = if is_vulnerable { Severity::High } else { Severity::Info };
    Some(Vulnerability {
        id: format!("nmap:{}", cut(id, TEXT_CHARS_MAX)),
        title: cut(&format!("nmap's script {id}"), TEXT_CHARS_MAX),
        cves: cves(output),
        cvss_tenths: None,
        severity,
        at,
        is_certain: !output.contains("LIKELY VULNERABLE"),
        evidence: cut(output, EVIDENCE_CHARS_MAX),
    })
}
