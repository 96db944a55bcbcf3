//! Bundles: one file that carries records of the log to somebody who has nothing but the file and the log's key.
//!
//! [`Writer`] makes the lines, [`Checker`] takes them one by one and finds the first that is not as it was written. A bundle is *whole*
//! (all records of the log up to a signed checkpoint, with the earlier checkpoints between them) or holds *some* records, each with the
//! path that leads from it to the checkpoint's root. There is one form for one meaning, and every byte of it is covered: contents by
//! commitments, records by the tree, checkpoints by signatures, and what is left by a hash in the last line. Where the log's key was
//! exchanged, each key is handed on by a record that the one before has signed. Whoever checks may know witnesses of the log, and ask whether
//! they have cosigned its checkpoint. The layout is
//! `docs/bundle-format.md`; what is written there is for ever, a change is a new version.
//!
//! Nothing here reads a file, knows a store or decides whose key is to be trusted. Memory does not grow with the bundle: one line, what
//! it decodes to, and some hundred hashes.

mod checker;
mod fault;
mod form;
mod growing;
mod handover;
mod line;
mod witnesses;
mod writer;

pub use checker::{Checker, Summary};
pub use fault::{BadBundle, Fault};
pub use form::FormError;
pub use handover::KEYS_MAX;
pub use witnesses::Witnessed;
pub use writer::{BundlePart, BundleRecord, Scope, Writer};

/// The layout's version where one key signed all: it is read for ever, and written where it is enough.
pub const VERSION: u8 = 1;
/// The layout's version where keys were handed on.
pub const VERSION_OF_KEYS: u8 = 2;

/// The longest line, in bytes with its line feed: the body of a message has at most 16 MiB, its meaning and its rows are of that size,
/// and base64 makes three bytes four. Whoever reads a bundle needs twice as much memory and no more.
pub const LINE_BYTES_MAX: usize = 128 << 20;
