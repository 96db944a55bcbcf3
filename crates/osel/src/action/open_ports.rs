//! naabu and masscan, the programs: both name open ports and nothing else. Neither has been tried here with the real program.
//!
//! Of a port that was asked for and is not named by a run that came to its end, one knows that it does not answer, and not why: it is
//! told as filtered, which is silence or a refusal.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;

use osel_core::scan::{PortFound, ProbeState, Transport, Trouble};
use serde::Deserialize;
use serde_json::error::Category;

use super::local::{Gathered, Group, LocalScan, groups, job, ports_text, run};
use super::program::{Confined, Job, has_net_raw};
use super::scanner::{Asked, ScanOrder, Seen};
use crate::config::RatedConfig;

/// What both take.
const TCP_ONLY: &str = "it is asked for TCP alone";

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

type Open = BTreeSet<(IpAddr, u16)>;

impl OpenPorts {
    /// One that is configured so, run by `confined`.
    pub fn new(which: OpenPortsProgram, config: RatedConfig, confined: Confined) -> Self {
        Self { which, config, confined }
    }

    async fn run_all(&self, order: &ScanOrder) -> Result<Seen, Trouble> {
        let mut gathered = Gathered::new(order);
        for group in groups(&order.command) {
            if group.transport == Transport::Udp {
                group.addresses.iter().for_each(|&address| gathered.missing(address, TCP_ONLY));
                continue;
            }
            let output = run(&self.confined, self.job(&group)).await?;
            if let Some(why) = output.failure(&[]) {
                return Err(Trouble::Unavailable(format!("{} {why}", self.name())));
            }
            let (open, is_whole) = match self.which {
                OpenPortsProgram::Naabu => (naabu(&output.stdout)?, true),
                OpenPortsProgram::Masscan => masscan(&output.stdout)?,
            };
            take(&mut gathered, &group, &open, is_whole);
        }
        Ok(Seen {
            scanner: self.name().to_owned(),
            hosts: gathered.finish(order, "it has no ports to be asked for"),
        })
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
}

impl LocalScan for OpenPorts {
    fn scan<'a>(&'a self, order: &'a ScanOrder) -> Asked<'a, Seen> {
        Box::pin(self.run_all(order))
    }
}

fn naabu(answer: &[u8]) -> Result<Open, Trouble> {
    let lines = answer.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let mut open = Open::new();
    for line in lines {
        let line: NaabuLine = serde_json::from_slice(line).map_err(|error| garbled("naabu", &error))?;
        if line.port > 0 {
            open.insert((line.ip, line.port));
        }
    }
    Ok(open)
}

/// The open ports, and whether the list has its end: one that was cut is read as far as it goes.
fn masscan(answer: &[u8]) -> Result<(Open, bool), Trouble> {
    let mut open = Open::new();
    let Some(begin) = answer.iter().position(|byte| !byte.is_ascii_whitespace()) else {
        // Without any open port it writes nothing at all.
        return Ok((open, true));
    };
    let mut rest = match answer[begin..].strip_prefix(b"[") {
        Some(rest) => rest,
        None => return Err(Trouble::Garbled("masscan's answer does not begin with `[`".to_owned())),
    };
    loop {
        let is_between = |byte: &u8| byte.is_ascii_whitespace() || *byte == b',';
        rest = &rest[rest.iter().take_while(|byte| is_between(byte)).count()..];
        match rest.first() {
            None => return Ok((open, false)),
            Some(b']') => return Ok((open, true)),
            Some(_) => {}
        }
        let mut objects = serde_json::Deserializer::from_slice(rest).into_iter::<MasscanObject>();
        match objects.next() {
            Some(Ok(object)) => {
                let tcp = object
                    .ports
                    .iter()
                    .filter(|port| port.proto == "tcp" && port.status.as_deref() == Some("open"));
                open.extend(tcp.map(|port| (object.ip, port.port)));
            }
            Some(Err(error)) if error.classify() != Category::Eof => return Err(garbled("masscan", &error)),
            Some(Err(_)) | None => return Ok((open, false)),
        }
        rest = &rest[objects.byte_offset()..];
    }
}

fn garbled(name: &str, error: &serde_json::Error) -> Trouble {
    Trouble::Garbled(format!("{name}'s answer cannot be understood: {error}"))
}

fn take(gathered: &mut Gathered, group: &Group, open: &Open, is_whole: bool) {
    for &address in &group.addresses {
        if !is_whole {
            gathered.missing(address, "the answer was cut");
        }
        for &port in &group.ports {
            let state = match open.contains(&(address, port)) {
                true => ProbeState::Open,
                false if is_whole => ProbeState::Filtered,
                false => ProbeState::NotProbed,
            };
            gathered.port(address, PortFound::new(group.transport, port, state));
        }
    }
}
