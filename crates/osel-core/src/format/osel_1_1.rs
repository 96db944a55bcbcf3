//! The form that the first OSEL (1.1, 2018) logged, for people who have dashboards on it.
//!
//! One object per address whose exposure a record changed, with the keys and words of then. Changes that the first OSEL did not
//! know (of ports, floating IPs, whole groups, drift) have change types made the same way. A record that neither opened nor closed
//! anything, such as a denied attempt, has no object. Nothing here is hashed: it is rendered anew from record and message.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::fit::RAW_BYTES_MAX;
use crate::engine::record::Record;
use crate::scan::{ScanEnd, ScanLife, ScanTarget};

/// What stands under `source_type`.
pub const SOURCE_TYPE: &str = "osel1.1";
/// What the first OSEL said of an address that no Qualys scan included.
pub const NOT_SCANNED: &str = "Not scanned by Qualys";
/// The type of scanner that the first OSEL had.
const QUALYS: &str = "qualys";

/// What became of an address at Qualys after a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Osel11Scan {
    /// It is part of a scan, by this reference of Qualys.
    Launched(String),
    /// It is part of none: why.
    Failed(String),
}

impl Osel11Scan {
    /// Of a target of a command; none where it is not known yet, or the scanner is another.
    pub fn of(life: &ScanLife, target: &ScanTarget) -> Option<Self> {
        if &*life.command.kind != QUALYS {
            return None;
        }
        if let Some(left) = life.left_out.iter().find(|left| left.address == target.address) {
            return Some(Self::Failed(left.why.clone()));
        }
        if let Some(reference) = &life.reference {
            return Some(Self::Launched(reference.clone()));
        }
        Some(Self::Failed(match &life.outcome.as_ref()?.end {
            ScanEnd::Failed(why) => why.clone(),
            ScanEnd::Cancelled => "the scan was called off before Qualys had it".to_owned(),
            ScanEnd::Expired => "Qualys did not take the scan in time".to_owned(),
            ScanEnd::Finished => return None,
        }))
    }
}

/// One address and the change that affected it. The keys and their order are the first OSEL's.
#[derive(Clone, Debug, Serialize)]
pub struct Osel11Line {
    /// The address, as rows have it; a CIDR for an allowed address pair that is wider.
    pub affected_ip_address: String,
    /// `sg_rule_add`, `sg_rule_del`, `port_create`, …
    pub change_type: String,
    /// Qualys' reference of the scan that followed; empty where none included the address.
    pub qualys_scan_id: String,
    /// Why there is no scan; empty where there is one.
    pub qualys_scan_error: Cow<'static, str>,
    /// The rule exactly as Neutron sent it; null where the event is not about one rule, it is longer than a line, or the message is gone. Where Neutron sent the
    /// id only (deletions of old releases), an object with the `id`.
    pub security_group_rule: Option<Box<RawValue>>,
    /// Always [`SOURCE_TYPE`].
    pub source_type: &'static str,
    /// The host that published the message (`HOST` of the publisher `network.HOST`), else the source's name. The first OSEL wrote its
    /// own host's name, which a trail that is read elsewhere does not know.
    pub source_message_bus: String,
}

/// What is read of a notification.
#[derive(Default, Deserialize)]
struct Notification<'a> {
    #[serde(borrow, default)]
    publisher_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Payload<'a> {
    #[serde(borrow, default)]
    security_group_rule: Option<&'a RawValue>,
    #[serde(borrow, default)]
    security_group_rules: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    security_group_rule_id: Option<&'a RawValue>,
}

