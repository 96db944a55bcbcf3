//! `cargo xtask tidy`: the rules of the house that neither the compiler nor clippy knows.
//!
//! [`Tree`] reads the work tree once; each rule is a function from it to [`Violation`]s; the data of the rules (who may import
//! what, what is banned where) stands in `tables`. A rule reports everything it finds, so that one run shows all there is to do.

mod habits;
mod lexer;
mod manifests;
mod markdown;
mod modules;
mod paths;
mod purity;
mod tables;
mod text;
mod tree;

#[cfg(test)]
pub(crate) use markdown::targets;
pub(crate) use markdown::{is_elsewhere, resolve};

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use tree::{Tree, Violation};

/// All rules.
const RULES: [fn(&Tree, &mut Vec<Violation>); 7] = [
    manifests::check,
    modules::check,
    purity::check,
    habits::check,
    text::check,
    markdown::check,
    tree::check_presence,
];

/// Checks the work tree and prints every violation as `path:line: what; what to do`.
pub(crate) fn run(root: &Path) -> Result<ExitCode> {
    let tree = Tree::read(root)?;
    let violations = check(&tree);
    for violation in &violations {
        println!("{violation}");
    }
    if violations.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("xtask: tidy found {} violations in {} files", violations.len(), tree.files.len());
    Ok(ExitCode::FAILURE)
}

fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for rule in RULES {
        rule(tree, &mut violations);
    }
    violations.sort();
    violations.dedup();
    violations
}
