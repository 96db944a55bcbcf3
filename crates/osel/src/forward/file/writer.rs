//! Writes lines to the file, and puts a new one in its place when it is full. All of this may wait for the disk.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::Arc;

use osel_core::forward::RefusalKind;
use osel_core::time::Timestamp;
use rustix::fs::{CWD, FlockOperation, OFlags, RenameFlags, flock, renameat_with};
use rustix::io::Errno;

use super::ahead::{Ahead, Compared, Spot};
use super::keeper::Keeper;
use super::mark::{FileId, LineSum, Mark};
use super::rotated;
use crate::config::FileReceiverConfig;

/// Microseconds of a day in UTC.
const DAY_MICROS: i64 = 86_400_000_000;

/// Why nothing can be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileFault {
    /// The system refuses.
    #[error("cannot {what} `{path}`: {why}")]
    System {
        what: &'static str,
        path: PathBuf,
        // As part of the words, since they go where causes do not.
        why: io::Error,
    },
    /// It leads elsewhere, and whoever made it decides where osel writes.
    #[error("`{0}` is a symbolic link: name the file that it leads to")]
    Link(PathBuf),
    /// What is written is gone, or waits for a reader.
    #[error("`{0}` is no file: a device or a pipe keeps nothing")]
    NoFile(PathBuf),
    /// Two writers would tear each other's lines.
    #[error("`{0}` is being written by another process or forwarder: each needs a file of its own")]
    Locked(PathBuf),
}

impl FileFault {
    /// What it means for who sends.
    pub(super) fn kind(&self) -> RefusalKind {
        match self {
            Self::System { .. } => RefusalKind::Unavailable,
            Self::Link(_) | Self::NoFile(_) | Self::Locked(_) => RefusalKind::Denied,
        }
    }
}

/// A batch, copied together to be written at once.
pub(super) struct Pack {
    /// All lines, each with its end.
    pub(super) bytes: Vec<u8>,
    pub(super) lines: Vec<Line>,
}

/// A line of it.
pub(super) struct Line {
    /// Where it begins and where the next one does.
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) seq: u64,
    pub(super) recorded_at: Timestamp,
}

/// The file, open.
pub(super) struct Writer {
    settings: Arc<FileReceiverConfig>,
    keeper: Keeper,
    file: File,
    spot: Spot,
    /// So much of it is on the disk or was there before us.
    synced: u64,
    /// What may be there of what is sent next.
    ahead: Option<Ahead>,
    /// The last record in it.
    last_seq: Option<u64>,
    last: Option<Timestamp>,
}

impl Writer {
    /// Opens the file, or makes it.
    pub(super) fn open(
        settings: Arc<FileReceiverConfig>,
        mark: Option<&Mark>,
        keeper: Keeper,
    ) -> Result<Self, FileFault> {
        let file = open(&settings)?;
        let failed = |why| FileFault::System { what: "read", path: settings.path.clone(), why };
        let metadata = file.metadata().map_err(failed)?;
        let reader = file.try_clone().map_err(failed)?;
        let ahead = Ahead::beyond(mark, &settings.path, reader).map_err(failed)?;
        let spot = Spot { file: FileId::of(&metadata), length: metadata.len(), born: None };
        // Of what was in it before, the time of the last writing tells enough.
        let modified = metadata.modified().ok().filter(|_| metadata.len() > 0);
        let modified = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        let modified = modified.and_then(|time| i64::try_from(time.as_micros()).ok());
        let last = mark.filter(|mark| mark.file == spot.file).map(|mark| mark.last);
        let last = last.or(modified.map(Timestamp::from_micros));
        keeper.look();
        Ok(Self {
            settings,
            keeper,
            file,
            synced: spot.length,
            spot,
            ahead: Some(ahead),
            last_seq: None,
            last,
        })
    }

