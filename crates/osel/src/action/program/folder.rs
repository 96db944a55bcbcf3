//! A folder that is a program's alone and goes when it has ended; if osel is killed before, when the next one starts.
//!
//! Whoever has a folder holds its lock, which no kill leaves behind: one that nobody holds is nobody's.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};

use super::user::Identity;

/// How their names begin; sixteen hexadecimal digits follow.
const PREFIX: &str = "osel-program-";
const DIGITS: usize = 16;
/// How many folders one start sweeps at most: more than scans run at a time. The rest waits for the next.
const SWEPT_MAX: usize = 1_000;

/// An empty folder; dropping it removes it with all that is in it.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    pub(super) fn new(owner: Option<Identity>) -> io::Result<Self> {
        Self::within(&std::env::temp_dir(), owner)
    }

    fn within(place: &Path, owner: Option<Identity>) -> io::Result<Self> {
        let mut chance = [0; 8];
        getrandom::fill(&mut chance).map_err(io::Error::other)?;
        let path = place.join(format!("{PREFIX}{:016x}", u64::from_ne_bytes(chance)));
        DirBuilder::new().mode(0o700).create(&path)?;
        let lock = open(&path)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        let folder = Self { path, _lock: lock };
        if let Some(Identity { uid, gid }) = owner {
            // Fails also where somebody has swept it before it had its lock.
            chown(&folder.path, Some(uid), Some(gid))?;
        }
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What a program has made unremovable stays for whoever cleans the system's folder.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes the folders that a killed osel has left.
pub fn sweep_folders() {
    sweep(&std::env::temp_dir());
}

fn sweep(place: &Path) {
    let Ok(entries) = fs::read_dir(place) else { return };
    let is_named = |path: &PathBuf| {
        let digits = path.file_name().and_then(|name| name.to_str()?.strip_prefix(PREFIX));
        digits.is_some_and(|digits| {
            digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    };
    for path in entries.flatten().map(|entry| entry.path()).filter(is_named).take(SWEPT_MAX) {
        // Neither a file nor a link, wherever it leads, can be opened so.
        let Ok(folder) = open(&path) else { continue };
        if is_ours(&folder) && flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok() {
            // Links within are removed and not followed. What cannot be removed is as before.
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// Whether its owner is this user; root has made folders over to those who run programs.
fn is_ours(folder: &File) -> bool {
    let user = rustix::process::geteuid();
    user.is_root() || folder.metadata().is_ok_and(|found| found.uid() == user.as_raw())
}

fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
    File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_a_killed_osel_has_left_is_swept_and_nothing_else() {
        let place = Folder::new(None).unwrap();
        let path = |name: &str| place.path().join(name);
        let live = Folder::within(place.path(), None).unwrap();
        let left = path("osel-program-00000000000000aa");
        let kept = path("kept");
        for folder in [&left, &kept, &path("osel-program-"), &path("osel-program-00000000000000zz")] {
            fs::create_dir_all(folder.join("inner")).unwrap();
            fs::write(folder.join("inner/file"), "x").unwrap();
        }
        symlink(&kept, left.join("inner/link")).unwrap();
        symlink(&kept, path("osel-program-00000000000000bb")).unwrap();
        fs::write(path("osel-program-00000000000000cc"), "x").unwrap();
        sweep(place.path());
        assert!(!left.exists());
        for name in [
            "kept/inner/file",
            "osel-program-/inner/file",
            "osel-program-00000000000000zz/inner/file",
            "osel-program-00000000000000bb/inner/file",
            "osel-program-00000000000000cc",
        ] {
            assert!(path(name).exists(), "{name}");
        }
        assert!(live.path().exists(), "somebody has it");
        let path = live.path().to_owned();
        drop(live);
        assert!(!path.exists());
    }
}
