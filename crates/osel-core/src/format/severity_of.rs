//! How much each record matters, by what it says and nothing else.
//!
//! `docs/formats.md` has the table. A record of several things matters as much as the one that matters most.

use super::Severity;
use crate::engine::record::Record;
use crate::exposure::{JudgedRow, SENSITIVE_PORTS, is_public, public_address};
use crate::model::{Permission, Protocol, Row, Source, Via};
use crate::scan;
use crate::trail::{PartClass, RecordKind};

/// The role that may do everything, by the name that Keystone's bootstrap gives it.
const ADMIN_ROLE: &str = "admin";

impl Severity {
    /// How much a record matters.
    pub fn of(record: &Record) -> Self {
        let opened = opened(record);
        let exposure = match record.header.kind {
            // Nobody told the bus of it: what opened without a word is never a small matter.
            RecordKind::Drift => opened.map(|severity| severity.max(Self::High)),
            _ => opened,
        };
        // The same message id with another content may be somebody who hides one behind the other.
        let conflicting = record.body.conflicting.then_some(Self::Medium);
        let all = [Some(of_kind(record)), exposure, conflicting];
        all.into_iter().flatten().max().unwrap_or_default()
    }

    /// How much a row matters that came; what could be reached before is nothing new.
    pub(super) fn of_opened(judged: &JudgedRow) -> Self {
        of_row(judged).unwrap_or_default()
    }

    /// How much it matters that a row comes which opens something, by the row alone.
    pub(crate) fn of_new_row(row: &Row) -> Self {
        let from_internet =
            matches!(&row.permission.source, Source::Prefix(prefix) if public_address(*prefix).is_some());
        let on_internet = matches!(row.via, Via::Floating | Via::Forwarding) || is_public(row.address.addr());
        match (from_internet, on_internet, is_sensitive(&row.permission)) {
            (true, true, true) => Self::Critical,
            (true, true, false) | (true, false, true) => Self::High,
            (true, false, false) | (false, _, true) => Self::Medium,
            (false, _, false) => Self::Low,
        }
    }

    /// How much a finding matters while it is open, by the word that its record has; none of a record that is of no finding.
    pub(crate) fn of_finding_word(word: &str) -> Option<Self> {
        let severity = scan::Severity::ALL.into_iter().find(|severity| severity.as_str() == word);
        severity.map(Self::of_finding)
    }

    /// Of a finding's own word.
    fn of_finding(severity: scan::Severity) -> Self {
        match severity {
            scan::Severity::Info => Self::Informational,
            scan::Severity::Low => Self::Low,
            scan::Severity::Medium => Self::Medium,
            scan::Severity::High => Self::High,
            scan::Severity::Critical => Self::Critical,
        }
    }
}

/// By what kind of record it is, whatever it opened.
fn of_kind(record: &Record) -> Severity {
    let failed = &*record.body.outcome == "failure";
    let detail = |key: &str| record.body.detail.get(key).map(String::as_str);
    // What happened is not kept any more: that it happened is.
    if record.missing.contains(&PartClass::Body) && record.header.kind != RecordKind::Gap {
        return Severity::Informational;
    }
    match record.header.kind {
        RecordKind::Change => of_change(record, failed),
        // A locked account is the end of many attempts, each of which is somebody's typing error until there are many.
        RecordKind::Authentication
            if failed && detail("reason").is_some_and(|why| why.contains("locked")) =>
        {
            Severity::Medium
        }
        RecordKind::Access if failed && matches!(detail("status"), Some("401" | "403")) => Severity::Low,
        RecordKind::Access => Severity::Informational,
        RecordKind::Scan if detail("open_though_not_exposed").is_some() => Severity::Medium,
        RecordKind::Authentication | RecordKind::Activity | RecordKind::Scan | RecordKind::Command => {
            if failed {
                Severity::Low
            } else {
                Severity::Informational
            }
        }
        RecordKind::Finding => of_finding(record),
        RecordKind::Drift => Severity::Low,
        // Evidence that is missing can hide anything.
        RecordKind::Gap => Severity::High,
        RecordKind::System => of_system(record, failed),
    }
}

