//! How much of what the broker sends is held at one time: a bound in bytes for a protocol that only counts messages.
//!
//! AMQP's prefetch bounds the number of messages on their way, so its worst case is that number times the largest body. The client
//! library queues what it reads without a bound of its own. So the bound is set where the bytes come in: the socket counts
//! the bytes of bodies by their frames, whoever has made messages durable gives them back, and above the limit nothing more is read.
//! TCP then holds the broker back.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// The most bytes of bodies that one connection holds, unless a single message is larger: as much as `intake` lets be in flight.
pub const HELD_BYTES_MAX: u64 = osel_core::intake::BYTES_IN_FLIGHT_MAX;

/// A frame's type octet, channel and length (AMQP 0-9-1, §4.2.3).
const FRAME_HEADER_BYTES: usize = 7;
const FRAME_CONTENT_HEADER: u8 = 2;
const FRAME_CONTENT_BODY: u8 = 3;

/// What one connection holds; shared by its socket, which adds, and by its owner, who gives back.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Mutex<Held>>);

#[derive(Debug)]
struct Held {
    limit: u64,
    bytes: u64,
    /// Of the message that is being read, or was read last.
    current: u64,
    /// Whoever reads, when there was nothing to read or reading was not permitted.
    waiting: Option<Waker>,
    is_shut: bool,
}

/// Shuts a gate when it goes: nobody wants the connection any more, and whoever reads from it has to learn that, whatever the
/// broker does.
#[derive(Debug)]
pub struct Keeper(Gate);

impl Keeper {
    /// The keeper of a gate.
    pub fn of(gate: Gate) -> Self {
        Self(gate)
    }
}

impl Deref for Keeper {
    type Target = Gate;

    fn deref(&self) -> &Gate {
        &self.0
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.shut();
    }
}

impl Gate {
    /// A gate that lets so many bytes be held.
    pub fn new(limit: u64) -> Self {
        Self(Arc::new(Mutex::new(Held { limit, bytes: 0, current: 0, waiting: None, is_shut: false })))
    }

    /// Whether something may be read; if not, the waker is called when it may be.
    pub fn is_open(&self, waker: &Waker) -> bool {
        let mut held = self.held();
        let is_open = held.is_open();
        if !is_open {
            held.await_by(waker);
        }
        is_open
    }

    /// Whether so much is held that nothing is read now.
    pub fn is_full(&self) -> bool {
        !self.held().is_open()
    }

    /// Whoever reads waits for the broker: the waker is called when the gate is shut.
    pub fn awaits(&self, waker: &Waker) {
        self.held().await_by(waker);
    }

    /// Whether nobody wants the connection any more.
    pub fn is_shut(&self) -> bool {
        self.held().is_shut
    }

    fn shut(&self) {
        let mut held = self.held();
        held.is_shut = true;
        let waiting = held.waiting.take();
        drop(held);
        if let Some(waker) = waiting {
            waker.wake();
        }
    }

    /// So many bytes of bodies need not be held any more.
    pub fn release(&self, bytes: u64) {
        let mut held = self.held();
        held.bytes = held.bytes.saturating_sub(bytes);
        if held.is_open()
            && let Some(waker) = held.waiting.take()
        {
            drop(held);
            waker.wake();
        }
    }

    /// How many bytes are held.
    #[cfg(test)]
    fn bytes(&self) -> u64 {
        self.held().bytes
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing panics while it is locked; the numbers are right in any case.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn is_open(&self) -> bool {
        // A message larger than the limit has to come to its end: it alone never closes the gate.
        self.bytes < self.limit || self.bytes <= self.current
    }

    fn await_by(&mut self, waker: &Waker) {
        if self.waiting.as_ref().is_none_or(|waiting| !waiting.will_wake(waker)) {
            self.waiting = Some(waker.clone());
        }
    }
}

/// Follows the frames of a byte stream and tells the gate what of it are bodies.
#[derive(Debug)]
pub struct Meter {
    gate: Gate,
    header: [u8; FRAME_HEADER_BYTES],
    filled: usize,
    /// What is left of the frame's payload, and the octet that ends a frame.
    payload: u64,
    end: bool,
    kind: u8,
}

impl Meter {
    /// A meter for a stream from its first byte.
    pub fn new(gate: Gate) -> Self {
        Self { gate, header: [0; FRAME_HEADER_BYTES], filled: 0, payload: 0, end: false, kind: 0 }
    }

