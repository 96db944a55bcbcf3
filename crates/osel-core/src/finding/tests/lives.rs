//! Lives of findings: what opens, confirms, resolves and reopens them, and what changes nothing.

use super::script::{World, check, place};
use crate::finding::{FINDINGS_MAX, FindingState, RESOLVED_MAX, sentence};

#[test]
fn a_finding_is_opened_confirmed_resolved_and_reopened() {
    check(
        "admit 22 world
         scan builtin 22=open
         scan nmap 22=open
         scan builtin 22=open
         scan builtin 22=closed
         scan builtin 22=filtered
         scan builtin 22=open
         scan builtin 22=open",
        "open exposed_answering 22 high
         confirmed exposed_answering 22
         resolved exposed_answering 22 by scan
         open exposed_not_answering 22 info
         confirmed exposed_not_answering 22
         resolved exposed_not_answering 22 by scan
         reopened exposed_answering 22 high 1
         confirmed exposed_answering 22",
    );
}

#[test]
fn how_serious_an_exposure_is_follows_from_who_is_admitted() {
    check(
        "admit 22 world
         admit 80 world
         admit 443 198.51.100.0/24
         scan builtin 22=open 80=open 443=open
         deny
         admit 22 198.51.100.0/24
         scan builtin 22=open
         scan builtin 22=open
         deny
         admit 22 world
         scan builtin 22=open",
        "open exposed_answering 22 high
         open exposed_answering 80 medium
         open exposed_answering 443 low
         confirmed exposed_answering 22
         severity exposed_answering 22 high, was low",
    );
}

#[test]
fn what_is_closed_and_still_answers_is_another_finding() {
    check(
        "admit 22 world
         scan builtin 22=open
         deny
         scan builtin 22=open
         scan builtin 22=open
         scan builtin 22=filtered
         scan builtin 22=filtered",
        "open exposed_answering 22 high
         resolved exposed_answering 22 by change
         open answering_not_exposed 22 high
         confirmed answering_not_exposed 22
         resolved answering_not_exposed 22 by scan",
    );
    check(
        "admit 22 world
         scan builtin 22=open
         deny
         scan builtin 22=closed",
        "open exposed_answering 22 high
         resolved exposed_answering 22 by scan",
    );
    check(
        "scan builtin 22=open
         admit 22 world
         scan builtin 22=open",
        "open answering_not_exposed 22 high
         resolved answering_not_exposed 22 by change
         open exposed_answering 22 high",
    );
}

#[test]
fn what_is_unknown_changes_nothing() {
    for unknown in [
        "22=open|filtered",
        "22=notprobed",
        "80=closed",
        "22=closed partial",
        "22=closed unscanned",
        "22=closed everywhere",
        "22=open everywhere",
        "wasnot 22 22=closed wasnot 22",
        "",
    ] {
        check(
            &format!(
                "admit 22 world
                 scan nessus 22=open V@22:98
                 scan nessus {unknown}
                 later 10"
            ),
            "open exposed_answering 22 high
             open vulnerable_reachable 22 V critical",
        );
    }
}

#[test]
fn what_answers_is_seen_whatever_else_was_not_looked_at() {
    check(
        "admit 22 world
         scan builtin 22=closed
         scan builtin 22=open partial",
        "open exposed_not_answering 22 info
         resolved exposed_not_answering 22 by scan
         open exposed_answering 22 high",
    );
}

#[test]
fn what_changed_while_it_was_scanned_is_left_to_the_next_scan() {
    check(
        "admit 22 world
         scan builtin 22=open
         deny
         scan builtin 22=open was 22
         scan builtin 22=closed was 22",
        "open exposed_answering 22 high",
    );
}

#[test]
fn where_no_scan_can_prove_it_the_model_resolves_and_says_so() {
    check(
        "admit 22 world
         admit 80 world
         scan builtin 22=open 80=closed V@22
         settle
         gone
         settle
         settle",
        "open exposed_answering 22 high
         open exposed_not_answering 80 info
         open vulnerable_reachable 22 V critical
         resolved vulnerable_reachable 22 V by model
         resolved exposed_not_answering 80 by model
         resolved exposed_answering 22 by model",
    );
    // Nobody can say of what answers without being admitted that it does not any more, as long as its address is there.
    check(
        "scan builtin 22=open
         settle
         gone
         settle",
        "open answering_not_exposed 22 high
         resolved answering_not_exposed 22 by model",
    );
    let mut world = World::default();
    for line in ["admit 22 world", "scan builtin 22=open", "gone"] {
        world.step(line);
    }
    let admitted = world.admitted();
    let known = world.findings.known(&place())[0].clone();
    let gone = crate::finding::overtaken(&known, &admitted).unwrap();
    let (id, turn) = world.findings.resolve(world.now(), &known.id, gone).unwrap();
    assert_eq!(
        sentence(world.findings.get(&id).unwrap(), &turn, ""),
        "finding resolved without proof: exposed and answering: 192.0.2.7 tcp 22: the address is not in the model any more, so no scan \
         can prove it"
    );
}

#[test]
fn a_weakness_is_resolved_only_by_its_own_kind_of_scanner() {
    check(
        "admit 22 world
         scan nessus 22=open V@22:75
         scan nmap 22=open
         scan nessus 80=open
         scan nessus 22=open|filtered
         scan nessus 22=open partial
         scan nessus 22=open V@22:75
         scan nessus 22=open
         scan nessus 22=open V@22:75",
        "open exposed_answering 22 high
         open vulnerable_reachable 22 V high
         confirmed exposed_answering 22
         open answering_not_exposed 80 high
         confirmed vulnerable_reachable 22 V
         resolved vulnerable_reachable 22 V by scan
         reopened vulnerable_reachable 22 V high 1",
    );
}

