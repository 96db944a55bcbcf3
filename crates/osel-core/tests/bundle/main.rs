//! Bundles from outside: whatever is changed in one is found, and the right record is named.
//!
//! Each module is marked as a test once more, so that clippy lets helpers unwrap.

#[cfg(test)]
mod confirmed_is_good;
#[cfg(test)]
mod every_byte;
#[cfg(test)]
mod good;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod lines;
#[cfg(test)]
mod log;
#[cfg(test)]
mod random;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod witnesses;
