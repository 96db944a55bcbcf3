//! What people, and the programs that read findings for them, order of a running osel.
//!
//! An order is an input like any other: it is written down, and folding it gives the same. One that cannot be done is refused before
//! it is one ([`Engine::judge_order`]) and changes nothing.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::erasure::Sought;
use super::forwarder_orders::ForwarderOrder;
use super::record::Detail;
use super::{Engine, Output, RecordBody, system_record};
use crate::event::Outcome;
use crate::finding::{Ack, FindingId, REASON_CHARS_MAX, Turn, reader_name};
use crate::ids::Id;
use crate::scan::{CommandId, cut};
use crate::time::Timestamp;
use crate::trail::RecordKind;

/// The longest name of whoever orders something, in characters.
pub const ACTOR_CHARS_MAX: usize = 100;

/// The most of what somebody asked of the trail, in characters: more than a line of a shell usually has.
pub const ASKED_CHARS_MAX: usize = 500;

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Who orders it.
    pub actor: String,
    /// What.
    pub what: OperatorOrder,
}

/// What can be ordered; the words are kept in journals for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperatorOrder {
    /// A finding is known and let be.
    AckFinding {
        /// Which.
        id: FindingId,
        /// Why.
        reason: String,
        /// Until when; for ever when there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// A finding is not let be any more.
    UnackFinding {
        /// Which.
        id: FindingId,
    },
    /// A scan is called off.
    CancelScan {
        /// Which.
        id: CommandId,
    },
    /// Somebody has read the findings up to a record.
    FindingsRead {
        /// Who reads them: a forwarder's name, `cli`, `api`.
        consumer: String,
        /// The last record that it knows of.
        seq: u64,
    },
    /// Somebody has read the trail.
    TrailRead {
        /// How: `search`, `show`, `export`.
        what: String,
        /// What was asked for, as whoever asked wrote it.
        asked: String,
    },
    /// A forwarder is to do something.
    Forwarder {
        /// Its name.
        forwarder: String,
        /// What.
        what: ForwarderOrder,
    },
    /// A person is to be erased.
    ErasePerson {
        /// The user that it is, where one is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<Id>,
        /// Why.
        reason: String,
        /// By what the person was looked for, until that is known. It is never written down.
        #[serde(skip)]
        sought: Sought,
    },
}

/// Why an order is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "each says what it is")]
pub enum OrderRefusal {
    #[error("there is no finding `{id}`")]
    UnknownFinding { id: FindingId },
    #[error("finding `{id}` is resolved already: there is nothing to acknowledge")]
    ResolvedFinding { id: FindingId },
    #[error("finding `{id}` is not acknowledged")]
    NotAcknowledged { id: FindingId },
    #[error("an acknowledgement needs a reason")]
    NoReason,
    #[error("an acknowledgement until `{until}` is over already")]
    PastUntil { until: Timestamp },
    #[error("no scan `{id}` is under way that was not called off before")]
    UnknownScan { id: CommandId },
    #[error("no record `{seq}` is there to be read yet")]
    UnknownRecord { seq: u64 },
    #[error("there is no record `{seq}` yet to go on behind")]
    UnknownPlace { seq: u64 },
    #[error("an erasure needs a reason")]
    NoErasureReason,
    #[error("nobody is named who is to be erased")]
    NobodyToErase,
    #[error("{users} users have or had that name: say which by the id")]
    SeveralUsers { users: usize },
}

