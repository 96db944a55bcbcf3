//! `osel audit verify`: walks the chain and names the first bad record.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use osel_core::trail::log::VerifierKey;
use osel_core::trail::{NotedHead, PartClass};
use serde_json::{Value, json};

use crate::cli::StoreArg;
use crate::cli::open::{reader_at, store_of_flag};
use crate::cli::output::{Failure, ShowFormat, answered, json_line, progress_of, stdout};
use crate::cli::trail_key;
use crate::runtime::log::{BadLog, LogFound};
use crate::runtime::missing::{Later, Untold};
use crate::runtime::verification::{Finding, verify_signed};
use crate::store::Reader;

/// Checks the whole trail and names the first bad record.
///
/// Every record's hash covers its content and its predecessor's hash, so that a flipped, removed, inserted or swapped one shows. The log over
/// the records is checked with them: its tree, and every checkpoint that is kept with its signature. A tail that was cut with its
/// checkpoints does not show by itself: note the head that this prints somewhere else, and give it back with --head.
///
/// What is missing is held against what the trail tells: parts that neither retention nor an erasure took were taken by somebody, and count as bad.
///
/// So do parts about persons that are there and have no key, as in an older copy of a store that is read with later keys: its own records cannot tell that a
/// key went as it should. The store of now can: give it with --later. It is verified too, with the key that is known of it, and has to go on from the
/// copy; while it carries out an erasure it cannot tell.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    store: StoreArg,
    /// A head noted earlier, as this command prints it (SEQ:HASH).
    #[arg(long, value_name = "HEAD")]
    head: Option<String>,
    /// The store of which this one is an older copy, as it is now: a directory or a postgresql:// URL. What its records tell of retention and erasures since
    /// explains keys that are not here any more.
    #[arg(long, value_name = "STORE")]
    later: Option<PathBuf>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: ShowFormat,
}

pub(in crate::cli) fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let noted = args.head.as_deref().map(str::parse::<NotedHead>).transpose();
    let noted = noted.map_err(|error| Failure::Usage(format!("--head: {error}")))?;
    let known = trail_key::known(&args.store.config()?, args.store.file());
    let mut reader = args.store.reader()?;
    let later = match &args.later {
        Some(store) => Some(later(store, args.store.file(), known.as_ref(), &mut *reader)?),
        None => None,
    };
    let (later, later_log) = later.unzip();
    let bar = progress_of("records", reader.head()?.seq);
    let finding = verify_signed(&mut *reader, noted, known, later, &mut || bar.inc(1))?;
    bar.finish_and_clear();
    let code = match finding {
        Finding::Good { untold, .. } if untold.is_nothing() => ExitCode::SUCCESS,
        Finding::Good { .. } | Finding::Bad { .. } | Finding::BadLog(_) => ExitCode::from(1),
    };
    answered(tell(&finding, later_log.as_ref(), args.output), code)
}

/// What became of the store since this copy of it, and what is signed there; an error unless it is good itself, and goes on from the copy.
fn later(
    store: &Path,
    file: Option<&Path>,
    known_to_copy: Option<&VerifierKey>,
    copy: &mut dyn Reader,
) -> anyhow::Result<(Later, LogFound)> {
    let shown = "the store of --later";
    let store = store_of_flag("--later", store)?;
    let known = trail_key::known(&store, file).or_else(|| known_to_copy.cloned());
    let mut reader = reader_at(&store)?;
    // Before it is verified: what is read later nobody has vouched for.
    let later = match Later::since(copy.head()?, &copy.log_keys()?, &mut *reader)? {
        Ok(later) => later,
        Err(why) => anyhow::bail!("{shown} {why}"),
    };
    let bar = progress_of("records of the later store", reader.head()?.seq);
    let finding = verify_signed(&mut *reader, None, known, None, &mut || bar.inc(1))?;
    bar.finish_and_clear();
    match finding {
        Finding::Good { untold, .. } if untold.is_nothing() && untold.is_overstated => {
            anyhow::bail!(
                "{shown} says that more may be missing than its records tell, so that it tells nothing"
            )
        }
        Finding::Good { untold, log, .. } if untold.is_nothing() => Ok((later, *log)),
        Finding::BadLog(BadLog { size, why }) => {
            anyhow::bail!(
                "{shown} is not good itself, so that it tells nothing: its log of {size} records is bad: {why}"
            )
        }
        _ => anyhow::bail!("{shown} is not good itself, so that it tells nothing: verify that first"),
    }
}

