//! `osel audit prove`: a short proof that one record is in the trail.

use std::io::Write;
use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use osel_core::trail::{Hash, Prover, Tree, inclusion_plan, leaf_hash, verify_inclusion};
use serde::Serialize;

use crate::cli::StoreArg;
use crate::cli::output::{json_line, note, progress, stdout};
use crate::store::{Reader, StoredRecord};

/// Proves that a record is in the trail, in one JSON object.
///
/// The object has the record's place in the Merkle tree over all records (RFC 6962), the tree's size and root, and the hashes that
/// lead from the record to the root. Whoever noted the root needs nothing else to check the record; docs/trail-format.md says how.
#[derive(Debug, Args)]
pub struct ProveArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The record's number.
    seq: u64,
    /// The tree over the first N records only, such as one whose root was noted.
    #[arg(long, value_name = "N")]
    tree_size: Option<u64>,
    /// How to print: there is one form.
    #[arg(short, long, value_enum, default_value_t)]
    output: ProofOutput,
}

/// How a proof is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ProofOutput {
    /// One JSON object.
    #[default]
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
    let ProofOutput::Json = args.output;
    let mut reader = args.store.reader()?;
    let last = reader.head()?.seq;
    let size = args.tree_size.unwrap_or(last);
    if size > last {
        note(format_args!("there is no tree of {size} records: the last one is {last}"));
        return Ok(ExitCode::from(1));
    }
    let plan = args.seq.checked_sub(1).and_then(|index| Some((index, inclusion_plan(index, size)?)));
    let Some((index, plan)) = plan else {
        note(format_args!("there is no record {} among the first {size}", args.seq));
        return Ok(ExitCode::from(1));
    };
    let (mut tree, mut prover, mut leaf) = (Tree::default(), Prover::new(plan), Hash::ZERO);
    each_leaf(&mut *reader, size, &mut |hash| {
        if tree.size() == index {
            leaf = hash;
        }
        tree.push(hash);
        prover.push(hash);
    })?;
    let (root, path) = (tree.root(), prover.finish().unwrap_or_default());
    // The proof is worked out apart from the root: should one be wrong, better nobody gets it.
    verify_inclusion(leaf, index, size, &path, root)?;
    let proof = Proof {
        seq: args.seq,
        index,
        tree_size: size,
        leaf_hash: leaf.to_string(),
        root_hash: root.to_string(),
        path: path.iter().map(Hash::to_string).collect(),
    };
    let mut out = stdout();
    json_line(&mut out, &proof)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The leaves of the first `size` records, worked out from their bytes.
fn each_leaf(reader: &mut dyn Reader, size: u64, each: &mut dyn FnMut(Hash)) -> anyhow::Result<()> {
    let bar = progress("records");
    let (mut next, mut good) = (1, true);
    reader.records(1..=size, &mut |StoredRecord { seq, canonical, hash, .. }| {
        let leaf = leaf_hash(&canonical);
        good = seq == next && leaf.0 == hash;
        if !good {
            return ControlFlow::Break(());
        }
        each(leaf);
        next += 1;
        bar.inc(1);
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    if !good || next != size + 1 {
        anyhow::bail!("record {next} is damaged or missing: run `osel audit verify`");
    }
    Ok(())
}
