//! What state machines that reach outside have in common: time that never goes back, waits that grow, troubles told in few lines.
//!
//! Nothing here knows what is reached, and there is no clock: times come with the inputs of whoever uses it.

mod breaker;
mod clock;
#[cfg(test)]
pub(crate) mod script;
mod spaced;
mod trouble;

pub(crate) use breaker::Breaker;
pub(crate) use clock::{Clock, Moment};
pub use spaced::Spaced;
pub use trouble::Ongoing;
pub(crate) use trouble::{Trouble, Turn, Wrong};

/// How long something must have gone well before it counts as well (contract §2.3: a stable minute).
pub const STEADY_MICROS: u64 = 60_000_000;
/// The time between two reminders, however many attempts were made in between (contract §2.3).
pub const REMINDER_MICROS: u64 = 600_000_000;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// A change of state as it should be.
    Info,
    /// Odd; it recovered or will.
    Warn,
    /// Evidence was lost, or somebody has to act.
    Error,
}

/// A wait that doubles with each failure before, up to a cap.
pub(crate) fn doubled(base: u64, times: usize, cap: u64) -> u64 {
    let factor = u32::try_from(times).ok().and_then(|times| 1_u64.checked_shl(times)).unwrap_or(u64::MAX);
    base.saturating_mul(factor).min(cap)
}

/// A share of a span, drawn by 64 random bits from the whole of it; less than the span.
pub(crate) fn drawn(span: u64, chance: u64) -> u64 {
    let drawn = (u128::from(span) * u128::from(chance)) >> 64;
    // Less than `span`, which is 64 bits wide.
    u64::try_from(drawn).unwrap_or(span)
}
