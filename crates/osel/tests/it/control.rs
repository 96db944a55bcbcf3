//! The socket of a running daemon: who may use it, and what of it outlives the daemon.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use ::osel::store::{Reader, Store};

use crate::broker::until;
use crate::daemon::{Daemon, LIMIT};

fn connect(path: &str) -> UnixStream {
    let mut stream = None;
    until("the daemon takes orders", LIMIT, || {
        stream = UnixStream::connect(path).ok();
        stream.is_some()
    });
    stream.unwrap()
}

fn answer(path: &str, line: &str) -> String {
    let mut stream = connect(path);
    // One that is refused early is not read to its end.
    let _ = stream.write_all(line.as_bytes());
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    String::from_utf8(text).unwrap()
}

#[test]
fn a_daemon_answers_sense_and_outlives_nonsense() {
    let mut osel = Daemon::new("control", "");
    let socket = osel.place.path("store/osel.sock");
    osel.start();
    drop(connect(&socket));
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o660);
    let store = Store::open_reader(Path::new(&osel.place.path("store"))).unwrap().info().unwrap().id;
    let order = |order: &str| answer(&socket, &format!("{{\"store\":\"{store}\",\"order\":{order}}}\n"));
    for nonsense in ["\n", "\u{0}\n", "[]\n", "{\"store\":1}\n", &"x".repeat(100_000), "{}\n{}\n"] {
        assert!(answer(&socket, nonsense).starts_with("{\"refused\":"), "{nonsense:.20}");
    }
    assert!(order("{\"stop\":{}}").contains("unknown variant"));
    assert_eq!(
        order("{\"cancel_scan\":{\"id\":\"scan-1\"}}"),
        "{\"no\":\"no scan `scan-1` is under way that was not called off before\"}\n"
    );
    assert_eq!(order("{\"findings_read\":{\"seq\":0}}").trim(), "{\"done\":null}");
    // A person's name cannot be taken: it is no part of an order.
    assert!(order("{\"findings_read\":{\"seq\":0,\"consumer\":\"siem\"}}").contains("unknown field"));
    osel.capture("bus.jsonl", "a", 3);
    osel.await_received(3);
    assert!(osel.stop().success());
    assert!(!Path::new(&socket).exists());
}

#[test]
fn the_socket_of_a_killed_daemon_is_replaced_and_another_place_can_be_named() {
    let mut osel = Daemon::new("control-killed", "");
    let socket = osel.place.path("store/osel.sock");
    osel.start();
    drop(connect(&socket));
    osel.kill();
    assert!(Path::new(&socket).exists());
    osel.start();
    drop(connect(&socket));
    assert!(osel.stop().success());

    let other = osel.place.path("other.sock");
    osel.configure(&format!("[control]\nsocket = '{other}'\n"));
    osel.start();
    drop(connect(&other));
    assert!(!Path::new(&socket).exists());
    assert!(osel.stop().success());

    // One that cannot be is said, and the daemon does its work.
    osel.configure(&format!("[control]\nsocket = '/{}'\n", "d".repeat(200)));
    osel.start();
    osel.await_lines("of which the system takes 107", 1);
    osel.capture("bus.jsonl", "a", 3);
    osel.await_received(3);
    assert!(osel.stop().success());
}
