//! A forwarder's table as it is written now: secrets are exchanged while we run.

use std::sync::Arc;

use crate::config::ForwardConfig;

/// A forwarder's table as the configuration has it now; as it was at the start where it cannot be read just now. It reads files, so it
/// blocks; it is asked when a receiver is reached anew.
pub type ConfigNow = Arc<dyn Fn() -> ForwardConfig + Send + Sync>;
