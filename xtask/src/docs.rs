//! `cargo xtask docs`: writes the reference pages that the program itself can tell.
//!
//! A page is what `osel reference PAGE` prints, so that it cannot say other than what the program does; nobody edits it.

use std::fs;
use std::path::Path;
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::command;

/// The pages: `docs/reference/NAME.md` is the output of `osel reference NAME`.
const PAGES: [&str; 3] = ["cli", "config", "doctor"];

/// Writes the pages, or with `--check` only says which differ.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<ExitCode> {
    let check = match arguments {
        [] => false,
        [only] if only == "--check" => true,
        _ => bail!("`docs` takes nothing or `--check`"),
    };
    let folder = root.join("docs/reference");
    let mut differing = 0;
    for name in PAGES {
        let path = folder.join(format!("{name}.md"));
        let wanted = page(root, name)?;
        let found = fs::read_to_string(&path).unwrap_or_default();
        if found == wanted {
            continue;
        }
        differing += 1;
        if check {
            eprintln!(
                "docs/reference/{name}.md:{}: differs from the program",
                first_difference(&found, &wanted)
            );
        } else {
            fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
            fs::write(&path, wanted).with_context(|| format!("cannot write `{}`", path.display()))?;
            command::say(&format!("wrote docs/reference/{name}.md"));
        }
    }
    if check && differing > 0 {
        eprintln!("xtask: run `cargo xtask docs` and commit what it wrote");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn page(root: &Path, name: &str) -> Result<String> {
    let mut cargo = command::cargo(root);
    cargo.args(["run", "--quiet", "--package", "osel", "--", "reference", name]);
    command::say(&command::shown(&cargo));
    let output = cargo
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{}`", command::shown(&cargo)))?;
    if !output.status.success() {
        bail!("`osel reference {name}` failed: {}", output.status);
    }
    let text = String::from_utf8(output.stdout).context("the page is not UTF-8")?;
    if text.trim().is_empty() {
        bail!("`osel reference {name}` printed nothing");
    }
    Ok(format!("{}\n", text.trim_end()))
}

/// The number of the first line in which two texts differ.
fn first_difference(found: &str, wanted: &str) -> usize {
    let same = found.lines().zip(wanted.lines()).take_while(|(left, right)| left == right).count();
    same + 1
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn the_first_differing_line_is_named() {
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), 2);
        assert_eq!(first_difference("a\n", "a\nb\n"), 2);
        assert_eq!(first_difference("", "a\n"), 1);
    }
}
