//! `osel exposure diff`: what opened and closed between two moments.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::{BufWriter, StdoutLock, Write};
use std::process::ExitCode;

use clap::Args;
use osel_core::engine::EngineOptions;
use osel_core::engine::record::{ActorDocument, RowDocument};
use osel_core::exposure::SourceFilter;
use osel_core::ids::Id;
use osel_core::model::{Row, sort_by_row, sort_rows};
use serde::Serialize;

use super::print::{CSV_HEAD, MEASURED_ROWS, csv, csv_cell, ports, source};
use super::source_filter;
use super::who::{Cause, Records};
use crate::cli::StoreArg;
use crate::cli::open::{as_usage, moment};
use crate::cli::output::{Failure, OutputFormat, Stdout, Table, json_line, note, stdout};
use crate::runtime::past::{Asked, Change, Excerpt, Timeline};

/// Lists what opened and closed between two moments, each row with the record that did it and who was behind it.
///
/// A row that closed and opened again in between is no difference; --all lists every change, in the order in which they happened.
/// With -o json each line is {"change","row","seq","time","event_type","kind","actor","summary"}.
#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The earlier moment: a record's number, or a time (RFC 3339).
    #[arg(long, value_name = "SEQ|TIME")]
    from: String,
    /// The later moment; without it: now.
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

pub(super) fn run(args: &DiffArgs) -> anyhow::Result<ExitCode> {
    let project = args.project.as_deref().map(Id::new);
    let filter = args.from_source.as_deref().map(|text| source_filter("--from-source", text)).transpose()?;
    let reader = &mut *args.store.reader()?;
    let from = moment(reader, "--from", Some(&args.from))?;
    let to = moment(reader, "--to", args.to.as_deref())?;
    if from > to {
        let text = format!("--from {}: record {from} is after record {to}, to which --to leads", args.from);
        return Err(Failure::Usage(text).into());
    }
    let options = EngineOptions::default();
    let asked = project.clone().map_or(Asked::ChangedAfter(from), Asked::Project);
    let excerpt = Excerpt::load(reader, (from, to), &asked, filter.is_some(), &options);
    let excerpt = as_usage(excerpt.map_err(Into::into), "--from", Some(&args.from))?;
    // From where a row that closed could be used is a matter of the moment before.
    let before = filter.is_some().then(|| excerpt.clone().at(from, &options));
    let sight = Sight { filter, before, project };
    let timeline = excerpt.at(from, &options);
    let mut printer = Printer::new(args.output, Records::new(reader))?;
    if args.all {
        every_change(timeline, sight, &mut printer)?;
    } else {
        printer.print(&net_changes(timeline, &sight))?;
    }
    printer.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// Which rows are looked at.
struct Sight {
    filter: Option<SourceFilter>,
    /// The clouds before what is looked at happened, where their groups decide.
    before: Option<Timeline>,
    project: Option<Id>,
}

impl Sight {
    fn is_of_project(&self, row: &Row) -> bool {
        self.project.is_none() || row.project_id == self.project
    }

    /// Those that the filter keeps: of rows that closed by what groups were before.
    fn keep(&self, now: &Timeline, differences: &mut Vec<Difference>) {
        let Some(filter) = &self.filter else { return };
        // Each remembers what it found of groups.
        let (mut then_filter, mut now_filter) = (filter.clone(), filter.clone());
        differences.retain(|Difference { is_opened, row, .. }| {
            let (filter, timeline) = match &self.before {
                Some(before) if !is_opened => (&mut then_filter, before),
                _ => (&mut now_filter, now),
            };
            let cloud = timeline.engine().cloud(row.region.as_ref());
            cloud.is_none_or(|cloud| filter.keeps(cloud, row))
        });
    }
}

/// Prints every change, in order.
fn every_change(mut timeline: Timeline, mut sight: Sight, printer: &mut Printer<'_>) -> anyhow::Result<()> {
    while let Some(Change { seq, opened, closed }) = timeline.next_change() {
        if let Some(before) = &mut sight.before {
            before.go_to(seq - 1);
        }
        for (is_opened, mut rows) in [(false, closed), (true, opened)] {
            rows.retain(|row| sight.is_of_project(row));
            sort_rows(&mut rows);
            let mut changes = rows.into_iter().map(|row| Difference { is_opened, row, seq }).collect();
            sight.keep(&timeline, &mut changes);
            printer.print(&changes)?;
        }
    }
    Ok(())
}

/// What is otherwise in the end than in the beginning, in the order of rows, with the last record that changed it.
fn net_changes(mut timeline: Timeline, sight: &Sight) -> Vec<Difference> {
    // Whether it was there in the beginning, is there now, and which record did that.
    let mut rows: BTreeMap<Known, (bool, bool, u64)> = BTreeMap::new();
    while let Some(change) = timeline.next_change() {
        for (is_opened, changed) in [(false, change.closed), (true, change.opened)] {
            for row in changed.into_iter().filter(|row| sight.is_of_project(row)) {
                let state = rows.entry(Known(row)).or_insert((!is_opened, is_opened, change.seq));
                (state.1, state.2) = (is_opened, change.seq);
            }
        }
    }
    let mut all: Vec<Difference> = rows
        .into_iter()
        .filter(|(_, (was, is, _))| was != is)
        .map(|(Known(row), (_, is_opened, seq))| Difference { is_opened, row, seq })
        .collect();
    sight.keep(&timeline, &mut all);
    sort_by_row(&mut all, |one| &one.row);
    all
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
            writeln!(out, "change,seq,time,event_type,user_id,user_name,{CSV_HEAD}")?;
        }
        let table = Table::new(&["CHANGE", "ADDRESS", "PROTOCOL", "PORTS", "FROM", "TIME", "RECORD", "BY"]);
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

    fn finish(mut self) -> anyhow::Result<()> {
        match self.format {
            OutputFormat::Table if !self.any => note("nothing opened or closed"),
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
    let user = text(|cause| cause.actor.user_id.map(ToString::to_string));
    let name = text(|cause| cause.actor.user_name.map(str::to_owned));
    format!("{change},{seq},{time},{event_type},{user},{name},{}", csv(row))
}

impl<'a> Line<'a> {
    fn new(change: &'static str, seq: u64, row: RowDocument, cause: Option<Cause<'a>>) -> Self {
        let Some(Cause { time, kind, event_type, actor, summary, .. }) = cause else {
            return Line {
                change,
                row,
                seq,
                time: None,
                event_type: None,
                kind: None,
                actor: None,
                summary: None,
            };
        };
        let (time, kind, actor, summary) = (Some(time.to_string()), Some(kind), Some(actor), Some(summary));
        Line { change, row, seq, time, event_type, kind, actor, summary }
    }
}