    /// The gate that is told.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Takes the next bytes of the stream.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.payload > 0 {
                let taken = usize::try_from(self.payload).unwrap_or(usize::MAX).min(bytes.len());
                self.payload -= taken as u64;
                bytes = &bytes[taken..];
                if self.kind == FRAME_CONTENT_BODY {
                    let mut held = self.gate.held();
                    held.bytes += taken as u64;
                    held.current += taken as u64;
                }
            } else if self.end {
                self.end = false;
                bytes = &bytes[1..];
            } else {
                let taken = (FRAME_HEADER_BYTES - self.filled).min(bytes.len());
                self.header[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
                self.filled += taken;
                bytes = &bytes[taken..];
                if self.filled == FRAME_HEADER_BYTES {
                    self.begin();
                }
            }
        }
    }

    fn begin(&mut self) {
        let [kind, _, _, length @ ..] = self.header;
        self.filled = 0;
        self.kind = kind;
        self.payload = u64::from(u32::from_be_bytes(length));
        self.end = true;
        if kind == FRAME_CONTENT_HEADER {
            self.gate.held().current = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Calls(AtomicUsize);

    impl Wake for Calls {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind, 0, 1];
        bytes.extend((payload.len() as u32).to_be_bytes());
        bytes.extend(payload);
        bytes.push(0xce);
        bytes
    }

    /// A message: method, content header, and the body in frames of at most `frame_max` bytes.
    fn message(body: usize, frame_max: usize) -> Vec<u8> {
        let mut bytes = frame(1, &[0; 40]);
        bytes.extend(frame(FRAME_CONTENT_HEADER, &[0; 30]));
        for part in vec![b'x'; body].chunks(frame_max) {
            bytes.extend(frame(FRAME_CONTENT_BODY, part));
        }
        bytes
    }

    #[test]
    fn bodies_are_counted_however_the_bytes_come() {
        let mut stream = frame(8, &[]);
        for body in [0, 1, 7, 5000] {
            stream.extend(message(body, 1000));
        }
        for step in [1, 2, 3, 7, 8, 100, stream.len()] {
            let mut meter = Meter::new(Gate::new(10));
            stream.chunks(step).for_each(|bytes| meter.feed(bytes));
            assert_eq!(meter.gate().bytes(), 5008, "in steps of {step}");
        }
    }

    #[test]
    fn the_gate_closes_at_the_limit_and_opens_when_bytes_are_given_back() {
        let (calls, mut meter) = (Arc::new(Calls::default()), Meter::new(Gate::new(100)));
        let waker = Waker::from(Arc::clone(&calls));
        let gate = meter.gate().clone();
        meter.feed(&message(60, 1000));
        assert!(gate.is_open(&waker));
        meter.feed(&message(60, 1000));
        assert!(!gate.is_open(&waker));
        gate.release(10);
        assert_eq!(calls.0.load(Ordering::SeqCst), 0);
        gate.release(50);
        assert_eq!(calls.0.load(Ordering::SeqCst), 1);
        assert!(gate.is_open(&waker));
    }

    #[test]
    fn whoever_reads_learns_that_the_keeper_is_gone() {
        let (calls, gate) = (Arc::new(Calls::default()), Gate::new(100));
        let waker = Waker::from(Arc::clone(&calls));
        let keeper = Keeper::of(gate.clone());
        gate.awaits(&waker);
        assert!(!gate.is_shut());
        drop(keeper);
        assert!(gate.is_shut());
        assert_eq!(calls.0.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_message_larger_than_the_limit_comes_to_its_end_and_closes_the_gate_behind_it() {
        let (calls, mut meter) = (Arc::new(Calls::default()), Meter::new(Gate::new(100)));
        let waker = Waker::from(calls);
        let gate = meter.gate().clone();
        let large = message(1000, 50);
        for bytes in large.chunks(30) {
            assert!(gate.is_open(&waker));
            meter.feed(bytes);
        }
        // The next one begins.
        meter.feed(&message(1, 1000));
        assert!(!gate.is_open(&waker));
        gate.release(1000);
        assert!(gate.is_open(&waker));
    }
}
