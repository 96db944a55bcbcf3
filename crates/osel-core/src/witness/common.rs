//! Which checkpoint all witnesses of a log are asked about.
//!
//! While records come there is a checkpoint each second, and each witness asked for itself would cosign others than the next one: no checkpoint
//! would ever have two cosignatures. So one is taken for all, and the next one when that has had its time.

use super::client::ASK_EVERY_MICROS;
use crate::time::Timestamp;

/// The checkpoint of the present round.
#[derive(Clone, Copy, Debug, Default)]
pub struct Common {
    size: u64,
    began: Option<Timestamp>,
}

impl Common {
    /// The size of the checkpoint to ask about, of a log that has `newest` as its last: one that the others are asked about too, for as long as
    /// it takes until a witness may be asked again. A log without new checkpoints waits for nothing once it has one.
    pub fn of(&mut self, newest: u64, now: Timestamp) -> u64 {
        // A clock that was set back has no round wait for it.
        let lasts = self.began.is_some_and(|began| {
            u64::try_from(now.micros().saturating_sub(began.micros())).is_ok_and(|age| age < ASK_EVERY_MICROS)
        });
        if newest < self.size || (newest > self.size && !lasts) {
            (self.size, self.began) = (newest, Some(now));
        }
        self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_asked_about_one_checkpoint_until_its_time_is_over() {
        let mut common = Common::default();
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        assert_eq!(common.of(10, at(100)), 10);
        assert_eq!(common.of(20, at(103)), 10);
        assert_eq!(common.of(30, at(105)), 30);
        // What comes after a pause waits for nothing.
        assert_eq!(common.of(30, at(120)), 30);
        assert_eq!(common.of(31, at(121)), 31);
        assert_eq!(common.of(32, at(125)), 31);
        // A clock that goes back, and a store that was exchanged for a shorter one.
        assert_eq!(common.of(40, at(50)), 40);
        assert_eq!(common.of(7, at(51)), 7);
    }
}
