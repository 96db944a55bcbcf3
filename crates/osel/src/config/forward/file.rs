//! `type = "file"`: a file of this machine, one line for each.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use osel_core::format::Format;

use super::super::keys;
use super::super::keys::Otherwise::{Default, Needed, Words};
use super::super::section::{Section, number, one_of, text};
use super::kind::{ReceiverConfig, Type};

/// The smallest file that is rotated by its size: some dozens of records, and below that osel would do little but rotate.
const ROTATE_BYTES_MIN: i64 = 64 << 10;
/// The most rotated files: each rotation and each start lists them all.
const KEEP_MAX: i64 = 10_000;
/// How many rotated files stay when nobody says otherwise: two weeks of days.
const KEEP: NonZeroU32 = NonZeroU32::new(14).unwrap();
/// Who may read the file when nobody says otherwise: its owner and group, as is usual for logs.
const MODE: u32 = 0o640;

/// How a file is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileReceiverConfig {
    /// The file.
    pub path: PathBuf,
    /// The mode of files that are made.
    pub mode: u32,
    /// A file that would be larger is rotated first; none for any size.
    pub rotate_bytes: Option<NonZeroU64>,
    /// Whether the first record of a day, in UTC, begins a new file.
    pub daily: bool,
    /// How many rotated files stay.
    pub keep: NonZeroU32,
    /// What rotated files are compressed with.
    pub compression: FileCompression,
}

/// What rotated files are compressed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileCompression {
    /// They stay as they are.
    None,
    /// `gzip`.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl FileCompression {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::Gzip, Self::Zstd];
}

/// Its type.
pub(super) const TYPE: Type = Type {
    name: "file",
    section: keys::Section {
        header: "[[forward]] # type = \"file\"",
        what: "A file of this machine, one line for each record.",
        is_optional: true,
        needs: &["name = \"file\"", "type = \"file\""],
    },
    keys: KEYS,
    read: |section| read(section).map(|config| ReceiverConfig::File(Box::new(config))),
    format: Format::Native,
};

const KEYS: &[keys::Key] = &[
    keys::key(
        "forward.file.path",
        Needed("\"/var/log/osel/records.jsonl\""),
        "The file. Its folder has to be there; a symbolic link is not followed.",
    ),
    keys::key(
        "forward.file.mode",
        Default("\"0640\""),
        "The mode of files that osel makes, in octal digits.",
    ),
    keys::key(
        "forward.file.rotate_bytes",
        Words("any size", "104857600"),
        "A file that would become larger is rotated first: it is renamed by its first record, and a new one begun. At least 65536.",
    ),
    keys::key(
        "forward.file.rotate",
        Default("\"never\""),
        "`daily` to rotate before the first record of each day, in UTC; `never` for by size only.",
    ),
    keys::key(
        "forward.file.keep",
        Default("14"),
        "How many rotated files stay, up to 10000. The oldest go first.",
    ),
    keys::key(
        "forward.file.compress",
        Default("\"gzip\""),
        "What rotated files are compressed with: `none`, `gzip` or `zstd`.",
    ),
];

fn read(section: &mut Section<'_>) -> Option<FileReceiverConfig> {
    let reading = section.reading();
    let path = section.read("path", |node| {
        let path = reading.resolve(&node.origin, named(text(node)?)?);
        match path.symlink_metadata() {
            Ok(found) if !found.is_file() => Err(format!("`{}` is there and is no file", path.display())),
            // Where it cannot be written is not for a check of the configuration to say, which may be another user's.
            _ => Ok(path),
        }
    });
    if path.is_none() && !section.was_given("path") {
        section.missing("path", "name the file, such as \"/var/log/osel/records.jsonl\"");
    }
    let mode = section.read("mode", |node| mode(text(node)?));
    let rotate_bytes = section.read("rotate_bytes", |node| number(node, ROTATE_BYTES_MIN..=i64::MAX));
    let daily = section.read("rotate", |node| one_of(node, &[("never", false), ("daily", true)]));
    let keep = section.read("keep", |node| number(node, 1..=KEEP_MAX));
    let words =
        [("none", FileCompression::None), ("gzip", FileCompression::Gzip), ("zstd", FileCompression::Zstd)];
    let compression = section.read("compress", |node| one_of(node, &words));
    let path = path?;
    Some(FileReceiverConfig {
        path,
        mode: mode.unwrap_or(MODE),
        rotate_bytes: rotate_bytes.and_then(|bytes| u64::try_from(bytes).ok()).and_then(NonZeroU64::new),
        daily: daily.unwrap_or(false),
        keep: keep.and_then(|keep| u32::try_from(keep).ok()).and_then(NonZeroU32::new).unwrap_or(KEEP),
        compression: compression.unwrap_or(FileCompression::Gzip),
    })
}

/// A path with the name of a file at its end.
fn named(path: &str) -> Result<&str, String> {
    let has_name = !path.ends_with('/') && std::path::Path::new(path).file_name().is_some();
    if has_name { Ok(path) } else { Err("must name a file".to_owned()) }
}

/// A mode with which its owner can write the file, and no more than read and write for anybody.
fn mode(digits: &str) -> Result<u32, String> {
    u32::from_str_radix(digits, 8)
        .ok()
        .filter(|mode| mode & 0o600 == 0o600 && mode & !0o666 == 0)
        .ok_or_else(|| "must be octal digits from `0600` to `0666`, such as `0640`".to_owned())
}
