//! A policy that is exchanged while the daemon runs holds at once, also for what waits by the one before.

use std::fs;

use osel::runtime::Recorder;
use osel::store::{NewStore, Store};
use osel_core::decode::decode;
use osel_core::engine::EngineOptions;
use osel_core::plan::{QuietHours, ScanPolicy};
use osel_core::time::Timestamp;
use rustix::process::Signal;
use serde_json::json;

use crate::command::Place;
use crate::fold::message;
use crate::scanned::{await_listed, daemon, expose, listed, listener};

/// A policy by which 10.0.0.0/8 is scanned, but not in these hours.
fn options(quiet_hours: Option<QuietHours>) -> EngineOptions {
    let allowed_prefixes = vec!["10.0.0.0/8".parse().unwrap()];
    let scan = ScanPolicy { allowed_prefixes, quiet_hours, ..ScanPolicy::default() };
    EngineOptions { scan: Some(scan), ..EngineOptions::default() }
}

#[test]
fn what_waits_for_the_end_of_quiet_hours_goes_when_they_are_lifted() {
    let place = Place::new("renewed");
    let store = NewStore { id: [7; 16], created_at: Timestamp::EPOCH };
    let store = Store::create(place.path("store").as_ref(), &store).unwrap();
    let all_day_but_a_minute = QuietHours { from_minute: 1, to_minute: 0 };
    let mut recorder = Recorder::resume(Box::new(store), &options(Some(all_day_but_a_minute))).unwrap();
    let rule = json!({"security_group_rule": {
        "id": "r", "security_group_id": "g", "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp",
        "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "0.0.0.0/0",
    }});
    let port = json!({"port": {
        "id": "p", "network_id": "n", "security_groups": ["g"],
        "fixed_ips": [{"ip_address": "10.0.0.5", "subnet_id": "s"}],
    }});
    let mut now = Timestamp::EPOCH;
    for (number, event_type, payload) in
        [(1, "security_group_rule.create.end", &rule), (2, "port.create.end", &port)]
    {
        let raw = message(number, event_type, payload);
        // An hour after midnight, when it is quiet.
        now = raw.received_at.plus_seconds(3600);
        recorder.message(now, &raw, decode(&raw)).unwrap();
    }
    assert!(recorder.flush().unwrap().is_empty(), "it is quiet");
    assert!(recorder.wake_at().is_some_and(|at| at > now), "nothing is to be done before the hours end");

    recorder.set_options(options(None));
    assert!(recorder.wake_at().is_some_and(|at| at <= now), "there is something to be done at once");
    recorder.tick(now).unwrap();
    let [life] = &recorder.flush().unwrap()[..] else { panic!("one scan") };
    assert_eq!(life.command.targets[0].address.to_string(), "10.0.0.5");
    assert!(recorder.wake_at().is_none_or(|at| at > now), "and then no more");
}

/// The built-in scanner, and one that says nothing of what it is asked.
const OWN: &str = "[[scanner]]\nname = 'own'\ntype = 'builtin'\nwindow_seconds = 0\n";
const MORE: &str = "[[scanner]]\nname = 'more'\ntype = 'command'\nprogram = 'true'\nstdin = 'none'\nformat = 'jsonl'\n\
                    window_seconds = 0\n";

#[test]
fn for_a_scanner_that_is_new_something_is_planned_after_the_restart() {
    let mut osel = daemon("renewed-scanner", "", OWN);
    osel.start();
    osel.await_lines("started store", 1);
    let config = osel.place.path("osel.toml");
    fs::write(&config, fs::read_to_string(&config).unwrap() + MORE).unwrap();
    osel.signal(Signal::HUP);
    osel.await_lines("configuration read", 1);
    assert!(osel.log().contains("in force only after a restart"), "{}", osel.log());
    let (_first, port) = listener("127.0.4.1");
    expose(&osel, "127.0.4.1", (port, port));
    let own = ["scans", "list", "--scanner", "own", "--state", "judged"];
    await_listed(&osel, &own, 1);
    assert_eq!(listed(&osel, &["scans", "list"]).len(), 1, "the daemon has one scanner");
    assert!(listed(&osel, &["audit", "search", "--outcome", "failure"]).is_empty());

    assert!(osel.stop().success());
    osel.start();
    let (_second, port) = listener("127.0.4.2");
    expose(&osel, "127.0.4.2", (port, port));
    await_listed(&osel, &own, 2);
    let more = await_listed(&osel, &["scans", "list", "--scanner", "more"], 1);
    assert!(!more[0].to_string().contains("configured any more"), "{more:?}");
    assert!(osel.stop().success());
}
