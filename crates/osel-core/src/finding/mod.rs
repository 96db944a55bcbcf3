//! What a person should look at: where what a scan saw and what the model says do not go together as they should.
//!
//! [`sights`] reads one host's result beside what the model admits there; [`Findings`] keeps each finding's life: open, confirmed,
//! resolved, reopened. What was not looked at changes nothing: unknown is never clean. Nothing here plans a scan or makes a record, that
//! is done in `engine`; a list of what may be open is in [`ExpectedExposure`].

mod admitted;
mod book;
mod carried;
mod expected;
mod readers;
mod sight;
#[cfg(test)]
mod tests;
mod text;
mod words;

pub use admitted::Admitted;
pub use book::{FINDINGS_MAX, Findings, FindingsLine, NO_ROOM_SECONDS, RESOLVED_MAX, Sighting, Turn};
pub use carried::Carried;
pub use expected::{EXPECTED_MAX, ExpectedExposure, ExpectedList};
pub use readers::{READ_EVERY_SECONDS, READER_CHARS_MAX, READERS_MAX, Readers, ReadersLine, reader_name};
pub use sight::{Gone, Picture, Scene, Seen, Sight, overtaken, sights};
pub use text::sentence;
pub use words::{
    Ack, Finding, FindingId, FindingKey, FindingKind, FindingPlace, FindingState, REASON_CHARS_MAX,
    Resolution, place_text,
};
