//! What was seen, without a judgement and without secrets: names, counts, settings.

mod bus;
mod files;
mod management;
mod seen;
mod store;

pub use bus::{Bus, Counts, Wanted};
pub use files::{BusUser, ServiceFile, TroveFile};
pub use management::{
    BOUNDS, Binding, Connection, Consumer, DELIVERY_LIMIT, Exchange, Management, Permission, Policy, Queue,
    User,
};
pub use seen::{Asked, Facts};
pub use store::Store;
