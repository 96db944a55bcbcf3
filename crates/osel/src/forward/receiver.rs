//! What every receiver of records can be asked to do, whatever it is made of.
//!
//! A driver knows one protocol. It makes one attempt, gives up after a time of its own, and keeps nothing that matters after a crash but
//! what it says as its mark.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use osel_core::format::Severity;
pub use osel_core::forward::BatchLimits;
use osel_core::forward::{BatchNumber, CALL_MICROS_MAX, Refusal, Taken};
use osel_core::time::Timestamp;
use osel_core::trail::RecordKind;

/// What a driver's method gives.
pub type Handed<'a, T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send + 'a>>;

/// One line of one record, in the forwarder's format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The record.
    pub seq: u64,
    /// Names this line: the same whenever it is sent, and no other line of any store has it. Letters, digits and `-`.
    pub id: String,
    /// When it happened.
    pub time: Timestamp,
    /// When it was received or found out.
    pub recorded_at: Timestamp,
    /// What the record is about.
    pub kind: RecordKind,
    /// How much it matters.
    pub severity: Severity,
    /// The event type, where the record has one.
    pub event_type: Option<String>,
    /// The line, without an end of line in it or behind it: one JSON object where the format is JSON, else text.
    pub line: Vec<u8>,
}

/// What is handed over at once, in the order of the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its number.
    pub number: BatchNumber,
    /// Its lines are of dead letters that are sent once more: of what comes next of the trail it says nothing.
    pub is_fetched: bool,
    /// At least one.
    pub items: Vec<Item>,
}

/// A receiver. Calls come one at a time, each ended or dropped before the next; one that is dropped is followed by [`Self::reset`].
pub trait Receiver: Send {
    /// Where it sends to, for people: without a secret.
    fn target(&self) -> String;

    /// How much it takes at once.
    fn limits(&self) -> BatchLimits;

    /// How long a call may take before it is dropped. The driver gives up sooner, by a time of its own.
    fn call_time(&self) -> Duration {
        Duration::from_micros(CALL_MICROS_MAX)
    }

    /// What it kept of a run before, told once before anything else: its own [`Self::mark`] as it was when the last batch that is known to
    /// be kept was. None for a first run, or after the place was set back.
    fn resume(&mut self, mark: Option<&str>) {
        let _ = mark;
    }

    /// Hands a batch over, in order, connecting first where that is needed.
    fn send<'a>(&'a mut self, batch: &'a Batch) -> Handed<'a, Taken>;

    /// Which of the batches that were [`Taken::Awaited`] have arrived since, in the order in which they were sent. It may wait for the
    /// answer of a question, and never for an arrival. An error says that what is still awaited may not have arrived: all of it is sent
    /// again, after [`Self::reset`]. It is asked before anything is sent after a refusal, so that a receiver that lost its connection
    /// says so here, and one that was only busy need not get everything twice.
    fn confirm(&mut self) -> Handed<'_, Vec<BatchNumber>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Whether it would take something, without giving it anything: what it says of itself, in words. Nothing where it cannot be asked.
    fn check(&mut self) -> Handed<'_, Option<String>> {
        Box::pin(async { Ok(None) })
    }

    /// Lets go of the connection and of all that is awaited, which will be sent again.
    fn reset(&mut self);

    /// What is to be kept with the place once all that was sent so far is kept; at most 1,000 bytes.
    fn mark(&self) -> Option<String> {
        None
    }

    /// Ends in order: what it was given is passed on as far as that goes, and what is awaited is asked for a last time.
    fn close(&mut self) -> Handed<'_, Vec<BatchNumber>> {
        self.confirm()
    }
}
