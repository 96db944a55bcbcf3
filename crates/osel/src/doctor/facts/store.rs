//! How osel's store keeps what it has acknowledged.

use crate::store::Durability;

/// A store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// What it is called, without a password.
    pub name: String,
    /// What its database is set up to lose; none for a store in a directory, which is no server's.
    pub database: Option<Durability>,
}
