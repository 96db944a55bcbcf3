//! Role assignments: after the last read they are those of the cloud, and where the bus told everything nothing was told as drift.

use std::collections::BTreeSet;

use osel_core::decode::read_assignment;
use osel_core::engine::record::RecordBody;
use osel_core::event::Assignment;
use osel_core::trail::RecordKind;

use super::failure::{Failure, ensure};
use super::machine::{Machine, Stored};
use super::plan::Plan;
use super::world::World;

/// The name of the check.
const CHECK: &str = "role assignments";

/// Fails when somebody is said to have a role that they do not have, or the other way round. Of the last minute the bus keeps its word,
/// so that what it lost then is not known before the next read.
pub(super) fn are_right(machine: &Machine, world: &World, plan: &Plan) -> Result<(), Failure> {
    if !plan.loses_nothing() {
        return Ok(());
    }
    let listed = world.last.state[Assignment::PLURAL].as_array().into_iter().flatten();
    let read = |one: &serde_json::Value| read_assignment(one.to_string().as_bytes());
    let wanted: BTreeSet<Assignment> =
        listed.map(read).collect::<Result<_, _>>().map_err(|error| Failure::new(CHECK, error))?;
    let lines = machine.engine().assignments().values().flat_map(|book| book.lines());
    let given = lines.filter(|line| line.words.last().is_some_and(|word| word.given));
    let found: BTreeSet<Assignment> = given.map(|line| line.assignment).collect();
    ensure(found == wanted, CHECK, || {
        format!(
            "not known: {:?}; not there: {:?}",
            wanted.difference(&found).collect::<Vec<_>>(),
            found.difference(&wanted).collect::<Vec<_>>()
        )
    })
}

/// Fails when a read is said to have found what the bus had told in time. What was sent before the read and came after its end was not.
pub(super) fn are_no_news(records: &[Stored], plan: &Plan) -> Result<(), Failure> {
    if !plan.tells_everything() || !plan.keeps_order() || plan.hold_back_percent > 0 || plan.away_seconds > 0
    {
        return Ok(());
    }
    let came_late = |place: usize, drift: &RecordBody| {
        records[place..].iter().map(|record| &record.body).any(|told| {
            let given = drift.detail.get("difference").is_some_and(|word| word == "created");
            let word = if given { "created" } else { "deleted" };
            told.event_type.as_deref().and_then(|name| name.strip_prefix("identity.role_assignment."))
                == Some(word)
                && told.time <= drift.time
                && ["role", "user", "user_group", "on_project", "on_domain"]
                    .iter()
                    .all(|key| told.detail.get(*key) == drift.detail.get(*key))
        })
    };
    let drift = records.iter().map(|record| &record.body).enumerate().find(|(place, body)| {
        body.kind == RecordKind::Drift && body.detail.contains_key("role") && !came_late(*place, body)
    });
    ensure(drift.is_none(), CHECK, || format!("told in time: {:?}", drift.map(|(_, body)| body)))
}
