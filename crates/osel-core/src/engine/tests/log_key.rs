//! A change of the log's key is told by a record, and changes nothing else.

use super::{Listener, at};
use crate::engine::{Input, LogKeyChange, Output};
use crate::trail::RecordKind;

#[test]
fn a_change_of_the_logs_key_is_one_record_with_both_keys() {
    let change = LogKeyChange { previous: "log.example+aa+AQ==".into(), next: "log.example+bb+AQ==".into() };
    let line = serde_json::to_string(&change).unwrap();
    assert_eq!(serde_json::from_str::<LogKeyChange>(&line).unwrap(), change);
    let mut listener = Listener::new();
    let lines = |listener: &Listener| format!("{:?}", listener.engine.lines().skip(1).collect::<Vec<_>>());
    let before = lines(&listener);
    let mut out = Output::default();
    listener.engine.handle(at(9), Input::LogKey(change), &mut out);
    assert_eq!(lines(&listener), before, "nothing but the number of the last record changes");
    let [record] = &out.records[..] else { panic!("{out:?}") };
    assert_eq!((record.kind, record.time), (RecordKind::System, at(9)));
    assert_eq!(
        record.detail["text"],
        "the log is signed by log.example+bb+AQ== from now on, and no longer by log.example+aa+AQ=="
    );
    assert_eq!(
        (&*record.detail["previous"], &*record.detail["next"]),
        ("log.example+aa+AQ==", "log.example+bb+AQ==")
    );
}
