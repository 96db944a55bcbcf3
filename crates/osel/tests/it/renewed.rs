//! A policy that is exchanged while the daemon runs holds at once, also for what waits by the one before.

use osel::runtime::Recorder;
use osel::store::{NewStore, Store};
use osel_core::decode::decode;
use osel_core::engine::EngineOptions;
use osel_core::plan::{QuietHours, ScanPolicy};
use osel_core::time::Timestamp;
use serde_json::json;

use crate::command::Place;
use crate::fold::message;

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
