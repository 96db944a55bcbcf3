//! Loading a recording and its snapshots.
//!
//! Reads files and nothing else; what the messages mean to a comparison is in [`super::known`].

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::files::{FileError, read_lines};

/// Every recording that has snapshots, by name.
const RECORDINGS: [&str; 7] =
    ["dev-2026", "dev-zed", "dev-race", "dev-2topics", "dev-v1basic", "dev-glance", "dev-aodh"];

/// Where the recordings of this project lie.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// A recording with its snapshots.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// The name, for example `dev-2026`.
    pub name: String,
    /// The messages in the order they came.
    pub messages: Vec<Message>,
    /// The snapshots in the order they were taken.
    pub snapshots: Vec<Snapshot>,
}

impl Corpus {
    /// The names of the recordings that have snapshots.
    pub fn names() -> impl Iterator<Item = &'static str> {
        RECORDINGS.into_iter()
    }

    /// Reads `NAME.jsonl.gz` and `NAME.snapshots.jsonl.gz` (where there is one) from a directory.
    ///
    /// # Errors
    /// [`FileError`] when a file is missing, cut short or not of the form it should have.
    pub fn load(directory: &Path, name: &str) -> Result<Self, FileError> {
        let path = directory.join(format!("{name}.jsonl.gz"));
        let lines = read_lines(&path)?;
        let messages =
            numbered(lines, |line, number| Message::new(line).ok_or_else(|| no(&path, number, "body")))?;

        let path = directory.join(format!("{name}.snapshots.jsonl.gz"));
        let lines = if path.exists() { read_lines(&path)? } else { Vec::new() };
        let snapshots =
            numbered(lines, |line, number| Snapshot::new(line).ok_or_else(|| no(&path, number, "state")))?;
        Ok(Self { name: name.to_owned(), messages, snapshots })
    }

    /// The messages received before a snapshot was taken.
    pub fn messages_until(&self, snapshot: &Snapshot) -> &[Message] {
        self.messages.get(..snapshot.messages_so_far).unwrap_or(&self.messages)
    }
}

/// One line of a recording.
#[derive(Clone, Debug)]
pub struct Message {
    /// The line as it stands in the file.
    pub line: Value,
    /// The body, exactly as received.
    pub body: String,
}

impl Message {
    fn new(line: Value) -> Option<Self> {
        let body = line["body"].as_str()?.to_owned();
        Some(Self { line, body })
    }
}

/// The state of the cloud by its APIs at one mark.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The name of the mark.
    pub mark: String,
    /// How many messages had been received.
    pub messages_so_far: usize,
    /// When it was taken.
    pub time: String,
    /// The collections as the APIs returned them.
    pub state: Value,
}

impl Snapshot {
    fn new(mut line: Value) -> Option<Self> {
        let state = line.get_mut("state").map(Value::take).filter(Value::is_object)?;
        Some(Self {
            mark: line["mark"].as_str()?.to_owned(),
            messages_so_far: usize::try_from(line["messages_so_far"].as_u64()?).ok()?,
            time: line["time"].as_str()?.to_owned(),
            state,
        })
    }

    /// The state in the form `osel inventory import` takes: Keystone's collections without their prefix,
    /// collections that could not be read left out, and `taken_at`.
    pub fn inventory(&self) -> Value {
        let mut inventory = serde_json::Map::new();
        for (key, objects) in self.state.as_object().into_iter().flatten() {
            if objects.is_array() {
                inventory.insert(key.strip_prefix("keystone_").unwrap_or(key).to_owned(), objects.clone());
            }
        }
        inventory.insert("taken_at".to_owned(), self.time.as_str().into());
        Value::Object(inventory)
    }
}

/// The notification inside a body, of either envelope; nothing where the body is none.
pub fn notification(body: &str) -> Option<Value> {
    let outer: Value = serde_json::from_str(body).ok()?;
    match outer.get("oslo.message").and_then(Value::as_str) {
        Some(inner) => serde_json::from_str(inner).ok(),
        None => Some(outer),
    }
}

fn numbered<T>(
    lines: Vec<Value>,
    read: impl Fn(Value, usize) -> Result<T, FileError>,
) -> Result<Vec<T>, FileError> {
    lines.into_iter().enumerate().map(|(at, line)| read(line, at + 1)).collect()
}

fn no(path: &Path, line: usize, key: &'static str) -> FileError {
    FileError::Shape { path: path.to_owned(), line, key }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recording_loads_with_as_many_messages_as_its_last_mark_counts() {
        for name in Corpus::names() {
            let corpus = Corpus::load(&directory(), name).unwrap();
            let last = corpus.snapshots.last().unwrap();
            assert!(!corpus.messages.is_empty(), "{name}");
            assert!(last.messages_so_far <= corpus.messages.len(), "{name}");
            assert!(corpus.messages.iter().all(|message| notification(&message.body).is_some()), "{name}");
        }
    }

    #[test]
    fn an_inventory_has_the_names_of_the_contract() {
        let corpus = Corpus::load(&directory(), "dev-2026").unwrap();
        let inventory = corpus.snapshots[0].inventory();
        assert!(inventory["users"].is_array() && inventory.get("keystone_users").is_none());
        assert_eq!(inventory["taken_at"], "2026-11-21T00:40:36.351053+00:00");
    }

    #[test]
    fn a_missing_recording_is_an_error_that_names_the_file() {
        let error = Corpus::load(&directory(), "no-such").unwrap_err();
        assert!(error.to_string().contains("no-such.jsonl.gz"), "{error}");
    }
}
