//! Connections to the database: how they are set up, how long is waited for an answer, and what its errors mean.
//!
//! A connection has a runtime of its own, which runs only while somebody waits for an answer: the store blocks.
//! Every error of the database is turned into one of ours in [`At::sql`] and nowhere else.

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Row, Statement};

use super::super::code::Malformed;
use super::super::error::{ErrorClass, JournalError, Place};
use super::tls::Tls;
use crate::config::{PostgresConfig, PostgresHost, SslMode};

const ACTION: &str = "connect to";
/// How long an answer is waited for. A batch takes milliseconds, the largest value there can be some seconds; a
/// commit that waits for a standby of the database takes as long as that is away, and is asked about again.
pub(super) const ANSWER_TIME: Duration = Duration::from_secs(30);
/// How long the server may leave what was sent without a sign before the connection counts as dead.
const SILENCE_TIME: Duration = Duration::from_secs(10);
/// When an idle connection is asked whether it is there, how often, and how many times.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;
/// How long the end of a connection may take.
const END_TIME: Duration = Duration::from_millis(200);
/// The most addresses of one name that are tried: two families, a few machines.
const ADDRESSES_MAX: usize = 8;
/// What every session says to the server, once it is connected: options of the start are dropped or refused by poolers.
/// The path is short, so that nobody can put tables of the same name before
/// ours. A writer that was paused within a transaction holds the row that the next leader needs: the server ends it.
/// A commit is durable when it is answered, whatever the database's default is. No `statement_timeout`: cancelling
/// a commit that waits for a standby would report it as done.
const SESSION: &str = "SET search_path = osel, pg_catalog; SET client_min_messages = warning; SET synchronous_commit = on; \
                       SET idle_in_transaction_session_timeout = 3000; SET lock_timeout = 5000; SET statement_timeout = 0; \
                       SET default_transaction_isolation = 'read committed'";
const SESSION_READ: &str = "SET search_path = osel, pg_catalog; SET client_min_messages = warning; \
                            SET default_transaction_isolation = 'repeatable read'";

/// The store that something is done with, for errors.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'a> {
    /// The store's URL, without a password.
    pub(super) path: &'a Path,
}

impl At<'_> {
    /// Makes our error of the database's, for something done at a place.
    pub(super) fn sql(
        &self,
        place: Place,
        action: &'static str,
    ) -> impl Fn(tokio_postgres::Error) -> JournalError + '_ {
        move |error| self.translate(place, action, error)
    }

    /// The error that what is at a place makes no sense.
    pub(super) fn damaged(&self, place: Place, what: &'static str) -> JournalError {
        self.malformed(place)(Malformed(what))
    }

    /// Makes our error of what a decoder found at a place.
    pub(super) fn malformed<E: Error + Send + Sync + 'static>(
        &self,
        place: Place,
    ) -> impl Fn(E) -> JournalError + '_ {
        move |error| JournalError::Damaged { path: self.path.to_path_buf(), place, source: error.into() }
    }

    /// Makes our error of the system's.
    pub(super) fn io(
        &self,
        action: &'static str,
        error: impl Into<super::super::error::Cause>,
    ) -> JournalError {
        JournalError::Io { path: self.path.to_path_buf(), action, source: error.into() }
    }

    fn connecting(&self, error: tokio_postgres::Error) -> JournalError {
        match error.code() {
            Some(_) => self.sql(Place::File, ACTION)(error),
            // Here its own words say what they are about: a name, an address, a certificate.
            None => self.io(ACTION, error),
        }
    }

    fn translate(&self, place: Place, action: &'static str, error: tokio_postgres::Error) -> JournalError {
        let path = self.path.to_path_buf();
        let Some(code) = error.code().cloned() else {
            // A value that is not of its column's type has no code; all else of that kind is the way to the server.
            let is_value = error.to_string().starts_with("error deserializing");
            return if is_value {
                JournalError::Damaged { path, place, source: error.into() }
            } else {
                JournalError::Io { path, action, source: without_kind(error) }
            };
        };
        let source = without_kind(error);
        match code {
            SqlState::DISK_FULL => JournalError::NoSpace { path, source },
            SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => {
                JournalError::Damaged { path, place, source }
            }
            SqlState::LOCK_NOT_AVAILABLE
            | SqlState::T_R_DEADLOCK_DETECTED
            | SqlState::T_R_SERIALIZATION_FAILURE => JournalError::Busy { path, source },
            SqlState::INSUFFICIENT_PRIVILEGE
            | SqlState::INVALID_PASSWORD
            | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
                JournalError::NoPermission { path, action, source }
            }
            SqlState::INVALID_CATALOG_NAME => {
                JournalError::NotAStore { path, reason: "the server has no such database" }
            }
            // Syntax, constraints, values: osel and the tables do not fit.
            code if ["42", "23", "22"].iter().any(|class| code.code().starts_with(class)) => {
                JournalError::Database { path, action, source }
            }
            // Shutdown, failover, too many connections, a disk that fails: it may be better later.
            _ => JournalError::Io { path, action, source },
        }
    }
}

