//! `osel run` with a file as its source and the simulated Qualys as its scanner: what the first OSEL was for, and that whatever kills the
//! program there is one scan for one order, judged once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use osel_sim::corpus::{Corpus, directory};
use osel_sim::scanners::qualys::{Host, Life, Options, Qualys, RateLimit};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::broker::until;
use crate::command::osel;
use crate::daemon::{Daemon, LIMIT};

/// An address of the orders that are killed.
const ADDRESS: &str = "192.0.2.7";

/// A Qualys that has everything, whose hosts have ports open, and whose scans are done at the first look.
fn served() -> Qualys {
    Qualys::start(Options {
        addresses: ["0.0.0.0/0", "::/0"].map(|prefix| prefix.parse().unwrap()).into(),
        other_host: Some(Host::with_tcp(&[22, 443])),
        has_ipv6: true,
        life: Life::Looks { queued: 0, running: 0, loading: 0 },
        rate: RateLimit { calls: 100_000, seconds: 3600 },
        concurrency_limit: 64,
        ..Options::default()
    })
    .unwrap()
}

/// An osel that has it as its only scanner.
fn daemon(name: &str, qualys: &Qualys, window_seconds: u32) -> Daemon {
    let mut daemon = Daemon::new(name, "");
    daemon.variables.push(("QUALYS_PASSWORD".to_owned(), "a word".to_owned()));
    daemon.place.write(
        "osel.toml",
        format!(
            "[store]\npath = 'store'\n[scan]\nallowed_prefixes = ['0.0.0.0/0', '::/0']\n[http]\nlisten = '127.0.0.1:0'\n\
             [[source]]\nname = 'captured'\ntype = 'file'\npath = 'bus.jsonl'\n\
             [[scanner]]\nname = 'perimeter'\ntype = 'qualys'\nurl = '{}'\nuser = 'osel'\npassword = {{ env = 'QUALYS_PASSWORD' }}\n\
             option_profile = 'Initial Options'\nipv6 = 'allowed'\ncovers_tcp = ['1-65535']\nwindow_seconds = {window_seconds}\n\
             running_max = 8\n",
            qualys.url
        ),
    );
    daemon
}

