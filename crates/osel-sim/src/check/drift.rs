//! What a read changed, against the records of drift: each object that differs has one, and none is of an object that does not.

use std::collections::{BTreeMap, BTreeSet};

use osel_core::event::Kind;
use osel_core::ids::Id;
use osel_core::model::{Words, words};
use osel_core::trail::RecordKind;
use serde_json::Value;

use super::failure::{Failure, ensure, same};
use super::machine::{Machine, Stored};

/// The objects of a machine in the API's words.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<(Kind, Id), Words>);

impl Known {
    pub(super) fn of(machine: &Machine) -> Self {
        let lines = machine.cloud().into_iter().flat_map(|cloud| cloud.lines());
        let objects = lines.filter_map(|line| {
            let (kind, id) = line.subject()?;
            Some(((kind, id.clone()), words(&line)))
        });
        Self(objects.collect())
    }

    /// Fails when the records do not tell what differs from how it was. A region that was never read as a whole may have objects that
    /// nobody had heard of: they are told together.
    pub(super) fn is_told(
        &self,
        machine: &Machine,
        records: &[Stored],
        is_informed: bool,
    ) -> Result<usize, Failure> {
        const CHECK: &str = "drift is told object by object";
        let after = Self::of(machine);
        let keys: BTreeSet<&(Kind, Id)> = self.0.keys().chain(after.0.keys()).collect();
        let differing = keys.into_iter().filter(|key| self.0.get(*key) != after.0.get(*key));
        let is_wanted = |key: &&(Kind, Id)| is_informed || self.0.contains_key(*key);
        let mut wanted: BTreeSet<(Kind, Id)> = differing.filter(is_wanted).cloned().collect();
        let count = wanted.len();
        for record in records.iter().filter(|record| record.body.kind == RecordKind::Drift) {
            let Some(target) =
                record.body.target.as_ref().filter(|_| !record.body.detail.contains_key("role"))
            else {
                // Of a role assignment, or of many objects.
                continue;
            };
            let key = Kind::from_singular(&target.kind).zip(target.id.clone());
            let Some(key) = key else { return Err(Failure::new(CHECK, format!("{target:?}"))) };
            let exposure = &record.body.exposure;
            let has_effect =
                !(exposure.opened.is_empty() && exposure.closed.is_empty() && exposure.members.is_empty());
            ensure(wanted.remove(&key) || has_effect, CHECK, || format!("no difference: {:?}", record.body))?;
            for (side, known) in [("was", self), ("is", &after)] {
                known.has(&key, record.body.detail.get(side).map_or("{}", String::as_str))?;
            }
        }
        ensure(wanted.is_empty(), CHECK, || {
            let sides = |key: &(Kind, Id)| {
                format!("not told: {key:?}: {:?}, now {:?}", self.0.get(key), after.0.get(key))
            };
            wanted.iter().map(sides).collect::<Vec<_>>().join("; ")
        })?;
        Ok(count)
    }

    /// Fails when an object does not have the fields that a record says.
    fn has(&self, key: &(Kind, Id), told: &str) -> Result<(), Failure> {
        const CHECK: &str = "drift tells the fields";
        let told: Words = serde_json::from_str(told).map_err(|error| Failure::new(CHECK, error))?;
        let nothing = Words::new();
        let known = self.0.get(key).unwrap_or(&nothing);
        for (name, value) in &told {
            let is_empty =
                matches!(value, Value::Null | Value::Bool(false)) || *value == Value::Array(Vec::new());
            let is_right = known.get(name).map_or(is_empty, |known| known == value);
            ensure(is_right, CHECK, || {
                format!("{key:?}: {name} told as {value}, known as {:?}", known.get(name))
            })?;
        }
        Ok(())
    }

    /// Fails when these are not the objects of the API's answer.
    pub(super) fn are_of(&self, check: &'static str, state: &Value) -> Result<(), Failure> {
        for kind in Kind::ALL {
            let Some(list) = state[kind.plural()].as_array() else { continue };
            let mut shown: Vec<Value> = list.iter().map(|object| object["id"].clone()).collect();
            shown.sort_by_key(|id| id.as_str().map(str::to_owned));
            let known = self.0.keys().filter(|(of, _)| *of == kind);
            let mut known: Vec<Value> = known.map(|(_, id)| id.to_string().into()).collect();
            known.sort_by_key(|id| id.as_str().map(str::to_owned));
            same(check, known, shown)?;
        }
        Ok(())
    }
}
