//! A broker as a receiver.

use std::time::Duration;

use osel_core::format::Format;
use osel_core::forward::{BatchNumber, Refusal, RefusalKind, Taken};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

use super::fault::AmqpFault;
use super::handover::{Missed, Way, hand_over};
use super::link::Link;
use super::message::Message;
use crate::config::{AmqpConfig, AmqpUnroutable, ForwardConfig, ReceiverConfig};
use crate::forward::now::ConfigNow;
use crate::forward::receiver::{Batch, BatchLimits, Handed, Receiver};

/// A second batch is asked for while one waits for its confirms, so that what holds it up is told; it is not published before.
const LIMITS: BatchLimits = BatchLimits { items: 1000, bytes: 1 << 20, awaited: 2, linger: Duration::ZERO };
/// How long a batch is waited for before it counts as awaited.
const CONFIRM_TIME: Duration = Duration::from_secs(3);
/// How long all hosts together may take to be connected to: beyond it, the next attempt goes on with the next host.
const CONNECT_TIME: Duration = Duration::from_secs(60);
/// How long a stop waits for confirms; it has two seconds for all.
const LAST_TIME: Duration = Duration::from_millis(500);

/// Sends to an exchange.
pub struct AmqpReceiver {
    config: AmqpConfig,
    format: Format,
    now: ConfigNow,
    /// Which of the hosts is used.
    at: usize,
    link: Option<Link>,
    /// The batch that was handed over and of which the broker has not said everything, and who waits for that.
    awaited: Option<BatchNumber>,
    handing: JoinSet<Result<(), Missed>>,
    /// Whether a message was refused lately.
    is_one_by_one: bool,
}

impl AmqpReceiver {
    /// The receiver of that table; `now` gives the table anew for each connection, since passwords change.
    pub fn new(config: AmqpConfig, format: Format, now: ConfigNow) -> Self {
        Self {
            config,
            format,
            now,
            at: 0,
            link: None,
            awaited: None,
            handing: JoinSet::new(),
            is_one_by_one: false,
        }
    }

    /// The host that is used.
    fn place(&self) -> String {
        let hosts = &self.config.url.hosts;
        let host = self.at.checked_rem(hosts.len()).and_then(|at| hosts.get(at));
        host.map_or_else(String::new, |host| format!("{}:{}", host.host, host.port))
    }

    /// A connection that stands, made to the first host that has one.
    async fn connected(&mut self) -> Result<(), Refusal> {
        if self.link.as_ref().is_some_and(Link::is_up) {
            return Ok(());
        }
        self.link = None;
        let (now, before) = (self.now.clone(), self.config.clone());
        // It reads files.
        let read = tokio::task::spawn_blocking(move || match now() {
            ForwardConfig { receiver: ReceiverConfig::Amqp(config), .. } => *config,
            // It has become something else, which the next start makes of it.
            _ => before,
        });
        if let Ok(config) = read.await {
            self.config = config;
        }
        let connecting = timeout(CONNECT_TIME, self.connect()).await;
        connecting.unwrap_or_else(|_| {
            let fault = AmqpFault::new(RefusalKind::Silent, "no host of the cluster answers in time");
            Err(fault.refusal(&self.place(), 0))
        })
    }

    async fn connect(&mut self) -> Result<(), Refusal> {
        let hosts = self.config.url.hosts.clone();
        let mut refusal: Option<Refusal> = None;
        for _ in &hosts {
            let Some(host) = self.at.checked_rem(hosts.len()).and_then(|at| hosts.get(at)) else { break };
            match Link::connect(&self.config, host).await {
                Ok(link) => {
                    self.link = Some(link);
                    return Ok(());
                }
                Err(fault) => {
                    let told = fault.refusal(&self.place(), 0);
                    // What somebody has to act on is not hidden by another host that is away.
                    if refusal.as_ref().is_none_or(|known| known.kind != RefusalKind::Denied) {
                        refusal = Some(told);
                    }
                    self.at = self.at.wrapping_add(1);
                }
            }
        }
        let none = || AmqpFault::new(RefusalKind::Denied, "there is no host").refusal("", 0);
        Err(refusal.unwrap_or_else(none))
    }

