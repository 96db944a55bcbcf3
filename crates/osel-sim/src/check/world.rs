//! A cloud lives by a plan: what it sent, what the API said on the way, and what is true in the end.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::plan::Plan;
use crate::cloud::{Cloud, Message};

/// The API's answer at one moment.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    pub(super) state: Value,
    /// The microsecond after the last thing that it shows.
    pub(super) taken_at: i64,
}

/// A cloud's life.
#[derive(Clone, Debug)]
pub(super) struct World {
    /// Before the first message.
    pub(super) first: Option<Snapshot>,
    /// Somewhere on the way.
    pub(super) middle: Option<Snapshot>,
    /// In the end.
    pub(super) last: Snapshot,
    /// How it was after each step, where somebody asks for single objects.
    pub(super) moments: Arc<Vec<Snapshot>>,
    pub(super) sent: Vec<Message>,
    /// Security groups that the bus never announces, as far as nobody read the API before.
    pub(super) silent_groups: BTreeSet<String>,
}

impl World {
    /// Lets the cloud live.
    pub(super) fn live(plan: &Plan) -> Self {
        let mut cloud = Cloud::new(plan.cloud.clone());
        let first = plan.starts_with_inventory.then(|| snapshot(&cloud));
        if first.is_some() {
            cloud.drain();
        }
        let (mut middle, mut moments) = (None, Vec::new());
        for step in 0..plan.steps {
            if plan.read_after == Some(step) {
                middle = Some(snapshot(&cloud));
            }
            cloud.step();
            if plan.looks {
                moments.push(snapshot(&cloud));
            }
        }
        cloud.settle();
        let last = snapshot(&cloud);
        if plan.looks {
            moments.push(last.clone());
        }
        let known = first.as_ref().map(|first| defaults(&first.state)).unwrap_or_default();
        let silent_groups = defaults(&last.state).difference(&known).cloned().collect();
        Self { first, middle, last, moments: Arc::new(moments), sent: cloud.drain(), silent_groups }
    }
}

fn snapshot(cloud: &Cloud) -> Snapshot {
    Snapshot { state: cloud.state(), taken_at: cloud.now() + 1 }
}

/// The default groups of a state: no default group is ever deleted.
fn defaults(state: &Value) -> BTreeSet<String> {
    let groups = state["security_groups"].as_array().into_iter().flatten();
    let defaults = groups.filter(|group| group["name"] == "default");
    defaults.filter_map(|group| group["id"].as_str().map(str::to_owned)).collect()
}
