//! What the task of a source has to know.

use std::sync::Arc;
use std::time::Duration;

use osel_core::time::Timestamp;
use tokio::time::Instant;

use super::exchange::Now;
use super::topology::Wanted;
use crate::amqp::Address;

/// What a source needs to know.
#[derive(Clone)]
pub struct Settings {
    /// The source's name.
    pub source: Arc<str>,
    /// The region it belongs to.
    pub region: Option<Arc<str>>,
    /// What has to be in place.
    pub wanted: Wanted,
    /// The longest time for a connection to stand, and for a look at the broker.
    pub connect_time: Duration,
    /// The address of a host by its index, and how many there are; asked for each attempt, since passwords change and hosts are added.
    pub address: Arc<dyn Fn(usize) -> AddressNow + Send + Sync>,
    /// The system's clock.
    pub clock: fn() -> Timestamp,
}

/// An address and how many hosts there are, or why there is none just now.
pub type AddressNow = Result<(Address, usize), String>;

impl Settings {
    /// The present moment, by the clock that people read and by one that is never set.
    pub(super) fn now(&self) -> Now {
        Now { time: (self.clock)(), moment: Instant::now() }
    }
}
