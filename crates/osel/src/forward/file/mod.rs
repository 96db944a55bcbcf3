//! The receiver `file`: a file of this machine with one line for each item, rotated and compressed by itself.
//!
//! `receiver` is what is asked; it has `writer` do the work on a thread that may wait for the disk. Each line is written exactly once,
//! whatever stops osel: what the file has beyond the [`Mark`] that was kept with the place is compared with what is sent next (`ahead`),
//! and not written again. `rotated` names and finds the files that were rotated, `keeper` compresses and removes those in a thread of its
//! own. Nothing that osel has not written is ever cut or removed.

mod ahead;
mod keeper;
mod mark;
mod receiver;
mod rotated;
mod writer;

#[cfg(test)]
mod tests;

pub use mark::Mark;
pub use receiver::FileReceiver;
