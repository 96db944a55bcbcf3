//! The chores of this repository, as one program: `cargo xtask CHORE`.
//!
//! A rule that matters is a program (`tidy`), and so is every command that a person would otherwise have to remember. This crate
//! imports no crate of the workspace: it must build and run when they do not.

mod changelog;
mod chaos;
mod command;
mod deb;
mod docs;
mod forward;
mod lab;
mod packages;
mod packed;
mod python;
mod testing;
mod tidy;
mod unpacked;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

const USAGE: &str = "\
usage: cargo xtask CHORE [ARGUMENT]...

  tidy                     check the rules of the house; all violations at once
  test [-- ARGUMENT]...    install what the tests need, then run them all; arguments go to the test runner
  lab [--rounds N]         real Keystone and Neutron beside osel: a scenario by their APIs, and the model against what they say
  sim [ARGUMENT]...        simulate clouds and faults by seed: [--seeds N] [--seed S]
  cloudgen [OPTION]...     make a cloud of any size, a stream of its notifications, and serve it as Keystone and Neutron would:
                           cloudgen --help
  chaos [--minutes N] [--seed S]
                           break broker, network, disk and osel by seed, until the time is over or a promise is broken
  bench [ARGUMENT]...      run the benchmarks
  deb [--binary FILE] [--out DIR]
                           build a Debian package into target/debian, of a program that is there or of an optimised build
  docs [--check]           write docs/reference from the program, or fail when it differs
  changelog                put the fragments of changelog.d together, on standard output";

/// Wrong usage, as for `osel` itself.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.is_empty() || matches!(arguments[0].as_str(), "help" | "-h" | "--help") {
        println!("{USAGE}");
        return if arguments.is_empty() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS };
    }
    let chore = arguments.remove(0);
    match run(&chore, &arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: &str, arguments: &[String]) -> Result<ExitCode> {
    let root = root()?;
    match chore {
        "tidy" => {
            none(chore, arguments)?;
            tidy::run(&root)
        }
        "test" => testing::run(&root, arguments),
        "lab" => lab::run(&root, arguments),
        "sim" => forward::sim(&root, arguments),
        "cloudgen" => forward::cloudgen(&root, arguments),
        "chaos" => chaos::run(&root, arguments),
        "bench" => forward::bench(&root, arguments),
        "docs" => docs::run(&root, arguments),
        "deb" => deb::run(&root, arguments),
        "changelog" => {
            none(chore, arguments)?;
            changelog::run(&root)
        }
        _ => {
            eprintln!("xtask: no chore is called `{chore}`\n{USAGE}");
            Ok(ExitCode::from(EXIT_USAGE))
        }
    }
}

fn none(chore: &str, arguments: &[String]) -> Result<()> {
    match arguments.first() {
        Some(argument) => bail!("`{chore}` takes no argument, but got `{argument}`"),
        None => Ok(()),
    }
}

/// The top of the work tree: the folder above this crate's, so that a chore may be called from anywhere in it.
fn root() -> Result<PathBuf> {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo xtask`")?;
    Path::new(&manifest).parent().map(Path::to_path_buf).context("xtask has no folder above it")
}
