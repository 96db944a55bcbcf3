//! `osel exposure diff`: what opened and closed between two moments.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::{BufWriter, StdoutLock, Write};
use std::process::ExitCode;

use clap::Args;
use osel_core::engine::EngineOptions;
use osel_core::engine::record::{ActorDocument, RowDocument};
use osel_core::ids::Id;
use osel_core::model::{Row, sort_by_row, sort_rows};
use serde::Serialize;

use super::print::{CSV_HEAD, MEASURED_ROWS, csv, csv_cell, ports, source};
use super::who::{Cause, Records};
use super::{READING, of_project, source_filter};
use crate::cli::StoreArg;
use crate::cli::open::{as_usage, moment};
use crate::cli::output::{Failure, OutputFormat, Stdout, Table, json_line, note, stdout, working};
use crate::runtime::past::{Asked, Change, Excerpt, Sight, Timeline};

/// Lists what opened and closed between two moments, each row with the record that did it and who was behind it.
///
/// A row that closed and opened again in between is no difference; --all lists every change, in the order in which they happened.
/// With --from-source a row also opens when the group that is its source gains an address from there, and closes when it loses the last.
/// With -o json each line is {"change","row","seq","time","event_type","kind","actor","summary","missing"}.
#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The earlier moment: a record's number, or a time (RFC 3339).
    #[arg(long, value_name = "SEQ|TIME")]
    from: String,
    /// The later moment; without it, or with `now`: now.
    #[arg(long, value_name = "SEQ|TIME")]
    to: Option<String>,
    /// Only rows of ports of this project.
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// Only rows whose source may contain an address of a prefix, or a public one.
    #[arg(long, value_name = "CIDR|internet")]
    from_source: Option<String>,
    /// Also what opened and closed, or closed and opened, in between.
    #[arg(long)]
    all: bool,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: OutputFormat,
}

/// A row that opened or closed.
struct Difference {
    is_opened: bool,
    row: Row,
    seq: u64,
}

pub(super) fn run(args: &DiffArgs, outer: &StoreArg) -> anyhow::Result<ExitCode> {
    let project = args.project.as_deref().map(Id::new);
    let filter = args.from_source.as_deref().map(|text| source_filter("--from-source", text)).transpose()?;
    let reader = &mut *args.store.or(outer).reader()?;
    let from = moment(reader, "--from", Some(&args.from))?;
    let to = moment(reader, "--to", args.to.as_deref().filter(|to| *to != "now"))?;
    if from > to {
        let text = format!("--from {}: record {from} is after record {to}, to which --to leads", args.from);
        return Err(Failure::Usage(text).into());
    }
    let options = EngineOptions::default();
    let asked = project.clone().map_or(Asked::ChangedAfter(from), Asked::Project);
    let bar = working(READING);
    let excerpt = Excerpt::load(reader, (from, to), &asked, filter.is_some(), &options);
    let excerpt = as_usage(excerpt.map_err(Into::into), "--from", Some(&args.from))?;
    let changes = Changes { timeline: excerpt.at(from, &options), sight: filter.map(Sight::new), project };
    let mut printer = Printer::new(args.output, Records::new(reader))?;
    if args.all {
        bar.finish_and_clear();
        every_change(changes, &mut printer)?;
    } else {
        let differences = net_changes(changes, ROWS_MAX)?;
        bar.finish_and_clear();
        printer.print(&differences)?;
    }
    printer.finish(&of_project(args.project.as_deref()))?;
    Ok(ExitCode::SUCCESS)
}

/// How many rows may differ between two moments: they have to be put in order, and take half a gigabyte then.
const ROWS_MAX: usize = 1_000_000;

/// Changes of those rows that are looked at.
struct Changes {
    timeline: Timeline,
    sight: Option<Sight>,
    project: Option<Id>,
}