    /// Whether the file still has its name: somebody may have moved or removed it.
    pub(super) fn has_its_name(&self) -> bool {
        let named = fs::symlink_metadata(&self.settings.path);
        named.is_ok_and(|metadata| FileId::of(&metadata) == self.spot.file)
    }

    /// Writes what is not there yet. Afterwards all of it is on the disk.
    pub(super) fn append(&mut self, pack: &Pack) -> Result<Option<Mark>, FileFault> {
        let appended = self.append_all(pack);
        if appended.is_err() {
            self.undo();
        }
        appended
    }

    fn append_all(&mut self, pack: &Pack) -> Result<Option<Mark>, FileFault> {
        if self.ahead.is_none() {
            self.look()?;
        }
        let mut written = 0;
        for line in &pack.lines {
            if self.is_there(&pack.bytes[line.start..line.end - 1])? {
                written = line.end;
            } else if self.is_full(line, line.end - written) {
                self.write(&pack.bytes[written..line.start])?;
                self.rotate()?;
                written = line.start;
            }
            self.note(line)?;
        }
        self.write(&pack.bytes[written..])?;
        self.file.sync_data().map_err(|why| self.failed("sync", why))?;
        self.synced = self.spot.length;
        Ok(pack.lines.last().and_then(|line| self.mark(&pack.bytes[line.start..line.end])))
    }

    /// What to go on with, behind that line.
    fn mark(&mut self, line: &[u8]) -> Option<Mark> {
        let spot = self.ahead.as_mut().and_then(Ahead::spot).unwrap_or(&mut self.spot);
        let (file, length, born) = (spot.file, spot.length, spot.born.clone()?);
        Some(Mark { file, length, end: LineSum::of(line), last: self.last?, born })
    }

    /// What others have done to the file since: emptied it, or written to it.
    fn look(&mut self) -> Result<(), FileFault> {
        let length = self.file.metadata().map_err(|why| self.failed("read", why))?.len();
        if length < self.spot.length {
            self.spot.born = None;
        }
        if length != self.spot.length {
            (self.spot.length, self.synced) = (length, length);
            self.end_line()?;
        }
        Ok(())
    }

    /// Whether the next line was written by a run before.
    fn is_there(&mut self, line: &[u8]) -> Result<bool, FileFault> {
        let Some(ahead) = &mut self.ahead else { return Ok(false) };
        let compared = ahead.compare(line);
        if compared == Compared::Same {
            return Ok(true);
        }
        if let Some(spot) = self.ahead.take().and_then(Ahead::end) {
            self.spot = spot;
        }
        if compared == Compared::Torn {
            // What is cut off is the beginning of what is written now: nothing that anybody wrote is lost by it.
            self.file.set_len(self.spot.length).map_err(|why| self.failed("cut", why))?;
        }
        self.spot.length = self.file.metadata().map_err(|why| self.failed("read", why))?.len();
        self.synced = self.spot.length;
        self.end_line()?;
        Ok(false)
    }

    /// Ends a line that somebody else has begun.
    fn end_line(&mut self) -> Result<(), FileFault> {
        let mut last = [b'\n'];
        if let Some(at) = self.spot.length.checked_sub(1) {
            self.file.read_exact_at(&mut last, at).map_err(|why| self.failed("read", why))?;
        }
        if last == *b"\n" { Ok(()) } else { self.write(b"\n") }
    }

    /// Whether a new file is due before this line, with which so many bytes wait to be written. A record is in one file with all its lines.
    fn is_full(&self, line: &Line, waiting: usize) -> bool {
        let length = self.spot.length + waiting as u64;
        let is_empty = length == (line.end - line.start) as u64;
        if is_empty || self.spot.born.is_none() || self.last_seq == Some(line.seq) {
            return false;
        }
        let day = |time: Timestamp| time.micros().div_euclid(DAY_MICROS);
        let is_old = self.settings.daily && self.last.is_some_and(|last| day(last) < day(line.recorded_at));
        is_old || self.settings.rotate_bytes.is_some_and(|most| length > most.get())
    }

