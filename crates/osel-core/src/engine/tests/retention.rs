//! What goes is told by a record, and changes nothing else.

use super::{Listener, at};
use crate::engine::{BudgetState, Input, Output, Retention, RetentionWhy};
use crate::trail::RecordKind;

fn told(retention: Retention) -> String {
    let mut listener = Listener::new();
    let lines = |listener: &Listener| format!("{:?}", listener.engine.lines().skip(1).collect::<Vec<_>>());
    let before = lines(&listener);
    let mut out = Output::default();
    let line = serde_json::to_string(&retention).unwrap();
    assert_eq!(serde_json::from_str::<Retention>(&line).unwrap(), retention);
    listener.engine.handle(at(9), Input::Retention(retention), &mut out);
    assert_eq!(lines(&listener), before, "nothing but the number of the last record changes");
    let [record] = &out.records[..] else { panic!("{out:?}") };
    assert_eq!((record.kind, record.time, record.cause), (RecordKind::System, at(9), None));
    assert!(record.message_id.is_none() && out.commands.is_empty() && out.versions.is_empty());
    format!("{}\n{}", record.detail["text"], serde_json::to_string(&record.detail).unwrap())
}

#[test]
fn a_horizon_names_the_checkpoint_that_stands_for_what_goes() {
    let text = told(Retention::Inputs {
        entry: 40,
        seq: 35,
        before: at(5),
        digest: "ab".repeat(32),
        why: RetentionWhy::Age,
    });
    let digest = "ab".repeat(32);
    let before = at(5);
    assert!(text.starts_with(&format!(
        "inputs up to entry 40 and the states before {before} (record 35) go, since they are older than is kept; \
         the state after record 35 stays, its SHA-256 is {digest}\n"
    )));
    for fact in ["\"retention\":\"inputs\"", "\"entry\":\"40\"", "\"seq\":\"35\"", "\"why\":\"age\""] {
        assert!(text.contains(fact), "{text}");
    }
}

#[test]
fn parts_and_quarantine_and_budget_are_told() {
    let classes = ["personal".to_owned(), "body".to_owned()].into();
    let text = told(Retention::Parts { classes, kinds: [].into(), seq: 7, why: RetentionWhy::Budget });
    assert!(text.starts_with(
        "parts of records up to 7 go (body, personal), since the disk budget is nearly used up; what commits to them stays\n"
    ));
    assert!(!text.contains("kinds"), "{text}");
    let kinds = ["authentication".to_owned(), "access".to_owned()].into();
    let classes = ["personal".to_owned()].into();
    let text = told(Retention::Parts { classes, kinds, seq: 9, why: RetentionWhy::Age });
    assert!(
        text.starts_with("parts of records of the kinds access, authentication up to 9 go (personal), since")
    );
    assert!(text.contains("\"kinds\":\"access, authentication\""), "{text}");
    let text = told(Retention::Quarantine { before: at(1), why: RetentionWhy::Age });
    assert!(text.starts_with(&format!(
        "the bytes of messages quarantined before {} are held no longer than other inputs, since they are older than is kept\n",
        at(1)
    )));
    let text = told(Retention::Budget { state: BudgetState::Exhausted, used_bytes: 97, budget_bytes: 100 });
    assert!(text.starts_with("the store takes 97 of 100 bytes: nothing more may go: osel goes on until"));
    assert!(text.contains("\"state\":\"exhausted\""));
}
