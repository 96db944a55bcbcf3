//! `osel log prove`: a short proof that the log only grew.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use osel_core::trail::Hash;
use osel_core::trail::log::Checkpoint;
use serde::Serialize;

use super::{read_note, unsigned};
use crate::cli::StoreArg;
use crate::cli::output::{Failure, json_line, note, stdout};
use crate::runtime::log::{consistency, root};

/// Proves that the log goes on from an earlier checkpoint, in one JSON object.
///
/// The object has both trees' sizes and roots, the checkpoint of the later one, and the hashes that lead from one to the other
/// (RFC 6962, consistency proof). Whoever kept the earlier checkpoint needs nothing else to see that nothing it stood for was changed
/// or taken away; docs/trail-format.md says how. When the log had another root, nothing is proved: the exit code is 1.
#[derive(Debug, Args)]
pub struct ProveArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The earlier checkpoint, in a file as it was served or exported, or the number of records it stands for.
    #[arg(long, value_name = "SIZE|FILE")]
    since: String,
    /// The later tree is the one over the first N records; else that of the latest checkpoint.
    #[arg(long, value_name = "N")]
    tree_size: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Proof {
    since_size: u64,
    since_root_hash: String,
    tree_size: u64,
    root_hash: String,
    path: Vec<String>,
    /// None when none of this size is kept.
    checkpoint: Option<String>,
}

pub(super) fn run(args: &ProveArgs) -> anyhow::Result<ExitCode> {
    let since = since(&args.since)?;
    let mut reader = args.store.reader()?;
    let Some(latest) = reader.checkpoint(None)? else { return Ok(unsigned()) };
    let last = reader.head()?.seq;
    let size = args.tree_size.unwrap_or(latest.size);
    if size > last {
        note(format_args!("there is no tree of {size} records: the last one is {last}"));
        return Ok(ExitCode::from(1));
    }
    if since.size() > size {
        note(format_args!("a log of {size} records cannot go on from one of {}", since.size()));
        return Ok(ExitCode::from(1));
    }
    if let Since::Checkpoint(earlier) = &since {
        let own = Checkpoint::read_unverified(latest.note.as_bytes())?.origin;
        if own.as_str() != earlier.origin.as_str() {
            note(format_args!("that is a checkpoint of the log `{}`, this one is `{own}`", earlier.origin));
            return Ok(ExitCode::from(1));
        }
        if root(&mut *reader, earlier.size)? != earlier.root {
            let size = earlier.size;
            note(format_args!(
                "this log has another root at {size} records: it is not the one that was signed then"
            ));
            return Ok(ExitCode::from(1));
        }
    }
    let proof = consistency(&mut *reader, since.size(), size)?;
    let signed = reader.checkpoint(Some(size))?.filter(|signed| signed.size == size);
    let mut out = stdout();
    json_line(
        &mut out,
        &Proof {
            since_size: since.size(),
            since_root_hash: proof.since_root.to_string(),
            tree_size: size,
            root_hash: proof.root.to_string(),
            path: proof.path.iter().map(Hash::to_string).collect(),
            checkpoint: signed.map(|signed| signed.note),
        },
    )?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// What the log goes on from.
enum Since {
    Size(u64),
    Checkpoint(Checkpoint),
}

impl Since {
    fn size(&self) -> u64 {
        match self {
            Self::Size(size) => *size,
            Self::Checkpoint(checkpoint) => checkpoint.size,
        }
    }
}

/// What the flag names. The signatures of a checkpoint do not matter: its root is compared with ours.
fn since(text: &str) -> anyhow::Result<Since> {
    if let Ok(size) = text.parse() {
        return Ok(Since::Size(size));
    }
    let bytes = read_note(Path::new(text))?;
    let checkpoint = Checkpoint::read_unverified(&bytes);
    let checkpoint = checkpoint
        .map_err(|error| Failure::Usage(format!("--since {text}: it is no checkpoint: {error}")))?;
    Ok(Since::Checkpoint(checkpoint))
}
