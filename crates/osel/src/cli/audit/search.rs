//! `osel audit search`: records by who, what, when, where and how it went.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::ops::{ControlFlow, RangeInclusive};
use std::process::ExitCode;

use clap::Args;
use clap::builder::PossibleValuesParser;
use ipnet::IpNet;
use osel_core::engine::record::{Record, sentence};
use osel_core::event::Outcome;
use osel_core::search::{Query, parse_net};
use osel_core::time::Timestamp;
use osel_core::trail::RecordKind;

use super::past::Past;
use super::reading;
use crate::cli::StoreArg;
use crate::cli::output::{Failure, OutputFormat, Table, json_line, note, stdout};
use crate::cli::pseudonyms::PseudonymsArg;
use crate::runtime::search::{Wanted, look, unindexed};
use crate::store::Reader;

/// Whoever has more than this many records read one by one is told how that is avoided: it takes some seconds.
const READ_TOLD: u64 = 100_000;
/// So many rows of a table are printed together; columns are as wide as the first of them need.
const ROWS_AT_ONCE: usize = 500;

const OUTCOMES: [Outcome; 4] = [Outcome::Success, Outcome::Failure, Outcome::Pending, Outcome::Unknown];

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
  osel audit search 'tcp 22 from 0.0.0.0/0'                  by the words of the sentence")]
pub struct SearchArgs {
    #[command(flatten)]
    store: StoreArg,
    /// Not before this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Not after this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The actor's user id, or name in upper or lower case.
    #[arg(long, value_name = "USER")]
    actor: Vec<String>,
    /// The id or name of the actor's project, or the id of the target's.
    #[arg(long, value_name = "PROJECT")]
    project: Vec<String>,
    /// An address, or a prefix of some: whose exposure changed, or the client's. A row of a wider prefix counts where it holds it.
    #[arg(long, value_name = "IP|CIDR", value_parser = address)]
    address: Vec<IpNet>,
    /// The event type, or its beginning.
    #[arg(long, value_name = "TYPE")]
    event_type: Vec<String>,
    /// The kind of record.
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(RecordKind::ALL.map(RecordKind::as_str)))]
    kind: Vec<String>,
    /// How it went.
    #[arg(long, value_name = "OUTCOME", value_parser = PossibleValuesParser::new(OUTCOMES.map(Outcome::as_str)))]
    outcome: Vec<String>,
    /// The id of what something was done to, or its name in upper or lower case.
    #[arg(long, value_name = "TARGET")]
    target: Vec<String>,
    /// The id of the request that caused it.
    #[arg(long, value_name = "ID")]
    request_id: Vec<String>,
    /// The id of the message.
    #[arg(long, value_name = "ID")]
    message_id: Vec<String>,
    /// The number of the record that it follows from.
    #[arg(long, value_name = "SEQ")]
    cause: Vec<u64>,
    /// Only records with these numbers; either end may be left out.
    #[arg(long, value_name = "A..B", value_parser = numbers)]
    seq: Option<RangeInclusive<u64>>,
    /// Only records that opened or closed something.
    #[arg(long)]
    exposing: bool,
    /// A text in the sentence, upper or lower case.
    text: Option<String>,
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

fn address(text: &str) -> Result<IpNet, &'static str> {
    parse_net(text).ok_or("give an address such as 192.0.2.7, or a prefix such as 192.0.2.0/24")
}

fn numbers(text: &str) -> Result<RangeInclusive<u64>, &'static str> {
    let unclear = "give two numbers such as 100..200, or one of them as in 100.. and ..200";
    let (first, last) = text.split_once("..").ok_or(unclear)?;
    let end =
        |text: &str, without| if text.is_empty() { Ok(without) } else { text.parse().map_err(|_| unclear) };
    Ok(end(first, 1)?.max(1)..=end(last, u64::MAX)?)
}

