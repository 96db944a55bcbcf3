//! What the bus never told: said once, and never guessed.

use serde_json::{Value, json};

use super::{Listener, at, failures, sums};
use crate::engine::record::RecordBody;
use crate::engine::{ATTEMPT_SECONDS, Input, SourceGap, SourceGapCause, all_rows};
use crate::trail::RecordKind;

fn port(id: &str, address: &str, group: &str) -> Value {
    json!({"port": {
        "id": id, "network_id": "n", "security_groups": [group], "device_owner": "compute:nova",
        "fixed_ips": [{"ip_address": address, "subnet_id": "s"}],
    }})
}

/// The group with one rule, as a creation or an update tells it.
fn group(id: &str) -> Value {
    json!({"security_group": {"id": id, "name": "web", "security_group_rules": [{
        "id": format!("{id}-r"), "security_group_id": id, "direction": "ingress", "ethertype": "IPv4",
        "protocol": "tcp", "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "0.0.0.0/0",
    }]}})
}

fn gaps(records: &[RecordBody]) -> Vec<&RecordBody> {
    records.iter().filter(|record| record.kind == RecordKind::Gap).collect()
}

#[test]
fn a_port_of_a_group_that_nobody_described_is_one_gap_until_the_group_is_described() {
    let mut listener = Listener::new();
    listener.asked(0, 0, "r0");
    let records = listener.hear(1, 1, "r1", "port.create.end", &port("p", "10.0.0.5", "g"));
    let [told] = gaps(&records)[..] else { panic!("{records:?}") };
    // The start is the first record, the port's the second.
    assert_eq!((told.cause, told.message_id.as_ref(), told.time), (Some(2), None, at(1)));
    assert_eq!(told.region.as_deref(), Some("north"));
    assert_eq!(
        told.detail["text"],
        "port p has security group g, which nobody described: its rules are not known"
    );
    assert_eq!(sums(&records), (0, 0), "what nobody described is not guessed");
    assert_eq!(all_rows(&listener.engine, |_, _| true).len(), 0);

    // Said of the same port again, by another message, and by another process: nothing new.
    let update = port("p", "10.0.0.6", "g");
    assert_eq!(gaps(&listener.hear(2, 2, "r2", "port.update.end", &update)).len(), 0);
    listener.restart();
    let update = port("p", "10.0.0.7", "g");
    assert_eq!(gaps(&listener.hear(3, 3, "r3", "port.update.end", &update)).len(), 0);
    // Another port is another gap.
    let other = listener.hear(4, 4, "r4", "port.create.end", &port("q", "10.0.0.8", "g"));
    assert_eq!(gaps(&other).len(), 1);

    let described = listener.hear(5, 5, "r5", "security_group.update.end", &group("g"));
    assert_eq!((sums(&described), gaps(&described).len()), ((2, 0), 0), "{described:?}");
    let later = listener.hear(6, 6, "r6", "port.update.end", &port("p", "10.0.0.9", "g"));
    assert_eq!((sums(&later), gaps(&later).len()), ((1, 1), 0));
}

#[test]
fn a_group_that_was_deleted_is_no_gap() {
    let mut listener = Listener::new();
    listener.hear(0, 0, "r0", "security_group.create.end", &group("g"));
    listener.hear(1, 1, "r1", "security_group.delete.end", &json!({"security_group_id": "g"}));
    let records = listener.hear(2, 2, "r2", "port.create.end", &port("p", "10.0.0.5", "g"));
    assert_eq!((gaps(&records).len(), sums(&records)), (0, (0, 0)));
}

fn lost(region: &str) -> SourceGap {
    SourceGap {
        source: "bus".into(),
        region: Some(region.into()),
        from: at(10),
        to: at(20),
        cause: SourceGapCause::Unbound,
    }
}

#[test]
fn a_span_in_which_messages_were_lost_has_a_record_of_its_own() {
    let mut listener = Listener::new();
    let records = listener.handle(at(21), Input::SourceGap(lost("north")));
    let [told] = gaps(&records)[..] else { panic!("{records:?}") };
    assert_eq!((told.time, told.recorded_at, told.cause), (at(20), at(21), None));
    assert_eq!((told.source.as_deref(), told.region.as_deref()), (Some("bus"), Some("north")));
    assert_eq!(
        told.detail["text"],
        format!(
            "messages of bus published between {} and {} may be missing: the queue was not bound to an exchange",
            at(10),
            at(20)
        )
    );
    assert_eq!((&*told.detail["from"], &*told.detail["to"]), (&*at(10).to_string(), &*at(20).to_string()));
    assert_eq!(told.detail["cause"], "unbound");
}

#[test]
fn a_call_whose_end_may_be_lost_has_not_failed() {
    let mut listener = Listener::new();
    listener.asked(5, 5, "r1");
    listener.region = "south";
    listener.asked(5, 5, "r2");
    listener.handle(at(21), Input::SourceGap(lost("north")));
    let over = at(6 + ATTEMPT_SECONDS);
    assert_eq!(failures(&listener.handle(over, Input::Tick)), ["r2"], "the other region lost nothing");
}
