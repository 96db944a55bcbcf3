//! `osel run` as a child process without a broker: it follows a file, which is what its tests of everything but brokers need.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use ::osel::store::{Counters, Reader, Store};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::broker::until;
use crate::command::{Place, json_lines, program, run};

/// For what happens at once, on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(90);

/// A daemon that may run or not, and what it leaves behind. Its source is called `captured`.
pub struct Daemon {
    pub place: Place,
    pub variables: Vec<(String, String)>,
    process: Option<Child>,
}

impl Daemon {
    /// One with these further lines of configuration, after the source's.
    pub fn new(name: &str, further: &str) -> Self {
        let daemon = Self { place: Place::new(name), variables: Vec::new(), process: None };
        daemon.configure(further);
        daemon
    }

    /// Writes the configuration. A test that does not look at HTTP must not take anybody's port, and what it reads of the trail is to
    /// change no trail, unless it says so.
    pub fn configure(&self, further: &str) {
        let reads = "[trail]\nrecord_reads = false\n";
        let further = match further {
            said if said.contains("record_reads") => said.to_owned(),
            with_table if with_table.contains("[trail]\n") => with_table.replacen("[trail]\n", reads, 1),
            without => format!("{without}\n{reads}"),
        };
        let http = if further.contains("[http]") { "" } else { "[http]\nlisten = '127.0.0.1:0'\n" };
        self.place.write(
            "osel.toml",
            format!(
                "[store]\npath = 'store'\n[scan]\nenabled = false\n{http}\
                 [[source]]\nname = 'captured'\ntype = 'file'\npath = 'bus.jsonl'\n{further}"
            ),
        );
    }

    #[track_caller]
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "it runs");
        let log = fs::File::options().create(true).append(true).open(self.place.path("log")).unwrap();
        let mut command = program();
        command
            .args(["run", "-c", &self.place.path("osel.toml")])
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        self.process = Some(command.spawn().unwrap());
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// The number of its process.
    pub fn pid(&self) -> Pid {
        Pid::from_child(self.process.as_ref().expect("it runs"))
    }

    /// Asks it to stop and gives how it ended.
    #[track_caller]
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        let mut process = self.process.take().unwrap();
        let mut status = None;
        until("osel stops", LIMIT, || {
            status = process.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Waits until it has ended by itself, and gives how.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("it was started");
        let mut status = None;
        until("osel ends", LIMIT, || {
            status = process.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Kills it at once.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.place.path("log")).unwrap_or_default()
    }

    /// Waits until so many lines of its log hold this.
    #[track_caller]
    pub fn await_lines(&mut self, words: &str, count: usize) {
        until(&format!("{words:?} in the log"), LIMIT, || {
            let status = self.process.as_mut().expect("it was started").try_wait().unwrap();
            assert!(status.is_none(), "it has ended: {status:?}");
            self.log().lines().filter(|line| line.contains(words)).count() >= count
        });
    }

    /// Writes so many messages with ids that begin so to the end of a file.
    pub fn capture(&self, file: &str, name: &str, count: usize) {
        self.append(file, (0..count).map(|number| line(&format!("{name}-{number:04}"))).collect::<String>());
    }

    /// Writes to the end of a file.
    pub fn append(&self, file: &str, bytes: impl AsRef<[u8]>) {
        let mut file = fs::File::options().create(true).append(true).open(self.place.path(file)).unwrap();
        file.write_all(bytes.as_ref()).unwrap();
    }

    /// What its store counts of its source; nothing where there is none yet.
    pub fn ledger(&self) -> Counters {
        let read = || Store::open_reader(Path::new(&self.place.path("store"))).ok()?.ledger().ok();
        let found = read().and_then(|all| all.into_iter().find(|counters| counters.source == "captured"));
        found.unwrap_or_default()
    }

    /// Waits until so many messages were received.
    #[track_caller]
    pub fn await_received(&self, count: u64) {
        until(&format!("{count} messages"), LIMIT, || self.ledger().received >= count);
    }

    /// All records of the verified trail.
    pub fn records(&self) -> Vec<Value> {
        let store = self.place.path("store");
        run(&["audit", "verify", "--store", &store]);
        json_lines(&["audit", "export", "--store", &store, "-o", "json"])
    }

    /// The ids of messages that have records, in the order of the trail.
    pub fn recorded_ids(&self) -> Vec<String> {
        let records = self.records();
        records.iter().filter_map(|record| record["message_id"].as_str()).map(str::to_owned).collect()
    }

    /// What its trail says of gaps.
    pub fn gaps(&self) -> Vec<String> {
        let is_gap = |record: &Value| record["kind"] == "gap";
        let sentence = |record: Value| record["summary"].as_str().unwrap().to_owned();
        self.records().into_iter().filter(is_gap).map(sentence).collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("osel has logged:\n{}", self.log());
        }
    }
}

/// The ids that [`Daemon::capture`] gives.
pub fn ids(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{name}-{number:04}")).collect()
}

/// A line with a captured notification of that id.
pub fn line(id: &str) -> String {
    let body = json!({
        "message_id": id, "event_type": "network.update.end", "publisher_id": "network.controller1",
        "priority": "INFO", "timestamp": "2026-11-21 00:00:00.000000", "payload": {"network": {"id": "n", "name": id}},
    });
    let line = json!({
        "received_at": "2026-11-21T00:00:00.5Z", "exchange": "neutron", "routing_key": "notifications.info",
        "redelivered": false, "properties": {}, "body": body.to_string(),
    });
    format!("{line}\n")
}
