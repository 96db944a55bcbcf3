//! Messages that nobody should send: each is kept or quarantined, none stops the tap or comes again.

use serde_json::Value;

use super::super::{Broker, Client};
use super::{Osel, Raw, add_user, body, long, publish, short, url};

/// How deep headers lie in each other: as deep as a frame has room for.
const DEPTH: usize = 18_000;
/// More than osel reads of one body, less than RabbitMQ takes.
const HUGE_BYTES: usize = 20 << 20;

/// Flags of the properties that are given.
const CONTENT_TYPE: u16 = 1 << 15;
const HEADERS: u16 = 1 << 13;
const MESSAGE_ID: u16 = 1 << 7;

fn properties(flags: u16, fields: &[u8]) -> Vec<u8> {
    [&flags.to_be_bytes(), fields].concat()
}

/// A table whose one field is a table, and so on.
fn deep_tables() -> Vec<u8> {
    let levels = (0..DEPTH).map(|level| {
        let inside = u32::try_from((DEPTH - level - 1) * 7).unwrap();
        [&b"\x01hF"[..], &inside.to_be_bytes()].concat()
    });
    long(&levels.collect::<Vec<_>>().concat())
}

/// A table whose one field is an array in an array, and so on.
fn deep_arrays() -> Vec<u8> {
    let levels = (0..DEPTH).map(|level| {
        let inside = u32::try_from((DEPTH - level - 1) * 5).unwrap();
        [&b"A"[..], &inside.to_be_bytes()].concat()
    });
    long(&[b"\x01h".to_vec(), levels.collect::<Vec<_>>().concat()].concat())
}

/// A table with a value of each type. RabbitMQ itself refuses numbers that are none.
fn odd_values() -> Vec<u8> {
    let values: [&[u8]; 15] = [
        b"t\x02",
        b"b\x80",
        b"B\xff",
        b"s\x80\x00",
        b"u\xff\xff",
        b"I\x80\x00\x00\x00",
        b"i\xff\xff\xff\xff",
        b"l\x80\x00\x00\x00\x00\x00\x00\x00",
        b"f\x7f\x00\x00\x00",
        b"d\x7f\xe0\x00\x00\x00\x00\x00\x00",
        b"D\xff\xff\xff\xff\xff",
        b"T\xff\xff\xff\xff\xff\xff\xff\xff",
        b"S\x00\x00\x00\x02\xff\xfe",
        b"x\x00\x00\x00\x02\xff\xfe",
        b"V",
    ];
    let fields = values.iter().map(|value| [&short(&value[..1]), *value].concat());
    long(&fields.collect::<Vec<_>>().concat())
}

#[test]
fn hostile_messages_are_kept_or_quarantined_and_the_tap_goes_on() {
    let broker = Broker::start();
    add_user(&broker);
    let client = Client::connect(&broker.url()).unwrap();
    client.declare_exchange("neutron", false).unwrap();
    let mut osel = Osel::new("run-hostile", &url(broker.port()), "");
    osel.start_and_listen();
    osel.await_log(&["exchange bound", "neutron"]);

    let mut raw = Raw::connect(broker.port(), "openstack", "secret-of-a-test");
    let info = b"notifications.info";
    let mut send = |name: &str, key: &[u8], properties: &[u8]| {
        raw.publish("neutron", key, properties, body(name).as_bytes());
    };
    send("bare", info, &properties(0, b""));
    send("deep tables", info, &properties(HEADERS, &deep_tables()));
    send("deep arrays", info, &properties(HEADERS, &deep_arrays()));
    send("odd values", info, &properties(HEADERS, &odd_values()));
    send("key of no text", b"notifications.\xff\xfe", &properties(0, b""));
    let name_of_no_text = long(&[&short(b"\xc3\x28\xff"), &b"t\x01"[..]].concat());
    send("header of no text", info, &properties(HEADERS, &name_of_no_text));
    let words = [short(b"\xff\xfe\xfd"), short(b"\xc3")].concat();
    send("properties of no text", info, &properties(CONTENT_TYPE | MESSAGE_ID, &words));
    raw.publish("neutron", info, &properties(0, b""), b"");
    let huge = format!("{{\"message_id\":\"huge\",\"payload\":\"{}\"}}", "x".repeat(HUGE_BYTES));
    raw.publish("neutron", info, &properties(0, b""), huge.as_bytes());
    publish(&client, "good", 3);

    osel.await_received(12);
    osel.expect_running();
    let ledger = osel.ledger("one").unwrap();
    assert_eq!((ledger.recorded, ledger.duplicate, ledger.quarantined), (10, 0, 2));
    let queue = osel.queue();
    client.await_messages(&queue, 0);
    assert_eq!(osel.lines(&["trouble"]), [""; 0], "nothing has broken the connection");
    assert!(osel.stop().success());
    assert_eq!(client.queue(&queue).unwrap(), (0, 0), "all is acknowledged");
    let mut ids = osel.recorded_ids();
    ids.retain(|id| !id.starts_with("good"));
    let all = [
        "bare",
        "deep arrays",
        "deep tables",
        "header of no text",
        "key of no text",
        "odd values",
        "properties of no text",
    ];
    assert_eq!(ids, all);
    let quarantined =
        crate::command::json_lines(&["quarantine", "list", "--store", &osel.store(), "-o", "json"]);
    let reasons: Vec<&Value> = quarantined.iter().map(|item| &item["reason"]).collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
}
