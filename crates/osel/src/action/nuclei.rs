//! nuclei, the program: known weaknesses at the ports that are wanted. It has not been tried here with the real program.
//!
//! Requests, responses and command lines that nuclei puts into its matches are not read: they may hold secrets.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use osel_core::scan::{
    EVIDENCE_CHARS_MAX, PortFound, ProbeState, Severity, TEXT_CHARS_MAX, Transport, Trouble, Vulnerability,
    cut,
};
use serde::Deserialize;

use super::command::lines::tenths;
use super::command::sarif::place;
use super::local::{Gathered, LocalScan, cves, job, run};
use super::program::Confined;
use super::scanner::{Asked, ScanOrder, Seen};
use crate::config::NucleiConfig;

/// What nuclei cannot say.
const MATCHES_ONLY: &str = "nuclei names what it found, not what it looked at";

/// The program nuclei as a scanner.
#[derive(Debug)]
pub struct Nuclei {
    config: NucleiConfig,
    confined: Confined,
}

/// A match.
#[derive(Deserialize)]
struct Match {
    #[serde(rename = "template-id")]
    template: String,
    info: Info,
    host: Option<String>,
    ip: Option<IpAddr>,
    port: Option<String>,
    #[serde(rename = "matched-at")]
    matched_at: Option<String>,
    #[serde(rename = "matcher-name")]
    matcher: Option<String>,
    #[serde(rename = "matcher-status")]
    is_match: Option<bool>,
}

#[derive(Deserialize)]
struct Info {
    name: Option<String>,
    severity: Option<String>,
    classification: Option<Classification>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Classification {
    #[serde(default)]
    cve_id: Option<Vec<String>>,
    cvss_score: Option<f64>,
}

impl Nuclei {
    /// One that is configured so, run by `confined`.
    pub fn new(config: NucleiConfig, confined: Confined) -> Self {
        Self { config, confined }
    }

    async fn run_all(&self, order: &ScanOrder) -> Result<Seen, Trouble> {
        let mut input = String::new();
        for target in &order.command.targets {
            for &(_, port) in target.expected.keys().filter(|(transport, _)| *transport == Transport::Tcp) {
                // Writing to a text cannot fail.
                let _ = writeln!(input, "{}", SocketAddr::new(target.address, port));
            }
        }
        let mut gathered = Gathered::new(order);
        if !input.is_empty() {
            let rated = &self.config.rated;
            let mut arguments: Vec<String> =
                ["-jsonl", "-silent", "-omit-raw", "-no-color", "-disable-update-check", "-no-interactsh"]
                    .map(str::to_owned)
                    .into();
            arguments.extend(["-rate-limit".to_owned(), rated.rate.to_string()]);
            for template in &self.config.templates {
                arguments.extend(["-templates".to_owned(), template.clone()]);
            }
            let output = run(&self.confined, job(&rated.program, arguments, input)).await?;
            if let Some(why) = output.failure(&[]) {
                return Err(Trouble::Unavailable(format!("nuclei {why}")));
            }
            read(&output.stdout, &mut gathered).map_err(Trouble::Garbled)?;
        }
        order.addresses().for_each(|address| gathered.missing(address, MATCHES_ONLY));
        Ok(Seen { scanner: "nuclei".to_owned(), hosts: gathered.finish(order, MATCHES_ONLY) })
    }
}

impl LocalScan for Nuclei {
    fn scan<'a>(&'a self, order: &'a ScanOrder) -> Asked<'a, Seen> {
        Box::pin(self.run_all(order))
    }
}

fn read(answer: &[u8], gathered: &mut Gathered) -> Result<(), String> {
    for (number, line) in answer.split(|&byte| byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let found: Match = serde_json::from_slice(line).map_err(|error| {
            format!("line {} of nuclei's answer cannot be understood: {error}", number + 1)
        })?;
        if found.is_match != Some(false) {
            take(&found, gathered);
        }
    }
    Ok(())
}

fn take(found: &Match, gathered: &mut Gathered) {
    let told = [&found.matched_at, &found.host].into_iter().flatten().find_map(|text| place(text));
    let Some(address) = found.ip.or(told.map(|(address, _)| address)) else { return };
    let port = found.port.as_deref().and_then(|port| port.parse().ok()).map(|port| (Transport::Tcp, port));
    let at = port.or(told.and_then(|(_, at)| at));
    if let Some((transport, port)) = at {
        gathered.port(address, PortFound::new(transport, port, ProbeState::Open));
    }
    let classification = found.info.classification.as_ref();
    let cvss_tenths =
        classification.and_then(|known| known.cvss_score).filter(|score| *score > 0.0).and_then(tenths);
    let names = classification
        .and_then(|known| known.cve_id.as_ref())
        .map(|names| names.join(" "))
        .unwrap_or_default();
    let severity = match found.info.severity.as_deref() {
        Some("critical") => Severity::Critical,
        Some("high") => Severity::High,
        Some("medium") => Severity::Medium,
        Some("low") => Severity::Low,
        Some("info") => Severity::Info,
        _ => cvss_tenths.map_or(Severity::Info, Severity::of_cvss),
    };
    let evidence = [found.matched_at.as_deref(), found.matcher.as_deref()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ");
    gathered.vulnerability(
        address,
        Vulnerability {
            id: cut(&format!("template:{}", found.template), TEXT_CHARS_MAX),
            title: cut(found.info.name.as_deref().unwrap_or(&found.template), TEXT_CHARS_MAX),
            cves: cves(&names.to_uppercase()),
            cvss_tenths,
            severity,
            at,
            is_certain: true,
            evidence: cut(&evidence, EVIDENCE_CHARS_MAX),
        },
    );
}
