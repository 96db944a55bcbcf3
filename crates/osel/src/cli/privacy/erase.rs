//! `osel privacy erase`: destroys what is kept of a person.

use std::process::ExitCode;

use clap::Args;
use osel_core::finding::REASON_CHARS_MAX;

use super::person::Whom;
use crate::cli::StoreArg;
use crate::cli::order::{Given, Orders, reason};
use crate::cli::output::note;
use crate::runtime::control::Ask;

/// What is said where no record is about the person, and that is no order yet.
const UNKNOWN: &str = "nothing was changed. Look at the spelling; --even-if-unknown erases what messages, saved states and the search index have of \
                       whoever is meant";
/// What is said of what would be done all the same.
const UNKNOWN_ALL_THE_SAME: &str =
    "what messages, saved states and the search index have of whoever is meant would go; nothing was changed";

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
    if args.dry_run || !args.even_if_unknown {
        let kept = args.whom.look(&mut *reader)?;
        let id = kept.user_id.as_deref().unwrap_or("unknown");
        let (Some(first), Some(last)) = (kept.first_seq, kept.last_seq) else {
            let (what, code) = match args.even_if_unknown {
                true => (UNKNOWN_ALL_THE_SAME, ExitCode::SUCCESS),
                false => (UNKNOWN, ExitCode::from(1)),
            };
            note(format_args!("no record has a part about such a person that can be read; {what}"));
            return Ok(code);
        };
        if args.dry_run {
            note(format_args!(
                "{} records from {first} to {last} are about the person (user id: {id}), and lose what they have of them but the id; nothing was changed",
                kept.records
            ));
            return Ok(ExitCode::SUCCESS);
        }
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
