//! Who leads: the holder of the lease in the row of `meta`, by the database's clock.
//!
//! Taking the lease raises the epoch, and every commit compares that: the lease decides who *tries*, the epoch who
//! *may*. A leader that was paused and comes back believes that it leads, and its next commit is refused, however
//! much time went by unnoticed. The leader renews with each commit, and beside them by a thread of its own; a renewal
//! never waits for a commit, nor a commit for long for a renewal.

use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::super::error::{JournalError, Place};
use super::connect::{At, Link, Mode, Session, integer};
use super::rows;
use super::writer::Access;

/// After how long without a sign a leader counts as gone: several renewals, and a pause of the database.
const LEASE_SECONDS: f64 = if cfg!(test) { 2.0 } else { 5.0 };
/// How often the leader gives a sign when it commits nothing.
const RENEWAL: Duration = Duration::from_secs(1);
/// A renewal that takes longer is given up: the next one follows.
const RENEWAL_TIME: Duration = Duration::from_secs(3);
/// How long giving the lease up may take, at a stop that has few seconds.
const RELEASE_TIME: Duration = Duration::from_secs(1);

/// This process in words, for whoever asks who leads.
pub(super) fn holder() -> String {
    let host = rustix::system::uname();
    format!("{} on {}", std::process::id(), host.nodename().to_string_lossy())
}

/// Takes the lease within a transaction, if it is free; the new epoch.
///
/// # Errors
/// When somebody leads, or the row cannot be written.
pub(super) async fn take(at: &At<'_>, session: &mut Session, holder: &str) -> Result<u64, JournalError> {
    let failed = at.sql(Place::Meta, "lead");
    // A row that is locked is in use by its leader: no need to wait.
    let taken = session
        .query_opt(
            "UPDATE meta SET epoch = epoch + 1, holder = $1, renewed_at = clock_timestamp() WHERE one IN \
             (SELECT one FROM meta WHERE holder IS NULL \
              OR renewed_at < clock_timestamp() - $2 * interval '1 second' FOR UPDATE SKIP LOCKED) \
             RETURNING epoch",
            &[&holder, &LEASE_SECONDS],
        )
        .await
        .map_err(&failed)?;
    if let Some(row) = taken {
        return rows::at_place(at, Place::Meta, &row, |row| rows::number(row, 0));
    }
    let row = session.query_opt("SELECT holder FROM meta", &[]).await.map_err(&failed)?;
    let process = row.and_then(|row| row.try_get::<_, Option<String>>(0).ok().flatten());
    let process = process.unwrap_or_else(|| "(unknown)".to_owned());
    Err(JournalError::InUse { path: at.path.to_path_buf(), process })
}

/// Locks the row within a transaction that writes something else than a batch, and makes sure that we lead.
///
/// # Errors
/// When somebody else does.
pub(super) async fn guard(at: &At<'_>, session: &mut Session, epoch: u64) -> Result<(), JournalError> {
    let row = session
        .query_opt("SELECT epoch FROM meta FOR UPDATE", &[])
        .await
        .map_err(at.sql(Place::Meta, "write"))?;
    let row = row.ok_or_else(|| at.damaged(Place::Meta, "it says nothing about itself"))?;
    let current = rows::at_place(at, Place::Meta, &row, |row| rows::number(row, 0))?;
    if current == epoch {
        return Ok(());
    }
    Err(JournalError::Deposed { path: at.path.to_path_buf(), ours: epoch, current })
}

/// Gives the lease up, so that nobody has to wait for its end.
pub(super) fn release(at: &At<'_>, link: &mut Link, epoch: u64) {
    // It ends by itself if this fails.
    let _ = link.run_within(RELEASE_TIME, at, "release", async |session| {
        session
            .execute("UPDATE meta SET holder = NULL WHERE epoch = $1", &[&integer(epoch)])
            .await
            .map_err(at.sql(Place::Meta, "release"))
    });
}

/// Renews the lease until it is dropped.
#[derive(Debug)]
pub(super) struct Renewal {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Renewal {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has none.
    pub(super) fn start(path: PathBuf, access: Access, epoch: u64) -> std::io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new().name("osel-lease".into()).spawn(move || {
            let at = At { path: &path };
            let mut link: Option<Link> = None;
            while stopped.recv_timeout(RENEWAL) == Err(RecvTimeoutError::Timeout) {
                // What keeps us from renewing keeps us from committing as well, and is told there.
                let open = match link.take() {
                    Some(link) => Ok(link),
                    None => Link::open(&at, &access(), Mode::Write),
                };
                link = open.ok().and_then(|mut link| renew(&at, &mut link, epoch).ok().map(|()| link));
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.stop = None;
        // It may just wait for a server that does not answer, and then nobody waits for it: what it holds ends with
        // it.
        if let Some(thread) = self.thread.take().filter(JoinHandle::is_finished) {
            let _ = thread.join();
        }
    }
}

fn renew(at: &At<'_>, link: &mut Link, epoch: u64) -> Result<(), JournalError> {
    link.run_within(RENEWAL_TIME, at, "renew", async |session| {
        // A commit under way has the row, and renews.
        session
            .execute(
                "UPDATE meta SET renewed_at = clock_timestamp() WHERE one IN \
                 (SELECT one FROM meta WHERE epoch = $1 AND holder IS NOT NULL FOR UPDATE SKIP LOCKED)",
                &[&integer(epoch)],
            )
            .await
            .map(drop)
            .map_err(at.sql(Place::Meta, "renew"))
    })
}
