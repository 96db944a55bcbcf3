//! `osel scan --scanner NAME`: one scan by a scanner of the configuration.

use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use osel_core::scan::{
    Coverage, Expected, HostResult, PortFound, ProbeState, ScanCommand, ScanReason, ScanTarget, Transport,
    Vulnerability,
};
use serde::Serialize;

use super::ScanArgs;
use super::follow::{Followed, Pace, follow};
use super::report::everywhere_remark;
use crate::action::build::build;
use crate::action::builtin::ScanRates;
use crate::action::scan::Protocol;
use crate::action::scanner::ScanOrder;
use crate::cli::config::ConfigArg;
use crate::cli::exposure::csv_cell;
use crate::cli::open::now;
use crate::cli::output::{Failure, OutputFormat, Table, json_line, note, plain, working};
use crate::config::{Config, ScannerConfig, listed};

/// The most ports of all addresses together: they are named to the scanner one by one.
const TARGET_PORTS_MAX: u64 = 1 << 20;
/// The columns of comma-separated values: those of the built-in scanner, and more behind them.
const CSV_HEAD: &str =
    "address,protocol,port,state,error,service,product,version,vulnerability,severity,title";

/// Scans and prints. `file` is the configuration that the scanner stands in.
///
/// # Errors
/// When there is no such scanner, it cannot be asked, or nothing was scanned.
pub(super) fn run(
    args: &ScanArgs,
    config: &Config,
    file: &ConfigArg,
    addresses: &[IpAddr],
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let scanner = named(config, &args.scanner)?;
    if args.rate.or(args.rate_per_host).or(args.concurrency).is_some() {
        let words = "--rate, --rate-per-host and --concurrency are for the built-in scanner: others have limits of their own";
        return Err(Failure::Usage(words.to_owned()).into());
    }
    if args.ports.count().saturating_mul(addresses.len() as u64) > TARGET_PORTS_MAX {
        let words = format!(
            "{} ports of {} addresses are more than one scan takes",
            args.ports.count(),
            addresses.len()
        );
        return Err(Failure::Usage(words).into());
    }
    let (file, started_with) = (file.clone(), scanner.clone());
    let configured = Arc::new(move || {
        let read = file.load_quietly().and_then(|config| named(&config, &started_with.name).ok().cloned());
        read.unwrap_or_else(|| started_with.clone())
    });
    let rates = ScanRates {
        rate: config.scan.rate_per_second,
        rate_per_host: config.scan.host_rate_per_second,
        concurrency: config.scan.concurrency,
    };
    let adapter = build(scanner, configured, rates)?;
    let life = Duration::from_secs(scanner.life_seconds_max.into());
    let order = order(args, scanner, addresses)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start the scanner")?;
    let sign = working("scanning");
    let followed = runtime.block_on(async {
        let interrupted = async {
            if tokio::signal::ctrl_c().await.is_err() {
                // Then the signal ends the process, as ever.
                std::future::pending::<()>().await;
            }
        };
        follow(&*adapter, order, Pace::of(life), &|words| sign.set_message(words.to_owned()), interrupted)
            .await
    });
    sign.finish_and_clear();
    // A thread that waits for a scanner is not waited for.
    runtime.shutdown_background();
    let followed = followed?;
    print(&followed, args.output, out)?;
    anyhow::ensure!(followed.seen.hosts.iter().any(was_scanned), "nothing was scanned");
    Ok(())
}

/// Whether anything was looked at. A host without ports may have none that answer.
fn was_scanned(host: &HostResult) -> bool {
    let is_probed = |found: &PortFound| found.state != ProbeState::NotProbed;
    !matches!(host.coverage, Coverage::NotScanned(_))
        && (host.ports.is_empty() || host.ports.iter().any(is_probed))
}

fn named<'c>(config: &'c Config, name: &str) -> anyhow::Result<&'c ScannerConfig> {
    config.scanners.iter().find(|scanner| scanner.name == name).ok_or_else(|| {
        let names = listed(config.scanners.iter().map(|scanner| &scanner.name), ", ");
        Failure::Usage(format!("--scanner {name}: the configuration has {names}")).into()
    })
}

fn order(args: &ScanArgs, scanner: &ScannerConfig, addresses: &[IpAddr]) -> anyhow::Result<ScanOrder> {
    let mut chance = [0; 8];
    getrandom::fill(&mut chance).context("the system gives no random numbers")?;
    let id = format!("manual-{:016x}", u64::from_ne_bytes(chance));
    let transport = |protocol| match protocol {
        Protocol::Tcp => Transport::Tcp,
        Protocol::Udp => Transport::Udp,
    };
    let expected: Expected =
        args.ports.iter().map(|(protocol, port)| ((transport(protocol), port), true)).collect();
    let target = |&address| ScanTarget {
        address,
        network_id: None,
        project_id: None,
        expected: expected.clone(),
        partial: false,
        causes: Vec::new(),
    };
    let now = now();
    let command = ScanCommand {
        id: id.as_str().into(),
        seq: 0,
        scanner: scanner.name.as_str().into(),
        kind: scanner.kind.as_str().into(),
        region: None,
        targets: addresses.iter().map(target).collect(),
        reason: ScanReason::Change,
        planned_at: now,
        expires_at: now.plus_seconds(scanner.life_seconds_max.into()),
    };
    Ok(ScanOrder { title: format!("osel-{id}"), command })
}

