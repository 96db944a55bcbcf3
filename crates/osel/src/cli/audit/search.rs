//! `osel audit search`: records by who, what, when, where and how it went.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::Args;
use osel_core::engine::record::{Record, sentence};

use super::conditions::{Conditions, say_damaged, say_unindexed};
use super::past::Past;
use super::reading;
use crate::cli::StoreArg;
use crate::cli::exposure::csv_cell;
use crate::cli::output::{OutputFormat, Table, json_line, note, stdout};
use crate::cli::pseudonyms::PseudonymsArg;
use crate::runtime::search::{Wanted, look};
use crate::store::Reader;

/// So many rows of a table are printed together; columns are as wide as the first of them need.
const ROWS_AT_ONCE: usize = 500;

/// Finds records: all conditions that are given must hold, of several values of one any of them.
///
/// Records come in the order in which they were written, the oldest first; --latest N has the last N that match. A running osel keeps an
/// index of all records but the newest few thousand; where there is none, or it is behind, records are read one by one, with the same
/// result. `osel store index` makes it for a store without a daemon.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  osel audit search --exposing --address 198.51.100.0/24     what opened or closed anything on these addresses
  osel audit search --actor mallory --outcome failure        what mallory tried in vain
  osel audit search --kind authentication --outcome failure --latest 20
  osel audit search --since 2026-11-21T00:00:00Z --event-type security_group_rule
  osel audit search --cause 4711                             what followed from record 4711
  osel audit search --protocol tcp --port 22 --source 0.0.0.0/0
                                                             what let everybody in by ssh, or no longer
  osel audit search 'port web-1'                             by the words of the sentence")]
pub struct SearchArgs {
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    conditions: Conditions,
    /// The first N that match.
    #[arg(long, value_name = "N", conflicts_with = "latest")]
    limit: Option<usize>,
    /// The last N that match, in the order in which they were written.
    #[arg(long, value_name = "N")]
    latest: Option<usize>,
    #[command(flatten)]
    pseudonyms: PseudonymsArg,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: OutputFormat,
}

impl SearchArgs {
    /// What was asked for, as it was given.
    fn asked(&self) -> String {
        let count = |flag: &str, count: Option<usize>| count.map(|count| format!("--{flag} {count}"));
        let conditions = Some(self.conditions.asked()).filter(|asked| !asked.is_empty());
        let view = self.pseudonyms.pseudonyms.then(|| "--pseudonyms".to_owned());
        let counts = [count("limit", self.limit), count("latest", self.latest), view];
        conditions.into_iter().chain(counts.into_iter().flatten()).collect::<Vec<_>>().join(" ")
    }
}

pub(in crate::cli) fn run(args: &SearchArgs) -> anyhow::Result<ExitCode> {
    let query = args.conditions.query()?;
    let view = args.pseudonyms.view(&args.store)?;
    let mut reader = args.store.reader()?;
    let last = reader.head()?.seq;
    let records = args.conditions.numbers();
    let records = *records.start()..=last.min(*records.end());
    say_unindexed(&mut *reader, &records);
    // Before anything is printed: whoever stops reading has read all the same.
    reading::told(&args.store, &mut *reader, "search", &args.asked());
    // Both closures list rows, never at the same time.
    let past = RefCell::new(Past::default());
    let mut taken = Taken::new(args);
    taken.begin()?;
    let wanted = Wanted { records, latest_first: args.latest.is_some() };
    let looked = look(
        &mut *reader,
        &query,
        &wanted,
        &mut |reader, record| past.borrow_mut().list_rows(reader, record),
        &mut |reader: &mut dyn Reader, _, mut record| {
            if args.output == OutputFormat::Json {
                past.borrow_mut().list_rows(reader, &mut record);
            }
            taken.take(&view.of(&record))
        },
    )?;
    say_damaged(looked);
    taken.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// What matches, printed as it comes, or held until the first of the last few is known.
struct Taken<'a> {
    args: &'a SearchArgs,
    out: io::BufWriter<crate::cli::output::Stdout<io::StdoutLock<'static>>>,
    table: Table,
    /// The latest first.
    held: VecDeque<Line>,
    count: usize,
}

enum Line {
    Bytes(Vec<u8>),
    Row(Vec<String>),
}

impl<'a> Taken<'a> {
    fn new(args: &'a SearchArgs) -> Self {
        let table = Table::new(&["SEQ", "TIME", "KIND", "WHAT"]).keeping(&["SEQ", "TIME", "KIND"]).wrapping();
        Self { args, out: stdout(), table, held: VecDeque::new(), count: 0 }
    }

    /// What stands above the lines, if anything does; the table has it itself.
    fn begin(&mut self) -> io::Result<()> {
        if self.args.output == OutputFormat::Csv { writeln!(self.out, "seq,time,kind,what") } else { Ok(()) }
    }

    fn take(&mut self, record: &Record) -> io::Result<ControlFlow<()>> {
        let wanted = self.args.latest.or(self.args.limit).unwrap_or(usize::MAX);
        if self.count < wanted {
            self.count += 1;
            let line = self.line(record)?;
            if self.args.latest.is_some() {
                self.held.push_front(line);
            } else {
                self.print(line)?;
            }
        }
        Ok(if self.count < wanted { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    }

    fn line(&self, record: &Record) -> io::Result<Line> {
        if self.args.output == OutputFormat::Json {
            let mut line = Vec::new();
            json_line(&mut line, &record.document())?;
            return Ok(Line::Bytes(line));
        }
        let header = &record.header;
        let cells =
            [header.seq.to_string(), header.time.to_string(), header.kind.to_string(), sentence(record)];
        if self.args.output == OutputFormat::Csv {
            return Ok(Line::Bytes((cells.map(|cell| csv_cell(&cell)).join(",") + "\n").into_bytes()));
        }
        Ok(Line::Row(cells.to_vec()))
    }

    fn print(&mut self, line: Line) -> io::Result<()> {
        match line {
            Line::Bytes(line) => self.out.write_all(&line),
            Line::Row(cells) => {
                self.table.row(cells);
                if self.table.len() < ROWS_AT_ONCE { Ok(()) } else { self.table.write_rows(&mut self.out) }
            }
        }
    }

    fn finish(mut self) -> io::Result<()> {
        while let Some(line) = self.held.pop_front() {
            self.print(line)?;
        }
        if self.count == 0 {
            note("no record matches");
        } else if !self.table.is_empty() {
            self.table.write_rows(&mut self.out)?;
        }
        self.out.flush()
    }
}
