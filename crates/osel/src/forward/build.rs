//! From a table of the configuration to the receiver it means.
//!
//! Nothing is connected to and no file is opened here: a receiver that is away is one that says so when it is sent something.

use super::amqp::AmqpReceiver;
use super::file::FileReceiver;
use super::hec::Hec;
use super::kafka::KafkaReceiver;
use super::now::ConfigNow;
use super::receiver::Receiver;
use super::syslog::SyslogReceiver;
use super::webhook::Webhook;
use crate::config::{ForwardConfig, ReceiverConfig};

/// The receiver of a table. `now` gives that table again.
pub fn build(config: &ForwardConfig, now: ConfigNow) -> Box<dyn Receiver> {
    match &config.receiver {
        ReceiverConfig::File(file) => Box::new(FileReceiver::new((**file).clone())),
        ReceiverConfig::Syslog(syslog) => Box::new(SyslogReceiver::new(syslog)),
        ReceiverConfig::Hec(hec) => Box::new(Hec::new((**hec).clone(), config.format, now)),
        ReceiverConfig::Amqp(amqp) => Box::new(AmqpReceiver::new((**amqp).clone(), config.format, now)),
        ReceiverConfig::Kafka(kafka) => Box::new(KafkaReceiver::new((**kafka).clone(), config.format, now)),
        ReceiverConfig::Webhook(webhook) => Box::new(Webhook::new((**webhook).clone(), config.format, now)),
    }
}
