//! The tap: a RabbitMQ message bus as a source.
//!
//! osel consumes from a queue of its own that is bound to the services' exchanges, so that nobody else's messages change. What
//! happens is told to `intake`, and what it orders is carried out here; when to acknowledge, to reconnect or to mend is never
//! decided in this module, and nothing is kept here that a crash could lose.
//!
//! `link` is the task of one source; what it is told and tells are the `words` of all sources. It connects by the crate's `amqp`, keeps
//! queue and bindings right by `topology` (what is known of each `exchange`, heard from the broker by `probe`; a `stray` is a binding that is
//! wanted no more), and turns deliveries into
//! messages by `message`.

mod exchange;
mod link;
mod message;
mod probe;
mod settings;
mod stray;
mod topology;

pub use link::run;
pub use message::Reader;
pub use probe::{Presence, Probe};
pub use settings::Settings;
pub use topology::Wanted;
