//! The receiver `syslog`: a syslog server over TLS, TCP or UDP, or this machine's own by its socket.
//!
//! `message` writes messages, `line` is what they travel over, `receiver` is what is asked. No protocol of syslog says that a message
//! arrived. Over a stream a batch counts as delivered once the connection has stood for a while after it and the other side's TCP has
//! acknowledged it (`acknowledged`); what was sent shortly before the connection broke is sent again under the same id. A datagram is gone
//! with its sending.

mod acknowledged;
mod fault;
mod line;
mod message;
mod receiver;

#[cfg(test)]
mod tests;

pub use receiver::SyslogReceiver;
