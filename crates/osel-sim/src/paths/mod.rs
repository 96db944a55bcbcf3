//! `reach` against the judge in small clouds where everything that decides about a path meets everything else.
//!
//! A cloud lives the simple way here: each object has a few versions by chance, told to the model in any order, and the last ones are
//! the truth for [`crate::judge`]. There is neither a bus nor an API's logic, so that what no service would allow comes together too,
//! and a million questions take minutes. It must not look at how the model or `reach` come to their answers.

mod cloud;
mod firewalls;
mod run;
mod states;

pub use run::{Plan, Report, run};
pub use states::States;
