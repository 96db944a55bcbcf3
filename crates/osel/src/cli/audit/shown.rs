//! What of a record may be shown to some projects, and what is another tenant's or an operator's.
//!
//! A part belongs to one project, or to none, which means to operators only: the record itself says so, and so does whoever checks it. Who
//! did something is another matter. A body tells to whom something was done and by whose id; names, addresses and the message itself point
//! to the person who did it, and are shown only to the project of that person. What somebody has ordered of osel about a finding or a scan stands
//! in a body with the name of who did, and is shown to nobody else's project.

use osel_core::trail::{PartClass, RecordKind};

use super::read::record;
use crate::store::{PartContent, StoredRecord};

/// Takes the parts out of a record that are not shown to these projects, and says how many there were.
pub(super) fn withhold(stored: &mut StoredRecord, projects: &[String]) -> u64 {
    let is_one = |id: &str| projects.iter().any(|project| project == id);
    // Where it is not known who acted, it was nobody of theirs.
    let actor = record(stored).and_then(|record| record.body.project_id);
    let is_actors = |project: &str| actor.as_ref().is_some_and(|id| id.with_text(|text| text == project));
    // An order is the only thing about these that a person is behind.
    let is_order = [RecordKind::Finding, RecordKind::Command].map(RecordKind::code).contains(&stored.kind)
        && stored.parts.iter().any(|part| part.class == PartClass::Personal.code());
    let mut withheld = 0;
    for part in &mut stored.parts {
        let points_to_actor =
            [PartClass::Personal, PartClass::Payload].map(PartClass::code).contains(&part.class)
                || is_order && part.class == PartClass::Body.code();
        // Several projects together are shown what each of them is, and no more.
        let is_theirs = |project: &str| is_one(project) && (!points_to_actor || is_actors(project));
        if part.project.as_deref().is_some_and(is_theirs) || part.content == PartContent::Gone {
            continue;
        }
        part.content = PartContent::Gone;
        withheld += 1;
    }
    withheld
}
