//! The work tree as the rules see it: its text files, the Rust ones already split into tokens.
//!
//! It holds what Git tracks or would track; without Git (an unpacked archive, a foreign owner) it holds everything outside the
//! folders in which Cargo builds.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::lexer::Source;
use super::tables::{NEEDED_FILES, TEXT_ENDINGS, TEXT_NAMES};

/// One file, read once.
pub(crate) struct File {
    /// From the top of the work tree, with `/`.
    pub(crate) path: String,
    /// Its text; empty for a file that is not text to us.
    pub(crate) text: String,
    /// Whether the rules about text hold for it.
    pub(crate) is_text: bool,
    /// Its tokens, when it is Rust.
    pub(crate) source: Option<Source>,
}

impl File {
    fn new(path: &str, text: String) -> Self {
        let source = path.ends_with(".rs").then(|| Source::new(&text));
        Self { path: path.to_owned(), is_text: is_text(path), source, text }
    }

    /// The lines with their numbers, from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.split('\n').enumerate().map(|(at, line)| (at + 1, line))
    }
}

/// Something against a rule: where, what, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    path: String,
    line: usize,
    what: String,
    instead: String,
}

impl Violation {
    /// A violation in a line of a file.
    pub(crate) fn new(path: &str, line: usize, what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into(), instead: instead.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}; {}", self.path, self.line, self.what, self.instead)
    }
}

/// All files.
pub(crate) struct Tree {
    /// Sorted by path.
    pub(crate) files: Vec<File>,
    /// Every path there is, folders included, also of files that are not text.
    pub(crate) names: BTreeSet<String>,
    /// What Git tracks, where there is Git.
    tracked: Option<BTreeSet<String>>,
}

impl Tree {
    /// Reads the work tree.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let tracked = git(root, &[]);
        let paths = match git(root, &["--cached", "--others", "--exclude-standard"]) {
            Some(paths) => paths,
            None => walk(root)?,
        };
        let mut files = Vec::new();
        // A tracked file that was deleted in the work tree is not there to be checked.
        for path in paths.into_iter().filter(|path| root.join(path).is_file()) {
            let text = if is_text(&path) {
                let bytes = fs::read(root.join(&path)).with_context(|| format!("cannot read `{path}`"))?;
                String::from_utf8(bytes).with_context(|| format!("`{path}` is not UTF-8"))?
            } else {
                String::new()
            };
            files.push(File::new(&path, text));
        }
        Ok(Self::new(files, tracked))
    }

    fn new(files: Vec<File>, tracked: Option<BTreeSet<String>>) -> Self {
        let mut names = BTreeSet::new();
        for file in &files {
            let mut name = file.path.as_str();
            names.insert(name.to_owned());
            while let Some((folder, _)) = name.rsplit_once('/') {
                names.insert(folder.to_owned());
                name = folder;
            }
        }
        let mut tree = Self { files, names, tracked };
        tree.mark_test_files();
        tree
    }

    /// A tree out of nothing but texts, for the tests of the rules.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self::new(files.iter().map(|(path, text)| File::new(path, (*text).to_owned())).collect(), None)
    }

    /// The file of that path.
    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Files that are modules declared under `#[cfg(test)]`, and those below `tests/`, are tests as a whole.
    fn mark_test_files(&mut self) {
        let mut prefixes = Vec::new();
        for file in &self.files {
            let Some(source) = &file.source else { continue };
            let folder = module_folder(&file.path);
            for module in &source.test_modules {
                prefixes.push(format!("{folder}{module}.rs"));
                prefixes.push(format!("{folder}{module}/"));
            }
        }
        for file in &mut self.files {
            let is_test = file.path.starts_with("tests/")
                || file.path.contains("/tests/")
                || prefixes.iter().any(|prefix| file.path.starts_with(prefix));
            if let (true, Some(source)) = (is_test, &mut file.source) {
                source.mark_all_as_test();
            }
        }
    }
}

/// The folder in which the modules declared in a file lie, with a slash at its end.
fn module_folder(path: &str) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let slash = if folder.is_empty() { "" } else { "/" };
    match name {
        "lib.rs" | "main.rs" | "mod.rs" => format!("{folder}{slash}"),
        _ => format!("{folder}{slash}{}/", name.trim_end_matches(".rs")),
    }
}

fn is_text(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    TEXT_ENDINGS.contains(&ending) || TEXT_NAMES.contains(&path)
}

fn git(root: &Path, arguments: &[&str]) -> Option<BTreeSet<String>> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z"]).args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
    let output = git.output().ok().filter(|output| output.status.success())?;
    let paths = String::from_utf8(output.stdout).ok()?;
    Some(paths.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
}

fn walk(root: &Path) -> Result<BTreeSet<String>> {
    let mut paths = BTreeSet::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(root.join(&folder)).with_context(|| format!("cannot read `{folder}`"))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            if !entry.file_type()?.is_dir() {
                paths.insert(path);
            } else if name != ".git" && name != "target" {
                folders.push(path);
            }
        }
    }
    Ok(paths)
}

/// The rule that some files must be there, and known to Git.
pub(crate) fn check_presence(tree: &Tree, out: &mut Vec<Violation>) {
    for (path, why) in NEEDED_FILES {
        if !tree.names.contains(*path) {
            out.push(Violation::new(path, 1, "is missing", *why));
        } else if tree.tracked.as_ref().is_some_and(|tracked| !tracked.contains(*path)) {
            out.push(Violation::new(path, 1, "is not known to Git", format!("commit it: {why}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_under_cfg_test_are_tests() {
        let tree = Tree::of(&[
            ("crates/x/src/a/mod.rs", "//! A.\n#[cfg(test)]\nmod checks;\nmod code;\n"),
            ("crates/x/src/a/checks.rs", "//! C.\nfn f() {}\n"),
            ("crates/x/src/a/code.rs", "//! C.\nfn f() {}\n"),
            ("crates/x/src/b.rs", "//! B.\n#[cfg(test)] mod tests;\n"),
            ("crates/x/src/b/tests.rs", "//! T.\nfn f() {}\n"),
            ("crates/x/tests/it/main.rs", "//! I.\nfn f() {}\n"),
        ]);
        let whole = |path: &str| {
            let source = tree.file(path).and_then(|file| file.source.as_ref()).expect(path);
            source.tokens.iter().all(|token| token.in_test)
        };
        assert!(whole("crates/x/src/a/checks.rs"));
        assert!(!whole("crates/x/src/a/code.rs"));
        assert!(whole("crates/x/src/b/tests.rs"));
        assert!(whole("crates/x/tests/it/main.rs"));
    }

    #[test]
    fn missing_files_are_named() {
        let mut found = Vec::new();
        check_presence(&Tree::of(&[("LICENSE", ""), ("Cargo.toml", "")]), &mut found);
        assert!(
            found.iter().any(|violation| violation.to_string().starts_with("Cargo.lock:1: is missing; "))
        );
        assert!(!found.iter().any(|violation| violation.path == "LICENSE"));
    }

    #[test]
    fn an_untracked_lock_file_is_named() {
        let files = NEEDED_FILES.iter().map(|(path, _)| File::new(path, String::new())).collect();
        let tracked = NEEDED_FILES.iter().map(|(path, _)| (*path).to_owned());
        let tree = Tree::new(files, Some(tracked.filter(|path| path != "Cargo.lock").collect()));
        let mut found = Vec::new();
        check_presence(&tree, &mut found);
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().starts_with("Cargo.lock:1: is not known to Git; commit it"));
    }
}
