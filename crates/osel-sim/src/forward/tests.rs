//! Seeds, and kills at every action.

use std::collections::BTreeSet;

use super::{Faults, Kind, Report, run, run_killing};

const QUIET: Faults = Faults { one_in: 0, rewinds: false };

#[track_caller]
fn assert_good(report: &Report) {
    assert!(report.is_good(), "{report}");
}

#[test]
fn without_faults_every_line_comes_once() {
    for seed in 0..20 {
        for kind in Kind::ALL {
            let report = run_killing(seed, kind, QUIET, BTreeSet::new());
            assert_good(&report);
            // What Splunk took of a batch before the line that it refused it never acknowledges.
            assert!(kind == Kind::Indexer || report.repeated == 0, "{report}");
        }
    }
}

#[test]
fn seeds_keep_all_promises() {
    let (mut kills, mut rewinds, mut letters, mut repeated) = (0, 0, 0, 0);
    for seed in 0..1000 {
        let report = run(seed);
        assert_good(&report);
        kills += report.kills;
        rewinds += report.rewinds;
        letters += report.letters;
        repeated += report.repeated;
    }
    let counts = (kills, rewinds, letters, repeated);
    assert!(kills > 1000 && rewinds > 100 && letters > 1000 && repeated > 1000, "{counts:?}");
}

#[test]
fn a_seed_plays_the_same_each_time() {
    for seed in 0..20 {
        assert_eq!(run(seed), run(seed));
    }
}

#[test]
fn a_kill_before_any_action_loses_nothing_and_a_file_has_every_line_once() {
    for kind in Kind::ALL {
        let actions = run_killing(1, kind, QUIET, BTreeSet::new()).actions;
        for kill in 1..=actions {
            let report = run_killing(1, kind, QUIET, BTreeSet::from([kill]));
            assert_good(&report);
            assert!(kind != Kind::File || report.repeated == 0, "{kill}: {report}");
        }
    }
}

#[test]
fn two_kills_in_a_row_in_a_run_with_faults_lose_nothing() {
    let faults = Faults { one_in: 6, rewinds: true };
    for kind in Kind::ALL {
        for first in (1..400).step_by(7) {
            for distance in [1, 2, 5, 13, 40] {
                let kills = BTreeSet::from([first, first + distance]);
                assert_good(&run_killing(first, kind, faults, kills));
            }
        }
    }
}

#[test]
fn people_are_told_of_each_record_once_by_fewer_messages_than_there_are_records() {
    for seed in 0..20 {
        let report = run_killing(seed, Kind::People, QUIET, BTreeSet::new());
        assert_good(&report);
        assert!(report.messages > 0 && report.messages < 30, "{}: {report}", report.messages);
    }
}
