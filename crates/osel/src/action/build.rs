//! From a table of the configuration to the scanner it means.
//!
//! Nothing is connected to and no program is started here: a scanner that is away is one that says so when it is asked.

use std::error::Error;
use std::sync::Arc;

use super::builtin::{Builtin, ScanRates};
use super::command::Command;
use super::gmp::Gmp;
use super::local::Local;
use super::nessus::Nessus;
use super::nmap::Nmap;
use super::nuclei::Nuclei;
use super::open_ports::{OpenPorts, OpenPortsProgram};
use super::program::Confined;
use super::qualys::Qualys;
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
    let confined = Confined::default();
    Ok(match &config.kind {
        // Of the built-in one, nothing but the rates of `[scan]` can be set.
        ScannerKind::Builtin => Box::new(Builtin::new(rates, config.running_max)),
        ScannerKind::Nessus(first) | ScannerKind::Tenable(first) => {
            let first = first.clone();
            Box::new(Nessus::new(Arc::new(move || match now().kind {
                ScannerKind::Nessus(config) | ScannerKind::Tenable(config) => *config,
                // It has become something else, which the next start makes of it.
                _ => *first.clone(),
            })))
        }
        ScannerKind::Gmp(_) => Box::new(Gmp::new(now)),
        ScannerKind::Qualys(first) => Box::new(Qualys::new(config.name.clone(), (**first).clone(), now)),
        ScannerKind::Nmap(config) => Box::new(Local(Nmap::new((**config).clone(), confined))),
        ScannerKind::Command(config) => Box::new(Local(Command::new((**config).clone(), confined))),
        ScannerKind::Nuclei(config) => Box::new(Local(Nuclei::new((**config).clone(), confined))),
        ScannerKind::Naabu(config) => {
            Box::new(Local(OpenPorts::new(OpenPortsProgram::Naabu, (**config).clone(), confined)))
        }
        ScannerKind::Masscan(config) => {
            Box::new(Local(OpenPorts::new(OpenPortsProgram::Masscan, (**config).clone(), confined)))
        }
    })
}
