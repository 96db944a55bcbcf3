//! A service with the real oslo.messaging among the publishers: it connects, declares, waits and repeats as services do.
//!
//! It notifies by a topic of its own, since its notifications go into a queue of its own as well, and the broker would find a queue for
//! everything that is published by that topic. It tells what was confirmed, not what reached our queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use serde_json::json;

use super::super::super::{Cluster, Fate, Notification, Publisher, PublisherOptions};
use super::super::clock;
use super::judge::Sent;
use super::publishers::{EXCHANGES, PACE};

/// How many notifications it sends before it waits, and looks whether it is to end.
const CHUNK: u64 = 4;

/// One that notifies until it is told to end.
pub struct Notifier {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Sent>>,
}

impl Notifier {
    /// Begins to notify, by whichever node answers.
    pub fn start(cluster: &Cluster, is_durable: bool) -> Self {
        let options = PublisherOptions {
            exchange: EXCHANGES[1].to_owned(),
            topics: "versioned_notifications".to_owned(),
            rabbit: vec![("amqp_durable_queues".to_owned(), is_durable.to_string())],
            transport_url: Some(cluster.transport_url()),
            ..PublisherOptions::default()
        };
        let publisher = Publisher::start(&cluster.nodes[0], &options);
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        Self { is_over, thread: thread::spawn(move || notify(publisher, &over)) }
    }

    /// Waits for what is under way, and gives all that was sent. The broker must serve.
    pub fn end(self) -> Vec<Sent> {
        self.is_over.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

fn notify(mut publisher: Publisher, is_over: &AtomicBool) -> Vec<Sent> {
    let mut sent = Vec::new();
    let group = json!({"security_group": {"id": "g", "name": "chaos", "project_id": "p"}});
    let notification = Notification { count: CHUNK, ..Notification::new("security_group.update.end", group) };
    while !is_over.load(Ordering::SeqCst) {
        let begun = clock();
        let published = publisher.publish(&notification);
        let ended = clock();
        let with = |fate| move |id: String| Sent { id, begun, ended, fate };
        sent.extend(published.confirmed.into_iter().map(with(Fate::Taken)));
        // It may have arrived all the same.
        sent.extend(published.failed.into_iter().map(with(Fate::Unknown)));
        // As fast as it can, it would fill our queue in an outage that loses nothing.
        thread::park_timeout(PACE);
    }
    sent
}