/// One port, or one weakness, which has no state.
#[derive(Serialize)]
struct Line<'a> {
    address: IpAddr,
    protocol: Option<&'static str>,
    port: Option<u16>,
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vulnerability: Option<&'a Vulnerability>,
}

impl<'a> Line<'a> {
    fn of_port(address: IpAddr, found: &'a PortFound) -> Self {
        let is_probed = found.state != ProbeState::NotProbed;
        Self {
            address,
            protocol: Some(found.transport.as_str()),
            port: Some(found.port),
            state: is_probed.then(|| found.state.as_str()),
            error: (!is_probed).then_some("not probed"),
            service: found.service.as_deref(),
            product: found.product.as_deref(),
            version: found.version.as_deref(),
            vulnerability: None,
        }
    }

    fn of_vulnerability(address: IpAddr, vulnerability: &'a Vulnerability) -> Self {
        Self {
            address,
            protocol: vulnerability.at.map(|(transport, _)| transport.as_str()),
            port: vulnerability.at.map(|(_, port)| port),
            state: None,
            error: None,
            service: None,
            product: None,
            version: None,
            vulnerability: Some(vulnerability),
        }
    }

    fn csv(&self) -> String {
        let text = |text: Option<&str>| csv_cell(text.unwrap_or_default());
        let vulnerability = self.vulnerability;
        [
            self.address.to_string(),
            text(self.protocol),
            self.port.map(|port| port.to_string()).unwrap_or_default(),
            text(self.state),
            text(self.error),
            text(self.service),
            text(self.product),
            text(self.version),
            text(vulnerability.map(|vulnerability| vulnerability.id.as_str())),
            text(vulnerability.map(|vulnerability| vulnerability.severity.as_str())),
            text(vulnerability.map(|vulnerability| vulnerability.title.as_str())),
        ]
        .join(",")
    }

    fn cells(&self) -> Vec<String> {
        let port = match (self.port, self.protocol) {
            (Some(port), Some(protocol)) => format!("{port}/{protocol}"),
            _ => String::new(),
        };
        let (state, what) = match self.vulnerability {
            Some(weak) => (weak.severity.as_str().to_owned(), format!("{}: {}", weak.id, weak.title)),
            None => {
                let words = [self.service, self.product, self.version];
                let state = self.state.or(self.error).unwrap_or_default();
                (state.to_owned(), words.into_iter().flatten().collect::<Vec<_>>().join(" "))
            }
        };
        vec![self.address.to_string(), port, state, what]
    }
}

/// Prints what was seen, and to people beside it what was not looked at.
fn print(followed: &Followed, format: OutputFormat, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&["ADDRESS", "PORT", "STATE", "WHAT"]).keeping(&["ADDRESS", "PORT", "STATE"]);
    if format == OutputFormat::Csv {
        writeln!(out, "{CSV_HEAD}")?;
    }
    let mut out = out;
    for host in &followed.seen.hosts {
        let ports = host.ports.iter().map(|found| Line::of_port(host.address, found));
        let weak = host.vulnerabilities.iter().map(|weak| Line::of_vulnerability(host.address, weak));
        for line in ports.chain(weak) {
            match format {
                OutputFormat::Json => json_line(&mut out, &line)?,
                OutputFormat::Csv => writeln!(out, "{}", line.csv())?,
                OutputFormat::Table if line.state == Some(ProbeState::Closed.as_str()) => {}
                OutputFormat::Table => table.row(line.cells()),
            }
        }
    }
    if format == OutputFormat::Table {
        if !table.is_empty() {
            writeln!(out, "{table}")?;
        }
        let open = followed.seen.hosts.iter().flat_map(|host| &host.ports);
        let open = open.filter(|found| found.state == ProbeState::Open).count();
        writeln!(out, "{open} open, by {}", plain(&followed.seen.scanner))?;
    }
    out.flush()?;
    remarks(followed).iter().for_each(note);
    Ok(())
}

/// What was not looked at, or not as it should.
fn remarks(followed: &Followed) -> Vec<String> {
    let mut remarks: Vec<String> = Vec::new();
    remarks.extend(followed.partial.iter().map(|why| format!("there is a part of the result only: {why}")));
    remarks
        .extend(followed.left_out.iter().map(|left| format!("{}: not scanned: {}", left.address, left.why)));
    for host in &followed.seen.hosts {
        let address = host.address;
        match &host.coverage {
            Coverage::Whole => {}
            Coverage::Partial(why) => remarks.push(format!("{address}: scanned in part: {why}")),
            Coverage::NotScanned(why) => remarks.push(format!("{address}: not scanned: {why}")),
        }
        if host.answers_everywhere {
            remarks.push(everywhere_remark(address));
        }
    }
    remarks.iter().map(|remark| plain(remark)).collect()
}
