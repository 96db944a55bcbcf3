//! Why a message cannot be understood, in a stable code and a clause for people.
//!
//! A [`Defect`] is what quarantine keeps beside the bytes. Inside the decoder a [`Fault`] is carried instead,
//! which knows only the kind and a node or a byte: the path is worked out once, when the fault leaves the
//! decoder. No secret may get into either, so neither ever carries a value.

use std::fmt;

use thiserror::Error;

use super::tape::Tape;

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DefectKind {
    /// The body, or what it unpacks to, is larger than [`super::BODY_BYTES_MAX`].
    TooLarge,
    /// Compressed in a way that this version cannot undo.
    UnknownCompression,
    /// The compressed body is cut short or damaged.
    BrokenCompression,
    /// Not UTF-8.
    NotUtf8,
    /// Not JSON.
    Syntax,
    /// Nested deeper than [`super::DEPTH_MAX`].
    TooDeep,
    /// More values than [`super::VALUES_MAX`].
    TooManyValues,
    /// One object has the same key twice, so that two readers may see two things.
    DuplicateKey,
    /// Half of a UTF-16 surrogate pair, which is no character.
    LoneSurrogate,
    /// A NUL character, raw or escaped.
    Nul,
    /// A number outside of what the field, or a finite double, can hold.
    NumberRange,
    /// A modelled field has a value of another type.
    WrongType,
    /// A modelled field has a text that is no address or prefix.
    NotAnAddress,
    /// An identifier or a type longer than is accepted.
    TooLong,
    /// An `oslo.version` that this version does not implement.
    UnknownVersion,
    /// There is no `event_type`: an RPC call, or something else that is no notification.
    NotANotification,
    /// An object that was made, changed or deleted has no id.
    MissingId,
}

impl DefectKind {
    /// The stable code, for storage and filters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::UnknownCompression => "unknown_compression",
            Self::BrokenCompression => "broken_compression",
            Self::NotUtf8 => "not_utf8",
            Self::Syntax => "syntax",
            Self::TooDeep => "too_deep",
            Self::TooManyValues => "too_many_values",
            Self::DuplicateKey => "duplicate_key",
            Self::LoneSurrogate => "lone_surrogate",
            Self::Nul => "nul",
            Self::NumberRange => "number_range",
            Self::WrongType => "wrong_type",
            Self::NotAnAddress => "not_an_address",
            Self::TooLong => "too_long",
            Self::UnknownVersion => "unknown_version",
            Self::NotANotification => "not_a_notification",
            Self::MissingId => "missing_id",
        }
    }

    /// What it means, as a clause that reads on with the place.
    fn clause(self) -> &'static str {
        match self {
            Self::TooLarge => "the body is larger than is accepted",
            Self::UnknownCompression => "the body is compressed in a way that cannot be undone here",
            Self::BrokenCompression => "the compressed body is cut short or damaged",
            Self::NotUtf8 => "the body is not UTF-8",
            Self::Syntax => "the body is not valid JSON",
            Self::TooDeep => "the body is nested too deeply",
            Self::TooManyValues => "the body has more values than are accepted",
            Self::DuplicateKey => "a key stands twice in one object",
            Self::LoneSurrogate => "a text has half of a surrogate pair",
            Self::Nul => "a text has a NUL character",
            Self::NumberRange => "a number is out of range",
            Self::WrongType => "a value has another type than expected",
            Self::NotAnAddress => "a text is neither an address nor a prefix",
            Self::TooLong => "a text is longer than is accepted",
            Self::UnknownVersion => "the envelope has an unknown version",
            Self::NotANotification => "there is no event type, so it is no notification",
            Self::MissingId => "an object has no id",
        }
    }
}

impl fmt::Display for DefectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.clause())
    }
}

/// Why a message is quarantined: what is wrong and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{kind}, at {at}")]
pub struct Defect {
    /// What is wrong.
    pub kind: DefectKind,
    /// Where: a path such as `payload.port.fixed_ips[0]`, or `byte 123`.
    pub at: Box<str>,
}

impl Defect {
    /// A defect at a place that has a name of its own.
    pub(super) fn new(kind: DefectKind, at: impl Into<Box<str>>) -> Self {
        Self { kind, at: at.into() }
    }
}

/// Where a fault lies, before anybody asked for it in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Byte(u32),
    Node(u32),
}

/// A defect on its way out of the decoder: small, because every reader may return it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: DefectKind,
    pub(super) place: Place,
}

impl Fault {
    /// A fault at a byte of the text; bodies are far smaller than 4 GiB.
    #[cold]
    pub(super) fn byte(kind: DefectKind, at: usize) -> Self {
        Self { kind, place: Place::Byte(u32::try_from(at).unwrap_or(u32::MAX)) }
    }

    /// A fault at a node of the tape.
    #[cold]
    pub(super) fn node(kind: DefectKind, node: u32) -> Self {
        Self { kind, place: Place::Node(node) }
    }

    /// The defect in words; `tape` is the one that was being read.
    pub(super) fn in_words(self, tape: &Tape<'_>) -> Defect {
        match self.place {
            Place::Byte(_) => self.in_bytes(""),
            Place::Node(node) => Defect::new(self.kind, tape.path(node)),
        }
    }

    /// The defect in words, when there is no tape yet; `of` names the text that the bytes are counted in, if
    /// not the body.
    pub(super) fn in_bytes(self, of: &str) -> Defect {
        let at = match self.place {
            Place::Byte(at) | Place::Node(at) => at,
        };
        let at = if of.is_empty() { format!("byte {at}") } else { format!("byte {at} of `{of}`") };
        Defect::new(self.kind, at)
    }
}
