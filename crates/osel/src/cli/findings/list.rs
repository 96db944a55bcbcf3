//! `osel findings list`: those that are open, or others.

use std::io::Write;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use osel_core::finding::{Finding, FindingKind, FindingState};
use osel_core::scan::Severity;
use osel_core::time::Timestamp;

use super::group::lines;
use super::sarif::sarif;
use super::{document, read};
use crate::cli::StoreArg;
use crate::cli::exposure::csv_cell;
use crate::cli::open::{now, reader_at};
use crate::cli::order::tell_read;
use crate::cli::output::{Table, answered, cut, json_line, note, stdout};
use crate::cli::span::age;
use crate::store::Reader;

/// The states, as they are given and shown.
const STATES: [FindingState; 3] = [FindingState::Open, FindingState::Confirmed, FindingState::Resolved];
/// The columns of comma-separated values. New ones come at the end.
const CSV_HEAD: &str = "id,state,kind,severity,region,address,protocol,port,project_id,network_id,title,vulnerability,cves,cvss,\
                        evidence,scanner,opened_at,seen_at,resolved_at,resolved_by,reopened,acknowledged_by,acknowledged_reason,\
                        acknowledged_until,expected,program";

/// How much of a project's id the table shows: enough to find it among a cloud's. Its name is part of the state, and folding a whole
/// journal is too much to pay for a column.
const ID_CHARS: usize = 12;
/// And how much at least, where rows have room for all else: still enough, and better than two lines for each.
const ID_CHARS_MIN: usize = 8;

/// Lists findings: those of severity low or more that are open, and that nobody has acknowledged or expects.
///
/// Each exposed port that nothing answers at is a finding of severity info; the table has those of one address in one line.
/// Exit code 1 with --exit-code when any is listed.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    store: StoreArg,
    /// Only those in this state; may be given several times.
    #[arg(long, value_name = "STATE", value_parser = PossibleValuesParser::new(STATES.map(FindingState::as_str)))]
    state: Vec<String>,
    /// Only those of this kind; may be given several times.
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(FindingKind::ALL.map(FindingKind::as_str)))]
    kind: Vec<String>,
    /// Only those that are at least so serious [default: low, and info with --kind, --address or --all]
    #[arg(long, value_name = "SEVERITY", value_parser = PossibleValuesParser::new(Severity::ALL.map(Severity::as_str)))]
    severity: Option<String>,
    /// Only those of this project, by its id.
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// Only those of this address.
    #[arg(long, value_name = "IP")]
    address: Option<IpAddr>,
    /// Also those that are resolved, acknowledged or expected.
    #[arg(long)]
    all: bool,
    /// A line of the table for each port, also of those that nothing answers at.
    #[arg(long)]
    all_ports: bool,
    /// Exit with 1 when any is listed.
    #[arg(long)]
    exit_code: bool,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: FindingsFormat,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum FindingsFormat {
    /// For people, the most serious first.
    #[default]
    Table,
    /// JSON Lines: one object per finding.
    Json,
    /// Comma-separated values with a head line.
    Csv,
    /// One log of SARIF 2.1.0, for code scanning and dashboards.
    Sarif,
}

impl ListArgs {
    /// Whether other findings may be open than what is listed, or all are asked for.
    fn is_narrowed(&self) -> bool {
        let has_words = !self.state.is_empty() || !self.kind.is_empty();
        let has_place = self.project.is_some() || self.address.is_some();
        has_words || has_place || self.severity.is_some() || self.all
    }

    /// How serious findings are at least when nobody says.
    fn least(&self) -> Severity {
        match self.all || !self.kind.is_empty() || self.address.is_some() {
            true => Severity::Info,
            false => Severity::Low,
        }
    }

    fn wants(&self, finding: &Finding, now: Timestamp) -> bool {
        let is =
            |wanted: &[String], word: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == word);
        let is_settled = finding.acknowledged(now).is_some() || finding.expected.is_some();
        let is_hidden = !self.all && (is_settled || (self.state.is_empty() && finding.is_resolved()));
        let severity = |word: &str| Severity::ALL.into_iter().find(|severity| severity.as_str() == word);
        !is_hidden
            && is(&self.state, finding.state.as_str())
            && is(&self.kind, finding.kind.as_str())
            && finding.severity >= self.severity.as_deref().and_then(severity).unwrap_or(self.least())
            && self.address.is_none_or(|address| finding.address == address)
            && self
                .project
                .as_deref()
                .is_none_or(|wanted| finding.project_id.as_ref().is_some_and(|id| id.to_string() == wanted))
    }
}

