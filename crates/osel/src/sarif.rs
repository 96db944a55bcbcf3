//! SARIF 2.1.0, which code scanners and dashboards read: the log of one run, its rules and their severities.
//!
//! What is found, and what a finding's place and fingerprint are, is up to whoever writes one.

use serde_json::{Value, json};

/// How much of a text a message repeats: some readers refuse long ones.
const MESSAGE_CHARS_MAX: usize = 1000;

/// Something that can be found. Ids mean the same for ever.
#[derive(Debug)]
pub struct Rule {
    /// Its id: `OSEL-101`.
    pub id: &'static str,
    /// Its name, in one word.
    pub name: &'static str,
    /// `error`, `warning` or `note`.
    pub level: &'static str,
    /// A score as in CVSS, which GitHub sorts by.
    pub severity: &'static str,
    /// What it is.
    pub short: &'static str,
    /// What to do.
    pub help: &'static str,
}

impl Rule {
    /// The rule as a log describes it.
    pub fn descriptor(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "shortDescription": {"text": self.short},
            "fullDescription": {"text": self.help},
            "help": {"text": self.help},
            "defaultConfiguration": {"level": self.level},
            "properties": {"tags": ["security", "network"], "precision": "high", "security-severity": self.severity},
        })
    }
}

/// The log of one run; `category` tells runs of different kinds apart.
pub fn log(version: &str, category: &str, rules: &[Value], results: &[Value]) -> Value {
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "osel", "version": version, "rules": rules}},
            "automationDetails": {"id": category},
            "invocations": [{"executionSuccessful": true}],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// A message of one line, cut to a length that every reader takes.
pub fn message(text: &str) -> Value {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    json!({"text": text.chars().map(clean).take(MESSAGE_CHARS_MAX).collect::<String>()})
}
