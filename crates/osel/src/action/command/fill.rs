//! What a run of a program is given: its arguments and its input.

use std::fmt::Write;
use std::net::IpAddr;

use osel_core::scan::{ScanCommand, ScanTarget, Transport};
use serde::Serialize;

use crate::config::{CommandInput, Per};

/// What one run is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject<'a> {
    /// All addresses of it.
    pub(super) targets: Vec<&'a ScanTarget>,
    /// The port, if it is about one.
    pub(super) port: Option<(Transport, u16)>,
}

impl Subject<'_> {
    /// Its address, if it is about one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self.targets[..] {
            [target] => Some(target.address),
            _ => None,
        }
    }
}

/// What a command is about, run by run.
pub(super) fn subjects(command: &ScanCommand, per: Per) -> Vec<Subject<'_>> {
    let of = |target, port| Subject { targets: vec![target], port };
    match per {
        Per::Scan => vec![Subject { targets: command.targets.iter().collect(), port: None }],
        Per::Address => command.targets.iter().map(|target| of(target, None)).collect(),
        Per::Port => {
            let all = command.targets.iter();
            all.flat_map(|target| target.expected.keys().map(move |&port| of(target, Some(port)))).collect()
        }
    }
}

/// An argument with its places filled in. What is filled in holds no place itself.
pub(super) fn argument(template: &str, subject: &Subject<'_>) -> String {
    let mut text = template.to_owned();
    if let ([target], true) = (&subject.targets[..], template.contains('{')) {
        let host = match target.address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        text = text.replace("{address}", &target.address.to_string()).replace("{host}", &host);
        text = text.replace("{ports}", &numbers(target, Transport::Tcp).join(","));
    }
    if let Some((transport, port)) = subject.port {
        text = text.replace("{port}", &port.to_string()).replace("{transport}", transport.as_str());
    }
    text
}

/// What a run reads.
pub(super) fn input(subject: &Subject<'_>, kind: CommandInput) -> String {
    match kind {
        CommandInput::None => String::new(),
        CommandInput::Addresses => {
            let mut text = String::new();
            for target in &subject.targets {
                // Writing to a text cannot fail.
                let _ = writeln!(text, "{}", target.address);
            }
            text
        }
        CommandInput::Json => {
            let targets = subject.targets.iter().map(|target| told(target, subject.port)).collect();
            let mut text =
                serde_json::to_string(&Told { targets }).expect("addresses and numbers have a form in JSON");
            text.push('\n');
            text
        }
    }
}

#[derive(Serialize)]
struct Told {
    targets: Vec<ToldTarget>,
}

#[derive(Serialize)]
struct ToldTarget {
    address: IpAddr,
    tcp: Vec<u16>,
    udp: Vec<u16>,
}

fn told(target: &ScanTarget, only: Option<(Transport, u16)>) -> ToldTarget {
    let ports = |wanted: Transport| {
        let all = target.expected.keys().filter(|port| only.is_none_or(|only| only == **port));
        all.filter(|(transport, _)| *transport == wanted).map(|&(_, port)| port).collect()
    };
    ToldTarget { address: target.address, tcp: ports(Transport::Tcp), udp: ports(Transport::Udp) }
}

fn numbers(target: &ScanTarget, wanted: Transport) -> Vec<String> {
    let of_transport = target.expected.keys().filter(|(transport, _)| *transport == wanted);
    of_transport.map(|(_, port)| port.to_string()).collect()
}
