//! Simulated vulnerability scanners: services that take orders for scans, work at them for a while, and tell what they found.
//!
//! Each listens on 127.0.0.1 and answers as the real one was seen or is documented to answer, with its sessions, states, limits and
//! errors; what a scanned host has is a table that the test gives. Nothing is ever scanned.

pub mod gmp;
pub mod http;
mod mishap;
pub mod nessus;
pub mod qualys;

pub use mishap::{Mishap, Reply, What};
