//! What is broken on purpose: a closed list, with what each fault touches and what it may cost.
//!
//! Nothing is broken here; how that is done stands in [`super::deeds`]. A new fault is a variant, a line in each function below, and an
//! arm there.

use std::fmt;

/// Where a seed plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ground {
    /// One node, or a cluster of three.
    pub nodes: usize,
    /// Whether our queue is a quorum queue, else a classic one.
    pub is_quorum: bool,
    /// Whether the services' exchanges survive a restart of the broker.
    pub has_durable_exchanges: bool,
    /// Whether osel writes to a database, else to a directory.
    pub has_database: bool,
}

/// One thing that goes wrong and is put right again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// osel is killed (`kill -9`).
    KillOsel,
    /// osel is asked to stop, and must, whatever else is broken.
    StopOsel,
    /// A node of the broker is killed.
    KillNode,
    /// Two of three nodes are killed; the third stops serving.
    KillMajority,
    /// The connections are cut.
    CutNetwork,
    /// The connections are cut and none can be made.
    RefuseNetwork,
    /// The connections stand and nothing passes.
    StallNetwork,
    /// Everything arrives late.
    DelayNetwork,
    /// The store's disk is full.
    FillDisk,
    /// The store's database is stopped, in order or as by a crash.
    StopDatabase,
    /// Somebody deletes our queue with what is in it.
    DeleteQueue,
    /// More is published than the queue holds while nobody takes it.
    Overflow,
    /// The password is another one, and osel's file has it later.
    RotatePassword,
}

/// What a fault touches: two that touch the same part are not played at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Process,
    Network,
    Broker,
    Store,
}

/// What may be lost for certain, the later the more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// Nothing: no gap may be told.
    Nothing,
    /// Bindings were gone: what the broker took for our queue is there all the same.
    Bindings,
    /// Also what was in the queue.
    Content,
}

impl Fault {
    pub const ALL: [Self; 13] = [
        Self::KillOsel,
        Self::StopOsel,
        Self::KillNode,
        Self::KillMajority,
        Self::CutNetwork,
        Self::RefuseNetwork,
        Self::StallNetwork,
        Self::DelayNetwork,
        Self::FillDisk,
        Self::StopDatabase,
        Self::DeleteQueue,
        Self::Overflow,
        Self::RotatePassword,
    ];

    /// What it touches. Whoever orders something from the broker touches it too, since that has to be there to obey. So no quorum queue
    /// is declared anew just before its node is killed, which RabbitMQ 3.10 does not survive (see `settle_queues`).
    pub fn touches(self) -> &'static [Part] {
        match self {
            Self::KillOsel | Self::StopOsel => &[Part::Process],
            Self::KillNode | Self::KillMajority | Self::DeleteQueue | Self::RotatePassword => &[Part::Broker],
            Self::CutNetwork | Self::RefuseNetwork | Self::StallNetwork | Self::DelayNetwork => {
                &[Part::Network]
            }
            Self::FillDisk | Self::StopDatabase => &[Part::Store],
            Self::Overflow => &[Part::Network, Part::Broker],
        }
    }

    /// Whether it can be played there.
    pub fn fits(self, ground: Ground) -> bool {
        match self {
            Self::KillMajority => ground.nodes > 1,
            Self::FillDisk => !ground.has_database,
            Self::StopDatabase => ground.has_database,
            _ => true,
        }
    }

    /// What is lost by it, which therefore has to be told.
    pub fn loss(self, ground: Ground) -> Loss {
        match self {
            Self::DeleteQueue | Self::Overflow => Loss::Content,
            // The exchanges of a cluster live on with the other nodes.
            Self::KillNode if ground.nodes > 1 => Loss::Nothing,
            Self::KillNode | Self::KillMajority if !ground.has_durable_exchanges => Loss::Bindings,
            _ => Loss::Nothing,
        }
    }
}

impl fmt::Display for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = if self.is_quorum { "quorum" } else { "classic" };
        let exchanges = if self.has_durable_exchanges { "durable" } else { "transient" };
        let store = if self.has_database { "database" } else { "directory" };
        write!(f, "{} node(s), {queue} queue, {exchanges} exchanges, store in a {store}", self.nodes)
    }
}
