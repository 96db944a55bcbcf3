//! The kinds of sources, and where they differ for the loop: how their tasks begin, and in what words their troubles are told.

use std::sync::Arc;

use osel_core::engine::SourceGapCause;
use osel_core::intake::{BrokerTrouble, GapCause, Limits};
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

use super::super::forward::last_words;
use crate::source::place::Place;
use crate::source::words::{BusEvent, BusOrder};
use crate::source::{file, rabbitmq};

/// Where the task of a source tells what happens.
pub(super) type Tell = Arc<dyn Fn(BusEvent) + Send + Sync>;

/// What a source needs to know, by its kind.
#[derive(Clone)]
pub enum SourceSettings {
    /// A bus of RabbitMQ, with the number of its hosts.
    RabbitMq(rabbitmq::Settings, usize),
    /// Captured messages in a file.
    File(file::Settings),
}

/// The kind of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// See [`SourceSettings::RabbitMq`].
    RabbitMq,
    /// See [`SourceSettings::File`].
    File,
}

impl SourceSettings {
    pub(super) fn kind(&self) -> SourceKind {
        match self {
            Self::RabbitMq(..) => SourceKind::RabbitMq,
            Self::File(_) => SourceKind::File,
        }
    }

    /// The source's name, and its region where it has one.
    pub(super) fn names(&self) -> (Arc<str>, Option<Arc<str>>) {
        let (source, region) = match self {
            Self::RabbitMq(settings, _) => (&settings.source, &settings.region),
            Self::File(settings) => (&settings.source, &settings.region),
        };
        (Arc::clone(source), region.clone())
    }

    /// The bounds of its intake: a file that is followed is a bus with one host.
    pub(super) fn limits(&self) -> Limits {
        match self {
            Self::RabbitMq(_, hosts) => Limits::bus(*hosts),
            Self::File(_) => Limits::bus(1),
        }
    }

    /// Begins the task. What is read from a place on begins at `place`. If it breaks down that is the last that is told of it.
    pub(super) fn start(
        &self,
        place: Option<Place>,
        orders: UnboundedReceiver<BusOrder>,
        tell: Tell,
        tokio: &Handle,
    ) -> JoinHandle<()> {
        let by_task = {
            let tell = Arc::clone(&tell);
            move |event| tell(event)
        };
        let task = match self.clone() {
            Self::RabbitMq(settings, _) => tokio.spawn(rabbitmq::run(settings, orders, by_task)),
            Self::File(settings) => tokio.spawn(file::run(settings, place, orders, by_task)),
        };
        tokio.spawn(async move {
            if let Err(error) = task.await {
                tell(BusEvent::Failed(last_words(error)));
            }
        })
    }
}

impl SourceKind {
    /// Its name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RabbitMq => "rabbitmq",
            Self::File => "file",
        }
    }

    /// Why there is no connection, for the log.
    pub(super) fn no_connection(self, why: BrokerTrouble) -> &'static str {
        match (self, why) {
            (_, BrokerTrouble::Failed) => "source failed",
            (Self::File, BrokerTrouble::Unreachable) => "file cannot be opened",
            (Self::File, _) => "file cannot be read",
            (_, BrokerTrouble::Unreachable) => "broker unreachable",
            (_, BrokerTrouble::Closed) => "connection closed",
            (_, BrokerTrouble::Silent) => "broker silent",
            (_, BrokerTrouble::Cancelled) => "queue gone",
            (_, BrokerTrouble::Denied) => "access denied",
            (_, BrokerTrouble::Untrusted) => "broker not trusted",
            (_, BrokerTrouble::Disorder) => "broker out of order",
        }
    }

    /// Why messages may be missing, for the log.
    pub(super) fn no_queue(self, why: GapCause) -> &'static str {
        match (self, why) {
            (Self::File, GapCause::Missing) => "file cut or gone before it was read",
            (_, GapCause::LongOutage) => "long outage",
            (_, GapCause::Unbound) => "queue not bound",
            (_, GapCause::Overflowed) => "queue overflowed",
            (_, GapCause::Missing) => "queue missing",
        }
    }

    /// Why messages may be missing, for the trail.
    pub(super) fn gap_cause(self, why: GapCause) -> SourceGapCause {
        match (self, why) {
            (Self::File, GapCause::Missing) => SourceGapCause::Unread,
            (_, GapCause::LongOutage) => SourceGapCause::LongOutage,
            (_, GapCause::Unbound) => SourceGapCause::Unbound,
            (_, GapCause::Overflowed) => SourceGapCause::Overflowed,
            (_, GapCause::Missing) => SourceGapCause::Missing,
        }
    }
}
