//! The asking: fills [`Facts`](super::Facts) from files, the bus, the management interface, the store's database and some seconds of listening.
//!
//! Nothing is judged here, and no secret is kept: passwords go into connections and end with them. What cannot be asked becomes the reason
//! why, and the rest is asked all the same.

mod bus;
mod files;
mod http;
mod ini;
mod listen;
mod management;
mod questions;
mod store;

pub use http::{Access, AccessError};
pub use questions::{Questions, gather};
