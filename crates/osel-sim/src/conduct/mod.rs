//! The life of a scan under fire: a scanner elsewhere that fails, and a process that is killed between any two steps.
//!
//! [`run`] plays one command with the real engine and the real conductor against a simulated scanner and a simulated store. A [`Plan`] says
//! at which boundaries the process is killed, which call fails and how, and when somebody calls the scan off; tests try all of them.
//! Whatever happens, one scan was made at the scanner, its end was judged once, and nothing is left there.

mod process;
mod remote;
mod run;

#[cfg(test)]
mod tests;

pub use run::{Fault, Plan, Report, run};