/// What a command prints of the daemon's store, line by line; nothing as long as there is no store.
fn exported(daemon: &Daemon, format: &[&str]) -> Vec<Value> {
    let store = daemon.place.path("store");
    let output = osel(&[&["audit", "export", "--store", &store], format].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn old_lines(daemon: &Daemon) -> Vec<Value> {
    exported(daemon, &["--format", "osel-1.1"])
}

/// Plays a recording until changes of each of these types have a scan.
fn play(name: &str, wanted: &[&str]) {
    let qualys = served();
    let mut osel = daemon(&format!("qualys-{name}"), &qualys, 2);
    let corpus = Corpus::load(&directory(), name).unwrap();
    let lines: String = corpus.messages.iter().map(|message| format!("{}\n", message.line)).collect();
    osel.append("bus.jsonl", lines);
    osel.start();
    let mut lines = Vec::new();
    until("changes of each type have a scan", LIMIT, || {
        lines = old_lines(&osel);
        let scanned: BTreeSet<&str> = lines
            .iter()
            .filter(|line| line["qualys_scan_id"] != "")
            .map(|line| line["change_type"].as_str().unwrap())
            .collect();
        wanted.iter().all(|change| scanned.contains(change))
    });
    assert!(osel.stop().success());
    let references: BTreeSet<String> = qualys.scans().into_iter().map(|(reference, _)| reference).collect();
    for line in &lines {
        let (id, error) =
            (line["qualys_scan_id"].as_str().unwrap(), line["qualys_scan_error"].as_str().unwrap());
        assert_eq!(line["source_type"], "osel1.1");
        // There is a scan or a reason, never both.
        assert_ne!(id.is_empty(), error.is_empty(), "{line}");
        assert!(id.is_empty() || references.contains(id), "{line}");
    }
    // No order has two scans.
    let launched = qualys.launched();
    assert_eq!(launched.iter().collect::<BTreeSet<_>>().len(), launched.len(), "{launched:?}");
}

#[test]
fn the_first_osels_own_recording_has_lines_with_scan_ids() {
    play("icehouse", &["sg_rule_add", "sg_rule_del"]);
}

#[test]
fn deletions_and_new_ports_are_scanned_too() {
    play("dev-2026", &["sg_rule_add", "sg_rule_del", "port_create", "port_delete"]);
}

/// A message that opens port 22 of one address to everybody.
fn exposure() -> String {
    let rule = json!({"security_group_rule": {
        "id": "rule", "security_group_id": "group", "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp",
        "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "0.0.0.0/0",
    }});
    let port = json!({"port": {
        "id": "port", "network_id": "network", "security_groups": ["group"], "project_id": "project",
        "fixed_ips": [{"ip_address": ADDRESS, "subnet_id": "subnet"}],
    }});
    let line = |id: &str, event_type: &str, payload: Value| {
        let body = json!({
            "message_id": id, "event_type": event_type, "publisher_id": "network.controller1", "priority": "INFO",
            "timestamp": "2026-11-21 00:00:00.000000", "payload": payload,
        });
        let line = json!({
            "received_at": "2026-11-21T00:00:00.5Z", "exchange": "neutron", "routing_key": "notifications.info",
            "redelivered": false, "properties": {}, "body": body.to_string(),
        });
        format!("{line}\n")
    };
    line("rule", "security_group_rule.create.end", rule) + &line("port", "port.create.end", port)
}

/// The records of scans of the address.
fn judged(osel: &Daemon) -> usize {
    exported(osel, &["-o", "json"]).iter().filter(|record| record["kind"] == "scan").count()
}

/// Kills the program at the moment of a request, starts it again, and waits until the scan is judged. Gives how many requests there were.
fn killed_at(number: u64, is_done: bool) -> u64 {
    let qualys = served();
    let mut osel = daemon(&format!("qualys-kill-{number}-{is_done}"), &qualys, 0);
    osel.append("bus.jsonl", exposure());
    let victim: Arc<Mutex<Option<Pid>>> = Arc::default();
    let shot = Arc::new(Mutex::new(false));
    let (aimed, fired) = (Arc::clone(&victim), Arc::clone(&shot));
    qualys.at_each(move |moment| {
        if (moment.number, moment.is_done) == (number, is_done) {
            // It has been started, but perhaps its number is not noted yet.
            let pid = loop {
                if let Some(pid) = *aimed.lock().unwrap() {
                    break pid;
                }
                std::thread::yield_now();
            };
            kill_process(pid, Signal::KILL).unwrap();
            *fired.lock().unwrap() = true;
        }
    });
    osel.start();
    *victim.lock().unwrap() = Some(osel.pid());
    if number > 0 {
        until("it is killed", LIMIT, || *shot.lock().unwrap());
        osel.kill();
        qualys.unhook();
        osel.start();
    }
    until("the scan is judged", LIMIT, || judged(&osel) > 0);
    assert!(osel.stop().success());
    // Whoever starts it once more finds nothing left to do.
    osel.start();
    osel.await_lines("listening", if number > 0 { 3 } else { 2 });
    assert!(osel.stop().success());
    assert_eq!(judged(&osel), 1, "killed at request {number}, done: {is_done}");
    assert_eq!(qualys.launched().len(), 1, "killed at request {number}, done: {is_done}");
    qualys.requests()
}

#[test]
fn whatever_kills_the_program_there_is_one_scan_and_it_is_judged_once() {
    let requests = killed_at(0, false);
    assert!(requests >= 4, "excluded addresses, launch, state and result make {requests}");
    let moments = (1..=requests).flat_map(|number| [(number, false), (number, true)]);
    let threads: Vec<_> =
        moments.map(|(number, is_done)| std::thread::spawn(move || killed_at(number, is_done))).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}
