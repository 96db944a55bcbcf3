//! A simulated Nessus and Tenable Vulnerability Management.
//!
//! [`Nessus`] answers what a scanner's client asks of either product: sessions and keys, templates, policies, scanners, folders, scans and
//! their lives, reports in the format `nessus` (version 2). A scan advances with each question about its state, so that no test has to
//! wait. What is found is what [`Host`] says.
//!
//! What is absent: schedules, agents, credentials, filters, and every format of reports but one.

mod editor;
mod exports;
mod hosts;
mod options;
mod report;
mod scan;
mod service;

pub use hosts::{Host, Item};
pub use options::{Options, Product};
pub use scan::Scan;
pub use service::Nessus;
