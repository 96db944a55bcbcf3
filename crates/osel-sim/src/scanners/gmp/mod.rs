//! A simulated Greenbone manager (gvmd) that speaks GMP over a unix socket or TLS, for tests and for whoever wants to try a client.
//!
//! [`Gvmd`] keeps port lists, targets, tasks and reports as gvmd does: names of the first two are unique and those of tasks are not, what
//! is in use is not deleted, a task takes its way from `New` to `Done` by being asked after, and a restart leaves `Interrupted` behind.
//! It can be told to fail in every way in which the service and the line before it do ([`Fault`]), and tells a hook of each request, so that a
//! test can end its client there.
//!
//! What is absent: everything that osel does not ask for, such as schedules, alerts, overrides, assets, roles and the feed.

mod catalog;
mod command;
mod create;
mod fault;
mod hosts;
mod options;
mod report;
mod server;
mod state;
mod xml;

pub use fault::{Fault, What};
pub use hosts::{Fate, Host, Weakness};
pub use options::Options;
pub use server::{Gvmd, Moment, Place};
pub use state::Status;

#[cfg(test)]
mod tests;
