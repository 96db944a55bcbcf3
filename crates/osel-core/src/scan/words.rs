//! The words in which ports are asked for and answered.

use serde::{Deserialize, Serialize};

/// A transport protocol that can be probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// What one scan found at a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeState {
    /// Something answers.
    Open,
    /// The host says that nothing listens.
    Closed,
    /// Silence, or a refusal on the way.
    Filtered,
    /// UDP: silence, which may mean either.
    OpenFiltered,
    /// It was not probed.
    NotProbed,
}

impl ProbeState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Filtered => "filtered",
            Self::OpenFiltered => "open|filtered",
            Self::NotProbed => "not probed",
        }
    }
}
