//! Rules about `Cargo.toml` files: who depends on whom, the core's dependencies, lints and licenses.

use super::tables::{CORE_DEPENDENCIES, CRATES, LICENSE};
use super::tree::{Tree, Violation};

/// Checks all manifests.
pub(crate) fn check(tree: &Tree, out: &mut Vec<Violation>) {
    let Some(root) = tree.file("Cargo.toml").map(|file| Manifest::read(&file.text)) else {
        out.push(Violation::new("Cargo.toml", 1, "is missing", "the workspace needs its manifest"));
        return;
    };
    if root.entry("workspace.package", "license").is_none_or(|entry| entry.value != quoted(LICENSE)) {
        out.push(Violation::new(
            "Cargo.toml",
            1,
            "names no license for the workspace",
            format!("write `license = \"{LICENSE}\"` under `[workspace.package]`"),
        ));
    }
    let lint = root.entry("workspace.lints.rust", "missing_docs");
    if lint.is_none_or(|entry| !["\"warn\"", "\"deny\""].contains(&entry.value.as_str())) {
        out.push(Violation::new(
            "Cargo.toml",
            1,
            "does not ask for documented public items",
            "write `missing_docs = \"warn\"` under `[workspace.lints.rust]`; CI turns it into an error",
        ));
    }
    let mut names = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with("/Cargo.toml")) {
        let manifest = Manifest::read(&file.text);
        let name = manifest.entry("package", "name").map_or("", |entry| entry.value.trim_matches('"'));
        names.push((file.path.clone(), name.to_owned()));
    }
    for (path, name) in &names {
        let Some(file) = tree.file(path) else { continue };
        Package { path, name, manifest: Manifest::read(&file.text), root: &root, all: &names }.check(out);
    }
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

struct Package<'a> {
    path: &'a str,
    name: &'a str,
    manifest: Manifest,
    root: &'a Manifest,
    all: &'a [(String, String)],
}

impl Package<'_> {
    fn check(&self, out: &mut Vec<Violation>) {
        self.check_dependencies(out);
        let inherits = |entry: &Entry| entry.key == "license.workspace" && entry.value == "true";
        let names = |entry: &Entry| entry.key == "license" && entry.value == quoted(LICENSE);
        if !self.manifest.of("package").any(|entry| inherits(entry) || names(entry)) {
            self.say(out, 1, "has another license", format!("write `license.workspace = true` ({LICENSE})"));
        }
        // A crate outside the workspace cannot inherit from it.
        let is_member = self.root.entry("workspace", "members").is_some_and(|entry| {
            let folder = self.path.trim_end_matches("/Cargo.toml");
            entry.value.contains(&quoted(folder)) || entry.value.contains("\"crates/*\"")
        });
        let lints = self.manifest.entry("lints", "workspace");
        if is_member && lints.is_none_or(|entry| entry.value != "true") {
            self.say(out, 1, "does not take the workspace's lints", "write `[lints]` and `workspace = true`");
        }
        let folder = self.path.trim_end_matches("/Cargo.toml");
        let wanted = folder.rsplit('/').next().unwrap_or(folder);
        if folder.starts_with("crates/") && wanted != self.name {
            self.say(
                out,
                1,
                format!("names the crate `{}` in the folder `{wanted}`", self.name),
                "a folder is called as its crate",
            );
        }
    }

    fn check_dependencies(&self, out: &mut Vec<Violation>) {
        let Some(row) = CRATES.iter().find(|row| row.name == self.name) else {
            let what = format!("the crate `{}` stands in no import table", self.name);
            self.say(out, 1, what, "add its row to `CRATES` in xtask/src/tidy/tables.rs, with the reason");
            return;
        };
        for dependency in self.manifest.dependencies() {
            let Dependency { name, line, for_tests } = dependency;
            let allowed = row.may.contains(&name.as_str())
                || (for_tests && row.tests_may.contains(&name.as_str()))
                || (for_tests && name == self.name);
            let ours = self.all.iter().any(|(_, other)| *other == name)
                || CRATES.iter().any(|other| other.name == name);
            if ours && !allowed {
                let may = if row.may.is_empty() { "none".to_owned() } else { row.may.join(", ") };
                self.say(
                    out,
                    line,
                    format!("`{}` depends on `{name}`", self.name),
                    format!("of the workspace it may import: {may}"),
                );
            } else if self.name == "osel-core" && !for_tests && !CORE_DEPENDENCIES.contains(&name.as_str()) {
                self.say(
                    out,
                    line,
                    format!("the core depends on `{name}`"),
                    format!("leave it to the shell, or use: {}", CORE_DEPENDENCIES.join(", ")),
                );
            }
        }
    }

    fn say(
        &self,
        out: &mut Vec<Violation>,
        line: usize,
        what: impl Into<String>,
        instead: impl Into<String>,
    ) {
        out.push(Violation::new(self.path, line, what, instead));
    }
}

