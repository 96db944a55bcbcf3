//! naabu and masscan, the programs: both name open ports and nothing else. naabu has not been tried here with the real program.
//!
//! Of a port that was asked for and is not named by a run that came to its end, one knows that it does not answer, and not why: it is
//! told as filtered, which is silence or a refusal. But an answer that names nothing is also what a run gives whose packets went nowhere
//! (masscan 1.3.2 ends such a run with code 0), so that nothing is claimed of ports unless the same answer shows that somebody was reached.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;

use osel_core::scan::{PortFound, ProbeState, Transport, Trouble};
use serde::Deserialize;
use serde_json::error::Category;

use super::local::{Gathered, Group, LocalScan, groups, job, ports_text, run, told};
use super::program::{Confined, Job, has_net_raw};
use super::scanner::{Asked, ScanOrder, Seen};
use crate::config::RatedConfig;

/// What both take.
const TCP_ONLY: &str = "it is asked for TCP alone";
/// Why silence is not believed.
const UNPROVEN: &str = "nothing was named, which is also what a run says that reached nobody";

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenPortsProgram {
    /// naabu.
    Naabu,
    /// masscan.
    Masscan,
}

/// A program that names open ports as a scanner.
#[derive(Debug)]
pub struct OpenPorts {
    which: OpenPortsProgram,
    config: RatedConfig,
    confined: Confined,
}

/// A line of naabu.
#[derive(Deserialize)]
struct NaabuLine {
    ip: IpAddr,
    /// Zero for an address without open ports.
    port: u16,
}

/// An object of masscan.
#[derive(Deserialize)]
struct MasscanObject {
    ip: IpAddr,
    #[serde(default)]
    ports: Vec<MasscanPort>,
}

#[derive(Deserialize)]
struct MasscanPort {
    port: u16,
    proto: String,
    /// Without one it is about what a service said.
    status: Option<String>,
}

/// What one run names.
#[derive(Debug, Default)]
struct Named {
    open: BTreeSet<(IpAddr, u16)>,
    /// The addresses that it speaks of, also of those without open ports.
    addresses: BTreeSet<IpAddr>,
}

impl Named {
    fn open(&mut self, address: IpAddr, port: u16) {
        self.addresses.insert(address);
        self.open.insert((address, port));
    }
}

impl OpenPorts {
    /// One that is configured so, run by `confined`.
    pub fn new(which: OpenPortsProgram, config: RatedConfig, confined: Confined) -> Self {
        Self { which, config, confined }
    }

    async fn run_all(&self, order: &ScanOrder) -> Result<Seen, Trouble> {
        let mut gathered = Gathered::new(order);
        let (mut has_success, mut trouble) = (false, None);
        for group in groups(&order.command) {
            if group.transport == Transport::Udp {
                group.addresses.iter().for_each(|&address| gathered.missing(address, TCP_ONLY));
                continue;
            }
            match self.run(&group).await {
                Ok((named, is_whole)) => {
                    self.take(&mut gathered, &group, &named, is_whole);
                    has_success = true;
                }
                Err(error) => {
                    // The other family may be well.
                    let Some(why) = told(&error) else { return Err(error) };
                    group.addresses.iter().for_each(|&address| gathered.missing(address, why));
                    trouble = Some(error);
                }
            }
        }
        if let (Some(trouble), false) = (trouble, has_success) {
            return Err(trouble);
        }
        Ok(Seen {
            scanner: self.name().to_owned(),
            hosts: gathered.finish(order, "it has no ports to be asked for"),
        })
    }

    /// What one run names, and whether that is all of it.
    async fn run(&self, group: &Group) -> Result<(Named, bool), Trouble> {
        let output = run(&self.confined, self.job(group)).await?;
        if let Some(why) = output.failure(&[]) {
            return Err(Trouble::Unavailable(format!("{} {why}", self.name())));
        }
        match self.which {
            OpenPortsProgram::Naabu => Ok((naabu(&output.stdout)?, true)),
            OpenPortsProgram::Masscan => masscan(&output.stdout),
        }
    }

