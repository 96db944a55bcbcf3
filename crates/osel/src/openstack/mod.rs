//! The API of a cloud: Keystone and Neutron, asked as a second opinion. Never in the path of an event.
//!
//! `clouds` reads the account as OpenStack's own clients do. `driver` is the task that carries out the orders of `words`: it logs in
//! (`auth`) over the crate's `http`, finds the services in the `catalog`, asks within its `pace` as one `client`, and reads everything (`whole`) or
//! one object (`one`), `handing` it over in pages. `secret` reads one secret of Barbican, for whoever signs by it, and `objects` puts objects into Swift for a forwarder, both beside all orders. What is asked of Neutron stands in `neutron`, of Keystone in `keystone`, of Nova in `nova`; lists come by `pages`, whose answers
//! `cut` takes apart as they come. `view` judges whether what was shown is the whole cloud, and `reason` takes over what a service says of a refusal.
//!
//! Nothing here decides when to ask, and nothing of a cloud is changed: every request is a `GET`, but the one that logs in and those of `objects`.

mod assignments;
mod auth;
mod catalog;
mod client;
pub mod clouds;
mod cut;
mod driver;
mod handing;
mod keystone;
mod neutron;
mod nova;
mod objects;
mod one;
mod pace;
mod pages;
mod reason;
mod secret;
mod settings;
mod view;
mod whole;
pub mod words;

pub use driver::{PAGES_AHEAD, run};
pub use handing::PAGE_OBJECTS;
pub use neutron::is_everywhere;
pub use objects::{AccountNow, NewObject, ObjectError, ObjectStore, ObjectTrouble};
pub use secret::{SECRET_BYTES_MAX, SecretError, secret};
pub use settings::{Account, REQUESTS_PER_SECOND, Settings};
