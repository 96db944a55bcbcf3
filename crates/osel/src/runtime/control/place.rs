//! Where the socket is.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::config::StoreConfig;

/// Its name in the directory of a store.
const NAME: &str = "osel.sock";
/// Where it is for a store that has no directory.
const SHARED: &str = "/run/osel/osel.sock";
/// The longest path that the kernel takes: `sun_path` has 108 bytes, the last of them zero.
const PATH_BYTES_MAX: usize = 107;

/// The path of a socket is longer than the kernel takes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the path of the control socket, `{path}`, has {} bytes, of which the system takes {PATH_BYTES_MAX}: name a shorter one by `control.socket`",
    path.as_os_str().len()
)]
pub struct TooLong {
    path: PathBuf,
}

/// The socket of a store, where the configuration names none.
pub fn of_store(store: &StoreConfig) -> PathBuf {
    match store {
        StoreConfig::Directory(directory) => directory.join(NAME),
        StoreConfig::Postgres(_) => PathBuf::from(SHARED),
    }
}

/// Whether a path can be one of a socket.
///
/// # Errors
/// When it is too long.
pub(super) fn check(path: &Path) -> Result<(), TooLong> {
    if path.as_os_str().as_bytes().len() > PATH_BYTES_MAX {
        return Err(TooLong { path: path.to_owned() });
    }
    Ok(())
}