impl SearchArgs {
    /// The conditions as they were given.
    fn asked(&self) -> String {
        let mut words: Vec<String> = Vec::new();
        let mut add = |flag: &str, values: &[String]| {
            words.extend(values.iter().map(|value| format!("--{flag} {value}")));
        };
        let one = |value: &Option<String>| value.clone().into_iter().collect::<Vec<_>>();
        add("since", &one(&self.since));
        add("until", &one(&self.until));
        add("actor", &self.actor);
        add("project", &self.project);
        add("address", &self.address.iter().map(ToString::to_string).collect::<Vec<_>>());
        add("event-type", &self.event_type);
        add("kind", &self.kind);
        add("outcome", &self.outcome);
        add("target", &self.target);
        add("request-id", &self.request_id);
        add("message-id", &self.message_id);
        add("cause", &self.cause.iter().map(ToString::to_string).collect::<Vec<_>>());
        add("seq", &one(&self.seq.as_ref().map(|seq| format!("{}..{}", seq.start(), seq.end()))));
        add("limit", &one(&self.limit.map(|limit| limit.to_string())));
        add("latest", &one(&self.latest.map(|latest| latest.to_string())));
        words.extend(self.exposing.then(|| "--exposing".to_owned()));
        words.extend(self.pseudonyms.pseudonyms.then(|| "--pseudonyms".to_owned()));
        words.extend(self.text.clone());
        words.join(" ")
    }

    fn query(&self) -> anyhow::Result<Query> {
        Ok(Query {
            since: time("--since", self.since.as_deref())?,
            until: time("--until", self.until.as_deref())?,
            actors: self.actor.clone(),
            projects: self.project.clone(),
            addresses: self.address.clone(),
            event_types: self.event_type.clone(),
            kinds: self.kind.iter().filter_map(|kind| RecordKind::from_word(kind)).collect(),
            outcomes: OUTCOMES
                .into_iter()
                .filter(|of| self.outcome.iter().any(|o| o == of.as_str()))
                .collect(),
            targets: self.target.clone(),
            requests: self.request_id.clone(),
            messages: self.message_id.clone(),
            causes: self.cause.clone(),
            exposing: self.exposing,
            text: self.text.as_ref().map(|text| text.to_lowercase()),
        })
    }
}

pub(in crate::cli) fn run(args: &SearchArgs) -> anyhow::Result<ExitCode> {
    let query = args.query()?;
    let view = args.pseudonyms.view(&args.store)?;
    let mut reader = args.store.reader()?;
    let last = reader.head()?.seq;
    let records = args.seq.clone().unwrap_or(1..=u64::MAX);
    let records = *records.start()..=last.min(*records.end());
    let unknown = unindexed(&mut *reader, &records).unwrap_or(0);
    if unknown > READ_TOLD {
        note(format_args!(
            "{unknown} records are not in the search index and are read one by one: a running osel takes them up, or \
             `osel store index`"
        ));
    }
    // Before anything is printed: whoever stops reading has read all the same.
    reading::told(&args.store, &mut *reader, "search", &args.asked());
    // Both closures list rows, never at the same time.
    let past = RefCell::new(Past::default());
    let mut taken = Taken::new(args);
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
    if looked.is_index_damaged {
        note(
            "a part of the search index is damaged and was not used: `osel store index --rebuild` makes it anew",
        );
    }
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
    Json(Vec<u8>),
    Row(Vec<String>),
}

impl<'a> Taken<'a> {
    fn new(args: &'a SearchArgs) -> Self {
        let table = Table::new(&["SEQ", "TIME", "KIND", "WHAT"]);
        Self { args, out: stdout(), table, held: VecDeque::new(), count: 0 }
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
            return Ok(Line::Json(line));
        }
        let header = &record.header;
        let cells =
            [header.seq.to_string(), header.time.to_string(), header.kind.to_string(), sentence(record)];
        Ok(Line::Row(cells.to_vec()))
    }

    fn print(&mut self, line: Line) -> io::Result<()> {
        match line {
            Line::Json(line) => self.out.write_all(&line),
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

fn time(flag: &str, text: Option<&str>) -> anyhow::Result<Option<Timestamp>> {
    let Some(text) = text else { return Ok(None) };
    let time = Timestamp::parse(text);
    Ok(Some(
        time.ok_or_else(|| {
            Failure::Usage(format!("{flag} {text}: not a time such as 2026-11-21T03:12:00Z"))
        })?,
    ))
}
