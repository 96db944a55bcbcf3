//! Programs of others, run without a shell and within limits: nobody here trusts what they do, or that they end.
//!
//! [`Confined::run`] is the only way. It starts osel once more, as `osel confined`, which takes away from itself what the program is not
//! to have ([`confine`]) and becomes the program; that way nothing has to be done between `fork` and `exec`, where only unsafe code can
//! do anything. The decision is number 17.
//!
//! What the program gets: its arguments as they are, bytes on its standard input, a folder of its own that goes with it, and an
//! environment of a few variables. What holds for it: [`Limits`]. It is killed with all of its process group when it is late, says too
//! much, has ended and left others behind, when nobody waits for it any more (the future is dropped), and when osel dies. The folder that an osel
//! leaves which is killed is removed by the next one ([`sweep_folders`]).

mod confine;
mod folder;
mod limits;
mod pipes;
mod run;
mod starter;
mod user;

pub use confine::{CONFINE_FAILED, ConfineError, Confinement, become_program};
pub use folder::sweep_folders;
pub use limits::Limits;
pub use run::{Confined, End, Job, Output, ProgramError};
pub use user::{Identity, UserError, has_net_raw};
