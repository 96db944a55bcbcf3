//! What is under way when the policy comes to forbid an address of it.
//!
//! The whole command is called off, however far it has come: no scanner can be told to leave one address of a running scan alone. What else
//! was in it is wished for anew at once, with the records that asked for it, and is scanned as soon as the first command is over.

use std::sync::Arc;

use super::wish::Unscanned;
use crate::engine::{Engine, Output};
use crate::event::Actor;
use crate::plan::{PENDING_SCANS_MAX, Place, Rank, Target, WhyNot, Wish, WishKey};
use crate::scan::{CommandId, ScanCommand, ScanTarget};
use crate::time::Timestamp;

impl Engine {
    /// The commands under way that have an address which is never scanned, since the policy became another one.
    pub(super) fn forbidden(&self) -> impl Iterator<Item = &CommandId> {
        let policy = self.options.scan.as_ref().filter(|_| self.scans.is_policy_new);
        let lives = policy.into_iter().flat_map(|policy| {
            let is_never = |target: &ScanTarget| policy.is_never(target.address);
            self.scans.running.values().filter(move |life| life.command.targets.iter().any(is_never))
        });
        lives.filter(|life| !life.is_cancelled).map(|life| &life.command.id)
    }

    /// Calls off what may not be scanned any more, and has the rest of it scanned anew.
    pub(super) fn call_off_forbidden(&mut self, now: Timestamp, out: &mut Output) {
        let forbidden: Vec<CommandId> = self.forbidden().cloned().collect();
        self.scans.is_policy_new = false;
        for id in forbidden {
            let Some(command) = self.scans.running.get(&id).map(|life| life.command.clone()) else {
                continue;
            };
            self.call_off(now, &id, "the policy: an address of it is never scanned", Actor::default(), out);
            self.wish_anew(now, command, out);
        }
    }

    /// Wishes for what of a command is not forbidden, and tells what is. Of one address its record says it already.
    fn wish_anew(&mut self, now: Timestamp, command: ScanCommand, out: &mut Output) {
        let Some(policy) = self.options.scan.as_ref().filter(|_| command.targets.len() > 1) else { return };
        let cause = command.cause();
        let ScanCommand { scanner, region, targets, reason, .. } = command;
        let mut unscanned = Unscanned::default();
        for target in targets {
            let ScanTarget { address, network_id, project_id, expected, partial, causes } = target;
            let place = Place { network_id, address };
            if let Some(why) = policy.refusal(address, project_id.as_ref()) {
                unscanned.add(Some(&scanner), why, place);
                continue;
            }
            let target = Target { project_id, ports: expected, partial };
            let key = WishKey { region: region.clone(), place: place.clone(), reason };
            let has_room = self.scans.waiting() < PENDING_SCANS_MAX;
            let wish = Wish { target, rank: Rank::default(), due: now, causes };
            let queue = self.scans.queues.entry(Arc::clone(&scanner)).or_default();
            if !queue.wish(key, wish, has_room) {
                unscanned.add(Some(&scanner), WhyNot::Full, place);
            }
        }
        self.tell_unscanned(now, Some(cause), region.as_ref(), unscanned, out);
    }
}
