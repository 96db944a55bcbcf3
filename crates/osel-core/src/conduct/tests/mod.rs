//! What a conductor does, by scripts.

mod script;
mod stories;
