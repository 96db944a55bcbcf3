//! The independent judge: the contract's section "Exposure, exactly", word for word, over plain JSON.
//!
//! It is the second opinion on `osel-core`'s model. It must stay slow and obvious and must not use the model,
//! its types or its ideas: every answer is worked out anew from the whole state (an object keyed by
//! collection name, as the Neutron API returns them). The checkers compare its answers with the engine's.

mod delta;
mod guard;
mod protocol;
mod reach;
mod read;
mod rows;
mod way;

pub use delta::delta;
pub use reach::{Known, ReachOptions, reach};
pub use rows::{compare_rows, rows};
