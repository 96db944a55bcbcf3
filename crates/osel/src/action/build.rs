//! From a table of the configuration to the scanner it means.
//!
//! Nothing is connected to and no program is started here: a scanner that is away is one that says so when it is asked.

use std::error::Error;
use std::sync::Arc;

use super::builtin::{Builtin, ScanRates};
use super::scanner::Scanner;
use crate::config::{ScannerConfig, ScannerKind};

/// A scanner's table as the configuration has it now; as it was at the start where it cannot be read just now. It is asked for each order,
/// since passwords are exchanged while we run.
pub type ConfigNow = Arc<dyn Fn() -> ScannerConfig + Send + Sync>;

/// Why a scanner cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("scanner `{scanner}` cannot be made")]
pub struct BuildError {
    /// Its name.
    pub scanner: String,
    /// Why.
    pub source: Box<dyn Error + Send + Sync>,
}

/// The scanner of a table. `now` gives that table again.
///
/// # Errors
/// When something is missing that waiting does not bring.
pub fn build(
    config: &ScannerConfig,
    now: ConfigNow,
    rates: ScanRates,
) -> Result<Box<dyn Scanner>, BuildError> {
    // Of the built-in one, nothing but the rates of `[scan]` can be set.
    drop(now);
    Ok(match &config.kind {
        ScannerKind::Builtin => Box::new(Builtin::new(rates, config.running_max)),
    })
}
