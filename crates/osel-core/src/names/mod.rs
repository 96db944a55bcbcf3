//! Who an id was, and what it might do: names of users, projects, domains, groups, roles and servers, and who has which role where, by
//! the time of the event.
//!
//! OpenStack's messages name the one who acts and hardly ever what is acted on, and a name is gone with its
//! thing. So every name that is heard is kept here, with when it was heard: [`Directory::learn`] and
//! [`Directory::learn_event`] fill, [`Directory::name_at`] answers, and the answer does not depend on the
//! order in which messages came. Who has which role is kept by region in [`Assignments`] of its own kind of words.
//!
//! Nothing here asks an API: what is unknown stays an id. Names point to persons; they go to the trail's
//! personal parts only.

mod assignments;
mod directory;
mod from_event;
mod sightings;

pub use assignments::{
    ASSIGNMENTS_MAX, AssignmentLine, AssignmentWord, Assignments, DOUBT_SECONDS, WORDS_MAX,
};
pub use directory::{Directory, ENTRIES_MAX, Known, NAME_BYTES_MAX, NameEntry};
pub use sightings::{Origin, SIGHTINGS_MAX, Sighting};

// Decoding speaks of it too; whoever asks for names finds it here.
pub use crate::event::NameKind;
