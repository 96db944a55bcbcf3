//! The configuration of `osel`: a TOML file and the variables of the environment that win over it.
//!
//! [`Config::load`] reads, checks everything, and tells all problems at once, each with its key and its line. It opens the files that the
//! configuration names, since a missing one is a problem, but connects to nothing and writes nothing. Drivers take their part of
//! [`Config`]; nothing here knows them.
//!
//! The way of a value: `tree` (values with their places), `section` (one table, where variables win and unknown keys are told), `check`
//! (a table into its part of [`Config`]). [`keys`] is the list of all keys, of which the example and the reference page are made.

mod barbican;
mod check;
mod check_openstack;
mod check_retention;
mod check_scan;
mod check_source;
mod check_store;
mod check_tls;
mod check_trail;
mod endpoint;
mod expected;
mod files;
mod forward;
pub mod keys;
mod listed;
mod load;
mod look;
mod named;
mod parts;
mod passfile;
mod postgres_url;
mod proxy;
mod reference;
mod remark;
mod scanner;
mod secret;
mod section;
mod transport_url;
mod tree;
mod witness;

#[cfg(test)]
mod tests;

pub use barbican::BarbicanSecret;
pub use check_source::{EXCHANGES as DEFAULT_EXCHANGES, TOPICS as DEFAULT_TOPICS, region_name};
pub use files::{FileError, is_open_to_others, read as read_file, read_secret};
pub use forward::{
    AmqpConfig, AmqpExchangeKind, AmqpUnroutable, ChatConfig, ChatService, FileCompression,
    FileReceiverConfig, ForwardConfig, ForwardFrom, HecAcks, HecConfig, HecEndpoint, HttpReceiverConfig,
    KafkaCompression, KafkaConfig, KafkaKey, KafkaLogin, KafkaMechanism, MailConfig, MailSecurity,
    NoticeConfig, ObjectCompression, ObjectContent, ObjectsConfig, OtlpConfig, ReceiverConfig, RoutingKey,
    S3Config, S3Encryption, SwiftConfig, SyslogConfig, SyslogFraming, SyslogMessage, SyslogTransport,
    TEMPLATE_STEPS_MAX, WebhookBody, WebhookConfig, WebhookMethod,
};
pub use listed::listed;
pub use load::{
    CONFIG_BYTES_MAX, CONFIG_VARIABLE, DEFAULT_FILE, MANAGEMENT_VARIABLE, OneSource, RetentionOrigin,
    TRANSPORT_VARIABLE, TableCounts, unknown_variables,
};
pub use look::{Flaw, Look};
pub use parts::{
    ApiInterface, BrokerHost, BusConfig, Config, ControlConfig, FileConfig, FindingsConfig, HttpConfig,
    KeyReference, Level, LogConfig, LogFormat, ModelConfig, OpenStackConfig, ProjectsConfig, QueueConfig,
    QueueKind, RabbitMqConfig, RetentionClass, RetentionConfig, ScanConfig, SourceConfig, StoreConfig,
    TlsConfig, TrailConfig, TransportUrl, VantageConfig,
};
pub use postgres_url::{PostgresConfig, PostgresHost, PostgresUrlError, RootCertificates, SslMode};
pub use proxy::ProxyConfig;
pub use reference::open_to_others;
pub use remark::{Place, Problems, Remark, Warning};
pub use scanner::{
    Abilities, CommandConfig, CommandFormat, CommandInput, CoveredPorts, GmpAddress, GmpConfig, NessusConfig,
    NessusLogin, NessusProduct, NmapConfig, NucleiConfig, Per, ProgramConfig, QualysAppliance, QualysConfig,
    QualysProfile, QualysVersions, RatedConfig, ScannerConfig, ScannerKind, Technique,
};
pub use secret::Secret;
pub use transport_url::{HOSTS_MAX, ParsedUrl, UrlError, UrlOptions};
pub use witness::WitnessConfig;