/// The objects of a record; `message` is its payload part: the notification, if it is still there, and `scans` what became of its addresses
/// at Qualys.
pub fn osel_1_1(
    record: &Record,
    message: Option<&[u8]>,
    scans: &BTreeMap<IpAddr, Osel11Scan>,
) -> Vec<Osel11Line> {
    let addresses: BTreeSet<String> = record.rows_at_hand().map(|judged| judged.row.address_text()).collect();
    if addresses.is_empty() {
        return Vec::new();
    }
    let notification: Notification<'_> =
        message.and_then(|text| serde_json::from_slice(text).ok()).unwrap_or_default();
    let rule = rule(&notification);
    let host = notification.publisher_id.as_deref().and_then(host);
    let bus = host.or(record.body.source.as_deref()).unwrap_or_default();
    let change_type = change_type(record);
    let line = |address: String| {
        // A prefix is no address, and was not scanned.
        let scan = address.parse().ok().and_then(|address| scans.get(&address));
        let (id, error) = match scan {
            Some(Osel11Scan::Launched(reference)) => (reference.clone(), "".into()),
            Some(Osel11Scan::Failed(why)) => (String::new(), why.clone().into()),
            None => (String::new(), NOT_SCANNED.into()),
        };
        Osel11Line {
            affected_ip_address: address,
            change_type: change_type.clone(),
            qualys_scan_id: id,
            qualys_scan_error: error,
            security_group_rule: rule.clone(),
            source_type: SOURCE_TYPE,
            source_message_bus: bus.to_owned(),
        }
    };
    addresses.into_iter().map(line).collect()
}

/// The first OSEL's words, and those that it would have had for other event types; `drift` where the API showed the change.
fn change_type(record: &Record) -> String {
    let Some(event_type) = record.body.event_type.as_deref() else {
        return record.header.kind.as_str().to_owned();
    };
    let event_type = event_type.strip_suffix(".end").unwrap_or(event_type);
    match event_type {
        "security_group_rule.create" => return "sg_rule_add".to_owned(),
        "security_group_rule.delete" => return "sg_rule_del".to_owned(),
        _ => {}
    }
    let words = event_type.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    match words.strip_prefix("security_group") {
        Some(rest) => format!("sg{rest}"),
        None => words,
    }
}

fn host(publisher: &str) -> Option<&str> {
    // `network.HOST` of most services, `nova-compute:HOST` of Nova's versioned notifications; hosts may have dots.
    publisher.split_once(['.', ':']).map(|(_, host)| host).filter(|host| !host.is_empty())
}

