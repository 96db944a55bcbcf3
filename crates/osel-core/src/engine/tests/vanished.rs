//! Findings whose scans never told: what becomes of them when their address goes, and what must not.

use super::findings::{Story, options, told};
use crate::engine::EngineOptions;
use crate::finding::{Finding, FindingKind};
use crate::plan::{QuietHours, ScanPolicy};
use crate::scan::ProbeState;

const GONE: &str = "finding resolved without proof: exposed and answering: 10.0.0.5 tcp 22 (network n): the address is not in the \
                    model any more, so no scan can prove it";

fn all_resolved(story: &Story) -> bool {
    story.findings().iter().all(Finding::is_resolved)
}

#[test]
fn a_finding_of_a_deleted_port_stayed_open_when_the_scan_of_its_end_saw_nothing() {
    let mut story = Story::begin(options(), true);
    story.answer(2, ProbeState::Open);
    assert_eq!(told(&story.unport(3)), Vec::<&str>::new(), "the scan that follows may show it");
    let records = story.fail(4);
    assert_eq!(told(&records), [GONE]);
    assert!(all_resolved(&story));
}

#[test]
fn a_finding_of_what_is_admitted_stays_whatever_scans_do_not_see() {
    let mut story = Story::begin(options(), true);
    story.answer(2, ProbeState::Open);
    story.unrule(3, 1);
    story.rule(4);
    for second in 5..7 {
        assert_eq!(told(&story.fail(second)), Vec::<&str>::new());
    }
    assert_eq!(story.listener.commands.len(), 3);
    assert!(!story.only().is_resolved());
}

#[test]
fn what_answers_where_nothing_is_admitted_stayed_open_for_ever_when_its_port_went() {
    let mut story = Story::begin(options(), true);
    story.answer(2, ProbeState::Open);
    story.unrule(3, 1);
    story.answer(4, ProbeState::Open);
    story.tick(500);
    story.answer(501, ProbeState::Open);
    let open: Vec<_> = story.findings().into_iter().filter(|finding| !finding.is_resolved()).collect();
    assert_eq!(
        open.iter().map(|finding| finding.kind).collect::<Vec<_>>(),
        [FindingKind::AnsweringNotExposed]
    );
    // No row closes with it.
    let records = story.unport(502);
    assert_eq!(
        told(&records),
        [
            "finding resolved without proof: answering though not exposed: 10.0.0.5 tcp 22 (network n): the address is not in the model any \
             more, so no scan can prove it"
        ]
    );
    assert!(all_resolved(&story));
}

#[test]
fn what_answers_at_an_address_that_is_gone_is_a_finding_until_a_scan_says_otherwise() {
    let mut story = Story::begin(options(), true);
    story.unport(2);
    story.answer(3, ProbeState::Open);
    story.answer(4, ProbeState::Open);
    let finding = story.only();
    assert!(
        (finding.kind, finding.is_resolved()) == (FindingKind::AnsweringNotExposed, false),
        "{finding:?}"
    );
}

#[test]
fn a_finding_stayed_open_when_the_scan_that_it_waited_for_was_dropped() {
    let quiet = Some(QuietHours { from_minute: 0, to_minute: 1439 });
    let policy = options().scan.unwrap();
    let mut story = Story::begin(options(), true);
    story.answer(2, ProbeState::Open);
    let scan = Some(ScanPolicy { quiet_hours: quiet, wait_seconds_max: 10, ..policy });
    story.options(3, EngineOptions { scan, ..options() });
    assert_eq!(told(&story.unport(4)), Vec::<&str>::new());
    let records = story.tick(30);
    assert_eq!(told(&records), [GONE]);
    assert!(all_resolved(&story));
}
