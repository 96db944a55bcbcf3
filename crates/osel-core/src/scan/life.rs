//! How far a command has come, as it is kept while it is under way and told to everybody who shows commands.

use serde::{Deserialize, Serialize};

use super::{LeftOut, ScanCommand, ScanEnd, ScanOutcome};
use crate::time::Timestamp;

/// How far a command has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScanState {
    /// Written down; whether a scanner was asked already nobody knows. One that works here may be at it: what is over
    /// within seconds is not told to run.
    Planned,
    /// The service has taken it; never said of a scanner that works here.
    Launched,
    /// The scanner is at it.
    Running,
    /// It has a result, which was judged.
    Judged,
    /// It has none.
    Failed,
    /// Somebody called it off.
    Cancelled,
    /// It took longer than it may.
    Expired,
}

impl ScanState {
    /// All, in the order of a life.
    pub const ALL: [Self; 7] = [
        Self::Planned,
        Self::Launched,
        Self::Running,
        Self::Judged,
        Self::Failed,
        Self::Cancelled,
        Self::Expired,
    ];

    /// The word of the store's column `state`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Launched => "launched",
            Self::Running => "running",
            Self::Judged => "judged",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// The state of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether nothing more will become of the command.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Planned | Self::Launched | Self::Running)
    }

    /// The state after a command ended so.
    pub fn after(end: &ScanEnd) -> Self {
        match end {
            ScanEnd::Finished => Self::Judged,
            ScanEnd::Failed(_) => Self::Failed,
            ScanEnd::Cancelled => Self::Cancelled,
            ScanEnd::Expired => Self::Expired,
        }
    }
}

/// A command with what has become of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanLife {
    /// The command.
    pub command: ScanCommand,
    /// How far it is.
    pub state: ScanState,
    /// What the scanner calls the scan, once it has taken it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What the scanner did not take.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// When the scanner had taken it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launched_at: Option<Timestamp>,
    /// When the scanner was seen to be at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_at: Option<Timestamp>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// What came of it, once it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<ScanOutcome>,
    /// Whether it is to be called off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cancelled: bool,
}

impl ScanLife {
    /// A command that was written down and no more.
    pub fn planned(command: ScanCommand) -> Self {
        Self {
            command,
            state: ScanState::Planned,
            reference: None,
            left_out: Vec::new(),
            launched_at: None,
            running_at: None,
            ended_at: None,
            outcome: None,
            is_cancelled: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_a_word_of_its_own() {
        for state in ScanState::ALL {
            assert_eq!(ScanState::from_word(state.as_str()), Some(state));
            assert_eq!(serde_json::to_value(state).expect("a word"), state.as_str());
        }
        assert_eq!(ScanState::from_word("fetched"), None);
    }
}
