//! Simulated scanners: services that an adapter of osel speaks with, each as its facts describe it, stateful and faithful in what it refuses.
//!
//! What their hosts have open is a table that the test gives.

pub mod gmp;
