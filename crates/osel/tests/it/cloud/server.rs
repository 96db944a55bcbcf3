//! A server in Python that the test talks to as well, below `/_/`. It ends with the test.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::Value;

use crate::broker::beside;
use crate::http;

/// A server.
pub struct Server {
    /// Where it is.
    pub url: String,
    child: Child,
    /// It ends when this does.
    _held: ChildStdin,
}

impl Server {
    /// Starts a script of the tests' with these arguments.
    pub fn start(script: &str, arguments: &[&str]) -> Self {
        let (python, path) = beside("cloud");
        let mut child = Command::new(python)
            .arg(format!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/{}"), script))
            .args(arguments)
            .env("PYTHONPATH", path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let held = child.stdin.take().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        assert!(url.starts_with("http"), "{script} does not start");
        Self { url: url.trim_end().to_owned(), child, _held: held }
    }

    /// What it says to the test.
    pub fn told(&self, what: &str) -> Value {
        let (address, _) = self
            .url
            .strip_prefix("http://")
            .unwrap()
            .split_once('/')
            .unwrap_or((&self.url["http://".len()..], ""));
        let address = address.parse().unwrap();
        let answer = http::get(address, &format!("/_/{what}"));
        assert_eq!(answer.code, 200, "{}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
