//! What a conductor does, by scripts.

mod random;
mod script;
mod stories;
