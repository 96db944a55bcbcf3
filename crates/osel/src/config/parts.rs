//! The configuration as the program uses it: checked, with defaults, secrets in keeping.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use ipnet::IpNet;
use osel_core::finding::ExpectedExposure;
use osel_core::trail::RecordKind;
use osel_core::trail::log::KeyName;

use super::{BarbicanSecret, ForwardConfig, Place, PostgresConfig, ScannerConfig, Secret, WitnessConfig};

/// Everything that can be configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `[store]`.
    pub store: StoreConfig,
    /// `[trail]`.
    pub trail: TrailConfig,
    /// `[[source]]`: at least one, each with a name of its own.
    pub sources: Vec<SourceConfig>,
    /// `[[openstack]]`: at most one for each region that sources have.
    pub openstack: Vec<OpenStackConfig>,
    /// `[retention]`.
    pub retention: RetentionConfig,
    /// `[scan]`.
    pub scan: ScanConfig,
    /// `[[scanner]]`: at least one, each with a name of its own.
    pub scanners: Vec<ScannerConfig>,
    /// `[[expected]]`: what may be exposed.
    pub expected: Vec<ExpectedExposure>,
    /// `[[forward]]`: where records are sent, each with a name of its own.
    pub forwards: Vec<ForwardConfig>,
    /// `[[witness]]`: who is shown the log's checkpoints, each by a key of its own.
    pub witnesses: Vec<WitnessConfig>,
    /// `[findings]`.
    pub findings: FindingsConfig,
    /// `[model]`.
    pub model: ModelConfig,
    /// `[http]`.
    pub http: HttpConfig,
    /// `[control]`.
    pub control: ControlConfig,
    /// `[log]`.
    pub log: LogConfig,
}

/// Where the journal is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreConfig {
    /// In SQLite, in this directory.
    Directory(PathBuf),
    /// In PostgreSQL, shared by a leader and those that stand by.
    Postgres(PostgresConfig),
}

/// How the log over the records is signed, and what is written down of those who read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailConfig {
    /// Whether it becomes a record that somebody read the trail.
    pub record_reads: bool,
    /// The key to sign with; none for that in the folder of the store.
    pub key: Option<KeyReference>,
    /// The key before it, which hands the log on; none where it was not exchanged, or was while osel ran.
    pub previous_key: Option<KeyReference>,
    /// What the log is called in its checkpoints; none for the name of the key.
    pub origin: Option<KeyName>,
    /// The key of pseudonyms, 64 hexadecimal digits; none for that in the folder of the store.
    pub pseudonym_key: Option<Secret>,
}

impl Default for TrailConfig {
    fn default() -> Self {
        Self { record_reads: true, key: None, previous_key: None, origin: None, pseudonym_key: None }
    }
}

/// Where the key to sign with is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyReference {
    /// Here: its text, which was read once.
    Text(Secret),
    /// In Barbican, to be fetched.
    Barbican(BarbicanSecret),
}

/// How orders are given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ControlConfig {
    /// The socket, where it is not the usual one of the store.
    pub socket: Option<PathBuf>,
}

impl StoreConfig {
    /// Which store it is, in words without a secret.
    pub fn name(&self) -> String {
        match self {
            Self::Directory(directory) => directory.display().to_string(),
            Self::Postgres(config) => config.to_string(),
        }
    }
}

/// What is kept for how long; none is for ever, or without a bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionConfig {
    /// Days that inputs are kept: messages, and the states between them.
    pub inputs_days: Option<u32>,
    /// Bytes that they may have.
    pub inputs_bytes_max: Option<u64>,
    /// Days that the parts of records are kept.
    pub records_days: Option<u32>,
    /// Bytes that they may have.
    pub records_bytes_max: Option<u64>,
    /// Days that the personal parts of records are kept.
    pub personal_days: Option<u32>,
    /// Days that messages in quarantine are kept.
    pub quarantine_days: Option<u32>,
    /// Days that findings stay in their list after they were resolved.
    pub findings_days: Option<u32>,
    /// Bytes that the store may take.
    pub budget_bytes: Option<u64>,
    /// What holds for some kinds of records instead; the first that has a kind counts.
    pub classes: Vec<RetentionClass>,
}

