//! What is wrong with a document, and where.

use std::io;

/// The longest quotation of a document in an error, in characters.
pub(super) const QUOTED_CHARS_MAX: usize = 80;

/// Why a document is not read on.
#[derive(Debug, thiserror::Error)]
#[error("XML at byte {at}, in `/{path}`: {fault}")]
pub struct XmlError {
    /// How many bytes had been read.
    pub at: u64,
    /// The open elements, from the root.
    pub path: String,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a document.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It is another document: a page of HTML in place of an answer, or no XML at all.
    #[error("begins with {found}, not with `<{wanted}>`")]
    OtherDocument {
        /// What should have been the outermost element.
        wanted: String,
        /// What is there.
        found: String,
    },
    /// It ends before its outermost element does.
    #[error("ends too early")]
    Truncated,
    /// Something follows its end.
    #[error("goes on after its end")]
    Trailing,
    /// It is in another encoding than UTF-8.
    #[error("is not in UTF-8")]
    Encoding,
    /// It has a byte that text cannot have.
    #[error("holds a NUL")]
    Nul,
    /// It declares entities or elements of its own.
    #[error("has a document type with declarations, which is never read")]
    Declarations,
    /// It refers to an entity that XML does not define.
    #[error("refers to the entity `{0}`, which is unknown")]
    Entity(String),
    /// It is longer than its reader takes.
    #[error("is longer than {0} bytes")]
    Long(u64),
    /// A tag, text or comment is longer than its reader takes.
    #[error("has a piece longer than {0} bytes")]
    LongPiece(usize),
    /// Its elements lie deeper in each other than its reader takes.
    #[error("is nested deeper than {0} elements")]
    Deep(usize),
    /// An element has more attributes than its reader takes.
    #[error("has an element with more than {0} attributes")]
    Wide(usize),
    /// It breaks the grammar of XML.
    #[error("is malformed: {0}")]
    Malformed(String),
    /// It could not be read.
    #[error("cannot be read: {0}")]
    Read(io::Error),
}
