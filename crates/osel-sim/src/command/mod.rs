//! The command line of `osel-sim`: one file per command, and the options they share.

mod check;
mod cloud;
mod cloudgen;
mod forward;
mod judge;
mod options;
mod paths;

use std::io::Write;

pub use options::CommandError;

const USAGE: &str = "\
osel-sim --seeds N [--seed FIRST] [--steps N] [--threads N] [--all]
osel-sim judge rows  --state FILE [--mark NAME] [--region NAME]
osel-sim judge reach --state FILE [--mark NAME] --batch FILE [--routed-prefix CIDR]... [--no-pairs]
osel-sim cloud       --inventory FILE --stream FILE --state FILE [--release icehouse|zed|2026] [--seed N]
                     [--steps N] [--duplicate PERCENT] [--drop PERCENT] [--reorder WINDOW|all] [--silent]
                     [--racing]
osel-sim cloudgen    [OPTION]... | --help
osel-sim paths       [--clouds N] [--questions N] [--seed FIRST] [--threads N]
osel-sim forward     [--seeds N] [--seed FIRST]

`--seeds` plays simulated clouds against the engine and stops at the first seed of which anything is wrong;
with --all it goes on and tells each check that fails once.
`judge`: FILE is one JSON object keyed by collection name, or JSON Lines of snapshots of which --mark names
one (else the last); names that end in .gz are unpacked. Answers are JSON Lines.
`cloud` lets a simulated cloud live for some steps and writes what it was, what it sent and what it is then.
`cloudgen` writes a cloud of any size and a stream of its notifications, and serves it as Keystone and Neutron would.
`paths` tells random clouds to the model event by event, in any order, and asks `reach` and the judge the same.
`forward` sends records to receivers that fail in every way, by processes that are killed, and looks whether all arrived.
";

/// Runs the command that the arguments name and writes its results.
///
/// # Errors
/// [`CommandError`] when the arguments are wrong or a file cannot be read or written.
pub fn run(arguments: &[String], out: &mut dyn Write) -> Result<(), CommandError> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["judge", "rows", rest @ ..] => judge::rows(rest, out),
        ["judge", "reach", rest @ ..] => judge::reach(rest, out),
        ["cloud", rest @ ..] => cloud::run(rest),
        ["cloudgen", rest @ ..] => cloudgen::run(rest, out),
        ["paths", rest @ ..] => paths::run(rest, out),
        ["forward", rest @ ..] => forward::run(rest, out),
        [first, ..] if ["--seeds", "--seed", "--steps", "--threads"].contains(first) => {
            check::run(&words, out)
        }
        ["--help" | "-h" | "help"] => Ok(out.write_all(USAGE.as_bytes())?),
        _ => Err(CommandError::Usage(format!("no such command\n{USAGE}"))),
    }
}
