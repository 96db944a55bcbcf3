//! What is told, when, and that nothing is left out or told twice.

use proptest::prelude::*;

use super::*;
use crate::engine::record::{BodyPart, PersonalPart, Record, TargetPart};
use crate::exposure::JudgedRow;
use crate::format::Severity;
use crate::forward::Filter;
use crate::ids::Id;
use crate::model::{Permission, Row, Source, Via};
use crate::time::Timestamp;
use crate::trail::{Hash, Header, RecordKind};

fn at(seconds: i64) -> Timestamp {
    Timestamp::EPOCH.plus_seconds(seconds)
}

fn record(seq: u64, kind: RecordKind, detail: &[(&'static str, &str)]) -> Record {
    let recorded_at = at(seq.cast_signed());
    Record {
        header: Header {
            seq,
            previous: Hash::ZERO,
            time: recorded_at,
            recorded_at,
            as_of: recorded_at,
            kind,
        },
        hash: Hash::ZERO,
        body: BodyPart {
            outcome: "unknown".into(),
            detail: detail.iter().map(|(key, value)| ((*key).into(), (*value).to_owned())).collect(),
            target: Some(TargetPart { project_id: Some(Id::new("shop")), ..TargetPart::default() }),
            ..BodyPart::default()
        },
        personal: PersonalPart::default(),
        opened: Vec::new(),
        closed: Vec::new(),
        wide: Vec::new(),
        missing: Vec::new(),
    }
}

fn finding(seq: u64, state: &str, severity: &str) -> Record {
    let text = format!("a finding that is {state}");
    record(
        seq,
        RecordKind::Finding,
        &[("finding", "f00d"), ("state", state), ("severity", severity), ("text", &text)],
    )
}

fn row(redundant: bool) -> JudgedRow {
    let row = Row {
        address: "192.0.2.1/32".parse().unwrap(),
        via: Via::Floating,
        fixed_ip: None,
        port_id: Id::new("port"),
        device_id: None,
        device_owner: None,
        project_id: Some(Id::new("shop")),
        network_id: None,
        region: None,
        permission: Permission::new(false, Some("tcp"), Some(22), Some(22), Source::family(false)),
        security_group_id: None,
        rule_id: None,
    };
    JudgedRow { row, redundant, covered_before: redundant }
}

fn settings(severity_min: Severity) -> NoticeSettings {
    NoticeSettings {
        filter: Filter { severity_min, ..Filter::default() },
        cadence: Cadence::Grouped { wait_seconds: 30, interval_seconds: 300, urgent_min: Severity::Critical },
        group_by: GroupBy::Incident,
        lines_max: 3,
    }
}

/// Shows a teller records at a time, and says what it wants done then.
fn shown(teller: &mut Teller, now: i64, records: &[Record]) -> Turn {
    for record in records {
        assert!(teller.look_at(at(now), record));
    }
    teller.turn(at(now), false)
}

fn notice(turn: Turn) -> Notice {
    match turn {
        Turn::Tell(notice) => *notice,
        other => panic!("no notice: {other:?}"),
    }
}

#[test]
fn what_is_over_is_told_to_whoever_is_told_its_begin_and_in_the_same_thread() {
    let mut teller = Teller::new(settings(Severity::High));
    assert_eq!(shown(&mut teller, 0, &[finding(1, "open", "high")]), Turn::Wait);
    let began = notice(teller.turn(at(30), false));
    assert_eq!(shown(&mut teller, 400, &[finding(2, "resolved", "high")]), Turn::Wait);
    let over = notice(teller.turn(at(430), false));
    assert_eq!((began.resolved, over.resolved, over.told), (0, 1, 1));
    assert_eq!((&began.threads, &over.threads), (&vec!["finding-f00d".to_owned()], &began.threads));
    assert_eq!(began.heading(), "high: a finding that is open");
    assert_eq!(over.heading(), "resolved: a finding that is resolved");
    // Its begin was not told either.
    assert_eq!(shown(&mut teller, 900, &[finding(3, "resolved", "medium")]), Turn::Pass(3));
}

#[test]
fn an_address_that_is_closed_again_is_over_unless_something_else_admits_the_same() {
    let change = |seq, opened, closed| Record { opened, closed, ..record(seq, RecordKind::Change, &[]) };
    let mut teller = Teller::new(settings(Severity::High));
    let opened = notice(shown(&mut teller, 0, &[change(1, vec![row(false)], Vec::new())]));
    assert_eq!((opened.severity.as_str(), opened.resolved), ("critical", 0));
    let still_open = change(2, Vec::new(), vec![row(true)]);
    assert_eq!(shown(&mut teller, 60, &[still_open]), Turn::Pass(2));
    // It was critical, and that it is over is not.
    assert_eq!(shown(&mut teller, 60, &[change(3, Vec::new(), vec![row(false)])]), Turn::Wait);
    let closed = notice(teller.turn(at(301), false));
    assert_eq!((closed.resolved, &closed.threads), (1, &opened.threads));
    assert!(closed.threads[0].starts_with("exposure-"));
}

#[test]
fn a_notice_waits_for_more_and_for_the_interval_unless_it_is_urgent() {
    let mut teller = Teller::new(settings(Severity::Medium));
    assert_eq!(shown(&mut teller, 0, &[finding(1, "open", "medium")]), Turn::Wait);
    assert_eq!(shown(&mut teller, 29, &[finding(2, "open", "high")]), Turn::Wait);
    assert_eq!(notice(teller.turn(at(30), false)).counts(), "1 high, 1 medium");
    assert_eq!(shown(&mut teller, 100, &[finding(3, "open", "high")]), Turn::Wait);
    assert_eq!(teller.turn(at(329), false), Turn::Wait);
    assert_eq!(notice(teller.turn(at(330), false)).counts(), "1 high");
    let urgent = notice(shown(&mut teller, 400, &[finding(4, "open", "critical")]));
    assert_eq!((urgent.first, urgent.last), (4, 4));
    // A storm of them comes together all the same.
    assert_eq!(shown(&mut teller, 401, &[finding(5, "open", "critical")]), Turn::Wait);
    assert_eq!(shown(&mut teller, 429, &[finding(6, "open", "critical")]), Turn::Wait);
    assert_eq!(notice(teller.turn(at(430), false)).counts(), "2 critical");
}

#[test]
fn none_is_told_while_the_one_before_is_under_way() {
    let mut teller = Teller::new(settings(Severity::Medium));
    assert!(teller.look_at(at(0), &finding(1, "open", "critical")));
    assert_eq!(teller.turn(at(0), true), Turn::Wait);
    assert_eq!(teller.turn(at(5000), true), Turn::Wait);
    assert_eq!(notice(teller.turn(at(5030), false)).told, 1);
}

#[test]
fn a_clock_that_is_set_back_puts_nothing_off() {
    let mut teller = Teller::new(settings(Severity::Medium));
    assert_eq!(shown(&mut teller, 100_000, &[finding(1, "open", "high")]), Turn::Wait);
    assert_eq!(teller.turn(at(10), false), Turn::Wait);
    assert_eq!(notice(teller.turn(at(40), false)).told, 1);
}

#[test]
fn lines_that_matter_most_are_shown_by_what_they_follow_from_and_the_others_counted() {
    let mut teller = Teller::new(settings(Severity::Informational));
    let mut scan = record(3, RecordKind::Scan, &[]);
    scan.body.cause = Some(2);
    let mut late = finding(5, "open", "high");
    late.body.cause = Some(3);
    let records = [
        finding(1, "open", "low"),
        record(2, RecordKind::Change, &[]),
        scan,
        finding(4, "open", "medium"),
        late,
        finding(6, "resolved", "critical"),
    ];
    assert_eq!(shown(&mut teller, 0, &records), Turn::Wait);
    let notice = notice(teller.turn(at(30), false));
    let told: Vec<(&str, u64, Vec<u64>)> = notice
        .groups
        .iter()
        .map(|group| (group.title.as_str(), group.told, group.lines.iter().map(|line| line.seq).collect()))
        .collect();
    assert_eq!(
        told,
        [
            ("what follows from record 2", 3, vec![5]),
            ("what follows from record 4", 1, vec![4]),
            ("what follows from record 1", 1, vec![1]),
        ]
    );
    assert_eq!((notice.told, notice.more, notice.resolved), (6, 3, 1));
    assert_eq!(notice.heading(), "1 high, 1 medium, 1 low, 2 informational, 1 resolved");
    assert_eq!(notice.search(), "osel audit search --seq 1..6");
    assert_eq!(notice.bare().lines().count(), 0);
}

#[test]
fn a_name_from_the_cloud_ends_no_line_and_makes_none_too_long() {
    let hostile = format!("a\r\nSubject: b\u{202e}{}", "x".repeat(10_000));
    let mut teller = Teller::new(settings(Severity::Informational));
    let record = record(1, RecordKind::Gap, &[("text", &hostile), ("finding", "a>\r\nb")]);
    assert_eq!(shown(&mut teller, 0, &[record]), Turn::Wait);
    let notice = notice(teller.turn(at(30), false));
    let line = notice.lines().next().unwrap();
    assert!(line.text.starts_with("a  Subject: b x"), "{}", line.text);
    assert_eq!(line.text.chars().count(), NOTICE_LINE_CHARS_MAX);
    assert_eq!(notice.heading().chars().count(), NOTICE_HEADING_CHARS_MAX);
    assert_eq!(notice.threads, ["finding-ab"]);
}

#[test]
fn a_digest_tells_a_period_when_it_is_over_and_says_when_there_was_nothing() {
    let daily = |tells_empty| NoticeSettings {
        cadence: Cadence::Digest { period_seconds: 86_400, offset_seconds: 0, tells_empty },
        ..settings(Severity::Medium)
    };
    let mut teller = Teller::new(daily(true));
    let nothing = record(90_000, RecordKind::Scan, &[]);
    assert_eq!(shown(&mut teller, 90_000, std::slice::from_ref(&nothing)), Turn::Wait);
    // The next day has begun, and a record of it does not belong to the day before.
    assert!(!teller.look_at(at(172_801), &record(172_800, RecordKind::Scan, &[])));
    let digest = notice(teller.turn(at(172_801), false));
    assert_eq!(digest.heading(), "digest: nothing to tell");
    assert_eq!(
        (digest.since.as_str(), digest.until.as_str()),
        ("1970-01-02 00:00:00 UTC", "1970-01-03 00:00:00 UTC")
    );
    assert_eq!((digest.last, digest.told), (90_000, 0));
    assert_eq!(shown(&mut teller, 172_801, &[finding(172_802, "open", "high")]), Turn::Wait);
    assert_eq!(notice(teller.turn(at(259_200), false)).heading(), "digest: 1 high");
    let mut quiet = Teller::new(daily(false));
    assert_eq!(shown(&mut quiet, 90_000, &[nothing]), Turn::Pass(90_000));
}

#[test]
fn a_digest_of_ever_so_many_records_counts_them_and_keeps_few() {
    let cadence = Cadence::Digest { period_seconds: 86_400 * 7, offset_seconds: 0, tells_empty: false };
    let settings = NoticeSettings { cadence, lines_max: 10, ..settings(Severity::Medium) };
    let mut teller = Teller::new(settings);
    for seq in 1..=50_000 {
        let severity = if seq % 10_000 == 7 { "critical" } else { "medium" };
        assert!(teller.look_at(at(600_000), &finding(seq, "open", severity)));
    }
    let notice = notice(teller.turn(at(86_400 * 7), false));
    assert_eq!(notice.counts(), "digest: 5 critical, 49995 medium");
    assert_eq!((notice.lines().count(), notice.more), (10, 49_990));
    assert!(notice.lines().take(5).all(|line| line.severity == "critical"));
    assert!(serde_json::to_vec(&notice).unwrap().len() < 10_000);
}

proptest! {
    /// However records come, and whenever a process ends and another begins behind what was told: each is in one notice.
    #[test]
    fn every_record_is_told_once(
        steps in prop::collection::vec((0_u8..8, 0_i64..400), 1..200),
        digest in any::<bool>(),
    ) {
        let cadence = match digest {
            true => Cadence::Digest { period_seconds: 3600, offset_seconds: 600, tells_empty: true },
            false => settings(Severity::Medium).cadence,
        };
        let settings = NoticeSettings { cadence, ..settings(Severity::Medium) };
        let mut teller = Teller::new(settings.clone());
        let (mut trail, mut now, mut place) = (Vec::new(), 0, 0_u64);
        let (mut told, mut wanted) = (0, 0);
        for (step, seconds) in steps.into_iter().chain([(7, 9000), (7, 9000), (7, 9000)]) {
            now += seconds;
            let seq = trail.len() as u64 + 1;
            match step {
                0..=4 => {
                    let severity = ["info", "low", "medium", "high", "critical"][usize::from(step)];
                    let mut record = finding(seq, "open", severity);
                    record.header.recorded_at = at(now);
                    wanted += u64::from(step >= 2);
                    trail.push(record);
                }
                5 => teller = Teller::new(settings.clone()),
                _ => {}
            }
            loop {
                teller.begin(place);
                while let Some(record) = trail.get(usize::try_from(teller.looked_to()).unwrap()) {
                    if !teller.look_at(at(now), record) {
                        break;
                    }
                }
                match teller.turn(at(now), step == 6) {
                    Turn::Wait => break,
                    Turn::Pass(through) => place = through,
                    Turn::Tell(notice) => {
                        prop_assert_eq!(notice.first, place + 1);
                        place = notice.last;
                        told += notice.told;
                    }
                }
            }
        }
        prop_assert_eq!((place, told), (trail.len() as u64, wanted));
    }
}
