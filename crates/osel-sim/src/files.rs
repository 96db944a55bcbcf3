//! Reading JSON and JSON Lines, plain or gzip, with errors that name the file and the line.
//!
//! For tests and the judge's command only: files are read whole.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use serde_json::Value;

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file could not be opened or read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line (or the whole file, line 1) is not JSON.
    #[error("`{}` line {line} is not JSON", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// The file is JSON of another shape.
    #[error("`{}` line {line} has no `{key}`", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key that is missing or of another type.
        key: &'static str,
    },
}

/// A reader of the file's text, unpacked when the name ends in `.gz`.
///
/// # Errors
/// [`FileError::Read`] when the file cannot be opened.
pub fn open(path: &Path) -> Result<Box<dyn BufRead>, FileError> {
    let file = File::open(path).map_err(|source| FileError::Read { path: path.to_owned(), source })?;
    let file = BufReader::new(file);
    if path.extension().is_some_and(|extension| extension == "gz") {
        Ok(Box::new(BufReader::new(MultiGzDecoder::new(file))))
    } else {
        Ok(Box::new(file))
    }
}

/// One JSON document.
///
/// # Errors
/// [`FileError`] when the file cannot be read or is not JSON.
pub fn read_document(path: &Path) -> Result<Value, FileError> {
    let mut text = String::new();
    open(path)?
        .read_to_string(&mut text)
        .map_err(|source| FileError::Read { path: path.to_owned(), source })?;
    serde_json::from_str(&text).map_err(|source| FileError::Json {
        path: path.to_owned(),
        line: source.line(),
        source,
    })
}

/// JSON Lines; empty lines are skipped.
///
/// # Errors
/// [`FileError`] when the file cannot be read or a line is not JSON.
pub fn read_lines(path: &Path) -> Result<Vec<Value>, FileError> {
    let mut found = Vec::new();
    for (number, line) in open(path)?.lines().enumerate() {
        let line = line.map_err(|source| FileError::Read { path: path.to_owned(), source })?;
        if line.trim().is_empty() {
            continue;
        }
        let value = serde_json::from_str(&line);
        found.push(value.map_err(|source| FileError::Json {
            path: path.to_owned(),
            line: number + 1,
            source,
        })?);
    }
    Ok(found)
}
