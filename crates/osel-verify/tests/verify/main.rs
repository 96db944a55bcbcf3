//! Tests of `osel-verify` from outside.
//!
//! The module is marked as a test once more, so that clippy lets helpers unwrap.

#[cfg(test)]
mod program;
