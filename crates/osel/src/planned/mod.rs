//! What a planned change would do to the exposure: a plan is read, applied to a copy of the model, and judged.
//!
//! `requests` reads bodies of Neutron's API and `terraform` plans of Terraform and OpenTofu; both give [`Step`]s. [`Overlay`] performs
//! them as Neutron would (`neutron` and `addresses` fill in what a request leaves to it, `rule` and `keys` know what it does not take)
//! and merges the result on the way that events and API answers take, so that there is one notion of a row. [`Outcome`] is what came of
//! it, [`Report`] says it in JSON, [`sarif`] to code scanners.
//!
//! Nothing here reads files, writes a store or asks an API. What cannot be known before the change is made is said in a [`Note`], and
//! judged so that what may be open counts as open.

mod addresses;
mod error;
mod growth;
mod guide;
mod keys;
mod neutron;
mod note;
mod outcome;
mod overlay;
mod place;
mod report;
mod requests;
mod rule;
mod sarif;
mod step;
mod terraform;

pub use error::PlanError;
pub use growth::ChangedMembers;
pub use note::{Note, NoteKind};
pub use outcome::{ChangedRow, Hidden, Outcome, PATHS_MAX, ShownRow, Way};
pub use overlay::Overlay;
pub use report::Report;
pub use requests::read_requests;
pub use sarif::{Artifact, sarif};
pub use step::{Act, Body, Interface, Planned, STEPS_MAX, Step};
pub use terraform::read_terraform;

/// The longest plan that is read. A plan of ten thousand resources has some 50 MB.
pub const PLAN_BYTES_MAX: u64 = 256 << 20;