/// The server's own words, where there are some: the client's say only that there are.
fn without_kind(error: tokio_postgres::Error) -> super::super::error::Cause {
    if error.as_db_error().is_some()
        && let Some(source) = error.into_source()
    {
        return source;
    }
    "the connection to the server is lost".into()
}

/// How a connection may use the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Reads and writes: of several servers, the one that can be written.
    Write,
    /// Reads what the writer has written, all of it: from the same server, since a standby may be behind.
    ReadLatest,
    /// Reads what any of the servers has.
    Read,
}

/// A connection, and the runtime that drives it while an answer is waited for.
pub(super) struct Link {
    /// None only while it is dropped.
    session: Option<Session>,
    /// What speaks to the server.
    connection: JoinHandle<()>,
    /// None only while it is dropped.
    runtime: Option<Runtime>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        // The server is told, so that it has no broken connection to write into its log.
        self.session = None;
        if tokio::runtime::Handle::try_current().is_err() {
            let _ = runtime.block_on(async { timeout(END_TIME, &mut self.connection).await });
        }
        // A look-up of a name may be under way, and nobody waits for that.
        runtime.shutdown_background();
    }
}

impl Link {
    /// Connects and logs in, beginning with the server that took us last.
    ///
    /// # Errors
    /// When no server can be reached or takes us.
    pub(super) fn open(at: &At<'_>, config: &PostgresConfig, mode: Mode) -> Result<Self, JournalError> {
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(|error| at.io(ACTION, error))?;
        let opened = Tls::new(config)
            .map_err(|error| at.io(ACTION, error))
            .and_then(|tls| runtime.block_on(connect(at, config, mode, tls)));
        match opened {
            Ok((session, connection)) => {
                Ok(Self { session: Some(session), connection, runtime: Some(runtime) })
            }
            Err(error) => {
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    /// Whether the server has ended it, as far as that is known.
    pub(super) fn is_closed(&self) -> bool {
        self.session.as_ref().is_none_or(|session| session.client.is_closed())
    }

    /// Does something with the session. After an error the link is in an unknown state and must be dropped.
    ///
    /// # Errors
    /// Those of `what`, and that no answer came.
    pub(super) fn run<T>(
        &mut self,
        at: &At<'_>,
        action: &'static str,
        what: impl AsyncFnOnce(&mut Session) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        self.run_within(ANSWER_TIME, at, action, what)
    }

    /// The same with another bound.
    ///
    /// # Errors
    /// Those of `what`, and that no answer came within `time`.
    pub(super) fn run_within<T>(
        &mut self,
        time: Duration,
        at: &At<'_>,
        action: &'static str,
        what: impl AsyncFnOnce(&mut Session) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let (Some(session), Some(runtime)) = (&mut self.session, &self.runtime) else {
            return Err(at.io(action, "the connection is closed"));
        };
        let answer = runtime.block_on(async { timeout(time, what(session)).await });
        answer.unwrap_or_else(|_| Err(at.io(action, io::Error::from(io::ErrorKind::TimedOut))))
    }
}

/// The server that took a writer last, so that one that is gone costs its time once, whoever connects next. A process
/// has one store; where it has several, this is an order of trying and no more.
static WRITTEN: Mutex<Option<(String, u16)>> = Mutex::new(None);

/// Tries the servers, each at all its addresses, in their order, but for the one that took a writer last.
async fn connect(
    at: &At<'_>,
    config: &PostgresConfig,
    mode: Mode,
    tls: Tls,
) -> Result<(Session, JoinHandle<()>), JournalError> {
    let written = || WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut hosts: Vec<&PostgresHost> = config.hosts.iter().collect();
    if mode != Mode::Read {
        let last = written().clone();
        // Stable: the others stay in their order.
        hosts.sort_by_key(|host| {
            last.as_ref().is_none_or(|(name, port)| (name, *port) != (&host.host, host.port))
        });
    }
    let time = Duration::from_secs(config.connect_timeout_seconds.into());
    let mut failure: Option<JournalError> = None;
    let mut note = |error: JournalError| {
        // A server that is away may be the right one: it outweighs one that does not take us.
        if failure.as_ref().is_none_or(|failure| failure.class() != ErrorClass::Transient) {
            failure = Some(error);
        }
    };
    for host in hosts {
        let addresses = match addresses(host, time).await {
            Ok(addresses) => addresses,
            Err(error) => {
                note(at.io(ACTION, error));
                continue;
            }
        };
        for address in addresses {
            let mut client = client_config(config, host, mode);
            if let Some(address) = address {
                client.hostaddr(address);
            }
            // The bound is on all of it: a host may take a connection and never answer, and then the next is tried.
            match timeout(time, log_in(&client, mode, tls.clone())).await {
                Ok(Ok(connected)) => {
                    if mode != Mode::Read {
                        *written() = Some((host.host.clone(), host.port));
                    }
                    return Ok(connected);
                }
                Ok(Err(error)) => note(at.connecting(error)),
                Err(_) => note(at.io(ACTION, io::Error::from(io::ErrorKind::TimedOut))),
            }
        }
    }
    Err(failure.unwrap_or_else(|| at.io(ACTION, "no host is named")))
}

/// The addresses of a server; none where there is nothing to look up: a socket.
async fn addresses(host: &PostgresHost, time: Duration) -> io::Result<Vec<Option<IpAddr>>> {
    if host.host.starts_with('/') {
        return Ok(vec![None]);
    }
    let name = (host.host.as_str(), host.port);
    let found = timeout(time, tokio::net::lookup_host(name)).await.map_err(|_| io::ErrorKind::TimedOut)??;
    let mut addresses: Vec<_> = found.map(|address| Some(address.ip())).take(ADDRESSES_MAX).collect();
    addresses.dedup();
    if addresses.is_empty() { Err(io::ErrorKind::HostUnreachable.into()) } else { Ok(addresses) }
}

async fn log_in(
    client: &Config,
    mode: Mode,
    tls: Tls,
) -> Result<(Session, JoinHandle<()>), tokio_postgres::Error> {
    let (client, connection) = client.connect(tls).await?;
    // Its end is noticed by whoever asks next.
    let connection = tokio::spawn(async { drop(connection.await) });
    client.batch_execute(if mode == Mode::Write { SESSION } else { SESSION_READ }).await?;
    Ok((Session { client, statements: HashMap::new() }, connection))
}

fn client_config(config: &PostgresConfig, host: &PostgresHost, mode: Mode) -> Config {
    let mut client = Config::new();
    client.host(&host.host).port(host.port);
    if let Some(password) = config.password_of(host) {
        client.password(password.expose());
    }
    client
        .user(&config.user)
        .dbname(&config.database)
        .application_name("osel")
        .connect_timeout(Duration::from_secs(config.connect_timeout_seconds.into()))
        .tcp_user_timeout(SILENCE_TIME)
        .keepalives_idle(KEEPALIVE_IDLE)
        .keepalives_interval(KEEPALIVE_IDLE)
        .keepalives_retries(KEEPALIVE_RETRIES)
        .target_session_attrs(match mode {
            Mode::Write | Mode::ReadLatest => TargetSessionAttrs::ReadWrite,
            Mode::Read => TargetSessionAttrs::Any,
        })
        .ssl_mode(match config.ssl_mode {
            SslMode::Disable => tokio_postgres::config::SslMode::Disable,
            SslMode::Prefer => tokio_postgres::config::SslMode::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => {
                tokio_postgres::config::SslMode::Require
            }
        });
    client
}

/// The parameters of a statement.
pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A session with the server. Statements are prepared once.
pub(super) struct Session {
    client: Client,
    statements: HashMap<String, Statement>,
}

impl Session {
    async fn statement(&mut self, sql: &str) -> Result<Statement, tokio_postgres::Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// Runs a statement; how many rows it changed.
    ///
    /// # Errors
    /// The server's.
    pub(super) async fn execute(
        &mut self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<u64, tokio_postgres::Error> {
        let statement = self.statement(sql).await?;
        self.client.execute(&statement, parameters).await
    }

    /// All rows of a query.
    ///
    /// # Errors
    /// The server's.
    pub(super) async fn query(
        &mut self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let statement = self.statement(sql).await?;
        self.client.query(&statement, parameters).await
    }

    /// The one row of a query, if there is one.
    ///
    /// # Errors
    /// The server's.
    pub(super) async fn query_opt(
        &mut self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Option<Row>, tokio_postgres::Error> {
        Ok(self.query(sql, parameters).await?.into_iter().next())
    }

    /// Runs statements without parameters, one after the other.
    ///
    /// # Errors
    /// The server's.
    pub(super) async fn batch(&mut self, sql: &str) -> Result<(), tokio_postgres::Error> {
        self.client.batch_execute(sql).await
    }
}

/// A number as PostgreSQL keeps it. Ours count things and stay far below its bound of 2^63.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
