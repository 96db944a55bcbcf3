//! What the database is set up to lose: settings and replication, looked at without changing anything.

use std::fmt;
use std::path::PathBuf;

use super::super::error::{JournalError, Place};
use super::connect::{At, Link, Mode, Session};
use super::rows;
use super::schema::NOT_UTF8;
use crate::config::PostgresConfig;

/// How a database keeps what it has acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Durability {
    /// Whether commits are flushed at all (`fsync`).
    pub fsync: bool,
    /// Whether a page that was half written is mended (`full_page_writes`).
    pub full_page_writes: bool,
    /// What a commit of this role waits for where it does not say so itself (`synchronous_commit`).
    pub synchronous_commit: String,
    /// The standbys that commits wait for (`synchronous_standby_names`).
    pub synchronous_standby_names: String,
    /// The standbys that are connected and that no commit waits for, by their names. Where commits wait for some, only a
    /// role that may see the states of all (`pg_monitor`) learns of the others.
    pub asynchronous_standbys: Vec<String>,
    /// Whether the role may see the states of all standbys.
    pub sees_states: bool,
    /// Whether the server is itself a standby, which cannot be written.
    pub is_standby: bool,
    /// Why osel makes no store in this database and opens none.
    pub refusal: Option<&'static str>,
}

/// Looks at a database as osel's role sees it, read-only: at the server that is written, else at the first that answers.
/// Takes the connecting time of its URL twice for each host at most.
///
/// # Errors
/// When it cannot be reached or does not answer.
pub fn inspect(config: &PostgresConfig) -> Result<Durability, JournalError> {
    let path = PathBuf::from(config.to_string());
    let at = At { path: &path };
    // Where one can be written it is the one that counts; else whichever answers, which says of itself what it is.
    let mut link =
        Link::open(&at, config, Mode::ReadLatest).or_else(|_| Link::open(&at, config, Mode::Read))?;
    let time = std::time::Duration::from_secs(config.connect_timeout_seconds.into());
    link.run_within(time, &at, "look at", async |session| look(&at, session).await)
}

async fn look(at: &At<'_>, session: &mut Session) -> Result<Durability, JournalError> {
    let failed = at.sql(Place::Meta, "look at");
    // Without parameters on one side only, so that the settings of the role and the database are seen, not those of the
    // session, where a reader sets none of them.
    let settings = session
        .query_opt(
            "SELECT current_setting('fsync') = 'on', current_setting('full_page_writes') = 'on', \
             current_setting('synchronous_commit'), current_setting('synchronous_standby_names'), \
             pg_is_in_recovery(), pg_has_role('pg_read_all_stats', 'USAGE'), current_setting('server_encoding') = 'UTF8'",
            &[],
        )
        .await
        .map_err(&failed)?;
    let Some(row) = settings else { return Err(at.damaged(Place::Meta, "the server has no settings")) };
    // Whoever may not see their states gets rows without; where commits wait for none, all are asynchronous.
    let standbys = session
        .query(
            "SELECT coalesce(nullif(application_name, ''), 'a standby') FROM pg_stat_replication \
             WHERE sync_state = 'async' OR current_setting('synchronous_standby_names') = ''",
            &[],
        )
        .await
        .map_err(&failed)?;
    let names = standbys.iter().map(|row| rows::at_place(at, Place::Meta, row, |row| rows::column(row, 0)));
    let asynchronous_standbys = names.collect::<Result<_, _>>()?;
    rows::at_place(at, Place::Meta, &row, |row| {
        Ok(Durability {
            fsync: rows::column(row, 0)?,
            full_page_writes: rows::column(row, 1)?,
            synchronous_commit: rows::column(row, 2)?,
            synchronous_standby_names: rows::column(row, 3)?,
            asynchronous_standbys: Vec::new(),
            sees_states: rows::column(row, 5)?,
            is_standby: rows::column(row, 4)?,
            refusal: (!rows::column::<bool>(row, 6)?).then_some(NOT_UTF8),
        })
    })
    .map(|found| Durability { asynchronous_standbys, ..found })
}

/// A way in which a database loses what it has acknowledged. Shown it says what to do, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// `fsync` is off.
    Unflushed,
    /// `full_page_writes` is off.
    TornPages,
    /// Commits do not wait for the disk: `synchronous_commit` is off.
    CommitsBeforeDisk,
    /// Commits do not wait for the standby's disk; `synchronous_commit` is this.
    CommitsBeforeStandby(String),
    /// Commits wait for none of these standbys.
    AsynchronousStandbys(Vec<String>),
}

