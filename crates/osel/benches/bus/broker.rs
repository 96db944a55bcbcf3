//! Real brokers, as the tests have them.

#[path = "../../tests/it/broker/certificates.rs"]
mod certificates;
#[path = "../../tests/it/broker/client.rs"]
mod client;
#[path = "../../tests/it/broker/cluster.rs"]
mod cluster;
#[path = "../../tests/it/broker/control.rs"]
mod control;
#[path = "../../tests/it/broker/ground.rs"]
mod ground;
#[path = "../../tests/it/broker/node.rs"]
mod node;

pub use client::Client;
pub use cluster::Broker;
pub use ground::until;
