//! Plans of Terraform and OpenTofu, as `show -json` prints them.
//!
//! `document` is the plan's form, `subject` one resource of it with what is known and what is not, `references` finds out what an
//! unknown value would come from, and the files below it say what each type of resource asks of Neutron. Values are never told: a plan
//! has secrets in clear.

mod compute;
mod document;
mod outer;
mod ports;
mod references;
mod security;
mod subject;
mod translate;

pub use translate::read_terraform;