/// Kinds of records whose parts go by ages of their own; what is none is as for all records, and none of that is for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionClass {
    /// Its name.
    pub name: String,
    /// The kinds.
    pub kinds: Vec<RecordKind>,
    /// Days that the personal parts of such records are kept.
    pub personal_days: Option<Option<u32>>,
    /// Days that all parts of such records are kept.
    pub records_days: Option<Option<u32>>,
}

/// One bus to listen to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceConfig {
    /// Its name in records, ledger and logs: `[a-z0-9][a-z0-9._-]{0,62}`, unique.
    pub name: String,
    /// The region whose cloud it tells of.
    pub region: Option<String>,
    /// What it is, and how to reach it.
    pub bus: BusConfig,
}

/// What a source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusConfig {
    /// `type = "rabbitmq"`.
    RabbitMq(Box<RabbitMqConfig>),
    /// `type = "file"`.
    File(FileConfig),
}

impl SourceConfig {
    /// How to reach it, if it is a bus of RabbitMQ.
    pub fn rabbitmq(&self) -> Option<&RabbitMqConfig> {
        match &self.bus {
            BusConfig::RabbitMq(rabbitmq) => Some(rabbitmq),
            BusConfig::File(_) => None,
        }
    }

    /// Which file it is, if it is captured messages.
    pub fn file(&self) -> Option<&FileConfig> {
        match &self.bus {
            BusConfig::File(file) => Some(file),
            BusConfig::RabbitMq(_) => None,
        }
    }
}

/// A source of the type `file`: messages that another program captures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileConfig {
    /// The file, plain or packed.
    pub path: PathBuf,
    /// Whether more will be written to it.
    pub follow: bool,
}

/// A source of the type `rabbitmq`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RabbitMqConfig {
    /// The brokers, with the credentials for each.
    pub transport_url: TransportUrl,
    /// The exchanges to bind to, as the services name them in `control_exchange`.
    pub exchanges: Vec<String>,
    /// The topics to bind for, each with all its priorities: `notifications` gives the binding key `notifications.*`.
    pub topics: Vec<String>,
    /// Whether the services declare their exchanges as durable (`amqp_durable_queues`, `rabbit_quorum_queue`), so that bindings survive a
    /// restart of the broker.
    pub durable_exchanges: bool,
    /// The queue of osel's own.
    pub queue: QueueConfig,
    /// TLS; there exactly when `transport_url.tls` is true.
    pub tls: Option<TlsConfig>,
    /// After how many seconds without a sign of the broker a connection counts as dead.
    pub heartbeat_seconds: u16,
    /// How many seconds connecting to one host may take, TLS and login included.
    pub connect_timeout_seconds: u16,
}

/// The queue that osel declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueConfig {
    /// Its kind.
    pub kind: QueueKind,
    /// How many bytes may wait in it; beyond, the oldest go (`x-max-length-bytes` with `drop-head`).
    pub length_bytes_max: u64,
}

/// The kind of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueKind {
    /// Quorum where the broker has it, else classic.
    #[default]
    Auto,
    /// Replicated over the cluster's nodes.
    Quorum,
    /// On one node.
    Classic,
}

/// A `transport_url`, taken apart as oslo.messaging does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportUrl {
    /// The hosts, at least one, in the order in which they are written.
    pub hosts: Vec<BrokerHost>,
    /// The virtual host.
    pub vhost: String,
    /// Whether connections use TLS.
    pub tls: bool,
}

/// One broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerHost {
    /// Its name or address; an IPv6 address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Who logs in.
    pub user: String,
    /// With what.
    pub password: Secret,
}

/// TLS to a server. Certificates are verified unless whoever connects was told otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// The authorities that may have signed the broker's certificate, as PEM; the system's when there is none.
    pub ca_file: Option<PathBuf>,
    /// The client's certificate and the chain above it, as PEM; `key_file` is there as well then.
    pub cert_file: Option<PathBuf>,
    /// The client's key, as PEM; it may be the file of the certificate.
    pub key_file: Option<PathBuf>,
    /// The name that the broker's certificate must have, when it is not the host of the URL.
    pub server_name: Option<String>,
    /// Whether to log in by the client's certificate (SASL EXTERNAL) instead of user and password.
    pub external: bool,
}

