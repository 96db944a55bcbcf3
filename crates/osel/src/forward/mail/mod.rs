//! People, by mail: SMTP.
//!
//! `receiver` is what the forwarder sees; `letter` writes a message, `handing` hands it to a server, over a connection that `wire`
//! makes, and `reached` knows who has it.

mod handing;
mod letter;
mod reached;
mod receiver;
mod wire;

pub use receiver::Mail;
