//! Which of thousands of sockets became ready: one waker per slot, all of them waking the one future of the
//! scan.
//!
//! Polling every socket at every wake-up would cost time in proportion to all probes that are out; a task per
//! probe would cost a task per probe. Here a socket's waker notes its slot, and the engine looks only at the
//! slots noted.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Wake, Waker};
use std::time::Instant;

use tokio::time::{Sleep, sleep_until};

/// The slots whose sockets became ready since they were last taken.
pub(super) struct Ready {
    shared: Arc<Shared>,
    timer: Pin<Box<Sleep>>,
}

#[derive(Default)]
struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    slots: Vec<usize>,
    task: Option<Waker>,
}

/// The waker of one slot.
pub(super) struct SlotWaker {
    slot: usize,
    noted: AtomicBool,
    shared: Arc<Shared>,
}

impl Ready {
    pub(super) fn new() -> Self {
        Self { shared: Arc::default(), timer: Box::pin(sleep_until(Instant::now().into())) }
    }

    /// The waker of a slot, for as long as the slot exists.
    pub(super) fn waker(&self, slot: usize) -> Arc<SlotWaker> {
        Arc::new(SlotWaker { slot, noted: AtomicBool::new(false), shared: Arc::clone(&self.shared) })
    }

    /// Moves the slots noted to `into`, without waiting.
    pub(super) fn take(&self, into: &mut Vec<usize>) {
        into.append(&mut self.shared.lock().slots);
    }

    /// Waits until a slot is noted or the time has come, then takes what there is.
    pub(super) async fn wait(&mut self, until: Instant, into: &mut Vec<usize>) {
        self.timer.as_mut().reset(until.into());
        poll_fn(|context| {
            let mut state = self.shared.lock();
            if !state.slots.is_empty() {
                into.append(&mut state.slots);
                return Poll::Ready(());
            }
            state.task = Some(context.waker().clone());
            drop(state);
            self.timer.as_mut().poll(context)
        })
        .await;
    }
}

impl SlotWaker {
    /// To be called before the slot's socket is looked at: what comes after is a new wake-up.
    pub(super) fn rearm(&self) {
        self.noted.store(false, Ordering::Release);
    }
}

impl Wake for SlotWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.noted.swap(true, Ordering::AcqRel) {
            return;
        }
        let task = {
            let mut state = self.shared.lock();
            state.slots.push(self.slot);
            state.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Whoever panicked while holding it left a list of numbers, which cannot be half-written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
