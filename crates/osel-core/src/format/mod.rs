//! The forms in which records leave: for programs of others and for people who have dashboards on them.
//!
//! Everything here is made anew of a record that was read back (`engine::record`) and is never hashed. Nothing is decided here: what a
//! record says was decided when it was made, and who is sent it is decided by `forward`.

mod cadf;
mod cadf_text;
mod cef;
mod ecs;
mod fit;
mod kind;
mod ocsf;
mod ocsf_class;
mod osel_1_1;
mod severity;
mod severity_of;
mod subject;
#[cfg(test)]
pub(crate) mod tests;
mod told;

pub use cadf_text::cadf_text;
pub use fit::{LINE_BYTES_MAX, ROWS_LISTED_MAX, harmless, line_ends_escaped};
pub(crate) use fit::{cut_text, one_line};
pub use kind::Format;
pub(crate) use ocsf::row_id;
pub use osel_1_1::{NOT_SCANNED, Osel11Line, Osel11Scan, SOURCE_TYPE, osel_1_1};
pub use severity::Severity;
pub use subject::{Subject, line_id, render};
