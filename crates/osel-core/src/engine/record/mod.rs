//! What a record says: the parts that the engine makes, and the documents and sentences made of them when somebody reads.
//!
//! `trail` chains and verifies bytes without knowing what they mean; here is the meaning. Documents and sentences are made anew at
//! each reading and never hashed. Parts go from here to `trail`'s `Chain::seal`.

mod body;
mod document;
mod exposure_part;
mod sentence;

pub use body::{BodyPart, Detail, MemberPart, PersonalPart, RecordBody, TargetPart};
pub use document::{
    ActorDocument, ExposureDocument, JudgedRowDocument, Record, RecordDocument, RowDocument, TargetDocument,
};
pub use exposure_part::{ExposurePart, SourcePart};
