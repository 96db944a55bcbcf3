//! The rules of an intake, each as a script of what happens and what is ordered: see [`script::check`].

mod batches;
mod connection;
mod ends;
mod gaps;
mod lines;
mod script;
