//! A folder that is a program's alone and goes when it has ended.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::{Path, PathBuf};

use super::user::Identity;

/// An empty folder; dropping it removes it with all that is in it.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(owner: Option<Identity>) -> io::Result<Self> {
        let mut chance = [0; 8];
        getrandom::fill(&mut chance).map_err(io::Error::other)?;
        let name = format!("osel-program-{:016x}", u64::from_ne_bytes(chance));
        let path = std::env::temp_dir().join(name);
        DirBuilder::new().mode(0o700).create(&path)?;
        let folder = Self(path);
        if let Some(Identity { uid, gid }) = owner {
            chown(&folder.0, Some(uid), Some(gid))?;
        }
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What a program has made unremovable stays for whoever cleans the system's folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}
