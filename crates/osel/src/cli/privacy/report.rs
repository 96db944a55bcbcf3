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
use crate::store::{Checkpoint, ErasureRow, Expiry, ForwarderRow, QuarantineItem, QuarantineState, Reader};

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
    /// The checkpoint, where it is from before and was left as it is: it goes when a later one takes its place.
    checkpoint: Option<u64>,
    /// Messages that name the person and could not be taken apart, as far as they may be there still.
    unreadable: u64,
    /// Messages from before that nobody can read and whose bytes wait in quarantine; what they say is not known.
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
    let expiry = reader.expiry()?;
    let mut quarantined = 0;
    reader.quarantine(Some(QuarantineState::Held), &mut |item| {
        quarantined += u64::from(waits(&item, row, &expiry));
        ControlFlow::Continue(())
    })?;
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
        remains: remains(row, &expiry, quarantined, reader.forwarders()?),
    })
}

/// Whether a message that is held in quarantine is from before an erasure, and has its bytes.
fn waits(item: &QuarantineItem, row: &ErasureRow, expiry: &Expiry) -> bool {
    let has_gone = item.entry <= expiry.checkpoint.entry && item.at < expiry.quarantine_before;
    item.entry <= row.until.1 && !has_gone
}

fn remains(
    row: &ErasureRow,
    expiry: &Expiry,
    quarantined: u64,
    forwarders: impl IntoIterator<Item = ForwarderRow>,
) -> Remains {
    let Checkpoint { snapshot, entry, .. } = expiry.checkpoint;
    let is_from_before = entry < row.until.1;
    // An earlier version did not note which one it left.
    let was_left = row.checkpoint.is_none_or(|left| left == snapshot);
    let forwarded = |row: ForwarderRow| Forwarded { name: row.name, behind: row.begin, through: row.place };
    Remains {
        checkpoint: (snapshot > 0 && is_from_before && was_left).then_some(snapshot),
        // Once all other inputs from before have gone, what is held is all there is.
        unreadable: if is_from_before { row.unreadable } else { row.unreadable.min(quarantined) },
        quarantined,
        forwarders: forwarders.into_iter().map(forwarded).collect(),
    }
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
    let Remains { checkpoint, unreadable, quarantined, forwarders } = &erasure.remains;
    if checkpoint.is_some() {
        writeln!(out, "  left         the checkpoint from before, until a later one takes its place")?;
    }
    if *unreadable > 0 {
        writeln!(
            out,
            "  left         {unreadable} messages that name the person and cannot be taken apart, until inputs go, and in quarantine until `quarantine_days` are over"
        )?;
    }
    if *quarantined > 0 {
        writeln!(
            out,
            "  perhaps left {quarantined} messages from before in quarantine, which nobody can read, until `quarantine_days` are over or they are replayed"
        )?;
    }
    for Forwarded { name, behind, through } in forwarders {
        let name = plain(name);
        match through == behind {
            true => writeln!(
                out,
                "  perhaps sent by {name} before it was set back behind record {behind}, if it was: it has been through none since"
            )?,
            false => writeln!(
                out,
                "  perhaps sent by {name}, which began or was set back behind record {behind} and is through record {through}"
            )?,
        }
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

#[cfg(test)]
mod tests {
    use osel_core::time::Timestamp;

    use super::*;

    fn expiry(snapshot: u64, entry: u64) -> Expiry {
        let checkpoint = Checkpoint { snapshot, seq: entry, entry };
        Expiry { checkpoint, quarantine_before: Timestamp::from_micros(100), ..Expiry::default() }
    }

    #[test]
    fn a_checkpoint_is_left_where_it_is_the_one_that_was_not_changed() {
        let check = |noted, now: (u64, u64), left: Option<u64>| {
            let row = ErasureRow { until: (50, 50), checkpoint: noted, ..ErasureRow::default() };
            assert_eq!(remains(&row, &expiry(now.0, now.1), 0, []).checkpoint, left, "{noted:?} {now:?}");
        };
        check(Some(3), (3, 20), Some(3));
        // Another from before took its place, which was written again.
        check(Some(3), (4, 30), None);
        check(Some(0), (4, 30), None);
        check(Some(3), (7, 50), None);
        check(Some(0), (0, 0), None);
        // Of an earlier version it is not known.
        check(None, (4, 30), Some(4));
        check(None, (0, 0), None);
    }

    #[test]
    fn what_nobody_can_read_is_counted_while_it_is_there() {
        let row = ErasureRow { until: (50, 50), unreadable: 4, ..ErasureRow::default() };
        let left = |entry, quarantined| remains(&row, &expiry(3, entry), quarantined, []).unreadable;
        assert_eq!((left(49, 1), left(50, 1), left(50, 9), left(50, 0)), (4, 1, 4, 0));
        let waits = |entry, at| {
            let item = QuarantineItem {
                id: 1,
                entry,
                source: "bus".to_owned(),
                at: Timestamp::from_micros(at),
                reason_code: String::new(),
                reason: String::new(),
                event_type: None,
                message_id: None,
                state: QuarantineState::Held,
            };
            waits(&item, &row, &expiry(3, 20))
        };
        assert_eq!(
            (waits(20, 99), waits(20, 100), waits(21, 99), waits(51, 100)),
            (false, true, true, false)
        );
    }
}
