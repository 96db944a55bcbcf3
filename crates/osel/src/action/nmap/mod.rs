//! nmap, the program: TCP and UDP of exactly the ports that are wanted, with the services behind them.
//!
//! [`Nmap`] makes runs of an order (one family of addresses, one transport and one set of ports each), `answer` reads the XML of one run.
//! Addresses go to nmap on its standard input, ports as numbers; nothing that a tenant wrote becomes an argument. With the right to make
//! packets of its own (`CAP_NET_RAW`), nmap does half-open scans and UDP; without it, it connects, and UDP is not probed.

mod answer;
mod scan;
#[cfg(test)]
mod tests;

pub use answer::{Answer, AnswerError, HostAnswer, read};
pub use scan::Nmap;
pub(in crate::action) use scan::take;