    /// Hands a batch over.
    async fn given(&mut self, batch: &Batch) -> Result<Taken, Refusal> {
        if self.awaited.is_some() {
            return Err(self.held_up());
        }
        self.connected().await?;
        let Some(link) = &self.link else { return Err(self.held_up()) };
        if link.is_blocked() {
            return Err(self.held_up());
        }
        let AmqpConfig { routing_key, unroutable, exchange, .. } = &self.config;
        let way = Way {
            exchange: exchange.clone(),
            is_mandatory: *unroutable == AmqpUnroutable::Refuse,
            is_one_by_one: self.is_one_by_one,
        };
        let messages: Vec<Message> =
            batch.items.iter().map(|item| Message::of(item, self.format, routing_key)).collect();
        let channel = link.channel.clone();
        self.awaited = Some(batch.number);
        // A task of its own, since a blocked connection may hold it up for as long as the broker likes.
        self.handing.spawn(async move { hand_over(&channel, &way, &messages).await });
        match timeout(CONFIRM_TIME, self.handing.join_next()).await {
            Ok(ended) => self.ended(ended).map(|()| Taken::Kept),
            Err(_) => Ok(Taken::Awaited),
        }
    }

    /// What came of the batch that was handed over.
    fn ended(&mut self, ended: Option<Result<Result<(), Missed>, JoinError>>) -> Result<(), Refusal> {
        self.awaited = None;
        match ended {
            Some(Ok(Ok(()))) => {
                self.is_one_by_one = false;
                Ok(())
            }
            Some(Ok(Err(Missed { taken, fault }))) => {
                self.is_one_by_one = fault.is_of_one;
                // What came back is held by the connection, and a channel that failed is closed.
                self.link = None;
                Err(fault.refusal(&self.place(), taken))
            }
            Some(Err(_)) | None => {
                self.link = None;
                Err(AmqpFault::new(RefusalKind::Unavailable, "the connection was let go")
                    .refusal(&self.place(), 0))
            }
        }
    }

    /// Why nothing more is published now.
    fn held_up(&self) -> Refusal {
        let words = if self.link.as_ref().is_some_and(Link::is_blocked) {
            "it takes nothing: it is short of memory or of disk space (connection.blocked)"
        } else {
            "it has not confirmed yet what was published before"
        };
        AmqpFault::new(RefusalKind::Unavailable, words).refusal(&self.place(), 0)
    }

    /// The batch that is awaited, once the broker has said everything of it.
    fn arrived(&mut self) -> Result<Vec<BatchNumber>, Refusal> {
        let Some(number) = self.awaited else { return Ok(Vec::new()) };
        match self.handing.try_join_next() {
            None => Ok(Vec::new()),
            // Of one that failed, the place before which everything was taken is not asked for.
            ended => self.ended(ended).map(|()| vec![number]),
        }
    }
}

impl Receiver for AmqpReceiver {
    fn target(&self) -> String {
        let AmqpConfig { url, exchange, .. } = &self.config;
        let hosts: Vec<String> =
            url.hosts.iter().map(|host| format!("{}:{}", host.host, host.port)).collect();
        let scheme = if url.tls { "amqps" } else { "amqp" };
        format!("{scheme}://{}/{}, exchange {exchange}", hosts.join(","), url.vhost.trim_start_matches('/'))
    }

    fn limits(&self) -> BatchLimits {
        LIMITS
    }

    fn send<'a>(&'a mut self, batch: &'a Batch) -> Handed<'a, Taken> {
        Box::pin(self.given(batch))
    }

    fn confirm(&mut self) -> Handed<'_, Vec<BatchNumber>> {
        Box::pin(async { self.arrived() })
    }

    fn check(&mut self) -> Handed<'_, Option<String>> {
        Box::pin(async {
            self.connected().await?;
            Ok(Some(format!("exchange `{}` is there", self.config.exchange)))
        })
    }

    fn reset(&mut self) {
        self.handing = JoinSet::new();
        self.awaited = None;
        self.link = None;
    }

    fn close(&mut self) -> Handed<'_, Vec<BatchNumber>> {
        Box::pin(async {
            let mut arrived = Ok(Vec::new());
            if let Some(number) = self.awaited
                && let Ok(ended) = timeout(LAST_TIME, self.handing.join_next()).await
            {
                arrived = self.ended(ended).map(|()| vec![number]);
            }
            if let Some(link) = self.link.take() {
                link.close().await;
            }
            self.reset();
            arrived
        })
    }
}
