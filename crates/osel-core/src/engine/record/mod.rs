//! What a record says: the parts that the engine makes, and the documents and sentences made of them when somebody reads.
//!
//! `trail` chains and verifies bytes without knowing what they mean; here is the meaning. Documents and sentences are made anew at
//! each reading and never hashed. Parts go from here to `trail`'s `Chain::seal`.

mod body;
mod document;
mod exposure_part;
pub(crate) mod json;
mod sentence;
mod wide;

pub use body::{BodyPart, Detail, MemberPart, PersonalPart, RecordBody, TargetPart, WrittenPart};
pub use document::{
    ActorDocument, CutDocument, ExposureDocument, JudgedRowDocument, Record, RecordDocument, RowDocument,
    TargetDocument, WideDocument,
};
pub use exposure_part::{ExposurePart, SourcePart};
pub(crate) use sentence::row_words;
pub use sentence::{STILL_OPEN, WAS_OPEN, sentence};
pub(super) use wide::widen;
pub use wide::{WIDE_ROWS, WideRows};
