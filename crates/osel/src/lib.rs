//! The doing half of osel: sources, actions, store, runtime and command line around `osel-core`, which decides.

pub mod action;
pub mod amqp;
pub mod cli;
pub mod config;
pub mod doctor;
pub mod forward;
pub mod http;
pub mod key_file;
pub mod openstack;
pub mod planned;
pub mod runtime;
pub mod sarif;
pub mod source;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod web;
pub mod witness;
