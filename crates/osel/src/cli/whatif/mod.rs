//! `osel whatif`: what a planned change would open and close, before anybody makes it.
//!
//! Reads the plan and the model, and prints what `planned` makes of them. Nothing is written to the store.

mod table;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use osel_core::engine::Engine;
use osel_core::ids::Id;
use osel_core::model::CloudModel;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::StoreArg;
use super::open::{now, state_at};
use super::output::{Failure, answered, json_line, note, stdout};
use crate::planned::{
    Artifact, Outcome, Overlay, PLAN_BYTES_MAX, PlanError, Report, read_requests, read_terraform, sarif,
};

/// Says what a planned change would open and close, and by which way the internet would get there.
///
/// FILE has requests to Neutron's API as JSON: {"method","path","body"}, one, a list, or one after the other,
/// or just bodies such as {"security_group_rule":{...}}. With --terraform it is a plan of Terraform or
/// OpenTofu, as `terraform show -json PLAN` prints it. The plan is judged against the model; nothing is
/// changed, and nothing is written to the store. What cannot be known before is noted, and counts as open.
///
/// Exit codes: 0 done; 1 with --exit-code, when the plan does what --fail-on names; 2 the plan makes no sense,
/// or Neutron would refuse it for a reason that is checked; 3 the file or the store cannot be opened.
#[derive(Debug, Args)]
pub struct WhatifArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The state after a record, by its number, or at a time (RFC 3339), in place of the present.
    #[arg(long, value_name = "SEQ|TIME")]
    at: Option<String>,
    /// The region that the change is planned for, where the store has several.
    #[arg(long, value_name = "NAME")]
    region: Option<String>,
    /// The project of whoever makes the change, where the plan does not say: new ports get its default group.
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// The plan, as `terraform show -json PLAN` prints it; - for standard input.
    #[arg(long, value_name = "PLAN.json", conflicts_with = "file")]
    terraform: Option<PathBuf>,
    /// Requests to Neutron's API; - for standard input.
    #[arg(value_name = "FILE|-", required_unless_present = "terraform")]
    file: Option<PathBuf>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    /// Exit with 1 when the plan does what --fail-on names.
    #[arg(long)]
    exit_code: bool,
    /// What is not accepted, with --exit-code.
    #[arg(
        long,
        value_name = "WHAT",
        value_enum,
        value_delimiter = ',',
        default_value = "opened",
        requires = "exit_code"
    )]
    fail_on: Vec<FailOn>,
    /// What is shown besides.
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',')]
    include: Vec<Include>,
}

/// How the answer is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// SARIF 2.1.0, for code scanners.
    Sarif,
}

/// What a plan must not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    /// Admit anything that was not admitted before, or leave open what cannot be told.
    Opened,
    /// Admit something from the public internet, or leave open what cannot be told.
    Internet,
    /// Open any row, also one that admits nothing new.
    Redundant,
    /// Add addresses to a group that rules name as their source.
    Members,
    /// Have parts that cannot be judged, or not for certain.
    Unknown,
    /// Any of these.
    Any,
}

impl FailOn {
    fn is_done_by(self, outcome: &Outcome) -> bool {
        match self {
            Self::Opened => {
                outcome.opened.iter().any(|row| row.is_new())
                    || outcome.members.iter().any(|members| members.new)
                    || outcome.notes.iter().any(|note| note.opens)
            }
            Self::Internet => {
                outcome.opened.iter().any(|row| row.internet)
                    || outcome.members.iter().any(|members| members.internet)
                    || outcome.notes.iter().any(|note| note.opens)
            }
            Self::Redundant => !outcome.opened.is_empty(),
            Self::Members => outcome.members.iter().any(|members| !members.change.gained.is_empty()),
            Self::Unknown => outcome.notes.iter().any(|note| note.kind.is_doubt()),
            Self::Any => {
                [Self::Redundant, Self::Members, Self::Unknown].iter().any(|one| one.is_done_by(outcome))
            }
        }
    }
}

/// What is shown besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Include {
    /// Rows that admit nothing that others do not (JSON has them always).
    Redundant,
}

