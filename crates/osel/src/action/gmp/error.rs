//! What goes wrong with a manager, and what that means for a scan.

use std::io;

use osel_core::scan::{Trouble, cut};

use super::super::xml::XmlError;
use crate::telemetry::chain;
use crate::tls::TrustError;

/// The longest text of an error that is passed on, in characters.
const TOLD_CHARS_MAX: usize = 300;
/// When to ask again where gvmd is still deleting a task, in seconds: it has to stop it first.
const DELETING_SECONDS: u32 = 30;

/// Why a manager did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum GmpError {
    /// Nobody is there.
    #[error("cannot reach gvmd at `{0}`")]
    Unreachable(String, #[source] io::Error),
    /// None of its usual sockets is there.
    #[error("no socket of gvmd is there: none of `{0}`")]
    NoSocket(String),
    /// Nothing can be trusted.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Its certificate does not convince, or ours does not convince it.
    #[error("no trust with gvmd at `{0}`")]
    Untrusted(String, #[source] io::Error),
    /// It takes too long.
    #[error("no answer to `{0}` in time")]
    Slow(&'static str),
    /// The connection ended before the answer did.
    #[error("the connection ended before the answer to `{0}` did")]
    Broken(&'static str),
    /// The answer cannot be understood.
    #[error("the answer to `{0}` cannot be read")]
    Xml(&'static str, #[source] XmlError),
    /// The answer is well-formed, and says what it may not.
    #[error("the answer to `{command}` {what}")]
    Odd {
        /// The command.
        command: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// It says no.
    #[error("`{command}` is answered with {status}: {text}")]
    Status {
        /// The command.
        command: &'static str,
        /// The status.
        status: u16,
        /// What it says of it.
        text: String,
    },
    /// It speaks another version.
    #[error("gvmd speaks version `{0}` of GMP, and osel speaks 22.4 and later of 22")]
    Version(String),
    /// It has nothing of that name.
    #[error("gvmd has no {what} `{name}` that osel's user may see")]
    Unknown {
        /// What.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// It cannot be asked for this.
    #[error("{0}")]
    Unfit(&'static str),
    /// A command that changes something may have been carried out, and nobody knows.
    #[error("whether it was done is not known")]
    Uncertain(#[source] Box<GmpError>),
}

impl GmpError {
    /// Whether it says that there is no such thing.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Status { status: 404, .. })
    }

    /// Whether it says no with 400 and these words.
    pub(super) fn refuses(&self, words: &str) -> bool {
        matches!(self, Self::Status { status: 400, text, .. } if text.to_ascii_lowercase().contains(words))
    }

    /// The same without a secret that gvmd sends back.
    pub(super) fn without(self, secret: &str) -> Self {
        match self {
            Self::Status { command, status, text } if !secret.is_empty() => {
                Self::Status { command, status, text: text.replace(secret, "***") }
            }
            other => other,
        }
    }

    /// Whether it knows who we are, and says that we may not.
    pub(super) fn forbids(&self) -> bool {
        matches!(self, Self::Status { command, status: 403, .. } if *command != "authenticate")
            || self.refuses("permission denied")
    }

    /// With its causes, in a line.
    fn told(&self) -> String {
        cut(&chain(self), TOLD_CHARS_MAX)
    }
}

impl From<GmpError> for Trouble {
    fn from(error: GmpError) -> Self {
        let told = error.told();
        match &error {
            GmpError::Unreachable(..)
            | GmpError::NoSocket(_)
            | GmpError::Trust(_)
            | GmpError::Untrusted(..)
            | GmpError::Slow(_)
            | GmpError::Broken(_) => Self::Unavailable(told),
            GmpError::Xml(..) | GmpError::Odd { .. } => Self::Garbled(told),
            GmpError::Version(_) | GmpError::Unknown { .. } | GmpError::Unfit(_) => {
                Self::Refused { why: told, addresses: Vec::new() }
            }
            GmpError::Uncertain(_) => Self::Uncertain(told),
            GmpError::Status { command, status, .. } => match status {
                // gvmd says neither who is unknown nor what is not allowed with codes of their own.
                400 if *command == "authenticate" => Self::Denied(told),
                400 if error.forbids() => Self::Denied(told),
                400 if error.refuses("is in use") => Self::Busy { after_seconds: Some(DELETING_SECONDS) },
                401 | 403 => Self::Denied(told),
                404 => Self::Gone(told),
                409 => Self::Busy { after_seconds: None },
                500.. => Self::Unavailable(told),
                _ => Self::Refused { why: told, addresses: Vec::new() },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(command: &'static str, status: u16, text: &str) -> Trouble {
        GmpError::Status { command, status, text: text.to_owned() }.into()
    }

    #[test]
    fn what_gvmd_says_means_what_it_should() {
        assert!(matches!(status("authenticate", 400, "Authentication failed"), Trouble::Denied(_)));
        assert!(matches!(status("create_task", 400, "Permission denied"), Trouble::Denied(_)));
        assert!(matches!(status("get_tasks", 401, "Authenticate first"), Trouble::Denied(_)));
        assert!(matches!(status("get_tasks", 404, "Failed to find task"), Trouble::Gone(_)));
        assert!(matches!(status("start_task", 409, "busy"), Trouble::Busy { after_seconds: None }));
        assert!(matches!(
            status("delete_target", 400, "Target is in use"),
            Trouble::Busy { after_seconds: Some(_) }
        ));
        assert!(matches!(status("get_tasks", 503, "Service temporarily down"), Trouble::Unavailable(_)));
        assert!(matches!(
            status("create_target", 400, "Error in host specification"),
            Trouble::Refused { .. }
        ));
    }

    #[test]
    fn causes_are_told_and_cut() {
        let inner = GmpError::Status { command: "start_task", status: 500, text: "x".repeat(1000) };
        let Trouble::Uncertain(told) = Trouble::from(GmpError::Uncertain(Box::new(inner))) else {
            panic!("it is uncertain")
        };
        assert!(
            told.starts_with("whether it was done is not known: `start_task` is answered with 500: xxx"),
            "{told}"
        );
        assert_eq!(told.chars().count(), TOLD_CHARS_MAX);
    }
}
