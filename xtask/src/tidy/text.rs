//! Rules about text: length, white space, machine paths, an opening document comment, names of changelog fragments.

use super::tables::{GENERATED, LINES_MAX, MACHINE_PATHS};
use super::tree::{File, Tree, Violation};
use crate::changelog;

/// Checks all text files.
pub(crate) fn check(tree: &Tree, out: &mut Vec<Violation>) {
    for file in tree.files.iter().filter(|file| file.is_text) {
        check_size(file, out);
        check_lines(file, out);
        if file.source.is_some() && !file.text.starts_with("//!") {
            let instead = "open with `//!`: its purpose, what it must not do, where things go next";
            out.push(Violation::new(&file.path, 1, "does not say what it is", instead));
        }
        if let Some(name) = file.path.strip_prefix("changelog.d/")
            && name != "README.md"
            && changelog::parse_name(name).is_none()
        {
            let instead = "name it ISSUE.KIND.md with KIND feature, change or fix";
            out.push(Violation::new(&file.path, 1, "is no changelog fragment by its name", instead));
        }
    }
}

fn check_size(file: &File, out: &mut Vec<Violation>) {
    let counts = file.path.ends_with(".rs") || file.path.ends_with(".md");
    let generated = GENERATED.iter().any(|folder| file.path.starts_with(folder));
    let lines = file.text.lines().count();
    if counts && !generated && lines > LINES_MAX {
        let what = format!("has {lines} lines");
        let instead = format!("split it by subject: {LINES_MAX} at most, 200 to 400 read well");
        out.push(Violation::new(&file.path, LINES_MAX + 1, what, instead));
    }
}

fn check_lines(file: &File, out: &mut Vec<Violation>) {
    let mut say =
        |line: usize, what: &str, instead: &str| out.push(Violation::new(&file.path, line, what, instead));
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        say(file.text.lines().count(), "ends without a line feed", "end the last line");
    }
    for (number, line) in file.lines() {
        if line.ends_with('\r') {
            say(number, "has a carriage return at its end", "end lines with a line feed only");
        } else if line.ends_with([' ', '\t']) {
            say(number, "has white space at its end", "remove it");
        }
        if line.contains('\t') {
            say(number, "has a tab", "indent with spaces, write `\\t` in a string");
        }
        if MACHINE_PATHS.iter().any(|(head, tail)| names_path(line, &format!("{head}{tail}"))) {
            say(
                number,
                "names a path of one machine",
                "write it relative to the repository, or as a variable",
            );
        }
    }
}

/// Whether an absolute path that begins so stands in the line.
fn names_path(line: &str, beginning: &str) -> bool {
    line.match_indices(beginning).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let part_of_longer = |sign: char| sign.is_alphanumeric() || "./_-~}".contains(sign);
        !before.is_some_and(part_of_longer)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(path: &str, text: &str, wanted: &[&str]) {
        let mut out = Vec::new();
        check(&Tree::of(&[(path, text)]), &mut out);
        assert_eq!(out.len(), wanted.len(), "{text}: {out:?}");
        for (found, wanted) in out.iter().zip(wanted) {
            assert!(found.to_string().contains(wanted), "{found}");
        }
    }

    #[test]
    fn long_files_are_named() {
        let text = "//! A.\n".repeat(LINES_MAX);
        check_text("a.rs", &text, &[]);
        check_text("a.rs", &format!("{text}//! B.\n"), &["a.rs:701: has 701 lines"]);
        check_text("docs/a.md", &"a\n".repeat(LINES_MAX + 1), &["split it by subject"]);
        check_text("docs/reference/cli.md", &"a\n".repeat(LINES_MAX + 1), &[]);
    }

    #[test]
    fn white_space_is_clean() {
        check_text(
            "a.md",
            "a \nb\tc\nd\r\ne",
            &[
                "a.md:4: ends without a line feed",
                "a.md:1: has white space at its end",
                "a.md:2: has a tab",
                "a.md:3: has a carriage return",
            ],
        );
        check_text("a.jsonl", "a \n", &[]);
    }

    #[test]
    fn machine_paths_are_named() {
        for (head, tail) in MACHINE_PATHS {
            check_text(
                "a.md",
                &format!("see `{head}{tail}somebody/x`\n"),
                &["a.md:1: names a path of one machine"],
            );
            check_text("a.md", &format!("see https://example.org{head}{tail}x\n"), &[]);
        }
    }

    #[test]
    fn rust_files_say_what_they_are() {
        check_text("a.rs", "use b;\n", &["a.rs:1: does not say what it is; open with `//!`"]);
    }

    #[test]
    fn fragments_are_named_by_issue_and_kind() {
        check_text("changelog.d/2.feature.md", "New.\n", &[]);
        check_text("changelog.d/new.md", "New.\n", &["is no changelog fragment"]);
    }
}
