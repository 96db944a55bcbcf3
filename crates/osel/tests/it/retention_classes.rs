//! Classes of retention, the whole way: some kinds of records lose parts by ages of their own, are not found by them any more, and verify.

use std::collections::BTreeSet;

use osel::config::RetentionClass;
use osel::runtime::retention::kinds::KindLimits;
use osel::runtime::retention::policy::{Limit, Policy};
use osel_core::trail::RecordKind;
use osel_sim::random::Random;
use serde_json::Value;

use crate::command::{Place, json_lines, run};
use crate::retention::{Listener, going};

const LIMITS: [(&str, &str); 5] = [
    ("INPUTS_DAYS", "1"),
    ("QUARANTINE_DAYS", "0"),
    ("CLASS__0__NAME", "changes"),
    ("CLASS__0__KINDS", "change,access"),
    ("CLASS__0__PERSONAL_DAYS", "2"),
];

/// What some people might want kept for how long.
pub(crate) fn some_policy(random: &mut Random) -> Policy {
    let kinds = if random.percent(50) { some_kinds(random) } else { KindLimits::default() };
    let mut some = |most: u64| random.percent(50).then(|| random.below(most));
    Policy {
        inputs: Limit { days: some(9).map(|days| days as u32), bytes: some(60_000) },
        records: Limit { days: some(15).map(|days| days as u32), bytes: some(300_000) },
        personal_days: some(9).map(|days| days as u32),
        quarantine_days: some(9).map(|days| days as u32),
        findings_days: some(9).map(|days| days as u32),
        budget_bytes: some(2_000_000),
        kinds,
    }
}

fn some_kinds(random: &mut Random) -> KindLimits {
    let days = |days: u64| Some(days as u32).filter(|days| *days > 0);
    KindLimits::of(&[RetentionClass {
        name: "some".to_owned(),
        kinds: RecordKind::ALL.into_iter().filter(|_| random.percent(40)).collect(),
        personal_days: random.percent(50).then(|| days(random.below(5))),
        records_days: random.percent(50).then(|| days(random.below(9))),
    }])
}

fn records(store: &str) -> Vec<Value> {
    json_lines(&["audit", "export", "--store", store])
}

/// The numbers of records that lack their personal part, but for those that have had none.
fn nameless(before: &[Value], after: &[Value]) -> BTreeSet<u64> {
    let pairs = before.iter().zip(after);
    let lost = pairs.filter(|(before, after)| {
        let names = |record: &Value| record["missing"].as_array().unwrap().contains(&"personal".into());
        names(after) && !names(before)
    });
    lost.map(|(record, _)| record["seq"].as_u64().unwrap()).collect()
}

#[test]
fn a_class_loses_its_persons_and_only_these_and_then_all_do() {
    let place = Place::new("retention-classes");
    let mut listener = Listener::new(&place, "store", 9);
    listener.listen(6);
    let store = place.path("store");
    run(&["store", "index", "--store", &store]);
    let before = records(&store);
    let of_class = |record: &Value| ["change", "access"].contains(&record["kind"].as_str().unwrap());
    let is_named = |record: &Value| !record["actor"]["user_name"].is_null();
    let is_old = |record: &Value, day| record["as_of"].as_str().unwrap() < day;

    let would = going(&store, &LIMITS, false);
    assert_eq!(would.keys().collect::<Vec<_>>(), ["inputs", "personal of changes"]);
    assert_eq!(going(&store, &LIMITS, true), would);
    let after = records(&store);
    let lost = nameless(&before, &after);
    // The last message is of the sixth day, and the clock is believed to be a day ahead of it: the fifth day and later ones are kept.
    let cutoff = "2020-01-05T00:00:00.000000Z";
    let named = |record: &&Value| is_named(record) && of_class(record) && is_old(record, cutoff);
    let wanted: BTreeSet<u64> =
        before.iter().filter(named).map(|record| record["seq"].as_u64().unwrap()).collect();
    assert!(!wanted.is_empty() && wanted.is_subset(&lost), "{wanted:?} {lost:?}");
    assert!(after.iter().filter(|record| lost.contains(&record["seq"].as_u64().unwrap())).all(|record| {
        of_class(record) && is_old(record, cutoff) && record["actor"]["user_name"].is_null()
    }));
    assert!(after.iter().any(|record| of_class(record) && is_named(record)), "younger ones are as they were");

    // What went is told by kinds, not found any more, and the trail verifies.
    let told: Vec<&Value> = after.iter().filter(|record| record["detail"]["retention"] == "parts").collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["detail"]["kinds"], "access, change");
    assert_eq!(told[0]["detail"]["classes"], "personal");
    let name = before.iter().find(|record| wanted.contains(&record["seq"].as_u64().unwrap()));
    let name = name.unwrap()["actor"]["user_name"].as_str().unwrap();
    let found = json_lines(&["audit", "search", "--actor", name, "-o", "json", "--store", &store]);
    assert!(found.iter().all(|record| !lost.contains(&record["seq"].as_u64().unwrap())));
    run(&["audit", "verify", "--store", &store]);
    assert_eq!(
        going(&store, &LIMITS, false).keys().collect::<Vec<_>>(),
        Vec::<&str>::new(),
        "once is enough"
    );

    // A limit of all kinds that passes later takes the rest.
    let general = [("INPUTS_DAYS", "1"), ("QUARANTINE_DAYS", "0"), ("PERSONAL_DAYS", "1")];
    going(&store, &general, true);
    let rest = records(&store);
    let cutoff = "2020-01-06T00:00:00.000000Z";
    assert!(rest.iter().filter(|record| is_old(record, cutoff)).all(|record| !is_named(record)));
    assert!(rest.iter().any(is_named));
    run(&["audit", "verify", "--store", &store]);
}
