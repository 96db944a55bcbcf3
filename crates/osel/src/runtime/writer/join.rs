//! Batches that wait for an earlier one to be written become one, since a flush takes about as long for one as for several.
//!
//! Only whole batches are joined, before they are tried for the first time, so that one which failed is tried again as it was. Whoever
//! waits for a batch hears of it when all that it was joined with is durable.

use super::Batch;

/// The most bytes of batches that become one: as much as four of the usual size, so that none waits long for those behind it.
const JOINED_BYTES_MAX: usize = 16 << 20;

impl Batch {
    /// Takes the next batch in, or gives it back where the two are not to become durable together.
    pub(super) fn join(&mut self, next: Box<Self>) -> Result<(), Box<Self>> {
        if !(self.is_joinable() && next.is_joinable() && self.goes_on_with(&next)) {
            return Err(next);
        }
        let Self {
            entries,
            records,
            counters,
            quarantine,
            commands,
            findings,
            versions,
            cursors,
            nodes,
            checkpoints,
            log_keys,
            witnessed,
            forwarders,
            dead_letters,
            bytes,
            resolved_before: _,
            expiry: _,
            erasure: _,
        } = *next;
        self.entries.extend(entries);
        self.records.append(records);
        // These are absolute: of a source the later ones count.
        self.counters.retain(|old| counters.iter().all(|new| new.source != old.source));
        self.counters.extend(counters);
        self.quarantine.extend(quarantine);
        self.commands.extend(commands);
        self.findings.extend(findings);
        self.versions.extend(versions);
        self.cursors.extend(cursors);
        self.nodes.extend(nodes);
        self.checkpoints.extend(checkpoints);
        self.log_keys.extend(log_keys);
        self.witnessed.extend(witnessed);
        self.forwarders.extend(forwarders);
        self.dead_letters.extend(dead_letters);
        self.bytes += bytes;
        Ok(())
    }

    /// Whether all in it may stand beside that of others: what lets go of something goes by the place where it stands.
    fn is_joinable(&self) -> bool {
        !self.lets_go() && self.resolved_before.is_none()
    }

    /// Whether the next one follows. One that does not is a defect, for which this one must not fail.
    fn goes_on_with(&self, next: &Self) -> bool {
        let follows = match (self.entries.last(), next.entries.first()) {
            (Some(last), Some(first)) => last.number + 1 == first.number,
            _ => false,
        };
        follows && self.bytes.saturating_add(next.bytes) <= JOINED_BYTES_MAX
    }
}
