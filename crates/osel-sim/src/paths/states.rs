//! One cloud in several states, one after the other, and questions about each: for whoever keeps states and answers from them later.

use serde_json::{Value, json};

use super::cloud::{Slot, slots};
use super::run::Matter;
use crate::random::Random;

/// How many in a hundred objects are another version in the next state.
const CHANGED_PERCENT: u64 = 40;
/// How many in a hundred objects of a state are not there.
const MISSING_PERCENT: u64 = 6;

/// A cloud that goes from state to state by chance.
#[derive(Debug)]
pub struct States {
    random: Random,
    revision: u64,
    objects: Vec<(Slot, Option<Value>)>,
}

impl States {
    /// A cloud without any state yet.
    pub fn new(seed: u64) -> Self {
        let objects = slots().into_iter().map(|slot| (slot, None)).collect();
        Self { random: Random::new(seed), revision: 0, objects }
    }

    /// The next state: all objects that are there, by collection.
    pub fn next_state(&mut self) -> Value {
        self.revision += 1;
        let mut state = json!({});
        for (slot, object) in &mut self.objects {
            if self.random.percent(MISSING_PERCENT) {
                *object = None;
            } else if object.is_none() || self.random.percent(CHANGED_PERCENT) {
                *object = Some(slot.version(self.revision, &mut self.random));
            }
            if state[slot.collection].is_null() {
                state[slot.collection] = json!([]);
            }
            if let (Some(object), Some(list)) = (object, state[slot.collection].as_array_mut()) {
                list.push(object.clone());
            }
        }
        state
    }

    /// So many questions about a state, as `osel reach --batch` takes them.
    pub fn questions(&mut self, state: &Value, count: usize) -> Vec<Value> {
        let matter = Matter::of(state);
        (0..count).map(|_| matter.question(&mut self.random)).collect()
    }
}
