//! `osel scan`: one scan now, of what the command line says, with nothing recorded.
//!
//! Reads targets and ports, runs the built-in scanner or one of the configuration and prints what it found. Automatic scans do not come
//! this way: they follow from recorded commands and have limits that a person at a terminal does not need.

mod follow;
mod named;
mod report;
mod targets;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::Notify;

use self::report::{CSV_HEAD, Line, Rows, everywhere_remark};
use self::targets::{TargetError, addresses};
use super::at_least_one;
use super::config::ConfigArg;
use super::output::{Failure, OutputFormat, json_line, note, progress, stdout};
use crate::action::scan::everywhere::{self, Answered};
use crate::action::scan::{PortResult, PortSpec, PortState, ScanPlan, ScanSummary, scan};
use crate::config::{CONFIG_VARIABLE, DEFAULT_FILE};

/// Ports scanned unless told otherwise: what people leave open by mistake most, and OpenStack's own services.
const DEFAULT_PORTS: &str = "21-23,25,53,80,88,110-111,135,139,143,389,443,445,465,587,636,873,993,995,1433,\
    1521,2049,2375-2376,2379-2380,3000,3128,3260,3306,3389,4369,4444,5000,5044,5432,5601,5671-5672,5900-5901,\
    5984-5986,6080,6379,6443,6640-6641,7000,8000,8004,8080-8081,8086,8443,8500,8774-8776,8778,8888,9000,9042,\
    9090-9092,9100,9200,9292,9311,9418,9696,9876,10250,10257,10259,11211,11434,15672,25672,27017,35357,50070";
/// The only scanner that needs no configuration.
const BUILTIN: &str = "builtin";
/// Shorter timeouts are slips of the keyboard: nothing answers reliably in less.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(1);
/// How often lines wait at most before they are written out, where the output is read by a program.
const FLUSH_INTERVAL: Duration = Duration::from_millis(200);
/// How often the progress bar turns.
const TICK: Duration = Duration::from_millis(120);

/// Scans addresses now, and records nothing.
///
/// Sends TCP connects, and datagrams to ports written as U:53, to exactly the addresses and ports given. A host that has nearly all of them
/// open is asked at four more, which nobody listens on: if it answers there it is said that its open ports prove nothing.
/// Without limits it is as fast as this machine permits: give --rate for networks that are not your own.
#[derive(Clone, Debug, Args)]
pub struct ScanArgs {
    /// Addresses, prefixes of at most 4096 addresses, or host names.
    #[arg(required = true, value_name = "TARGET")]
    targets: Vec<String>,

    /// Ports as in nmap: 22,80,8000-8100,U:53 or - for all; without it the usual ones.
    #[arg(short, long, value_name = "SPEC", default_value = DEFAULT_PORTS, hide_default_value = true)]
    ports: PortSpec,

    /// The scanner that does it: `builtin`, or the name of one in the configuration.
    #[arg(long, value_name = "NAME", default_value = BUILTIN)]
    scanner: String,

    #[command(flatten)]
    config: ConfigArg,

    /// How to print; a table leaves out closed ports, json is one object per port and line.
    #[arg(short, long, value_enum, default_value_t)]
    output: OutputFormat,

    /// Connections per second over all addresses [default: no limit]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    rate: Option<NonZeroU32>,

    /// Connections per second to one address [default: no limit]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    rate_per_host: Option<NonZeroU32>,

    /// Ports waited for at the same time [default: what the limit on open files permits]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    concurrency: Option<NonZeroU32>,

    /// How often a silent port is asked again.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(..=10))]
    retries: u8,

    /// The longest wait for one answer, as in 500ms or 2s; shorter ones follow from measured round trips.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = timeout)]
    timeout: Duration,

    /// The wait for an answer of an address that has not answered anything yet.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = timeout)]
    initial_timeout: Duration,
}

