//! Reading a bundle line by line, never more of it at once than a line may have.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use osel_core::trail::bundle::{BadBundle, Checker, LINE_BYTES_MAX, Summary};

use crate::arguments::Known;
use crate::progress::Shown;

/// So much is read ahead: a few lines of usual records.
const BUFFER_BYTES: usize = 1 << 16;

/// Why a bundle was not found good.
#[derive(Debug)]
pub enum ReadError {
    /// It is bad.
    Bad(BadBundle),
    /// It could not be read.
    Input(io::Error),
}

/// Checks the bundle in a file, or on standard input.
///
/// # Errors
/// When it is bad, or cannot be read.
pub fn check(path: &Path, known: Known) -> Result<Summary, ReadError> {
    if path.as_os_str() == "-" {
        return check_all(io::stdin().lock(), None, known);
    }
    let file = File::open(path).map_err(ReadError::Input)?;
    let bytes = file.metadata().ok().filter(|file| file.is_file()).map(|file| file.len());
    check_all(BufReader::with_capacity(BUFFER_BYTES, file), bytes, known)
}

fn check_all(mut input: impl BufRead, bytes: Option<u64>, known: Known) -> Result<Summary, ReadError> {
    let Known { key, witnesses, wanted } = known;
    let mut checker = Checker::new(key).witnessed_by(witnesses, wanted);
    let mut line = Vec::new();
    let mut shown = Shown::begin(bytes);
    loop {
        line.clear();
        // One byte more than a line may have: the checker refuses it, and nobody keeps the rest.
        let most = LINE_BYTES_MAX as u64 + 1;
        if input.by_ref().take(most).read_until(b'\n', &mut line).map_err(ReadError::Input)? == 0 {
            return checker.finish().map_err(ReadError::Bad);
        }
        checker.push(&line).map_err(ReadError::Bad)?;
        shown.step(line.len(), checker.records());
    }
}
