//! Receivers of logs by OpenTelemetry's protocol, OTLP 1, as protobuf over HTTP.

mod answer;
mod messages;
mod receiver;
mod record;

pub use receiver::Otlp;
