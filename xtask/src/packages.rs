//! Programs that the tests call, from Debian packages: installs what is missing where that is possible.
//!
//! It never fails the tests by itself: what cannot be installed is named, and the tests that need it fail. It starts no service:
//! a package that brings one is installed with its service held down and disabled, and one that was there before is left alone.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::command::{self, say};

/// Something that tests call, with the Debian package that brings it.
struct Needed {
    package: &'static str,
    probe: Probe,
}

/// How it shows that it is there.
enum Probe {
    Program(&'static str),
    /// A module of Python that can be found.
    Module(&'static str),
    /// A file that it brings and that is looked for there.
    File(&'static str),
    /// The server of any version; Debian keeps each in a folder of its own.
    PostgreSql,
}

/// What the lab calls besides.
const NEEDED_BY_LAB: [Needed; 1] = [
    // The database of Keystone and Neutron, which support no other in earnest.
    Needed { package: "mariadb-server", probe: Probe::Program("mariadbd") },
];

const NEEDED: [Needed; 12] = [
    // The scanner's results are compared with its own.
    Needed { package: "nmap", probe: Probe::Program("nmap") },
    // Its adapter is tried with the real one.
    Needed { package: "masscan", probe: Probe::Program("masscan") },
    // Namespaces of the network, and the loss between them, for a testbed of the scanner.
    Needed { package: "iproute2", probe: Probe::Program("ip") },
    Needed { package: "nftables", probe: Probe::Program("nft") },
    // Scripts that check our results independently.
    Needed { package: "python3", probe: Probe::Program("python3") },
    // An environment for oslo.messaging; Debian has the module `venv` without what it needs.
    Needed { package: "python3-venv", probe: Probe::Module("ensurepip") },
    // It says how much of the system is open to the daemon's unit.
    Needed { package: "systemd", probe: Probe::Program("systemd-analyze") },
    // The bus, with Erlang. Each test starts a node of its own from it.
    Needed { package: "rabbitmq-server", probe: Probe::Program("rabbitmq-server") },
    // The shared store. Each test starts a server of its own from it.
    Needed { package: "postgresql", probe: Probe::PostgreSql },
    // Go's compiler and the log of its checksum database, which check our log independently: 81 MB to fetch, half a GB on disk.
    Needed { package: "golang-go", probe: Probe::Program("go") },
    Needed { package: "golang-golang-x-mod-dev", probe: Probe::File(GO_LOG) },
    // Another's implementation of what exports are encrypted with.
    Needed { package: "age", probe: Probe::Program("age") },
];

/// Where servers are installed, which is not on everybody's search path.
const SERVERS: &str = "/usr/sbin";

/// A file of the library of Go's checksum database, where Debian puts sources for Go.
const GO_LOG: &str = "/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog/tlog.go";

/// Where the versions of PostgreSQL are.
const POSTGRESQL: &str = "/usr/lib/postgresql";

/// Refreshing the package lists or installing a few packages, over a slow network.
const PACKAGES_LIMIT: Duration = Duration::from_mins(10);

/// Installs the packages that it gets as arguments, as root. The policy keeps every package from starting its service
/// (systemd's, too), and goes again if it was not there before, even after an interruption. The lists may be partly out of reach
/// and good enough: what counts is whether the packages come. Another installation may be running: it is waited for.
const INSTALL: &str = r#"
policy=/usr/sbin/policy-rc.d
if ! test -e "$policy"; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod 755 "$policy" || exit 1
fi
before=$(ls /etc/systemd/system/*.wants 2> /dev/null)
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=120 "$@" || exit 1
# Erlang's port mapper comes with two units.
for unit in rabbitmq-server.service epmd.service epmd.socket postgresql.service mariadb.service; do
    case $before in *"$unit"*) continue ;; esac
    if test -e "/lib/systemd/system/$unit" && command -v systemctl > /dev/null; then systemctl disable "$unit"; fi
done
case " $* " in *" rabbitmq-server "*) update-rc.d rabbitmq-server disable ;; esac
case " $* " in *" postgresql "*) update-rc.d postgresql disable ;; esac
"#;

/// Installs the missing programs where that is possible; says so where it is not, and leaves it to the tests to fail.
pub(crate) fn install() -> Result<()> {
    install_all(&NEEDED)
}

/// As [`install`], for the lab.
pub(crate) fn install_for_lab() -> Result<()> {
    install_all(&NEEDED)?;
    install_all(&NEEDED_BY_LAB)
}

fn install_all(needed: &[Needed]) -> Result<()> {
    let missing: Vec<&str> =
        needed.iter().filter(|needed| !needed.probe.holds()).map(|needed| needed.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = format!("please install: {}; tests that need them fail", missing.join(", "));
    if !command::on_path("apt-get") {
        say(&format!("this is no Debian; {by_hand}"));
        return Ok(());
    }
    let Some(prefix) = privileges() else {
        say(&format!("not root, and `sudo` asks for a password; {by_hand}"));
        return Ok(());
    };
    say(&format!("installing {}", missing.join(", ")));
    let line: Vec<&str> = prefix.iter().copied().chain(["sh", "-c", INSTALL, "install"]).collect();
    let mut install = Command::new(line[0]);
    install.args(&line[1..]).args(&missing).stdin(Stdio::null());
    // Not through `command::run`, which would print the whole script.
    let child = install.spawn().context("cannot start the installation")?;
    if !command::wait(child, "the installation", PACKAGES_LIMIT)?.success() {
        say(&by_hand);
    }
    Ok(())
}

impl Probe {
    fn holds(&self) -> bool {
        match self {
            Self::Program(name) => command::on_path(name) || Path::new(SERVERS).join(name).is_file(),
            Self::File(path) => Path::new(path).is_file(),
            Self::PostgreSql => std::fs::read_dir(POSTGRESQL).is_ok_and(|versions| {
                versions.flatten().any(|version| version.path().join("bin/initdb").is_file())
            }),
            Self::Module(name) => {
                let mut python = Command::new("python3");
                python.args(["-c", &format!("import {name}")]);
                python.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                python.status().is_ok_and(|status| status.success())
            }
        }
    }
}

/// What to put before a command that needs root, or nothing when there is no way without a person.
fn privileges() -> Option<&'static [&'static str]> {
    let id = Command::new("id").arg("-u").stdin(Stdio::null()).output().ok()?;
    if id.stdout.trim_ascii() == b"0" {
        return Some(&[]);
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["-n", "true"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    sudo.status().is_ok_and(|status| status.success()).then_some(&["sudo", "-n"])
}
