//! Scanning services of others, simulated: each answers as the real one was seen to, and fails as it does.

pub mod qualys;
