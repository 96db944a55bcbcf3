//! `osel run` as a child process, with its configuration, its log and its store.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use ::osel::config::PostgresConfig;
use ::osel::store::{Counters, CursorRow, PostgresReader, Reader, Store};
use osel_core::time::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::super::until;
use super::{LIMIT, PASSWORD};
use crate::command::{Place, json_lines, program, run};

/// The system's time.
pub fn clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap())
}

/// The system's time, as records write it: such texts are in the order of their times.
pub fn now() -> String {
    clock().to_string()
}

/// A daemon that may run or not, and what it leaves behind.
pub struct Osel {
    pub place: Place,
    process: Option<Child>,
    /// The URL of its store, where that is a database.
    database: Option<String>,
}

impl Osel {
    /// One with a single source, which finds the broker by this URL and has these further lines of configuration.
    pub fn new(name: &str, url: &str, further: &str) -> Self {
        Self::with_store(name, None, url, further)
    }

    /// The same with a store in this database.
    pub fn sharing(name: &str, database: &str, url: &str, further: &str) -> Self {
        Self::with_store(name, Some(database.to_owned()), url, further)
    }

    fn with_store(name: &str, database: Option<String>, url: &str, further: &str) -> Self {
        let osel = Self { place: Place::new(name), process: None, database };
        osel.set_url("url", url);
        osel.configure(&source("one", "url", further));
        osel
    }

    /// Writes the configuration: these tables besides those of the store, of scans and of the log. What a test reads of the trail changes no
    /// trail.
    pub fn configure(&self, sources: &str) {
        let (key, store) = (if self.database.is_some() { "url" } else { "path" }, self.store());
        let trail = if sources.contains("[trail]") { "" } else { "[trail]\nrecord_reads = false\n" };
        self.place
            .write("osel.toml", format!("[store]\n{key} = '{store}'\n[scan]\nenabled = false\n[http]\nlisten = '127.0.0.1:0'\n{trail}{sources}"));
    }

    /// Writes a file with a transport URL.
    pub fn set_url(&self, file: &str, url: &str) {
        let path = self.place.write(&format!("{file}.new"), url);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(path, self.place.path(file)).unwrap();
    }

    /// Its store: a directory, or the URL of a database.
    pub fn store(&self) -> String {
        self.database.clone().unwrap_or_else(|| self.place.path("store/kept"))
    }

    fn reader(&self) -> Option<Box<dyn Reader>> {
        let Some(url) = &self.database else {
            return Some(Box::new(Store::open_reader(Path::new(&self.store())).ok()?));
        };
        let config = PostgresConfig::parse(url, &|_| None).unwrap();
        Some(Box::new(PostgresReader::open(&config).ok()?))
    }

