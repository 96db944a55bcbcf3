//! What the system tells the daemon: stop, and read the configuration again.

use std::io;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::super::config::ConfigArg;
use super::{assemble, assemble_api, assemble_forward, assemble_scan, witnesses};
use crate::config::{Config, RabbitMqConfig, ScannerConfig};
use crate::runtime::retention::Policy;
use crate::runtime::service::ServiceHandle;
use crate::telemetry::{LogHandle, Supervisor};

/// Watches for signals from its making on.
pub(super) struct Signals {
    stop: watch::Receiver<bool>,
    reload: Signal,
}

impl Signals {
    /// Begins to watch.
    ///
    /// # Errors
    /// When the system does not permit it.
    pub(super) fn watch(tokio: &Runtime) -> io::Result<Self> {
        let _entered = tokio.enter();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let reload = signal(SignalKind::hangup())?;
        let (sender, stop) = watch::channel(false);
        tokio.spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            let _ = sender.send(true);
        });
        Ok(Self { stop, reload })
    }

    /// Waits so long, or until it is to stop; whether it is.
    pub(super) async fn stopped_within(&self, time: Duration) -> bool {
        let mut stop = self.stop.clone();
        tokio::time::timeout(time, stop.wait_for(|stop| *stop)).await.is_ok()
    }

    /// From now on tells a service what to do.
    pub(super) fn guide(
        self,
        tokio: &Runtime,
        service: ServiceHandle,
        log: LogHandle,
        supervisor: Supervisor,
        file: ConfigArg,
        mut config: Config,
    ) {
        let Self { mut stop, mut reload } = self;
        let (stopped, manager) = (service.clone(), supervisor.clone());
        tokio.spawn(async move {
            // The sender says so, or is gone with the runtime.
            let _ = stop.wait_for(|stop| *stop).await;
            manager.stopping();
            stopped.stop();
        });
        // What is not put into force now holds until a restart, whatever is read meanwhile.
        let at_start = config.clone();
        let mut scanners = config.scanners.clone();
        tokio.spawn(async move {
            while reload.recv().await.is_some() {
                supervisor.reloading();
                // Files may lie on a disk that does not answer: not on a thread that others need.
                let own = file.clone();
                let read = tokio::task::spawn_blocking(move || own.read_again()).await;
                match read {
                    Ok(Ok(new)) => {
                        service.set_forwarders(assemble_forward::renewals(&config, &new, &file));
                        scanners = assemble_scan::carried(&at_start.scanners, &scanners, &new.scanners);
                        adopt(&at_start, &new, &scanners, &service, &log);
                        config = new;
                    }
                    Ok(Err(problems)) => tracing::error!(
                        problem = problems.first(),
                        "the configuration has problems: the old one holds; see `osel config check`"
                    ),
                    Err(error) => {
                        tracing::error!(%error, "the configuration could not be read: the old one holds");
                    }
                }
                supervisor.ready();
            }
        });
    }
}

/// Puts into force what can be while the daemon runs, and says what cannot: what is otherwise than it was at the start.
/// `scanners` are those that are planned for.
fn adopt(old: &Config, new: &Config, scanners: &[ScannerConfig], service: &ServiceHandle, log: &LogHandle) {
    log.set_level(new.log.level);
    service.set_options(assemble::options(&Config { scanners: scanners.to_vec(), ..new.clone() }));
    service.renew_sources();
    service.set_schedules(assemble_api::schedules(new));
    service.set_scanners(assemble_scan::renewals(new));
    service.set_policy(Policy::from(&new.retention));
    service.renew_log_key();
    let names = |config: &Config| {
        let sources = config.sources.iter();
        sources.map(|source| (source.name.clone(), source.file().cloned())).collect::<Vec<_>>()
    };
    let queues = |config: &Config| {
        let sources = config.sources.iter();
        sources.map(|source| source.rabbitmq().map(|bus| bus.queue.clone())).collect::<Vec<_>>()
    };
    let fixed = |config: &Config| {
        let bus = |bus: &RabbitMqConfig| (bus.durable_exchanges, bus.connect_timeout_seconds);
        let sources = config.sources.iter();
        sources.map(|source| (source.region.clone(), source.rabbitmq().map(bus))).collect::<Vec<_>>()
    };
    let rates = |config: &Config| {
        let scan = &config.scan;
        (scan.rate_per_second, scan.host_rate_per_second, scan.concurrency)
    };
    let tapped = |config: &Config| {
        let sources = config.sources.iter();
        sources
            .map(|source| source.rabbitmq().map(|bus| (bus.exchanges.clone(), bus.topics.clone())))
            .collect::<Vec<_>>()
    };
    for (what, is_same) in [
        ("store", old.store.name() == new.store.name()),
        ("source", names(old) == names(new)),
        ("source.exchanges, source.topics", tapped(old) == tapped(new)),
        ("source.region, source.durable_exchanges, source.connect_timeout_seconds", fixed(old) == fixed(new)),
        ("openstack", assemble_api::fixed(old) == assemble_api::fixed(new)),
        ("scanner.name, scanner.type", assemble_scan::fixed(old) == assemble_scan::fixed(new)),
        ("witness.key", witnesses::fixed(old) == witnesses::fixed(new)),
        ("http", old.http == new.http),
        ("control", old.control == new.control),
        ("scan rates, scan.concurrency", rates(old) == rates(new)),
        ("log.format", old.log.format == new.log.format),
    ] {
        if !is_same {
            tracing::warn!(key = what, "changed, and in force only after a restart");
        }
    }
    if queues(old) != queues(new) {
        // A broker keeps a queue as it was made, and refuses to have it declared otherwise.
        tracing::warn!(
            key = "source.queue",
            "changed, and in force only for a queue that is made anew: stop osel, delete its queue once nothing waits in it, and start it"
        );
    }
    tracing::info!(
        "configuration read: log level, scan policy, model, retention, the key of the log, forwarders and schedules of APIs are in force, addresses, passwords and \
         certificates with the next connection or question"
    );
}
