//! `cargo xtask changelog`: puts the fragments of `changelog.d/` together.
//!
//! A fragment is one file per change, `ISSUE.KIND.md`, so that two branches never touch the same lines. [`parse_name`] is also
//! what `tidy` checks the names with.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

/// The kinds of change in the order in which they are shown, each with its heading.
const KINDS: [(&str, &str); 3] = [("feature", "New"), ("change", "Changed"), ("fix", "Fixed")];

/// A fragment's place: its kind's position, its issue, and a letter or word where an issue has several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    kind: usize,
    issue: u32,
    suffix: String,
}

/// Reads `ISSUE.KIND.md` or `ISSUE-WORD.KIND.md`; nothing when it is neither.
pub(crate) fn parse_name(name: &str) -> Option<Name> {
    let (stem, kind) = name.strip_suffix(".md")?.split_once('.')?;
    let (issue, suffix) = stem.split_once('-').unwrap_or((stem, ""));
    if !suffix.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-') {
        return None;
    }
    Some(Name {
        kind: KINDS.iter().position(|(name, _)| *name == kind)?,
        issue: issue.parse().ok()?,
        suffix: suffix.to_owned(),
    })
}

/// Prints the changelog on standard output.
pub(crate) fn run(root: &Path) -> Result<ExitCode> {
    print!("{}", text(root)?);
    Ok(ExitCode::SUCCESS)
}

/// The fragments put together.
pub(crate) fn text(root: &Path) -> Result<String> {
    let folder = root.join("changelog.d");
    let mut fragments = BTreeMap::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read `{}`", folder.display()))? {
        let entry = entry?;
        let file = entry.file_name().to_string_lossy().into_owned();
        if file == "README.md" {
            continue;
        }
        let Some(name) = parse_name(&file) else {
            bail!("`changelog.d/{file}` is not named ISSUE.KIND.md with KIND feature, change or fix");
        };
        fragments.insert(name, fs::read_to_string(entry.path())?);
    }
    Ok(assemble(&fragments))
}

fn assemble(fragments: &BTreeMap<Name, String>) -> String {
    let mut text = String::new();
    for (position, (_, heading)) in KINDS.iter().enumerate() {
        let mut of_kind = fragments.iter().filter(|(name, _)| name.kind == position).peekable();
        if of_kind.peek().is_none() {
            continue;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("## {heading}\n\n"));
        for (name, fragment) in of_kind {
            // Further lines of a fragment stay inside its list item.
            let item = fragment.trim().replace('\n', "\n  ").replace("\n  \n", "\n\n");
            text.push_str(&format!("- {item} (#{})\n", name.issue));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_come_by_kind_then_issue() {
        let mut fragments = BTreeMap::new();
        for (name, text) in [
            ("12.fix.md", "No more.\n"),
            ("3.feature.md", "Sees\nmore.\n"),
            ("2.feature.md", "Sees.\n"),
            ("2-scan.feature.md", "Scans.\n"),
        ] {
            fragments.insert(parse_name(name).expect(name), text.to_owned());
        }
        let wanted =
            "## New\n\n- Sees. (#2)\n- Scans. (#2)\n- Sees\n  more. (#3)\n\n## Fixed\n\n- No more. (#12)\n";
        assert_eq!(assemble(&fragments), wanted);
    }

    #[test]
    fn other_names_are_refused() {
        for name in ["2.md", "two.fix.md", "2.feat.md", "2.fix.txt", "2.fix", "-2.fix.md", "2-A b.fix.md"] {
            assert_eq!(parse_name(name), None, "{name}");
        }
    }
}
