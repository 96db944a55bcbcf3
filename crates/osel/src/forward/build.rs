//! From a table of the configuration to the receiver it means.
//!
//! Nothing is connected to and no file is opened here: a receiver that is away is one that says so when it is sent something.

use super::amqp::AmqpReceiver;
use super::chat::Chat;
use super::file::FileReceiver;
use super::hec::Hec;
use super::kafka::KafkaReceiver;
use super::mail::Mail;
use super::now::ConfigNow;
use super::otlp::Otlp;
use super::receiver::Receiver;
use super::s3::s3;
use super::swift::swift;
use super::syslog::SyslogReceiver;
use super::webhook::Webhook;
use crate::config::{ForwardConfig, ReceiverConfig};

/// The receiver of a table. `now` gives that table again.
pub fn build(config: &ForwardConfig, now: ConfigNow) -> Box<dyn Receiver> {
    match &config.receiver {
        ReceiverConfig::File(file) => Box::new(FileReceiver::new((**file).clone())),
        ReceiverConfig::Syslog(syslog) => Box::new(SyslogReceiver::new(syslog)),
        ReceiverConfig::Hec(hec) => Box::new(Hec::new((**hec).clone(), config.format, now)),
        ReceiverConfig::Swift(container) => Box::new(swift((**container).clone(), config.format, now)),
        ReceiverConfig::Otlp(otlp) => Box::new(Otlp::new((**otlp).clone(), config.format, now)),
        ReceiverConfig::S3(bucket) => Box::new(s3((**bucket).clone(), config.format, now)),
        ReceiverConfig::Amqp(amqp) => Box::new(AmqpReceiver::new((**amqp).clone(), config.format, now)),
        ReceiverConfig::Kafka(kafka) => Box::new(KafkaReceiver::new((**kafka).clone(), config.format, now)),
        ReceiverConfig::Webhook(webhook) => Box::new(Webhook::new((**webhook).clone(), config.format, now)),
        ReceiverConfig::Mail(mail) => Box::new(Mail::new(&config.name, (**mail).clone(), now)),
        ReceiverConfig::Chat(chat) => Box::new(Chat::new(&config.name, (**chat).clone(), now)),
    }
}
