//! Records for people: `osel audit show` and `osel audit search`, and reading them from a store.

use std::io::Write;
use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::Args;
use clap::builder::PossibleValuesParser;
use osel_core::engine::record::Record;
use osel_core::event::Outcome;
use osel_core::time::Timestamp;
use osel_core::trail::RecordKind;

use super::past::Past;
use crate::cli::StoreArg;
use crate::cli::output::{Failure, OutputFormat, Table, json_line, note, stdout};
pub(in crate::cli) use crate::runtime::record::read_record as record;
use crate::store::{self, Reader};

/// Shows everything about one record, its sentence first.
#[derive(Debug, Args)]
pub struct ShowArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The record's number.
    seq: u64,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: OutputFormat,
}

const OUTCOMES: [Outcome; 4] = [Outcome::Success, Outcome::Failure, Outcome::Pending, Outcome::Unknown];

/// Finds records: all conditions that are given must hold.
#[derive(Debug, Args)]
pub struct SearchArgs {
    #[command(flatten)]
    store: StoreArg,
    /// Not before this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Not after this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The actor's user id or name.
    #[arg(long, value_name = "USER")]
    actor: Option<String>,
    /// The id or name of the actor's project, or the id of the target's.
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// An address whose exposure changed, or the client's.
    #[arg(long, value_name = "IP")]
    address: Option<String>,
    /// The event type, or its beginning.
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    /// The kind of record.
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(RecordKind::ALL.map(RecordKind::as_str)))]
    kind: Option<String>,
    /// How it went.
    #[arg(long, value_name = "OUTCOME", value_parser = PossibleValuesParser::new(OUTCOMES.map(Outcome::as_str)))]
    outcome: Option<String>,
    /// Only records that opened or closed something.
    #[arg(long)]
    exposing: bool,
    /// A text in the sentence, upper or lower case.
    text: Option<String>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: OutputFormat,
}

/// How many records are read at once: the rows of one may have to be asked of the same store before the next.
const PAGE: u64 = 1000;

/// Calls `each` with all records in order, their rows listed as far as the store still has the states for it.
///
/// # Errors
/// When the store cannot be read, a record is damaged, or `each` fails.
pub(in crate::cli) fn each_record(
    reader: &mut dyn Reader,
    each: &mut dyn FnMut(&store::StoredRecord, &Record) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut past = Past::default();
    let mut from = 1;
    loop {
        let mut page = Vec::new();
        let read = reader.records(from..=from + PAGE - 1, &mut |stored| {
            page.push(stored);
            ControlFlow::Continue(())
        });
        let Some(last) = page.last().map(|stored| stored.seq) else { return Ok(read?) };
        for stored in page {
            let Some(mut record) = record(&stored) else { return Err(damaged(stored.seq)) };
            past.list_rows(reader, &mut record);
            each(&stored, &record)?;
        }
        read?;
        from = last + 1;
    }
}

pub(super) fn damaged(seq: u64) -> anyhow::Error {
    anyhow::anyhow!("record {seq} is damaged: run `osel audit verify`")
}

pub(in crate::cli) fn show(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let mut reader = args.store.reader()?;
    let Some(stored) = reader.record(args.seq)? else {
        note(format_args!("there is no record {}: the last one is {}", args.seq, reader.head()?.seq));
        return Ok(ExitCode::from(1));
    };
    let Some(mut record) = record(&stored) else { return Err(damaged(args.seq)) };
    Past::default().list_rows(&mut *reader, &mut record);
    let document = record.document();
    let mut out = stdout();
    if args.output == OutputFormat::Json {
        json_line(&mut out, &document)?;
    } else {
        writeln!(out, "{}\n", document.summary)?;
        writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

pub(in crate::cli) fn search(args: &SearchArgs) -> anyhow::Result<ExitCode> {
    let since = time("--since", args.since.as_deref())?;
    let until = time("--until", args.until.as_deref())?;
    let text = args.text.as_ref().map(|text| text.to_lowercase());
    let mut out = stdout();
    let mut table = Table::new(&["SEQ", "TIME", "KIND", "WHAT"]);
    let mut found = 0_u64;
    each_record(&mut *args.store.reader()?, &mut |_, record| {
        let time = record.header.time;
        if since.is_some_and(|since| time < since) || until.is_some_and(|until| time > until) {
            return Ok(());
        }
        let document = record.document();
        let is = |wanted: &Option<String>, value: &[Option<&str>]| {
            wanted.as_deref().is_none_or(|wanted| value.contains(&Some(wanted)))
        };
        let id = |id: Option<&osel_core::ids::Id>| id.map(|id| id.to_string());
        let (user, project) = (id(document.actor.user_id), id(document.actor.project_id));
        let owner = id(document.target.project_id);
        let addressed = args.address.as_ref().is_none_or(|address| {
            record.rows_at_hand().map(|judged| judged.row.address_text()).any(|row| row == *address)
                || document.actor.address == Some(address)
        });
        let matches = is(&args.kind, &[Some(document.kind)])
            && is(&args.outcome, &[Some(document.outcome)])
            && is(&args.actor, &[user.as_deref(), document.actor.user_name])
            && is(&args.project, &[project.as_deref(), document.actor.project_name, owner.as_deref()])
            && args.event_type.as_deref().is_none_or(|start| {
                document.event_type.is_some_and(|event_type| event_type.starts_with(start))
            })
            && (!args.exposing || record.opened_count() + record.closed_count() > 0)
            && addressed
            && text.as_ref().is_none_or(|text| document.summary.to_lowercase().contains(text));
        if matches {
            found += 1;
            if args.output == OutputFormat::Json {
                json_line(&mut out, &document)?;
            } else {
                let cells =
                    [document.seq.to_string(), document.time, document.kind.to_owned(), document.summary];
                table.row(cells.to_vec());
            }
        }
        Ok(())
    })?;
    if found == 0 {
        note("no record matches");
    } else if args.output != OutputFormat::Json {
        write!(out, "{table}")?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
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
