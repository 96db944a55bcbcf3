//! `[[scanner]]`: who scans, and with what each is reached.
//!
//! Each type of scanner is one file here, with its keys, their reading and what such a scanner can do ([`Type`]); `table` reads what all
//! have in common. What a scanner is asked, and when, stands elsewhere.

mod builtin;
mod kind;
mod table;

pub(super) use kind::types;
pub use kind::{Abilities, ScannerKind};
pub use table::ScannerConfig;
pub(super) use table::scanners;
