//! What is installed: the unit and its sandbox, the Debian package with all that is in it, the container's health check.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::broker::until;
use crate::command::Place;
use crate::daemon::{Daemon, LIMIT};

/// The top of the work tree.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// What a program prints, which must succeed.
#[track_caller]
fn told(program: &mut Command) -> String {
    let Output { status, stdout, stderr } = program.output().unwrap();
    assert!(status.success(), "{program:?}: {}", text(stderr));
    text(stdout)
}

#[test]
fn the_unit_leaves_little_open() {
    let unit = root().join("packaging/osel.service");
    // In tenths: 2.0.
    let analyze = ["security", "--offline=true", "--threshold=20", "--no-pager"];
    told(Command::new("systemd-analyze").args(analyze).arg(&unit));
    let text = fs::read_to_string(unit).unwrap();
    for line in [
        "Type=notify",
        "User=osel",
        "ExecStart=/usr/bin/osel run -c /etc/osel/osel.toml",
        "StateDirectory=osel",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}");
    }
    assert!(text.contains("\nWatchdogSec="));
}

#[test]
fn the_package_has_what_it_promises() {
    let place = Place::new("packaging");
    let out = place.path("out");
    // It is packed from beside `osel`, where it lies once the tests of the whole workspace were built.
    if !Path::new(env!("CARGO_BIN_EXE_osel")).with_file_name("osel-verify").exists() {
        let build = ["build", "--locked", "--package", "osel-verify"];
        told(Command::new(env!("CARGO")).current_dir(root()).args(build));
    }
    let mut xtask = Command::new("sh");
    xtask.current_dir(root()).args(["-c", "umask 077; exec \"$@\"", "sh", env!("CARGO")]);
    xtask.args(["xtask", "deb", "--binary", env!("CARGO_BIN_EXE_osel"), "--out", &out]);
    let package = told(&mut xtask).trim().to_owned();
    let architecture = told(Command::new("dpkg").arg("--print-architecture")).trim().to_owned();
    assert_eq!(package, format!("{out}/osel_0.1.0_{architecture}.deb"));

    let field = |name: &str| told(Command::new("dpkg-deb").args(["-f", &package, name])).trim().to_owned();
    assert_eq!([field("Package"), field("Version")], ["osel", "0.1.0"].map(str::to_owned));
    assert!(
        field("Depends").starts_with("libc6") && field("Depends").contains("systemd"),
        "{}",
        field("Depends")
    );
    assert!(field("Installed-Size").parse::<u64>().unwrap() > 1000);

    // Modes and owners, whatever the mask of whoever built it.
    let listing = told(Command::new("dpkg-deb").args(["-c", &package]));
    for (mode, name) in [
        ("-rwxr-xr-x", "./usr/bin/osel"),
        ("-rwxr-xr-x", "./usr/bin/osel-verify"),
        ("drwxr-x---", "./etc/osel/"),
        ("drwxr-xr-x", "./usr/share/man/"),
        ("drwxr-xr-x", "./usr/share/man/man1/"),
        ("-rw-r-----", "./etc/osel/osel.toml"),
        ("-rw-r--r--", "./usr/lib/systemd/system/osel.service"),
        ("-rw-r--r--", "./usr/lib/sysusers.d/osel.conf"),
        ("-rw-r--r--", "./usr/share/man/man1/osel.1.gz"),
        ("-rw-r--r--", "./usr/share/man/man1/osel-run.1.gz"),
        ("-rw-r--r--", "./usr/share/man/man1/osel-verify.1.gz"),
        ("-rw-r--r--", "./usr/share/bash-completion/completions/osel"),
        ("-rw-r--r--", "./usr/share/zsh/vendor-completions/_osel"),
        ("-rw-r--r--", "./usr/share/fish/vendor_completions.d/osel.fish"),
        ("-rw-r--r--", "./usr/share/doc/osel/copyright"),
        ("-rw-r--r--", "./usr/share/doc/osel/operations.md"),
        ("-rw-r--r--", "./usr/share/doc/osel/bundle-format.md"),
        ("-rw-r--r--", "./usr/share/doc/osel/SECURITY.md"),
        ("-rw-r--r--", "./usr/share/doc/osel/openstack/account.sh"),
        ("-rw-r--r--", "./usr/share/doc/osel/changelog.gz"),
    ] {
        let is_it = |line: &&str| line.starts_with(mode) && line.ends_with(&format!(" {name}"));
        let line = listing.lines().find(is_it).unwrap_or_else(|| panic!("{mode} {name}:\n{listing}"));
        assert!(line.contains(" root/root "), "{line}");
    }

    let tree = place.path("tree");
    told(Command::new("dpkg-deb").args(["-R", &package, &tree]));
    let file = |name: &str| fs::read_to_string(format!("{tree}/{name}")).unwrap();
    assert_eq!(file("DEBIAN/conffiles"), "/etc/osel/osel.toml\n");
    told(Command::new("md5sum").current_dir(&tree).args(["--check", "--quiet", "DEBIAN/md5sums"]));
    let program = format!("{tree}/usr/bin/osel");
    assert_eq!(file("etc/osel/osel.toml"), told(Command::new(&program).args(["config", "example"])));
    told(Command::new(format!("{tree}/usr/bin/osel-verify")).arg("--version"));
    for script in ["postinst", "prerm", "postrm"] {
        told(Command::new("sh").arg("-n").arg(format!("{tree}/DEBIAN/{script}")));
    }
    // What the texts of the program name is there, wherever they name it.
    let reference = fs::read_to_string(root().join("docs/reference/cli.md")).unwrap();
    let named: Vec<&str> = reference
        .split(|c: char| c.is_whitespace() || "(),;`".contains(c))
        .filter_map(|word| word.strip_prefix("docs/")?.split_once(".md").map(|(page, _)| page))
        .collect();
    assert!(named.contains(&"export") && named.len() > 3, "{named:?}");
    for page in named {
        assert!(!file(&format!("usr/share/doc/osel/{page}.md")).is_empty());
    }
    // The user that the unit runs as is the one that is made.
    let user = file("usr/lib/sysusers.d/osel.conf");
    assert!(user.lines().any(|line| line.starts_with("u osel ")), "{user}");
    let sysusers = ["--dry-run", "--inline", user.lines().last().unwrap()];
    told(Command::new("systemd-sysusers").args(sysusers));
    if Command::new("lintian").arg("--version").output().is_ok() {
        told(Command::new("lintian").args(["--fail-on", "error", &package]));
    }
}

