//! Real RabbitMQ, real PostgreSQL and real oslo.messaging for tests, each server private to its test; and ways to break what lies between.
//!
//! A [`Broker`] (or a [`Cluster`]) runs below a directory of its own on loopback ports of its own. A [`Publisher`] is oslo.messaging's
//! notifier; a [`Client`] speaks AMQP directly, for volume and for looking. A [`Proxy`] stands between osel and a broker and breaks.
//! Nothing here may outlive its test: see `ground`.
//!
//! **A test that starts a broker lives below this module**: `.config/nextest.toml` runs those one at a time, since each start costs
//! both cores for seconds. A few tests that do much with one broker are better than many.
//!
//! Debian 12 has RabbitMQ 3.10: quorum queues and streams are there; `x-delivery-limit: -1`, the delivery limit by default, and
//! refused non-durable queues came with RabbitMQ 4, and classic queues can still be mirrored.

mod certificates;
mod client;
mod cluster;
mod control;
mod doctor;
mod forward;
mod ground;
mod harness;
mod node;
#[expect(dead_code, reason = "the tests inside the crate use the rest of it")]
#[path = "../../support/postgres.rs"]
mod postgres;
mod proxy;
mod publisher;
mod run;

pub use certificates::Certificates;
pub use client::{Client, Fate};
pub use cluster::{Broker, Cluster};
pub use control::Binding;
pub use ground::{free_port, until};
pub use node::{Node, Options, Tls};
pub use postgres::{Postgres, give};
pub use proxy::Proxy;
pub use publisher::{Notification, Publisher, PublisherOptions, Release, beside, python};
pub use run::Disk;
