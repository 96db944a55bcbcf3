//! `osel log show` and `osel log key`: where the log stands, and whose signature is to be believed.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use osel_core::time::Timestamp;
use osel_core::trail::log::Checkpoint;
use serde::Serialize;

use super::unsigned;
use crate::cli::StoreArg;
use crate::cli::open::now;
use crate::cli::output::{ShowFormat, json_line, note, stdout};
use crate::cli::trail_key;
use crate::store::{Reader, WitnessedRow};

/// Shows where the log stands: its name and key, how many records there are, and what was signed last.
#[derive(Debug, Args)]
pub struct ShowArgs {
    #[command(flatten)]
    store: StoreArg,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: ShowFormat,
}

/// Prints the verifier key of the log and nothing else.
///
/// It is that of the key in the configuration or the store's folder; for whoever may not read that one, the key that the store names. Whoever checks the log needs it, from you and not from the log itself: `osel-verify --key`, and everything that reads C2SP's
/// verifier keys (NAME+ID+KEY). It is no secret; nobody can sign with it.
#[derive(Debug, Args)]
pub struct KeyArgs {
    #[command(flatten)]
    store: StoreArg,
}

#[derive(Debug, Serialize)]
struct Document {
    origin: String,
    verifier_key: Option<String>,
    /// Whether the key is that of the configuration or the store's folder, and not one that the store names.
    known: bool,
    records: u64,
    tree_size: u64,
    root_hash: String,
    signed_at: String,
    age_seconds: f64,
    witnesses: Vec<Witnessed>,
}

/// What a witness has cosigned last.
#[derive(Debug, Serialize)]
struct Witnessed {
    witness: String,
    size: u64,
    at: String,
}

pub(super) fn show(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let mut reader = args.store.reader()?;
    let Some(latest) = reader.checkpoint(None)? else { return Ok(unsigned()) };
    let checkpoint = Checkpoint::read_unverified(latest.note.as_bytes())?;
    let (records, key) = (reader.head()?.seq, verifier_key(&args.store, &mut *reader)?);
    let (key, known) = key.map_or((None, false), |key| (Some(key.text), key.is_known));
    let age_seconds = age_seconds(latest.signed_at, now());
    let mut witnesses: Vec<Witnessed> = Vec::new();
    for WitnessedRow { witness, size, at, .. } in reader.witnessed()? {
        // The last one of each stands behind its earlier ones.
        witnesses.pop_if(|before| before.witness == witness);
        witnesses.push(Witnessed { witness, size, at: at.to_string() });
    }
    let mut out = stdout();
    if args.output == ShowFormat::Json {
        let document = Document {
            origin: checkpoint.origin.to_string(),
            verifier_key: key,
            known,
            records,
            tree_size: checkpoint.size,
            root_hash: checkpoint.root.to_string(),
            signed_at: latest.signed_at.to_string(),
            age_seconds,
            witnesses,
        };
        json_line(&mut out, &document)?;
    } else {
        writeln!(out, "origin        {}", checkpoint.origin)?;
        writeln!(out, "verifier key  {}", key.as_deref().unwrap_or("none"))?;
        writeln!(out, "records       {records}")?;
        writeln!(out, "signed        {}, {}, {age_seconds:.1} s ago", checkpoint.size, latest.signed_at)?;
        writeln!(out, "root          {}", checkpoint.root)?;
        for Witnessed { witness, size, at } in witnesses {
            writeln!(out, "witnessed     {size}, {at}, by {witness}")?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn key(args: &KeyArgs) -> anyhow::Result<ExitCode> {
    let Some(key) = verifier_key(&args.store, &mut *args.store.reader()?)? else { return Ok(unsigned()) };
    if !key.is_known {
        note(
            "that is the key that the store names: the one that signs is not there, is no key, or may not be read by this user",
        );
    }
    let mut out = stdout();
    writeln!(out, "{}", key.text)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Whose signature is to be believed.
struct Key {
    text: String,
    /// It is that of the key that signs, and does not come from the store's tables, which whoever can write the store can write.
    is_known: bool,
}

/// The key that signs now.
fn verifier_key(store: &StoreArg, reader: &mut dyn Reader) -> anyhow::Result<Option<Key>> {
    let signs = reader.log_keys()?.pop().map(|row| row.key);
    let Some(known) = trail_key::known(&store.config()?, store.file()) else {
        return Ok(signs.map(|text| Key { text, is_known: false }));
    };
    let text = known.to_string();
    if let Some(signs) = signs.filter(|signs| *signs != text) {
        note(format_args!(
            "warning: this key has not signed the log yet, {signs} has: it is new and osel has not run with it, or it is the wrong one (`osel audit verify`)"
        ));
    }
    Ok(Some(Key { text, is_known: true }))
}

/// How long ago that was; one that was signed by a clock ahead of ours was signed now.
fn age_seconds(signed_at: Timestamp, now: Timestamp) -> f64 {
    let micros = u64::try_from(now.micros().saturating_sub(signed_at.micros())).unwrap_or(0);
    Duration::from_micros(micros).as_secs_f64()
}
