//! `osel log export`: the log as files that any web server can serve.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use osel_core::trail::log::{Checkpoint, Resource, TILE_WIDTH, tiles_of};

use super::unsigned;
use crate::cli::StoreArg;
use crate::cli::output::{Failure, progress, stdout};
use crate::runtime::log::{Found, cosigned, find, leaves, root};
use crate::store::Reader;

/// A full tile has that many bytes.
const FULL_TILE_BYTES: u64 = 32 * TILE_WIDTH;
/// What is being written, until it gets its name. Nobody asks for it, and the next export writes over it.
const UNFINISHED: &str = ".unfinished";
const CHECKPOINT: &str = "checkpoint";

/// Writes the whole log into a directory, as files that any web server can serve: C2SP's tlog-tiles.
///
/// Others can fetch, mirror and check it there, or it is copied to a medium. Run again, it adds what is new: full tiles are never
/// written twice, and the checkpoint is replaced last, so that whoever reads meanwhile has a whole log. A run that was killed goes on
/// where it was. The directory is refused when its log is not a beginning of this store's. The files hold the records' canonical
/// bytes: ids of projects, times and commitments, but nothing of what happened.
#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The directory; made when it is not there.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

pub(super) fn run(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let mut reader = args.store.reader()?;
    let Some(latest) = reader.checkpoint(None)? else { return Ok(unsigned()) };
    let target = Target::open(&args.directory)?;
    let keys = reader.log_keys()?;
    let key = keys.iter().rfind(|row| row.size <= latest.size).and_then(|row| row.key.parse().ok());
    // What others would refuse is not spread.
    let opened = Checkpoint::open(latest.note.as_bytes(), key.as_slice());
    let checkpoint = opened.with_context(|| {
        format!("the checkpoint of {} records does not hold: run `osel audit verify`", latest.size)
    })?;
    if root(&mut *reader, latest.size)? != checkpoint.root {
        bail!("the checkpoint of {} records does not fit the records: run `osel audit verify`", latest.size);
    }
    let before = target.checkpoint()?;
    if let Some(before) = &before {
        check_is_ours(&mut *reader, before, &checkpoint, &args.directory)?;
    }
    let complete = before.as_ref().map_or(0, |before| before.size);
    let (mut written, bar) = (0_u64, progress("files"));
    for resource in tiles_of(latest.size) {
        bar.inc(1);
        // What the checkpoint there stands for is this log's, and was on the disk before it. Of what lies behind nobody said so:
        // an export may have left it that broke off, also one of another log.
        let is_vouched = leaves(&resource).is_some_and(|end| end <= complete);
        if is_vouched && resource.is_full() && target.has(&resource)? {
            continue;
        }
        match find(&mut *reader, &resource)? {
            Found::Bytes(bytes) if target.holds(&resource.path(), &bytes) => {}
            Found::Bytes(bytes) => {
                target.write(&resource.path(), &bytes)?;
                written += 1;
            }
            Found::NoCheckpoint | Found::Nothing => bail!("the store was cut while it was read"),
        }
    }
    target.sync()?;
    target.write(CHECKPOINT, cosigned(&mut *reader, &latest)?.note.as_bytes())?;
    target.sync()?;
    if let Some(before) = before {
        target.drop_outgrown(before.size)?;
    }
    bar.finish_and_clear();
    let mut out = stdout();
    let directory = args.directory.display();
    writeln!(out, "{} records in {directory}: {written} files and the checkpoint written", latest.size)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Refuses a directory whose log does not go on with this one.
fn check_is_ours(
    reader: &mut dyn Reader,
    before: &Checkpoint,
    now: &Checkpoint,
    directory: &Path,
) -> anyhow::Result<()> {
    let directory = directory.display();
    if before.origin.as_str() != now.origin.as_str() {
        let (there, ours) = (&before.origin, &now.origin);
        return Err(
            Failure::Usage(format!("{directory} has the log `{there}`, this store's is `{ours}`")).into()
        );
    }
    if before.size > now.size {
        bail!(
            "{directory} has a log of {} records, this store one of {}: its end was cut, or another store has its name",
            before.size,
            now.size
        );
    }
    if root(reader, before.size)? != before.root {
        bail!(
            "{directory} and this store differ within the first {} records: one of them was rewritten",
            before.size
        );
    }
    Ok(())
}

/// The directory that is written.
struct Target {
    path: PathBuf,
    /// Open and locked, so that two exports do not write one file.
    directory: File,
}

impl Target {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let open = || {
            fs::create_dir_all(path)?;
            File::open(path)
        };
        let directory = open().with_context(|| format!("cannot open `{}`", path.display()))?;
        match directory.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), directory }),
            Err(TryLockError::WouldBlock) => bail!("another export writes `{}`", path.display()),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock `{}`", path.display()))
            }
        }
    }

    /// The checkpoint of the last export that came to its end.
    fn checkpoint(&self) -> anyhow::Result<Option<Checkpoint>> {
        let path = self.path.join(CHECKPOINT);
        let note = match fs::read(&path) {
            Ok(note) => note,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", path.display())),
        };
        let checkpoint = Checkpoint::read_unverified(&note);
        Ok(Some(checkpoint.with_context(|| format!("`{}` is no checkpoint", path.display()))?))
    }

    /// Whether a full tile or bundle is there.
    fn has(&self, resource: &Resource) -> anyhow::Result<bool> {
        let path = self.path.join(resource.path());
        match fs::metadata(&path) {
            Ok(found) => Ok(match resource {
                Resource::Entries { .. } => found.len() > 0,
                _ => found.len() == FULL_TILE_BYTES,
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
        }
    }

    /// Whether a file has these bytes. One that cannot be read is written anew.
    fn holds(&self, name: &str, bytes: &[u8]) -> bool {
        let path = self.path.join(name);
        let is_as_long = fs::metadata(&path).is_ok_and(|found| found.len() == bytes.len() as u64);
        is_as_long && fs::read(&path).is_ok_and(|found| found == bytes)
    }

    /// Writes a file, which is there as a whole or not at all.
    fn write(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let (unfinished, path) = (self.path.join(UNFINISHED), self.path.join(name));
        let write = || {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            // What an export has left that was killed. A link is removed, and not followed.
            match fs::remove_file(&unfinished) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = File::options().write(true).create_new(true).open(&unfinished)?;
            file.write_all(bytes)?;
            fs::rename(&unfinished, &path)
        };
        write().with_context(|| format!("cannot write `{}`", path.display()))
    }

    /// Waits until all that was written would survive a loss of power: the checkpoint must not come before what it stands for.
    fn sync(&self) -> anyhow::Result<()> {
        rustix::fs::syncfs(&self.directory)
            .with_context(|| format!("cannot have `{}` written out", self.path.display()))
    }

    /// Removes the partial tiles of an earlier size that have become full ones: who asks for them takes those.
    fn drop_outgrown(&self, size: u64) -> anyhow::Result<()> {
        for partial in tiles_of(size).filter(|resource| !resource.is_full()) {
            // `tile/0/001.p/44` lies in the folder of all partial ones, beside the full `tile/0/001`.
            let path = self.path.join(partial.path());
            let Some(folder) = path.parent() else { continue };
            if !folder.with_extension("").is_file() {
                continue;
            }
            match fs::remove_dir_all(folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove `{}`", folder.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
