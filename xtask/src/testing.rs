//! `cargo xtask test`: everything that must hold, with one command in a fresh clone.
//!
//! First what the tests need is installed where it is missing and may be; then the doc tests run, then all other tests, so that
//! the summary of the test runner is the last thing that is printed.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::command::{self, say};
use crate::forward::code;
use crate::{packages, python, unpacked};

/// Compiling the test runner on two cores takes about six minutes.
const RUNNER_LIMIT: Duration = Duration::from_mins(30);
/// Compiling the whole workspace from nothing on two cores, several times over.
const BUILD_LIMIT: Duration = Duration::from_mins(60);
/// All tests; single tests have limits of their own in `.config/nextest.toml`.
const TESTS_LIMIT: Duration = Duration::from_mins(60);

/// Installs, builds and runs; what follows `--` goes to the runner.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<ExitCode> {
    let for_runner = match arguments.split_first() {
        None => &[],
        Some((first, rest)) if first == "--" => rest,
        Some((first, _)) => bail!("`{first}`: arguments for the test runner follow `--`"),
    };
    packages::install()?;
    unpacked::install()?;
    python::install(root)?;
    let nextest = has_nextest(root) || install_nextest(root);
    let mut build = command::cargo(root);
    build.args(["build", "--package", "osel"]);
    if !command::run(build, BUILD_LIMIT)?.success() {
        bail!("`osel` does not build");
    }
    let documents = documents(root)?;
    let tests = if nextest { with_nextest(root, for_runner)? } else { with_cargo(root, for_runner)? };
    if documents != ExitCode::SUCCESS {
        say("the doc tests failed: see above");
        return Ok(documents);
    }
    Ok(tests)
}

fn documents(root: &Path) -> Result<ExitCode> {
    let mut tests = command::cargo(root);
    tests.args(["test", "--quiet", "--doc", "--workspace"]);
    Ok(code(command::run(tests, BUILD_LIMIT)?))
}

fn with_nextest(root: &Path, arguments: &[String]) -> Result<ExitCode> {
    let mut tests = command::cargo(root);
    tests.args(["nextest", "run", "--workspace"]).args(arguments);
    Ok(code(command::run(tests, BUILD_LIMIT + TESTS_LIMIT)?))
}

fn has_nextest(root: &Path) -> bool {
    let mut version = command::cargo(root);
    version.args(["nextest", "--version"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}

fn install_nextest(root: &Path) -> bool {
    let mut install = command::cargo(root);
    install.args(["install", "cargo-nextest", "--locked"]);
    match command::run(install, RUNNER_LIMIT) {
        Ok(status) if status.success() && has_nextest(root) => true,
        Ok(_) => {
            say("cargo-nextest cannot be installed: going on with `cargo test`");
            false
        }
        Err(error) => {
            say(&format!("{error:#}: going on with `cargo test`"));
            false
        }
    }
}

/// Without nextest: Cargo's own runner prints one summary for each binary, so the sum of them comes at the end.
fn with_cargo(root: &Path, arguments: &[String]) -> Result<ExitCode> {
    let mut tests = command::cargo(root);
    tests.args(["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast", "--"]).args(arguments);
    say(&command::shown(&tests));
    let mut child =
        tests.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot start `cargo test`")?;
    let output = child.stdout.take().context("its output is piped")?;
    let reader = std::thread::spawn(move || {
        let mut sum = Sum::default();
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            sum.add(&line);
            // A closed pipe must not stop the tests.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
        sum
    });
    let status = command::wait(child, "cargo test", BUILD_LIMIT + TESTS_LIMIT)?;
    let Ok(sum) = reader.join() else { bail!("the output of `cargo test` was lost") };
    println!("{}", sum.line(status.success()));
    Ok(code(status))
}

/// The sum of libtest's `test result:` lines.
#[derive(Debug, Default)]
struct Sum {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Sum {
    fn add(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else { return };
        for part in counts.split(['.', ';']) {
            let mut words = part.split_whitespace();
            let (Some(Ok(count)), Some(what)) = (words.next().map(str::parse::<u64>), words.next()) else {
                continue;
            };
            match what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
        }
    }

    fn line(&self, success: bool) -> String {
        let word = if success { "ok" } else { "FAILED" };
        let Self { passed, failed, ignored } = self;
        format!("test result: {word}. {passed} passed; {failed} failed; {ignored} ignored (all binaries)")
    }
}

#[cfg(test)]
mod tests {
    use super::Sum;

    #[test]
    fn summaries_of_several_binaries_add_up() {
        let mut sum = Sum::default();
        for line in [
            "running 4 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.25s",
        ] {
            sum.add(line);
        }
        assert_eq!(sum.line(false), "test result: FAILED. 8 passed; 2 failed; 1 ignored (all binaries)");
    }
}
