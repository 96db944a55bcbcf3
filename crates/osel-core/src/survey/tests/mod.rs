//! What a survey orders and when: scripts, and drivers that do anything.

mod failures;
mod looks;
mod random;
mod reads;
mod script;
