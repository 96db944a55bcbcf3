//! `osel findings ack` and `unack`: a person knows of it and lets it be, or does not any more.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Args;
use osel_core::finding::{Finding, REASON_CHARS_MAX};

use super::{read, unknown};
use crate::cli::StoreArg;
use crate::cli::open::now;
use crate::cli::order::{Given, Orders, reason};
use crate::cli::output::{Failure, note};
use crate::cli::span::until;
use crate::runtime::control::Ask;

/// Acknowledges findings: they are known and let be, and not listed any more.
///
/// It is recorded with your name. One that is resolved and comes back is listed again.
#[derive(Debug, Args)]
pub struct AckArgs {
    #[command(flatten)]
    store: StoreArg,
    /// Their ids, as `list` prints them.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Why they are let be.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// For how long, as 90d or 12h, or until when: a date, which is its first moment in UTC, or a time; without it for ever.
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
}

/// Takes acknowledgements back.
#[derive(Debug, Args)]
pub struct UnackArgs {
    #[command(flatten)]
    store: StoreArg,
    /// Their ids, as `list --all` prints them.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

pub(super) fn ack(args: &AckArgs) -> anyhow::Result<ExitCode> {
    let reason = reason(&args.reason, REASON_CHARS_MAX)?;
    let until = args.until.as_deref().map(|text| until(text, now())).transpose();
    let until = until.map_err(|why| Failure::Usage(format!("--until: {why}")))?;
    let why_not =
        |finding: &Finding| finding.is_resolved().then_some("is resolved: there is nothing to let be");
    let words = Words { done: "acknowledged", undone: "nothing was acknowledged" };
    give(&args.store, &args.ids, why_not, words, |id| Ask::AckFinding { id, reason: reason.clone(), until })
}

pub(super) fn unack(args: &UnackArgs) -> anyhow::Result<ExitCode> {
    let why_not = |finding: &Finding| finding.ack.is_none().then_some("is not acknowledged");
    let words = Words { done: "not acknowledged any more", undone: "nothing was changed" };
    give(&args.store, &args.ids, why_not, words, |id| Ask::UnackFinding { id })
}

/// How it is said what became of an order.
struct Words {
    /// What a finding is afterwards.
    done: &'static str,
    /// That no finding was touched.
    undone: &'static str,
}

/// Gives an order about each finding, once it is known that there is something to order about all of them.
fn give(
    store: &StoreArg,
    ids: &[String],
    why_not: impl Fn(&Finding) -> Option<&'static str>,
    Words { done, undone }: Words,
    order: impl Fn(String) -> Ask,
) -> anyhow::Result<ExitCode> {
    let ids: BTreeSet<&String> = ids.iter().collect();
    let mut reader = store.reader()?;
    for id in &ids {
        let why = match reader.finding(id)? {
            None => unknown(id),
            Some(row) => match why_not(&read(&row)?) {
                None => continue,
                Some(why) => format!("finding {id} {why}"),
            },
        };
        // Of one alone that goes without saying.
        note(if ids.len() > 1 { format!("{why}; {undone}") } else { why });
        return Ok(ExitCode::from(1));
    }
    let mut orders = Orders::new(store, reader.info()?.id)?;
    let mut said = Vec::new();
    let mut code = ExitCode::SUCCESS;
    for id in ids {
        let why = match orders.give(order(id.clone()))? {
            Given::Done(Some(seq)) => {
                said.push(format!("finding {id} is {done}: record {seq}"));
                continue;
            }
            Given::Done(None) => format!("finding {id} has changed meanwhile, and nothing was done"),
            Given::No(why) => why,
        };
        said.push(why);
        code = ExitCode::from(1);
    }
    orders.finish()?;
    said.iter().for_each(note);
    Ok(code)
}
