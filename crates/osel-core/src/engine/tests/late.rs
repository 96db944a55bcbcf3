//! What an older read or a look says after a newer read has shown the same: it was so before, and is history.

use serde_json::{Value, json};

use super::drift::{group, network, object, port, rule};
use super::{Listener, at, run};
use crate::engine::record::RecordBody;
use crate::engine::{Input, ReadEnd, ReadRun};
use crate::event::{Kind, Object};
use crate::ids::Id;
use crate::model::StateLine;

const KINDS: [Kind; 5] = [Kind::Network, Kind::SecurityGroup, Kind::Rule, Kind::AddressGroup, Kind::Port];

/// An address group of which no revision tells a member that came or went.
fn addresses(of: &[&str]) -> Object {
    object(Kind::AddressGroup, &json!({"id": "a", "name": "offices", "addresses": of, "revision_number": 1}))
}

fn others() -> Vec<Object> {
    vec![network(), group(), rule("r1", 22), port("p1", 1, &json!({}))]
}

/// An inventory of a file that does not say when it was taken: it counts as of now.
fn file(number: u64, second: i64) -> ReadRun {
    ReadRun { exact: false, ..run(Some(number), "north", second) }
}

impl Listener {
    fn with_addresses(of: &[&str]) -> Self {
        let mut listener = Self::new();
        let first = run(Some(1), "north", 0);
        listener.shows(&first, 0, others().into_iter().chain([addresses(of)]).collect());
        listener.end_all(&first, 0);
        listener
    }

    fn end_all(&mut self, run: &ReadRun, second: i64) -> Vec<RecordBody> {
        let (run, complete) = (run.clone(), KINDS.to_vec());
        let end = ReadEnd { run, complete, has_all_assignments: false, origin: "test".to_owned() };
        self.handle(at(second), Input::ReadEnd(end))
    }

    fn addresses(&self) -> Vec<String> {
        let lines = self.engine.clouds().flat_map(|cloud| cloud.lines());
        let of = |line| match line {
            StateLine::AddressGroup(group) => Some(group.addresses.iter().map(ToString::to_string).collect()),
            _ => None,
        };
        lines.filter_map(of).next().unwrap_or_default()
    }
}

/// Yesterday's file was on its way in when the API was read: what that had shown as it is known was told as drift by the next part of the
/// file, and the end of the read held it fast.
#[test]
fn a_late_page_of_a_file_undid_what_the_api_had_shown() {
    let (was, is) = (["192.0.2.0/24", "198.51.100.0/24"], ["192.0.2.0/24"]);
    for older in [file(2, 10), run(Some(2), "north", 10), file(2, 30)] {
        let mut listener = Listener::with_addresses(&is);
        listener.shows(&older, 11, vec![network()]);
        let api = run(Some(3), "north", 20);
        listener.shows(&api, 20, vec![network(), addresses(&is)]);
        assert_eq!(listener.shows(&older, 21, vec![addresses(&was)]).len(), 0, "{older:?}");
        listener.shows(&api, 22, others());
        let records = listener.end_all(&api, 23);
        assert_eq!(records.len(), 1, "nothing differed but the end: {records:?}");
        assert_eq!(listener.addresses(), is, "{older:?}");
        // Of what no read has shown since it is as good as any.
        let shown = listener.shows(&older, 24, vec![object(Kind::Trunk, &json!({"id": "t"}))]);
        assert_eq!(shown.len(), 1, "{older:?}");
    }
}

#[test]
fn a_late_page_of_a_file_undid_a_read_that_had_ended() {
    let (was, is) = (["192.0.2.0/24", "198.51.100.0/24"], ["192.0.2.0/24"]);
    for older in [file(2, 10), run(Some(2), "north", 10)] {
        let mut listener = Listener::with_addresses(&is);
        listener.shows(&older, 11, vec![network()]);
        let api = run(Some(3), "north", 20);
        listener.shows(&api, 20, others().into_iter().chain([addresses(&is)]).collect());
        listener.end_all(&api, 21);
        assert_eq!(listener.shows(&older, 22, vec![addresses(&was)]).len(), 0, "{older:?}");
        assert_eq!(listener.addresses(), is, "{older:?}");
        // The next file is of later.
        listener.shows(&file(4, 30), 30, vec![addresses(&was)]);
        listener.handle(at(31), Input::ReadBroken(file(4, 30)));
        assert_eq!(listener.addresses(), was, "{older:?}");
    }
}

/// Also where the newer read broke off, and where it has found what nobody knew.
#[test]
fn a_late_page_knew_better_than_a_read_that_was_not_whole() {
    let (was, is) = (["192.0.2.0/24", "198.51.100.0/24"], ["192.0.2.0/24"]);
    let mut listener = Listener::with_addresses(&is);
    let (older, api) = (file(2, 10), run(Some(3), "north", 20));
    listener.shows(&older, 11, vec![network()]);
    let made = |name: &str| port("p2", 1, &json!({"name": name}));
    listener.shows(&api, 20, vec![addresses(&is), made("is")]);
    assert_eq!(listener.shows(&older, 21, vec![made("was")]).len(), 0, "it is to be merged yet");
    listener.handle(at(22), Input::ReadBroken(api));
    assert_eq!(listener.shows(&older, 23, vec![addresses(&was), made("was")]).len(), 0);
    let name = listener.engine.clouds().next().unwrap().name_of(Kind::Port, &Id::new("p2"));
    assert_eq!((listener.addresses(), name), (is.map(str::to_owned).to_vec(), Some("is")));
}

/// A member was added and taken out again, both in silence; the question was asked in between.
#[test]
fn a_late_answer_about_one_object_undid_what_a_read_had_shown() {
    let (was, is) = (["192.0.2.0/24", "198.51.100.0/24"], ["192.0.2.0/24"]);
    for (objects, absent) in
        [(vec![addresses(&was)], &[][..]), (Vec::new(), &[(Kind::AddressGroup, "a")][..])]
    {
        let mut listener = Listener::with_addresses(&is);
        let api = run(Some(2), "north", 20);
        listener.shows(&api, 20, others().into_iter().chain([addresses(&is)]).collect());
        assert_eq!(listener.looked(19, 21, objects.clone(), absent).len(), 0, "{absent:?}");
        listener.end_all(&api, 22);
        assert_eq!(listener.addresses(), is, "{absent:?}");
        // What is asked later is later.
        assert_eq!(listener.looked(23, 24, objects, absent).len(), 1, "{absent:?}");
        let now: Value = listener.addresses().into();
        assert_eq!(now, if absent.is_empty() { json!(was) } else { json!([]) });
    }
}