pub(super) fn run(args: &ScanArgs) -> anyhow::Result<ExitCode> {
    if args.scanner != BUILTIN {
        if args.config.file_to_load().is_none() && !has_scanner(env::vars_os().map(|(name, _)| name)) {
            return Err(Failure::Usage(format!(
                "--scanner {}: it takes the name of a [[scanner]] of a configuration, and there is none: give its file by -c FILE or by \
                 {CONFIG_VARIABLE}; without either {DEFAULT_FILE} was looked for, which is not there",
                args.scanner
            ))
            .into());
        }
        let config = match args.config.load() {
            Ok(config) => config,
            Err(code) => return Ok(code),
        };
        named::run(args, &config, &args.config, &targets(args)?, &mut stdout())?;
        return Ok(ExitCode::SUCCESS);
    }
    execute(args, &mut stdout(), io::stdout().is_terminal())?;
    Ok(ExitCode::SUCCESS)
}

/// Whether one of these variables is about a scanner: a configuration may have no file.
fn has_scanner(mut variables: impl Iterator<Item = OsString>) -> bool {
    variables.any(|name| name.as_encoded_bytes().starts_with(b"OSEL_SCANNER__"))
}

fn targets(args: &ScanArgs) -> anyhow::Result<Vec<IpAddr>> {
    addresses(&args.targets).map_err(|error| match error {
        TargetError::Unknown { .. } => anyhow::Error::new(error),
        _ => Failure::Usage(error.to_string()).into(),
    })
}

/// All of the built-in scanner's `osel scan` but the process around it. `on_terminal` tells that a person watches the output itself.
fn execute(args: &ScanArgs, out: &mut dyn Write, on_terminal: bool) -> anyhow::Result<()> {
    let addresses = targets(args)?;
    let hosts = addresses.len();
    let plan = ScanPlan {
        rate: args.rate,
        rate_per_host: args.rate_per_host,
        concurrency: args.concurrency,
        retries: args.retries,
        max_timeout: args.timeout,
        initial_timeout: args.initial_timeout,
        ..ScanPlan::new(addresses.into_iter().map(|address| (address, args.ports.clone())).collect())
    };
    let started = Instant::now();
    let mut sink = Sink::new(args.output, out, on_terminal, args.ports.count() * hosts as u64)?;
    let filled = sink.fill(&plan);
    let (rows, out) = sink.finish()?;
    let (summary, everywhere) = filled?;
    if let Some(rows) = rows {
        rows.print(out, &summary, hosts, started.elapsed())?;
    }
    out.flush()?;
    everywhere.into_iter().map(everywhere_remark).for_each(note);
    anyhow::ensure!(summary.probed() > 0, "nothing could be probed");
    Ok(())
}

/// Takes results as they come: lines go out, rows of a table are kept.
struct Sink<'out> {
    format: OutputFormat,
    rows: Rows,
    out: &'out mut dyn Write,
    on_terminal: bool,
    flushed: Instant,
    bar: ProgressBar,
    open: u64,
    /// Of each host, whether it answers at all that it was asked.
    answered: BTreeMap<IpAddr, Answered>,
    written: io::Result<()>,
}

impl<'out> Sink<'out> {
    fn new(
        format: OutputFormat,
        out: &'out mut dyn Write,
        on_terminal: bool,
        ports: u64,
    ) -> io::Result<Self> {
        if format == OutputFormat::Csv {
            writeln!(out, "{CSV_HEAD}")?;
        }
        // Lines that run over the terminal show progress enough.
        let bar = match format {
            OutputFormat::Json | OutputFormat::Csv if on_terminal => ProgressBar::hidden(),
            _ => progress_bar(ports),
        };
        Ok(Self {
            format,
            rows: Rows::default(),
            out,
            on_terminal,
            flushed: Instant::now(),
            bar,
            open: 0,
            answered: BTreeMap::new(),
            written: Ok(()),
        })
    }

