//! Which forms there are.

use std::fmt;

/// A form of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// JSON with all keys of a record, as contract §3 has them.
    #[default]
    Native,
    /// The Open Cybersecurity Schema Framework, JSON.
    Ocsf,
    /// The Elastic Common Schema, JSON.
    Ecs,
    /// DMTF's Cloud Audit Data Federation, JSON.
    Cadf,
    /// ArcSight's Common Event Format, text.
    Cef,
    /// What the first OSEL logged: JSON, one object for each affected address.
    Osel11,
    /// What the CADF event logger wrote: text about users, projects, roles and the like.
    CadfText,
    /// The sentence alone, text.
    Sentence,
}

impl Format {
    /// All forms.
    pub const ALL: [Self; 8] = [
        Self::Native,
        Self::Ocsf,
        Self::Ecs,
        Self::Cadf,
        Self::Cef,
        Self::Osel11,
        Self::CadfText,
        Self::Sentence,
    ];

    /// Its word in the configuration and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Ocsf => "ocsf",
            Self::Ecs => "ecs",
            Self::Cadf => "cadf",
            Self::Cef => "cef",
            Self::Osel11 => "osel-1.1",
            Self::CadfText => "cadf-text",
            Self::Sentence => "sentence",
        }
    }

    /// The form of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }

    /// Whether the message that a record is about has to be fetched for it: [`super::Subject::message`].
    pub fn needs_message(self) -> bool {
        matches!(self, Self::Ocsf | Self::Ecs | Self::Cadf | Self::Osel11)
    }

    /// Whether it says what became of addresses at Qualys: [`super::Subject::scans`].
    pub fn needs_scans(self) -> bool {
        matches!(self, Self::Osel11)
    }

    /// Whether it shows names that were learnt after the record: [`super::Subject::names`].
    pub fn needs_names(self) -> bool {
        matches!(self, Self::CadfText)
    }

    /// Whether a line of it is one JSON object.
    pub fn is_json(self) -> bool {
        match self {
            Self::Native | Self::Ocsf | Self::Ecs | Self::Cadf | Self::Osel11 => true,
            Self::Cef | Self::CadfText | Self::Sentence => false,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
