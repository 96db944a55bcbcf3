//! A node of the log that is damaged while osel runs: its witness refuses what the store proves then, and nobody wrote the log anew.

use std::path::Path;

use crate::broker::until;
use crate::command::osel;
use crate::daemon::LIMIT;
use crate::witness::{Served, daemon, log_key};

#[test]
fn a_damaged_node_is_an_error_that_says_so_and_stops_nothing() {
    let key = log_key(11);
    let mut witness = Served::new("witness-damaged", &[&key.verifier().to_string()]);
    let mut daemon = daemon("witness-damaged-log", &witness, &key);
    witness.start();
    daemon.capture("bus.jsonl", "first", 300);
    daemon.start();
    daemon.await_received(300);
    until("the witness has seen the first ones", LIMIT, || witness.seen() >= 300);
    let seen = witness.seen();
    let store = daemon.place.path("store");
    let file = rusqlite::Connection::open(Path::new(&store).join("journal.db")).unwrap();
    file.busy_timeout(LIMIT).unwrap();
    let damage = "UPDATE log_nodes SET hash = zeroblob(32) WHERE level = 1 AND place = 0";
    assert_eq!(file.execute(damage, []).unwrap(), 1);
    daemon.capture("bus.jsonl", "second", 10);
    daemon.await_lines("are damaged: `osel audit verify` names the first", 1);
    let log = daemon.log();
    assert!(log.contains("the store proves nothing"), "{log}");
    // It listens on, and whoever looks is told what is damaged.
    daemon.capture("bus.jsonl", "third", 10);
    daemon.await_received(320);
    assert!(daemon.stop().success());
    assert_eq!(witness.seen(), seen, "the witness has cosigned nothing that was not proved to it");
    let verified = osel(&["audit", "verify", "--store", &store]);
    assert_eq!(verified.status.code(), Some(1));
    let said = String::from_utf8(verified.stdout).unwrap();
    assert!(said.starts_with("the log of 256 records is bad: "), "{said}");
    // As the manual says: the nodes are made anew, and the witness has nothing against the log.
    assert!(file.execute("DELETE FROM log_nodes", []).unwrap() > 0);
    drop(file);
    daemon.start();
    daemon.await_lines("listening", 2);
    assert!(daemon.stop().success());
    assert!(osel(&["audit", "verify", "--store", &store]).status.success());
    // At that start the witness was asked before there were any.
    daemon.start();
    until("the witness has seen the rest", LIMIT, || witness.seen() >= 320);
    assert!(daemon.stop().success());
}
