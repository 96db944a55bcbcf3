//! What the frame makes of records for people: few messages, an exact account, and the same after a process that ended at any moment.

use ::osel::runtime::record::read_record;
use ::osel::store::Reader;
use serde_json::json;

use super::server::{Habits, Server};
use crate::broker::until;
use crate::command::{Place, osel};
use crate::daemon::LIMIT;
use crate::forward::Ground;

/// A forwarder for people, whose receiver is the test.
fn table(more: &str) -> String {
    format!(
        "[[forward]]\nname = 'people'\ntype = 'mail'\nserver = 'localhost'\nsender = 'osel@cloud.example'\nto = ['a@cloud.example']\n\
         severity_min = 'informational'\n{more}\n"
    )
}

#[test]
fn many_records_are_one_message_and_all_of_them_are_accounted_for() {
    let mut ground = Ground::new("people");
    ground.captured("a", 200);
    let people = ground.clerk("people");
    people.is_away(true);
    let table = table("from = 'start'\ngroup_wait_seconds = 0\ngroup_interval_seconds = 0");
    ground.start(&table);
    until("all are recorded", LIMIT, || ground.head() >= 200);
    // It ends with messages under way that nobody took, and loses nothing of them.
    ground.stop();
    people.is_away(false);
    ground.start(&table);
    until("all are told", LIMIT, || ground.row("people").place >= 200);
    ground.stop();
    let row = ground.row("people");
    assert_eq!(row.delivered, row.place);
    let told = people.records();
    assert!(told.len() < 20 && told.is_sorted(), "{told:?}");
    assert_eq!((told.last().copied(), row.lines), (Some(row.place), told.len() as u64));
}

#[test]
fn how_long_people_wait_is_counted_from_the_record_also_while_it_is_gathered_and_after_a_restart() {
    let mut ground = Ground::new("people-lag");
    ground.captured("a", 20);
    let people = ground.clerk("people");
    people.is_away(true);
    let first = |ground: &Ground| {
        let place = ground.row("people").place;
        let stored = ground.reader().record(place + 1).unwrap()?;
        Some(read_record(&stored).unwrap().header.recorded_at)
    };
    for wait in [3600, 3600, 0] {
        ground
            .start(&table(&format!("from = 'start'\ngroup_wait_seconds = {wait}\nurgent_min = 'critical'")));
        until("it tells since when they wait", LIMIT, || {
            ground.head() >= 20
                && ground.oldest("people").is_some_and(|oldest| Some(oldest) == first(&ground))
        });
        ground.stop();
    }
    assert_eq!((ground.row("people").place, people.records()), (0, Vec::new()));
}

#[test]
fn a_receiver_of_people_can_be_tested() {
    let server = Server::start(&Habits { tls: "none", ..Habits::default() });
    let place = Place::new("people-test");
    let file = place.write(
        "osel.toml",
        format!(
            "[store]\npath = 'store'\n[[source]]\nname = 'captured'\ntype = 'file'\npath = 'bus.jsonl'\n[[forward]]\nname = 'people'\n\
             type = 'mail'\nserver = '127.0.0.1:{}'\nsecurity = 'none'\nsender = 'osel@cloud.example'\nto = ['a@cloud.example']\n",
            server.port
        ),
    );
    place.write("bus.jsonl", "");
    let tested = osel(&["forward", "test", "people", "-c", &file]);
    let said = String::from_utf8(tested.stderr).unwrap();
    assert!(tested.status.success() && said.contains("the test was taken"), "{said}");
    let mail = server.mail();
    assert_eq!(mail["rcpt"], json!(["a@cloud.example"]));
    assert!(mail["plain"].as_str().unwrap().contains("this is a test of forwarder people"), "{mail}");
}
