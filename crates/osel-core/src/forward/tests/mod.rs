//! A forwarder by scripts, and by whatever may happen.

mod filter;
mod letters;
mod random;
mod script;
mod stories;
