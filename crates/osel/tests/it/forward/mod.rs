//! Records on their way to receivers: the loop with receivers of the test, and the whole program with a file.

mod carried;
mod ground;
mod program;
mod reload;

pub use ground::Ground;
