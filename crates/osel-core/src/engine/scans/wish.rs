//! What an event wants scanned, and what is told not to be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::text::first_of;
use crate::engine::record::RecordBody;
use crate::engine::{Engine, Output, system_record};
use crate::event::Outcome;
use crate::exposure::Judged;
use crate::plan::{
    Candidate, PENDING_SCANS_MAX, Place, Rank, ScannerPolicy, Target, WhyNot, Wish, WishKey, wanted,
};
use crate::scan::{ScanReason, Transport};
use crate::time::Timestamp;
use crate::trail::RecordKind;

/// The most addresses that one record names as not scanned; the rest is counted. A record is to stay some ten kilobytes.
pub(in crate::engine) const UNSCANNED_NAMED_MAX: usize = 500;

/// What is not scanned, by the scanner that does not, if not by all of them, and the reason.
#[derive(Debug, Default)]
pub(super) struct Unscanned(BTreeMap<(Option<Arc<str>>, WhyNot), BTreeSet<Place>>);

impl Unscanned {
    pub(super) fn add(&mut self, scanner: Option<&Arc<str>>, why: WhyNot, place: Place) {
        self.0.entry((scanner.cloned(), why)).or_default().insert(place);
    }
}

impl Engine {
    /// Notes what an event wants scanned.
    pub(in crate::engine) fn plan_scans(
        &mut self,
        now: Timestamp,
        seq: u64,
        region: Option<&Arc<str>>,
        exposure: &Judged,
        out: &mut Output,
    ) {
        let Some(policy) = &self.options.scan else { return };
        let Some(cloud) = self.clouds.get(&region.cloned()) else { return };
        let mut unscanned = Unscanned::default();
        let mut room = PENDING_SCANS_MAX.saturating_sub(self.scans.waiting());
        for candidate in wanted(cloud, policy, &exposure.opened, &exposure.closed) {
            let Candidate { place, target, rank, refused } = candidate;
            if let Some(why) = refused {
                unscanned.add(None, why, place);
                continue;
            }
            for scanner in &policy.scanners {
                let Some(target) = taken_by(scanner, &place, &target, &mut unscanned) else { continue };
                let due = now.plus_seconds(scanner.window_seconds.into());
                let wish = Wish { target, rank, due, causes: vec![seq] };
                let key =
                    WishKey { region: region.cloned(), place: place.clone(), reason: ScanReason::Change };
                let queue = self.scans.queues.entry(Arc::clone(&scanner.name)).or_default();
                let before = queue.len();
                if !queue.wish(key, wish, room > 0) {
                    unscanned.add(Some(&scanner.name), WhyNot::Full, place.clone());
                }
                room = (room + before).saturating_sub(queue.len());
            }
        }
        self.tell_unscanned(now, Some(seq), region, unscanned, out);
    }

    /// Has a place looked at once more by a scanner, not before that time, since what it saw there is odd. Nothing comes of it when there is
    /// no such scanner any more, the place may not be scanned, or too much waits: what was found stays as it is then.
    #[allow(clippy::too_many_arguments, reason = "each is one field of the wish")]
    pub fn rescan(
        &mut self,
        now: Timestamp,
        not_before: Timestamp,
        scanner: &Arc<str>,
        region: Option<Arc<str>>,
        place: Place,
        target: Target,
        cause: u64,
    ) {
        let Some(policy) = self.options.scan.as_ref().filter(|policy| policy.scanner(scanner).is_some())
        else {
            return;
        };
        if target.ports.is_empty() || policy.refusal(place.address, target.project_id.as_ref()).is_some() {
            return;
        }
        let has_room = self.scans.waiting() < PENDING_SCANS_MAX;
        let key = WishKey { region, place, reason: ScanReason::Confirm };
        let wish = Wish { target, rank: Rank::default(), due: not_before.max(now), causes: vec![cause] };
        self.scans.queues.entry(Arc::clone(scanner)).or_default().wish(key, wish, has_room);
    }

    /// Records what is not scanned, a record for each reason.
    pub(super) fn tell_unscanned(
        &mut self,
        now: Timestamp,
        cause: Option<u64>,
        region: Option<&Arc<str>>,
        unscanned: Unscanned,
        out: &mut Output,
    ) {
        let has_several = self.options.scan.as_ref().is_none_or(|policy| policy.scanners.len() != 1);
        for ((scanner, why), places) in unscanned.0 {
            let by = match &scanner {
                Some(scanner) if has_several => format!(" by {scanner}"),
                _ => String::new(),
            };
            let what = match places.len() {
                1 => "1 address is".to_owned(),
                count => format!("{count} addresses are"),
            };
            let text = format!("{what} not scanned{by}: {}", why.text());
            let mut record = system_record(now, now, RecordKind::Command, text);
            let named = places.iter().map(|place| place.address.to_string());
            record.detail.insert("unscanned".into(), first_of(named, UNSCANNED_NAMED_MAX));
            record.detail.insert("why".into(), why.as_str().to_owned());
            if let Some(scanner) = scanner {
                record.detail.insert("scanner".into(), scanner.to_string());
            }
            record.outcome = Outcome::Failure;
            self.record(RecordBody { cause, region: region.cloned(), ..record }, out);
        }
    }
}

/// What of a target a scanner can scan; what it cannot is told.
fn taken_by(
    scanner: &ScannerPolicy,
    place: &Place,
    target: &Target,
    unscanned: &mut Unscanned,
) -> Option<Target> {
    if !scanner.takes_ipv6 && place.address.is_ipv6() {
        unscanned.add(Some(&scanner.name), WhyNot::Ipv6, place.clone());
        return None;
    }
    let mut target = target.clone();
    if !scanner.takes_udp {
        let before = target.ports.len();
        target.ports.retain(|(transport, _), _| *transport == Transport::Tcp);
        if target.ports.len() < before {
            unscanned.add(Some(&scanner.name), WhyNot::Udp, place.clone());
        }
    }
    (!target.ports.is_empty()).then_some(target)
}
