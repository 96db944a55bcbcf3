//! Where messages come from. A source hands over bytes with where they came from; it never decodes them.

pub mod inventory;
pub mod recording;
