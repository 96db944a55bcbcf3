//! The life of findings, as scripts: what happens at one address, and what is told of it.

mod expected;
mod lives;
mod random;
mod readers;
mod script;
