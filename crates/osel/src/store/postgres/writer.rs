//! The writer of a shared store: whoever holds the lease.
//!
//! After a write has failed nothing is known about what became of it: the connection is dropped, and the journal takes
//! no more until [`Journal::reopen`] has written something through a new one, so that all before it is as durable
//! as the database is set up to make it, and compared the head.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use osel_core::time::Timestamp;

use super::super::block::Packer;
use super::super::check::{check, check_segment};
use super::super::data::{Commit, Head, NewStore, SnapshotInfo, StoreInfo};
use super::super::erasure::Eraser;
use super::super::error::{JournalError, Place};
use super::super::index::NewSegment;
use super::super::journal::{Journal, Reader};
use super::super::persons::Sealer;
use super::super::trimming::Trimming;
use super::connect::{At, Link, Mode, Session, integer};
use super::lease::{self, LeaseSign, Renewal, Term};
use super::reader::PostgresReader;
use super::rows::{self, INFO};
use super::schema::{self, MIGRATIONS};
use super::{batch, erase, erasure, expire, index, snapshot};
use crate::config::PostgresConfig;

/// How the store is reached now: passwords change while a daemon runs, and each connection asks anew.
pub type Access = Arc<dyn Fn() -> PostgresConfig + Send + Sync>;

/// The writer of a shared store; it leads until it is dropped, or until it gives no sign for some seconds.
pub struct PostgresJournal {
    access: Access,
    /// The URL without a password.
    path: PathBuf,
    info: StoreInfo,
    term: Term,
    head: Head,
    /// `as_of` of the last record.
    as_of: Timestamp,
    /// The head a failed commit would have led to, if one failed.
    attempted: Option<Head>,
    /// None after a write has failed.
    link: Option<Link>,
    packer: Packer,
    sealer: Sealer,
    trimming: Trimming,
    _renewal: Renewal,
}

impl fmt::Debug for PostgresJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresJournal").field("path", &self.path).finish_non_exhaustive()
    }
}

impl PostgresJournal {
    /// Takes the lead of the store in a database and brings it to the present format; `new` makes the store where there
    /// is none. A leader that gives no sign is waited for until it counts as gone.
    ///
    /// # Errors
    /// When somebody leads ([`JournalError::InUse`] names the process), there is no store and none is to be made, it
    /// is a newer one, or the database cannot be reached or written.
    pub fn open(config: &PostgresConfig, new: Option<&NewStore>) -> Result<Self, JournalError> {
        let config = config.clone();
        Self::lead(Arc::new(move || config.clone()), new, async |at, session| lease::stale(at, session).await)
    }

    /// The same at once, if nobody leads or the lease still is as it was `seen`; by an access that may change, which is
    /// asked at each connection.
    ///
    /// # Errors
    /// As of [`Self::open`].
    pub fn open_by(
        access: Access,
        new: Option<&NewStore>,
        seen: Option<&LeaseSign>,
    ) -> Result<Self, JournalError> {
        Self::lead(access, new, async |at, session| match seen {
            Some(seen) => Ok(seen.clone()),
            None => lease::unheld(at, session).await,
        })
    }

