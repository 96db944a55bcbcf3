//! Options given as `--name value` or `--name`, and what can go wrong with a command.

use std::io;

use crate::files::FileError;

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The arguments are wrong.
    #[error("{0}")]
    Usage(String),
    /// A file cannot be read or is not what it should be.
    #[error("{}", chain(.0))]
    File(#[from] FileError),
    /// The results cannot be written.
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

impl CommandError {
    /// 2 for wrong usage, 3 for what could not be done: as `osel` has it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::File(_) | Self::Write(_) => 3,
        }
    }
}

/// The options of one command, each taken out by name; what is left over is a mistake.
pub(super) struct Options<'a> {
    left: Vec<&'a str>,
}

impl<'a> Options<'a> {
    pub(super) fn new(words: &[&'a str]) -> Self {
        Self { left: words.to_vec() }
    }

    /// The value of an option that may be missing.
    pub(super) fn value(&mut self, name: &str) -> Result<Option<&'a str>, CommandError> {
        let Some(at) = self.left.iter().position(|word| *word == name) else { return Ok(None) };
        if at + 1 >= self.left.len() {
            return Err(CommandError::Usage(format!("`{name}` needs a value")));
        }
        self.left.remove(at);
        Ok(Some(self.left.remove(at)))
    }

    /// The value of an option that must be there.
    pub(super) fn required(&mut self, name: &str) -> Result<&'a str, CommandError> {
        self.value(name)?.ok_or_else(|| CommandError::Usage(format!("`{name}` is missing")))
    }

    /// Every value of an option that may be repeated.
    pub(super) fn values(&mut self, name: &str) -> Result<Vec<&'a str>, CommandError> {
        let mut found = Vec::new();
        while let Some(value) = self.value(name)? {
            found.push(value);
        }
        Ok(found)
    }

    /// Whether an option without value is given.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        let before = self.left.len();
        self.left.retain(|word| *word != name);
        self.left.len() != before
    }

    /// Fails when something was given that nobody asked for.
    pub(super) fn finish(self) -> Result<(), CommandError> {
        match self.left.first() {
            Some(word) => Err(CommandError::Usage(format!("`{word}` is not known here"))),
            None => Ok(()),
        }
    }
}

fn chain(error: &FileError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
