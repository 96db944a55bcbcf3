//! Tests of the shell from outside: real files, processes and sockets. One binary, so that it links once.
//!
//! Each module is marked as a test once more, so that clippy lets helpers unwrap.

#[cfg(test)]
mod store;
