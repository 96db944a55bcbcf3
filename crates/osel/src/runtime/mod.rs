//! The loop around the engine: inputs in, durable records out.
//!
//! [`Recorder`] owns the engine, the chain and the journal, and commits in batches; [`state`] brings an engine back from a store, as it is
//! or as it was. Nothing here decides anything.

pub mod admission;
pub mod checkpoint;
pub mod control;
pub mod entries;
pub mod file_intake;
pub mod forgetting;
pub mod forward;
pub mod log;
pub mod missing;
pub mod past;
pub mod payloads;
pub mod pseudonym_key;
pub mod qualys_scans;
pub mod quarantine;
pub mod read_entries;
pub mod record;
pub mod recorder;
pub mod retention;
pub mod search;
pub mod server_names;
pub mod service;
pub mod snapshots;
pub mod state;
pub mod verification;
pub mod witnessing;
pub mod writer;

pub use recorder::Recorder;
