//! `osel run`: the daemon.

mod assemble;
mod assemble_api;
mod assemble_forward;
mod assemble_scan;
mod lead;
mod said;
mod signals;
mod starting;
mod store_now;
mod witnesses;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use tokio::sync::watch;

use self::lead::Lead;
use self::signals::Signals;
use self::starting::Starting;
use super::config::{ConfigArg, variable};
use super::open::{latest_reader_at, now, reader_by};
use super::trail_key;
use crate::action::program::sweep_folders;
use crate::config::Config;
use crate::runtime::control::place::of_store;
use crate::runtime::control::server as control;
use crate::runtime::forward::ReaderAccess;
use crate::runtime::retention::Policy;
use crate::runtime::service::{Clerk, Phase, Service, ServiceSettings, ServiceStatus};
use crate::telemetry::{self, LogHandle, Supervisor};
use crate::web;

/// Threads that read from brokers and scan: decoding is spread over them, the engine has a thread of its own.
const WORKERS: usize = 2;

/// Listens to the message buses of a cloud and keeps the trail, until it is told to stop.
///
/// Consumes from queues of its own, `osel.STORE-ID`, bound to the services' exchanges, so that nobody else misses a message. Whatever
/// is away (broker, disk space) is waited for. With a store in PostgreSQL that another osel writes, it stands by and takes over when that
/// one is gone. SIGTERM and SIGINT stop it within seconds; SIGHUP has it read its configuration again. Health and metrics are told
/// over HTTP, and the signed log is served, on the loopback unless the configuration says otherwise.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    config: ConfigArg,
}

pub(super) fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let (loaded, warnings) = args.config.checked();
    // Also what is wrong with the configuration is said in the form of the log that it wants.
    let wanted = loaded.as_ref().map_or_else(|_| args.config.log_now(), |config| config.log.clone());
    let log = telemetry::start(&wanted)?;
    said::configuration(&wanted, &loaded, &warnings);
    let Ok(config) = loaded else { return Ok(ExitCode::from(2)) };
    listen(args, config, log).or_else(|error| said::end(&wanted, error))
}

/// Does its work until it is told to stop.
fn listen(args: &RunArgs, config: Config, log: LogHandle) -> anyhow::Result<ExitCode> {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .thread_name("osel-io")
        .build()
        .context("the system has no threads")?;
    let signals = Signals::watch(&tokio)?;
    let supervisor = supervisor();
    let (status, told) = watch::channel(ServiceStatus::starting());
    let starting = Starting::begin(&tokio, &supervisor);
    let options = assemble::options(&config);
    // Passwords are exchanged while we run, as those of the sources are.
    let file = args.config.clone();
    let store = store_now::access(move || file.store_quietly(), config.store.clone());
    tokio.spawn(web::serve(config.http.listen, told, config.http.serve_log.then(|| reader_by(&store))));
    let mut said = String::new();
    let waiting = |now: ServiceStatus| {
        let line = now.line();
        // What a busy manager does not take is said again.
        if said != line && supervisor.status(&line) {
            said = line;
            if now.phase == Phase::StandingBy {
                // Nobody is to wait for the lead to come.
                supervisor.ready();
            }
        }
        status.send_replace(now);
    };
    let led = lead::take(&store, &options, |time| tokio.block_on(signals.stopped_within(time)), waiting)?;
    let Some(Lead { journal, follower }) = led else { return Ok(ExitCode::SUCCESS) };
    // From here on it is no standby, though what is left to fold may take long.
    status.send_replace(ServiceStatus::starting());
    let store_id = journal.info().id.clone();
    tracing::info!(
        store = store_id,
        sources = config.sources.len(),
        apis = config.openstack.len(),
        "started"
    );
    // What an osel has left that was killed; it may take long, and nobody waits for it.
    tokio.spawn_blocking(sweep_folders);
    let access = Arc::clone(&store);
    let reader: ReaderAccess = Arc::new(move || latest_reader_at(&access()));
    let settings = ServiceSettings {
        apis: assemble_api::apis(&config, &args.config),
        sources: assemble::sources(&config, &args.config, &store_id),
        options,
        scanners: assemble_scan::scanners(&config, &args.config)?,
        policy: Policy::from(&config.retention),
        clock: now,
        status,
        supervisor: supervisor.clone(),
        follower,
        log_key: trail_key::source(&config.store, args.config.file(), &store_id),
        forwarders: assemble_forward::forwarders(&config, &args.config),
        reader: Arc::clone(&reader),
    };
    // Before anything is taken: what a witness has seen may show that this is not the log that it was.
    let watches = tokio.block_on(witnesses::first_look(&config, &args.config, &store, &*journal))?;
    let service = Service::start(journal, settings, tokio.handle())?;
    witnesses::go_on(watches, &service.handle(), tokio.handle());
    // Only who leads the store takes orders for it.
    let socket = config.control.socket.clone().unwrap_or_else(|| of_store(&config.store));
    let clerk = Clerk::new(service.handle(), tokio.handle().clone(), reader, config.trail.record_reads);
    let control = tokio.spawn(control::serve(socket, store_id, Arc::new(clerk)));
    drop(starting);
    supervisor.ready();
    signals.guide(&tokio, service.handle(), log, supervisor, args.config.clone(), config);
    let ended = service.run();
    // Its place is to be free when this process is gone.
    control.abort();
    let _ = tokio.block_on(control);
    ended?;
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
