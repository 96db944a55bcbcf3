//! Programs that the tests call, from Debian packages: installs what is missing where that is possible.
//!
//! It never fails the tests by itself: what cannot be installed is named, and the tests that need it fail.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Result;

use crate::command::{self, say};

/// Programs that tests call, each with the Debian package that brings it.
const PROGRAMS: [(&str, &str); 2] = [
    // The scanner's results are compared with its own.
    ("nmap", "nmap"),
    // Scripts that check our results independently.
    ("python3", "python3"),
];

/// Refreshing the package lists or installing a few packages, over a slow network.
const PACKAGES_LIMIT: Duration = Duration::from_mins(10);
/// Another installation may be running: wait for it, in seconds, instead of failing.
const LOCK: &str = "DPkg::Lock::Timeout=120";
/// Installs the missing programs where that is possible; says so where it is not, and leaves it to the tests to fail.
pub(crate) fn install() -> Result<()> {
    let missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !command::on_path(program))
        .map(|(_, package)| *package)
        .collect();
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
    for words in
        [&["apt-get", "update"][..], &["apt-get", "install", "--yes", "--no-install-recommends", "-o", LOCK]]
    {
        let mut line: Vec<&str> = prefix.to_vec();
        // Through `env`, since sudo drops the environment.
        line.extend(["env", "DEBIAN_FRONTEND=noninteractive"]);
        line.extend(words);
        if words.contains(&"install") {
            line.extend(&missing);
        }
        let mut apt = Command::new(line[0]);
        apt.args(&line[1..]);
        // The lists may be partly out of reach and good enough: what counts is whether the packages come.
        if !command::run(apt, PACKAGES_LIMIT)?.success() && words.contains(&"install") {
            say(&by_hand);
        }
    }
    Ok(())
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