pub(super) fn run(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let config = args.store.config()?;
    let mut reader = reader_at(&config)?;
    let now = now();
    // What comes meanwhile is not known to have been read.
    let seq = reader.head()?.seq;
    let store_id = reader.info()?.id;
    let mut out = stdout();
    let mut count = 0_u64;
    let mut kept = Vec::new();
    if args.output == FindingsFormat::Csv {
        writeln!(out, "{CSV_HEAD}")?;
    }
    each(&mut *reader, args, now, &mut |finding| {
        count += 1;
        match args.output {
            FindingsFormat::Json => json_line(&mut out, &document(&finding))?,
            FindingsFormat::Csv => writeln!(out, "{}", csv(&finding))?,
            // Both begin with what is known of all of them.
            FindingsFormat::Table | FindingsFormat::Sarif => kept.push(finding),
        }
        Ok(())
    })?;
    match args.output {
        FindingsFormat::Table if kept.is_empty() && args.is_narrowed() => note("no finding matches"),
        FindingsFormat::Table if kept.is_empty() => note("no finding of severity low or more is open"),
        FindingsFormat::Table => {
            kept.sort_by(|a, b| (b.severity, a.opened_seq, &a.id).cmp(&(a.severity, b.opened_seq, &b.id)));
            write!(out, "{}", table(&kept, args.all_ports, now))?;
        }
        FindingsFormat::Sarif => json_line(&mut out, &sarif(&kept, now, env!("CARGO_PKG_VERSION")))?,
        FindingsFormat::Json | FindingsFormat::Csv => {}
    }
    let written = out.flush();
    if written.is_ok() {
        tell_read(&args.store, &config, store_id, seq);
    }
    answered(written, ExitCode::from(u8::from(args.exit_code && count > 0)))
}

