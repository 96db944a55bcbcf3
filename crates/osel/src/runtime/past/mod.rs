//! The part of a cloud that a question needs, as it was after some record and how it changed from there on.
//!
//! A snapshot of a large cloud has hundreds of megabytes, and the question is about one project or one address. So the lines of the snapshot
//! and the versions behind it are looked through as bytes ([`sketch`]), and only what the question needs becomes objects: what that is
//! follows from what has been found so far ([`scope`]), until nothing more is found ([`excerpt`]). Stepping through the versions of
//! that part gives every row that came and went, exactly ([`timeline`]), and which of them are seen from somewhere ([`sight`]).
//!
//! Nothing is kept for it: a store is as large as before, and one that an earlier osel wrote is read the same.

mod excerpt;
mod parts;
mod sample;
mod scope;
mod sight;
mod sketch;
mod timeline;

pub use excerpt::Excerpt;
pub use parts::in_parts;
pub use scope::{Asked, Wanted};
pub use sight::Sight;
pub use timeline::{Change, Timeline};
