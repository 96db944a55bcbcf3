//! An emulated Keystone v3, Neutron v2.0 and, where the cloud has load balancers, Octavia v2 over a simulated cloud, for tests and for whoever wants to try a client.
//! Where the cloud has servers, there is as much of a Nova v2.1 as lists their names; where secrets are given, as much of a Barbican v1 as
//! gives them out.
//!
//! [`Emulated`] listens on 127.0.0.1 and answers as the real services were seen to answer: pages, filters, scopes, roles, and the shapes
//! of errors. It can be told to fail in every way in which services and the network before them do ([`Fault`]), and counts what it was
//! asked. The [`Cloud`] behind it is an inventory that may be changed while it is served, or a generated cloud whose objects are
//! written when somebody asks for them, so that a million ports need no gigabytes.
//!
//! What is absent: everything that changes the cloud by the API, sorting by anything but the id, policies beyond a few roles, trusts,
//! federation, `effective` role assignments, members of user groups.

mod accounts;
mod answer;
mod authenticate;
mod cloud;
mod collections;
mod compute;
mod fault;
mod identity;
mod key_manager;
mod network;
mod options;
mod query;
mod request;
mod rows;
mod server;
mod state;
mod tokens;

pub use accounts::{Account, Credential, Grant, Scope};
pub use cloud::Cloud;
pub use fault::{Fault, UnknownFault, What};
pub use key_manager::Secret;
pub use options::Options;
pub use server::{Emulated, Start};

#[cfg(test)]
mod tests;