pub(super) fn run(args: &WhatifArgs) -> anyhow::Result<ExitCode> {
    let (path, terraform) = match (&args.terraform, &args.file) {
        (Some(path), _) => (path, true),
        (None, Some(path)) => (path, false),
        (None, None) => return Err(Failure::Usage("give a FILE, or --terraform PLAN.json".to_owned()).into()),
    };
    let name = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    let plan = read(path, &name)?;
    let engine = state_at(&mut *args.store.reader()?, args.at.as_deref())?;
    let cloud = cloud_of(engine, args.region.as_deref())?;
    let project = args.project.as_deref().map(Id::new);
    let outcome = judge(&plan, terraform, cloud, project).map_err(|error| wrong(&name, error))?;
    let redundant = args.include.contains(&Include::Redundant);
    let written = write(&outcome, args.output, redundant, path);
    let fails = args.exit_code && args.fail_on.iter().any(|what| what.is_done_by(&outcome));
    answered(written, if fails { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn judge(plan: &[u8], terraform: bool, cloud: CloudModel, project: Option<Id>) -> Result<Outcome, PlanError> {
    let planned = if terraform {
        read_terraform(plan, &cloud, project.as_ref())?
    } else {
        let text = std::str::from_utf8(plan)
            .map_err(|_| PlanError::Mistaken { what: "not UTF-8", instead: "requests to Neutron as JSON" })?;
        read_requests(text, &cloud)?
    };
    Overlay::new(cloud, now(), project).perform(planned)
}

/// The caller's mistake, with its causes: those of a plan are its own.
fn wrong(name: &str, error: PlanError) -> anyhow::Error {
    let error = anyhow::Error::from(error);
    Failure::Usage(format!("{name}: {error:#}")).into()
}

fn read(path: &Path, name: &str) -> anyhow::Result<Vec<u8>> {
    let input: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).with_context(|| format!("cannot open `{name}`"))?)
    };
    let mut plan = Vec::new();
    input.take(PLAN_BYTES_MAX + 1).read_to_end(&mut plan).with_context(|| format!("cannot read `{name}`"))?;
    if plan.len() as u64 > PLAN_BYTES_MAX {
        let text = format!("{name}: longer than {PLAN_BYTES_MAX} bytes, and no plan is");
        return Err(Failure::Usage(text).into());
    }
    Ok(plan)
}

/// The cloud that the change is planned for.
fn cloud_of(engine: Engine, region: Option<&str>) -> anyhow::Result<CloudModel> {
    let names: Vec<String> = engine
        .regions()
        .map(|region| region.map_or_else(|| "(without a name)".to_owned(), |region| region.to_string()))
        .collect();
    let mut clouds: Vec<CloudModel> = engine.into_clouds().collect();
    if let Some(wanted) = region {
        let at = names.iter().position(|name| name == wanted);
        return match at {
            Some(at) => Ok(clouds.swap_remove(at)),
            None => Err(Failure::Usage(format!(
                "--region {wanted}: the store knows no such region, but {}",
                if names.is_empty() { "none".to_owned() } else { names.join(", ") }
            ))
            .into()),
        };
    }
    match clouds.len() {
        0 => {
            note("the store knows no cloud yet: the plan is judged alone");
            Ok(CloudModel::default())
        }
        1 => Ok(clouds.swap_remove(0)),
        _ => {
            let text = format!("the store has several regions: give --region, one of {}", names.join(", "));
            Err(Failure::Usage(text).into())
        }
    }
}

fn write(outcome: &Outcome, format: Format, redundant: bool, path: &Path) -> io::Result<()> {
    let mut out = stdout();
    match format {
        Format::Table => out.write_all(table::text(outcome, redundant).as_bytes())?,
        Format::Json => json_line(&mut out, &Report::new(outcome))?,
        Format::Sarif => {
            let artifact = Artifact { uri: uri(path) };
            json_line(&mut out, &sarif(outcome, &artifact, env!("CARGO_PKG_VERSION"), redundant))?;
        }
    }
    out.flush()
}

/// What a path may have that a URI may not; slashes stay.
const NOT_IN_URIS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b']')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The plan's file as scanners want it: relative to where the program was called, or with its scheme.
fn uri(path: &Path) -> String {
    if path == Path::new("-") {
        return "stdin".to_owned();
    }
    let text = path.to_string_lossy();
    let encoded = utf8_percent_encode(text.trim_start_matches("./"), NOT_IN_URIS);
    if path.is_absolute() {
        return format!("file://{encoded}");
    }
    // The part before a colon would be taken for a scheme.
    let encoded = encoded.to_string();
    let scheme = encoded.split('/').next().is_some_and(|first| first.contains(':'));
    if scheme { format!("./{encoded}") } else { encoded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_uri_that_scanners_take() {
        for (path, wanted) in [
            ("plan.json", "plan.json"),
            ("./a b/plan#1.json", "a%20b/plan%231.json"),
            ("/srv/plan.json", "file:///srv/plan.json"),
            ("a:b.json", "./a:b.json"),
            ("-", "stdin"),
        ] {
            assert_eq!(uri(Path::new(path)), wanted);
        }
    }
}
