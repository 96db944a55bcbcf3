//! `osel doctor` before real brokers: one in which everything is wrong on purpose, and one that is well kept.

mod bad;
mod good;
mod store;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use lapin::options::BasicConsumeOptions;
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties, Consumer};
use osel::doctor::Subject;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::Notification;
use crate::command::Place;

/// What a run of `osel doctor` said.
struct Said {
    code: Option<i32>,
    verdicts: Vec<Value>,
    error: String,
}

impl Said {
    /// The ids with a verdict of this state, sorted, each once.
    fn ids(&self, state: &str) -> Vec<&str> {
        let of = self.verdicts.iter().filter(|verdict| verdict["state"] == state);
        let ids: BTreeSet<&str> = of.map(|verdict| verdict["id"].as_str().unwrap()).collect();
        ids.into_iter().collect()
    }

    /// What was seen of a finding by sources that hold this word.
    #[track_caller]
    fn seen(&self, id: &str, source: &str) -> String {
        let is_it = |verdict: &&Value| {
            verdict["id"] == id
                && verdict["state"] == "found"
                && verdict["source"].as_str().unwrap().contains(source)
        };
        let seen: Vec<&str> =
            self.verdicts.iter().filter(is_it).map(|verdict| verdict["seen"].as_str().unwrap()).collect();
        assert!(!seen.is_empty(), "{id} is not found by {source}: {:#?}", self.verdicts);
        seen.join("; ")
    }
}

/// Runs `osel doctor` with output for programs. `meanwhile` is done once it listens, or at its end where it does not.
fn doctor(arguments: &[&str], meanwhile: impl FnOnce()) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_osel"));
    command.args(["doctor", "-o", "json"]).args(arguments);
    for name in ["OSEL_CONFIG", "OSEL_TRANSPORT_URL", "OSEL_MANAGEMENT_URL"] {
        command.env_remove(name);
    }
    let mut process =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let output = process.stdout.take().unwrap();
    let output = thread::spawn(move || std::io::read_to_string(output).unwrap());
    let mut error = String::new();
    let mut meanwhile = Some(meanwhile);
    for line in BufReader::new(process.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.starts_with("listening to ")
            && let Some(meanwhile) = meanwhile.take()
        {
            meanwhile();
        }
        error.push_str(&line);
        error.push('\n');
    }
    let output = output.join().unwrap();
    let verdicts = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said = Said { code: process.wait().unwrap().code(), verdicts, error };
    for secret in SECRETS {
        assert!(
            !output.contains(secret) && !said.error.contains(secret),
            "`{secret}` is told: {output}{}",
            said.error
        );
    }
    said
}

/// For what happens at once, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
/// What no output may hold.
const SECRETS: [&str; 3] = [PASSWORD, TOKEN, super::Node::PASSWORD];
const PASSWORD: &str = "a-secret-of-somebody";
const TOKEN: &str = "gAAAAABtokenOfAUserThatRidesOnTheBus";

/// All checks there are of a cloud; those of osel's store have a test of their own.
fn all_ids() -> Vec<&'static str> {
    let cards = osel::doctor::Id::ALL.iter().map(|id| id.card());
    let ids: BTreeSet<&str> =
        cards.filter(|card| card.subject != Subject::Store).map(|card| card.id).collect();
    ids.into_iter().collect()
}

/// A login, as Keystone tells it.
fn login(user: &str, address: &str) -> Notification {
    Notification::new("identity.authenticate", cadf("authenticate", user, address))
}

/// An event in CADF.
fn cadf(action: &str, user: &str, address: &str) -> Value {
    json!({
        "typeURI": "http://schemas.dmtf.org/cloud/audit/1.0/event", "eventType": "activity", "id": "e",
        "eventTime": "2026-11-21T01:20:47.932842+0000", "action": action, "outcome": "success",
        "initiator": {
            "typeURI": "service/security/account/user", "id": user, "user_id": user,
            "host": {"address": address, "agent": "python-keystoneclient"},
        },
        "target": {"typeURI": "data/security/account/user", "id": "u9"},
        "observer": {"typeURI": "service/security", "id": "s1"}, "resource_info": "u9",
    })
}

/// Programs that hold connections and consume, until they are dropped.
struct Programs {
    runtime: Runtime,
    connections: Vec<Connection>,
    /// A consumer that is dropped is cancelled.
    consumers: Vec<(Channel, Consumer)>,
}

impl Programs {
    fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { runtime, connections: Vec::new(), consumers: Vec::new() }
    }

    /// Connects by the URL under the name that oslo.messaging would give the program's connection.
    fn connect(&mut self, url: &str, program: &str) {
        let name = format!("{program}:7:0b0e5c1a");
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let connection = self.runtime.block_on(Connection::connect(url, properties)).unwrap();
        self.connections.push(connection);
    }

    /// Consumes by the last connection and acknowledges nothing.
    fn consume(&mut self, queue: &str) {
        let connection = self.connections.last().unwrap();
        let consuming = async {
            let channel = connection.create_channel().await?;
            let options = BasicConsumeOptions::default();
            let consumer =
                channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await?;
            lapin::Result::Ok((channel, consumer))
        };
        self.consumers.push(self.runtime.block_on(consuming).unwrap());
    }
}

/// Writes files by name and gives their paths.
fn files(place: &Place, files: &[(&str, &str)]) -> Vec<String> {
    files.iter().map(|(name, text)| place.write(name, text)).collect()
}
