//! `osel doctor`: what of a cloud cannot be audited, and how to mend it.
//!
//! Two halves. [`gather`] asks (the bus, RabbitMQ's management interface, files of services, the store's database, the notifications of some seconds) and
//! fills [`Facts`]. `rules` judge: pure functions from facts to [`Verdict`]s, one file for each subject. A check that could not be made is a
//! verdict too, with the reason: nothing passes in silence.
//!
//! Nothing here changes anything: exchanges and queues are declared passively, no queue of others is consumed, and the only thing that is
//! ever made is an exclusive, bounded queue below `osel.doctor.` while somebody asked to listen. No secret leaves `gather`: facts hold
//! names, counts and settings.
//!
//! A new check is a variant of [`Id`] with its [`Card`] in `catalogue`, a rule, and the fact that it needs. A new subject
//! is a variant of [`Subject`], a file in `rules` with its line in [`judge`], and a file in `gather`.

mod catalogue;
mod facts;
pub mod gather;
mod heard;
mod id;
mod rules;
mod verdict;

pub use catalogue::{Card, Fix};
pub use facts::{
    Asked, Binding, Bus, BusUser, Connection, Consumer, Counts, Exchange, Facts, Management, Permission,
    Policy, Queue, ServiceFile, Store, TroveFile, User, Wanted,
};
pub use heard::Heard;
pub use id::{Id, Severity, Subject};
pub use rules::judge;
pub use verdict::{Report, State, Verdict};
