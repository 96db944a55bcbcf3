//! `osel store retention`: what a store has, what of it would go, and letting go of it where no daemon does.

mod classes;

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use osel_core::engine::{BudgetState, Retention};
use osel_core::time::Timestamp;
use serde::Serialize;

use crate::cli::StoreArg;
use crate::cli::config::variable;
use crate::cli::open::now;
use crate::cli::order::{let_all_go, recorder};
use crate::cli::output::{Failure, OutputFormat, Table, json_line, note, stdout};
use crate::config::{CONFIG_VARIABLE, Config, DEFAULT_FILE, RetentionClass};
use crate::runtime::Recorder;
use crate::runtime::retention::policy::Kept;
use crate::runtime::retention::survey::look;
use crate::runtime::retention::{Decision, Policy, survey};
use crate::store::{QuarantineState, RESOLVED, Reader};

/// Shows what there is in a store and what of it would go by the policy of the configuration.
///
/// A running daemon lets go by itself: --apply does the same where none runs. What goes is written down first, in records of the kind
/// `system`. Records themselves never go, only parts of them, and the trail verifies as before.
#[derive(Debug, Args)]
pub struct RetentionArgs {
    #[command(flatten)]
    store: StoreArg,
    /// Lets go of it. Only with a configuration file or a variable OSEL_RETENTION__… that says what is kept.
    #[arg(long)]
    apply: bool,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: OutputFormat,
}

/// One kind of what there is; null where nobody counts, nothing is there or nothing goes.
#[derive(Debug, Default, Serialize)]
struct Line {
    kind: String,
    count: Option<u64>,
    bytes: Option<u64>,
    oldest: Option<String>,
    goes: Option<Goes>,
}

/// What goes of a kind.
#[derive(Debug, Serialize)]
struct Goes {
    /// Up to which entry or record, where it goes by number.
    #[serde(skip_serializing_if = "Option::is_none")]
    up_to: Option<u64>,
    /// Before which time, where it is told by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
}

