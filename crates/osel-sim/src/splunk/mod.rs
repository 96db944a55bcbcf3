//! A simulated Splunk: its HTTP Event Collector, with the indexer behind it.
//!
//! It takes events and lines as the collector is documented to take them, with its tokens, indexes, channels, acknowledgements and all its
//! codes, and is brought down as a machine is: what the indexer has not written is gone then, and so is what it would have acknowledged.
//! Nothing is searched here; what has been taken is a list.

mod collector;
mod event;
mod options;

pub use collector::{Indexed, Splunk};
pub use options::{Options, Token};