fn tell(finding: &Finding, later: Option<&LogFound>, format: ShowFormat) -> io::Result<()> {
    let mut out = stdout();
    match (finding, format) {
        (Finding::Good { records, head, parts, untold, log }, ShowFormat::Json) => {
            let missing: BTreeMap<&str, u64> =
                PartClass::ALL.into_iter().map(|class| (class.as_str(), parts.missing(class))).collect();
            let head = head.to_string();
            json_line(
                &mut out,
                &json!({
                    "verified": untold.is_nothing(),
                    "records": records,
                    "head": head,
                    "missing": missing,
                    "missing_untold": untold.parts,
                    "first_untold": untold.first,
                    "locked": untold.locked,
                    "first_locked": untold.first_locked,
                    "log": log_json(log),
                    "later_log": later.map(log_json),
                }),
            )?;
        }
        (Finding::Good { records, head, parts, untold, log }, _) => {
            if let Untold { parts, first: Some(first), .. } = untold {
                writeln!(
                    out,
                    "{parts} parts are missing that no record tells of, the first of record {first}"
                )?;
            }
            if let Untold { locked, first_locked: Some(first), .. } = untold {
                writeln!(
                    out,
                    "{locked} parts about persons are there, sealed, and their keys are not, the first of record {first}: the keys went with retention or \
                     erasures since, if this is an older copy beside later keys, or somebody took them (--later STORE tells which)"
                )?;
            }
            if untold.is_nothing() {
                writeln!(out, "{records} records verified: nothing changed, removed, inserted or swapped")?;
            } else {
                writeln!(
                    out,
                    "NOT verified: of {records} records none was changed, inserted or swapped, and what stands above is missing"
                )?;
            }
            writeln!(out, "parts: {parts}")?;
            writeln!(out, "log: {}", log_line(log))?;
            if let Some(later) = later {
                writeln!(out, "log of the later store: {}", log_line(later))?;
            }
            writeln!(out, "head: {head}")?;
        }
        (Finding::Bad { seq, why }, ShowFormat::Json) => {
            json_line(&mut out, &json!({"verified": false, "bad": seq, "reason": why}))?;
        }
        (Finding::BadLog(BadLog { size, why }), ShowFormat::Json) => {
            json_line(&mut out, &json!({"verified": false, "bad_log": size, "reason": why}))?;
        }
        (Finding::BadLog(BadLog { size, why }), _) => {
            writeln!(out, "the log of {size} records is bad: {why}")?;
        }
        (Finding::Bad { seq, why }, _) => {
            writeln!(out, "record {seq} is the first bad one: {why}")?;
        }
    }
    out.flush()
}

fn log_json(log: &LogFound) -> Value {
    json!({
        "checkpoints": log.checkpoints,
        "missing_nodes": log.missing_nodes,
        "signed": log.signed,
        "key": log.key,
        "known": log.is_known,
    })
}

/// What was signed, and by whom.
fn log_line(log: &LogFound) -> String {
    let LogFound { checkpoints, signed, key, is_known, missing_nodes, .. } = log;
    let mut line = match key {
        None => "nothing is signed".to_owned(),
        Some(key) => {
            let voucher = if *is_known { "the key known here" } else { "which nobody vouches for here" };
            let s = if *checkpoints == 1 { "" } else { "s" };
            format!("{checkpoints} checkpoint{s}, the last of {signed} records, signed by {key}, {voucher}")
        }
    };
    if *missing_nodes > 0 {
        line.push_str("; parts of its tree are missing and made when the store is written next");
    }
    line
}