    /// Runs the scan to its end, or until nothing more can be written; also which hosts answer everywhere.
    fn fill(&mut self, plan: &ScanPlan) -> anyhow::Result<(ScanSummary, BTreeSet<IpAddr>)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("cannot start the scanner")?;
        let cannot_write = Notify::new();
        let sink = RefCell::new(self);
        let on_result = |result: PortResult| {
            let mut sink = sink.borrow_mut();
            sink.take(&result);
            if sink.written.is_err() {
                cannot_write.notify_one();
            }
        };
        runtime.block_on(async {
            tokio::select! {
                ended = async {
                    let summary = scan(plan, on_result).await?;
                    let suspects = sink.borrow().suspects();
                    Ok((summary, everywhere::among(suspects, plan).await?))
                } => ended,
                () = cannot_write.notified() => Ok(Default::default()),
            }
        })
    }

    /// The hosts with nearly all ports open.
    fn suspects(&self) -> Vec<IpAddr> {
        let suspicious = self.answered.iter().filter(|(_, answered)| answered.is_suspicious());
        suspicious.map(|(address, _)| *address).collect()
    }

    fn take(&mut self, result: &PortResult) {
        self.bar.inc(1);
        let answered = self.answered.entry(result.address).or_default();
        answered.add(result.protocol, result.state == Ok(PortState::Open));
        if result.state == Ok(PortState::Open) {
            self.open += 1;
            self.bar.set_message(format!("{} open", self.open));
        }
        if self.format == OutputFormat::Table {
            self.rows.add(*result);
        } else if self.written.is_ok() {
            self.written = self.write(result);
        }
    }

    fn write(&mut self, result: &PortResult) -> io::Result<()> {
        let line = Line::from(result);
        match self.format {
            OutputFormat::Csv => writeln!(self.out, "{line}")?,
            OutputFormat::Json | OutputFormat::Table => json_line(&mut self.out, &line)?,
        }
        if self.on_terminal || self.flushed.elapsed() >= FLUSH_INTERVAL {
            self.out.flush()?;
            self.flushed = Instant::now();
        }
        Ok(())
    }

    /// Ends the progress bar and the lines; hands over the rows if it is a table that is wanted, and the
    /// output.
    fn finish(self) -> io::Result<(Option<Rows>, &'out mut dyn Write)> {
        self.bar.finish_and_clear();
        self.written?;
        Ok(((self.format == OutputFormat::Table).then_some(self.rows), self.out))
    }
}

/// A bar on the terminal's standard error that knows where it ends; hidden elsewhere.
fn progress_bar(ports: u64) -> ProgressBar {
    let bar = progress("0 open");
    bar.set_length(ports);
    if let Ok(style) =
        ProgressStyle::with_template("{spinner} {pos}/{len} ports [{bar:30}] {msg} ({elapsed})")
    {
        bar.set_style(style.progress_chars("=> "));
    }
    if !bar.is_hidden() {
        bar.enable_steady_tick(TICK);
    }
    bar
}

