//! Witnesses and logs by others: their witness for our log, and our witness for a log of theirs.

use std::fs;
use std::process::{Child, Command, Stdio};

use osel_core::trail::Hash;
use osel_core::trail::bundle::Checker;
use osel_core::trail::log::{Checkpoint, Note, SigningKey, VerifierKey};
use serde_json::{Value, json};

use crate::broker::{beside, free_port, until};
use crate::command::{Place, run};
use crate::daemon::LIMIT;
use crate::http::{address_in, get};
use crate::witness::{Served, copy, daemon_shown_to, log_key, sha256};

const NAME: &str = "witness.example/theirs";

/// Something of theirs, in Python.
fn theirs(arguments: &[&str]) -> Command {
    let (python, path) = beside("witness");
    let mut command = Command::new(python);
    command.args(arguments).env("PYTHONPATH", path).stdin(Stdio::null());
    command
}

#[track_caller]
fn done(mut command: Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// Their witness as a process, for one log.
struct Theirs {
    place: Place,
    port: u16,
    key: String,
    process: Option<Child>,
}

impl Theirs {
    fn new(place: &str, log: &VerifierKey) -> Self {
        let place = Place::new(place);
        let key = done(Self::command(&place, &["init", "--name", NAME])).trim_end().to_owned();
        let (origin, log) = (log.name().as_str(), log.to_string());
        done(Self::command(&place, &["add-log", "--origin", origin, "--vkey", &log]));
        Self { place, port: free_port(), key, process: None }
    }

    fn command(place: &Place, arguments: &[&str]) -> Command {
        let mut command = theirs(&[&["-m", "aics_witness"], arguments].concat());
        command.env("AICS_WITNESS_CONFIG", place.path("witness.json"));
        command
    }

    fn start(&mut self) {
        let log = fs::File::create(self.place.path("log")).unwrap();
        let mut command =
            Self::command(&self.place, &["serve", "--listen", &format!("127.0.0.1:{}", self.port)]);
        self.process = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
    }

    /// The last checkpoint that it shows of a log, and its size; 0 for none.
    fn shown(&self, log: &VerifierKey) -> (u64, String) {
        let hash = Hash(sha256(log.name().as_str()));
        let note = get(([127, 0, 0, 1], self.port).into(), &format!("/{hash}/checkpoint")).body;
        (Checkpoint::read_unverified(note.as_bytes()).map_or(0, |checkpoint| checkpoint.size), note)
    }
}

impl Drop for Theirs {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

#[test]
fn a_witness_by_others_cosigns_our_log_and_finds_it_cut() {
    let key = log_key(12);
    let log = key.verifier();
    let mut witness = Theirs::new("witness-theirs", &log);
    witness.start();
    let table = format!("[[witness]]\nkey = '{}'\nurl = 'http://127.0.0.1:{}'\n", witness.key, witness.port);
    let mut daemon = daemon_shown_to("witness-theirs-log", &table, &key);
    daemon.capture("bus.jsonl", "first", 300);
    daemon.start();
    daemon.await_lines("the log is witnessed", 1);
    daemon.await_received(300);
    // The proof from an earlier size was good too, if it saw one.
    until("it has cosigned all", LIMIT, || witness.shown(&log).0 >= 300);
    let known: VerifierKey = witness.key.parse().unwrap();
    assert!(Note::read(witness.shown(&log).1.as_bytes()).unwrap().cosigned_at(&known).is_some());

    // What we serve with its cosignature is good to their verifier, also against the tiles.
    let address = address_in(&daemon.log());
    until("the served checkpoint has the cosignature", LIMIT, || {
        let note = get(address, "/log/checkpoint").body;
        Note::read(note.as_bytes()).is_ok_and(|note| note.cosigned_at(&known).is_some())
    });
    let note = daemon.place.write("served", get(address, "/log/checkpoint").body);
    let (origin, log_text, tiles) = (log.name().as_str(), log.to_string(), format!("http://{address}/log"));
    let keys = ["--origin", origin, "--log-key", &log_text, "--witness-key", &witness.key, "--quorum", "1"];
    for from in [["--note", &note], ["--tiles", &tiles]] {
        let verify =
            [&["-m", "aics_tlog", "verify-checkpoint", "--max-age", "600"][..], &from, &keys].concat();
        let said: Value = serde_json::from_str(&done(theirs(&verify))).unwrap();
        assert_eq!((&said["ok"], &said["witnesses"]), (&json!(true), &json!([NAME])), "{said}");
    }
    assert!(daemon.stop().success());

    // And its word is good to ours, in the store and in a bundle.
    let (store, copied) = (daemon.place.path("store"), daemon.place.path("copy"));
    run(&["audit", "verify", "--store", &store]);
    let bundle = daemon.place.path("bundle");
    run(&["audit", "export", "--store", &store, "--bundle", &bundle, "--witnesses", "1"]);
    let mut checker = Checker::new(Some(log.clone())).witnessed_by(vec![known], 1);
    for line in fs::read(&bundle).unwrap().split_inclusive(|&byte| byte == b'\n') {
        checker.push(line).unwrap();
    }
    assert!(checker.finish().unwrap().checkpoint.size >= 300);

    copy(&store, &copied);
    let before = witness.shown(&log).0;
    daemon.capture("bus.jsonl", "second", 30);
    daemon.start();
    until("it has seen more", LIMIT, || witness.shown(&log).0 > before);
    assert!(daemon.stop().success());
    copy(&copied, &store);
    daemon.start();
    assert_eq!(daemon.ended().code(), Some(3));
    assert!(daemon.log().contains("what followed was cut off"), "{}", daemon.log());
}

#[test]
fn our_witness_cosigns_a_log_by_others_and_refuses_another_one() {
    let name = "log.example/theirs";
    let log =
        SigningKey::from_seed(name.parse().unwrap(), &std::array::from_fn(|place| place as u8)).verifier();
    let mut witness = Served::new("witness-of-theirs", &[&log.to_string()]);
    let key = witness.key();
    witness.start();
    until("the witness listens", LIMIT, || std::net::TcpStream::connect(("127.0.0.1", witness.port)).is_ok());
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/witnessed_log.py");
    let said: Value = serde_json::from_str(&done(theirs(&[program, name, &witness.url(), &key]))).unwrap();
    let refused = json!({"written anew": 422, "cut": 700});
    assert_eq!(said, json!({"sizes": [1, 7, 256, 257, 700], "refused": refused, "shown": 700}));
    assert_eq!(witness.seen(), 700);
}
