//! Kills at every boundary, once and in pairs, and every trouble at every call.

use std::collections::BTreeSet;

use osel_core::conduct::Call;
use osel_core::scan::{ScanState, Trouble};
use osel_core::time::Timestamp;

use super::{Fault, Plan, Report, run};

/// Plays a plan and checks what holds for all of them.
#[track_caller]
fn play(plan: &Plan) -> Report {
    let report = run(plan.clone());
    assert!(report.launches <= 1, "{plan:?}\n{report:?}");
    // A scanner that will not remove a scan, or says that it does not know it, keeps it.
    let may_be_left =
        plan.fault.as_ref().is_some_and(|(_, fault)| is_fatal(fault)) && report.failed == Some(Call::Forget);
    assert_eq!((report.ends, report.has_left && !may_be_left), (1, false), "{plan:?}\n{report:?}");
    report
}

fn faults() -> Vec<Fault> {
    let words = || "as it is".to_owned();
    let refused =
        |addresses: &[&str]| addresses.iter().map(|address| address.parse().unwrap()).collect::<Vec<_>>();
    let said = [
        Trouble::Busy { after_seconds: None },
        Trouble::Busy { after_seconds: Some(30) },
        Trouble::Limited { after_seconds: None },
        Trouble::Limited { after_seconds: Some(30) },
        Trouble::Unavailable(words()),
        Trouble::Uncertain(words()),
        Trouble::Denied(words()),
        Trouble::Refused { why: words(), addresses: Vec::new() },
        Trouble::Refused { why: words(), addresses: refused(&["192.0.2.1"]) },
        Trouble::Gone(words()),
        Trouble::Garbled(words()),
    ];
    // What a scanner that has done it can say.
    let did = [Trouble::Unavailable(words()), Trouble::Uncertain(words()), Trouble::Garbled(words())];
    let all = said.into_iter().map(Fault::Says).chain(did.into_iter().map(Fault::Did));
    all.chain([Fault::Lost, Fault::DidAndLost]).collect()
}

/// Whether a fault may keep a command from having a result.
fn is_fatal(fault: &Fault) -> bool {
    matches!(fault, Fault::Says(Trouble::Refused { .. } | Trouble::Gone(_)))
}

#[test]
fn undisturbed_a_scan_is_launched_polled_fetched_judged_and_removed() {
    let report = play(&Plan::default());
    // Launch, a question while it waits, two while it runs, one when it is over, fetch, forget.
    assert_eq!((report.calls, report.launches, report.state), (7, 1, ScanState::Judged));
}

#[test]
fn a_kill_at_any_boundary_or_at_any_two_changes_nothing_of_it() {
    let boundaries = play(&Plan::default()).boundaries;
    assert!(boundaries > 20, "{boundaries}");
    for first in 1..=boundaries {
        // The second process has boundaries of its own.
        for second in first..=first + boundaries + 10 {
            let report = play(&Plan { kills: BTreeSet::from([first, second]), ..Plan::default() });
            assert_eq!((report.launches, report.state), (1, ScanState::Judged), "{first} {second}");
        }
    }
}

#[test]
fn any_trouble_at_any_call_with_a_kill_at_any_boundary_leaves_one_scan_judged_once() {
    let Report { calls, boundaries, .. } = play(&Plan::default());
    for fault in faults() {
        for call in 1..=calls {
            for kill in 0..=boundaries + 10 {
                let plan = Plan {
                    kills: BTreeSet::from([kill]),
                    fault: Some((call, fault.clone())),
                    ..Plan::default()
                };
                let report = play(&plan);
                if !is_fatal(&fault) {
                    assert_eq!((report.launches, report.state), (1, ScanState::Judged), "{plan:?}");
                }
            }
        }
    }
}

#[test]
fn what_is_called_off_at_any_boundary_ends_whatever_happens() {
    let Report { calls, boundaries, .. } = play(&Plan::default());
    for cancel in 0..=boundaries {
        for kill in 0..=boundaries + 10 {
            let kills = BTreeSet::from([kill]);
            let report = play(&Plan { kills: kills.clone(), cancel: Some(cancel), ..Plan::default() });
            assert!(matches!(report.state, ScanState::Cancelled | ScanState::Judged), "{report:?}");
        }
        for fault in faults() {
            for call in 1..=calls {
                let fault = Some((call, fault.clone()));
                play(&Plan { cancel: Some(cancel), fault, ..Plan::default() });
            }
        }
    }
}

/// Longer than one rest after a denied call, and all that a few scans take.
const SOON_SECONDS: i64 = 3_600;

#[test]
fn a_call_that_is_denied_for_ever_keeps_no_other_command_from_its_turn() {
    for denied in [Call::Find, Call::Launch, Call::Status, Call::Fetch, Call::Forget] {
        // Whoever comes after a kill looks for what may have been launched.
        let kills = if denied == Call::Find { BTreeSet::from([1]) } else { BTreeSet::new() };
        let report = run(Plan { kills, denied: Some(denied), others: 4, ..Plan::default() });
        let mut ended = report.ended.values();
        let (state, at) = ended.next().unwrap();
        let is_harmless = denied == Call::Forget;
        assert_eq!(*state, if is_harmless { ScanState::Judged } else { ScanState::Failed }, "{denied:?}");
        assert!(*at < Timestamp::EPOCH.plus_seconds(86_400), "{denied:?} at {at}: it waited for its end");
        let (others, soon) = (ended.collect::<Vec<_>>(), Timestamp::EPOCH.plus_seconds(SOON_SECONDS));
        let is_judged = |(state, at): &&(ScanState, Timestamp)| *state == ScanState::Judged && *at < soon;
        assert!(others.len() == 4 && others.iter().all(is_judged), "{denied:?}\n{report:?}");
    }
}

#[test]
fn a_scan_that_is_listed_some_seconds_after_its_launch_is_made_once_and_not_forgotten() {
    let Report { boundaries, .. } = play(&Plan::default());
    let words = || "no answer".to_owned();
    let faults = [
        Fault::Did(Trouble::Uncertain(words())),
        Fault::Did(Trouble::Unavailable(words())),
        Fault::Did(Trouble::Garbled(words())),
        Fault::DidAndLost,
    ];
    let faults: Vec<_> = faults.into_iter().map(|fault| Some((1, fault))).chain([None]).collect();
    // Just less than the rest before anybody looks.
    for unlisted_seconds in 0..10 {
        for fault in &faults {
            for kill in 0..=boundaries + 10 {
                let plan = Plan {
                    kills: BTreeSet::from([kill]),
                    fault: fault.clone(),
                    unlisted_seconds,
                    ..Plan::default()
                };
                let report = play(&plan);
                assert_eq!((report.launches, report.state), (1, ScanState::Judged), "{plan:?}");
            }
            // Whatever ends it, it is looked for when it can be found, so that nothing is left there.
            for at in 0..=boundaries {
                let (fault, unlisted) = (fault.clone(), Plan { unlisted_seconds, ..Plan::default() });
                play(&Plan { cancel: Some(at), fault: fault.clone(), ..unlisted.clone() });
                play(&Plan { life_seconds: Some(2 + at as i64), fault, ..unlisted });
            }
        }
    }
}
