//! The configuration of `osel`: a TOML file and the variables of the environment that win over it.
//!
//! These are the parts that drivers take, and what is said about a configuration that is not good. Nothing here knows the drivers.

mod parts;
mod remark;
mod secret;

pub use parts::{
    BrokerHost, Config, HttpConfig, Level, LogConfig, LogFormat, ModelConfig, QueueConfig, QueueKind,
    RabbitMqConfig, ScanConfig, SourceConfig, StoreConfig, TlsConfig, TransportUrl,
};
pub use remark::{Place, Problems, Remark, Warning};
pub use secret::Secret;
