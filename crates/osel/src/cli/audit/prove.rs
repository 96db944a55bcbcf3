//! `osel audit prove`: a short proof that one record is in the trail.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use osel_core::trail::log::{Checkpoint, LogProof};
use osel_core::trail::{Hash, leaf_hash};
use serde::Serialize;

use super::read::damaged;
use crate::cli::StoreArg;
use crate::cli::output::{json_line, note, stdout};
use crate::runtime::log::{Inclusion, inclusion};
use crate::store::{Reader, SignedCheckpoint};

/// Proves that a record is in the trail.
///
/// The proof has the record's place in the Merkle tree over all records (RFC 6962), and the hashes that lead from the record to the
/// root. As JSON it has the tree's size and root besides: whoever noted the root needs nothing else to check the record. As
/// tlog-proof, the form of C2SP, it has the signed checkpoint: whoever has the verifier key (`osel log key`) needs nothing else.
/// docs/trail-format.md says how.
#[derive(Debug, Args)]
pub struct ProveArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The record's number.
    seq: u64,
    /// The tree over the first N records only, such as one whose root was noted; for a tlog-proof one that a checkpoint is kept of.
    #[arg(long, value_name = "N")]
    tree_size: Option<u64>,
    /// The form.
    #[arg(long, value_enum, default_value_t)]
    format: ProofFormat,
    /// `json` is the same as --format json.
    #[arg(short, long, value_enum, conflicts_with = "format")]
    output: Option<ProofOutput>,
}

/// The forms of a proof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ProofFormat {
    /// One JSON object, for the tree over all records.
    #[default]
    Json,
    /// The text of C2SP's tlog-proof, for the tree of the latest checkpoint.
    TlogProof,
}

/// How every other command is told to print JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ProofOutput {
    /// One JSON object.
    Json,
}

#[derive(Debug, Serialize)]
struct Proof {
    seq: u64,
    index: u64,
    tree_size: u64,
    leaf_hash: String,
    root_hash: String,
    path: Vec<String>,
}

pub(in crate::cli) fn run(args: &ProveArgs) -> anyhow::Result<ExitCode> {
    let mut reader = args.store.reader()?;
    let signed = match args.format {
        ProofFormat::Json => None,
        ProofFormat::TlogProof => {
            let Some(signed) = signed(&mut *reader, args.tree_size)? else { return Ok(ExitCode::from(1)) };
            Some(signed)
        }
    };
    let last = reader.head()?.seq;
    let size = signed.as_ref().map(|signed| signed.size).or(args.tree_size).unwrap_or(last);
    if size > last {
        note(format_args!("there is no tree of {size} records: the last one is {last}"));
        return Ok(ExitCode::from(1));
    }
    let Some(index) = args.seq.checked_sub(1).filter(|&index| index < size) else {
        note(format_args!("there is no record {} among the first {size}", args.seq));
        return Ok(ExitCode::from(1));
    };
    let Inclusion { leaf, root, path } = inclusion(&mut *reader, index, size)?;
    // Whoever gets the proof has the record's bytes, not the hash beside them.
    let record = reader.record(args.seq)?.filter(|record| leaf_hash(&record.canonical) == leaf);
    if record.is_none() {
        return Err(damaged(args.seq));
    }
    let mut out = stdout();
    if let Some(signed) = signed {
        if Checkpoint::read_unverified(signed.note.as_bytes())?.root != root {
            anyhow::bail!(
                "the checkpoint of {size} records does not fit the records: run `osel audit verify`"
            );
        }
        out.write_all(LogProof { index, path, checkpoint: signed.note }.text().as_bytes())?;
    } else {
        let proof = Proof {
            seq: args.seq,
            index,
            tree_size: size,
            leaf_hash: leaf.to_string(),
            root_hash: root.to_string(),
            path: path.iter().map(Hash::to_string).collect(),
        };
        json_line(&mut out, &proof)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The checkpoint of that size, or the latest; none where it is not kept, which is said.
fn signed(reader: &mut dyn Reader, size: Option<u64>) -> anyhow::Result<Option<SignedCheckpoint>> {
    let signed = reader.checkpoint(size)?;
    match (signed, size) {
        (Some(signed), size) if size.is_none_or(|size| size == signed.size) => return Ok(Some(signed)),
        (Some(before), Some(size)) => {
            note(format_args!(
                "no checkpoint of {size} records is kept: the one before is of {}",
                before.size
            ));
        }
        (_, Some(size)) => note(format_args!("no checkpoint of {size} records or less is kept")),
        (_, None) => note("this log has no checkpoint: nothing of it is signed yet"),
    }
    Ok(None)
}
