//! Seeds, and kills at every action.

use std::collections::BTreeSet;

use super::{Faults, Report, run, run_killing};

const QUIET: Faults = Faults { one_in: 0, clocks: false };

#[track_caller]
fn assert_good(report: &Report) {
    assert!(report.is_good(), "{report}");
}

#[test]
fn without_faults_every_message_is_recorded_and_nothing_is_said_about_it() {
    for seed in 0..20 {
        let report = run_killing(seed, QUIET, &BTreeSet::new());
        assert_good(&report);
        assert_eq!(report.published, 60);
    }
}

#[test]
fn seeds_keep_all_promises() {
    let (mut kills, mut takeovers, mut gaps, mut lost) = (0, 0, 0, 0);
    for seed in 0..1000 {
        let report = run(seed);
        assert_good(&report);
        kills += report.kills;
        takeovers += report.takeovers;
        gaps += report.gaps;
        lost += report.lost;
    }
    assert!(kills > 300 && takeovers > 300 && gaps > 300 && lost > 3000, "{kills} {takeovers} {gaps} {lost}");
}

#[test]
fn a_seed_plays_the_same_each_time() {
    for seed in 0..20 {
        assert_eq!(run(seed), run(seed));
    }
}

#[test]
fn a_kill_before_any_action_loses_nothing() {
    for seed in 0..4 {
        let actions = run_killing(seed, QUIET, &BTreeSet::new()).actions;
        for kill in 0..actions {
            assert_good(&run_killing(seed, QUIET, &BTreeSet::from([kill])));
        }
    }
}

#[test]
fn a_kill_before_any_action_of_a_run_with_faults_loses_nothing() {
    let faults = Faults { one_in: 25, clocks: false };
    for seed in 0..4 {
        let actions = run_killing(seed, faults, &BTreeSet::new()).actions;
        for kill in 0..actions {
            assert_good(&run_killing(seed, faults, &BTreeSet::from([kill])));
        }
    }
}

#[test]
fn two_kills_in_a_row_lose_nothing() {
    let faults = Faults { one_in: 30, clocks: false };
    for first in (0..400).step_by(3) {
        for distance in [1, 2, 5, 13, 40] {
            assert_good(&run_killing(first, faults, &BTreeSet::from([first, first + distance])));
        }
    }
}
