//! Orders about forwarders are told by a record, and change nothing else.

use super::{Listener, at};
use crate::engine::{ForwarderOrder, Input, OperatorOrder, Order, Output};
use crate::trail::RecordKind;

fn order(what: ForwarderOrder) -> Order {
    Order { actor: "alice".to_owned(), what: OperatorOrder::Forwarder { forwarder: "siem".to_owned(), what } }
}

#[test]
fn an_order_about_a_forwarder_is_one_record_with_who_ordered_it() {
    let mut listener = Listener::new();
    let lines = |listener: &Listener| format!("{:?}", listener.engine.lines().skip(1).collect::<Vec<_>>());
    let before = lines(&listener);
    for (what, text, seq) in [
        (
            ForwarderOrder::Rewind { seq: 0 },
            "alice has forwarder siem go on at the beginning of the trail",
            Some("0"),
        ),
        (ForwarderOrder::Rewind { seq: 1 }, "alice has forwarder siem go on behind record 1", Some("1")),
        (
            ForwarderOrder::Resend { seq: Some(7) },
            "alice has the dead letters of record 7 of forwarder siem sent once more",
            Some("7"),
        ),
        (
            ForwarderOrder::Resend { seq: None },
            "alice has all dead letters of forwarder siem sent once more",
            None,
        ),
        (ForwarderOrder::Discard { seq: None }, "alice gives up all dead letters of forwarder siem", None),
    ] {
        let order = order(what);
        let line = serde_json::to_string(&order).unwrap();
        assert_eq!(serde_json::from_str::<Order>(&line).unwrap(), order);
        let mut out = Output::default();
        listener.engine.handle(at(9), Input::Order(order), &mut out);
        let [record] = &out.records[..] else { panic!("{out:?}") };
        assert_eq!((record.kind, &*record.detail["text"]), (RecordKind::System, text));
        assert_eq!(record.actor.user_name.as_deref(), Some("alice"));
        assert_eq!(record.detail.get("seq").map(String::as_str), seq);
        assert_eq!(&*record.detail["forwarder"], "siem");
    }
    assert_eq!(lines(&listener), before, "nothing but the number of the last record changes");
}

#[test]
fn a_forwarder_goes_on_behind_no_record_that_is_not_there() {
    let mut listener = Listener::new();
    let refused = listener.engine.judge_order(at(1), &order(ForwarderOrder::Rewind { seq: 1 })).unwrap_err();
    assert_eq!(refused.to_string(), "there is no record `1` yet to go on behind");
    let mut out = Output::default();
    listener.engine.handle(at(1), Input::Order(order(ForwarderOrder::Rewind { seq: 1 })), &mut out);
    assert_eq!(out.records.len(), 0);
}
