//! What is logged of a witness.

use osel_core::pace::{Ongoing, Severity};
use osel_core::trail::log::KeyName;
use osel_core::witness::{WitnessLine, WitnessWhy};

/// Writes a line of the state machine; `detail` is what was said last.
pub(super) fn line(witness: &KeyName, line: &WitnessLine, detail: &str) {
    let witness = witness.as_str();
    // The level is part of a line's constant description.
    macro_rules! say {
        ($($rest:tt)*) => {
            match line.severity() {
                Severity::Error => tracing::error!(witness, $($rest)*),
                Severity::Warn => tracing::warn!(witness, $($rest)*),
                Severity::Info => tracing::info!(witness, $($rest)*),
            }
        };
    }
    match line {
        WitnessLine::Witnessed(size) => say!(size, "the log is witnessed"),
        WitnessLine::Began(Ongoing { why, .. }) => say!(trouble = trouble(*why), detail, "trouble began"),
        WitnessLine::Ended(Ongoing { why, since, count }) => {
            say!(trouble = trouble(*why), %since, count, "trouble ended");
        }
        WitnessLine::Unsteady(Ongoing { why, since, .. }) => {
            say!(trouble = trouble(*why), %since, detail, "trouble comes and goes");
        }
        WitnessLine::Steady(Ongoing { why, since, count }) => {
            say!(trouble = trouble(*why), %since, count, "steady again");
        }
        WitnessLine::Still(Ongoing { why, since, count }) => {
            say!(trouble = trouble(*why), %since, count, detail, "trouble goes on");
        }
    }
}

fn trouble(why: WitnessWhy) -> &'static str {
    match why {
        WitnessWhy::Unavailable => "the witness is away",
        WitnessWhy::Refused => "the witness and we do not know each other",
        WitnessWhy::Garbled => "the witness cannot be understood",
        WitnessWhy::Unproved => "the store proves nothing",
        WitnessWhy::Disputed => "the witness disputes the log, and has signed nothing that does",
    }
}
