//! Where messages come from. A source hands over bytes with where they came from; what they mean is the core's to say.

pub mod decoding;
pub mod file;
pub mod inventory;
mod line;
pub mod place;
pub mod rabbitmq;
pub mod recording;
pub mod salts;
pub mod words;
