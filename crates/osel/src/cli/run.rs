//! `osel run`: the daemon.

mod assemble;
mod signals;
mod starting;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use self::signals::Signals;
use self::starting::Starting;
use super::config::{ConfigArg, variable};
use super::open::{now, writer_at};
use crate::config::{Config, StoreConfig};
use crate::runtime::service::{Service, ServiceSettings, ServiceStatus};
use crate::store::{ErrorClass, Journal, JournalError};
use crate::telemetry::{self, Supervisor};
use crate::web;

/// Threads that read from brokers and scan: decoding is spread over them, the engine has a thread of its own.
const WORKERS: usize = 2;
/// How long a store that cannot be opened is left alone.
const OPEN_WAIT: Duration = Duration::from_secs(5);
/// How often it is said that it still cannot be opened.
const OPEN_REMINDER: Duration = Duration::from_secs(600);

/// Listens to the message buses of a cloud and keeps the trail, until it is told to stop.
///
/// Consumes from queues of its own, `osel.STORE-ID`, bound to the services' exchanges, so that nobody else misses a message. Whatever
/// is away (broker, disk space) is waited for. SIGTERM and SIGINT stop it within seconds; SIGHUP has it read its configuration again.
/// Health and metrics are told over HTTP, on the loopback unless the configuration says otherwise.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    config: ConfigArg,
}

pub(super) fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let config = match args.config.load() {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    let log = telemetry::start(&config.log)?;
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .thread_name("osel-io")
        .build()
        .context("the system has no threads")?;
    let signals = Signals::watch(&tokio)?;
    let supervisor = supervisor();
    let (status, told) = watch::channel(ServiceStatus::starting());
    tokio.spawn(web::serve(config.http.listen, told));
    let starting = Starting::begin(&tokio, &supervisor);
    let Some(journal) = open(&config, &tokio, &signals)? else { return Ok(ExitCode::SUCCESS) };
    let store_id = journal.info().id.clone();
    tracing::info!(store = store_id, sources = config.sources.len(), "started");
    let settings = ServiceSettings {
        sources: assemble::sources(&config, &args.config, &store_id),
        options: assemble::options(&config),
        limits: assemble::limits(&config),
        clock: now,
        status,
        supervisor: supervisor.clone(),
    };
    let service = Service::start(journal, settings, tokio.handle())?;
    drop(starting);
    supervisor.ready();
    signals.guide(&tokio, service.handle(), log, supervisor, args.config.clone(), config);
    service.run()?;
    tracing::info!("stopped");
    // What is still under way outside (a broker that does not answer) is not waited for.
    tokio.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

/// The service manager, if one started us.
fn supervisor() -> Supervisor {
    let (supervisor, error) = Supervisor::from_environment(&variable);
    if let Some(error) = error {
        tracing::warn!(error = error.to_string(), "the service manager cannot be reached");
    }
    supervisor
}

/// Opens the store, however long it takes while waiting may help; none when it is told to stop meanwhile.
fn open(config: &Config, tokio: &Runtime, signals: &Signals) -> anyhow::Result<Option<Box<dyn Journal>>> {
    let StoreConfig::Directory(directory) = &config.store;
    let mut said: Option<Instant> = None;
    loop {
        let error = match writer_at(directory) {
            Ok(journal) => return Ok(Some(journal)),
            Err(error) => error,
        };
        let class = error.downcast_ref::<JournalError>().map(JournalError::class);
        if class != Some(ErrorClass::Transient) {
            return Err(error);
        }
        if said.is_none_or(|said| said.elapsed() >= OPEN_REMINDER) {
            said = Some(Instant::now());
            tracing::error!(error = format!("{error:#}"), "the store cannot be opened: trying on");
        }
        if tokio.block_on(signals.stopped_within(OPEN_WAIT)) {
            return Ok(None);
        }
    }
}
