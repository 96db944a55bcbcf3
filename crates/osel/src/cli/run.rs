//! `osel run`: the daemon.

mod assemble;
mod lead;
mod signals;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;

use self::lead::Lead;
use self::signals::Signals;
use super::config::ConfigArg;
use super::open::{StoreAccess, now};
use crate::runtime::service::{Service, ServiceSettings};
use crate::telemetry;

/// Threads that read from brokers and scan: decoding is spread over them, the engine has a thread of its own.
const WORKERS: usize = 2;
/// Listens to the message buses of a cloud and keeps the trail, until it is told to stop.
///
/// Consumes from queues of its own, `osel.STORE-ID`, bound to the services' exchanges, so that nobody else misses a message. Whatever
/// is away (broker, disk space) is waited for. With a store in PostgreSQL that another osel writes, it stands by and takes over when that
/// one is gone. SIGTERM and SIGINT stop it within seconds; SIGHUP has it read its configuration again.
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
    let options = assemble::options(&config);
    // Passwords are exchanged while we run, as those of the sources are.
    let (file, started_with) = (args.config.clone(), config.store.clone());
    let store: StoreAccess =
        Arc::new(move || file.load_quietly().map_or_else(|| started_with.clone(), |config| config.store));
    let led = lead::take(&store, &options, |time| tokio.block_on(signals.stopped_within(time)))?;
    let Some(Lead { journal, follower }) = led else { return Ok(ExitCode::SUCCESS) };
    let store_id = journal.info().id.clone();
    tracing::info!(store = store_id, sources = config.sources.len(), "started");
    let settings = ServiceSettings {
        sources: assemble::sources(&config, &args.config, &store_id),
        options,
        limits: assemble::limits(&config),
        clock: now,
        follower,
    };
    let service = Service::start(journal, settings, tokio.handle())?;
    signals.guide(&tokio, service.handle(), log, args.config.clone(), config);
    service.run()?;
    tracing::info!("stopped");
    // What is still under way outside (a broker that does not answer) is not waited for.
    tokio.shutdown_background();
    Ok(ExitCode::SUCCESS)
}
