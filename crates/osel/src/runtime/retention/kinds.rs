//! Kinds of records whose parts go by ages of their own: the classes of the configuration, and what follows from them.
//!
//! Where there is a class, everything is decided kind by kind, also for kinds without one: an order that is about all kinds would take what
//! a class keeps longer.

use osel_core::engine::RetentionWhy;
use osel_core::trail::{PartClass, RecordKind};

use super::policy::{Kept, Policy, due};
use crate::config::RetentionClass;

/// How many kinds of records there are.
const KINDS: usize = RecordKind::ALL.len();

/// How long parts of records of one kind are kept; what is none is as for all records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindLimit {
    /// The personal parts, in days; none of them for ever.
    pub personal_days: Option<Option<u32>>,
    /// All parts, in days; none of them for ever.
    pub records_days: Option<Option<u32>>,
}

/// The limits of all kinds, in the order of [`RecordKind::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindLimits([KindLimit; KINDS]);

/// The last records that are older than kinds allow: all parts, and personal ones; in the order of [`RecordKind::ALL`].
pub type OldKinds = [(u64, u64); KINDS];

/// What goes of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindGoes {
    /// The kind.
    pub kind: RecordKind,
    /// Only the personal parts do; else all.
    pub is_personal: bool,
    /// From records of the kind up to this one.
    pub seq: u64,
    /// Why.
    pub why: RetentionWhy,
}

impl KindLimits {
    /// Those of classes: of several that a kind is in the first counts.
    pub fn of(classes: &[RetentionClass]) -> Self {
        let of_kind = |kind: RecordKind| {
            let class = classes.iter().find(|class| class.kinds.contains(&kind));
            class.map_or_else(KindLimit::default, |class| KindLimit {
                personal_days: class.personal_days,
                records_days: class.records_days,
            })
        };
        Self(RecordKind::ALL.map(of_kind))
    }

    /// Whether any kind has limits of its own.
    pub fn is_any(&self) -> bool {
        *self != Self::default()
    }

    /// Finds what is older than each kind allows, by what finds it for a number of days.
    ///
    /// # Errors
    /// What `old` says.
    pub fn old<E>(&self, mut old: impl FnMut(Option<u32>) -> Result<u64, E>) -> Result<OldKinds, E> {
        let mut found = OldKinds::default();
        for (limit, found) in self.0.iter().zip(&mut found) {
            let mut of = |days: Option<Option<u32>>| days.map_or(Ok(0), &mut old);
            *found = (of(limit.records_days)?, of(limit.personal_days)?);
        }
        Ok(found)
    }
}

/// What goes, kind by kind.
pub(super) fn goes(policy: &Policy, kept: &Kept, over_budget: u64, behind: u64) -> Vec<KindGoes> {
    let gone = |class: PartClass, kind: RecordKind| kept.expiry.limit(class.code(), kind.code());
    let all = || RecordKind::ALL.into_iter().zip(policy.kinds.0).zip(kept.old_kinds);
    // What a class keeps for ever goes by no budget either, and the others go together.
    let is_for_ever =
        |limit: &KindLimit| limit.records_days.map_or(!policy.records.is_set(), |days| days.is_none());
    let going = all().filter(|((_, limit), _)| !is_for_ever(limit));
    let done = going.map(|((kind, _), _)| gone(PartClass::Body, kind)).min().unwrap_or(0);
    let mut found = Vec::new();
    for ((kind, limit), (old_record, old_person)) in all() {
        let mut records = 0;
        if !is_for_ever(&limit) {
            let old = if limit.records_days.is_some() { old_record } else { kept.old_record };
            let (seq, why) = due(policy, kept, (old, done), over_budget, behind);
            records = seq;
            if seq > gone(PartClass::Body, kind) {
                found.push(KindGoes { kind, is_personal: false, seq, why });
            }
        }
        let old = if limit.personal_days.is_some() { old_person } else { kept.old_person };
        let seq = old.min(kept.head.seq);
        if seq > gone(PartClass::Personal, kind).max(records) {
            found.push(KindGoes { kind, is_personal: true, seq, why: RetentionWhy::Age });
        }
    }
    found
}
