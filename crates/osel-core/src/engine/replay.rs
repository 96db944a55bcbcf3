//! A message that was in quarantine and is decoded again, after a fix, because a person said so.
//!
//! It is handled as it would have been when it was received, as far as that can be: the model, names and the record's time know
//! nothing of the detour, the record says by whose order it came. Nothing expires by such an order: it says nothing about the time
//! on the bus. What still cannot be read changes nothing and stays where it is.

use super::dedup::Seen;
use super::{Disposition, Engine, Output, Reception, system_record};
use crate::decode::Decoded;
use crate::event::{Change, Digest, RawMessage};
use crate::time::Timestamp;
use crate::trail::RecordKind;

/// An order to take a message out of quarantine.
#[derive(Debug)]
pub struct Replay<'a> {
    /// The message; its time of reception is when it was received at first.
    pub raw: &'a RawMessage,
    /// What it means by now.
    pub decoded: Decoded<'a>,
    /// The digest that it was quarantined under, maybe of bytes that nobody could parse then.
    pub held_digest: Digest,
    /// Its number in quarantine.
    pub id: u64,
    /// Who ordered it.
    pub actor: &'a str,
}

impl Engine {
    pub(super) fn replay(&mut self, now: Timestamp, replay: Replay<'_>, out: &mut Output) {
        let Replay { raw, decoded, held_digest, id, actor } = replay;
        let event = match decoded.result {
            Ok(event) => event,
            Err(defect) => {
                out.disposition = Some(Disposition::Quarantined(defect));
                return;
            }
        };
        let at = raw.received_at;
        let seen = self.dedup.see_again(at, decoded.message_id.as_deref(), [&decoded.digest, &held_digest]);
        let ledger = self.ledger.entry(raw.source.clone()).or_default();
        // A journal without the message's own entry is damaged; its ledger must balance all the same.
        if ledger.quarantined == 0 {
            ledger.received += 1;
        }
        ledger.quarantined = ledger.quarantined.saturating_sub(1);
        let first = out.records.len();
        if seen == Seen::Before {
            ledger.duplicate += 1;
            out.disposition = Some(Disposition::Duplicate);
            let text = format!(
                "{actor} replayed message {id} of source {} from quarantine: it had come before and has a record",
                raw.source
            );
            let order = system_record(now, now, RecordKind::System, text);
            self.record(order, out);
        } else {
            ledger.recorded += 1;
            if matches!(event.change, Change::Unmodelled) {
                ledger.count_unmodelled(&event.event_type);
            }
            let conflicting = seen == Seen::Conflicting;
            self.event(Reception { at, conflicting, late: true }, raw, event, out);
        }
        for record in &mut out.records[first..] {
            record.recorded_at = now;
        }
        if let Some(record) = out.records.get_mut(first) {
            record.detail.insert("replayed_by".into(), actor.to_owned());
            record.detail.insert("quarantine_id".into(), id.to_string());
            if seen != Seen::Before {
                record.detail.insert("note".into(), format!("replayed from quarantine by {actor}"));
            }
        }
    }
}
