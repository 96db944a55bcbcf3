//! Expected exposure: what it covers, and what is told when it begins and ends to.

use super::script::{World, check, place};
use crate::finding::{Carried, ExpectedExposure};
use crate::ids::Id;
use crate::model::{Source, Tags};
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
        (ExpectedExposure { until: Some(now), ..any }, false),
    ] {
        assert_eq!(covers(&entry), is_covered, "{entry:?}");
    }
}

#[test]
fn a_tag_counts_while_it_is_there() {
    check(
        "expect tag public shop
         admit 443 world
         scan builtin 443=open
         tags web public
         tags web
         tags Public
         tags public
         scan builtin 443=open
         admit 22 world
         scan builtin 22=open",
        "open exposed_answering 443 medium
         expected exposed_answering 443
         unexpected exposed_answering 443
         expected exposed_answering 443",
    );
}

/// That a rule goes is no news about what was expected: the scan that follows shows what is left.
#[test]
fn what_is_not_admitted_any_more_stays_expected_until_it_is_scanned() {
    check(
        "expect tag public shop
         tags public
         admit 443 world
         scan builtin 443=open
         deny
         expect 22 other
         scan builtin 443=closed",
        "",
    );
    check(
        "expect tag public shop
         tags public
         admit 443 world
         scan builtin 443=open
         deny
         expect none",
        "unexpected exposed_answering 443",
    );
}

/// What a tag stands for: from where a port is admitted, each way with its tags.
#[test]
fn a_tag_stands_for_what_is_admitted_by_it_alone() {
    let check = |ways: &[(&str, &[&str])], wanted: Option<bool>| {
        let way =
            |(source, tags): &(&str, &[&str])| (Source::Prefix(source.parse().unwrap()), Tags::new(*tags));
        assert_eq!(Carried::of_ways(ways.iter().map(way)).has("public"), wanted, "{ways:?}");
    };
    check(&[], None);
    check(&[("0.0.0.0/0", &["web"])], Some(false));
    check(&[("0.0.0.0/0", &["public", "web"])], Some(true));
    check(&[("0.0.0.0/0", &["public"]), ("10.0.0.0/8", &[])], Some(true));
    check(&[("10.0.0.0/8", &["public"]), ("0.0.0.0/0", &[])], Some(false));
    check(&[("10.0.0.0/8", &["public"]), ("10.1.0.0/16", &["web"]), ("10.0.0.0/8", &[])], Some(true));
    check(&[("10.0.0.0/8", &["public"]), ("192.0.2.0/24", &["public"])], Some(true));
    check(&[("10.0.0.0/8", &["public"]), ("192.0.2.0/24", &[])], Some(false));
    let group = |tags: &[&str]| (Source::Group(Id::new("g")), Tags::new(tags));
    let all = (Source::family(false), Tags::new(["public"]));
    assert_eq!(Carried::of_ways([all, group(&[])]).has("public"), Some(true));
    let some = (Source::Prefix("10.0.0.0/8".parse().unwrap()), Tags::new(["public"]));
    assert_eq!(Carried::of_ways([some, group(&[])]).has("public"), Some(false));
}
