//! The intake of captured messages: the same state machine that will drive a bus, with a file in its place.
//!
//! A file is always connected, keeps its place and is never asked to go back; what is left is what counts: when a batch is full, that
//! nothing counts as taken before it is durable, and that what is in flight has a bound.

use osel_core::intake::{
    BatchNumber, ConnectionNumber, Cursor, Intake, IntakeInput, IntakeOrder, Limits, Queue, QueueReport,
};
use osel_core::time::Timestamp;

/// The intake of a file.
#[derive(Debug)]
pub struct FileIntake {
    intake: Intake,
    connection: Option<ConnectionNumber>,
    delivered: u64,
    orders: Vec<IntakeOrder>,
}

impl FileIntake {
    /// Begins, as the leader of the store in this epoch.
    pub fn start(now: Timestamp, epoch: u64) -> Self {
        let mut this =
            Self { intake: Intake::new(Limits::file()), connection: None, delivered: 0, orders: Vec::new() };
        this.step(now, IntakeInput::Start { epoch, cursor: Cursor::default() }, &mut Vec::new());
        if let Some(connection) = this.connection {
            let report =
                QueueReport { queue: Queue::Kept, asked_at: now, is_drained: false, unbound_since: None };
            this.step(now, IntakeInput::Connected { connection, report }, &mut Vec::new());
        }
        this
    }

    /// A message of so many bytes was handed to the engine. Batches to be closed and written are added to `out`, here and below.
    pub fn delivered(&mut self, now: Timestamp, bytes: usize, out: &mut Vec<BatchNumber>) {
        let Some(connection) = self.connection else { return };
        self.delivered += 1;
        self.step(now, IntakeInput::Delivered { connection, tag: self.delivered, bytes }, out);
    }

    /// A batch is durable.
    pub fn committed(&mut self, now: Timestamp, batch: BatchNumber, out: &mut Vec<BatchNumber>) {
        self.step(now, IntakeInput::Committed { batch }, out);
    }

    /// The file is at its end.
    pub fn ended(&mut self, now: Timestamp, out: &mut Vec<BatchNumber>) {
        self.step(now, IntakeInput::Ended, out);
    }

    /// Whether no more is to be read until something in flight is durable.
    pub fn is_paused(&self) -> bool {
        self.intake.is_paused()
    }

    fn step(&mut self, now: Timestamp, what: IntakeInput, out: &mut Vec<BatchNumber>) {
        self.intake.step(now, what, &mut self.orders);
        for order in self.orders.drain(..) {
            match order {
                IntakeOrder::ConnectAt { connection, .. } => self.connection = Some(connection),
                IntakeOrder::Commit { batch, .. } => out.push(batch),
                // Whoever reads asks whether to go on. A file needs no acknowledgement, is not mended, and has nothing to say about its connection.
                _ => {}
            }
        }
    }
}