struct Dependency {
    name: String,
    line: usize,
    for_tests: bool,
}

/// A manifest as a list of lines: as much of TOML as Cargo manifests use.
struct Manifest {
    entries: Vec<Entry>,
}

struct Entry {
    section: String,
    key: String,
    value: String,
    line: usize,
}

impl Manifest {
    fn read(text: &str) -> Self {
        let mut entries: Vec<Entry> = Vec::new();
        let mut section = String::new();
        let mut open = 0;
        for (at, line) in text.lines().enumerate() {
            let line = without_comment(line);
            if open > 0 {
                if let Some(entry) = entries.last_mut() {
                    entry.value.push_str(line);
                }
                open += depth(line);
            } else if line.starts_with('[') {
                section = line.trim_matches(['[', ']']).replace(['"', '\''], "");
                // A section of its own is an entry too: `[dependencies.serde]`.
                entries.push(Entry {
                    section: section.clone(),
                    key: String::new(),
                    value: String::new(),
                    line: at + 1,
                });
            } else if let Some((key, value)) = line.split_once('=') {
                let (key, value) = (key.trim().replace('"', ""), value.trim().to_owned());
                open = depth(&value);
                entries.push(Entry { section: section.clone(), key, value, line: at + 1 });
            }
        }
        Self { entries }
    }

    fn of<'a>(&'a self, section: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.section == section)
    }

    fn entry<'a>(&'a self, section: &'a str, key: &'a str) -> Option<&'a Entry> {
        self.of(section).find(|entry| entry.key == key)
    }

    fn dependencies(&self) -> Vec<Dependency> {
        let mut found = Vec::new();
        for entry in &self.entries {
            let Some((table, rest)) = split_dependencies(&entry.section) else { continue };
            let name = match (rest, entry.key.is_empty()) {
                ("", false) => entry.key.split('.').next().unwrap_or_default(),
                (name, true) => name,
                _ if entry.key == "package" => entry.value.trim_matches('"'),
                _ => continue,
            };
            let name = renamed(&entry.value).unwrap_or(name);
            if !name.is_empty() {
                let for_tests = table == "dev-dependencies";
                found.push(Dependency { name: name.to_owned(), line: entry.line, for_tests });
            }
        }
        found
    }
}

/// Splits `target.'cfg(unix)'.dev-dependencies.serde` into the kind of table and what follows it.
fn split_dependencies(section: &str) -> Option<(&'static str, &str)> {
    if section.starts_with("workspace") || section.starts_with("patch") {
        return None;
    }
    for table in ["dev-dependencies", "build-dependencies", "dependencies"] {
        if let Some(at) = section.find(table) {
            return Some((table, section[at + table.len()..].trim_start_matches('.')));
        }
    }
    None
}

/// The name of the package in `{ package = "name", … }`.
fn renamed(value: &str) -> Option<&str> {
    let (_, rest) = value.strip_prefix('{')?.split_once("package")?;
    rest.trim_start().strip_prefix('=')?.trim_start().strip_prefix('"')?.split('"').next()
}

