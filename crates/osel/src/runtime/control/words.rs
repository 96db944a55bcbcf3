//! What is said over the socket. It has words of its own: those of the journal may change with the engine.

use osel_core::engine::{ForwarderOrder, OperatorOrder, Order, Sought};
use osel_core::ids::Id;
use osel_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::quarantine::Replayed;
use super::import::Begin;

/// The most messages that one order takes out of quarantine: their numbers fit the line of an order, and what became of them the line of
/// an answer.
pub const REPLAY_IDS_MAX: usize = 64;

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
    /// The one who asks has read the trail.
    TrailRead {
        /// How: `search`, `show`, `export`.
        what: String,
        /// What was asked for.
        asked: String,
    },
    /// Messages are to be taken out of quarantine that can be read by now.
    ReplayQuarantined {
        /// Their numbers, at most [`REPLAY_IDS_MAX`].
        ids: Vec<u64>,
    },
    /// A forwarder is to go on behind a record.
    RewindForwarder {
        /// Its name.
        forwarder: String,
        /// The record; 0 for the beginning of the trail.
        seq: u64,
    },
    /// Dead letters of a forwarder are to be sent once more.
    ResendDeadLetters {
        /// Its name.
        forwarder: String,
        /// Those of this record; all where there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<u64>,
    },
    /// Dead letters of a forwarder are given up.
    DiscardDeadLetters {
        /// Its name.
        forwarder: String,
        /// Those of this record; all where there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<u64>,
    },
    /// A person is to be erased.
    ErasePerson {
        /// A user's id or name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// The address of a client, for what names nobody.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
        /// Why.
        reason: String,
    },
    /// An inventory comes, part by part, in lines of its own.
    ImportInventory(Begin),
}

impl Ask {
    /// The order of the engine that it is, given by that user; none of what is more than one.
    pub fn into_order(self, actor: String) -> Option<Order> {
        let what = match self {
            Self::ReplayQuarantined { .. } | Self::ImportInventory(_) => return None,
            Self::AckFinding { id, reason, until } => {
                OperatorOrder::AckFinding { id: Id::new(&id), reason, until }
            }
            Self::UnackFinding { id } => OperatorOrder::UnackFinding { id: Id::new(&id) },
            Self::CancelScan { id } => OperatorOrder::CancelScan { id: Id::new(&id) },
            Self::RewindForwarder { forwarder, seq } => {
                OperatorOrder::Forwarder { forwarder, what: ForwarderOrder::Rewind { seq } }
            }
            Self::ResendDeadLetters { forwarder, seq } => {
                OperatorOrder::Forwarder { forwarder, what: ForwarderOrder::Resend { seq } }
            }
            Self::DiscardDeadLetters { forwarder, seq } => {
                OperatorOrder::Forwarder { forwarder, what: ForwarderOrder::Discard { seq } }
            }
            Self::ErasePerson { user, address, reason } => {
                let sought = Sought { user, address };
                OperatorOrder::ErasePerson { user: None, reason, sought }
            }
            // Nobody reads for somebody else.
            Self::FindingsRead { seq } => {
                OperatorOrder::FindingsRead { consumer: format!("cli:{actor}"), seq }
            }
            Self::TrailRead { what, asked } => OperatorOrder::TrailRead { what, asked },
        };
        Some(Order { actor, what })
    }
}

/// The line of a daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// It is done and durable: the record of it, none where nothing was changed by it.
    Done(Option<u64>),
    /// What became of messages in quarantine, durable.
    Replayed(Vec<Replayed>),
    /// This part is taken: the next one may come.
    GoOn,
    /// It cannot be done: why.
    No(String),
    /// It is not taken, or it is not known what becomes of it: why.
    Refused(String),
}
