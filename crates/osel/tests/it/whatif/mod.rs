//! What planned changes would do: in the words of Terraform and of Neutron's API, against a small cloud.
//!
//! `shapes.terraform.json` was made by Terraform 1.11.4 from resources that come with it (`terraform_data`), for the shapes of counts,
//! keys, modules and locals. The provider of OpenStack was not at hand: its resources are written here as its schemas and the rules of
//! its library say.

#![allow(
    clippy::needless_pass_by_value,
    reason = "values are written where they are passed, and stay readable there"
)]

mod addresses;
mod command;
mod corpus;
mod ground;
mod hostile;
mod known;
mod port_security;
mod refused;
mod requests;
mod server;
mod terraform;
mod traps;
mod unclear;