pub(super) fn run(args: &RetentionArgs) -> anyhow::Result<ExitCode> {
    let store = &args.store;
    let (policy, classes, origin) = match Config::load_retention(store.file(), &variable) {
        Ok((retention, origin)) => (Policy::from(&retention), retention.classes, origin),
        Err(problems) => return Err(Failure::Usage(problems.to_string()).into()),
    };
    if args.apply && !origin.is_there() {
        // Nobody gets back what a policy let go that was not meant.
        return Err(Failure::Usage(format!(
            "nothing says what is kept: give -c FILE, set a variable OSEL_RETENTION__…, or have a configuration at {DEFAULT_FILE} or in \
             {CONFIG_VARIABLE}"
        ))
        .into());
    }
    note(format_args!("what is kept is said by: {origin}"));
    let now = now();
    if !args.apply {
        let mut reader = store.reader()?;
        let kept = look(&mut *reader, &policy, now)?;
        let decision = survey(&mut *reader, &policy, now, BudgetState::Within)?;
        print(&lines(&mut *reader, &kept, &decision, &classes)?, args.output)?;
        say(&decision);
        return Ok(ExitCode::SUCCESS);
    }
    // A writer makes the store where there is none: this command has nothing to do in a new one.
    let journal = store.existing_writer()?;
    let mut reader = journal.reader()?;
    let mut recorder = recorder(journal, &store.config()?, store.file())?;
    let mut kept = look(&mut *reader, &policy, now)?;
    let mut decision = survey(&mut *reader, &policy, now, BudgetState::Within)?;
    if decision.wants_snapshot {
        // Behind a new one more may go: nothing is written down before it is known how much.
        recorder.finish()?;
        kept = look(&mut *reader, &policy, now)?;
        decision = survey(&mut *reader, &policy, now, BudgetState::Within)?;
    }
    print(&lines(&mut *reader, &kept, &decision, &classes)?, args.output)?;
    say(&decision);
    apply(&mut recorder, decision, now)?;
    recorder.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// Writes down what goes, and lets go of it.
fn apply(recorder: &mut Recorder, decision: Decision, now: Timestamp) -> anyhow::Result<()> {
    if let Some(before) = decision.resolved_before {
        recorder.drop_resolved(before);
    }
    recorder.let_go(now, decision.told, decision.expiry)?;
    recorder.flush()?;
    let_all_go(recorder)
}

fn lines(
    reader: &mut dyn Reader,
    kept: &Kept,
    decision: &Decision,
    classes: &[RetentionClass],
) -> anyhow::Result<Vec<Line>> {
    let (head, holdings, checkpoint) = (kept.head, &kept.holdings, kept.expiry.checkpoint);
    let mut lines = Vec::new();
    let inputs = decision.told.iter().find_map(|told| match told {
        Retention::Inputs { entry, before, .. } => Some((*entry, *before)),
        _ => None,
    });
    lines.push(Line {
        kind: "inputs".to_owned(),
        count: Some(head.entry - checkpoint.entry),
        bytes: Some(holdings.input_bytes),
        oldest: reader.entry(checkpoint.entry + 1)?.map(|entry| entry.at.to_string()),
        goes: inputs.map(|(entry, before)| Goes { up_to: Some(entry), before: Some(before.to_string()) }),
    });
    lines.push(Line { kind: "states".to_owned(), bytes: Some(holdings.version_bytes), ..Line::default() });
    lines.push(Line {
        kind: "snapshots".to_owned(),
        count: Some(kept.snapshots.len() as u64),
        bytes: Some(holdings.snapshot_bytes),
        oldest: kept.snapshots.last().map(|info| info.made_at.to_string()),
        goes: None,
    });
    lines.extend(classes::lines(reader, kept, decision, classes)?);
    let (mut held, mut oldest) = (0, None);
    reader.quarantine(Some(QuarantineState::Held), &mut |item| {
        if item.at >= kept.expiry.quarantine_before || item.entry > checkpoint.entry {
            held += 1;
            oldest.get_or_insert_with(|| item.at.to_string());
        }
        std::ops::ControlFlow::Continue(())
    })?;
    let before = decision.told.iter().find_map(|told| match told {
        Retention::Quarantine { before, .. } => Some(Goes { up_to: None, before: Some(before.to_string()) }),
        _ => None,
    });
    lines.push(Line {
        kind: "quarantine".to_owned(),
        count: Some(held),
        oldest,
        goes: before,
        ..Line::default()
    });
    let (mut resolved, mut oldest) = (0, None);
    reader.findings(Some(RESOLVED), &mut |row| {
        resolved += 1;
        oldest = oldest.map_or(Some(row.updated_at), |oldest| Some(row.updated_at.min(oldest)));
        std::ops::ControlFlow::Continue(())
    })?;
    let goes = decision.resolved_before.map(|time| Goes { up_to: None, before: Some(time.to_string()) });
    let oldest = oldest.map(|oldest: Timestamp| oldest.to_string());
    lines.push(Line { kind: "resolved".to_owned(), count: Some(resolved), oldest, goes, ..Line::default() });
    lines.push(Line { kind: "store".to_owned(), bytes: Some(holdings.used_bytes), ..Line::default() });
    Ok(lines)
}

fn print(lines: &[Line], format: OutputFormat) -> anyhow::Result<()> {
    let mut out = stdout();
    let mut table = Table::new(&["KIND", "COUNT", "BYTES", "OLDEST", "GOES"]);
    if format == OutputFormat::Csv {
        writeln!(out, "kind,count,bytes,oldest,goes_up_to,goes_before")?;
    }
    for line in lines {
        let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        let oldest = line.oldest.clone().unwrap_or_default();
        let up_to = line.goes.as_ref().and_then(|goes| goes.up_to);
        let before = line.goes.as_ref().and_then(|goes| goes.before.as_deref());
        let cells = [line.kind.clone(), number(line.count), number(line.bytes), oldest];
        match format {
            OutputFormat::Json => json_line(&mut out, line)?,
            // Words, numbers and times: nothing that would have to be quoted.
            OutputFormat::Csv => {
                writeln!(out, "{},{},{}", cells.join(","), number(up_to), before.unwrap_or_default())?;
            }
            OutputFormat::Table => {
                let goes = match (up_to, before) {
                    (_, Some(before)) => format!("before {before}"),
                    (Some(up_to), None) => format!("up to record {up_to}"),
                    (None, None) => String::new(),
                };
                table.row([&cells[..], &[goes]].concat());
            }
        }
    }
    if format == OutputFormat::Table {
        write!(out, "{table}")?;
    }
    Ok(out.flush()?)
}

fn say(decision: &Decision) {
    if let Some(id) = decision.unreadable {
        note(format_args!("snapshot {id} cannot be read by this osel: nothing goes behind it"));
    }
    if decision.counted_until.is_some() {
        note(
            "the clock is more than a day ahead of the last message (nothing was heard for so long, or the clock is wrong): ages are counted as if that \
             were a day ago",
        );
    }
    match decision.budget {
        BudgetState::Within => {}
        BudgetState::Tight => note("the disk budget will be used up"),
        BudgetState::Biting => note("the disk budget is nearly used up: the oldest goes early"),
        BudgetState::Exhausted => note("the disk budget is nearly used up, and nothing more may go"),
    }
}
