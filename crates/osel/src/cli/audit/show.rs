//! `osel audit show`: everything about one record.

use std::convert::Infallible;
use std::fmt::{self, Display};
use std::io::Write;
use std::ops::{ControlFlow, RangeInclusive};
use std::process::ExitCode;

use clap::Args;
use osel_core::engine::record::{JudgedRowDocument, Record, RecordDocument, STILL_OPEN, WAS_OPEN, sentence};
use osel_core::search::Query;
use osel_core::trail::PartClass;
use serde::Serialize;
use serde_json::Value;

use super::past::Past;
use super::read::{missing, record, unaltered};
use super::reading;
use crate::cli::StoreArg;
use crate::cli::exposure::{ports, source};
use crate::cli::output::{ShowFormat, Table, json_line, note, plain, stdout};
use crate::cli::pseudonyms::{PseudonymsArg, View};
use crate::runtime::missing::untold_parts;
use crate::runtime::search::{SearchError, Wanted, look, unindexed};
use crate::store::{PartContent, Reader, StoredRecord};

/// So many records that follow from this one are named.
const FOLLOWING_MAX: usize = 100;
/// So many records behind this one are read one by one for those that follow from it, where there is no index: a second or two.
const FOLLOWING_READ_MAX: u64 = 100_000;

/// Shows everything about one record, its sentence first.
///
/// That is who, what, when and how; what became reachable; the record that it follows from and those that follow from it; its place in the
/// log and the checkpoint that stands for it; and the message itself while it is kept, as it is stored: without secrets.
#[derive(Debug, Args)]
pub struct ShowArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The record's number.
    seq: u64,
    #[command(flatten)]
    pseudonyms: PseudonymsArg,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: ShowFormat,
}

/// A record and what is around it: the keys of the contract, and more.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    document: RecordDocument<'a>,
    /// What of `missing` went though no record says why: somebody took it.
    missing_untold: Vec<&'static str>,
    /// A part about a person is there, sealed, and no record says where its key is.
    locked: bool,
    /// The records that follow from it.
    followed_by: Vec<u64>,
    /// Its place in the log.
    log: Place,
    /// The message; null where it is gone or there was none.
    message: Option<Value>,
}

/// Where a record stands in the log.
#[derive(Debug, Serialize)]
struct Place {
    /// The leaf, from 0.
    index: u64,
    /// The leaf's hash: that of the record.
    leaf_hash: String,
    /// The first checkpoint that is kept and stands for it; null where none does yet.
    checkpoint_size: Option<u64>,
    /// When that was signed, by the clock of whoever signed.
    signed_at: Option<String>,
}

