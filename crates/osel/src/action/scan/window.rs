//! How many probes may be out to one address at once: a congestion window that goes wide for silence.
//!
//! A firewall that drops makes no sound, so silence alone is no sign of congestion, and waiting for each
//! silent probe in a narrow window is what makes scans of filtered addresses slow. The sign of congestion is
//! a retry that *is* answered: the first attempt got lost. So the window grows by answers as in TCP, grows
//! faster by silence as long as no loss was seen, and is halved, once per round, where one was.

use std::time::Instant;

/// Probes sent before anything is known: 30 KB of packets, what a few TCP connections starting together send.
const INITIAL: f64 = 512.0;
/// A window is never cut below this, so that one lossy address cannot hold up a scan for hours: as many
/// packets fill half of what a single TCP connection sends before its first acknowledgement.
const MIN: f64 = 128.0;
/// Additional probes per silent one: the window of a silent address quadruples per round.
const GROWTH_BY_SILENCE: f64 = 3.0;

#[derive(Debug)]
pub(super) struct Window {
    size: f64,
    /// Where growth by answers turns from doubling to one per round; also tells that a loss was seen.
    threshold: Option<f64>,
    /// Losses until then belong to the round that was already cut for.
    cut_until: Option<Instant>,
    max: f64,
}

impl Window {
    pub(super) fn new(max: usize) -> Self {
        let max = max as f64;
        Self { size: INITIAL.min(max), threshold: None, cut_until: None, max }
    }

    /// Whether one more probe may go while so many are out.
    pub(super) fn has_room(&self, in_flight: usize) -> bool {
        (in_flight as f64) < self.size
    }

    /// A probe was answered.
    pub(super) fn answered(&mut self) {
        let growth = match self.threshold {
            Some(threshold) if self.size >= threshold => 1.0 / self.size,
            _ => 1.0,
        };
        self.grow(growth);
    }

    /// A probe was not answered in time.
    pub(super) fn silent(&mut self) {
        if self.threshold.is_none() {
            self.grow(GROWTH_BY_SILENCE);
        }
    }

    /// A retry was answered where the attempt before it was not; the next round ends at `round_end`.
    pub(super) fn lost(&mut self, now: Instant, round_end: Instant) {
        if self.cut_until.is_some_and(|until| now < until) {
            return;
        }
        self.size = (self.size / 2.0).max(MIN).min(self.max);
        self.threshold = Some(self.size);
        self.cut_until = Some(round_end);
    }

    fn grow(&mut self, by: f64) {
        self.size = (self.size + by).min(self.max);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn room(window: &Window) -> usize {
        (0..).find(|&in_flight| !window.has_room(in_flight)).unwrap()
    }

    #[test]
    fn silence_widens_quickly_to_the_limit() {
        let mut window = Window::new(16_000);
        let mut rounds = 0;
        while room(&window) < 16_000 {
            for _ in 0..room(&window) {
                window.silent();
            }
            rounds += 1;
        }
        assert_eq!(rounds, 3);
    }

    #[test]
    fn a_loss_halves_once_per_round_and_ends_growth_by_silence() {
        let mut window = Window::new(10_000);
        let start = Instant::now();
        let second = Duration::from_secs(1);
        window.lost(start, start + second);
        window.lost(start + second / 2, start + second * 2);
        assert_eq!(room(&window), 256);
        window.silent();
        assert_eq!(room(&window), 256);
        for _ in 0..256 {
            window.answered();
        }
        assert_eq!(room(&window), 257);
        for round in 1..20 {
            window.lost(start + second * round, start + second * (round + 1));
        }
        assert_eq!(room(&window), 128);
    }

    #[test]
    fn a_small_limit_holds() {
        let mut window = Window::new(3);
        window.silent();
        window.answered();
        window.lost(Instant::now(), Instant::now());
        assert_eq!(room(&window), 3);
    }
}
