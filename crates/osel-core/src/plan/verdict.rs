//! What a found state means beside what was expected.

use crate::scan::ProbeState;

/// What a found state means beside what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScanVerdict {
    /// Exposed and answering, or not exposed and silent.
    AsPredicted,
    /// Exposed, but nothing answers there.
    NotAnswering,
    /// It answers though no rule admits it: a broken agent, a way around, or the model is wrong.
    OpenThoughNotExposed,
    /// The probe says nothing, or was not made.
    Unknown,
}

impl ScanVerdict {
    /// The words of the trail.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AsPredicted => "as predicted",
            Self::NotAnswering => "not answering",
            Self::OpenThoughNotExposed => "open though not exposed",
            Self::Unknown => "unknown",
        }
    }

    /// The verdict on one port.
    pub fn of(exposed: bool, found: ProbeState) -> Self {
        match (exposed, found) {
            (true, ProbeState::Open) | (false, ProbeState::Closed | ProbeState::Filtered) => {
                Self::AsPredicted
            }
            (true, ProbeState::Closed | ProbeState::Filtered) => Self::NotAnswering,
            (false, ProbeState::Open) => Self::OpenThoughNotExposed,
            (_, ProbeState::OpenFiltered | ProbeState::NotProbed) => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        use ProbeState::{Closed, Filtered, NotProbed, Open, OpenFiltered};
        for (exposed, found, words) in [
            (true, Open, "as predicted"),
            (true, Closed, "not answering"),
            (true, Filtered, "not answering"),
            (false, Open, "open though not exposed"),
            (false, Closed, "as predicted"),
            (true, OpenFiltered, "unknown"),
            (false, NotProbed, "unknown"),
        ] {
            assert_eq!(ScanVerdict::of(exposed, found).as_str(), words);
        }
    }
}
