//! Records without persons: every text that points to one replaced by a pseudonym, the same one wherever that text stands.
//!
//! A view is made of a record that was read back (`engine::record`), before it becomes a line of any form: no form knows of it, and none
//! can forget it. Nothing here is stored or hashed, and nobody is looked up: whoever has the key finds out who a pseudonym is by
//! making the view of the same records once more and watching what became of whom.

mod key;
mod prose;
#[cfg(test)]
mod tests;
mod view;

pub use key::{About, KEY_BYTES, PseudonymKey};
pub use view::{pseudonymised, watched};
