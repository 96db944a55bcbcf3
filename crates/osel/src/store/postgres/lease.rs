//! Who leads: the holder of the lease in the row of `meta`.
//!
//! Taking the lease raises the epoch and sets a token that nobody else has, and every transaction compares both: the
//! lease decides who *tries*, epoch and token who *may*. A leader that was paused and comes back believes that it
//! leads, and its next commit is refused, however much time went by unnoticed; also by a database that fell back to an
//! older state and gave the same epoch to another. Each transaction of the leader renews the lease, and beside them a
//! thread of its own does; a renewal never waits for a commit, nor a commit for long for a renewal.
//!
//! No clocks are compared. Whoever wants the lead watches the row ([`LeaseWatch`]), and takes it once it has stood
//! still for long enough, if it is then still as it was seen.

use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use super::super::error::{JournalError, Place};
use super::connect::{At, Link, Mode, Session, integer};
use super::reader::PostgresReader;
use super::writer::Access;
use super::{batch, rows};

/// After how long without a sign a leader counts as gone: several renewals, and a pause of the database.
const LEASE: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 5 });
/// When it is tried again after the row was in use all the same, as by a commit that waits for a standby of the database.
const RETRY: Duration = Duration::from_secs(2);
/// How often a command looks that wants the lead.
const LOOK: Duration = Duration::from_millis(250);
/// How often the leader gives a sign when it commits nothing.
const RENEWAL: Duration = Duration::from_secs(1);
/// A renewal that takes longer is given up: the next one follows.
const RENEWAL_TIME: Duration = Duration::from_secs(3);
/// How long giving the lease up may take, at a stop that has few seconds.
const RELEASE_TIME: Duration = Duration::from_secs(1);

/// One taking of the lead. The epoch alone may come again, where a database falls back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) epoch: u64,
    /// Random.
    pub(super) token: [u8; 16],
}

/// The row of the lease as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseSign {
    /// Who leads, in words; none for nobody.
    pub holder: Option<String>,
    epoch: u64,
    token: Vec<u8>,
    renewed_at: SystemTime,
}

/// What somebody who wants the lead has seen of the lease, and since when by a clock of its own.
#[derive(Debug, Default)]
pub struct LeaseWatch {
    seen: Option<(LeaseSign, Instant)>,
    was_renewed: bool,
}

impl LeaseWatch {
    /// Takes note of what is seen now; whether the lead is worth trying for.
    pub fn is_free(&mut self, sign: &LeaseSign, now: Instant) -> bool {
        match &self.seen {
            Some((seen, since)) if seen == sign => {
                sign.holder.is_none() || now.saturating_duration_since(*since) >= LEASE
            }
            seen => {
                self.was_renewed = seen.is_some();
                self.seen = Some((sign.clone(), now));
                sign.holder.is_none()
            }
        }
    }

    /// It was in use all the same: for a moment nothing is tried.
    pub fn was_refused(&mut self) {
        if let Some((_, since)) = &mut self.seen {
            *since += RETRY;
        }
    }
}

/// This process in words, for whoever asks who leads.
fn holder() -> String {
    let host = rustix::system::uname();
    format!("{} on {}", std::process::id(), host.nodename().to_string_lossy())
}

/// The lease as it is now.
///
/// # Errors
/// When it cannot be read.
pub(super) async fn read(at: &At<'_>, session: &mut Session) -> Result<LeaseSign, JournalError> {
    let sql = "SELECT holder, epoch, token, renewed_at FROM meta";
    let row = session.query_opt(sql, &[]).await.map_err(at.sql(Place::Meta, "read"))?;
    let row = row.ok_or_else(|| at.damaged(Place::Meta, "it says nothing about itself"))?;
    rows::at_place(at, Place::Meta, &row, |row| {
        let (holder, epoch) = (rows::column(row, 0)?, rows::number(row, 1)?);
        Ok(LeaseSign { holder, epoch, token: rows::column(row, 2)?, renewed_at: rows::column(row, 3)? })
    })
}

/// How long a server may take to say who leads: it is one row, and whoever stands by cannot be stopped while it waits.
const LEASE_TIME: Duration = Duration::from_secs(2);

impl PostgresReader {
    /// Who leads, as it stands there now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn lease(&mut self) -> Result<LeaseSign, JournalError> {
        self.read_within(LEASE_TIME, read)
    }
}

/// The lease, if nobody has it.
///
/// # Errors
/// When somebody does, or it cannot be read.
pub(super) async fn unheld(at: &At<'_>, session: &mut Session) -> Result<LeaseSign, JournalError> {
    let sign = read(at, session).await?;
    if sign.holder.is_none() { Ok(sign) } else { Err(in_use(at, sign)) }
}

