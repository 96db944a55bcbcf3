//! What the configuration of a service says, as far as it matters here.

/// A file of a service, such as `neutron.conf`. Where a setting is not written, its default in oslo.messaging or Keystone counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceFile {
    /// The service, by the name of the file: `neutron` for `neutron.conf` and `neutron-rpc.conf`.
    pub service: String,
    /// Whether it is Keystone's.
    pub is_keystone: bool,
    /// `[oslo_messaging_notifications] driver`, each.
    pub drivers: Vec<String>,
    /// `[oslo_messaging_notifications] topics`.
    pub topics: Vec<String>,
    /// `[oslo_messaging_notifications] retry`; -1 is for ever.
    pub retry: i64,
    /// `[DEFAULT] notification_opt_out`; none where it is not written and the default of the release counts.
    pub opt_out: Option<Vec<String>>,
    /// `[DEFAULT] notification_format`.
    pub format: String,
    /// `[oslo_middleware] enable_proxy_headers_parsing`.
    pub proxy_headers: bool,
    /// Whether its exchanges are durable: `[oslo_messaging_rabbit] amqp_durable_queues` or `rabbit_quorum_queue`.
    pub durable: bool,
    /// How it logs in to the bus of its notifications; or why that is not known.
    pub bus: Result<BusUser, String>,
}

impl ServiceFile {
    /// Whether it sends notifications to the bus.
    pub fn publishes(&self) -> bool {
        // `routing` hands them on to the others by a file of its own.
        self.drivers.iter().any(|driver| matches!(driver.as_str(), "messaging" | "messagingv2" | "routing"))
    }
}

/// How a service logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusUser {
    /// As whom, for each host once.
    pub users: Vec<String>,
    /// Whether by TLS.
    pub tls: bool,
}

/// A file of Trove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TroveFile {
    /// Whether `taskmanager_rpc_encr_key` is the one that stands in Trove's source.
    pub has_default_task_key: bool,
    /// Whether `inst_rpc_key_encr_key` is the one that stands in Trove's source.
    pub has_default_instance_key: bool,
    /// `enable_secure_rpc_messaging`.
    pub encrypts: bool,
}
