//! What osel does outside: each action carries out one kind of command and returns its outcome.
//!
//! Actions never import each other, the sources or the store; the runtime hands them work and takes back what they saw.

pub mod build;
pub mod builtin;
pub mod command;
pub mod gmp;
pub mod local;
pub mod nessus;
pub mod nmap;
pub mod nuclei;
pub mod open_ports;
pub mod program;
pub mod qualys;
pub mod scan;
pub mod scanner;
pub mod xml;