pub(in crate::cli) fn run(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let view = args.pseudonyms.view(&args.store)?;
    let mut reader = args.store.reader()?;
    let last = reader.head()?.seq;
    let Some(stored) = reader.record(args.seq)? else {
        if (1..=last).contains(&args.seq) {
            return Err(missing(args.seq));
        }
        note(format_args!("there is no record {}: the last one is {last}", args.seq));
        return Ok(ExitCode::from(1));
    };
    let message = message(&mut *reader, &stored)?;
    let mut record = unaltered(&stored, message.as_deref())?;
    Past::default().list_rows(&mut *reader, &mut record);
    let record = view.of(&record);
    let following = following(&mut *reader, args.seq, last, &view)?;
    let asked = if view.is_pseudonymous() { " --pseudonyms" } else { "" };
    reading::told(&args.store, &mut *reader, "show", &format!("{}{asked}", args.seq));
    let untold = untold_parts(&mut *reader, &stored)?;
    let no_record = match untold.looked_until {
        Some(_) => "no record that can be read",
        None => "no record",
    };
    if let Some(seq) = untold.looked_until {
        note(format_args!(
            "why parts are missing is looked for back to record {seq} only, which is damaged, altered or missing: run `osel audit verify`"
        ));
    }
    let shown = Shown {
        document: record.document(),
        missing_untold: untold.classes.into_iter().map(PartClass::as_str).collect(),
        locked: untold.is_locked,
        followed_by: following.iter().map(|(seq, _)| *seq).collect(),
        log: place(&mut *reader, args.seq, &record)?,
        message: message.filter(|_| !view.is_pseudonymous()).map(|body| readable(&body)),
    };
    let mut out = stdout();
    if args.output == ShowFormat::Json {
        json_line(&mut out, &shown)?;
    } else {
        let cause = match record.body.cause {
            Some(seq) => Some((seq, reader.record(seq)?.as_ref().and_then(self::record))),
            None => None,
        };
        let cause = cause
            .map(|(seq, record)| (seq, record.map(|record| sentence(&view.of(&record))).unwrap_or_default()));
        write!(out, "{}", Text { shown: &shown, no_record, cause, following: &following })?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The records that follow from one, with their sentences.
fn following(
    reader: &mut dyn Reader,
    seq: u64,
    last: u64,
    view: &View,
) -> anyhow::Result<Vec<(u64, String)>> {
    let query = Query { causes: vec![seq], ..Query::default() };
    let mut records: RangeInclusive<u64> = seq + 1..=last;
    if unindexed(reader, &records).unwrap_or(u64::MAX) > FOLLOWING_READ_MAX {
        records = seq + 1..=last.min(seq.saturating_add(FOLLOWING_READ_MAX));
        note(format_args!(
            "what follows from it is looked for up to record {} only: there is no search index (`osel store index`)",
            records.end()
        ));
    }
    let mut found = Vec::new();
    let wanted = Wanted { records, latest_first: false };
    let looked = look(reader, &query, &wanted, &mut |_, _| {}, &mut |_: &mut dyn Reader, stored, record| {
        found.push((stored.seq, sentence(&view.of(&record))));
        let is_enough = found.len() >= FOLLOWING_MAX;
        Ok::<_, Infallible>(if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    });
    match looked {
        // The one that is asked for is good.
        Err(SearchError::Damaged(seq) | SearchError::Missing(seq) | SearchError::Altered(seq, _)) => {
            note(format_args!(
                "what follows from it is looked for up to record {seq} only, which is damaged, altered or missing: run `osel audit verify`"
            ));
        }
        looked => _ = looked?,
    }
    Ok(found)
}

fn place(reader: &mut dyn Reader, seq: u64, record: &Record) -> anyhow::Result<Place> {
    let mut signed = None;
    reader.checkpoints(seq..=u64::MAX, &mut |checkpoint| {
        signed = Some(checkpoint);
        ControlFlow::Break(())
    })?;
    Ok(Place {
        index: seq - 1,
        leaf_hash: record.hash.to_string(),
        checkpoint_size: signed.as_ref().map(|signed| signed.size),
        signed_at: signed.map(|signed| signed.signed_at.to_string()),
    })
}

/// The message that the record is of, if it is still there.
fn message(reader: &mut dyn Reader, stored: &StoredRecord) -> anyhow::Result<Option<Vec<u8>>> {
    if !stored.parts.iter().any(|part| part.content == PartContent::InEntry) {
        return Ok(None);
    }
    Ok(reader.entry(stored.entry)?.filter(|entry| !entry.erased).map(|entry| entry.body))
}

/// A message as it is shown: as JSON where it is some.
fn readable(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned().into())
}

/// A record for people.
struct Text<'a> {
    shown: &'a Shown<'a>,
    /// What says why something is missing.
    no_record: &'static str,
    cause: Option<(u64, String)>,
    following: &'a [(u64, String)],
}

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown { document, missing_untold, locked, log, message, .. } = self.shown;
        // Whoever may name a port must not write lines of their own here, nor command the terminal.
        writeln!(f, "{}\n", plain(&document.summary))?;
        if !missing_untold.is_empty() {
            let are = if missing_untold.len() == 1 { "is" } else { "are" };
            let (what, no_record) = (missing_untold.join(" and "), self.no_record);
            writeln!(f, "{what} {are} missing, and {no_record} says why\n")?;
        }
        if *locked {
            writeln!(
                f,
                "personal is sealed and cannot be read: its key is not here, and {} says why\n",
                self.no_record
            )?;
        }
        let mut line = |name: &str, value: &[Option<String>]| {
            let said: Vec<&str> = value.iter().filter_map(Option::as_deref).collect();
            if said.is_empty() { Ok(()) } else { writeln!(f, "{name:<12}{}", plain(&said.join(", "))) }
        };
        let text = |text: Option<&str>| text.map(str::to_owned);
        let named = |what: &str, name: Option<&str>, id: Option<&osel_core::ids::Id>| match (name, id) {
            (Some(name), Some(id)) => Some(format!("{what}{name} ({id})")),
            (Some(name), None) => Some(format!("{what}{name}")),
            (None, Some(id)) => Some(format!("{what}{id}")),
            (None, None) => None,
        };
        line("record", &[Some(format!("{}: {}, {}", document.seq, document.kind, document.outcome))])?;
        line("happened", &[Some(document.time.clone())])?;
        line("recorded", &[Some(document.recorded_at.clone())])?;
        line("event", &[text(document.event_type)])?;
        line("source", &[text(document.source), document.region.map(|region| format!("region {region}"))])?;
        line("message", &[text(document.message_id)])?;
        line("request", &[document.request_id.map(ToString::to_string)])?;
        let actor = &document.actor;
        let who = [
            named("", actor.user_name, actor.user_id),
            named("project ", actor.project_name, actor.project_id),
            actor.address.map(|address| format!("from {address}")),
            actor.agent.map(|agent| format!("by {agent}")),
        ];
        line("actor", &who)?;
        let target = &document.target;
        let kind = target.kind.map(|kind| format!("{} ", kind.replace('_', " "))).unwrap_or_default();
        line("target", &[named(&kind, target.name, target.id), named("project ", None, target.project_id)])?;
        for (key, value) in document.detail {
            line("detail", &[Some(format!("{key}: {value}"))])?;
        }
        if let Some((seq, sentence)) = &self.cause {
            line("cause", &[Some(format!("record {seq}: {sentence}"))])?;
        }
        for (seq, sentence) in self.following {
            line("followed by", &[Some(format!("record {seq}: {sentence}"))])?;
        }
        if self.following.len() >= FOLLOWING_MAX {
            line("", &[Some(format!("and maybe more: osel audit search --cause {}", document.seq))])?;
        }
        line("hash", &[Some(log.leaf_hash.clone())])?;
        let signed = match (log.checkpoint_size, &log.signed_at) {
            (Some(size), Some(at)) => {
                format!("the checkpoint of {size} records, signed at {at}, stands for it")
            }
            _ => "no checkpoint stands for it yet".to_owned(),
        };
        line("log", &[Some(format!("leaf {}: {signed}", log.index))])?;
        line("missing", &[Some(document.missing.join(", ")).filter(|missing| !missing.is_empty())])?;
        for (what, rows) in [("opened", &document.exposure.opened), ("closed", &document.exposure.closed)] {
            if !rows.is_empty() {
                write!(f, "\n{what}:\n{}", table(rows, what == "opened"))?;
            }
        }
        for wide in &document.exposure.not_listed {
            writeln!(
                f,
                "\n{}, not listed: {} rows on {} ports by rule {} of security group {}",
                wide.change,
                wide.rows,
                wide.ports,
                plain(&wide.rule_id.to_string()),
                plain(&wide.security_group_id.to_string())
            )?;
        }
        if let Some(message) = message {
            let pretty = serde_json::to_string_pretty(message).map_err(|_| fmt::Error)?;
            let lines = pretty.lines().map(plain).collect::<Vec<_>>().join("\n");
            writeln!(f, "\nthe message as it is stored:\n{lines}")?;
        }
        Ok(())
    }
}

fn table(rows: &[JudgedRowDocument], came: bool) -> Table {
    let head = ["ADDRESS", "VIA", "PROTOCOL", "PORTS", "FROM", "PORT", "NOTE"];
    let mut table = Table::new(&head).keeping(&["ADDRESS", "PORTS", "NOTE"]);
    for JudgedRowDocument { row, redundant, covered_before } in rows {
        let note = match came {
            true if *covered_before => WAS_OPEN,
            false if *redundant => STILL_OPEN,
            _ => "",
        };
        let (ports, from) = (ports(row), source(&row.source));
        let cells = [&row.address, row.via, &row.protocol, &ports, &from, &row.port_id, note];
        table.row(cells.map(str::to_owned).to_vec());
    }
    table
}