impl Iterator for Changes {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        let mut change = match &mut self.sight {
            Some(sight) => sight.next_change(&mut self.timeline),
            None => self.timeline.next_change(),
        }?;
        let is_of_project = |row: &Row| self.project.is_none() || row.project_id == self.project;
        change.opened.retain(is_of_project);
        change.closed.retain(is_of_project);
        Some(change)
    }
}

/// Prints every change, in order.
fn every_change(changes: Changes, printer: &mut Printer<'_>) -> anyhow::Result<()> {
    for Change { seq, opened, closed } in changes {
        for (is_opened, mut rows) in [(false, closed), (true, opened)] {
            sort_rows(&mut rows);
            let changes: Vec<_> = rows.into_iter().map(|row| Difference { is_opened, row, seq }).collect();
            printer.print(&changes)?;
        }
    }
    Ok(())
}

/// What is otherwise in the end than in the beginning, in the order of rows, with the last record that changed it.
fn net_changes(changes: impl Iterator<Item = Change>, rows_max: usize) -> Result<Vec<Difference>, Failure> {
    let mut rows: BTreeMap<Known, (bool, u64)> = BTreeMap::new();
    for Change { seq, opened, closed } in changes {
        for (is_opened, changed) in [(false, closed), (true, opened)] {
            for row in changed.into_iter().map(Known) {
                // What is changed once more is as it was in the beginning.
                if rows.remove(&row).is_none() {
                    rows.insert(row, (is_opened, seq));
                }
            }
        }
        if rows.len() > rows_max {
            let advice =
                "give --project or moments that are closer, or --all, which lists changes as they came";
            return Err(Failure::Usage(format!("more than {rows_max} rows differ: {advice}")));
        }
    }
    let all = rows.into_iter().map(|(Known(row), (is_opened, seq))| Difference { is_opened, row, seq });
    let mut all: Vec<Difference> = all.collect();
    sort_by_row(&mut all, |one| &one.row);
    Ok(all)
}

/// A row by all of its keys.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Known(pub(super) Row);

impl PartialOrd for Known {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Known {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp_exposure(&other.0).then_with(|| self.0.region.cmp(&other.0.region))
    }
}

#[derive(Serialize)]
struct Line<'a> {
    change: &'static str,
    row: RowDocument,
    seq: u64,
    time: Option<String>,
    event_type: Option<&'a str>,
    kind: Option<&'static str>,
    actor: Option<ActorDocument<'a>>,
    summary: Option<String>,
    missing: Option<Vec<&'static str>>,
}

/// Prints differences, and looks up the records behind them.
struct Printer<'a> {
    out: BufWriter<Stdout<StdoutLock<'static>>>,
    format: OutputFormat,
    table: Table,
    records: Records<'a>,
    any: bool,
}

impl<'a> Printer<'a> {
    fn new(format: OutputFormat, records: Records<'a>) -> anyhow::Result<Self> {
        let mut out = stdout();
        if format == OutputFormat::Csv {
            writeln!(out, "change,seq,time,event_type,kind,user_id,user_name,summary,{CSV_HEAD}")?;
        }
        let table = Table::new(&["CHANGE", "ADDRESS", "PROTOCOL", "PORTS", "FROM", "TIME", "RECORD", "BY"])
            .keeping(&["CHANGE", "PROTOCOL", "PORTS", "TIME", "RECORD"])
            .folding("TIME");
        Ok(Self { out, format, table, records, any: false })
    }

    fn print(&mut self, differences: &[Difference]) -> anyhow::Result<()> {
        self.any |= !differences.is_empty();
        for Difference { is_opened, row, seq } in differences {
            let cause = self.records.cause(*seq)?;
            let change = if *is_opened { "opened" } else { "closed" };
            let document = RowDocument::from(row);
            match self.format {
                OutputFormat::Table => self.table.row(cells(change, *seq, &document, cause.as_ref())),
                OutputFormat::Csv => {
                    writeln!(self.out, "{}", csv_line(change, *seq, document, cause.as_ref()))?;
                }
                OutputFormat::Json => json_line(&mut self.out, &Line::new(change, *seq, document, cause))?,
            }
            if self.table.len() >= MEASURED_ROWS {
                self.table.write_rows(&mut self.out)?;
            }
        }
        Ok(())
    }

