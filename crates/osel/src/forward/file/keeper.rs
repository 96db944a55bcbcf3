//! Compresses files that were rotated, and removes those that are too many: in a thread of its own, so that no record waits for it.
//!
//! What was begun when osel was stopped is begun anew: a compressed file has its name only once all of it is on the disk, and the file that
//! it is made of goes after that.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use flate2::write::GzEncoder;

use super::rotated;
use super::writer::sync_folder;
use crate::config::{FileCompression, FileReceiverConfig};

/// How hard Zstandard tries, from 1 to 22: what it takes by default.
const ZSTD_LEVEL: i32 = 3;
/// What the name of a compressed file ends with until it is whole.
const PART: &str = ".part";

/// Has its thread look after rotated files; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Keeper(SyncSender<()>);

impl Keeper {
    /// Starts its thread, which ends with the last clone.
    pub(super) fn start(settings: Arc<FileReceiverConfig>) -> io::Result<Self> {
        // One look that is still to come sees all that happened before it.
        let (sender, looks) = sync_channel(1);
        let tending = move || {
            for () in looks {
                if let Err(error) = tend(&settings) {
                    tracing::warn!(path = %settings.path.display(), %error, "cannot compress or remove rotated files");
                }
            }
        };
        thread::Builder::new().name("osel-rotated".to_owned()).spawn(tending)?;
        Ok(Self(sender))
    }

    /// Something may have been rotated.
    pub(super) fn look(&self) {
        let _ = self.0.try_send(());
    }
}

/// Removes what is too much, and compresses the rest.
fn tend(settings: &FileReceiverConfig) -> io::Result<()> {
    let found = rotated::all(&settings.path)?;
    let too_many = found.len().saturating_sub(settings.keep.get() as usize);
    for (number, (stem, forms)) in found.iter().enumerate() {
        let plain = rotated::plain(&settings.path, stem);
        let whole = forms.iter().find(|form| **form != FileCompression::None);
        if number < too_many {
            for form in forms {
                fs::remove_file(rotated::packed(&settings.path, stem, *form))?;
            }
        } else if !forms.contains(&FileCompression::None) {
            // Done before.
        } else if whole.is_some() {
            fs::remove_file(plain)?;
        } else if settings.compression != FileCompression::None {
            compress(
                &plain,
                &rotated::packed(&settings.path, stem, settings.compression),
                settings.compression,
            )?;
        }
    }
    Ok(())
}

/// Puts the compressed form of a file in its place.
fn compress(from: &Path, to: &Path, compression: FileCompression) -> io::Result<()> {
    let mut part = to.as_os_str().to_owned();
    part.push(PART);
    let part = PathBuf::from(part);
    let mut source = rotated::read_only(from)?;
    let metadata = source.metadata()?;
    // Whatever a run before has left of it.
    if let Err(error) = fs::remove_file(&part)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    let packed = pack(&mut source, target, compression).and_then(|target| {
        target.set_permissions(fs::Permissions::from_mode(metadata.permissions().mode()))?;
        target.set_modified(metadata.modified()?)?;
        target.sync_all()
    });
    if let Err(error) = packed {
        // On a full disk it is in the way.
        let _ = fs::remove_file(&part);
        return Err(error);
    }
    fs::rename(&part, to)?;
    sync_folder(to)?;
    fs::remove_file(from)
}

fn pack(source: &mut File, target: File, compression: FileCompression) -> io::Result<File> {
    match compression {
        FileCompression::None => copied(source, target),
        FileCompression::Gzip => {
            copied(source, GzEncoder::new(target, flate2::Compression::default()))?.finish()
        }
        FileCompression::Zstd => copied(source, zstd::Encoder::new(target, ZSTD_LEVEL)?)?.finish(),
    }
}

fn copied<W: Write>(source: &mut File, mut target: W) -> io::Result<W> {
    io::copy(source, &mut target)?;
    Ok(target)
}
