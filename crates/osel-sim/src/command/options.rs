//! Options given as `--name value` or `--name`, and what can go wrong with a command.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::files::FileError;

/// Streams have gigabytes: few and large writes.
const WRITE_BUFFER_BYTES: usize = 1 << 20;

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The arguments are wrong.
    #[error("{0}")]
    Usage(String),
    /// A check failed.
    #[error("{0}")]
    Check(String),
    /// A file cannot be read or is not what it should be.
    #[error("{}", chain(.0))]
    File(#[from] FileError),
    /// The results cannot be written.
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
    /// A file cannot be made.
    #[error("cannot write `{}`: {source}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl CommandError {
    /// 1 for a check that failed, 2 for wrong usage, 3 for what could not be done: as `osel` has it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Check(_) => 1,
            Self::Usage(_) => 2,
            Self::File(_) | Self::Write(_) | Self::Create { .. } => 3,
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

    /// The number given with an option, or the usual one.
    pub(super) fn number(&mut self, name: &str, usual: u64) -> Result<u64, CommandError> {
        match self.value(name)? {
            None => Ok(usual),
            Some(text) => {
                text.parse().map_err(|_| CommandError::Usage(format!("`{name}` is not a number: `{text}`")))
            }
        }
    }

    /// The number given with an option, where it is given.
    pub(super) fn number_if(&mut self, name: &str) -> Result<Option<usize>, CommandError> {
        let value = self.value(name)?;
        let number = value.map(|text| {
            text.parse().map_err(|_| CommandError::Usage(format!("`{name}` is not a number: `{text}`")))
        });
        number.transpose()
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

/// A file to write to, packed when its name ends in `.gz`. It must be flushed and dropped when all is
/// written.
pub(super) fn create(path: &Path) -> Result<Box<dyn Write>, CommandError> {
    let made = File::create(path).map_err(|source| CommandError::Create { path: path.to_owned(), source })?;
    let made = BufWriter::with_capacity(WRITE_BUFFER_BYTES, made);
    if path.extension().is_some_and(|extension| extension == "gz") {
        Ok(Box::new(BufWriter::with_capacity(WRITE_BUFFER_BYTES, GzEncoder::new(made, Compression::fast()))))
    } else {
        Ok(Box::new(made))
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
