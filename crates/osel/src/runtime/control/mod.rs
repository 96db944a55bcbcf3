//! Orders of people to a daemon that runs: a unix socket beside the store, over which a command of the same machine says one thing.
//!
//! Who may write to the socket's file may give orders, and who gives one is known by the kernel's word, not by the command's. One line of
//! JSON goes in and one comes out; what is too long, too slow or not understood is refused before the loop hears of it. The order itself is
//! handled in `service`, between other things that happen, and answered once its record is durable. Only an inventory takes more than a line:
//! it comes in parts, each of which is answered before the next (`import`).

pub mod accounts;
pub mod client;
pub mod import;
mod line;
pub mod place;
pub mod server;
#[cfg(test)]
mod tests;
mod words;

pub use words::{Answer, Ask, REPLAY_IDS_MAX, Request};
