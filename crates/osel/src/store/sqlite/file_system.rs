//! File systems that an embedded store must not lie on.
//!
//! SQLite's log is shared memory, its locks are the system's, and a commit is durable when it is flushed. Over a
//! network none of the three holds as it does on a disk.

use super::super::error::JournalError;
use super::connect::At;

/// Network file systems by the number that `statfs` gives. What is mounted by FUSE has one number, local or not, and
/// is let pass.
const NETWORK: [(u32, &str); 10] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x00c3_6400, "Ceph"),
    (0x5346_414f, "AFS"),
    (0x7375_7245, "Coda"),
    (0x0102_1997, "9P"),
    (0x0bd0_0bd0, "Lustre"),
    (0x4750_4653, "GPFS"),
];

/// Refuses a directory on a network file system.
///
/// # Errors
/// As said, or when the directory cannot be looked at.
pub(super) fn check_local(at: &At<'_>) -> Result<(), JournalError> {
    let status = rustix::fs::statfs(at.path).map_err(|error| at.io(at.path, "look at", error.into()))?;
    // The number has 32 bits; systems differ in the type, and in whether its upper half repeats the sign.
    match network(status.f_type as u32) {
        None => Ok(()),
        Some(kind) => Err(JournalError::NetworkFileSystem { path: at.path.to_path_buf(), kind }),
    }
}

/// The network file system of that number, if it is one.
fn network(number: u32) -> Option<&'static str> {
    NETWORK.iter().find(|(known, _)| *known == number).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::store::ErrorClass;

    #[test]
    fn network_file_systems_are_known_by_their_numbers() {
        for (number, kind) in
            [(0x6969, "NFS"), (0xff53_4d42, "CIFS"), (0xfe53_4d42, "SMB"), (0x00c3_6400, "Ceph")]
        {
            assert_eq!(network(number), Some(kind));
        }
        // ext4, XFS, Btrfs, tmpfs, ZFS, overlay, FUSE.
        for number in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x2fc1_2fc1, 0x794c_7630, 0x6573_5546] {
            assert_eq!(network(number), None, "{number:x}");
        }
        // As the system gives a number whose highest bit is set.
        assert_eq!(network(0xff53_4d42_u32 as i32 as i64 as u32), Some("CIFS"));
    }

    #[test]
    fn it_is_said_what_to_do() {
        let error = JournalError::NetworkFileSystem { path: Path::new("/x").into(), kind: "NFS" };
        let text = "the store at `/x` lies on NFS, a network file system, where a flushed commit may be lost: \
                    use a disk of this machine, or a store in PostgreSQL";
        assert_eq!((error.to_string().as_str(), error.class()), (text, ErrorClass::Config));
    }
}