    fn finish(mut self, whose: &str) -> anyhow::Result<()> {
        match self.format {
            OutputFormat::Table if !self.any => note(format_args!("nothing{whose} opened or closed")),
            OutputFormat::Table => self.table.write_rows(&mut self.out)?,
            _ => {}
        }
        Ok(self.out.flush()?)
    }
}

fn cells(change: &str, seq: u64, row: &RowDocument, cause: Option<&Cause<'_>>) -> Vec<String> {
    vec![
        change.to_owned(),
        row.address.clone(),
        row.protocol.clone(),
        ports(row),
        source(&row.source),
        cause.map(Cause::when).unwrap_or_default(),
        seq.to_string(),
        cause.map(Cause::who).unwrap_or_default(),
    ]
}

fn csv_line(change: &str, seq: u64, row: RowDocument, cause: Option<&Cause<'_>>) -> String {
    let text = |pick: fn(&Cause<'_>) -> Option<String>| csv_cell(&cause.and_then(pick).unwrap_or_default());
    let time = text(|cause| Some(cause.time.to_string()));
    let event_type = text(|cause| cause.event_type.map(str::to_owned));
    let kind = text(|cause| Some(cause.kind.to_owned()));
    let summary = text(|cause| Some(cause.summary.clone()));
    let user = text(|cause| cause.actor.user_id.map(ToString::to_string));
    let name = text(|cause| cause.actor.user_name.map(str::to_owned));
    format!("{change},{seq},{time},{event_type},{kind},{user},{name},{summary},{}", csv(row))
}

impl<'a> Line<'a> {
    fn new(change: &'static str, seq: u64, row: RowDocument, cause: Option<Cause<'a>>) -> Self {
        let Some(Cause { time, kind, event_type, actor, summary, missing, .. }) = cause else {
            return Line {
                change,
                row,
                seq,
                time: None,
                event_type: None,
                kind: None,
                actor: None,
                summary: None,
                missing: None,
            };
        };
        let (time, kind, actor, summary) = (Some(time.to_string()), Some(kind), Some(actor), Some(summary));
        Line { change, row, seq, time, event_type, kind, actor, summary, missing: Some(missing) }
    }
}

#[cfg(test)]
mod tests {
    use ipnet::IpNet;
    use osel_core::model::{Permission, Via};

    use super::*;

    fn change(seq: u64, closed: &[u8], opened: &[u8]) -> Change {
        let row = |number: &u8| Row {
            address: IpNet::from(std::net::IpAddr::from([10, 0, 0, *number])),
            via: Via::Fixed,
            fixed_ip: None,
            port_id: Id::new("p"),
            device_id: None,
            device_owner: None,
            project_id: None,
            network_id: None,
            region: None,
            permission: Permission::everything(false),
            security_group_id: None,
            rule_id: None,
        };
        let [opened, closed] = [opened, closed].map(|rows| rows.iter().map(row).collect());
        Change { seq, opened, closed }
    }

    /// What went and came again takes no place, and is no difference.
    #[test]
    fn only_so_many_rows_may_differ() {
        let changes = || [change(1, &[], &[1, 2]), change(2, &[1, 2], &[]), change(3, &[], &[3, 1])];
        let found = net_changes(changes().into_iter(), 2).expect("two differ");
        let found: Vec<_> =
            found.iter().map(|one| (one.is_opened, one.row.address_text(), one.seq)).collect();
        assert_eq!(found, [(true, "10.0.0.1".to_owned(), 3), (true, "10.0.0.3".to_owned(), 3)]);
        let refused = net_changes(changes().into_iter(), 1).err().map(|failure| failure.to_string());
        assert!(refused.is_some_and(|text| text.contains("--all") && text.contains("--project")));
    }
}
