//! Any program as a scanner: it is given addresses, and answers in a form that is known.
//!
//! [`Command`] makes runs of an order and fills in arguments; `lines` and `sarif` read what it says, nmap's XML is read as nmap's. Only
//! addresses and numbers are filled in, never a text that a tenant wrote, and no shell sees them.

mod fill;
pub(in crate::action) mod lines;
pub(in crate::action) mod sarif;
mod scan;

pub use scan::Command;