#[test]
fn a_weakness_of_the_host_is_looked_for_by_who_looks_at_all_of_it() {
    check(
        "admit 22-23 world
         scan nmap 22=open V@host:50
         scan nmap 22=open
         scan nmap 22=open 23=closed sampled
         scan nmap 22=open 23=closed",
        "open exposed_answering 22 high
         open vulnerable_reachable host V medium
         confirmed exposed_answering 22
         open exposed_not_answering 23 info
         resolved vulnerable_reachable host V by scan
         confirmed exposed_not_answering 23",
    );
    check(
        "admit 22-23 world
         scan whole V@host:50 W@22
         scan whole W@22",
        "open vulnerable_reachable host V medium
         open vulnerable_reachable 22 W critical
         resolved vulnerable_reachable host V by scan
         confirmed vulnerable_reachable 22 W",
    );
}

#[test]
fn a_weakness_counts_where_the_internet_is_admitted() {
    check(
        "admit 22 198.51.100.0/24
         scan nessus 22=open V@22 W@host
         admit 22 world
         scan nessus 22=open V@22 W@host I@22:0
         deny
         admit 22 198.51.100.0/24
         scan nessus 22=open V@22",
        "open exposed_answering 22 low
         confirmed exposed_answering 22
         open vulnerable_reachable 22 V critical
         open vulnerable_reachable host W critical
         resolved vulnerable_reachable 22 V by change
         resolved vulnerable_reachable host W by change
         severity exposed_answering 22 low, was high",
    );
}

#[test]
fn a_finding_named_twice_by_one_scan_is_not_confirmed_by_it() {
    check(
        "admit 22 world
         scan nessus V@22 V@22",
        "open vulnerable_reachable 22 V critical",
    );
}

#[test]
fn an_acknowledgement_lasts_until_the_finding_is_back() {
    check(
        "admit 22 world
         scan builtin 22=open
         ack
         unack
         ack
         scan builtin 22=closed
         scan builtin 22=open",
        "open exposed_answering 22 high
         acknowledged exposed_answering 22
         unacknowledged exposed_answering 22
         acknowledged exposed_answering 22
         resolved exposed_answering 22 by scan
         open exposed_not_answering 22 info
         resolved exposed_not_answering 22 by scan
         reopened exposed_answering 22 high 1",
    );
    let mut world = World::default();
    for line in ["admit 22 world", "scan builtin 22=open", "ack"] {
        world.step(line);
    }
    let mut finding = world.findings.known(&place())[0].clone();
    assert!(finding.acknowledged(world.now()).is_some());
    if let Some(ack) = &mut finding.ack {
        ack.until = Some(world.now());
    }
    assert!(finding.acknowledged(world.now()).is_none(), "it ends when it ends");
    assert!(finding.acknowledged(world.now().plus_seconds(-1)).is_some());
}

#[test]
fn what_is_expected_when_its_acknowledgement_ends_is_not_told() {
    check(
        "admit 22 world
         scan builtin 22=open
         ack 100
         later 99
         ack 100
         expect 22 shop
         later 100
         expect none",
        "open exposed_answering 22 high
         acknowledged exposed_answering 22
         lapsed exposed_answering 22
         acknowledged exposed_answering 22
         expected exposed_answering 22
         unexpected exposed_answering 22",
    );
}

#[test]
fn what_is_kept_is_bounded_and_what_is_not_kept_is_counted() {
    let mut world = World::default();
    world.step("admit 1-65535 world");
    for first in (1..=FINDINGS_MAX + 9).step_by(1000) {
        let ports: Vec<String> =
            (first..(first + 1000).min(FINDINGS_MAX + 10)).map(|port| format!("{port}=open")).collect();
        world.step(&format!("scan builtin {}", ports.join(" ")));
    }
    assert_eq!(world.findings.iter().count(), FINDINGS_MAX);
    let now = world.now();
    assert_eq!(world.findings.take_refused(now), Some(9));
    assert_eq!(world.findings.take_refused(now), None, "there are no more");
    world.step(&format!("scan builtin {}=open", FINDINGS_MAX + 1));
    assert_eq!(world.findings.take_refused(now), None, "it was told a moment ago");
    assert_eq!(world.findings.take_refused(now.plus_seconds(4000)), Some(1));

    world.step("gone");
    world.step("settle");
    assert!(!world.findings.has_open());
    assert_eq!(world.findings.iter().count(), RESOLVED_MAX);
    assert!(world.findings.iter().all(|finding| finding.state == FindingState::Resolved));
}

#[test]
fn state_comes_back_line_by_line() {
    let mut world = World::default();
    for line in ["admit 22 world", "scan builtin 22=open 80=open", "ack", "scan builtin 22=closed"] {
        world.step(line);
    }
    let mut back = crate::finding::Findings::default();
    for line in world.findings.lines() {
        back.restore(serde_json::from_str(&serde_json::to_string(&line).unwrap()).unwrap());
    }
    let lines = |findings: &crate::finding::Findings| format!("{:?}", findings.lines().collect::<Vec<_>>());
    assert_eq!(lines(&back), lines(&world.findings));
    assert_eq!(back.known(&place()), world.findings.known(&place()));
}
