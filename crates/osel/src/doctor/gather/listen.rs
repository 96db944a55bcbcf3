//! Some seconds of listening, by a queue of our own that nobody else sees and that ends with the connection.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lapin::Channel;
use lapin::options::{BasicConsumeOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use osel_core::time::Timestamp;
use tokio::time::{Instant, timeout};
use tokio_stream::StreamExt;

use super::bus::{Line, is_there};
use crate::doctor::facts::{Asked, Wanted};
use crate::doctor::heard::Heard;
use crate::source::rabbitmq::{Presence, Probe, Reader};
use crate::telemetry::chain;

/// How much may wait in our queue; beyond, the oldest go. What is counted here needs no completeness.
const QUEUE_BYTES_MAX: i64 = 64 << 20;
/// How long the broker may take to make queue and bindings.
const BIND_TIME: Duration = Duration::from_secs(60);

/// Listens to the exchanges that are there; `begun` is called once everything that comes is heard.
pub(super) async fn listen(
    line: &Line,
    wanted: &Wanted,
    exchanges: &BTreeMap<String, Presence>,
    time: Duration,
    begun: impl FnOnce(),
) -> Asked<Heard> {
    let mut heard = Heard { seconds: time.as_secs(), ..Heard::default() };
    let failed = |error: lapin::Error| format!("it is not possible to listen: {}", chain(&error));
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| format!("the system gives no random numbers: {error}"))?;
    let queue = format!("osel.doctor.{:016x}", u64::from_ne_bytes(random));
    let channel = line.connection.create_channel().await.map_err(failed)?;
    let bound = timeout(BIND_TIME, bind(line, &channel, &queue, wanted, exchanges)).await;
    (heard.bound, heard.deaf, heard.forbidden) =
        bound.map_err(|_| "the broker does not bind in time".to_owned())?.map_err(failed)?;
    // Nothing is acknowledged: what is on its way is bounded by the gate.
    let options = BasicConsumeOptions { no_ack: true, exclusive: true, ..BasicConsumeOptions::default() };
    let consuming =
        channel.basic_consume(queue.as_str().into(), "osel".into(), options, FieldTable::default());
    let mut consumer = consuming.await.map_err(failed)?;
    let mut reader = Reader::new(Arc::from("doctor"), None);
    begun();
    let end = Instant::now() + time;
    // A message that is there already is given out before the time is looked at: on a busy bus there always is one.
    while Instant::now() < end {
        match tokio::time::timeout_at(end, consumer.next()).await {
            Err(_) => break,
            Ok(Some(Ok(delivery))) => {
                // When it came does not matter: only counts are kept.
                let arrived = reader.read(delivery, Timestamp::EPOCH);
                line.gate.release(arrived.bytes as u64);
                let (raw, decoded, _) = arrived.message.split();
                heard.note(&raw.exchange, &raw.routing_key, &decoded);
            }
            Ok(Some(Err(error))) => return Err(format!("listening was broken off: {}", chain(&error))),
            Ok(None) => return Err("listening was broken off by the broker".to_owned()),
        }
    }
    // The queue goes with the connection, which comes to its end in order once no channel is closing by itself.
    let _ = timeout(BIND_TIME, channel.close(200, "OK".into())).await;
    Ok(heard)
}

/// Makes the queue and binds it; gives the exchanges that it is bound to, those that we may not read, and those that it may not be bound to.
async fn bind(
    line: &Line,
    channel: &Channel,
    queue: &str,
    wanted: &Wanted,
    exchanges: &BTreeMap<String, Presence>,
) -> Result<(Vec<String>, Vec<String>, Vec<String>), lapin::Error> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(QUEUE_BYTES_MAX));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("drop-head".into()));
    let options =
        QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.into(), options, arguments).await?;
    let mut probe = Probe::new(&line.connection);
    let [mut bound, mut deaf, mut forbidden] = [const { Vec::<String>::new() }; 3];
    for (exchange, _) in exchanges.iter().filter(|(_, presence)| is_there(**presence)) {
        for topic in &wanted.topics {
            let exchanges = match probe.bind(queue, exchange, &format!("{topic}.*")).await? {
                Presence::There => &mut bound,
                Presence::Denied => &mut deaf,
                Presence::Forbidden => &mut forbidden,
                Presence::Absent => continue,
            };
            if !exchanges.contains(exchange) {
                exchanges.push(exchange.clone());
            }
        }
    }
    probe.finish().await;
    Ok((bound, deaf, forbidden))
}
