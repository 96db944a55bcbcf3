//! `osel privacy erase`: destroys what is kept of a person.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Args;
use osel_core::finding::REASON_CHARS_MAX;

use super::person::{Kept, Whom};
use crate::cli::StoreArg;
use crate::cli::order::{Given, Orders, reason};
use crate::cli::output::note;
use crate::runtime::control::Ask;
use crate::runtime::record::read_record;
use crate::store::Reader;

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
    // Before it is looked: who orders the same meanwhile finds the person as well.
    let head = reader.head()?.seq;
    let under_way: Vec<u64> =
        reader.erasures()?.iter().filter(|row| !row.is_done).map(|row| row.seq).collect();
    let is_looked_for = args.dry_run || !args.even_if_unknown;
    let kept = if is_looked_for { Some(args.whom.look(&mut *reader)?) } else { None };
    warn_of(&reason, &names(&args.whom, kept.as_ref()));
    let mut user_id = None;
    if let Some(kept) = kept {
        let (Some(first), Some(last)) = (kept.first_seq, kept.last_seq) else {
            let (what, code) = match args.even_if_unknown {
                true => (UNKNOWN_ALL_THE_SAME, ExitCode::SUCCESS),
                false => (UNKNOWN, ExitCode::from(1)),
            };
            note(format_args!("no record has a part about such a person that can be read; {what}"));
            return Ok(code);
        };
        if args.dry_run {
            let id = kept.user_id.as_deref().unwrap_or("unknown");
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

/// By what the person would be known in a reason: the words of the command, and what records have. The user's id stays anyway.
fn names(whom: &Whom, kept: Option<&Kept>) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = whom.user.iter().chain(&whom.address).cloned().collect();
    if let Some(kept) = kept {
        let fields = ["name", "address"].iter().filter_map(|field| kept.values.get(field));
        names.extend(fields.flatten().cloned());
        names.remove(kept.user_id.as_deref().unwrap_or("unknown"));
    }
    names
}

/// Says that a reason names the person: it is part of a record, and no erasure reaches it.
fn warn_of(reason: &str, names: &BTreeSet<String>) {
    if names.iter().any(|name| has_word(reason, name)) {
        note(
            "--reason names the person, and stays as long as the record does: the number of a ticket says as much",
        );
    }
}

/// Whether a word stands in a text by itself, in whatever case.
fn has_word(text: &str, word: &str) -> bool {
    let (text, word) = (text.to_lowercase(), word.to_lowercase());
    let is_apart = |char: Option<char>| char.is_none_or(|char| !char.is_alphanumeric());
    let ends = |(at, found): (usize, &str)| {
        let (before, behind) = (text.get(..at), text.get(at + found.len()..));
        is_apart(before.and_then(|text| text.chars().next_back()))
            && is_apart(behind.and_then(|text| text.chars().next()))
    };
    !word.is_empty() && text.match_indices(&word).any(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_known_by_the_words_of_the_command_and_of_records_and_not_by_the_id() {
        let whom = Whom { user: Some("u1".into()), address: None };
        assert!(names(&whom, None).iter().eq(["u1"]));
        let values = [("name", BTreeSet::from(["ada".into()])), ("agent", BTreeSet::from(["curl".into()]))];
        let kept = Kept { user_id: Some("u1".into()), values: values.into(), ..Kept::default() };
        assert!(names(&whom, Some(&kept)).iter().eq(["ada"]));
    }

    #[test]
    fn a_name_in_a_reason_is_a_word_of_it() {
        let check = |text, word, is_it| assert_eq!(has_word(text, word), is_it, "{text} {word}");
        check("request of Ada, DSB-77", "ada", true);
        check("ZOË.NOBODY asked", "zoë.nobody", true);
        check("metadata, adanother", "ada", false);
        check("an adad ada", "ada", true);
        check("because", "", false);
    }
}
