//! Why a plan cannot be judged.

use std::borrow::Cow;

use osel_core::decode::Defect;

/// What is wrong with a plan, and where. Values are never quoted: a plan has secrets in clear.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Not JSON, or a part of it has another form than it should. What stands there is not told.
    #[error("line {line} column {column} {what}")]
    Form {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there.
        what: Cow<'static, str>,
    },
    /// Something else that is often mistaken for it.
    #[error("it is {what}; give {instead}")]
    Mistaken {
        /// What it is.
        what: &'static str,
        /// What is wanted.
        instead: &'static str,
    },
    /// A version of the format that this program does not know.
    #[error("its `format_version` is not 1.x but `{version}`")]
    Version {
        /// The version, cut to a few characters.
        version: String,
    },
    /// One object of it cannot be read.
    #[error("{at}: `{kind}` cannot be read")]
    Object {
        /// The resource or the request.
        at: String,
        /// What it should be.
        kind: &'static str,
        /// What is wrong with it.
        source: Defect,
    },
    /// A request that Neutron would refuse, or that is none.
    #[error("{at}: {why}")]
    Request {
        /// The resource or the request.
        at: String,
        /// What is wrong with it.
        why: String,
    },
    /// More than is judged at once.
    #[error("it has more than {max} changes")]
    TooMany {
        /// How many are judged.
        max: usize,
    },
}

impl From<serde_json::Error> for PlanError {
    fn from(error: serde_json::Error) -> Self {
        let what = match error.classify() {
            serde_json::error::Category::Data => match (missing_member(&error.to_string()), is_twice(&error))
            {
                (Some(name), _) => format!("ends an object without `{name}`").into(),
                (None, true) => "has a name for the second time in one object".into(),
                (None, false) => "has another value than a plan has there".into(),
            },
            serde_json::error::Category::Eof => "is the end, and the JSON is not complete".into(),
            _ => "is not JSON".into(),
        };
        Self::Form { line: error.line(), column: error.column(), what }
    }
}

/// The member that an object lacks, from serde's words for that: of all that it says they alone have a name of ours and no value.
fn missing_member(error: &str) -> Option<&str> {
    error.strip_prefix("missing field `")?.split('`').next()
}

/// Whether a name stands twice in an object.
fn is_twice(error: &serde_json::Error) -> bool {
    error.to_string().starts_with("duplicate field")
}

impl PlanError {
    /// A request that Neutron would refuse, or that is none.
    pub(super) fn request(at: &str, why: impl Into<String>) -> Self {
        Self::Request { at: at.to_owned(), why: why.into() }
    }
}
