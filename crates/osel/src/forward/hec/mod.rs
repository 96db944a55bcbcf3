//! Splunk, by its HTTP Event Collector.
//!
//! `receiver` is what the forwarder sees; it has a request's `body` made, reads the `answer`, and keeps in `acks` what the indexers have
//! not said to have written yet. `cookies` lead a balancer back to the collector that knows our acknowledgements.

mod acks;
mod answer;
mod body;
mod cookies;
mod receiver;

pub use receiver::Hec;
