//! Python environments in the target folder: `test-python` with real oslo.messaging, for the tests' publishers, and what the lab asks for.
//!
//! One is made once and again when a pin changes; what was made says so in a stamp, which the tests compare too. It never fails the
//! tests by itself: what went wrong is said, and the tests that need it fail.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result, bail};

use crate::command::{self, say};

/// The pins: the environment, and what is laid beside it in a folder of its own: a release of oslo.messaging that still sent tokens,
/// clients of scanners, a key manager, stores of objects, and a witness of logs.
const PINS: [(&str, Option<&str>); 6] = [
    ("crates/osel/tests/python/requirements.txt", None),
    ("crates/osel/tests/python/requirements-zed.txt", Some("zed")),
    ("crates/osel/tests/python/requirements-tenable.txt", Some("tenable")),
    ("crates/osel/tests/python/requirements-barbican.txt", Some("barbican")),
    ("crates/osel/tests/python/requirements-cloud.txt", Some("cloud")),
    ("crates/osel/tests/python/requirements-witness.txt", Some("witness")),
];
/// Written last: the pins by which the environment was made.
const STAMP: &str = "stamp";
/// Some fifty packages, over a slow network.
const PYTHON_LIMIT: Duration = Duration::from_mins(10);

/// Makes the tests' environment unless it is there; says so where that is impossible, and leaves it to the tests to fail.
pub(crate) fn install(root: &Path) -> Result<()> {
    let pins = PINS.map(|(path, beside)| (root.join(path), beside));
    let pins: Vec<(&Path, Option<&str>)> =
        pins.iter().map(|(path, beside)| (path.as_path(), *beside)).collect();
    if let Err(error) = environment("test-python", &pins) {
        say(&format!("no Python environment with oslo.messaging: {error:#}; tests that need it fail"));
    }
    Ok(())
}

/// An environment of that name by these pins, some of which lie beside the others in a folder; made unless it is there.
pub(crate) fn environment(name: &str, pins: &[(&Path, Option<&str>)]) -> Result<PathBuf> {
    let mut wanted = String::new();
    for (path, _) in pins {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        wanted.push_str(&text);
    }
    let place = target()?.join(name);
    if fs::read_to_string(place.join(STAMP)).is_ok_and(|made_by| made_by == wanted) {
        return Ok(place);
    }
    if place.exists() {
        fs::remove_dir_all(&place).with_context(|| format!("cannot remove `{}`", place.display()))?;
    }
    step("python3".as_ref(), &["-m".as_ref(), "venv".as_ref(), place.as_ref()])?;
    let python = place.join("bin/python");
    for (path, beside) in pins {
        // The pins are complete, so that nothing has to be resolved; and they are tried, whatever Python a package would like.
        let mut pip: Vec<&OsStr> =
            ["-m", "pip", "install", "--quiet", "--no-input", "--no-deps"].map(OsStr::new).into();
        pip.extend(["--disable-pip-version-check", "--ignore-requires-python"].map(OsStr::new));
        let beside = beside.map(|folder| place.join(folder));
        if let Some(folder) = &beside {
            pip.extend(["--target".as_ref(), folder.as_os_str()]);
        }
        pip.extend(["--requirement".as_ref(), path.as_os_str()]);
        step(python.as_ref(), &pip)?;
    }
    fs::write(place.join(STAMP), wanted).context("cannot write into the target folder")?;
    Ok(place)
}

fn step(program: &OsStr, arguments: &[&OsStr]) -> Result<()> {
    let mut command = Command::new(program);
    command.args(arguments);
    let shown = command::shown(&command);
    match command::run(command, PYTHON_LIMIT)?.success() {
        true => Ok(()),
        false => bail!("`{shown}` failed"),
    }
}

/// The target folder: this program was built into a folder of it.
pub(crate) fn target() -> Result<PathBuf> {
    let program = env::current_exe().context("cannot tell where this program is")?;
    program.ancestors().nth(2).map(Path::to_path_buf).context("this program is in no target folder")
}