impl Durability {
    /// What loses messages that were acknowledged.
    pub fn losses(&self) -> Vec<Loss> {
        let mut losses = Vec::new();
        if !self.fsync {
            losses.push(Loss::Unflushed);
        }
        if !self.full_page_writes {
            losses.push(Loss::TornPages);
        }
        match self.synchronous_commit.as_str() {
            "off" => losses.push(Loss::CommitsBeforeDisk),
            // Without a standby that commits wait for these are as good as `on`.
            level @ ("local" | "remote_write") if !self.synchronous_standby_names.is_empty() => {
                losses.push(Loss::CommitsBeforeStandby(level.to_owned()));
            }
            _ => {}
        }
        if !self.asynchronous_standbys.is_empty() {
            losses.push(Loss::AsynchronousStandbys(self.asynchronous_standbys.clone()));
        }
        losses
    }

    /// Whether [`Self::asynchronous_standbys`] are all that are connected. Where commits wait for none every standby is
    /// asynchronous; else the role has to see their states.
    pub fn knows_standbys(&self) -> bool {
        self.sees_states || self.synchronous_standby_names.is_empty()
    }
}

impl Loss {
    /// The setting, and what it loses when.
    pub fn what(&self) -> String {
        match self {
            Self::Unflushed => {
                "`fsync` is off: a crash of the machine loses acknowledged messages, or the database"
                    .to_owned()
            }
            Self::TornPages => {
                "`full_page_writes` is off: a crash of the machine may damage the database".to_owned()
            }
            Self::CommitsBeforeDisk => {
                "`synchronous_commit` is off for this role: commits are acknowledged before they are on \
                                        disk, and a crash loses acknowledged messages"
                    .to_owned()
            }
            Self::CommitsBeforeStandby(level) => format!(
                "`synchronous_commit` is `{level}` for this role: a failover loses acknowledged messages that are not on the \
                 standby's disk"
            ),
            Self::AsynchronousStandbys(names) => format!(
                "replication to `{}` is asynchronous: a failover to it loses acknowledged messages",
                names.join("`, `")
            ),
        }
    }

    fn remedy(&self) -> &'static str {
        match self {
            Self::Unflushed | Self::TornPages => "set it to `on`",
            Self::CommitsBeforeDisk | Self::CommitsBeforeStandby(_) => {
                "osel asks for `on` in its own sessions, set it to `on` so that nothing depends on that"
            }
            Self::AsynchronousStandbys(_) => "name it in `synchronous_standby_names`, or never promote it",
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what(), self.remedy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Durability {
        Durability {
            fsync: true,
            full_page_writes: true,
            synchronous_commit: "on".to_owned(),
            ..Durability::default()
        }
    }

    /// The settings that its losses begin with.
    fn check(durability: &Durability, wanted: &[&str]) {
        let losses = durability.losses();
        assert_eq!(losses.len(), wanted.len(), "{losses:?}");
        for (loss, wanted) in losses.iter().zip(wanted) {
            assert!(loss.to_string().starts_with(wanted), "{loss}");
        }
    }

    #[test]
    fn each_setting_that_loses_is_named() {
        check(&good(), &[]);
        check(
            &Durability { fsync: false, full_page_writes: false, ..good() },
            &["`fsync`", "`full_page_writes`"],
        );
        for level in ["local", "remote_write"] {
            let durability = Durability { synchronous_commit: level.to_owned(), ..good() };
            check(&durability, &[]);
            let durability = Durability { synchronous_standby_names: "*".to_owned(), ..durability };
            check(&durability, &["`synchronous_commit`"]);
        }
        check(&Durability { synchronous_commit: "off".to_owned(), ..good() }, &["`synchronous_commit`"]);
        let durability = Durability { asynchronous_standbys: vec!["db2".to_owned()], ..good() };
        check(&durability, &["replication to `db2`"]);
        assert_eq!(
            durability.losses()[0].to_string(),
            "replication to `db2` is asynchronous: a failover to it loses acknowledged messages; name it in \
             `synchronous_standby_names`, or never promote it"
        );
    }

    #[test]
    fn standbys_are_known_where_all_are_asynchronous_or_their_states_are_seen() {
        let some_wait = Durability { synchronous_standby_names: "db2".to_owned(), ..good() };
        assert!(good().knows_standbys() && !some_wait.knows_standbys());
        assert!(Durability { sees_states: true, ..some_wait }.knows_standbys());
    }
}
