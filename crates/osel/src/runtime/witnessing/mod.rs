//! The log shown to witnesses: one task for each, which asks, keeps what was cosigned, and raises the alarm.
//!
//! When is asked, and what an answer means, is decided in the core (`osel_core::witness`); how is asked is the driver's affair. A task reads the
//! store beside the loop, which only hears of what is to be kept and of alarms: no witness holds up anything.

mod say;
mod task;

use std::sync::Arc;

use osel_core::time::Timestamp;
use osel_core::trail::log::VerifierKey;
use osel_core::witness::{Alarm, ClientStatus};

use crate::config::WitnessConfig;
use crate::store::{JournalError, Reader, WitnessedRow};

pub use task::{Shared, Tell, Watch, first_look};

/// Opens the store for reading, as it is named now.
pub type OpenReader = Arc<dyn Fn() -> Result<Box<dyn Reader>, JournalError> + Send + Sync>;

/// A witness and what its task needs.
pub struct WitnessSettings {
    /// How it was configured at the start; its key stays the same.
    pub config: WitnessConfig,
    /// How it is configured now: it may have moved.
    pub now: Arc<dyn Fn() -> Option<WitnessConfig> + Send + Sync>,
    /// The store.
    pub open: OpenReader,
    /// The system's clock.
    pub clock: fn() -> Timestamp,
}

/// How a witness does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessStatus {
    /// Which.
    pub key: VerifierKey,
    /// How far it has come.
    pub client: ClientStatus,
}

/// What a task tells.
#[derive(Clone, Debug)]
pub enum WitnessEvent {
    /// How it does.
    Status(WitnessStatus),
    /// It has cosigned: to be kept.
    Cosigned(WitnessedRow),
    /// The log is not what it has seen.
    Alarm(VerifierKey, Alarm),
}