/// Calls `take` with each finding that is wanted, by record and id.
fn each(
    reader: &mut dyn Reader,
    args: &ListArgs,
    now: Timestamp,
    take: &mut dyn FnMut(Finding) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut failed = None;
    let state = match &args.state[..] {
        [only] => Some(only.as_str()),
        _ => None,
    };
    reader.findings(state, &mut |row| {
        let taken = read(&row).and_then(|finding| match args.wants(&finding, now) {
            true => take(finding),
            false => Ok(()),
        });
        match taken {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    failed.map_or(Ok(()), Err)
}

fn table(findings: &[Finding], has_all_ports: bool, now: Timestamp) -> Table {
    let mut table = Table::new(&["ID", "SEVERITY", "STATE", "AGE", "ADDRESS", "PORT", "PROJECT", "WHAT"])
        .keeping(&["ID", "ADDRESS"])
        .folding("PORT")
        .giving("PROJECT", ID_CHARS_MIN);
    let settled = |finding: &Finding| match (finding.acknowledged(now), &finding.expected) {
        (Some(ack), _) => format!(" (acknowledged by {}: {})", ack.by, ack.reason),
        (None, Some(reason)) => format!(" (expected: {reason})"),
        (None, None) => String::new(),
    };
    for line in lines(findings, has_all_ports, settled) {
        let finding = line.finding;
        let several = match line.count() {
            1 => String::new(),
            count => format!(", {count} ports (--all-ports)"),
        };
        let project = finding.project_id.as_ref().map(|id| cut(&id.to_string(), ID_CHARS));
        table.row(vec![
            finding.id.to_string(),
            finding.severity.as_str().to_owned(),
            finding.state.as_str().to_owned(),
            age(finding.age_seconds(now)),
            finding.address.to_string(),
            line.ports(),
            project.unwrap_or_default(),
            format!("{}{several}{}", finding.title_with_server(), line.settled),
        ]);
    }
    table
}

fn csv(finding: &Finding) -> String {
    let text = |text: &dyn ToString| text.to_string();
    let id = |id: &Option<osel_core::ids::Id>| id.as_ref().map(ToString::to_string).unwrap_or_default();
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
    let vulnerability = finding.vulnerability.as_ref();
    let ack = finding.ack.as_ref();
    let cells = [
        text(&finding.id),
        text(&finding.state.as_str()),
        text(&finding.kind.as_str()),
        text(&finding.severity.as_str()),
        finding.region.as_deref().unwrap_or_default().to_owned(),
        text(&finding.address),
        finding.port.map(|(transport, _)| transport.as_str().to_owned()).unwrap_or_default(),
        finding.port.map(|(_, port)| port.to_string()).unwrap_or_default(),
        id(&finding.project_id),
        id(&finding.network_id),
        finding.title.clone(),
        vulnerability.map(|vulnerability| vulnerability.id.clone()).unwrap_or_default(),
        vulnerability.map(|vulnerability| vulnerability.cves.join(" ")).unwrap_or_default(),
        vulnerability.and_then(|vulnerability| vulnerability.cvss_tenths).map(score).unwrap_or_default(),
        finding.evidence.clone(),
        finding.seen_by().to_owned(),
        text(&finding.opened_at),
        text(&finding.seen_at),
        time(finding.resolved_at),
        finding.resolved_by.map(|by| by.as_str().to_owned()).unwrap_or_default(),
        text(&finding.reopened),
        ack.map(|ack| ack.by.clone()).unwrap_or_default(),
        ack.map(|ack| ack.reason.clone()).unwrap_or_default(),
        time(ack.and_then(|ack| ack.until)),
        finding.expected.clone().unwrap_or_default(),
        finding.scanner.clone(),
    ];
    cells.map(|cell| csv_cell(&cell)).join(",")
}

/// A CVSS score: 98 tenths are `9.8`.
pub(super) fn score(tenths: u8) -> String {
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ADDRESS: &str = "2001:db8:1234:5678:9abc:def0:1234:5678";
    const PROJECT: &str = "4f1cd1e0a6b84d8e9d4b2b8f0c7a5e11";

    #[test]
    fn a_long_address_leaves_room_for_all_that_was_found() {
        let title = "a rule admits everybody to a port that is sensitive, and something answers there that names itself";
        let finding = |kind: &str, port: u16| -> Finding {
            serde_json::from_value(json!({
            "id": "0a1b2c3d4e5f6071", "kind": kind, "address": ADDRESS, "port": ["tcp", port],
            "severity": "critical", "state": "confirmed", "opened_at": 0, "opened_seq": 1, "seen_at": 0, "seen_seq": 1,
            "scanner": "s", "title": title, "evidence": "e", "project_id": PROJECT,
            "expected": "the shop's address, by an entry whose reason is long as well",
            }))
            .unwrap()
        };
        let mut findings: Vec<_> = (8400..=8450).map(|port| finding("exposed_not_answering", port)).collect();
        findings[43] = finding("exposed_answering", 65535);
        let text = table(&findings, false, Timestamp::EPOCH).to_string();
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        let words: Vec<&str> = text.split_whitespace().collect();
        let words = words.join(" ");
        for whole in [
            "0a1b2c3d4e5f6071 critical confirmed",
            ADDRESS,
            "65535/tcp",
            "8400-8442,8444-8450/tcp",
            "50 ports (--all-ports)",
            title,
            "(expected: the shop's",
            "as well)",
        ] {
            assert!(words.contains(whole), "{whole}\n{text}");
        }
        assert!(words.contains(&format!("{}…", &PROJECT[..ID_CHARS - 1])), "{text}");
    }

    #[test]
    fn the_project_gives_way_before_rows_go_on_below() {
        let finding = |address: &str, state: &str| -> Finding {
            serde_json::from_value(json!({
            "id": "0a1b2c3d4e5f6071", "kind": "exposed_answering", "address": address, "port": ["tcp", 8443],
            "severity": "high", "state": state, "opened_at": 0, "opened_seq": 1, "seen_at": 0, "seen_seq": 1,
            "scanner": "s", "title": "exposed and answering", "evidence": "e", "project_id": PROJECT,
            }))
            .unwrap()
        };
        let text = |findings: &[Finding]| table(findings, false, Timestamp::EPOCH).to_string();
        let short = text(&[finding("198.51.100.7", "open"), finding("198.51.100.9", "confirmed")]);
        assert_eq!(short.lines().count(), 3, "{short}");
        assert!(short.lines().all(|line| line.chars().count() <= 100), "{short}");
        assert!(
            short.contains(&PROJECT[..ID_CHARS_MIN - 1]) && short.contains("exposed and answering\n"),
            "{short}"
        );
        let long = text(&[finding(ADDRESS, "confirmed")]);
        assert!(long.lines().count() == 4 && long.contains(&PROJECT[..ID_CHARS - 1]), "{long}");
    }
}
