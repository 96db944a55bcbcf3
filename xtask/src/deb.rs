//! `cargo xtask deb`: a Debian package of the programs, with unit, user, configuration, manual pages and completions.
//!
//! It is put together in a folder and packed by `dpkg-deb`, which every Debian has: what lies where can be read here, and nothing has
//! to be installed for it. What the program can tell of itself (example, manual, completions) it is asked for.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::command::{self, say};
use crate::packed::{self, Places};

/// An optimised build of everything on two cores.
const BUILD_LIMIT: Duration = Duration::from_mins(60);
/// Files of the tree that lie in the package as they are.
const FILES: [(&str, &str); 4] = [
    ("packaging/osel.service", "usr/lib/systemd/system/osel.service"),
    ("packaging/osel.sysusers", "usr/lib/sysusers.d/osel.conf"),
    ("packaging/debian/copyright", "usr/share/doc/osel/copyright"),
    ("packaging/osel-verify.1", "usr/share/man/man1/osel-verify.1"),
];
/// The pages that help texts, manual pages and the unit name, and where they lie in the package.
const PAGES: (&str, &str) = ("docs", "usr/share/doc/osel");
/// Of those, what is for whoever changes osel.
const NOT_PACKED: [&str; 2] = ["decisions", "progress.md"];
/// What these pages name besides, and where it lies.
const NAMED: [(&str, &str); 4] = [
    ("SECURITY.md", "usr/share/doc/osel/SECURITY.md"),
    ("packaging/openstack/account.sh", "usr/share/doc/osel/openstack/account.sh"),
    ("packaging/openstack/neutron-policy.yaml", "usr/share/doc/osel/openstack/neutron-policy.yaml"),
    ("packaging/openstack/nova-policy.yaml", "usr/share/doc/osel/openstack/nova-policy.yaml"),
];
/// The programs, which lie beside each other where they were built.
const PROGRAMS: [&str; 2] = ["osel", "osel-verify"];
/// What `dpkg` calls.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];
/// The shells, and where they look for completions.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/osel"),
    ("zsh", "usr/share/zsh/vendor-completions/_osel"),
    ("fish", "usr/share/fish/vendor_completions.d/osel.fish"),
];
/// The configuration, which may come to hold a secret.
const CONFIGURATION: &str = "etc/osel/osel.toml";
/// Whom to write to.
const MAINTAINER: &str = "The osel authors <openstack-discuss@lists.openstack.org>";
/// What the program needs where `dpkg-shlibdeps` is not there to tell.
const LIBRARIES: &str = "libc6, libgcc-s1";

/// Makes the package: `--binary FILE` packs an `osel` that is there, with the other programs beside it, `--out DIR` puts the package elsewhere than `target/debian`.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<ExitCode> {
    let (mut binary, mut out) = (None, root.join("target/debian"));
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let value = rest.next().with_context(|| format!("`{argument}` wants a value"))?;
        match argument.as_str() {
            "--binary" => binary = Some(PathBuf::from(value)),
            "--out" => out = PathBuf::from(value),
            _ => bail!("`deb` takes --binary FILE and --out DIR, not `{argument}`"),
        }
    }
    let binary = match binary {
        Some(binary) => binary,
        None => build(root)?,
    };
    let version = version(root)?;
    let architecture = told(Command::new("dpkg").arg("--print-architecture"))?;
    let architecture = architecture.trim();
    let tree = out.join("tree");
    if tree.exists() {
        fs::remove_dir_all(&tree).with_context(|| format!("cannot remove `{}`", tree.display()))?;
    }
    fill(root, &binary, &tree)?;
    let bytes = seal(root, &tree)?;
    let control = control(&version, architecture, &libraries(&binary, &out)?, bytes);
    put(&tree, "DEBIAN/control", control.as_bytes(), 0o644)?;
    let package = out.join(format!("osel_{version}_{architecture}.deb"));
    let mut pack = Command::new("dpkg-deb");
    // The lowest level: a test packs a build that is not optimised, which would take half a minute.
    pack.args(["--root-owner-group", "-Zxz", "-z1", "--build"]).arg(&tree).arg(&package);
    told(&mut pack)?;
    fs::remove_dir_all(&tree).with_context(|| format!("cannot remove `{}`", tree.display()))?;
    println!("{}", package.display());
    Ok(ExitCode::SUCCESS)
}

fn build(root: &Path) -> Result<PathBuf> {
    let mut build = command::cargo(root);
    build.args(["build", "--release", "--locked"]);
    build.args(PROGRAMS.iter().flat_map(|program| ["--package", program]));
    if !command::run(build, BUILD_LIMIT)?.success() {
        bail!("the programs do not build");
    }
    Ok(root.join("target/release/osel"))
}

