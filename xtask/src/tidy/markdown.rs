//! Rules about prose: links lead to files and headings that exist; the README holds exactly its two commands.

use super::tables::{README_COMMANDS, SETUP_PROGRAMS};
use super::tree::{File, Tree, Violation};

/// Checks all Markdown files.
pub(crate) fn check(tree: &Tree, out: &mut Vec<Violation>) {
    for file in tree.files.iter().filter(|file| file.path.ends_with(".md")) {
        for (line, target) in links(file.lines()) {
            check_link(tree, file, line, &target, out);
        }
        if file.path == "README.md" {
            check_commands(file, out);
        }
    }
}

fn check_link(tree: &Tree, file: &File, line: usize, target: &str, out: &mut Vec<Violation>) {
    if is_elsewhere(target) {
        return;
    }
    let (path, heading) = target.split_once('#').map_or((target, None), |(path, name)| (path, Some(name)));
    let path = if path.is_empty() { Some(file.path.clone()) } else { resolve(&file.path, path) };
    let Some(path) = path.filter(|path| path.is_empty() || tree.names.contains(path)) else {
        let what = format!("links to `{target}`, which is not there");
        out.push(Violation::new(&file.path, line, what, "correct the link, or commit the file"));
        return;
    };
    if let (Some(heading), Some(other)) =
        (heading, tree.file(&path).filter(|other| other.path.ends_with(".md")))
        && !headings(other).any(|name| name == heading)
    {
        let what = format!("links to `{target}`, but `{path}` has no such heading");
        out.push(Violation::new(&file.path, line, what, "correct the part behind the `#`"));
    }
}

/// Whether a link leads out of the tree by itself.
pub(crate) fn is_elsewhere(target: &str) -> bool {
    target.contains("://") || target.starts_with("mailto:")
}

/// The path that a relative link means, from the top of the work tree; nothing when it leads out of it.
pub(crate) fn resolve(from: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The names that headings get in a rendered page.
fn headings(file: &File) -> impl Iterator<Item = String> {
    prose(file.lines()).filter(|(_, line)| line.starts_with('#')).map(|(_, line)| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
    })
}

/// The lines outside code blocks.
fn prose<'a>(lines: impl Iterator<Item = (usize, &'a str)>) -> impl Iterator<Item = (usize, &'a str)> {
    let mut in_block = false;
    lines.filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        in_block ^= fence;
        !fence && !in_block
    })
}

/// The targets of `[text](target)`, outside code.
fn links<'a>(lines: impl Iterator<Item = (usize, &'a str)>) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(lines) {
        // Every second part between backticks is code.
        let text: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for (at, _) in text.match_indices("](") {
            if let Some(target) = text[at + 2..].split([')', ' ']).next() {
                found.push((number, target.to_owned()));
            }
        }
    }
    found
}

/// The targets of the links of a page.
#[cfg(test)]
pub(crate) fn targets(page: &str) -> Vec<String> {
    links(page.lines().enumerate()).into_iter().map(|(_, target)| target).collect()
}

fn check_commands(file: &File, out: &mut Vec<Violation>) {
    let mut wanted = README_COMMANDS.iter();
    let mut in_block = false;
    for (number, line) in file.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
            continue;
        }
        let command = line.trim().trim_start_matches("$ ");
        let program = command.split_whitespace().next().unwrap_or_default();
        if !in_block || !SETUP_PROGRAMS.contains(&program) {
            continue;
        }
        if wanted.next() != Some(&command) {
            let what = format!("asks for `{command}`");
            let instead =
                format!("the only set-up commands are `{}`, in this order", README_COMMANDS.join("` and `"));
            out.push(Violation::new(&file.path, number, what, instead));
        }
    }
    for command in wanted {
        let instead = "put it into a code block on the first screen";
        out.push(Violation::new(&file.path, 1, format!("does not show `{command}`"), instead));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = "# osel\n```sh\ncargo run --release -- demo\n```\n```\n$ cargo xtask test\n```\n";

    fn check_files(files: &[(&str, &str)], wanted: &[&str]) {
        let mut out = Vec::new();
        check(&Tree::of(files), &mut out);
        assert_eq!(out.len(), wanted.len(), "{out:?}");
        for (found, wanted) in out.iter().zip(wanted) {
            assert!(found.to_string().contains(wanted), "{found}");
        }
    }

    #[test]
    fn links_lead_somewhere() {
        let text =
            "[a](b.md) [c](../README.md#two-words) [d](https://example.org) [e](#here) `[f](g)`\n# Here!\n";
        let readme = format!("{README}## Two words\n");
        check_files(&[("docs/a.md", text), ("docs/b.md", ""), ("README.md", &readme)], &[]);
        check_files(
            &[("docs/a.md", text)],
            &["docs/a.md:1: links to `b.md`, which is not there", "README.md#two-words"],
        );
        check_files(&[("a.md", "[x](b.md#none)\n"), ("b.md", "# Some\n")], &["`b.md` has no such heading"]);
        check_files(&[("a.md", "[x](../outside.md)\n")], &["../outside.md"]);
        check_files(&[("a.md", "```\n[x](none.md)\n```\n[y](docs)\n"), ("docs/b.md", "")], &[]);
    }

    #[test]
    fn the_readme_holds_its_two_commands() {
        check_files(&[("README.md", README)], &[]);
        check_files(&[("README.md", "# osel\n")], &["`cargo run --release -- demo`", "`cargo xtask test`"]);
        let more = format!("{README}```\nsudo apt install nmap\n```\n");
        check_files(&[("README.md", &more)], &["README.md:9: asks for `sudo apt install nmap`"]);
    }
}
