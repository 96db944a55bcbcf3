//! `cargo xtask lab`: real Keystone and Neutron, and `osel run` beside them, on this machine's loopback.
//!
//! It installs what the lab needs, builds the program and the independent judge, and leaves the rest to the scripts in `lab/`. It takes
//! minutes and is no part of the tests.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::forward::code;
use crate::{command, packages, python};

/// Compiling the program from nothing on two cores.
const BUILD_LIMIT: Duration = Duration::from_mins(60);
/// Services start within minutes; a scenario may be long.
const LAB_LIMIT: Duration = Duration::from_hours(6);

/// Brings everything up, plays, compares, takes everything down. Arguments go to the scripts: `--rounds N`.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<ExitCode> {
    packages::install_for_lab()?;
    let environment = python::environment("lab-python", &[(&root.join("lab/requirements.txt"), None)])?;
    let mut build = command::cargo(root);
    build.args(["build", "--package", "osel", "--package", "osel-sim"]);
    if !command::run(build, BUILD_LIMIT)?.success() {
        bail!("`osel` does not build");
    }
    let target = python::target()?;
    let mut lab = Command::new(environment.join("bin/python"));
    lab.arg(root.join("lab/lab.py"));
    for (name, program) in [("--osel", "debug/osel"), ("--judge", "debug/osel-sim"), ("--home", "lab")] {
        lab.arg(name).arg(target.join(program));
    }
    lab.args(arguments).env("PYTHONDONTWRITEBYTECODE", "1").env_remove("PYTHONPATH");
    Ok(code(command::run(lab, LAB_LIMIT)?))
}
