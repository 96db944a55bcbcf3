//! Batches as objects of a store: one object each, complete or not there at all, under a name that says what is in it.
//!
//! What a store is and how it is asked is the affair of its [`Depot`]. Objects are never changed, moved or removed.

mod depot;
mod name;
mod pack;
mod parquet;
mod receiver;

pub(super) use depot::{Depot, Object};
pub(super) use receiver::ObjectReceiver;