/// An API that is asked as a second opinion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenStackConfig {
    /// The region of the sources whose cloud it tells of; none for the sources without a region.
    pub region: Option<String>,
    /// Which cloud of the clouds file; none for the one that variables (`OS_*`) name.
    pub cloud: Option<String>,
    /// The clouds file; none for the one that OpenStack's clients would find.
    pub clouds_file: Option<PathBuf>,
    /// The region in the cloud's catalog; none for the one of the clouds file.
    pub region_name: Option<String>,
    /// Which endpoints are asked; none for those of the clouds file.
    pub interface: Option<ApiInterface>,
    /// The longest time between two reads of everything.
    pub every_seconds: NonZeroU32,
    /// The most requests per second.
    pub requests_per_second: NonZeroU32,
    /// Whether names of users, projects and so on are read as well.
    pub names: bool,
    /// Whether a cloud is asked whose certificate the clouds file has nobody verify.
    pub insecure: bool,
    /// Where the table begins: what is wrong with the files that it names is said of it.
    pub place: Place,
}

/// Whom endpoints are meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiInterface {
    /// Everybody.
    Public,
    /// The cloud's own network.
    Internal,
    /// Administrators.
    Admin,
}

/// What findings are told to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingsConfig {
    /// How long findings may wait that nobody reads before there is an alarm, in seconds; none raises none.
    pub unread_alarm_seconds: Option<NonZeroU32>,
}

/// Scans that follow from what was exposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanConfig {
    /// Whether to scan without an order of a person: addresses that the internet has a path to, and those of `allowed_prefixes`.
    pub enabled: bool,
    /// Prefixes that may be scanned whatever the model thinks of their paths.
    pub allowed_prefixes: Vec<IpNet>,
    /// Prefixes that are never scanned.
    pub never_prefixes: Vec<IpNet>,
    /// From where scanners see the cloud.
    pub vantage: VantageConfig,
    /// Whether what opened is scanned.
    pub opened: bool,
    /// Whether what closed is scanned.
    pub closed: bool,
    /// Whose addresses are scanned.
    pub projects: ProjectsConfig,
    /// When no scan is begun: the first minute of the day in UTC, and the first one after it.
    pub quiet_hours: Option<(u16, u16)>,
    /// The most addresses that are scanned within an hour.
    pub addresses_per_hour: Option<NonZeroU32>,
    /// The same of one project.
    pub project_addresses_per_hour: Option<NonZeroU32>,
    /// Ports that are scanned before others.
    pub sensitive_ports: Vec<u16>,
    /// How long after an odd result the same is scanned once more, in seconds.
    pub confirm_seconds: u32,
    /// What has waited for so many seconds is not scanned.
    pub wait_seconds_max: u32,
    /// Connections and datagrams per second over all addresses.
    pub rate_per_second: NonZeroU32,
    /// Connections and datagrams per second to one address.
    pub host_rate_per_second: NonZeroU32,
    /// Probes out at the same time over all addresses.
    pub concurrency: NonZeroU32,
}

/// From where scanners see the cloud.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VantageConfig {
    /// From outside of it.
    #[default]
    Internet,
    /// From this prefix.
    Prefix(IpNet),
}

/// Whose addresses are scanned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProjectsConfig {
    /// Everybody's.
    #[default]
    All,
    /// Those of these projects, by their ids.
    Only(Vec<String>),
    /// Those of all but these.
    Except(Vec<String>),
}

/// What the model takes for granted about this cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelConfig {
    /// Whether the allowed address pairs of a port are members of its security groups, where a rule names the group as its source.
    pub group_members_include_pairs: bool,
    /// Prefixes of the cloud that are routed to from outside without address translation.
    pub routed_prefixes: Vec<IpNet>,
}

/// The HTTP interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Whether the log over the records is served.
    pub serve_log: bool,
}

/// What is logged to standard error, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogConfig {
    /// For people or for programs.
    pub format: LogFormat,
    /// The least serious that is logged.
    pub level: Level,
}

/// How lines of the log look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// How serious a line of the log is, the most serious first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Evidence is lost, or somebody must act.
    Error,
    /// Odd, but osel got over it.
    Warn,
    /// A change that somebody caused.
    #[default]
    Info,
    /// Each event.
    Debug,
    /// Each step.
    Trace,
}
