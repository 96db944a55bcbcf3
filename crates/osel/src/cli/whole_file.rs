//! A file that has its name only once all of it is on the disk.
//!
//! Until then it has another name beside it, and goes with whatever stopped its writer, except a kill. It may hold messages and names: it
//! is its owner's alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

/// What is collected before it is written.
const BUFFER_BYTES: usize = 1 << 16;

/// A file that is being written.
#[derive(Debug)]
pub(super) struct WholeFile {
    path: PathBuf,
    /// The name until it is whole; none once it has its own.
    working: Option<PathBuf>,
    out: BufWriter<File>,
}

impl WholeFile {
    /// Begins one that is to have this name.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        // One that was killed leaves its part, two at a time must not write the same one, and in a container the next one has the same
        // process number.
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| anyhow!("there are no random numbers: {error}"))?;
        let mut working = path.as_os_str().to_owned();
        working.push(format!(".{:016x}.part", u64::from_ne_bytes(random)));
        let working = PathBuf::from(working);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&working);
        let file = file.with_context(|| format!("cannot create `{}`", working.display()))?;
        let out = BufWriter::with_capacity(BUFFER_BYTES, file);
        Ok(Self { path: path.to_owned(), working: Some(working), out })
    }

    /// What is said when it cannot be written.
    pub(super) fn failure(&self) -> String {
        format!("cannot write `{}`", self.path.display())
    }

    /// Gives it its name, once all of it is on the disk.
    ///
    /// # Errors
    /// When it cannot be written or renamed; then nothing is left of it.
    pub(super) fn keep(mut self) -> anyhow::Result<()> {
        let kept = self.flush().and_then(|()| self.out.get_ref().sync_all());
        let kept =
            kept.and_then(|()| self.working.as_ref().map_or(Ok(()), |name| fs::rename(name, &self.path)));
        kept.with_context(|| self.failure())?;
        self.working = None;
        Ok(())
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// What was not kept goes.
impl Drop for WholeFile {
    fn drop(&mut self) {
        if let Some(working) = &self.working {
            let _ = fs::remove_file(working);
        }
    }
}
