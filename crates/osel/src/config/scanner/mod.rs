//! `[[scanner]]`: who scans, and with what each is reached.
//!
//! Each type of scanner is one file here, with its keys, their reading and what such a scanner can do ([`Type`]); `table` reads what all
//! have in common. What a scanner is asked, and when, stands elsewhere.

mod builtin;
mod command;
mod gmp;
mod kind;
mod nessus;
mod nessus_keys;
mod nmap;
mod others;
mod program;
mod qualys;
mod table;
mod tenable;

pub use command::{CommandConfig, CommandFormat, CommandInput, Per};
pub use gmp::{GmpAddress, GmpConfig};
pub(super) use kind::types;
pub use kind::{Abilities, ScannerKind};
pub use nessus::{CoveredPorts, NessusConfig, NessusLogin, NessusProduct};
pub use nmap::{NmapConfig, Technique};
pub use others::{NucleiConfig, RatedConfig};
pub use program::ProgramConfig;
pub use qualys::{QualysAppliance, QualysConfig, QualysProfile, QualysVersions};
pub use table::ScannerConfig;
pub(super) use table::scanners;
