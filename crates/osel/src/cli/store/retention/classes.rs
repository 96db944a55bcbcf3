//! The parts of records as `osel store retention` shows them: two lines for all records, and two for each class of retention.
//!
//! Nobody counts records by their kind, so that all are looked at where kinds have limits of their own.

use std::ops::ControlFlow;

use osel_core::engine::Retention;
use osel_core::time::Timestamp;
use osel_core::trail::{PartClass, RecordKind};

use super::{Goes, Line};
use crate::config::RetentionClass;
use crate::runtime::retention::Decision;
use crate::runtime::retention::policy::Kept;
use crate::store::{JournalError, Reader};

/// All parts, by the class that goes with all others, and the personal ones.
const SHOWN: [(&str, PartClass); 2] = [("records", PartClass::Body), ("personal", PartClass::Personal)];

/// How many records there are that a limit has not passed, and of when the first is.
type Found = (u64, Option<Timestamp>);

/// What was found of [`SHOWN`]: of all records, and of each class.
#[derive(Debug)]
struct Counted {
    all: [Found; 2],
    classes: Vec<[Found; 2]>,
}

/// A line for all parts and one for the personal parts: of all records, where what goes is that of the kinds that no class has, and of each class.
pub(super) fn lines(
    reader: &mut dyn Reader,
    kept: &Kept,
    decision: &Decision,
    classes: &[RetentionClass],
) -> anyhow::Result<Vec<Line>> {
    let counted = count(reader, kept, classes)?;
    let mut lines = Vec::new();
    let mut add = |name: Option<&str>, found: [Found; 2], place: Option<usize>| {
        for ((shown, part), (count, oldest)) in SHOWN.iter().zip(found) {
            lines.push(Line {
                kind: name.map_or((*shown).to_owned(), |name| format!("{shown} of {name}")),
                count: Some(count),
                bytes: (name.is_none() && *part == PartClass::Body).then_some(kept.holdings.part_bytes),
                oldest: oldest.map(|time| time.to_string()),
                goes: goes(decision, *part, |kind| class_of(classes, kind) == place),
            });
        }
    };
    add(None, counted.all, None);
    for (place, (class, found)) in classes.iter().zip(counted.classes).enumerate() {
        add(Some(&class.name), found, Some(place));
    }
    Ok(lines)
}

/// The class that a kind is in: of several the first counts.
fn class_of(classes: &[RetentionClass], kind: RecordKind) -> Option<usize> {
    classes.iter().position(|class| class.kinds.contains(&kind))
}

/// Up to which record a part goes from records of any of these kinds.
fn goes(decision: &Decision, part: PartClass, is_meant: impl Fn(RecordKind) -> bool) -> Option<Goes> {
    let up_to = decision.told.iter().filter_map(|told| match told {
        Retention::Parts { classes, kinds, seq, .. } if classes.contains(part.as_str()) => {
            let mut goes =
                RecordKind::ALL.into_iter().filter(|kind| kinds.is_empty() || kinds.contains(kind.as_str()));
            goes.any(&is_meant).then_some(*seq)
        }
        _ => None,
    });
    up_to.max().map(|up_to| Goes { up_to: Some(up_to), before: None })
}

fn count(reader: &mut dyn Reader, kept: &Kept, classes: &[RetentionClass]) -> Result<Counted, JournalError> {
    let mut counted = Counted { all: [(0, None); 2], classes: vec![[(0, None); 2]; classes.len()] };
    if classes.is_empty() && kept.expiry.kinds.is_empty() {
        for ((_, class), found) in SHOWN.iter().zip(&mut counted.all) {
            let gone = kept.expiry.parts.get(&class.code()).copied().unwrap_or(0).min(kept.head.seq);
            *found = (kept.head.seq - gone, reader.record(gone + 1)?.map(|record| record.as_of));
        }
        return Ok(counted);
    }
    reader.records(1..=kept.head.seq, &mut |record| {
        let place = RecordKind::from_code(record.kind).and_then(|kind| class_of(classes, kind));
        let mut of_class = place.and_then(|place| counted.classes.get_mut(place));
        for (index, (_, class)) in SHOWN.iter().enumerate() {
            if record.seq <= kept.expiry.limit(class.code(), record.kind) {
                continue;
            }
            let of_class = of_class.as_deref_mut().map(|found| &mut found[index]);
            for (count, oldest) in std::iter::once(&mut counted.all[index]).chain(of_class) {
                *count += 1;
                oldest.get_or_insert(record.as_of);
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(counted)
}