fn without_comment(line: &str) -> &str {
    let mut in_text = false;
    for (at, character) in line.char_indices() {
        match character {
            '"' => in_text = !in_text,
            '#' if !in_text => return line[..at].trim(),
            _ => {}
        }
    }
    line.trim()
}

/// How many more brackets a line opens than it closes.
fn depth(text: &str) -> i32 {
    text.chars().map(|sign| i32::from(matches!(sign, '[' | '{')) - i32::from(matches!(sign, ']' | '}'))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str =
        "[workspace]\nmembers = [\n  \"crates/osel-core\", # the core\n  \"crates/osel\", \"xtask\"]\n
        [workspace.package]\nlicense = \"Apache-2.0\"\n[workspace.lints.rust]\nmissing_docs = \"warn\"\n";

    fn found(path: &str, manifest: &str) -> Vec<String> {
        let mut out = Vec::new();
        check(&Tree::of(&[("Cargo.toml", ROOT), (path, manifest)]), &mut out);
        out.iter().map(ToString::to_string).collect()
    }

    fn package(name: &str, rest: &str) -> String {
        format!("[package]\nname = \"{name}\"\nlicense.workspace = true\n[lints]\nworkspace = true\n{rest}")
    }

    fn check_dependencies(name: &str, rest: &str, wanted: &[&str]) {
        let found = found(&format!("crates/{name}/Cargo.toml"), &package(name, rest));
        assert_eq!(found.len(), wanted.len(), "{found:?}");
        for (found, wanted) in found.iter().zip(wanted) {
            assert!(found.contains(wanted), "{found}");
        }
    }

    #[test]
    fn the_core_depends_on_little_and_on_nothing_of_ours() {
        check_dependencies(
            "osel-core",
            "[dependencies]\nserde = { workspace = true }\nsha2.workspace = true\n",
            &[],
        );
        check_dependencies("osel-core", "[dev-dependencies]\nproptest = \"1\"\n", &[]);
        check_dependencies(
            "osel-core",
            "[dependencies]\ntokio = \"1\"\n",
            &["crates/osel-core/Cargo.toml:7: the core depends on `tokio`; "],
        );
        check_dependencies(
            "osel-core",
            "[dependencies.tokio]\nversion = \"1\"\n",
            &["the core depends on `tokio`"],
        );
        check_dependencies(
            "osel-core",
            "[dev-dependencies]\nosel-sim.workspace = true\n",
            &["`osel-core` depends on `osel-sim`; of the workspace it may import: none"],
        );
        check_dependencies("osel-core", "[target.'cfg(unix)'.dependencies]\nlibc = \"0\"\n", &["`libc`"]);
    }

    #[test]
    fn the_simulator_is_for_tests_only() {
        check_dependencies("osel", "[dev-dependencies]\nosel-sim = { workspace = true }\n", &[]);
        check_dependencies(
            "osel",
            "[dependencies]\nosel-sim = { workspace = true }\n",
            &["may import: osel-core"],
        );
        check_dependencies(
            "osel",
            "[dependencies]\ncloud = { package = \"osel-sim\", path = \"../x\" }\n",
            &["`osel` depends on `osel-sim`"],
        );
    }

    #[test]
    fn a_crate_outside_the_table_is_named() {
        check_dependencies("osel-new", "", &["the crate `osel-new` stands in no import table"]);
    }

    #[test]
    fn lints_license_and_name_are_asked_for() {
        let found = found("crates/osel/Cargo.toml", "[package]\nname = \"osel-core\"\nlicense = \"MIT\"\n");
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].contains("has another license"));
        assert!(found[1].contains("does not take the workspace's lints"));
        assert!(found[2].contains("in the folder `osel`"));
    }

    #[test]
    fn the_workspace_asks_for_documents_and_names_a_license() {
        let mut out = Vec::new();
        check(&Tree::of(&[("Cargo.toml", "[workspace]\nmembers = []\n")]), &mut out);
        assert_eq!(out.len(), 2, "{out:?}");
    }
}