    fn lead(
        access: Access,
        new: Option<&NewStore>,
        free: impl AsyncFnOnce(&At<'_>, &mut Session) -> Result<LeaseSign, JournalError>,
    ) -> Result<Self, JournalError> {
        let config = access();
        let path = PathBuf::from(config.to_string());
        let at = At { path: &path };
        let mut link = Link::open(&at, &config, Mode::Write)?;
        let seen = link.run(&at, "open", async |session| {
            match (schema::find(&at, session).await?, new) {
                // Before anything is changed: the lease of a store that we cannot write is of no use.
                (Some(found), _) => schema::check_known(&at, found, MIGRATIONS)?,
                (None, Some(new)) => schema::create(&at, session, MIGRATIONS, new).await?,
                (None, None) => return Err(JournalError::Missing { path: path.clone() }),
            }
            free(&at, session).await
        })?;
        // Before the lease is taken, which must not run out while somebody connects.
        let renewing = Link::open(&at, &config, Mode::Write)?;
        let (term, info, (head, as_of)) = link.run(&at, "open", async |session| {
            let term = lead(&at, session, MIGRATIONS, &seen).await?;
            Ok((term, read_info(&at, session).await?, read_head(&at, session).await?))
        })?;
        let renewal = Renewal::start(path.clone(), Arc::clone(&access), term, renewing)
            .map_err(|error| at.io("start a thread for", error))?;
        let packer = Packer::new().map_err(|error| at.io("write", error))?;
        Ok(Self {
            access,
            sealer: Sealer::new(&info.id),
            info,
            term,
            head,
            as_of,
            attempted: None,
            link: Some(link),
            packer,
            trimming: Trimming::new(),
            _renewal: renewal,
            path,
        })
    }

    /// Does something with the session; nothing after a failure, until the store is opened again.
    fn write<T>(
        &mut self,
        action: &'static str,
        write: impl AsyncFnOnce(&At<'_>, &mut Session, &mut Packer) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let at = At { path: &self.path };
        let Some(link) = &mut self.link else {
            return Err(JournalError::Poisoned { path: self.path.clone() });
        };
        let packer = &mut self.packer;
        let result = link.run(&at, action, async |session| write(&at, session, packer).await);
        if result.as_ref().is_err_and(leaves_doubt) {
            self.link = None;
        }
        result
    }
}

impl Drop for PostgresJournal {
    fn drop(&mut self) {
        if let Some(link) = &mut self.link {
            lease::release(&At { path: &self.path }, link, self.term);
        }
    }
}

/// Takes the lease and migrates, in one transaction.
pub(super) async fn lead(
    at: &At<'_>,
    session: &mut Session,
    migrations: &[&str],
    seen: &LeaseSign,
) -> Result<Term, JournalError> {
    let failed = at.sql(Place::Meta, "lead");
    session.batch("BEGIN").await.map_err(&failed)?;
    let term = match lease::take(at, session, seen).await {
        Ok(term) => term,
        Err(error) => {
            // Otherwise the server has something to say about how the session ends.
            session.batch("ROLLBACK").await.map_err(&failed)?;
            return Err(error);
        }
    };
    schema::migrate(at, session, migrations).await?;
    session.batch("COMMIT").await.map_err(&failed)?;
    Ok(term)
}

#[cfg(test)]
impl PostgresJournal {
    /// Draws the numbers of keys from there.
    pub(super) fn draw_from(&mut self, chance: super::super::persons::Chance) {
        self.sealer = Sealer::with(&self.info.id, chance);
    }

    /// Commits, and behaves as if that had been reported as failed.
    pub(super) fn fail_after(&mut self, commit: &Commit<'_>) {
        let before = (self.head, self.as_of);
        self.commit(commit).unwrap();
        (self.head, self.as_of) = before;
        self.attempted = Some(commit.head_after());
        self.link = None;
    }
}

impl Journal for PostgresJournal {
    fn info(&self) -> &StoreInfo {
        &self.info
    }

    fn head(&self) -> Head {
        self.head
    }

    fn commit(&mut self, commit: &Commit<'_>) -> Result<Head, JournalError> {
        if self.link.is_none() {
            return Err(JournalError::Poisoned { path: self.path.clone() });
        }
        check(commit, self.head, self.as_of)
            .map_err(|source| JournalError::Refused { path: self.path.clone(), source: Box::new(source) })?;
        let (term, trims_log) = (self.term, self.trimming.is_due(commit.checkpoints.len()));
        let mut sealer = std::mem::replace(&mut self.sealer, Sealer::new(&self.info.id));
        let result = self.write("write", async |at, session, packer| {
            batch::write(at, session, term, commit, (packer, &mut sealer), trims_log).await
        });
        match result {
            Ok(head) => {
                // Keys that were not written must not seal anything, nor such as were destroyed.
                if commit.erasure.is_none() {
                    self.sealer = sealer;
                }
                self.head = head;
                self.as_of = commit.records.last().map_or(self.as_of, |record| record.head.as_of);
                Ok(head)
            }
            Err(error) => {
                self.attempted = Some(commit.head_after());
                Err(error)
            }
        }
    }

    fn reopen(&mut self) -> Result<Head, JournalError> {
        // Closed first: the old connection must have no part in what follows.
        self.link = None;
        let at = At { path: &self.path };
        let mut link = Link::open(&at, &(self.access)(), Mode::Write)?;
        let (term, info) = (self.term, &self.info);
        let (head, as_of) = link.run(&at, "open", async |session| {
            // A commit of our own: it is durable only after all before it, on whatever the database waits for. It waits for
            // one of ours that is still under way.
            let renewed = session
                .execute(
                    "UPDATE meta SET renewed_at = clock_timestamp() WHERE epoch = $1 AND token = $2 AND store_id = $3",
                    &[&integer(term.epoch), &&term.token[..], &info.id],
                )
                .await
                .map_err(at.sql(Place::Meta, "write"))?;
            if renewed == 0 {
                let (current, _) = batch::read_meta(&at, session).await?;
                let path = at.path.to_path_buf();
                return Err(JournalError::Deposed { path, ours: term.epoch, current: current.epoch });
            }
            read_head(&at, session).await
        })?;
        if head != self.head && Some(head) != self.attempted {
            return Err(JournalError::HeadMoved {
                path: self.path.clone(),
                expected: self.head,
                found: head,
            });
        }
        (self.head, self.as_of, self.attempted) = (head, as_of, None);
        self.link = Some(link);
        Ok(head)
    }

    fn begin_snapshot(&mut self, seq: u64, entry: u64, made_at: Timestamp) -> Result<u64, JournalError> {
        let (head, term) = (self.head, self.term);
        self.write("write a snapshot to", async |at, session, _| {
            snapshot::begin(at, session, term, head, (seq, entry), made_at).await
        })
    }

    fn add_snapshot_chunk(&mut self, id: u64, data: &[u8]) -> Result<(), JournalError> {
        let term = self.term;
        self.write("write a snapshot to", async |at, session, packer| {
            snapshot::add_chunk(at, session, term, packer, (id, data)).await
        })
    }

    fn complete_snapshot(&mut self, id: u64) -> Result<SnapshotInfo, JournalError> {
        let term = self.term;
        self.write("write a snapshot to", async |at, session, _| {
            snapshot::complete(at, session, term, id).await
        })
    }

    fn prune_snapshots(
        &mut self,
        keep: &mut dyn FnMut(&SnapshotInfo) -> bool,
    ) -> Result<usize, JournalError> {
        let term = self.term;
        self.write("remove a snapshot from", async |at, session, _| {
            // What inputs went behind is kept in any case.
            let checkpoint = expire::read(at, session).await?.checkpoint;
            let mut all = snapshot::list(at, session).await?;
            all.retain(|info| !keep(info) && info.id != checkpoint.snapshot);
            let ids: Vec<i64> = all.iter().map(|info| integer(info.id)).collect();
            snapshot::remove(at, session, term, &ids).await.map(|()| ids.len())
        })
    }

    fn erase_part(&mut self, seq: u64, class: u8, project: Option<&str>) -> Result<usize, JournalError> {
        let term = self.term;
        self.write("erase from", async |at, session, packer| {
            erase::erase_part(at, session, term, packer, seq, (class, project)).await
        })
    }

    fn expire(&mut self, how_long: Duration) -> Result<bool, JournalError> {
        let term = self.term;
        self.write("let go of old content of", async |at, session, packer| {
            expire::expire(at, session, term, packer, how_long).await
        })
    }

    fn erase_persons(&mut self, how_long: Duration, eraser: &dyn Eraser) -> Result<bool, JournalError> {
        let term = self.term;
        self.write("erase a person from", async |at, session, packer| {
            erasure::erase(at, session, term, packer, how_long, eraser).await
        })
    }

    fn drop_keys(&mut self, eraser: &dyn Eraser) -> Result<bool, JournalError> {
        let term = self.term;
        self.write("let go of keys of", async |at, session, _| {
            expire::drop_keys(at, session, term, eraser).await
        })
    }

    fn put_segment(&mut self, segment: &NewSegment) -> Result<bool, JournalError> {
        check_segment(segment, self.head)
            .map_err(|source| JournalError::Refused { path: self.path.clone(), source: Box::new(source) })?;
        let term = self.term;
        self.write("write the search index of", async |at, session, packer| {
            index::put(at, session, term, packer, segment).await
        })
    }

    fn drop_index(&mut self) -> Result<(), JournalError> {
        let term = self.term;
        self.write("remove the search index of", async |at, session, _| {
            index::drop_all(at, session, term).await
        })
    }

    fn reader(&self) -> Result<Box<dyn Reader>, JournalError> {
        Ok(Box::new(PostgresReader::open_latest(&(self.access)())?))
    }
}

/// Whether the state of the connection, or what is in the store, is not known after this error. Refusals come before
/// anything is written; without a snapshot the transaction was ended.
fn leaves_doubt(error: &JournalError) -> bool {
    !matches!(error, JournalError::Refused { .. } | JournalError::NoSnapshot { .. })
}

/// What the store says about itself.
///
/// # Errors
/// When it cannot be read.
pub(super) async fn read_info(at: &At<'_>, session: &mut Session) -> Result<StoreInfo, JournalError> {
    let sql = format!("SELECT {INFO} FROM meta");
    let row = session.query_opt(&sql, &[]).await.map_err(at.sql(Place::Meta, "read"))?;
    let row = row.ok_or_else(|| at.damaged(Place::Meta, "it says nothing about itself"))?;
    rows::at_place(at, Place::Meta, &row, rows::info)
}

/// Reads the head, and makes sure that the tables end where it says.
async fn read_head(at: &At<'_>, session: &mut Session) -> Result<(Head, Timestamp), JournalError> {
    let (_, head) = batch::read_meta(at, session).await?;
    let place = Place::Record(head.seq);
    let last = session
        .query_opt("SELECT seq, hash, as_of FROM records ORDER BY seq DESC LIMIT 1", &[])
        .await
        .map_err(at.sql(place, "read"))?;
    let read = |row: &_| Ok((rows::number(row, 0)?, rows::column::<Vec<u8>>(row, 1)?, rows::time(row, 2)?));
    let last = last.map(|row| rows::at_place(at, place, &row, read)).transpose()?;
    let (seq, hash, as_of) = last.unwrap_or((0, Head::EMPTY.hash.to_vec(), Timestamp::MIN));
    if (seq, &hash[..]) != (head.seq, &head.hash[..]) {
        return Err(at.damaged(place, "the records do not end where the store says"));
    }
    let place = Place::Entry(head.entry);
    let last = session
        .query_opt("SELECT last_entry FROM blocks ORDER BY first_entry DESC LIMIT 1", &[])
        .await
        .map_err(at.sql(place, "read"))?;
    let entry = last.map(|row| rows::at_place(at, place, &row, |row| rows::number(row, 0))).transpose()?;
    // All of them may have gone.
    let gone = expire::read(at, session).await?.checkpoint.entry;
    if entry.unwrap_or(0).max(gone) != head.entry {
        return Err(at.damaged(place, "the entries do not end where the store says"));
    }
    Ok((head, as_of))
}
