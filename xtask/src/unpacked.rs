//! Programs that the tests call and that Debian does not install side by side: unpacked below the target folder, not installed.
//!
//! rsyslog and syslog-ng each want to be the machine's only syslog. Unpacked, neither is a service, nothing of the machine changes, and
//! nobody has to be root. It never fails the tests by itself: what is missing is named, and the tests that need it fail.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::command::{self, say};
use crate::python::target;

/// A folder below `target/unpacked`, and the packages in it; what they need and the machine does not have comes with them.
const FOLDERS: [(&str, &[&str]); 2] =
    [("rsyslog", &["rsyslog", "rsyslog-gnutls"]), ("syslog-ng", &["syslog-ng-core"])];

/// A few packages, over a slow network.
const LIMIT: Duration = Duration::from_mins(5);

/// Fetches the packages of its arguments and unpacks them into the folder before them, which is there when that is done. Lists of packages
/// that are old may name what is gone: root has them read anew.
const UNPACK: &str = r#"
folder=$1; shift
rm -rf "$folder.part" && mkdir -p "$folder.part/packages" && cd "$folder.part/packages" || exit 1
fetch() {
    apt-get install --simulate --no-install-recommends "$@" > ../plan || return 1
    # shellcheck disable=SC2046
    apt-get download "$@" $(sed -n 's/^Inst \([^ ]*\) .*/\1/p' ../plan)
}
fetch "$@" || { test "$(id -u)" = 0 && apt-get update && fetch "$@"; } || exit 1
for package in *.deb; do dpkg-deb --extract "$package" .. || exit 1; done
cd / && rm -rf "$folder.part/packages" "$folder" && mv "$folder.part" "$folder"
"#;

/// Unpacks what is not there; says so where that is impossible, and leaves it to the tests to fail.
pub(crate) fn install() -> Result<()> {
    for (name, packages) in FOLDERS {
        let folder = target()?.join("unpacked").join(name);
        if folder.is_dir() {
            continue;
        }
        if !unpack(&folder, packages)? {
            say(&format!("cannot unpack {}; tests that need it fail", packages.join(", ")));
        }
    }
    Ok(())
}

fn unpack(folder: &Path, packages: &[&str]) -> Result<bool> {
    if !command::on_path("apt-get") {
        return Ok(false);
    }
    say(&format!("unpacking {}", packages.join(", ")));
    let mut unpack = Command::new("sh");
    unpack.args(["-c", UNPACK, "unpack"]).arg(folder).args(packages).stdin(Stdio::null());
    // Not through `command::run`, which would print the whole script.
    let child = unpack.spawn().context("cannot start unpacking")?;
    Ok(command::wait(child, "unpacking packages", LIMIT)?.success())
}
