//! A scan and its life: made, launched, waiting, running, over. It advances with each question about its state.

use serde_json::{Value, json};

use super::options::Options;

/// The time at which everything happens, since nothing depends on it: 26 November 2026.
const NOW: i64 = 1_795_662_000;

/// A scan that somebody has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Its number.
    pub id: u64,
    /// Its UUID, by which the cloud knows it too.
    pub uuid: String,
    /// What it is called.
    pub name: String,
    /// What it scans.
    pub targets: Vec<String>,
    /// How often it was launched.
    pub launches: u32,
    /// The settings with which it was made.
    pub settings: Value,
    pub(super) template: String,
    pub(super) stage: Stage,
    /// The runs, each with its UUID and the state in which it ended.
    pub(super) runs: Vec<(String, &'static str)>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It was never launched.
    Empty,
    /// So often was it asked for its state since.
    Going(u32),
    /// It was halted after so many questions.
    Paused(u32),
    /// It was told to stop.
    Stopping,
    /// It is over.
    Over,
}

impl Scan {
    /// Its state, in the product's word.
    pub(super) fn status(&self, options: &Options) -> &'static str {
        match self.stage {
            Stage::Empty => "empty",
            Stage::Going(polls) if polls < options.waiting_polls => "pending",
            Stage::Going(_) => options.running,
            Stage::Paused(_) => "paused",
            Stage::Stopping => "stopping",
            Stage::Over => self.runs.last().map_or("empty", |(_, end)| end),
        }
    }

    /// Somebody asks for its state: after the answer it is a step further.
    pub(super) fn advance(&mut self, options: &Options) {
        match self.stage {
            Stage::Going(polls) if polls + 1 >= options.waiting_polls + options.running_polls => {
                self.end(options.end);
            }
            Stage::Going(polls) => self.stage = Stage::Going(polls + 1),
            Stage::Stopping => self.end("canceled"),
            Stage::Empty | Stage::Paused(_) | Stage::Over => {}
        }
    }

    pub(super) fn end(&mut self, how: &'static str) {
        self.stage = Stage::Over;
        if let Some((_, end)) = self.runs.last_mut() {
            *end = how;
        }
    }

    pub(super) fn is_going(&self) -> bool {
        matches!(self.stage, Stage::Going(_) | Stage::Paused(_) | Stage::Stopping)
    }

    /// Its line in the list of scans.
    pub(super) fn line(&self, options: &Options) -> Value {
        let is_empty = self.stage == Stage::Empty;
        json!({
            "folder_id": self.settings.get("folder_id").cloned().unwrap_or(json!(3)),
            "type": if is_empty { Value::Null } else { json!("local") },
            "read": false,
            "last_modification_date": NOW,
            "creation_date": NOW,
            "status": self.status(options),
            "uuid": if is_empty { Value::Null } else { json!(self.uuid) },
            "shared": false,
            "user_permissions": 128,
            "owner": options.username,
            "timezone": null,
            "rrules": null,
            "starttime": null,
            "enabled": false,
            "control": true,
            "live_results": 0,
            "name": self.name,
            "id": self.id,
        })
    }

    /// What is told when it was made.
    pub(super) fn made(&self, options: &Options) -> Value {
        let setting = |key: &str| self.settings.get(key).cloned().unwrap_or(Value::Null);
        json!({"scan": {
            "creation_date": NOW,
            "custom_targets": self.targets.join(","),
            "default_permissions": 0,
            "description": null,
            "emails": null,
            "enabled": false,
            "id": self.id,
            "last_modification_date": NOW,
            "name": self.name,
            "owner": options.username,
            "owner_id": 2,
            "policy_id": setting("policy_id"),
            "rrules": null,
            "scanner_id": setting("scanner_id"),
            "shared": 0,
            "starttime": null,
            "tag_id": 3,
            "timezone": null,
            "type": "public",
            "user_permissions": 128,
            "uuid": self.uuid,
        }})
    }

    /// Everything about it; the hosts come from outside.
    pub(super) fn details(&self, options: &Options, hosts: &Value, vulnerabilities: &Value) -> Value {
        let history: Vec<Value> = (1..)
            .zip(&self.runs)
            .map(|(number, (uuid, end))| {
                let is_last = number == self.runs.len();
                let status = if is_last { self.status(options) } else { end };
                json!({"history_id": number, "uuid": uuid, "status": status, "owner_id": 2,
                       "creation_date": NOW, "last_modification_date": NOW, "type": "local"})
            })
            .collect();
        json!({
            "info": {
                "object_id": self.id,
                "uuid": self.runs.last().map(|(uuid, _)| uuid),
                "name": self.name,
                "status": self.status(options),
                "targets": self.targets.join(","),
                "policy": "Basic Network Scan",
                "scanner_name": "Local Scanner",
                "scan_start": NOW,
                "scan_end": if self.stage == Stage::Over { json!(NOW + 60) } else { Value::Null },
                "hostcount": hosts.as_array().map_or(0, Vec::len),
                "user_permissions": 128,
                "control": true,
            },
            "hosts": hosts,
            "vulnerabilities": vulnerabilities,
            "comphosts": [],
            "compliance": [],
            "filters": [],
            "history": if history.is_empty() { Value::Null } else { json!(history) },
        })
    }
}