fn of_change(record: &Record, failed: bool) -> Severity {
    let detail = |key: &str| record.body.detail.get(key).map(String::as_str);
    let is_identity = record.body.event_type.as_deref().is_some_and(|kind| kind.starts_with("identity."));
    match detail("verb") {
        _ if failed => Severity::Low,
        Some("grant") if detail("role_name").is_some_and(|name| name.eq_ignore_ascii_case(ADMIN_ROLE)) => {
            Severity::High
        }
        Some("grant") => Severity::Medium,
        _ if is_identity => Severity::Low,
        _ => Severity::Informational,
    }
}

fn of_finding(record: &Record) -> Severity {
    let detail = |key: &str| record.body.detail.get(key).map(String::as_str);
    if detail("unkept").is_some() {
        return Severity::High;
    }
    // Resolved, expected or acknowledged.
    if &*record.body.outcome == "success" || detail("state") == Some("resolved") {
        return Severity::Informational;
    }
    let word = detail("severity").unwrap_or_default();
    Severity::of_finding_word(word).unwrap_or_default()
}

fn of_system(record: &Record, failed: bool) -> Severity {
    let detail = |key: &str| record.body.detail.get(key).map(String::as_str);
    match (detail("log"), detail("retention"), detail("state")) {
        // Whoever verifies has to learn of it, and whoever did not order it, too.
        (Some("key"), ..) => Severity::Medium,
        // What may be kept no longer, or the next message may not be.
        (_, Some("budget"), Some("exhausted")) => Severity::High,
        (_, Some("budget"), Some("tight" | "biting")) => Severity::Medium,
        _ if failed => Severity::Medium,
        _ => Severity::Informational,
    }
}

/// By what it opened; none where nothing can be reached that could not be before.
fn opened(record: &Record) -> Option<Severity> {
    let examples = record.wide.iter().filter(|wide| wide.opened).flat_map(|wide| &wide.examples);
    record.opened.iter().chain(examples).filter_map(of_row).max()
}

fn of_row(judged: &JudgedRow) -> Option<Severity> {
    if judged.covered_before {
        return None;
    }
    Some(Severity::of_new_row(&judged.row))
}

