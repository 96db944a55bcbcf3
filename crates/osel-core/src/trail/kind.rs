//! The codes of the canonical form: what a record is about, and what a part of it holds.
//!
//! A code never changes its meaning and is never used again. New ones may be added without a new version of
//! the layout; an older verifier then says which code it does not know instead of guessing.

use std::fmt;

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum RecordKind {
    /// Something in the cloud was changed.
    Change = 1,
    /// Somebody proved who they are, or failed to.
    Authentication = 2,
    /// Somebody read or called something.
    Access = 3,
    /// Anything else that somebody did, modelled or not.
    Activity = 4,
    /// A scan and what it saw.
    Scan = 5,
    /// A finding opened, changed, was resolved or suppressed.
    Finding = 6,
    /// A command was planned, approved, done, or failed.
    Command = 7,
    /// The cloud was not as the events had told.
    Drift = 8,
    /// Something is known to be missing.
    Gap = 9,
    /// osel itself: started, imported, was asked to do something.
    System = 10,
}

impl RecordKind {
    /// All kinds, in the order of their codes.
    pub const ALL: [Self; 10] = [
        Self::Change,
        Self::Authentication,
        Self::Access,
        Self::Activity,
        Self::Scan,
        Self::Finding,
        Self::Command,
        Self::Drift,
        Self::Gap,
        Self::System,
    ];

    /// The code in the canonical form.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The kind with this code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The word for it in exports and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Authentication => "authentication",
            Self::Access => "access",
            Self::Activity => "activity",
            Self::Scan => "scan",
            Self::Finding => "finding",
            Self::Command => "command",
            Self::Drift => "drift",
            Self::Gap => "gap",
            Self::System => "system",
        }
    }

    /// The kind with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a part holds, and so who may see it and how long it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PartClass {
    /// What happened, in ids; kept longest.
    Body = 1,
    /// What points to a person: names, addresses, agents; can be erased.
    Personal = 2,
    /// The message as it came, without secrets; goes first.
    Payload = 3,
    /// What became reachable or unreachable, one part per project.
    Exposure = 4,
}

impl PartClass {
    /// All classes, in the order of their codes.
    pub const ALL: [Self; 4] = [Self::Body, Self::Personal, Self::Payload, Self::Exposure];

    /// The code in the canonical form.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The class with this code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.code() == code)
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Personal => "personal",
            Self::Payload => "payload",
            Self::Exposure => "exposure",
        }
    }

    /// The class with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == word)
    }
}

impl fmt::Display for PartClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
