//! How findings do, for metrics and for people.

use std::collections::BTreeMap;
use std::time::Duration;

use osel_core::engine::Engine;
use osel_core::finding::FindingKind;
use osel_core::scan::Severity;
use osel_core::time::Timestamp;

/// How many findings are open, and for how long nobody has read any.
#[derive(Clone, Debug, Default)]
pub struct FindingsStatus {
    /// Those that `osel findings list` shows: neither resolved nor acknowledged nor expected.
    pub open: BTreeMap<(FindingKind, Severity), u64>,
    /// Since when and for how long findings wait that no forwarder, person or program has read; none when there are none.
    pub unread: Option<(Timestamp, Duration)>,
    /// Whether that is longer than it may be.
    pub is_alarmed: bool,
}

impl FindingsStatus {
    /// As the engine has them at `now`.
    pub(super) fn of(engine: &Engine, now: Timestamp) -> Self {
        let mut open = BTreeMap::new();
        for finding in engine.findings() {
            if !finding.is_resolved() && finding.expected.is_none() && finding.acknowledged(now).is_none() {
                *open.entry((finding.kind, finding.severity)).or_default() += 1;
            }
        }
        let unread = engine.unread_since().map(|since| {
            let micros = now.micros().saturating_sub(since.micros());
            (since, Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
        });
        Self { open, unread, is_alarmed: engine.is_unread_alarmed() }
    }
}