    /// Starts it; see [`Self::await_log`] for when it is ready.
    #[track_caller]
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "it runs");
        fs::create_dir_all(self.place.path("store")).unwrap();
        let log = fs::File::options().create(true).append(true).open(self.place.path("log")).unwrap();
        let mut command = program();
        command
            .args(["run", "-c", &self.place.path("osel.toml")])
            // The log is governed by the configuration and by nothing else.
            .env("RUST_LOG", "trace")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        self.process = Some(command.spawn().unwrap());
    }

    /// Starts it and waits until it listens to its sources.
    #[track_caller]
    pub fn start_and_listen(&mut self) {
        let listening = self.lines(&["listening"]).len();
        self.start();
        self.await_lines(&["listening"], listening + 1);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.process.as_ref().expect("it runs")), signal).unwrap();
    }

    /// Has it read its configuration again.
    pub fn reload(&self) {
        self.signal(Signal::HUP);
    }

    /// Asks it to stop and gives how it ended.
    #[track_caller]
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.await_end()
    }

    /// Waits until it ends and gives how.
    #[track_caller]
    pub fn await_end(&mut self) -> ExitStatus {
        let mut process = self.process.take().unwrap();
        let mut status = None;
        until("osel stops", LIMIT, || {
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

    /// Fails the test when it has ended by itself.
    #[track_caller]
    pub fn expect_running(&mut self) {
        let status = self.process.as_mut().expect("it was started").try_wait().unwrap();
        assert!(status.is_none(), "it has ended: {status:?}: {}", self.log());
    }

    /// All that it has logged, in all its lives.
    pub fn log(&self) -> String {
        fs::read_to_string(self.place.path("log")).unwrap_or_default()
    }

    /// The lines of its log that hold all of these words.
    pub fn lines(&self, words: &[&str]) -> Vec<String> {
        let log = self.log();
        let holds = |line: &&str| words.iter().all(|word| line.contains(word));
        log.lines().filter(holds).map(str::to_owned).collect()
    }

    /// Waits until a line of its log holds all of these words.
    #[track_caller]
    pub fn await_log(&mut self, words: &[&str]) {
        self.await_lines(words, 1);
    }

    /// Waits until so many lines of its log hold all of these words.
    #[track_caller]
    pub fn await_lines(&mut self, words: &[&str], count: usize) {
        until(&format!("{words:?} in the log"), LIMIT, || {
            self.expect_running();
            self.lines(words).len() >= count
        });
    }

    /// The name of its queue.
    pub fn queue(&self) -> String {
        let mut reader = self.reader().unwrap();
        format!("osel.{}", reader.info().unwrap().id)
    }

    /// How far the source `one` has come; nothing where there is none yet.
    pub fn cursor(&self) -> Option<CursorRow> {
        let mut reader = self.reader()?;
        reader.cursors().ok()?.into_iter().find(|cursor| cursor.source == "one")
    }

    /// What its store counts of a source; nothing where there is none yet.
    pub fn ledger(&self, source: &str) -> Option<Counters> {
        let mut reader = self.reader()?;
        reader.ledger().ok()?.into_iter().find(|counters| counters.source == source)
    }

    /// Waits until a count of the source `one` is reached, and not passed.
    #[track_caller]
    fn await_count(&self, what: &str, count: u64, of: impl Fn(&Counters) -> u64) {
        let mut last = 0;
        until(&format!("{count} {what}"), LIMIT, || {
            last = self.ledger("one").map_or(0, |counters| of(&counters));
            last >= count
        });
        assert_eq!(last, count, "{what}");
    }

    /// Waits until so many messages of the source `one` have records.
    #[track_caller]
    pub fn await_recorded(&self, count: usize) {
        self.await_count("recorded", count as u64, |counters| counters.recorded);
    }

    /// Waits until so many messages of the source `one` were received.
    #[track_caller]
    pub fn await_received(&self, count: usize) {
        self.await_count("received", count as u64, |counters| counters.received);
    }

    /// All records, each source's ledger balanced and the trail verified.
    #[track_caller]
    pub fn records(&self) -> Vec<Value> {
        run(&["audit", "verify", "--store", &self.store()]);
        for line in json_lines(&["ledger", "--store", &self.store(), "-o", "json"]) {
            let count = |key: &str| line[key].as_u64().unwrap();
            let sum = count("recorded") + count("duplicate") + count("ignored") + count("quarantined");
            assert_eq!(count("received"), sum, "{line}");
        }
        json_lines(&["audit", "export", "--store", &self.store(), "-o", "json"])
    }

    /// The ids of messages that have records, sorted, each as often as it has one.
    #[track_caller]
    pub fn recorded_ids(&self) -> Vec<String> {
        let records = self.records();
        let ids = records.iter().filter_map(|record| record["message_id"].as_str());
        let mut ids: Vec<String> = ids.map(str::to_owned).collect();
        ids.sort_unstable();
        ids
    }

    /// The gaps of its trail: from when, to when, and why.
    pub fn gaps(&self) -> Vec<[String; 3]> {
        let lines = json_lines(&["audit", "search", "--store", &self.store(), "-o", "json", "--kind", "gap"]);
        lines.iter().map(gap).collect()
    }
}

impl Drop for Osel {
    fn drop(&mut self) {
        self.kill();
        let log = self.log();
        if std::thread::panicking() {
            eprintln!("osel has logged:\n{log}");
        } else {
            assert!(!log.contains(PASSWORD) && !log.contains("rabbit://"), "a secret is in the log: {log}");
        }
    }
}

/// What the record of a gap says: from when, to when, and why.
pub fn gap(record: &Value) -> [String; 3] {
    let text = record["summary"].as_str().unwrap();
    let (_, span) = text.split_once("published between ").unwrap();
    let (from, rest) = span.split_once(" and ").unwrap();
    let (to, why) = rest.split_once(" may be missing: ").unwrap();
    [from, to, why].map(str::to_owned)
}

/// A table for a source, which finds its broker by the URL in a file.
pub fn source(name: &str, file: &str, further: &str) -> String {
    format!(
        "[[source]]\nname = '{name}'\ntype = 'rabbitmq'\ntransport_url = {{ file = '{file}' }}\n\
         exchanges = ['neutron', 'keystone']\n{further}\n"
    )
}
