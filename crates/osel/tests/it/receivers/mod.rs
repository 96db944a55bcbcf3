//! Receivers of records as they are in the world: rsyslog and syslog-ng with the configurations that our pages show, and a disk that is full.

mod disk;
mod servers;
mod syslog;
mod trust;

use osel::forward::receiver::{Batch, Item};
use osel_core::format::Severity;
use osel_core::forward::BatchNumber;
use osel_core::time::Timestamp;
use osel_core::trail::RecordKind;

/// A record with this text.
pub(crate) fn item(seq: u64, line: String) -> Item {
    let time = Timestamp::parse("2026-11-26T10:19:07.123456Z").unwrap();
    Item {
        seq,
        id: id(seq),
        time,
        recorded_at: time,
        kind: RecordKind::Change,
        severity: Severity::ALL[seq as usize % Severity::ALL.len()],
        event_type: Some("security_group_rule.create.end".to_owned()),
        line: line.into_bytes(),
    }
}

/// What names a record.
pub(crate) fn id(seq: u64) -> String {
    format!("{:032x}-{seq}", 0x05e1)
}

/// A batch of them.
pub(crate) fn batch(number: u64, items: &[Item]) -> Batch {
    Batch { number: BatchNumber(number), is_fetched: false, items: items.to_vec() }
}