/// Everything that is unpacked.
fn fill(root: &Path, binary: &Path, tree: &Path) -> Result<()> {
    for name in PROGRAMS {
        let built = binary.with_file_name(name);
        let program = fs::read(&built).with_context(|| format!("cannot read `{}`", built.display()))?;
        let place = format!("usr/bin/{name}");
        put(tree, &place, &program, 0o755)?;
        if command::on_path("strip") {
            // Line tables are for those who build it.
            told(Command::new("strip").arg("--strip-unneeded").arg(tree.join(place)))?;
        }
    }
    for (from, to) in FILES {
        let path = root.join(from);
        let content = fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        put(tree, to, &content, 0o644)?;
    }
    let places = places(root)?;
    for (from, to) in &places {
        let path = root.join(from);
        let mut content = fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        if let (true, Ok(text)) = (from.ends_with(".md"), std::str::from_utf8(&content)) {
            content = packed::page(from, text, &places).into_bytes();
        }
        put(tree, to, &content, 0o644)?;
    }
    put(tree, CONFIGURATION, told(Command::new(binary).args(["config", "example"]))?.as_bytes(), 0o640)?;
    fs::set_permissions(tree.join("etc/osel"), fs::Permissions::from_mode(0o750))?;
    for (shell, to) in COMPLETIONS {
        put(tree, to, told(Command::new(binary).args(["completions", shell]))?.as_bytes(), 0o644)?;
    }
    let changes = debian_changelog(&version(root)?, &crate::changelog::text(root)?, &last_change(root)?);
    put(tree, "usr/share/doc/osel/changelog", changes.as_bytes(), 0o644)?;
    let pages = tree.join("usr/share/man/man1");
    folders(tree, &pages).with_context(|| format!("cannot make `{}`", pages.display()))?;
    told(Command::new(binary).args(["man", "--dir"]).arg(&pages))?;
    let mut packed: Vec<PathBuf> = files(&pages)?;
    for page in &packed {
        fs::set_permissions(page, fs::Permissions::from_mode(0o644))?;
    }
    packed.push(tree.join("usr/share/doc/osel/changelog"));
    told(Command::new("gzip").arg("-9n").args(packed))?;
    Ok(())
}

/// Where the pages lie, and what they name.
fn places(root: &Path) -> Result<Places> {
    let mut places: Places = NAMED.map(|(from, to)| (from.to_owned(), to.to_owned())).into();
    let pages = root.join(PAGES.0);
    for page in files(&pages)? {
        let name = page.strip_prefix(&pages)?;
        if !NOT_PACKED.iter().any(|not| name.starts_with(not)) {
            let name = name.to_str().context("names are ASCII")?;
            places.insert(format!("{}/{name}", PAGES.0), format!("{}/{name}", PAGES.1));
        }
    }
    Ok(places)
}

/// The changelog in the form that Debian's tools read (deb-changelog(5)).
fn debian_changelog(version: &str, changes: &str, date: &str) -> String {
    let lines = changes.lines().map(|line| match (line.strip_prefix("## "), line.strip_prefix("- ")) {
        (Some(heading), _) => format!("  [ {heading} ]\n"),
        (_, Some(item)) => format!("  * {item}\n"),
        _ if line.is_empty() => "\n".to_owned(),
        _ => format!("  {line}\n"),
    });
    let lines: String = lines.collect();
    format!("osel ({version}) unstable; urgency=medium\n\n{lines}\n -- {MAINTAINER}  {date}\n")
}

/// When the tree was changed last, as mail headers have it; now, where nobody can tell.
fn last_change(root: &Path) -> Result<String> {
    let mut asked = Command::new("git");
    asked.args(["log", "-1", "--format=%cD"]).current_dir(root).stdin(Stdio::null()).stderr(Stdio::null());
    let found = asked.output().ok().filter(|output| output.status.success());
    let found = found.and_then(|output| String::from_utf8(output.stdout).ok());
    let date = found.map_or_else(|| told(Command::new("date").args(["-R", "-u"])), Ok)?;
    Ok(date.trim().to_owned())
}

/// What `dpkg` wants to know besides; the bytes of the whole.
fn seal(root: &Path, tree: &Path) -> Result<u64> {
    let (mut sums, mut bytes) = (String::new(), 0);
    for file in files(tree)? {
        let name = file.strip_prefix(tree)?.to_str().context("names are ASCII")?;
        bytes += fs::metadata(&file)?.len();
        if !name.starts_with("etc/") {
            let sum = told(Command::new("md5sum").arg(&file))?;
            writeln!(sums, "{}  {name}", sum.split_whitespace().next().unwrap_or_default())?;
        }
    }
    put(tree, "DEBIAN/md5sums", sums.as_bytes(), 0o644)?;
    put(tree, "DEBIAN/conffiles", format!("/{CONFIGURATION}\n").as_bytes(), 0o644)?;
    for script in SCRIPTS {
        let path = root.join("packaging/debian").join(script);
        let text = fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        put(tree, &format!("DEBIAN/{script}"), &text, 0o755)?;
    }
    Ok(bytes)
}

