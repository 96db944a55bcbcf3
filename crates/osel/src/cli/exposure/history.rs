//! `osel exposure history`: what was ever open on an address, from when to when, and who did it.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use ipnet::IpNet;
use osel_core::engine::EngineOptions;
use osel_core::engine::record::RowDocument;
use osel_core::exposure::Question;
use osel_core::model::{Protocol, Row, View, sort_by_row};
use osel_core::time::Timestamp;
use serde::Serialize;

use super::diff::Known;
use super::print::{ports, source};
use super::who::Records;
use super::{READING, overlaps, prefix};
use crate::cli::StoreArg;
use crate::cli::open::now;
use crate::cli::output::{Failure, Table, json_line, note, stdout, working};
use crate::runtime::past::{Asked, Excerpt};
use crate::store::{JournalError, Reader};

/// Lists what was ever open on an address: each time from when to when, for how long, and who opened and closed it.
///
/// It goes back as far as the store's states do (the horizon, see `osel store retention`). With -o json each line is one row,
/// {"row","intervals":[{"opened","closed","seconds"}],"seconds","is_open"}: `opened` is null for what was open before, `closed` for what
/// still is; `seconds` counts what is known. Times are those of the events that opened and closed a row, and durations lie between them, however
/// late osel heard of it.
#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The address: fixed, floating, or one that an allowed address pair contains; or a prefix of such.
    #[arg(long, value_name = "IP|CIDR")]
    address: String,
    /// Only rows that admit this port.
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Only rows that admit this protocol, by name or number.
    #[arg(long, value_name = "P")]
    protocol: Option<String>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// How a history is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Table,
    /// JSON Lines: one row of exposure per line.
    Json,
}

/// From which record on a row was open, and to which: none for before what is kept, and for still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Interval {
    opened: Option<u64>,
    closed: Option<u64>,
}

pub(super) fn run(args: &HistoryArgs, outer: &StoreArg) -> anyhow::Result<ExitCode> {
    let address = prefix("--address", &args.address)?;
    let wanted = args.wanted(address)?;
    let reader = &mut *args.store.or(outer).reader()?;
    let bar = working(READING);
    let last = reader.head()?.seq;
    let (first, history) = loop {
        let first = reader.expiry()?.checkpoint.seq;
        match intervals(reader, (first, last.max(first)), address, &wanted) {
            // The horizon has moved on meanwhile: a history begins with it, wherever it is.
            Err(JournalError::Expired { seq, .. }) if seq > first => {}
            found => break (first, found?),
        }
    };
    bar.finish_and_clear();
    let beginning = reader.record(first.max(1))?.map(|record| record.as_of);
    if history.is_empty() {
        note(format_args!("nothing was open on {} in what is kept", args.address));
    } else if first > 0 {
        let since = beginning.map(|time| format!(" ({time})")).unwrap_or_default();
        note(format_args!("what was before record {first}{since} is not kept any more"));
    }
    print(&history, address, args.output, Records::new(reader), beginning)?;
    Ok(ExitCode::SUCCESS)
}

impl HistoryArgs {
    /// Which rows are wanted, by what they admit.
    fn wanted(&self, address: IpNet) -> Result<impl Fn(&Row) -> bool + use<>, Failure> {
        let read = |text: &String| {
            Question::protocol(text, matches!(address, IpNet::V6(_))).ok_or_else(|| {
                let wanted = "give a name such as tcp, udp or icmp, or a number from 0 to 255";
                Failure::Usage(format!("--protocol {text}: {wanted}"))
            })
        };
        let (protocol, port) = (self.protocol.as_ref().map(read).transpose()?, self.port);
        Ok(move |row: &Row| {
            let admitted = &row.permission.protocol;
            let has_protocol =
                protocol.as_ref().is_none_or(|asked| *asked == Protocol::Any || admitted.covers(asked));
            let has_port = port.is_none_or(|port| {
                let is_within = |(min, max): (u16, u16)| (min..=max).contains(&port);
                (*admitted == Protocol::Any || admitted.has_ports())
                    && row.permission.ports.is_none_or(is_within)
            });
            has_protocol && has_port
        })
    }
}

/// When which row of an address was open, in the order of rows.
fn intervals(
    reader: &mut dyn Reader,
    (first, last): (u64, u64),
    address: IpNet,
    wanted: &dyn Fn(&Row) -> bool,
) -> Result<Vec<(Row, Vec<Interval>)>, JournalError> {
    let asked = Asked::Addresses(Arc::new(move |net| overlaps(address, net)));
    let options = EngineOptions::default();
    let mut timeline = Excerpt::load(reader, (first, last), &asked, false, &options)?.at(first, &options);
    let keeps = |row: &Row| overlaps(address, row.address) && wanted(row);
    let mut rows = Vec::new();
    for cloud in timeline.engine().clouds() {
        cloud.ports().into_iter().for_each(|slot| cloud.rows_of(slot, &mut rows));
    }
    let before = rows.into_iter().filter(keeps);
    let mut all: BTreeMap<Known, Vec<Interval>> =
        before.map(|row| (Known(row), vec![Interval { opened: None, closed: None }])).collect();
    while let Some(change) = timeline.next_change() {
        for row in change.closed.into_iter().filter(keeps) {
            if let Some(last) = all.get_mut(&Known(row)).and_then(|intervals| intervals.last_mut()) {
                last.closed = Some(change.seq);
            }
        }
        for row in change.opened.into_iter().filter(keeps) {
            all.entry(Known(row)).or_default().push(Interval { opened: Some(change.seq), closed: None });
        }
    }
    let mut all: Vec<(Row, Vec<Interval>)> = all.into_iter().map(|(Known(row), when)| (row, when)).collect();
    sort_by_row(&mut all, |(row, _)| row);
    Ok(all)
}

