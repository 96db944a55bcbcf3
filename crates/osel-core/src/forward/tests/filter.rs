//! Which records pass.

use std::collections::BTreeSet;

use super::super::Filter;
use crate::engine::record::{BodyPart, PersonalPart, Record, TargetPart};
use crate::exposure::JudgedRow;
use crate::format::Severity;
use crate::ids::Id;
use crate::model::{Permission, Row, Source, Via};
use crate::time::Timestamp;
use crate::trail::{Hash, Header, RecordKind};

fn record() -> Record {
    let body = BodyPart {
        event_type: Some("port.create.end".into()),
        project_id: Some(Id::new("theirs")),
        target: Some(TargetPart { project_id: Some(Id::new("ours")), ..TargetPart::default() }),
        ..BodyPart::default()
    };
    let header = Header {
        seq: 1,
        previous: Hash::ZERO,
        time: Timestamp::EPOCH,
        recorded_at: Timestamp::EPOCH,
        as_of: Timestamp::EPOCH,
        kind: RecordKind::Change,
    };
    Record {
        header,
        hash: Hash::ZERO,
        body,
        personal: PersonalPart::default(),
        opened: Vec::new(),
        closed: Vec::new(),
        wide: Vec::new(),
        missing: Vec::new(),
    }
}

#[test]
fn all_that_is_asked_for_must_be_true() {
    let check = |filter: &Filter, wanted: bool| {
        assert_eq!(filter.passes(&record(), Severity::Medium), wanted, "{filter:?}");
    };
    let everything = Filter::default();
    let projects = |names: &[&str]| names.iter().map(|name| Id::new(name)).collect::<BTreeSet<_>>();
    check(&everything, true);
    check(&Filter { kinds: [RecordKind::Gap, RecordKind::Change].into(), ..everything.clone() }, true);
    check(&Filter { kinds: [RecordKind::Gap].into(), ..everything.clone() }, false);
    check(&Filter { severity_min: Severity::Medium, ..everything.clone() }, true);
    check(&Filter { severity_min: Severity::High, ..everything.clone() }, false);
    check(&Filter { projects: projects(&["theirs"]), ..everything.clone() }, true);
    check(&Filter { projects: projects(&["another", "ours"]), ..everything.clone() }, true);
    check(&Filter { projects: projects(&["another"]), ..everything.clone() }, false);
    check(&Filter { event_types: vec!["x".into(), "port.".into()], ..everything.clone() }, true);
    check(&Filter { event_types: vec!["create".into()], ..everything.clone() }, false);
    check(&Filter { exposing_only: true, ..everything }, false);
}

#[test]
fn a_record_exposes_when_somebody_has_access_who_had_none() {
    let row = |covered_before| JudgedRow {
        row: Row {
            address: "192.0.2.1/32".parse().unwrap(),
            via: Via::Floating,
            fixed_ip: None,
            port_id: Id::new("port"),
            device_id: None,
            device_owner: None,
            project_id: Some(Id::new("tenant")),
            network_id: None,
            region: None,
            permission: Permission::new(false, Some("tcp"), Some(22), Some(23), Source::family(false)),
            security_group_id: None,
            rule_id: None,
        },
        redundant: false,
        covered_before,
    };
    let filter = Filter { exposing_only: true, ..Filter::default() };
    let passes = |record: &Record| filter.passes(record, Severity::Low);
    assert!(passes(&Record { opened: vec![row(true), row(false)], ..record() }));
    assert!(!passes(&Record { opened: vec![row(true)], closed: vec![row(false)], ..record() }));
    // Whose address it is counts as well as who did it.
    let filter = Filter { projects: [Id::new("tenant")].into(), ..Filter::default() };
    assert!(filter.passes(&Record { closed: vec![row(true)], ..record() }, Severity::Low));
}

#[test]
fn what_is_not_known_any_more_is_not_another_projects() {
    let mut record = record();
    record.body = BodyPart::default();
    let filter = Filter { projects: [Id::new("ours")].into(), ..Filter::default() };
    assert!(!filter.passes(&record, Severity::Critical));
    assert!(Filter::default().passes(&record, Severity::Informational));
}