    /// Notes that a line is in the file, or about to be.
    fn note(&mut self, line: &Line) -> Result<(), FileFault> {
        let spot = self.ahead.as_mut().and_then(Ahead::spot).unwrap_or(&mut self.spot);
        if spot.born.is_none() {
            let born = rotated::free_stem(&self.settings.path, line.recorded_at, line.seq);
            let path = || rotated::folder(&self.settings.path).to_owned();
            spot.born = Some(born.map_err(|why| FileFault::System { what: "list", path: path(), why })?);
        }
        self.last_seq = Some(line.seq);
        self.last = self.last.max(Some(line.recorded_at));
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), FileFault> {
        self.file.write_all(bytes).map_err(|why| self.failed("write", why))?;
        self.spot.length += bytes.len() as u64;
        Ok(())
    }

    /// Gives the file its other name, and begins a new one.
    fn rotate(&mut self) -> Result<(), FileFault> {
        let Some(born) = &self.spot.born else { return Ok(()) };
        self.file.sync_data().map_err(|why| self.failed("sync", why))?;
        let other = rotated::plain(&self.settings.path, born);
        rename(&self.settings.path, &other).map_err(|why| self.failed("rotate", why))?;
        self.file = open(&self.settings)?;
        let metadata = self.file.metadata().map_err(|why| self.failed("read", why))?;
        self.spot = Spot { file: FileId::of(&metadata), length: metadata.len(), born: None };
        self.synced = self.spot.length;
        self.last = None;
        self.keeper.look();
        Ok(())
    }

    /// Takes back what is not known to be on the disk: after an error of it, a second attempt to sync may succeed and mean nothing.
    fn undo(&self) {
        if self.file.metadata().is_ok_and(|metadata| metadata.len() > self.synced) {
            // Where that fails as well, it is compared with what is sent next.
            let _ = self.file.set_len(self.synced);
        }
    }

    fn failed(&self, what: &'static str, why: io::Error) -> FileFault {
        FileFault::System { what, path: self.settings.path.clone(), why }
    }
}

/// Opens the file for appending, or makes it; it is then ours alone.
fn open(settings: &FileReceiverConfig) -> Result<File, FileFault> {
    let path = &settings.path;
    let failed = |what| move |why| FileFault::System { what, path: path.clone(), why };
    // A daemon may write where others may not: it does not follow what somebody else has put there.
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default();
    let mut options = OpenOptions::new();
    options.read(true).append(true).mode(settings.mode).custom_flags(flags);
    let made = options.clone().create_new(true).open(path);
    let is_new = made.is_ok();
    let opened = match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options.open(path),
        made => made,
    };
    let mut file = opened.map_err(|why| match Errno::from_io_error(&why) {
        Some(Errno::LOOP) => FileFault::Link(path.clone()),
        Some(Errno::NXIO | Errno::ISDIR) => FileFault::NoFile(path.clone()),
        _ => FileFault::System { what: "open", path: path.clone(), why },
    })?;
    if !file.metadata().map_err(failed("open"))?.is_file() {
        return Err(FileFault::NoFile(path.clone()));
    }
    if flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
        return Err(FileFault::Locked(path.clone()));
    }
    if is_new {
        // The system's mask may have taken bits away.
        file.set_permissions(Permissions::from_mode(settings.mode)).map_err(failed("set the mode of"))?;
        sync_folder(path).map_err(failed("keep"))?;
    }
    file.seek(SeekFrom::Start(0)).map_err(failed("read"))?;
    Ok(file)
}

/// Renames, and replaces nothing where the file system knows how to.
fn rename(from: &std::path::Path, to: &std::path::Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) => fs::rename(from, to)?,
        renamed => renamed?,
    }
    sync_folder(from)
}

/// Makes sure that a file has its name after a loss of power.
pub(super) fn sync_folder(path: &std::path::Path) -> io::Result<()> {
    File::open(rotated::folder(path))?.sync_all()
}