#[test]
fn the_container_asks_for_health_and_builds_with_our_compiler() {
    let file = fs::read_to_string(root().join("packaging/Containerfile")).unwrap();
    let toolchain = fs::read_to_string(root().join("rust-toolchain.toml")).unwrap();
    let version = toolchain.split('"').nth(1).unwrap();
    assert!(file.contains(&format!("/rust:{version}-slim-bookworm AS build")), "{version}");
    let user = file.lines().position(|line| line.starts_with("USER 8480")).unwrap();
    assert!(user < file.lines().position(|line| line.starts_with("ENTRYPOINT")).unwrap());

    // The check as it stands there, against a daemon that answers and against none.
    let line = file.lines().find(|line| line.starts_with("HEALTHCHECK")).unwrap();
    let command: Vec<String> = serde_json::from_str(line.split_once(" CMD ").unwrap().1).unwrap();
    let mut osel = Daemon::new("packaging-health", "");
    osel.start();
    osel.await_lines("HTTP answers", 1);
    let log = osel.log();
    let port = log.split_once("address=127.0.0.1:").unwrap().1.lines().next().unwrap().to_owned();
    let is_healthy = || {
        let mut check = Command::new(&command[0]);
        check.args(&command[1..]).env("OSEL_HEALTH_PORT", &port).output().unwrap().status.success()
    };
    until("it is healthy", LIMIT, is_healthy);
    assert!(osel.stop().success());
    assert!(!is_healthy());
}