/// The lease, once nobody has it or its holder has given no sign for long enough.
///
/// # Errors
/// When its holder gives one, or it cannot be read.
pub(super) async fn stale(at: &At<'_>, session: &mut Session) -> Result<LeaseSign, JournalError> {
    let mut watch = LeaseWatch::default();
    loop {
        let sign = read(at, session).await?;
        if watch.is_free(&sign, Instant::now()) {
            return Ok(sign);
        }
        if watch.was_renewed {
            return Err(in_use(at, sign));
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn in_use(at: &At<'_>, sign: LeaseSign) -> JournalError {
    let process = sign.holder.unwrap_or_else(|| "(unknown)".to_owned());
    JournalError::InUse { path: at.path.to_path_buf(), process }
}

/// Takes the lease within a transaction, if nobody has it or it still is as it was seen.
///
/// # Errors
/// When somebody leads, or the row cannot be written.
pub(super) async fn take(at: &At<'_>, session: &mut Session, seen: &LeaseSign) -> Result<Term, JournalError> {
    let mut token = [0; 16];
    getrandom::fill(&mut token).map_err(|error| at.io("lead", error))?;
    // A row that is locked is in use by its leader: no need to wait.
    let taken = session
        .query_opt(
            "UPDATE meta SET epoch = epoch + 1, token = $1, holder = $2, renewed_at = clock_timestamp() WHERE one IN \
             (SELECT one FROM meta WHERE holder IS NULL OR (epoch = $3 AND token = $4 AND renewed_at = $5) \
              FOR UPDATE SKIP LOCKED) \
             RETURNING epoch",
            &[&&token[..], &holder(), &integer(seen.epoch), &seen.token, &seen.renewed_at],
        )
        .await
        .map_err(at.sql(Place::Meta, "lead"))?;
    match taken {
        Some(row) => {
            let epoch = rows::at_place(at, Place::Meta, &row, |row| rows::number(row, 0))?;
            Ok(Term { epoch, token })
        }
        None => Err(in_use(at, read(at, session).await?)),
    }
}

/// Locks the row within a transaction that writes something else than a batch, renews the lease, and makes sure that
/// we lead.
///
/// # Errors
/// When somebody else does.
pub(super) async fn guard(at: &At<'_>, session: &mut Session, term: Term) -> Result<(), JournalError> {
    let renewed = session
        .execute(
            "UPDATE meta SET renewed_at = clock_timestamp() WHERE epoch = $1 AND token = $2",
            &[&integer(term.epoch), &&term.token[..]],
        )
        .await
        .map_err(at.sql(Place::Meta, "write"))?;
    if renewed == 1 { Ok(()) } else { Err(deposed(at, session, term).await) }
}

/// The error that somebody else leads.
async fn deposed(at: &At<'_>, session: &mut Session, term: Term) -> JournalError {
    match batch::read_meta(at, session).await {
        Ok((current, _)) => {
            JournalError::Deposed { path: at.path.to_path_buf(), ours: term.epoch, current: current.epoch }
        }
        Err(error) => error,
    }
}

/// Gives the lease up, so that nobody has to wait for its end.
pub(super) fn release(at: &At<'_>, link: &mut Link, term: Term) {
    // It ends by itself if this fails.
    let _ = link.run_within(RELEASE_TIME, at, "release", async |session| {
        session
            .execute(
                "UPDATE meta SET holder = NULL WHERE epoch = $1 AND token = $2",
                &[&integer(term.epoch), &&term.token[..]],
            )
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
    /// Starts the thread, with a connection that is there already: the first sign is due in a second.
    ///
    /// # Errors
    /// When the system has none.
    pub(super) fn start(path: PathBuf, access: Access, term: Term, link: Link) -> std::io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new().name("osel-lease".into()).spawn(move || {
            let at = At { path: &path };
            let mut link = Some(link);
            while stopped.recv_timeout(RENEWAL) == Err(RecvTimeoutError::Timeout) {
                // What keeps us from renewing keeps us from committing as well, and is told there.
                let open = match link.take() {
                    Some(link) => Ok(link),
                    None => Link::open(&at, &access(), Mode::Write),
                };
                link = open.ok().and_then(|mut link| renew(&at, &mut link, term).ok().map(|()| link));
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

fn renew(at: &At<'_>, link: &mut Link, term: Term) -> Result<(), JournalError> {
    link.run_within(RENEWAL_TIME, at, "renew", async |session| {
        // A transaction under way has the row, and renews.
        session
            .execute(
                "UPDATE meta SET renewed_at = clock_timestamp() WHERE one IN \
                 (SELECT one FROM meta WHERE epoch = $1 AND token = $2 AND holder IS NOT NULL \
                  FOR UPDATE SKIP LOCKED)",
                &[&integer(term.epoch), &&term.token[..]],
            )
            .await
            .map(drop)
            .map_err(at.sql(Place::Meta, "renew"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_free_once_it_has_stood_still_whatever_the_databases_clock_says() {
        let sign = |seconds| LeaseSign {
            holder: Some("7 on here".to_owned()),
            epoch: 1,
            token: vec![1; 16],
            renewed_at: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
        };
        let (begun, just_before) = (Instant::now(), Duration::from_millis(1));
        let mut watch = LeaseWatch::default();
        assert!(!watch.is_free(&sign(1_000), begun));
        assert!(!watch.is_free(&sign(1_000), begun + LEASE - just_before));
        // A sign, by a clock that went back, and another holder at the same time.
        let again = begun + LEASE;
        assert!(!watch.is_free(&sign(3), again));
        let other = LeaseSign { token: vec![2; 16], ..sign(3) };
        assert!(!watch.is_free(&other, again + LEASE));
        assert!(watch.is_free(&other, again + LEASE * 2));
        watch.was_refused();
        assert!(!watch.is_free(&other, again + LEASE * 2));
        assert!(watch.is_free(&other, again + LEASE * 2 + RETRY));
        assert!(watch.is_free(&LeaseSign { holder: None, ..other }, again));
    }
}