    fn name(&self) -> &'static str {
        match self.which {
            OpenPortsProgram::Naabu => "naabu",
            OpenPortsProgram::Masscan => "masscan",
        }
    }

    fn job(&self, group: &Group) -> Job {
        let (ports, rate) = (ports_text(&group.ports), self.config.rate.to_string());
        let mut input = String::new();
        let arguments = match self.which {
            OpenPortsProgram::Naabu => {
                for address in &group.addresses {
                    // Writing to a text cannot fail.
                    let _ = writeln!(input, "{address}");
                }
                ["-json", "-silent", "-disable-update-check", "-port", &ports, "-rate", &rate]
                    .map(str::to_owned)
                    .into()
            }
            OpenPortsProgram::Masscan => {
                let options = ["-oJ", "-", "--ports", &ports, "--rate", &rate].map(str::to_owned);
                group.addresses.iter().map(IpAddr::to_string).chain(options).collect()
            }
        };
        let is_masscan = self.which == OpenPortsProgram::Masscan;
        Job { keeps_net_raw: is_masscan && has_net_raw(), ..job(&self.config.program, arguments, input) }
    }

    fn take(&self, gathered: &mut Gathered, group: &Group, named: &Named, is_whole: bool) {
        for &address in &group.addresses {
            let is_proven = match self.which {
                // It may leave out addresses that do not answer its first look.
                OpenPortsProgram::Naabu => named.addresses.contains(&address),
                // It sends to all of them alike.
                OpenPortsProgram::Masscan => !named.addresses.is_empty(),
            };
            if !is_whole {
                gathered.missing(address, "the answer was cut");
            } else if !is_proven {
                gathered.missing(address, UNPROVEN);
            }
            for &port in &group.ports {
                let state = match named.open.contains(&(address, port)) {
                    true => ProbeState::Open,
                    false if is_whole && is_proven => ProbeState::Filtered,
                    false => ProbeState::NotProbed,
                };
                gathered.port(address, PortFound::new(group.transport, port, state));
            }
        }
    }
}

impl LocalScan for OpenPorts {
    fn scan<'a>(&'a self, order: &'a ScanOrder) -> Asked<'a, Seen> {
        Box::pin(self.run_all(order))
    }
}

fn naabu(answer: &[u8]) -> Result<Named, Trouble> {
    let lines = answer.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let mut named = Named::default();
    for line in lines {
        let line: NaabuLine = serde_json::from_slice(line).map_err(|error| garbled("naabu", &error))?;
        match line.port {
            0 => _ = named.addresses.insert(line.ip),
            port => named.open(line.ip, port),
        }
    }
    Ok(named)
}

/// The open ports, and whether the list has its end: one that was cut is read as far as it goes.
fn masscan(answer: &[u8]) -> Result<(Named, bool), Trouble> {
    let mut named = Named::default();
    let Some(begin) = answer.iter().position(|byte| !byte.is_ascii_whitespace()) else {
        // Without any open port it writes nothing at all.
        return Ok((named, true));
    };
    let mut rest = match answer[begin..].strip_prefix(b"[") {
        Some(rest) => rest,
        None => return Err(Trouble::Garbled("masscan's answer does not begin with `[`".to_owned())),
    };
    loop {
        let is_between = |byte: &u8| byte.is_ascii_whitespace() || *byte == b',';
        rest = &rest[rest.iter().take_while(|byte| is_between(byte)).count()..];
        match rest.first() {
            None => return Ok((named, false)),
            Some(b']') => return Ok((named, true)),
            Some(_) => {}
        }
        let mut objects = serde_json::Deserializer::from_slice(rest).into_iter::<MasscanObject>();
        match objects.next() {
            Some(Ok(object)) => {
                let tcp = object
                    .ports
                    .iter()
                    .filter(|port| port.proto == "tcp" && port.status.as_deref() == Some("open"));
                tcp.for_each(|port| named.open(object.ip, port.port));
            }
            Some(Err(error)) if error.classify() != Category::Eof => return Err(garbled("masscan", &error)),
            Some(Err(_)) | None => return Ok((named, false)),
        }
        rest = &rest[objects.byte_offset()..];
    }
}

fn garbled(name: &str, error: &serde_json::Error) -> Trouble {
    Trouble::Garbled(format!("{name}'s answer cannot be understood: {error}"))
}
