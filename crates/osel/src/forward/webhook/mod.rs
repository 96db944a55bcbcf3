//! Any receiver that takes requests over HTTP: a webhook.
//!
//! `receiver` is what the forwarder sees; it has a request's `body` made, by a `template` where there is one, and signs it (`sign`).

mod body;
mod receiver;
mod sign;
mod template;

pub use body::unfilled;
pub use receiver::Webhook;
