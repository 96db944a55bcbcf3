//! What a driver is made with.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use osel_core::time::Timestamp;

use super::clouds::Cloud;

/// How many requests a second are sent when nobody says otherwise: a cloud of a hundred thousand ports is read in a minute, and no
/// Neutron that serves people notices.
pub const REQUESTS_PER_SECOND: NonZeroU32 = NonZeroU32::new(10).expect("it is not zero");

/// An account, and how it may be used.
#[derive(Clone, Debug)]
pub struct Account {
    /// Where and as whom.
    pub cloud: Cloud,
    /// How many requests a second are sent at most.
    pub requests_per_second: NonZeroU32,
    /// Whether a cloud may be asked whose file says that its certificate is not to be verified.
    pub insecure: bool,
}

/// What a driver is made with.
#[derive(Clone)]
pub struct Settings {
    /// The cloud's name in the log.
    pub name: Arc<str>,
    /// The account, read anew for each order, or why there is none: a changed password needs no restart. It may block.
    pub account: Arc<dyn Fn() -> Result<Account, String> + Send + Sync>,
    /// Whether Keystone's names are read too.
    pub names: bool,
    /// The time.
    pub clock: fn() -> Timestamp,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("name", &self.name)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}
