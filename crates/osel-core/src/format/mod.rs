//! The forms in which records leave: for programs of others and for people who have dashboards on them.
//!
//! Everything here is made anew of a record that was read back (`engine::record`) and is never hashed. Nothing is decided here: what a
//! record says was decided when it was made, and who is sent it is decided by `forward`.

mod kind;
mod severity;

pub use kind::Format;
pub use severity::Severity;
