//! From a table of the configuration to the receiver it means.
//!
//! Nothing is connected to and no file is opened here: a receiver that is away is one that says so when it is sent something.

use std::error::Error;

use super::file::FileReceiver;
use super::receiver::Receiver;
use super::syslog::SyslogReceiver;
use crate::config::{ForwardConfig, ReceiverConfig};

/// Why a receiver cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("forwarder `{forwarder}` cannot be made")]
pub struct BuildError {
    /// Its name.
    pub forwarder: String,
    /// Why.
    pub source: Box<dyn Error + Send + Sync>,
}

/// The receiver of a table.
///
/// # Errors
/// When something is missing that waiting does not bring.
pub fn build(config: &ForwardConfig) -> Result<Box<dyn Receiver>, BuildError> {
    Ok(match &config.receiver {
        ReceiverConfig::File(config) => Box::new(FileReceiver::new((**config).clone())),
        ReceiverConfig::Syslog(config) => Box::new(SyslogReceiver::new(config)),
    })
}
