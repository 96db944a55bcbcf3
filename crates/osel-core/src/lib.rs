//! The deciding half of osel: bytes in, records and commands out.
//!
//! Nothing here does I/O, asks a clock or draws a random number: what happens is an argument, what is to be done is a value.
//! The way of one event: `decode` → `model` → `exposure` → `plan` → `trail`, all of it on one page in `engine`.

pub mod conduct;
pub mod decode;
pub mod engine;
pub mod event;
pub mod exposure;
pub mod finding;
pub mod format;
pub mod forward;
pub mod ids;
pub mod intake;
pub mod model;
pub mod names;
pub mod notice;
pub mod pace;
pub mod plan;
pub mod pseudonym;
pub mod scan;
pub mod search;
pub mod survey;
pub mod time;
pub mod trail;
pub mod witness;
