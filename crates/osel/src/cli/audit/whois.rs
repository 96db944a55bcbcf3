//! `osel audit whois`: who a pseudonym is.
//!
//! Nothing is kept for it: the view of each record is made once more, and it is watched what becomes of whom.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use osel_core::pseudonym::{About, watched};
use osel_core::time::Timestamp;
use serde::{Serialize, Serializer};

use super::read::{damaged, record};
use super::reading;
use crate::cli::output::{Failure, ShowFormat, Table, json_line, note, stdout};
use crate::cli::{StoreArg, pseudonyms};
use crate::runtime::pseudonym_key::in_file;

/// Tells who pseudonyms are: what stands in the records in their place.
///
/// Takes the key of the pseudonyms, which lies beside the store or where the configuration says, and reads all records. Where an osel runs, that
/// somebody asked becomes a record, as with `osel audit search`.
#[derive(Debug, Args)]
pub struct WhoisArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The pseudonyms, such as name-7f3a9c01d2e4b5a69788.
    #[arg(required = true, value_name = "PSEUDONYM")]
    pseudonyms: Vec<String>,
    /// A file with the key that they were made by; without it the key that is in force.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: ShowFormat,
}

/// Whom a pseudonym stands for.
#[derive(Debug, Serialize)]
struct Found {
    pseudonym: String,
    /// What the text says of a person.
    about: &'static str,
    text: String,
    /// In how many records it stands.
    records: u64,
    #[serde(skip)]
    last_seq: u64,
    /// When the first of them happened, and the last.
    #[serde(serialize_with = "as_text")]
    first: Timestamp,
    #[serde(serialize_with = "as_text")]
    last: Timestamp,
}

fn as_text<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(time)
}

pub(in crate::cli) fn run(args: &WhoisArgs) -> anyhow::Result<ExitCode> {
    for asked in &args.pseudonyms {
        if About::of_pseudonym(asked).is_none() {
            return Err(Failure::Usage(format!(
                "`{asked}` is no pseudonym, such as name-7f3a9c01d2e4b5a69788"
            ))
            .into());
        }
    }
    let key = match &args.key {
        Some(file) => {
            in_file(file)?.ok_or_else(|| Failure::Usage(format!("`{}` is not there", file.display())))?
        }
        // One that was made now has made no pseudonym, and the store may be a copy that is evidence.
        None => pseudonyms::present(&args.store.config()?, args.store.file())?.ok_or_else(|| {
            Failure::Usage(
                "this store has no key of pseudonyms: give the one that made them, by --key FILE".to_owned(),
            )
        })?,
    };
    let mut reader = args.store.reader()?;
    reading::told(&args.store, &mut *reader, "whois", &args.pseudonyms.join(" "));
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    let mut bad = None;
    reader.records(1..=u64::MAX, &mut |stored| {
        let Some(record) = record(&stored) else {
            bad = Some(stored.seq);
            return ControlFlow::Break(());
        };
        let (seq, time) = (record.header.seq, record.header.time);
        watched(record, &key, &mut |about, text, pseudonym| {
            if !args.pseudonyms.iter().any(|asked| asked == pseudonym) {
                return;
            }
            let known = found.entry(pseudonym.to_owned()).or_insert_with(|| Found {
                pseudonym: pseudonym.to_owned(),
                about: about.as_str(),
                text: text.to_owned(),
                records: 0,
                last_seq: 0,
                first: time,
                last: time,
            });
            // It may stand in several places of one record.
            if known.last_seq != seq {
                known.records += 1;
                known.last_seq = seq;
                (known.first, known.last) = (known.first.min(time), known.last.max(time));
            }
        });
        ControlFlow::Continue(())
    })?;
    if let Some(seq) = bad {
        return Err(damaged(seq));
    }
    print(found.values(), args.output)?;
    let unknown: Vec<&str> =
        args.pseudonyms.iter().filter(|asked| !found.contains_key(*asked)).map(String::as_str).collect();
    if unknown.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    note(format_args!("nobody in these records is called so by this key: {}", unknown.join(", ")));
    Ok(ExitCode::from(1))
}

fn print<'a>(found: impl Iterator<Item = &'a Found>, format: ShowFormat) -> anyhow::Result<()> {
    let mut out = stdout();
    // Whom a pseudonym stands for is what was asked: neither of the two is ever cut.
    let mut table = Table::new(&["PSEUDONYM", "ABOUT", "RECORDS", "FIRST", "LAST", "WHO"])
        .keeping(&["PSEUDONYM"])
        .folding("FIRST");
    for found in found {
        if format == ShowFormat::Json {
            json_line(&mut out, found)?;
            continue;
        }
        table.row(vec![
            found.pseudonym.clone(),
            found.about.to_owned(),
            found.records.to_string(),
            found.first.in_seconds(),
            found.last.in_seconds(),
            found.text.clone(),
        ]);
    }
    if !table.is_empty() {
        write!(out, "{table}")?;
    }
    Ok(out.flush()?)
}