fn rule(notification: &Notification<'_>) -> Option<Box<RawValue>> {
    // A payload that is no object is about no rule.
    let payload: Payload<'_> = serde_json::from_str(notification.payload?.get()).ok()?;
    let text = match (payload.security_group_rule, payload.security_group_rules.as_deref()) {
        (Some(rule), _) | (None, Some(&[rule])) => rule.get().to_owned(),
        _ => format!("{{\"id\":{}}}", payload.security_group_rule_id?.get()),
    };
    // Neutron's rules have a description of 255 characters at most: what is as long as this is none of Neutron's.
    if text.len() > RAW_BYTES_MAX {
        return None;
    }
    // Line breaks stand between tokens only, and an object has one line.
    RawValue::from_string(text.replace(['\n', '\r'], " ")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::record::{BodyPart, PersonalPart};
    use crate::exposure::JudgedRow;
    use crate::ids::Id;
    use crate::model::{Permission, Row, Source, Via};
    use crate::time::Timestamp;
    use crate::trail::{Hash, Header, RecordKind};

    fn row(address: &str) -> JudgedRow {
        let address = address.parse().expect("a prefix");
        let permission = Permission::new(false, Some("tcp"), Some(22), Some(22), Source::family(false));
        let row = Row {
            address,
            via: Via::Fixed,
            fixed_ip: Some(address),
            port_id: Id::new("p"),
            device_id: None,
            device_owner: None,
            project_id: None,
            network_id: None,
            region: None,
            permission,
            security_group_id: None,
            rule_id: None,
        };
        JudgedRow { row, redundant: false, covered_before: false }
    }

    fn record(event_type: Option<&str>, opened: &[&str], closed: &[&str]) -> Record {
        Record {
            header: Header {
                seq: 1,
                previous: Hash::ZERO,
                time: Timestamp::EPOCH,
                recorded_at: Timestamp::EPOCH,
                as_of: Timestamp::EPOCH,
                kind: if event_type.is_some() { RecordKind::Change } else { RecordKind::Drift },
            },
            hash: Hash::ZERO,
            body: BodyPart {
                event_type: event_type.map(Into::into),
                source: Some("region-one".into()),
                ..BodyPart::default()
            },
            personal: PersonalPart::default(),
            opened: opened.iter().map(|address| row(address)).collect(),
            closed: closed.iter().map(|address| row(address)).collect(),
            missing: Vec::new(),
            wide: Vec::new(),
        }
    }

    fn lines(record: &Record, message: &str) -> Vec<String> {
        let lines = osel_1_1(record, Some(message.as_bytes()), &BTreeMap::new());
        lines.iter().map(|line| serde_json::to_string(line).expect("string keys only")).collect()
    }

    #[test]
    fn a_line_is_what_the_first_osel_logged() {
        let rule = r#"{"remote_group_id": null,"protocol":1e2,"z":[ 1 ],"id":"r"}"#;
        let message = format!(
            r#"{{"publisher_id":"network.ctl-1.example","payload":{{"security_group_rule":{rule}}},"x":1}}"#
        );
        let record = record(
            Some("security_group_rule.create.end"),
            &["192.0.2.2/32", "192.0.2.1/32"],
            &["192.0.2.1/32"],
        );
        let line = |address: &str| {
            format!(
                r#"{{"affected_ip_address":"{address}","change_type":"sg_rule_add","qualys_scan_id":"","qualys_scan_error":"Not scanned by Qualys","security_group_rule":{rule},"source_type":"osel1.1","source_message_bus":"ctl-1.example"}}"#
            )
        };
        assert_eq!(lines(&record, &message), [line("192.0.2.1"), line("192.0.2.2")]);
    }

    #[test]
    fn an_address_has_the_scan_that_it_is_part_of() {
        let record = record(
            Some("security_group_rule.create.end"),
            &["192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32", "192.0.2.0/24"],
            &[],
        );
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let scans = BTreeMap::from([
            (address("192.0.2.1"), Osel11Scan::Launched("scan/1486045714.48615".to_owned())),
            (address("192.0.2.2"), Osel11Scan::Failed("not in the subscription".to_owned())),
            (address("192.0.2.9"), Osel11Scan::Launched("scan/1".to_owned())),
        ]);
        let lines = osel_1_1(&record, None, &scans);
        let lines: Vec<_> = lines
            .iter()
            .map(|line| (&*line.affected_ip_address, &*line.qualys_scan_id, &*line.qualys_scan_error))
            .collect();
        assert_eq!(
            lines,
            [
                ("192.0.2.0/24", "", NOT_SCANNED),
                ("192.0.2.1", "scan/1486045714.48615", ""),
                ("192.0.2.2", "", "not in the subscription"),
                ("192.0.2.3", "", NOT_SCANNED),
            ]
        );
    }

    #[test]
    fn what_became_of_an_address_follows_from_the_life_of_its_command() {
        use crate::scan::{LeftOut, ScanCommand, ScanOutcome, ScanReason, ScanState};

        let target = ScanTarget {
            address: "192.0.2.1".parse().expect("an address"),
            network_id: None,
            project_id: None,
            expected: BTreeMap::new(),
            partial: false,
            causes: vec![1],
        };
        let command = |kind: &str| ScanCommand {
            id: Id::new("scan-2"),
            seq: 2,
            scanner: "perimeter".into(),
            kind: kind.into(),
            region: None,
            targets: vec![target.clone()],
            reason: ScanReason::Change,
            planned_at: Timestamp::EPOCH,
            expires_at: Timestamp::MAX,
        };
        let planned = ScanLife::planned(command("qualys"));
        let of = |life: &ScanLife| Osel11Scan::of(life, &target);
        assert_eq!(of(&planned), None);
        let launched =
            ScanLife { reference: Some("scan/1".to_owned()), state: ScanState::Launched, ..planned.clone() };
        assert_eq!(of(&launched), Some(Osel11Scan::Launched("scan/1".to_owned())));
        let why = "not in the subscription".to_owned();
        let left = LeftOut { address: target.address, why: why.clone() };
        assert_eq!(of(&ScanLife { left_out: vec![left], ..launched }), Some(Osel11Scan::Failed(why)));
        for (end, words) in [
            (ScanEnd::Failed("CODE 1905".to_owned()), "CODE 1905"),
            (ScanEnd::Cancelled, "the scan was called off before Qualys had it"),
            (ScanEnd::Expired, "Qualys did not take the scan in time"),
        ] {
            let outcome = ScanOutcome { scanner: "qualys".to_owned(), end, hosts: Vec::new() };
            let ended = ScanLife { outcome: Some(outcome), ..planned.clone() };
            assert_eq!(of(&ended), Some(Osel11Scan::Failed(words.to_owned())));
        }
        let other = ScanLife { reference: Some("1".to_owned()), ..ScanLife::planned(command("nmap")) };
        assert_eq!(of(&other), None);
    }

    #[test]
    fn change_types_are_made_of_event_types() {
        for (event_type, wanted) in [
            ("security_group_rule.create.end", "sg_rule_add"),
            ("security_group_rule.delete.end", "sg_rule_del"),
            ("security_group.delete.end", "sg_delete"),
            ("security_group.update.end", "sg_update"),
            ("port.create.end", "port_create"),
            ("port.update.end", "port_update"),
            ("port.delete.end", "port_delete"),
            ("floatingip.update.end", "floatingip_update"),
            ("port_forwarding.create.end", "port_forwarding_create"),
            ("address_group.update.end", "address_group_update"),
            ("router.interface.create", "router_interface_create"),
            ("network.delete.end", "network_delete"),
        ] {
            assert_eq!(change_type(&record(Some(event_type), &[], &[])), wanted);
        }
        assert_eq!(change_type(&record(None, &[], &[])), "drift");
    }

    #[test]
    fn the_rule_is_there_where_the_event_is_about_one() {
        let record = record(Some("security_group_rule.delete.end"), &[], &["192.0.2.0/24"]);
        let rule = |payload: &str| {
            let message = format!(r#"{{"payload":{payload}}}"#);
            let lines = osel_1_1(&record, Some(message.as_bytes()), &BTreeMap::new());
            let [line] = &lines[..] else { panic!("one address: {lines:?}") };
            assert_eq!(
                (&*line.affected_ip_address, &*line.source_message_bus),
                ("192.0.2.0/24", "region-one")
            );
            line.security_group_rule.as_ref().map(|rule| rule.get().to_owned())
        };
        let one = Some(r#"{"id":"r"}"#.to_owned());
        assert_eq!(rule(r#"{"security_group_rule_id":"r","security_group_rule":{"id":"r"}}"#), one);
        assert_eq!(rule(r#"{"security_group_rules":[{"id":"r"}]}"#), one);
        assert_eq!(rule(r#"{"security_group_rule_id":"r"}"#), one);
        assert_eq!(rule(r#"{"security_group_rules":[{"id":"r"},{"id":"s"}]}"#), None);
        assert_eq!(rule(r#"{"port":{"id":"p"}}"#), None);
        assert_eq!(rule("\"a text\""), None);
        assert_eq!(rule("{\"security_group_rule\":{\n\"id\":\r\n1}}"), Some("{ \"id\":  1}".to_owned()));
    }

    #[test]
    fn a_record_without_rows_has_no_line_and_an_erased_message_no_rule() {
        assert!(lines(&record(Some("port.create.end"), &[], &[]), "{}").is_empty());
        for message in [None, Some(&b"\xff not JSON"[..])] {
            let record = record(Some("security_group_rule.create.end"), &["::1/128"], &[]);
            let lines = osel_1_1(&record, message, &BTreeMap::new());
            assert_eq!(lines.len(), 1);
            assert!(lines[0].security_group_rule.is_none());
            assert_eq!(lines[0].affected_ip_address, "::1");
            assert_eq!(lines[0].source_message_bus, "region-one");
        }
    }
}
