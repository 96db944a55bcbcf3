//! The ledger, and that every message has its record: one, and a failure's record only where something failed.

use std::collections::{BTreeMap, BTreeSet};

use osel_core::engine::{Disposition, Engine};
use osel_core::event::Outcome;

use super::failure::{Failure, ensure, same};
use super::machine::Stored;
use super::plan::Plan;
use super::script::{Script, text};
use crate::cloud::Message;

/// What became of the messages of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Fates {
    received: usize,
    duplicate: usize,
    quarantined: usize,
}

impl Fates {
    pub(super) fn note(&mut self, disposition: Option<&Disposition>) {
        let Some(disposition) = disposition else { return };
        self.received += 1;
        match disposition {
            Disposition::Recorded(_) => {}
            Disposition::Duplicate => self.duplicate += 1,
            Disposition::Quarantined(_) => self.quarantined += 1,
        }
    }

    /// Fails when the ledger does not balance, or counts something else than what happened.
    pub(super) fn balance(&self, engine: &Engine, script: &Script) -> Result<(), Failure> {
        const CHECK: &str = "ledger";
        let mut sums = [0_u64; 5];
        for (source, ledger) in engine.ledger() {
            ensure(ledger.balances(), CHECK, || format!("{source} does not balance: {ledger:?}"))?;
            let counts =
                [ledger.received, ledger.recorded, ledger.duplicate, ledger.quarantined, ledger.ignored];
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        let recorded = script.heard.len() + script.forged;
        let broken = script.broken.len();
        let expected = [self.received, recorded, self.received - recorded - broken, broken, 0];
        let told = [
            self.received,
            self.received - self.duplicate - self.quarantined,
            self.duplicate,
            self.quarantined,
            0,
        ];
        let expected = expected.map(|count| count as u64);
        ensure(sums == expected && told.map(|count| count as u64) == expected, CHECK, || {
            format!(
                "received, recorded, duplicate, quarantined, ignored: counted {sums:?}, told {told:?}, \
                 expected {expected:?}"
            )
        })
    }
}

/// Fails when a message has no record, or more than one for each of its contents.
pub(super) fn each_message_has_one_record(script: &Script, records: &[Stored]) -> Result<(), Failure> {
    const CHECK: &str = "one record for each message";
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    let mut forged = 0;
    for record in records {
        let Some(id) = &record.body.message_id else { continue };
        *times.entry(id.to_string()).or_default() += 1;
        forged += usize::from(record.body.conflicting);
    }
    for message in &script.heard {
        let id = text(message, "message_id");
        ensure(times.contains_key(id), CHECK, || format!("{id} has none: {}", message.notification))?;
    }
    let count: usize = times.values().sum();
    ensure(times.len() == script.heard.len() && count == script.heard.len() + script.forged, CHECK, || {
        format!(
            "{count} records for {} messages and {} forged ones; more than one: {:?}",
            script.heard.len(),
            script.forged,
            times.iter().find(|(_, count)| **count > 1)
        )
    })?;
    ensure(forged == script.forged, CHECK, || {
        format!("{forged} records are marked as conflicting, {} copies were forged", script.forged)
    })
}

/// Fails when a call that failed is not reported as such exactly once, or one that did not is.
pub(super) fn failures_are_reported(script: &Script, records: &[Stored], plan: &Plan) -> Result<(), Failure> {
    let call = |message: &Message, phase: &str| {
        let stem = text(message, "event_type").strip_suffix(phase)?;
        Some((text(message, "_context_request_id").to_owned(), stem.to_owned()))
    };
    let ended: BTreeSet<_> = script.heard.iter().filter_map(|message| call(message, ".end")).collect();
    let begun = script.heard.iter().filter_map(|message| {
        let call = call(message, ".start").filter(|call| !ended.contains(call))?;
        let cause = records.iter().find(|record| {
            record.body.message_id.as_deref() == Some(text(message, "message_id")) && !record.body.conflicting
        });
        let user = text(message, "_context_user_id");
        Some(serde_json::json!([call.0, call.1, user, plan.region, cause.map(|record| record.sealed.seq)]))
    });
    let failed = records.iter().filter(|record| {
        record.body.outcome == Outcome::Failure
            && record.body.message_id.is_none()
            && record.body.request_id.is_some()
    });
    let told = failed.map(|record| {
        let body = &record.body;
        serde_json::json!([body.request_id, body.event_type, body.actor.user_id, body.region, body.cause])
    });
    same("failed calls", told.collect(), begun.collect())
}
