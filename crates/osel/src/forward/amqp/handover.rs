//! Publishing messages and hearing what the broker says of each.

use std::collections::HashMap;

use lapin::message::BasicReturnMessage;
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{Channel, Confirmation};
use osel_core::forward::RefusalKind;

use super::fault::AmqpFault;
use super::message::Message;

/// So many messages, from the first, were taken, and the next one was not.
#[derive(Debug)]
pub(super) struct Missed {
    pub(super) taken: usize,
    pub(super) fault: AmqpFault,
}

/// How messages are handed over.
#[derive(Clone, Debug)]
pub(super) struct Way {
    pub(super) exchange: String,
    /// Whether what no queue wants comes back.
    pub(super) is_mandatory: bool,
    /// Whether each message waits until the one before it is confirmed. A broker that refuses one may take those behind it, so that only
    /// then their order is sure.
    pub(super) is_one_by_one: bool,
}

/// Publishes messages, and waits until the broker has said of each what became of it.
///
/// # Errors
/// When one was not taken; those behind it may have been.
pub(super) async fn hand_over(channel: &Channel, way: &Way, messages: &[Message]) -> Result<(), Missed> {
    let at_once = if way.is_one_by_one { 1 } else { messages.len().max(1) };
    let mut before = 0;
    for window in messages.chunks(at_once) {
        publish(channel, way, window)
            .await
            .map_err(|missed| Missed { taken: before + missed.taken, fault: missed.fault })?;
        before += window.len();
    }
    Ok(())
}

async fn publish(channel: &Channel, way: &Way, window: &[Message]) -> Result<(), Missed> {
    let options = BasicPublishOptions { mandatory: way.is_mandatory, ..BasicPublishOptions::default() };
    let mut confirms = Vec::with_capacity(window.len());
    let mut broken = None;
    for message in window {
        let (exchange, key) = (way.exchange.as_str().into(), message.routing_key.as_str().into());
        let properties = message.properties.clone();
        match channel.basic_publish(exchange, key, options, &message.body, properties).await {
            Ok(confirm) => confirms.push(confirm),
            Err(error) => {
                broken = Some(AmqpFault::of("cannot publish", &error));
                break;
            }
        }
    }
    let published = confirms.len();
    // All of them are waited for, also behind a failure: the library gives what came back to whichever confirm is next.
    let mut fates = Vec::with_capacity(window.len());
    let mut returned: HashMap<String, ShortString> = HashMap::new();
    for confirm in confirms {
        fates.push(match confirm.await {
            Ok(Confirmation::Ack(back)) => {
                returned.extend(back.and_then(named));
                Ok(())
            }
            Ok(Confirmation::Nack(back)) => {
                returned.extend(back.and_then(named));
                Err(AmqpFault::refused())
            }
            Ok(Confirmation::NotRequested) => {
                Err(AmqpFault::new(RefusalKind::Garbled, "it does not confirm what is published"))
            }
            Err(error) => Err(AmqpFault::of("not confirmed", &error)),
        });
    }
    let missed = window.iter().zip(fates).enumerate().find_map(|(taken, (message, fate))| {
        let fault = match returned.get(message.id.as_str()) {
            Some(says) => AmqpFault::unroutable(&message.routing_key, says.as_str()),
            None => fate.err()?,
        };
        Some(Missed { taken, fault })
    });
    match (missed, broken) {
        (Some(missed), _) => Err(missed),
        (None, Some(fault)) => Err(Missed { taken: published, fault }),
        (None, None) => Ok(()),
    }
}

/// The id of a message that came back, and why it did.
fn named(back: BasicReturnMessage) -> Option<(String, ShortString)> {
    let id = back.delivery.properties.message_id().as_ref()?.as_str().to_owned();
    Some((id, back.reply_text))
}
