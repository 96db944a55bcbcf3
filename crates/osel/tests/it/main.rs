//! Tests of the shell from outside: real files, processes and sockets. One binary, so that it links once.
//!
//! Each module is marked as a test once more, so that clippy lets helpers unwrap.

#[cfg(test)]
mod command;
#[cfg(test)]
mod delta;
#[cfg(test)]
mod order;
#[cfg(test)]
mod scan;
#[cfg(test)]
mod store;
#[cfg(test)]
mod trail;
#[cfg(test)]
mod truth;
#[cfg(test)]
mod wide;
