//! Running the program as a person would, in a directory that goes afterwards.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use osel_sim::corpus;
use serde_json::Value;

/// A directory of one test.
pub struct Place(PathBuf);

impl Place {
    pub fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        std::fs::write(self.0.join(name), content).unwrap();
        self.path(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The built program, without any setting by the environment of whoever runs the tests.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_osel"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OSEL_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs `osel` and gives what it said.
pub fn osel(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

/// Runs `osel`, which must succeed, and gives its standard output.
pub fn run(arguments: &[&str]) -> String {
    let output = osel(arguments);
    let said = [&output.stderr[..], &output.stdout].map(String::from_utf8_lossy);
    assert!(output.status.success(), "osel {arguments:?}: {}: {said:?}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Runs `osel`, which must print JSON Lines.
pub fn json_lines(arguments: &[&str]) -> Vec<Value> {
    run(arguments).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Runs `osel`, which must refuse with this exit code and one line on standard error, which is given.
pub fn refused(code: i32, arguments: &[&str]) -> String {
    let output = osel(arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "osel {arguments:?}: {error}");
    assert_eq!(error.trim_end().lines().count(), 1, "osel {arguments:?}: {error}");
    error
}

/// The file of a recorded cloud.
pub fn recording(name: &str) -> String {
    corpus::directory().join(format!("{name}.jsonl.gz")).to_str().unwrap().to_owned()
}