impl Engine {
    /// Whether an order can be done at `now`.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn judge_order(&self, now: Timestamp, order: &Order) -> Result<(), OrderRefusal> {
        match &order.what {
            OperatorOrder::AckFinding { id, reason, until } => {
                let Some(finding) = self.findings.get(id) else {
                    return Err(OrderRefusal::UnknownFinding { id: id.clone() });
                };
                if finding.is_resolved() {
                    return Err(OrderRefusal::ResolvedFinding { id: id.clone() });
                }
                if reason.trim().is_empty() {
                    return Err(OrderRefusal::NoReason);
                }
                match until {
                    Some(until) if *until <= now => Err(OrderRefusal::PastUntil { until: *until }),
                    _ => Ok(()),
                }
            }
            OperatorOrder::UnackFinding { id } => match self.findings.get(id) {
                None => Err(OrderRefusal::UnknownFinding { id: id.clone() }),
                Some(finding) if finding.is_resolved() || finding.acknowledged(now).is_none() => {
                    Err(OrderRefusal::NotAcknowledged { id: id.clone() })
                }
                Some(_) => Ok(()),
            },
            OperatorOrder::CancelScan { id } => {
                let mut lives = self.running_scans();
                match lives.any(|life| life.command.id == *id && !life.is_cancelled) {
                    true => Ok(()),
                    false => Err(OrderRefusal::UnknownScan { id: id.clone() }),
                }
            }
            OperatorOrder::FindingsRead { seq, .. } => match *seq <= self.seq {
                true => Ok(()),
                false => Err(OrderRefusal::UnknownRecord { seq: *seq }),
            },
            OperatorOrder::TrailRead { .. } => Ok(()),
            OperatorOrder::Forwarder { what: ForwarderOrder::Rewind { seq }, .. } if *seq > self.seq => {
                Err(OrderRefusal::UnknownPlace { seq: *seq })
            }
            OperatorOrder::Forwarder { .. } => Ok(()),
            OperatorOrder::ErasePerson { reason, .. } if reason.trim().is_empty() => {
                Err(OrderRefusal::NoErasureReason)
            }
            // Once it is written down nobody is sought any more.
            OperatorOrder::ErasePerson { sought, .. } if *sought == Sought::default() => Ok(()),
            OperatorOrder::ErasePerson { sought, .. } => self.person(sought).map(drop),
        }
    }

    /// Carries an order out, if it can be done.
    pub(super) fn order(&mut self, now: Timestamp, order: Order, out: &mut Output) {
        if self.judge_order(now, &order).is_err() {
            return;
        }
        let actor = cut(&order.actor, ACTOR_CHARS_MAX);
        match order.what {
            OperatorOrder::AckFinding { id, reason, until } => {
                let reason = cut(&reason, REASON_CHARS_MAX);
                let ack = Ack { by: actor.clone(), reason, until, at: now, seq: self.seq + 1 };
                self.findings.acknowledge(&id, Some(ack));
                self.tell_finding(now, None, &id, &Turn::Acknowledged, &actor, out);
            }
            OperatorOrder::UnackFinding { id } => {
                self.findings.acknowledge(&id, None);
                self.tell_finding(now, None, &id, &Turn::Unacknowledged, &actor, out);
            }
            OperatorOrder::CancelScan { id } => {
                self.cancel_scan(now, &actor, &id, out);
            }
            OperatorOrder::FindingsRead { consumer, seq } => self.findings_read(now, &consumer, seq, out),
            OperatorOrder::TrailRead { what, asked } => {
                let (what, asked) = (cut(&what, ACTOR_CHARS_MAX), cut(&asked, ASKED_CHARS_MAX));
                let text = format!("{actor} read the trail: {what} {asked}").trim_end().to_owned();
                let mut record = system_record(now, now, RecordKind::System, text);
                record.outcome = Outcome::Success;
                record.detail.extend(Detail::from([
                    ("reader".into(), actor),
                    ("read".into(), what),
                    ("asked".into(), asked),
                ]));
                self.record(record, out);
            }
            OperatorOrder::Forwarder { forwarder, what } => {
                self.tell_forwarder(now, actor, &forwarder, what, out);
            }
            OperatorOrder::ErasePerson { user, reason, .. } => {
                self.erase_person(now, actor, user, &reason, out);
            }
        }
    }

    /// From when on it should be written down that somebody has read findings up to a record; none when that is known.
    pub fn note_read_at(&self, consumer: &str, seq: u64) -> Option<Timestamp> {
        self.readers.note_at(&reader_name(consumer), seq)
    }

    /// Whether an order should be written down now: how far a reader has come is written down now and then, or when it ends an alarm.
    pub fn is_worth_noting(&self, now: Timestamp, order: &Order) -> bool {
        match &order.what {
            OperatorOrder::FindingsRead { consumer, seq } => {
                self.readers.is_worth_noting(now, &reader_name(consumer), *seq)
            }
            _ => true,
        }
    }

    /// Since when findings wait that no forwarder, person or program has read; none when there are none.
    pub fn unread_since(&self) -> Option<Timestamp> {
        self.readers.unread_since()
    }

    /// The first record with such a finding: only who has read from there on, or from before it, has read all of them.
    pub fn unread_from(&self) -> Option<u64> {
        self.readers.unread_from()
    }

    /// Whether that has lasted so long that there is an alarm.
    pub fn is_unread_alarmed(&self) -> bool {
        self.readers.is_alarmed()
    }

    fn findings_read(&mut self, now: Timestamp, consumer: &str, seq: u64, out: &mut Output) {
        let Some(alarm) = self.readers.read(now, consumer, seq) else { return };
        let consumer = reader_name(consumer);
        let text = format!(
            "{consumer} reads findings again, up to record {seq}: nobody had since record {alarm} told so"
        );
        let mut record = system_record(now, now, RecordKind::System, text);
        record.outcome = Outcome::Success;
        record.detail.insert("consumer".into(), consumer);
        self.record(RecordBody { cause: Some(alarm), ..record }, out);
    }

    /// Raises the alarm about findings that nobody reads, once.
    pub(super) fn alarm_unread(&mut self, now: Timestamp, out: &mut Output) {
        let Some(due) = self.unread_alarm_at().filter(|due| *due <= now) else { return };
        let Some(since) = self.readers.unread_since() else { return };
        let seconds = self.options.unread_alarm_seconds.map_or(0, u32::from);
        let text = format!(
            "findings are told and nobody has read any since {since}: no forwarder, program or person has asked for them for {seconds} s"
        );
        let mut record = system_record(now, due, RecordKind::System, text);
        record.outcome = Outcome::Failure;
        record.detail.extend(Detail::from([("unread_since".into(), since.to_string())]));
        let seq = self.record(record, out);
        self.readers.alarmed(seq);
    }

    /// When that is due.
    pub(super) fn unread_alarm_at(&self) -> Option<Timestamp> {
        self.readers.alarm_at(self.options.unread_alarm_seconds?.get())
    }
}
