//! How fast a cloud is asked: one request after another, never more in a second than was said.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Shared by all that ask one cloud.
#[derive(Debug)]
pub(super) struct Pace {
    /// When the next request may go.
    next: Mutex<Instant>,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { next: Mutex::new(Instant::now()) }
    }

    /// Waits for this request's turn.
    pub(super) async fn turn(&self, per_second: NonZeroU32) {
        sleep_until(self.place(per_second, Instant::now())).await;
    }

    /// The time of the next free place, which is then taken.
    fn place(&self, per_second: NonZeroU32, now: Instant) -> Instant {
        // What is kept is one point in time: it is right whoever panicked.
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (*next).max(now);
        *next = place + Duration::from_secs(1) / per_second.get();
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_keep_their_distance_and_what_was_not_used_is_not_saved_up() {
        let (pace, four) = (Pace::new(), NonZeroU32::new(4).unwrap());
        let start = Instant::now() + Duration::from_secs(10);
        let places: Vec<Duration> = (0..5).map(|_| pace.place(four, start) - start).collect();
        assert_eq!(places.iter().map(Duration::as_millis).collect::<Vec<_>>(), [0, 250, 500, 750, 1000]);
        let later = start + Duration::from_secs(60);
        assert_eq!(pace.place(four, later), later);
        assert_eq!(pace.place(four, later), later + Duration::from_millis(250));
    }
}
