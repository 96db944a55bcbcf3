//! The classes of retention as `osel store retention` shows them: two lines each, what there is of their kinds and what of it would go.
//!
//! Nobody counts records by their kind, so that all are looked at where there is a class.

use std::ops::ControlFlow;

use osel_core::engine::Retention;
use osel_core::time::Timestamp;
use osel_core::trail::{PartClass, RecordKind};

use super::{Goes, Line};
use crate::config::RetentionClass;
use crate::runtime::retention::Decision;
use crate::runtime::retention::policy::Kept;
use crate::store::Reader;

/// How many records there are that a limit has not passed, and of when the first is.
type Found = (u64, Option<Timestamp>);

/// A line for all parts and one for the personal parts of each class.
pub(super) fn lines(
    reader: &mut dyn Reader,
    kept: &Kept,
    decision: &Decision,
    classes: &[RetentionClass],
) -> anyhow::Result<Vec<Line>> {
    // Of several classes that have a kind the first counts.
    let of_kind = |kind| classes.iter().position(|class| class.kinds.contains(&kind));
    const SHOWN: [(&str, PartClass); 2] = [("records", PartClass::Body), ("personal", PartClass::Personal)];
    let mut found: Vec<[Found; 2]> = vec![[(0, None); 2]; classes.len()];
    if !classes.is_empty() {
        reader.records(1..=kept.head.seq, &mut |record| {
            let place = RecordKind::from_code(record.kind).and_then(of_kind);
            if let Some(found) = place.and_then(|place| found.get_mut(place)) {
                for ((_, class), (count, oldest)) in SHOWN.iter().zip(found) {
                    if record.seq > kept.expiry.limit(class.code(), record.kind) {
                        *count += 1;
                        oldest.get_or_insert(record.as_of);
                    }
                }
            }
            ControlFlow::Continue(())
        })?;
    }
    let mut lines = Vec::new();
    for (place, (class, found)) in classes.iter().zip(found).enumerate() {
        let is_its_own = |kind: &str| RecordKind::from_word(kind).and_then(of_kind) == Some(place);
        for ((shown, part), (count, oldest)) in SHOWN.iter().zip(found) {
            let up_to = decision.told.iter().filter_map(|told| match told {
                Retention::Parts { classes, kinds, seq, .. } if classes.contains(part.as_str()) => {
                    kinds.iter().any(|kind| is_its_own(kind)).then_some(*seq)
                }
                _ => None,
            });
            lines.push(Line {
                kind: format!("{shown} of {}", class.name),
                count: Some(count),
                bytes: None,
                oldest: oldest.map(|time| time.to_string()),
                goes: up_to.max().map(|up_to| Goes { up_to: Some(up_to), before: None }),
            });
        }
    }
    Ok(lines)
}
