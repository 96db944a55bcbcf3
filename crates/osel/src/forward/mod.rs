//! Where records are sent: one driver for each kind of receiver.
//!
//! A driver makes one attempt at what it is told and says what was answered. Which records are sent, when something is tried again and
//! what is given up is decided in the core (`osel_core::forward`).

pub mod amqp;
mod build;
pub mod chat;
pub mod file;
pub mod hec;
mod http;
pub mod kafka;
pub mod mail;
mod notice;
pub mod now;
mod objects;
pub mod otlp;
pub mod receiver;
mod s3;
mod swift;
pub mod syslog;
pub mod webhook;

pub use build::build;
pub use s3::s3;
pub use swift::swift;
