//! `osel privacy erase`: destroys what is kept of a person.

use std::process::ExitCode;

use clap::Args;
use osel_core::finding::REASON_CHARS_MAX;

use super::person::Whom;
use crate::cli::StoreArg;
use crate::cli::order::{Given, Orders, reason};
use crate::cli::output::note;
use crate::runtime::control::Ask;
use crate::runtime::record::read_record;
use crate::store::Reader;

/// Erases a person: names, and addresses and programs of their clients, become unreadable for good, and nothing of theirs is found by them.
///
/// It is recorded with your name and the reason, and with the user's id, which stays; the trail verifies as before. What forwarders, bundles and
/// backups took away is out of reach: `osel privacy report` names it. Who is still in Keystone, or acts again, is heard of anew.
/// Exit code 1 when no record has anything about the person, and then nothing is done.
#[derive(Debug, Args)]
pub struct EraseArgs {
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    whom: Whom,
    /// Why, which is recorded for ever: no names.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Only say what would go.
    #[arg(long)]
    dry_run: bool,
    /// Also who is in no record that can be read: somebody whom only messages name, or of whom the records' parts have gone.
    #[arg(long)]
    even_if_unknown: bool,
}

pub(super) fn run(args: &EraseArgs) -> anyhow::Result<ExitCode> {
    let reason = reason(&args.reason, REASON_CHARS_MAX)?;
    let mut reader = args.store.reader()?;
    // Before it is looked: who orders the same meanwhile finds the person as well.
    let head = reader.head()?.seq;
    let under_way: Vec<u64> =
        reader.erasures()?.iter().filter(|row| !row.is_done).map(|row| row.seq).collect();
    let mut user_id = None;
    if args.dry_run || !args.even_if_unknown {
        let kept = args.whom.look(&mut *reader)?;
        let id = kept.user_id.as_deref().unwrap_or("unknown");
        let (Some(first), Some(last)) = (kept.first_seq, kept.last_seq) else {
            note(
                "no record has a part about such a person that can be read; nothing was changed. Look at the spelling; \
                 --even-if-unknown erases what messages and names have of whoever is meant",
            );
            return Ok(ExitCode::from(1));
        };
        if args.dry_run {
            note(format_args!(
                "{} records from {first} to {last} are about the person (user id: {id}), and lose what they have of them but the id; nothing was changed",
                kept.records
            ));
            return Ok(ExitCode::SUCCESS);
        }
        user_id = kept.user_id;
    }
    let mut orders = Orders::new(&args.store, reader.info()?.id)?;
    let Whom { user, address } = args.whom.clone();
    let given = orders.give(Ask::ErasePerson { user, address, reason })?;
    match given {
        Given::Done(seq) => {
            let seq = seq.unwrap_or_default();
            note(format_args!(
                "the erasure is ordered by record {seq}: `osel privacy report --order {seq}` says how far it is"
            ));
            let is_at_once = |other: u64| other > head || under_way.contains(&other);
            if let Some(other) = ordered_by_others(&mut *args.store.reader()?, user_id, seq, is_at_once)? {
                note(format_args!(
                    "record {other} has ordered the erasure of the same user before, and it was under way: this one is about what came since then"
                ));
            }
            // Said before: whatever keeps this from its end, the next one who writes the store goes on with it.
            orders.finish_erasing()?;
            Ok(ExitCode::SUCCESS)
        }
        Given::No(why) => {
            note(why);
            Ok(ExitCode::from(1))
        }
    }
}

/// The last of those orders before `seq` by which the same user is erased.
fn ordered_by_others(
    reader: &mut dyn Reader,
    user_id: Option<String>,
    seq: u64,
    is_meant: impl Fn(u64) -> bool,
) -> anyhow::Result<Option<u64>> {
    let Some(user_id) = user_id else { return Ok(None) };
    for row in reader.erasures()?.iter().rev().filter(|row| row.seq < seq && is_meant(row.seq)) {
        let record = reader.record(row.seq)?.and_then(|stored| read_record(&stored));
        if record.is_some_and(|record| record.body.detail.get("erased_user") == Some(&user_id)) {
            return Ok(Some(row.seq));
        }
    }
    Ok(None)
}
