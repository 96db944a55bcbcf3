//! A connection to a broker of AMQP 0-9-1: name, TCP, TLS, login, and the bounds that the client library does not have.
//!
//! It connects once, by `dial` (TLS by the crate's `tls`, AMQP by the library, which reads from our `socket`). The `gate` bounds the bytes
//! that are held, and the `guard` takes from what comes in what the library cannot bear. What is said over the connection, and when one is
//! tried again, is the affair of whoever dials.

mod dial;
mod gate;
mod guard;
mod socket;

pub use dial::{Address, DialError, dial, trouble_of};
pub use gate::Keeper;
