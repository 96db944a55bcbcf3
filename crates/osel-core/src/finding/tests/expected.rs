//! Expected exposure: what it covers, and what is told when it begins and ends to.

use super::script::{World, check, place};
use crate::finding::ExpectedExposure;
use crate::ids::Id;
use crate::scan::Transport;

#[test]
fn what_is_expected_is_kept_and_not_told() {
    check(
        "expect 443 shop
         admit 443 world
         admit 22 world
         scan builtin 443=open 22=open
         scan builtin 443=open
         scan builtin 443=closed",
        "open exposed_answering 22 high",
    );
}

#[test]
fn what_is_no_more_expected_is_told_then() {
    check(
        "expect 443 shop 100
         admit 443 world
         scan builtin 443=open
         later 50
         later 50
         later 50
         expect 443 shop
         expect 443 other
         expect none",
        "unexpected exposed_answering 443
         expected exposed_answering 443
         unexpected exposed_answering 443",
    );
}

#[test]
fn what_is_wrong_in_any_case_cannot_be_expected() {
    check(
        "expect 22 shop
         scan builtin 22=open
         admit 22 world
         scan nessus 22=open V@22",
        "open answering_not_exposed 22 high
         resolved answering_not_exposed 22 by change
         open vulnerable_reachable 22 V critical",
    );
}

#[test]
fn an_entry_covers_what_all_its_words_say() {
    let mut world = World::default();
    world.step("admit 443 world");
    world.step("scan builtin 443=open");
    let finding = world.findings.known(&place())[0].clone();
    let now = world.now();
    let any = ExpectedExposure { reason: "r".to_owned(), ..ExpectedExposure::default() };
    let covers = |entry: &ExpectedExposure| entry.covers(now, &finding);
    assert!(covers(&any));
    let prefix = |text: &str| Some(text.parse().unwrap());
    for (entry, is_covered) in [
        (ExpectedExposure { prefix: prefix("192.0.2.0/24"), ..any.clone() }, true),
        (ExpectedExposure { prefix: prefix("192.0.3.0/24"), ..any.clone() }, false),
        (ExpectedExposure { project_id: Some(Id::new("project")), ..any.clone() }, true),
        (ExpectedExposure { project_id: Some(Id::new("other")), ..any.clone() }, false),
        (ExpectedExposure { ports: vec![(1, 2), (440, 443)], ..any.clone() }, true),
        (ExpectedExposure { ports: vec![(444, 500)], ..any.clone() }, false),
        (ExpectedExposure { transport: Some(Transport::Tcp), ..any.clone() }, true),
        (ExpectedExposure { transport: Some(Transport::Udp), ..any.clone() }, false),
        (ExpectedExposure { until: Some(now.plus_seconds(1)), ..any.clone() }, true),
        (ExpectedExposure { until: Some(now), ..any.clone() }, false),
    ] {
        assert_eq!(covers(&entry), is_covered, "{entry:?}");
    }
}