/// Whether it admits a port that is sensitive, or everything.
fn is_sensitive(permission: &Permission) -> bool {
    let has_ports = permission.protocol == Protocol::Any || permission.protocol.has_ports();
    has_ports
        && permission
            .ports
            .is_none_or(|(min, max)| SENSITIVE_PORTS.iter().any(|port| (min..=max).contains(port)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::engine::record::{BodyPart, PersonalPart};
    use crate::ids::Id;
    use crate::model::{Row, host};
    use crate::time::Timestamp;
    use crate::trail::{Hash, Header};

    fn record(kind: RecordKind, outcome: &str, detail: &[(&'static str, &str)]) -> Record {
        let detail: BTreeMap<_, _> =
            detail.iter().map(|(key, value)| ((*key).into(), (*value).to_owned())).collect();
        let header = Header {
            seq: 1,
            previous: Hash::ZERO,
            time: Timestamp::EPOCH,
            recorded_at: Timestamp::EPOCH,
            as_of: Timestamp::EPOCH,
            kind,
        };
        Record {
            header,
            hash: Hash::ZERO,
            body: BodyPart { outcome: outcome.into(), detail, ..BodyPart::default() },
            personal: PersonalPart::default(),
            opened: Vec::new(),
            closed: Vec::new(),
            missing: Vec::new(),
            wide: Vec::new(),
        }
    }

    fn row(via: Via, source: &str, protocol: &str, ports: Option<(u16, u16)>) -> JudgedRow {
        let source = Source::Prefix(source.parse().expect("a prefix"));
        let (min, max) = (ports.map(|(min, _)| min.into()), ports.map(|(_, max)| max.into()));
        let row = Row {
            address: host([10, 0, 0, 9].into()),
            via,
            fixed_ip: None,
            port_id: Id::new("p"),
            device_id: None,
            device_owner: None,
            project_id: None,
            network_id: None,
            region: None,
            permission: Permission::new(false, Some(protocol), min, max, source),
            security_group_id: None,
            rule_id: None,
        };
        JudgedRow { row, redundant: false, covered_before: false }
    }

    #[test]
    fn what_opened_matters_by_whence_whither_and_what() {
        use Severity::{Critical, High, Low, Medium};
        let ssh = Some((20, 25));
        for (via, source, protocol, ports, wanted) in [
            (Via::Floating, "0.0.0.0/0", "tcp", ssh, Critical),
            (Via::Forwarding, "8.8.8.0/24", "tcp", Some((22, 22)), Critical),
            (Via::Floating, "0.0.0.0/0", "any", None, Critical),
            (Via::Floating, "0.0.0.0/0", "tcp", None, Critical),
            (Via::Floating, "0.0.0.0/0", "tcp", Some((443, 443)), High),
            (Via::Floating, "0.0.0.0/0", "icmp", None, High),
            (Via::Fixed, "0.0.0.0/0", "tcp", ssh, High),
            (Via::Fixed, "0.0.0.0/0", "tcp", Some((443, 443)), Medium),
            (Via::Floating, "10.0.0.0/8", "tcp", ssh, Medium),
            (Via::Fixed, "10.0.0.0/8", "tcp", Some((80, 80)), Low),
        ] {
            let mut record = record(RecordKind::Change, "success", &[("verb", "create")]);
            record.opened = vec![row(via, source, protocol, ports)];
            assert_eq!(Severity::of(&record), wanted, "{via:?} {source} {protocol} {ports:?}");
            record.header.kind = RecordKind::Drift;
            assert_eq!(Severity::of(&record), wanted.max(High), "as drift");
            record.opened[0].covered_before = true;
            assert_eq!(Severity::of(&record), Low, "drift that opened nothing");
            record.header.kind = RecordKind::Change;
            assert_eq!(Severity::of(&record), Severity::Informational, "covered before");
            record.closed = std::mem::take(&mut record.opened);
            record.closed[0].covered_before = false;
            assert_eq!(Severity::of(&record), Severity::Informational, "closed");
        }
    }

    #[test]
    fn other_records_matter_by_their_kind() {
        use RecordKind::{Access, Activity, Authentication, Change, Command, Finding, Gap, Scan, System};
        use Severity::{Critical, High, Informational, Low, Medium};
        let check = |kind, outcome, detail: &[(&'static str, &str)], wanted| {
            assert_eq!(Severity::of(&record(kind, outcome, detail)), wanted, "{kind} {outcome} {detail:?}");
        };
        check(Authentication, "success", &[], Informational);
        check(Authentication, "failure", &[("reason", "no such user")], Low);
        check(Authentication, "failure", &[("reason", "The account is locked for user: u.")], Medium);
        check(Change, "success", &[("verb", "grant"), ("role_name", "Admin")], High);
        check(Change, "failure", &[("verb", "grant"), ("role_name", "admin")], Low);
        check(Change, "success", &[("verb", "grant"), ("role_name", "member")], Medium);
        check(Change, "success", &[("verb", "revoke"), ("role_name", "admin")], Informational);
        check(Change, "success", &[("verb", "create")], Informational);
        check(Change, "failure", &[("verb", "create")], Low);
        check(Access, "success", &[("status", "200")], Informational);
        check(Access, "failure", &[("status", "403")], Low);
        check(Access, "failure", &[("status", "404")], Informational);
        check(Activity, "success", &[], Informational);
        check(Scan, "success", &[("as_predicted", "tcp 22")], Informational);
        check(Scan, "success", &[("open_though_not_exposed", "tcp 22")], Medium);
        check(Scan, "failure", &[], Low);
        check(Command, "failure", &[("why", "ipv6")], Low);
        check(Finding, "unknown", &[("state", "open"), ("severity", "critical")], Critical);
        check(Finding, "unknown", &[("state", "confirmed"), ("severity", "info")], Informational);
        check(Finding, "success", &[("state", "open"), ("severity", "critical")], Informational);
        check(Finding, "failure", &[("unkept", "7")], High);
        check(Gap, "unknown", &[], High);
        check(System, "unknown", &[("log", "key")], Medium);
        check(System, "unknown", &[("retention", "budget"), ("state", "exhausted")], High);
        check(System, "unknown", &[("retention", "budget"), ("state", "within")], Informational);
        check(System, "failure", &[], Medium);
        check(System, "unknown", &[], Informational);
    }

    #[test]
    fn of_what_is_not_kept_any_more_only_that_it_happened_is_known() {
        let mut erased = record(RecordKind::Finding, "unknown", &[("severity", "critical")]);
        erased.missing.push(PartClass::Body);
        assert_eq!(Severity::of(&erased), Severity::Informational);
        let mut conflicting = record(RecordKind::Activity, "success", &[]);
        conflicting.body.conflicting = true;
        assert_eq!(Severity::of(&conflicting), Severity::Medium);
    }
}