/// Reads `500ms`, `2s` or `1.5` (seconds).
fn timeout(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let (shortest, longest) = (SHORTEST_TIMEOUT, ScanPlan::LONGEST_TIMEOUT);
    let seconds: f64 = number.trim().parse().map_err(|_| "write a time as in `500ms` or `2s`".to_owned())?;
    Duration::try_from_secs_f64(seconds * unit)
        .ok()
        .filter(|time| (shortest..=longest).contains(time))
        .ok_or_else(|| format!("a time between {shortest:?} and {longest:?} is needed"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use clap::Parser;

    use super::*;
    use crate::action::scan::Protocol;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        scan: ScanArgs,
    }

    fn parse(arguments: &[&str]) -> Result<ScanArgs, clap::Error> {
        Ok(Command::try_parse_from([&["scan"], arguments].concat())?.scan)
    }

    /// What it prints, and how it ends.
    fn executed(arguments: &[&str]) -> (String, anyhow::Result<()>) {
        let mut out = Vec::new();
        let end = execute(&parse(arguments).unwrap(), &mut out, false);
        (String::from_utf8(out).unwrap(), end)
    }

    /// A listener on loopback, and a port beside it that nobody listens on, as each test has its own address.
    fn listening_and_closed(address: &str) -> (TcpListener, u16, u16) {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let open = listener.local_addr().unwrap().port();
        let closed = TcpListener::bind((address, 0)).unwrap().local_addr().unwrap().port();
        (listener, open, closed)
    }

    #[test]
    fn json_is_one_object_per_port() {
        let (_listener, open, closed) = listening_and_closed("127.0.0.3");
        let (out, end) = executed(&["127.0.0.3", "-p", &format!("{open},{closed}"), "-o", "json"]);
        let mut lines: Vec<serde_json::Value> =
            out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines.sort_by_key(|line| line["state"].as_str().unwrap().to_owned());
        let line = |port: u16, state: &str| serde_json::json!({"address": "127.0.0.3", "protocol": "tcp", "port": port, "state": state});
        assert_eq!(lines, [line(closed, "closed"), line(open, "open")]);
        end.unwrap();
    }

    #[test]
    fn a_table_shows_what_is_not_closed_and_the_sums() {
        let (_listener, open, closed) = listening_and_closed("127.0.0.4");
        let (out, end) = executed(&["127.0.0.4", "-p", &format!("{open},{closed}")]);
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["ADDRESS", "PORT", "STATE"]);
        let row = format!("{open}/tcp");
        assert_eq!(lines[1].split_whitespace().collect::<Vec<_>>(), ["127.0.0.4", &row, "open"]);
        assert!(out.contains("2 ports of 1 address: 1 open, 1 closed"), "{out}");
        end.unwrap();
    }

    #[test]
    fn csv_has_a_head_and_the_same_columns() {
        let (_listener, open, _) = listening_and_closed("127.0.0.5");
        let (out, end) = executed(&["127.0.0.5", "-p", &open.to_string(), "-o", "csv"]);
        assert_eq!(out, format!("address,protocol,port,state,error\n127.0.0.5,tcp,{open},open,\n"));
        end.unwrap();
    }

    #[test]
    fn what_cannot_be_probed_is_an_error_in_the_line_and_of_the_command() {
        let (out, end) = executed(&["255.255.255.255", "-p", "U:9", "-o", "json"]);
        assert_eq!(
            out,
            "{\"address\":\"255.255.255.255\",\"protocol\":\"udp\",\"port\":9,\"state\":null,\
             \"error\":\"not permitted on this system\"}\n"
        );
        let error = end.unwrap_err();
        assert!(!error.is::<Failure>() && error.to_string() == "nothing could be probed", "{error}");
    }

    #[test]
    fn wrong_usage_scans_nothing() {
        let (out, end) = executed(&["10.0.0.0/8"]);
        let error = end.unwrap_err();
        assert!(out.is_empty() && error.is::<Failure>() && error.to_string().contains("4096"), "{error}");
        let wrong = [
            &["127.0.0.1", "-p", "http"][..],
            &[],
            &["127.0.0.1", "--rate", "0"],
            &["::1", "--timeout", "1h"],
        ];
        for arguments in wrong {
            assert_eq!(parse(arguments).unwrap_err().exit_code(), 2, "{arguments:?}");
        }
        for option in ["--rate", "--rate-per-host", "--concurrency"] {
            let said = parse(&["127.0.0.1", option, "0"]).unwrap_err().to_string();
            assert!(said.contains("at least 1 is needed"), "{said}");
        }
        assert_eq!(parse(&["127.0.0.1", "--rate", "1"]).unwrap().rate, Some(NonZeroU32::MIN));
    }

    #[test]
    fn a_reader_that_went_away_ends_the_scan() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let args = parse(&["127.0.0.3", "-p", "1-2000", "-o", "json"]).unwrap();
        let error = execute(&args, &mut Gone, false).unwrap_err();
        assert_eq!(error.downcast_ref::<io::Error>().map(io::Error::kind), Some(io::ErrorKind::BrokenPipe));
    }

    #[test]
    fn the_default_ports_are_a_spec_and_times_have_units() {
        let ports = parse(&["::1"]).unwrap().ports;
        assert!([22, 443, 3306, 9696].iter().all(|&port| ports.contains(Protocol::Tcp, port)), "{ports}");
        assert_eq!(timeout("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(timeout("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(timeout("2s"), Ok(Duration::from_secs(2)));
        for wrong in ["", "s", "-1s", "0", "nan", "inf", "1e300s", "121s"] {
            assert!(timeout(wrong).is_err(), "{wrong}");
        }
    }
}
