//! What the database is set up to lose: settings and replication, looked at without changing anything.

use std::path::PathBuf;

use super::super::error::{JournalError, Place};
use super::connect::{At, Link, Mode, Session};
use super::rows;
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
    /// Whether the server is itself a standby, which cannot be written.
    pub is_standby: bool,
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
             pg_is_in_recovery()",
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
            is_standby: rows::column(row, 4)?,
        })
    })
    .map(|found| Durability { asynchronous_standbys, ..found })
}

impl Durability {
    /// What loses messages that were acknowledged, each as a sentence with what to do.
    pub fn losses(&self) -> Vec<String> {
        let mut losses = Vec::new();
        let mut loses = |text: String| losses.push(text);
        if self.is_standby {
            loses(
                "no server that can be written answers, only one that follows it: what follows is said of that one, osel waits for the other"
                    .to_owned(),
            );
        }
        if !self.fsync {
            loses("`fsync` is off: a crash of the machine loses acknowledged messages, or the database; set it to `on`".to_owned());
        }
        if !self.full_page_writes {
            loses(
                "`full_page_writes` is off: a crash of the machine may damage the database; set it to `on`"
                    .to_owned(),
            );
        }
        match self.synchronous_commit.as_str() {
            "off" => loses(
                "`synchronous_commit` is off for this role: commits are acknowledged before they are on disk, and a crash loses acknowledged \
                 messages; osel asks for `on` in its own sessions, set it to `on` so that nothing depends on that"
                    .to_owned(),
            ),
            level @ ("local" | "remote_write") if !self.synchronous_standby_names.is_empty() => loses(format!(
                "`synchronous_commit` is `{level}` for this role: a failover loses acknowledged messages that are not on the standby's disk; \
                 osel asks for `on` in its own sessions, set it to `on` so that nothing depends on that"
            )),
            _ => {}
        }
        if !self.asynchronous_standbys.is_empty() {
            loses(format!(
                "replication to `{}` is asynchronous: a failover to it loses acknowledged messages; name it in `synchronous_standby_names`, or \
                 never promote it",
                self.asynchronous_standbys.join("`, `")
            ));
        }
        losses
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
            assert!(loss.starts_with(wanted), "{loss}");
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
            // Without a standby it is as good as `on`.
            check(&durability, &[]);
            let durability = Durability { synchronous_standby_names: "*".to_owned(), ..durability };
            check(&durability, &["`synchronous_commit`"]);
        }
        check(&Durability { synchronous_commit: "off".to_owned(), ..good() }, &["`synchronous_commit`"]);
        check(&Durability { is_standby: true, ..good() }, &["no server that can be written answers"]);
        let durability = Durability { asynchronous_standbys: vec!["db2".to_owned()], ..good() };
        check(&durability, &["replication to `db2`"]);
    }
}
