//! What is said over the socket. It has words of its own: those of the journal may change with the engine.

use osel_core::engine::{OperatorOrder, Order};
use osel_core::ids::Id;
use osel_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The line of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The id of the store that is meant: another daemon may listen at the same place.
    pub store: String,
    /// What is wanted of it.
    pub order: Ask,
}

/// What a person may ask of a daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Ask {
    /// A finding is known and let be.
    AckFinding {
        /// Which.
        id: String,
        /// Why.
        reason: String,
        /// Until when; for ever when there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// It is not let be any more.
    UnackFinding {
        /// Which.
        id: String,
    },
    /// A scan is to be called off.
    CancelScan {
        /// The command's id.
        id: String,
    },
    /// The one who asks has read the findings as of a record.
    FindingsRead {
        /// The last record of the store that was read.
        seq: u64,
    },
}

impl Ask {
    /// The order of the engine that it is, given by that user.
    pub fn into_order(self, actor: String) -> Order {
        let what = match self {
            Self::AckFinding { id, reason, until } => {
                OperatorOrder::AckFinding { id: Id::new(&id), reason, until }
            }
            Self::UnackFinding { id } => OperatorOrder::UnackFinding { id: Id::new(&id) },
            Self::CancelScan { id } => OperatorOrder::CancelScan { id: Id::new(&id) },
            // Nobody reads for somebody else.
            Self::FindingsRead { seq } => {
                OperatorOrder::FindingsRead { consumer: format!("cli:{actor}"), seq }
            }
        };
        Order { actor, what }
    }
}

/// The line of a daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// It is done and durable: the record of it, none where nothing was changed by it.
    Done(Option<u64>),
    /// It cannot be done: why.
    No(String),
    /// It is not taken, or it is not known what becomes of it: why.
    Refused(String),
}
