//! Plans of Terraform and OpenTofu, as `show -json` prints them.
//!
//! `document` is the plan's form (and `unique` how its objects are read), `schema` that of each type's values, `subject` one resource with what is known of it and what is not,
//! `references` finds out what an unknown value would come from and `known` what else it may be, and the files beside say what each type of resource asks of Neutron. Values are never told: a plan
//! has secrets in clear.

mod compute;
mod document;
mod known;
mod outer;
mod ports;
mod references;
mod schema;
mod security;
mod subject;
mod translate;
mod unique;

pub use translate::read_terraform;
