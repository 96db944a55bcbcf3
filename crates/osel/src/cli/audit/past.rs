//! The clouds as they were after the record that is being read: what a record does not list itself is asked of them.
//!
//! A rule on many ports stands in its record as a rule; the state of that moment has the rows. Records are read in order, so one state is
//! taken along, and only when a record needs it.

use osel_core::engine::record::Record;
use osel_core::engine::{Engine, EngineOptions};

use crate::cli::output::note;
use crate::runtime::state;
use crate::store::{JournalError, Reader};

/// The state after some record, or none yet.
#[derive(Debug, Default)]
pub(super) struct Past {
    engine: Option<Engine>,
    /// The store cannot be asked; it was said, and is not tried again.
    unreadable: bool,
    /// It was said that some rows are not listed.
    said: bool,
}

impl Past {
    /// Lists all rows of a record. Those of a time whose state is gone stay counted, with examples: the trail must be readable
    /// without the caches beside it.
    pub(super) fn list_rows(&mut self, reader: &mut dyn Reader, record: &mut Record) {
        if record.wide.is_empty() || self.unreadable {
            return;
        }
        let seq = record.header.seq;
        match self.after(reader, seq) {
            Ok(engine) => {
                if !record.expand(engine) && !std::mem::replace(&mut self.said, true) {
                    let why = "the state after it is not known any more";
                    note(format_args!("record {seq}, and maybe later ones: not all rows are listed: {why}"));
                }
            }
            // Only those from before the horizon are lost.
            Err(error @ JournalError::Expired { .. }) => {
                if !std::mem::replace(&mut self.said, true) {
                    note(format_args!(
                        "record {seq}, and maybe later ones: not all rows are listed: it is from {error}"
                    ));
                }
            }
            Err(error) => {
                self.unreadable = true;
                let error = anyhow::Error::new(error);
                note(format_args!(
                    "from record {seq} on, rows of rules on many ports are not listed: {error:#}"
                ));
            }
        }
    }

    fn after(&mut self, reader: &mut dyn Reader, seq: u64) -> Result<&Engine, JournalError> {
        if let Some(mut engine) = self.engine.take()
            && state::advance(&mut engine, reader, seq)?
        {
            return Ok(self.engine.insert(engine));
        }
        let engine = state::at(reader, seq, &EngineOptions::default())?;
        Ok(self.engine.insert(engine))
    }
}
