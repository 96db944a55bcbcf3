//! From the configuration to what the daemon's parts ask for.

use std::sync::Arc;
use std::time::Duration;

use osel_core::engine::EngineOptions;
use osel_core::model::ModelOptions;

use super::super::config::ConfigArg;
use super::super::open::now;
use crate::amqp::Address;
use crate::config::{BusConfig, Config, RabbitMqConfig, SourceConfig, TransportUrl};
use crate::runtime::service::SourceSettings;
use crate::source::file;
use crate::source::rabbitmq::{Settings, Wanted};

/// What the engine goes by.
pub(super) fn options(config: &Config) -> EngineOptions {
    EngineOptions {
        model: ModelOptions {
            group_members_include_pairs: config.model.group_members_include_pairs,
            routed_prefixes: config.model.routed_prefixes.clone(),
        },
        expected: config.expected.clone(),
        unread_alarm_seconds: config.findings.unread_alarm_seconds,
        scan: config.scan.enabled.then(|| super::assemble_scan::policy(config)),
    }
}

/// The sources.
pub(super) fn sources(config: &Config, file: &ConfigArg, store_id: &str) -> Vec<SourceSettings> {
    config.sources.iter().map(|source| of_source(source, file, store_id)).collect()
}

fn of_source(source: &SourceConfig, file: &ConfigArg, store_id: &str) -> SourceSettings {
    match &source.bus {
        BusConfig::RabbitMq(rabbitmq) => {
            let hosts = rabbitmq.transport_url.hosts.len();
            SourceSettings::RabbitMq(of_rabbitmq(source, rabbitmq, file.clone(), store_id), hosts)
        }
        BusConfig::File(captured) => SourceSettings::File(file::Settings {
            source: Arc::from(source.name.as_str()),
            region: source.region.as_deref().map(Arc::from),
            path: captured.path.clone(),
            follow: captured.follow,
            clock: now,
        }),
    }
}

fn of_rabbitmq(
    source: &SourceConfig,
    rabbitmq: &RabbitMqConfig,
    file: ConfigArg,
    store_id: &str,
) -> Settings {
    let RabbitMqConfig { exchanges, topics, queue, .. } = rabbitmq;
    let (name, started_with) = (source.name.clone(), rabbitmq.clone());
    Settings {
        source: Arc::from(source.name.as_str()),
        region: source.region.as_deref().map(Arc::from),
        wanted: Wanted {
            queue: format!("osel.{store_id}"),
            exchanges: exchanges.clone(),
            topics: topics.clone(),
            kind: queue.kind,
            length_bytes_max: queue.length_bytes_max,
            durable_exchanges: rabbitmq.durable_exchanges,
        },
        connect_time: Duration::from_secs(rabbitmq.connect_timeout_seconds.into()),
        // Passwords are exchanged while we run: what the configuration says now is what counts. One that is wrong just now, since
        // somebody is at it, changes nothing.
        address: Arc::new(move |host| {
            let read = file
                .load_quietly()
                .and_then(|config| config.sources.into_iter().find(|source| source.name == name));
            address(read.as_ref().and_then(SourceConfig::rabbitmq).unwrap_or(&started_with), host)
        }),
        clock: now,
    }
}

fn address(rabbitmq: &RabbitMqConfig, index: usize) -> Result<(Address, usize), String> {
    let RabbitMqConfig { transport_url: TransportUrl { hosts, vhost, .. }, tls, .. } = rabbitmq;
    let index = index.checked_rem(hosts.len()).unwrap_or(0);
    let host = hosts.get(index).ok_or("the transport_url names no host")?;
    let address = Address {
        host: host.host.clone(),
        port: host.port,
        user: host.user.clone(),
        password: host.password.expose().to_owned(),
        vhost: vhost.clone(),
        tls: tls.clone(),
        heartbeat: rabbitmq.heartbeat_seconds,
    };
    Ok((address, hosts.len()))
}
