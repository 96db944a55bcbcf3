//! What osel does outside: each action carries out one kind of command and returns its outcome.
//!
//! Actions never import each other, the sources or the store; the runtime hands them work and takes back what they saw.

pub mod build;
pub mod builtin;
pub mod scan;
pub mod scanner;
