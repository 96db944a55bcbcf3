//! Findings that were resolved long ago go from their list; what is open stays, and so do all records.

use std::path::Path;

use osel::runtime::retention::policy::Policy;
use osel::runtime::retention::survey;
use osel::store::{Commit, FindingRow, Journal, Store};
use osel_core::engine::BudgetState;

use crate::command::{Place, osel};
use crate::retention::{Listener, day};

fn ids(listener: &Listener) -> Vec<String> {
    let mut ids = Vec::new();
    let each = &mut |row: FindingRow| {
        ids.push(row.id);
        std::ops::ControlFlow::Continue(())
    };
    listener.reader().findings(None, each).unwrap();
    ids
}

#[test]
fn resolved_findings_stayed_in_the_store_for_ever() {
    let place = Place::new("retention-findings");
    let mut listener = Listener::new(&place, "store", 5);
    listener.listen(6);
    let row = |id: &str, state: &str, at| FindingRow {
        id: id.to_owned(),
        seq: 1,
        state: state.to_owned(),
        body: b"{}".to_vec(),
        updated_at: day(at),
    };
    let rows = [row("a", "resolved", 0), row("b", "resolved", 4), row("c", "open", 0)];
    let mut journal = Store::open_writer(Path::new(&place.path("store"))).unwrap();
    let (head, epoch) = (journal.head(), journal.info().epoch);
    journal.commit(&Commit { findings: &rows, ..Commit::empty(epoch, head) }).unwrap();
    drop(journal);
    let decided = |findings_days| {
        let policy = Policy { findings_days, ..Policy::default() };
        survey(&mut *listener.reader(), &policy, day(6), BudgetState::Within).unwrap()
    };
    assert_eq!([None, Some(30)].map(|days| decided(days).resolved_before), [None, None]);
    let decision = decided(Some(3));
    assert_eq!((decision.resolved_before, decision.told.len()), (Some(day(3)), 0));

    let text = format!("[store]\npath = '{}'\n[retention]\nfindings_days = 3\n", place.path("store"));
    place.write("osel.toml", text);
    let config = place.path("osel.toml");
    for (arguments, left) in [(&[][..], 3), (&["--apply"], 2)] {
        let words = [&["store", "retention", "-c", &config, "-o", "json"], arguments].concat();
        let output = osel(&words);
        assert!(output.status.success(), "{output:?}");
        let told = String::from_utf8(output.stdout).unwrap();
        let line = told.lines().find(|line| line.contains("\"resolved\"")).unwrap();
        assert!(line.contains("\"count\":2") && line.contains("2020-01-04"), "{line}");
        assert_eq!(ids(&listener).len(), left);
    }
    assert_eq!(ids(&listener), ["b", "c"]);
    assert_eq!(listener.reader().head().unwrap().seq, head.seq, "no record goes or comes");
}
