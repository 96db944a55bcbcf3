//! `osel privacy report`: what became of the erasures of persons, and what of a person may be left where.

use std::io::Write;
use std::ops::ControlFlow;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use crate::cli::StoreArg;
use crate::cli::output::{Failure, ShowFormat, json_line, note, plain, stdout};
use crate::runtime::record::read_record;
use crate::store::{ErasureRow, ForwarderRow, QuarantineState, Reader};

/// Says of each erasure of a person who ordered it, when and why, what became unreadable, and what may be left where and until when.
///
/// It names nobody but by the user's id. The record of an erasure is part of the trail: `osel audit prove SEQ` proves that it is, and `osel audit
/// verify` that everything else is as it was sealed. Exit code 1 when something is still to be done.
#[derive(Debug, Args)]
pub struct ReportArgs {
    #[command(flatten)]
    store: StoreArg,
    /// Only the erasure of this record.
    #[arg(long, value_name = "SEQ")]
    order: Option<u64>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: ShowFormat,
}

/// One erasure.
#[derive(Debug, Serialize)]
struct Document {
    seq: u64,
    hash: String,
    ordered_at: Option<String>,
    ordered_by: Option<String>,
    reason: Option<String>,
    user_id: Option<String>,
    is_done: bool,
    keys_destroyed: u64,
    records: u64,
    parts: u64,
    first_seq: Option<u64>,
    last_seq: Option<u64>,
    messages_rewritten: u64,
    messages_unreadable: u64,
    states_rewritten: u64,
    remains: Remains,
}

/// What of the person may be left.
#[derive(Debug, Serialize)]
struct Remains {
    /// The checkpoint, where it is from before: it goes when a later one takes its place.
    checkpoint: Option<u64>,
    /// Messages from before that nobody can read and that wait in quarantine; what they say is not known.
    quarantined: u64,
    /// Forwarders: what they had sent of the person before is not noted, and out of reach.
    forwarders: Vec<Forwarded>,
}

/// What a forwarder has been through.
#[derive(Debug, Serialize)]
struct Forwarded {
    name: String,
    /// The record behind which it began, or was last set back to; what it sent before that is not known.
    behind: u64,
    /// The last record of which nothing remains to be done.
    through: u64,
}

pub(super) fn run(args: &ReportArgs) -> anyhow::Result<ExitCode> {
    let mut reader = args.store.reader()?;
    let mut rows = reader.erasures()?;
    if let Some(order) = args.order {
        rows.retain(|row| row.seq == order);
        if rows.is_empty() {
            return Err(Failure::Usage(format!("--order: record {order} orders no erasure")).into());
        }
    }
    let mut out = stdout();
    let mut is_done = true;
    for (number, row) in rows.iter().enumerate() {
        let document = document(&mut *reader, row)?;
        is_done &= document.is_done;
        match args.output {
            ShowFormat::Json => json_line(&mut out, &document)?,
            ShowFormat::Text => {
                if number > 0 {
                    writeln!(out)?;
                }
                text(&mut out, &document)?;
            }
        }
    }
    out.flush()?;
    if rows.is_empty() {
        note("nobody was erased");
    }
    Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn document(reader: &mut dyn Reader, row: &ErasureRow) -> anyhow::Result<Document> {
    let stored = reader.record(row.seq)?.context("the record of an erasure is missing")?;
    let record = read_record(&stored).context("the record of an erasure is damaged")?;
    let detail = |key: &str| record.body.detail.get(key).cloned();
    let checkpoint = reader.expiry()?.checkpoint;
    let mut quarantined = 0;
    reader.quarantine(Some(QuarantineState::Held), &mut |item| {
        quarantined += u64::from(item.entry <= row.until.1);
        ControlFlow::Continue(())
    })?;
    let forwarded = |row: ForwarderRow| Forwarded { name: row.name, behind: row.begin, through: row.place };
    let some = |seq: u64| (seq > 0).then_some(seq);
    Ok(Document {
        seq: row.seq,
        hash: record.hash.to_string(),
        ordered_at: Some(record.header.time.to_string()),
        ordered_by: detail("ordered_by"),
        reason: detail("reason"),
        user_id: detail("erased_user"),
        is_done: row.is_done,
        keys_destroyed: row.keys,
        records: row.records,
        parts: row.parts,
        first_seq: some(row.first_seq),
        last_seq: some(row.last_seq),
        messages_rewritten: row.messages,
        messages_unreadable: row.unreadable,
        states_rewritten: row.states,
        remains: Remains {
            checkpoint: some(checkpoint.snapshot).filter(|_| checkpoint.entry < row.until.1),
            quarantined,
            forwarders: reader.forwarders()?.into_iter().map(forwarded).collect(),
        },
    })
}

fn text(out: &mut impl Write, erasure: &Document) -> std::io::Result<()> {
    let said = |text: &Option<String>| text.as_deref().map_or_else(|| "not kept".to_owned(), plain);
    let state = if erasure.is_done { "done" } else { "under way: a running osel, or the next one, ends it" };
    writeln!(out, "record {}, {}: {state}", erasure.seq, said(&erasure.ordered_at))?;
    writeln!(
        out,
        "  user id      {}",
        erasure.user_id.as_deref().map_or_else(|| "none known".to_owned(), plain)
    )?;
    writeln!(out, "  ordered by   {}, because: {}", said(&erasure.ordered_by), said(&erasure.reason))?;
    writeln!(out, "  keys         {} destroyed", erasure.keys_destroyed)?;
    write!(out, "  records      {} lost {} parts", erasure.records, erasure.parts)?;
    if let (Some(first), Some(last)) = (erasure.first_seq, erasure.last_seq) {
        write!(out, ", from record {first} to {last}")?;
    }
    writeln!(out, "\n  messages     {} written again without the person", erasure.messages_rewritten)?;
    writeln!(out, "  proof        record {} with the hash {}", erasure.seq, erasure.hash)?;
    writeln!(out, "  states       {} written again without the person", erasure.states_rewritten)?;
    let Remains { checkpoint, quarantined, forwarders } = &erasure.remains;
    if checkpoint.is_some() {
        writeln!(out, "  left         the checkpoint from before, until a later one takes its place")?;
    }
    if erasure.messages_unreadable > 0 {
        let count = erasure.messages_unreadable;
        writeln!(
            out,
            "  left         {count} messages that name the person and cannot be taken apart, until inputs go"
        )?;
    }
    if *quarantined > 0 {
        writeln!(
            out,
            "  perhaps left {quarantined} messages from before in quarantine, which nobody can read"
        )?;
    }
    for Forwarded { name, behind, through } in forwarders {
        writeln!(
            out,
            "  perhaps sent by {}, which began or was set back behind record {behind} and is through record {through}",
            plain(name)
        )?;
    }
    writeln!(
        out,
        "  perhaps left what was searched for, in the records of whoever read the trail (`osel audit search NAME`)"
    )?;
    writeln!(
        out,
        "  out of reach bundles and exports that were made before, and backups with the keys of then"
    )
}
