//! A simulated cloud: operations as the APIs would carry them out, the truth as the APIs would show it, and
//! the notifications the services would send, in the shapes of the chosen release.
//!
//! [`Cloud::step`] does something a user might do; single operations can be called by stories. What was sent
//! is taken with [`Cloud::drain`] and goes through [`crate::schedule`] to whatever listens; [`Cloud::state`]
//! is the truth for [`crate::judge`]. The cloud must never look at how `osel-core` understands its messages.
//!
//! What is absent: quotas, tags, trunks, FWaaS, Nova and Glance; the bodies' keys are in alphabetical order.

mod addresses;
mod floating;
mod groups;
mod identity;
mod networks;
mod policies;
mod ports;
mod release;
mod routers;
mod shape;
mod step;
mod wire;
mod world;

#[cfg(test)]
pub(crate) use addresses::{gets_none, own_address};
pub use release::{Release, UnknownRelease};
pub use wire::{Actor, Message};
pub use world::{Cloud, CloudOptions};

#[cfg(test)]
mod tests;
