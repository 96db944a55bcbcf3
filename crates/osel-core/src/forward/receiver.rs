//! What receivers take at once, and what they answer.

use std::time::Duration;

/// Names one batch on its way; numbers rise, and none is used twice while a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchNumber(pub u64);

/// What a receiver says of a batch that it has taken whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is where it is to be: nothing more will be said of it.
    Kept,
    /// It is on its way, and whether it arrived will be known later: the receiver is asked.
    Awaited,
}

/// Why a receiver has not taken a batch, or not all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What stands in the way.
    pub kind: RefusalKind,
    /// The same in words, with what was tried and answered: without a secret, and not longer than a line.
    pub words: String,
    /// So many items, from the first, are where they are to be all the same.
    pub taken: usize,
    /// The pause that it asks for.
    pub wait: Option<Duration>,
}

/// What stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusalKind {
    /// Nobody is there, the connection broke, or it has too much to do.
    Unavailable,
    /// It does not answer in time, or does not say in time that what it took has arrived.
    Silent,
    /// It says that it failed itself, which may be because of something in the batch.
    Failed,
    /// It does not know us, we do not trust it, or it is not set up for what it is sent: somebody has to act, and no record is to blame.
    Denied,
    /// What is addressed is not there, or leads elsewhere: somebody has to act, and no record is to blame.
    Misplaced,
    /// It knows us and takes nothing of what it is sent as that is set up, for reasons of its own: somebody has to act, and no record is to blame.
    Unfit,
    /// Its answer cannot be understood.
    Garbled,
    /// It will never take the item of that place in the batch, from 0, and would take the others.
    Item(usize),
    /// It says that it will never take the first item that is not taken, and has not shown that it takes others: it may say the same of each.
    Suspect,
    /// The batch is more than it takes at once.
    TooLarge,
}

impl RefusalKind {
    /// Whether somebody has to act on the configuration, or on what it names.
    pub fn needs_person(self) -> bool {
        matches!(self, Self::Denied | Self::Misplaced | Self::Unfit)
    }
}

/// How much a batch may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// The most items; at least one.
    pub items: usize,
    /// The most bytes of their lines; one line alone may have more.
    pub bytes: usize,
    /// The most batches on their way that are not known to have arrived; at least one.
    pub awaited: usize,
    /// How long the first line of a batch that is not full waits for more. Nothing where what is there is sent at once.
    pub linger: Duration,
}