fn control(version: &str, architecture: &str, libraries: &str, bytes: u64) -> String {
    format!(
        "Package: osel\nVersion: {version}\nArchitecture: {architecture}\n\
         Maintainer: {MAINTAINER}\nInstalled-Size: {}\n\
         Depends: {libraries}, systemd | systemd-standalone-sysusers\nRecommends: ca-certificates\n\
         Section: net\nPriority: optional\nHomepage: https://opendev.org/openstack/osel\n\
         Description: OpenStack Event Listener\n \
         Hears every security-relevant change in an OpenStack cloud from its own message\n \
         bus, works out who did it and what it exposed, has exactly that scanned, and\n \
         keeps a record that nobody can quietly change.\n",
        bytes.div_ceil(1024)
    )
}

/// The packages of the libraries that the programs were linked with, with the versions that it needs.
fn libraries(binary: &Path, out: &Path) -> Result<String> {
    if !command::on_path("dpkg-shlibdeps") {
        say("`dpkg-shlibdeps` (package dpkg-dev) is not there: no versions of libraries are demanded");
        return Ok(LIBRARIES.to_owned());
    }
    // It looks for the description of a source package.
    let place = out.join("libraries");
    put(&place, "debian/control", b"Source: osel\n\nPackage: osel\nArchitecture: any\n", 0o644)?;
    let binary = fs::canonicalize(binary)?;
    let mut ask = Command::new("dpkg-shlibdeps");
    ask.current_dir(&place).arg("-O");
    for name in PROGRAMS {
        ask.arg("-e").arg(binary.with_file_name(name));
    }
    let found = told(&mut ask)?;
    fs::remove_dir_all(&place)?;
    let found = found.trim().strip_prefix("shlibs:Depends=").context("`dpkg-shlibdeps` named no library")?;
    Ok(found.to_owned())
}

/// The version of the workspace.
fn version(root: &Path) -> Result<String> {
    let manifest = fs::read_to_string(root.join("Cargo.toml")).context("cannot read `Cargo.toml`")?;
    let (_, package) = manifest.split_once("[workspace.package]").context("the workspace has no package")?;
    let line = package.lines().find_map(|line| line.strip_prefix("version = "));
    Ok(line.context("the workspace has no version")?.trim_matches('"').to_owned())
}

/// Makes a folder in the tree with those that it is in. Anybody may look into them, whatever is masked for whoever builds.
fn folders(tree: &Path, folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut folders = folder.ancestors().take_while(|folder| folder.starts_with(tree));
    folders.try_for_each(|folder| fs::set_permissions(folder, fs::Permissions::from_mode(0o755)))
}

/// Writes a file and the folders above it, with modes that do not depend on the caller's mask.
fn put(tree: &Path, name: &str, content: &[u8], mode: u32) -> Result<()> {
    let path = tree.join(name);
    let failed = || format!("cannot write `{}`", path.display());
    folders(tree, path.parent().unwrap_or(tree)).with_context(failed)?;
    fs::write(&path, content).with_context(failed)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).with_context(failed)
}

/// All files below a folder, in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// What a program prints, which must succeed.
fn told(program: &mut Command) -> Result<String> {
    let shown = command::shown(program);
    let output = program
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{shown}`"))?;
    if !output.status.success() {
        bail!("`{shown}` failed: {}", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` prints what is no text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever reads a page on a machine without the tree follows its links there.
    #[test]
    fn what_pages_name_is_packed_or_not_linked_to() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let places = places(root).unwrap();
        let packed: std::collections::BTreeSet<&str> = places.values().map(String::as_str).collect();
        let mut followed = 0;
        for (from, to) in places.iter().filter(|(from, _)| from.ends_with(".md")) {
            let text = fs::read_to_string(root.join(from)).unwrap();
            let page = packed::page(from, &text, &places);
            for target in crate::tidy::targets(&page) {
                let file = target.split('#').next().unwrap_or_default();
                if crate::tidy::is_elsewhere(&target) || file.is_empty() {
                    continue;
                }
                let leads_to = crate::tidy::resolve(to, file).unwrap();
                assert!(packed.contains(leads_to.as_str()), "{from}: {target}");
                followed += 1;
            }
        }
        assert!(followed > 100, "{followed}");
        let page = fs::read_to_string(root.join("docs/openstack.md")).unwrap();
        let page = packed::page("docs/openstack.md", &page, &places);
        assert!(page.contains("](openstack/account.sh)"));
    }

    #[test]
    fn a_changelog_is_in_the_form_of_debian() {
        let changes = "## New\n\n- Sees. (#2)\n- Sees\n  more. (#3)\n";
        let wanted = "osel (0.1.0) unstable; urgency=medium\n\n  [ New ]\n\n  * Sees. (#2)\n  * Sees\n    more. (#3)\n\n \
                      -- The osel authors <openstack-discuss@lists.openstack.org>  Thu, 26 Nov 2026 00:00:00 +0000\n";
        assert_eq!(debian_changelog("0.1.0", changes, "Thu, 26 Nov 2026 00:00:00 +0000"), wanted);
    }
}
