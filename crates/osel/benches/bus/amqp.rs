//! A consumer that only acknowledges, and a publisher that keeps a rate.

use std::thread;
use std::time::{Duration, Instant};

use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use osel_core::intake::{BATCH_MESSAGES, BATCHES_IN_FLIGHT};
use tokio::runtime::Runtime;
use tokio_stream::StreamExt;

use crate::{EXCHANGE, ROUTING_KEY};

/// As the program's.
const PREFETCH: u16 = ((BATCHES_IN_FLIGHT + 2) * BATCH_MESSAGES) as u16;

fn runtime() -> Runtime {
    // As many threads as the program has for its connections.
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Declares a classic queue that goes with the broker, as oslo.messaging does.
pub fn declare_fleeting_queue(url: &str, name: &str) {
    runtime().block_on(async {
        let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let (options, table) = (QueueDeclareOptions::default(), FieldTable::default());
        channel.queue_declare(name.into(), options, table).await.unwrap();
        connection.close(200, "done".into()).await.unwrap();
    });
}

/// Takes messages and acknowledges them.
pub struct Consumer;

impl Consumer {
    /// Drains a queue of so many messages; gives messages a second, of the last 95 of 100.
    pub fn drain(url: &str, queue: &str, count: usize) -> f64 {
        runtime().block_on(async {
            let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
            let channel = connection.create_channel().await.unwrap();
            channel.basic_qos(PREFETCH, BasicQosOptions::default()).await.unwrap();
            let (options, table) = (BasicConsumeOptions::default(), FieldTable::default());
            let mut consumer =
                channel.basic_consume(queue.into(), "plain".into(), options, table).await.unwrap();
            let (mut taken, first, mut from) = (0, count / 20, Instant::now());
            let begun = first;
            while taken < count {
                let delivery = consumer.next().await.unwrap().unwrap();
                taken += 1;
                if taken == first {
                    from = Instant::now();
                }
                if taken % BATCH_MESSAGES == 0 || taken == count {
                    let options = BasicAckOptions { multiple: true };
                    channel.basic_ack(delivery.delivery_tag, options).await.unwrap();
                }
            }
            let rate = (count - begun) as f64 / from.elapsed().as_secs_f64();
            connection.close(200, "done".into()).await.unwrap();
            rate
        })
    }
}

/// Publishes at a rate.
pub struct Steady;

impl Steady {
    /// Publishes bodies, so many a second; gives when each was sent.
    pub fn publish(url: &str, bodies: &[String], rate: usize) -> Vec<Instant> {
        let runtime = runtime();
        let connection = runtime.block_on(Connection::connect(url, ConnectionProperties::default())).unwrap();
        let channel = runtime.block_on(connection.create_channel()).unwrap();
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_content_encoding("utf-8".into())
            .with_delivery_mode(2);
        let start = Instant::now();
        let mut sent = Vec::with_capacity(bodies.len());
        for (number, body) in bodies.iter().enumerate() {
            let due = start + Duration::from_secs_f64(number as f64 / rate as f64);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            sent.push(Instant::now());
            let options = BasicPublishOptions::default();
            let published = channel.basic_publish(
                EXCHANGE.into(),
                ROUTING_KEY.into(),
                options,
                body.as_bytes(),
                properties.clone(),
            );
            runtime.block_on(published).unwrap();
        }
        runtime.block_on(connection.close(200, "done".into())).unwrap();
        sent
    }
}
