//! Captured messages as a source: a file that another program writes and osel follows, through rotations and restarts.
//!
//! The file has the lines of a recording. `link` is the task of one source, which carries out what `intake` orders, as that of a broker
//! does; `reading` goes through the file and what it was before it was rotated (`rotated` finds that), and makes messages of its lines,
//! which `tail` takes from one file. What was read is kept by the store as a [`Place`](super::place::Place), with the batch that has it:
//! nothing is kept here. No file is ever written, locked or removed.

mod link;
mod reading;
mod rotated;
mod tail;

use std::path::PathBuf;
use std::sync::Arc;

use osel_core::time::Timestamp;

pub use link::run;

/// What a source of captured messages needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The source's name.
    pub source: Arc<str>,
    /// The region it belongs to.
    pub region: Option<Arc<str>>,
    /// The file.
    pub path: PathBuf,
    /// Whether more will be written to it.
    pub follow: bool,
    /// The system's clock.
    pub clock: fn() -> Timestamp,
}