#[derive(Serialize)]
struct Line {
    row: RowDocument,
    intervals: Vec<serde_json::Value>,
    seconds: i64,
    is_open: bool,
}

/// `beginning` is from when on anything is known.
fn print(
    history: &[(Row, Vec<Interval>)],
    asked: IpNet,
    format: Format,
    mut records: Records<'_>,
    beginning: Option<Timestamp>,
) -> anyhow::Result<()> {
    let mut out = stdout();
    let head = ["ADDRESS", "PROTOCOL", "PORTS", "FROM", "OPENED", "BY", "CLOSED", "BY", "FOR"];
    // The address that was asked for need not be said again; a wider prefix that contains it is.
    let is_plain = history.iter().all(|(row, _)| row.address == asked);
    let head = &head[usize::from(is_plain)..];
    let mut table =
        Table::new(head).keeping(&["PROTOCOL", "PORTS", "OPENED", "CLOSED", "FOR"]).folding("OPENED");
    let now = now();
    for (row, intervals) in history {
        let document = RowDocument::from(row);
        let what =
            [document.address.clone(), document.protocol.clone(), ports(&document), source(&document.source)];
        let what = &what[usize::from(is_plain)..];
        let mut told = Vec::new();
        let mut seconds = 0;
        for Interval { opened, closed } in intervals {
            let opened = Told::of(*opened, &mut records)?;
            let closed = Told::of(*closed, &mut records)?;
            let from = opened.at.or(beginning).unwrap_or(now);
            let this = (closed.at.unwrap_or(now).micros() - from.micros()).max(0) / 1_000_000;
            seconds += this;
            match format {
                Format::Json => told.push(serde_json::json!({
                    "opened": opened.document, "closed": closed.document, "seconds": this,
                })),
                Format::Table => {
                    let ends = [
                        opened.time.unwrap_or_else(|| "before".to_owned()),
                        opened.who,
                        closed.time.unwrap_or_else(|| "still open".to_owned()),
                        closed.who,
                        how_long(this),
                    ];
                    table.row(what.iter().cloned().chain(ends).collect());
                }
            }
        }
        if format == Format::Table && intervals.len() > 1 {
            let sum = ["", "", "in all", "", &how_long(seconds)].map(str::to_owned);
            table.row(what.iter().cloned().chain(sum).collect());
        }
        if format == Format::Json {
            let is_open = intervals.last().is_some_and(|last| last.closed.is_none());
            json_line(&mut out, &Line { row: document, intervals: told, seconds, is_open })?;
        }
    }
    if !table.is_empty() {
        write!(out, "{table}")?;
    }
    Ok(out.flush()?)
}

/// What is told of one end of an interval.
#[derive(Default)]
struct Told {
    at: Option<Timestamp>,
    document: Option<serde_json::Value>,
    time: Option<String>,
    who: String,
}

impl Told {
    fn of(seq: Option<u64>, records: &mut Records<'_>) -> anyhow::Result<Self> {
        let Some(seq) = seq else { return Ok(Self::default()) };
        let Some(cause) = records.cause(seq)? else {
            // Which record it was is known all the same.
            let time = Some(format!("record {seq}"));
            return Ok(Self { document: Some(serde_json::json!({"seq": seq})), time, ..Self::default() });
        };
        Ok(Self {
            at: Some(cause.time),
            document: Some(serde_json::to_value(&cause)?),
            time: Some(cause.when()),
            who: cause.who(),
        })
    }
}

/// A time span in its two largest units.
fn how_long(seconds: i64) -> String {
    let parts = [(86_400, 'd'), (3600, 'h'), (60, 'm'), (1, 's')];
    let mut rest = seconds;
    let mut words = Vec::new();
    for (length, unit) in parts {
        if rest >= length && words.len() < 2 {
            words.push(format!("{}{unit}", rest / length));
            rest %= length;
        } else if !words.is_empty() {
            break;
        }
    }
    if words.is_empty() { "0s".to_owned() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::how_long;

    #[test]
    fn spans_are_told_in_two_units() {
        for (seconds, wanted) in
            [(0, "0s"), (59, "59s"), (60, "1m"), (3661, "1h 1m"), (86_400, "1d"), (90_061, "1d 1h")]
        {
            assert_eq!(how_long(seconds), wanted, "{seconds}");
        }
    }
}
