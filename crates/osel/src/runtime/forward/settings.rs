//! What a forwarder is made of, and what the loop tells it.

use std::sync::Arc;

use osel_core::forward::Which;
use osel_core::names::Directory;
use tokio::sync::watch;

use crate::config::ForwardConfig;
use crate::forward::receiver::Receiver;
use crate::runtime::pseudonym_key::PseudonymSource;
use crate::store::{JournalError, Reader};

/// Opens the store for reading.
pub type ReaderAccess = Arc<dyn Fn() -> Result<Box<dyn Reader>, JournalError> + Send + Sync>;

/// Makes a forwarder's receiver. It connects to nobody, but may read files.
pub type ReceiverMaker = Arc<dyn Fn() -> Box<dyn Receiver> + Send + Sync>;

/// Names that were learnt so far, told anew now and then.
pub type Names = watch::Receiver<Arc<Directory>>;

/// What a forwarder is made of.
#[derive(Clone)]
pub struct ForwarderSettings {
    /// Its table.
    pub config: ForwardConfig,
    /// Who makes its receiver.
    pub receiver: ReceiverMaker,
    /// Whether scans of Qualys may follow from a record, which one of the older formats tells with it.
    pub awaits_scans: bool,
    /// Where the key is by whose pseudonyms persons are told; none where they are told by name.
    pub pseudonyms: Option<PseudonymSource>,
}

/// What the loop tells a forwarder.
#[derive(Clone, Debug)]
pub enum Steer {
    /// It goes on behind a record. What it tells of itself bears that number from then on: what it told before counts no more.
    Rewind {
        /// The record.
        seq: u64,
        /// The number.
        generation: u64,
    },
    /// Dead letters are sent once more.
    Resend(Which),
    /// Dead letters are given up.
    Discard(Which),
    /// The configuration was read again: what was wrong may be mended.
    Renewed,
    /// It ends in order.
    Stop,
}
