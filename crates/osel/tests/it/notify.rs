//! What `osel run` tells a service manager, heard on a socket of the test's own, and its lines in the journal.

use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use rustix::process::Signal;

use crate::broker::{Postgres, free_port, until};
use crate::command::Place;
use crate::daemon::{Daemon, LIMIT};

/// A service manager.
struct Manager {
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Manager {
    fn new(socket: UnixDatagram) -> Self {
        socket.set_nonblocking(true).unwrap();
        Self { socket, heard: Vec::new() }
    }

    /// Waits until it has heard so many words that begin so, and gives the last of them.
    #[track_caller]
    fn hears(&mut self, word: &str, count: usize) -> String {
        let mut found = None;
        until(&format!("{word:?} {count} times"), LIMIT, || {
            let mut bytes = [0; 4096];
            while let Ok(length) = self.socket.recv(&mut bytes) {
                self.heard.push(String::from_utf8(bytes[..length].to_vec()).unwrap());
            }
            let mut words = self.heard.iter().filter(|heard| heard.starts_with(word));
            found = words.nth(count - 1).cloned();
            found.is_some()
        });
        found.unwrap()
    }

    /// The place of the first word that begins so among all that were heard.
    fn place(&self, word: &str) -> usize {
        self.heard.iter().position(|heard| heard.starts_with(word)).unwrap()
    }
}

fn variable(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn a_manager_hears_of_everything_in_order() {
    let place = Place::new("notify-socket");
    let path = place.path("notify");
    let mut manager = Manager::new(UnixDatagram::bind(&path).unwrap());
    let mut osel = Daemon::new("notify", "");
    osel.variables = vec![variable("NOTIFY_SOCKET", &path), variable("WATCHDOG_USEC", "400000")];
    // The source is not there: that keeps nobody from being ready.
    osel.start();
    manager.hears("EXTEND_TIMEOUT_USEC=60000000", 1);
    manager.hears("READY=1", 1);
    manager.hears("STATUS=0 of 1 sources connected", 1);
    assert!(manager.place("STATUS=opening the store") < manager.place("READY=1"));
    osel.capture("bus.jsonl", "a", 1);
    manager.hears("STATUS=1 of 1 sources connected", 1);
    // From the loop, and before the time is over.
    let beats = manager.heard.iter().filter(|word| *word == "WATCHDOG=1").count();
    manager.hears("WATCHDOG=1", beats + 3);
    osel.signal(Signal::HUP);
    let reload = manager.hears("RELOADING=1\nMONOTONIC_USEC=", 1);
    assert!(reload.rsplit_once('=').unwrap().1.parse::<u64>().unwrap() > 0);
    manager.hears("READY=1", 2);
    // One that is no good is told as well: the old one holds.
    fs::write(osel.place.path("osel.toml"), "[store]\n").unwrap();
    osel.signal(Signal::HUP);
    manager.hears("READY=1", 3);
    assert!(osel.log().contains("the configuration has problems"));
    assert!(osel.stop().success());
    manager.hears("STOPPING=1", 1);
}

#[test]
fn who_stands_by_is_ready_and_beats_also_while_the_database_is_away() {
    let postgres = Postgres::start(free_port(), "");
    let database = postgres.database("osel");
    let [mut leader, mut standby] = ["notify-leader", "notify-standby"].map(|name| {
        let osel = Daemon::new(name, "");
        let text = fs::read_to_string(osel.place.path("osel.toml")).unwrap();
        osel.place.write("osel.toml", text.replace("path = 'store'", &format!("url = '{database}'")));
        osel
    });
    leader.start();
    leader.await_lines("started", 1);
    let path = standby.place.path("notify");
    let mut manager = Manager::new(UnixDatagram::bind(&path).unwrap());
    standby.variables = vec![variable("NOTIFY_SOCKET", &path), variable("WATCHDOG_USEC", "400000")];
    standby.start();
    manager.hears("STATUS=standing by: another process leads the store", 1);
    manager.hears("READY=1", 1);
    postgres.stop("immediate");
    manager.hears("STATUS=opening the store", 2);
    let beats = manager.heard.iter().filter(|word| *word == "WATCHDOG=1").count();
    manager.hears("WATCHDOG=1", beats + 3);
    // It need not wait for the database; who leads once that is back is a matter of chance.
    assert!(standby.stop().success());
    leader.kill();
}

#[test]
fn a_manager_with_an_abstract_name_hears_as_well() {
    let name = format!("osel-notify-{}", std::process::id());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let mut manager = Manager::new(socket);
    let mut osel = Daemon::new("notify-abstract", "");
    osel.variables = vec![variable("NOTIFY_SOCKET", &format!("@{name}"))];
    osel.start();
    manager.hears("READY=1", 1);
    assert!(osel.stop().success());
    // Nobody asked for beats.
    assert!(!manager.heard.iter().any(|word| word == "WATCHDOG=1"));
}

#[test]
fn a_manager_that_reads_nothing_holds_up_nobody() {
    let place = Place::new("notify-deaf");
    let path = place.path("notify");
    let _deaf = UnixDatagram::bind(&path).unwrap();
    let mut osel = Daemon::new("notify-deaf", "");
    // A beat with each turn of the loop: its socket is full at once.
    osel.variables = vec![variable("NOTIFY_SOCKET", &path), variable("WATCHDOG_USEC", "2")];
    osel.capture("bus.jsonl", "a", 600);
    osel.start();
    osel.await_received(600);
    assert!(osel.stop().success());
}

#[test]
fn a_stop_in_the_middle_loses_nothing() {
    let mut osel = Daemon::new("notify-stop", "");
    osel.capture("bus.jsonl", "a", 5000);
    osel.start();
    // In the middle of it.
    osel.await_received(1);
    assert!(osel.stop().success());
    assert!(!osel.log().contains("stopped before"), "{}", osel.log());
    osel.start();
    osel.await_received(5000);
    assert!(osel.stop().success());
    let ledger = osel.ledger();
    assert_eq!((ledger.recorded, ledger.received), (5000, 5000), "{ledger:?}");
}

#[test]
fn lines_have_priorities_only_where_they_go_to_the_journal() {
    let mut osel = Daemon::new("notify-journal", "[log]\nlevel = 'debug'\n");
    osel.place.write("log", "");
    let log = fs::metadata(osel.place.path("log")).unwrap();
    osel.variables = vec![variable("JOURNAL_STREAM", &format!("{}:{}", log.dev(), log.ino()))];
    osel.start();
    osel.await_lines("file cannot be opened", 1);
    assert!(osel.stop().success());
    let lines = osel.log();
    for line in lines.lines() {
        let wanted = match line.split_whitespace().nth(1) {
            Some("INFO") => "<6>20",
            Some("WARN") => "<4>20",
            _ => unreachable!("{line}"),
        };
        assert!(line.starts_with(wanted), "{line}");
    }
    // The variable is inherited by those whose standard error leads elsewhere.
    osel.variables = vec![variable("JOURNAL_STREAM", "1:1")];
    osel.place.write("log", "");
    osel.start();
    osel.await_lines("file cannot be opened", 1);
    assert!(osel.stop().success());
    assert!(osel.log().lines().all(|line| line.starts_with("20")), "{}", osel.log());
    // A program has the level in a key.
    osel.configure("[log]\nformat = 'json'\n");
    osel.place.write("log", "");
    osel.start();
    osel.await_lines("file cannot be opened", 1);
    assert!(osel.stop().success());
    for line in osel.log().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(["INFO", "WARN"].contains(&line["level"].as_str().unwrap()), "{line}");
    }
    // The journal takes the priority off before that program reads it.
    osel.place.write("log", "");
    let log = fs::metadata(osel.place.path("log")).unwrap();
    osel.variables = vec![variable("JOURNAL_STREAM", &format!("{}:{}", log.dev(), log.ino()))];
    osel.start();
    osel.await_lines("file cannot be opened", 1);
    assert!(osel.stop().success());
    for line in osel.log().lines() {
        let (priority, line) = line.split_at(3);
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let wanted = if line["level"] == "WARN" { "<4>" } else { "<6>" };
        assert_eq!(priority, wanted, "{line}");
        assert!(line["message"].is_string() && line["timestamp"].is_string(), "{line}");
    }
}

#[test]
fn what_keeps_it_from_running_looks_as_its_log_does() {
    let mut osel = Daemon::new("notify-fatal", "");
    // A place for the store that is none, and a configuration that is none, as a person sees them, as a program does, and as the journal.
    osel.place.write("store", "no store");
    let wrong = "[log]\nformat = 'json'\n[openstak]\n";
    let mut lines = |further: &str, is_journal: bool, code: i32| {
        osel.configure(further);
        osel.place.write("log", "");
        let log = fs::metadata(osel.place.path("log")).unwrap();
        let stream = if is_journal { format!("{}:{}", log.dev(), log.ino()) } else { String::new() };
        osel.variables = vec![variable("JOURNAL_STREAM", &stream)];
        osel.start();
        assert_eq!(osel.ended().code(), Some(code), "{}", osel.log());
        osel.log()
    };
    let said = lines("", false, 3);
    assert!(said.lines().last().unwrap().starts_with("osel: "), "{said}");
    let said = lines("", true, 3);
    assert!(said.lines().last().unwrap().starts_with("<3>2"), "{said}");
    let said = lines("[openstak]\n", true, 2);
    assert!(said.lines().all(|line| line.starts_with("<3>2")) && said.contains("openstak"), "{said}");
    for (further, code) in [("[log]\nformat = 'json'\n", 3), (wrong, 2)] {
        for is_journal in [false, true] {
            let said = lines(further, is_journal, code);
            let last = said.lines().last().unwrap();
            let last = if is_journal { last.strip_prefix("<3>").unwrap() } else { last };
            let line: serde_json::Value = serde_json::from_str(last).unwrap();
            assert_eq!(line["level"], "ERROR", "{line}");
            let told = if code == 2 { &line["key"] } else { &line["error"] };
            assert!(told.as_str().is_some_and(|told| !told.is_empty()), "{line}");
        }
    }
}
