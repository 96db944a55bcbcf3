//! What one message says and what it changes: gathered while it is merged, handed on as a [`Delta`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ipnet::IpNet;

use super::delta::{Delta, Gap, MemberChange};
use super::persist::StateLine;
use super::row::Row;
use super::stamp::{CLOCK_SKEW_SECONDS, Fields, KindRead, Stamp};
use super::state::State;
use super::table::Table;
use super::tombstone::Grave;
use crate::event::{self, Kind};
use crate::ids::Id;
use crate::time::Timestamp;

/// Who makes a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Teller {
    /// A notification.
    Bus,
    /// An API answer; `exact` when it is known at which time it was true.
    Api { exact: bool },
}

/// A statement's time and place.
#[derive(Clone, Debug)]
pub(super) struct Telling {
    pub(super) teller: Teller,
    /// The time of the event, or of the read.
    pub(super) time: Timestamp,
    pub(super) message: Option<Arc<Id>>,
    /// When it is handled.
    pub(super) now: Timestamp,
    /// The last complete read of each kind.
    pub(super) reads: Arc<BTreeMap<Kind, KindRead>>,
}

impl Telling {
    pub(super) fn stamp(&self, revision: Option<u64>) -> Stamp {
        Stamp { revision: revision.unwrap_or(0), time: self.time, message: self.message.clone() }
    }

    pub(super) fn read(&self, kind: Kind) -> KindRead {
        self.reads.get(&kind).copied().unwrap_or_default()
    }

    /// What is remembered of an object that this deletes.
    pub(super) fn grave(&self) -> Grave {
        Grave { died: self.time, learnt: self.now, is_final: true }
    }

    /// Whether a deletion makes this void.
    pub(super) fn is_void(&self, grave: &Grave) -> bool {
        match self.teller {
            Teller::Bus => grave.is_final || self.time < grave.died,
            Teller::Api { .. } => self.time <= grave.died,
        }
    }

    /// Whether this is said of so short a time before a read that it may be later by the cloud's clock.
    pub(super) fn is_unsure(&self, read_at: Timestamp) -> bool {
        self.time < read_at && self.time.plus_seconds(CLOCK_SKEW_SECONDS) >= read_at
    }
}

/// Gathers what one message changes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) opened: Vec<Row>,
    pub(super) closed: Vec<Row>,
    pub(super) members: BTreeMap<(Kind, Id), (BTreeSet<IpNet>, BTreeSet<IpNet>)>,
    pub(super) gaps: BTreeSet<Gap>,
    pub(super) touched: BTreeSet<(Kind, Id)>,
    /// What was not believed because a read said otherwise, shortly after it by another clock.
    pub(super) unsure: BTreeSet<(Kind, Id)>,
    /// The tags of an object that was known changed.
    pub(super) retagged: bool,
    /// Rows are not worked out: a whole inventory is read, and nobody asks what it opened.
    pub(super) silent: bool,
    /// How objects were before they were touched, where somebody asks.
    pub(super) before: Option<BTreeMap<(Kind, Id), Option<StateLine>>>,
}

impl Changes {
    pub(super) fn touch(&mut self, kind: Kind, id: &Id) {
        self.touched.insert((kind, id.clone()));
    }

    /// Notes what is in one list of rows and not in the other.
    pub(super) fn differ(&mut self, mut before: Vec<Row>, mut after: Vec<Row>) {
        before.sort_unstable_by(Row::cmp_exposure);
        after.sort_unstable_by(Row::cmp_exposure);
        let (mut before, mut after) = (before.into_iter().peekable(), after.into_iter().peekable());
        loop {
            let order = match (before.peek(), after.peek()) {
                (None, None) => return,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(old), Some(new)) => old.cmp_exposure(new),
            };
            match order {
                std::cmp::Ordering::Less => self.closed.extend(before.next()),
                std::cmp::Ordering::Greater => self.opened.extend(after.next()),
                std::cmp::Ordering::Equal => {
                    before.next();
                    after.next();
                }
            }
        }
    }

    pub(super) fn member(&mut self, kind: Kind, id: &Id, address: IpNet, gained: bool) {
        let (gains, losses) = self.members.entry((kind, id.clone())).or_default();
        let (into, out_of) = if gained { (gains, losses) } else { (losses, gains) };
        if !out_of.remove(&address) {
            into.insert(address);
        }
    }

    pub(super) fn into_delta(mut self) -> Delta {
        if !self.opened.is_empty() && !self.closed.is_empty() {
            // Several objects in one message: what came and went again within it did neither.
            let (opened, closed) = (std::mem::take(&mut self.opened), std::mem::take(&mut self.closed));
            self.differ(closed, opened);
        }
        let members =
            self.members.into_iter().filter(|(_, (gained, lost))| !gained.is_empty() || !lost.is_empty());
        Delta {
            opened: self.opened,
            closed: self.closed,
            members: members
                .map(|((kind, id), (gained, lost))| MemberChange {
                    kind,
                    id,
                    gained: gained.into_iter().collect(),
                    lost: lost.into_iter().collect(),
                })
                .collect(),
            gaps: self.gaps.into_iter().collect(),
            touched: self.touched.into_iter().collect(),
            unsure: self.unsure.into_iter().collect(),
            retagged: self.retagged,
        }
    }
}

impl Delta {
    /// Adds what happened after it. What came and went again stands on both sides until [`Self::settled`].
    pub fn append(&mut self, later: Self) {
        self.opened.extend(later.opened);
        self.closed.extend(later.closed);
        self.members.extend(later.members);
        self.gaps.extend(later.gaps);
        self.touched.extend(later.touched);
        self.unsure.extend(later.unsure);
        self.retagged |= later.retagged;
    }

    /// As one change: what came and went again within it did neither.
    #[must_use]
    pub fn settled(self) -> Self {
        let mut changes = Changes {
            opened: self.opened,
            closed: self.closed,
            gaps: self.gaps.into_iter().collect(),
            touched: self.touched.into_iter().collect(),
            unsure: self.unsure.into_iter().collect(),
            retagged: self.retagged,
            ..Changes::default()
        };
        for MemberChange { kind, id, gained, lost } in self.members {
            for (addresses, is_gain) in [(lost, false), (gained, true)] {
                for address in addresses {
                    changes.member(kind, &id, address, is_gain);
                }
            }
        }
        changes.into_delta()
    }
}

/// Merges an object that nothing hangs on.
pub(super) fn merge<T: State>(
    table: &mut Table<T>,
    kind: Kind,
    id: &Id,
    told: &T::Told,
    telling: &Telling,
    changes: &mut Changes,
) where
    T::Told: Versioned,
{
    let slot = table.slot_or_insert(id);
    let state = table.at_mut(slot);
    let news = admit(state, told, telling);
    if news != 0 {
        state.take(told, news);
        changes.touch(kind, id);
    }
}

/// Which fields of a statement are news for an object.
pub(super) fn admit<T: State>(state: &mut T, told: &T::Told, telling: &Telling) -> Fields
where
    T::Told: Versioned,
{
    let stamp = telling.stamp(told.version().revision);
    // An object that is known to exist has been spoken of, even when no field was given.
    let given = T::given(told) | EXISTS;
    match telling.teller {
        Teller::Bus => state.stamps_mut().admit(given, &stamp, telling.read(T::Told::KIND)),
        Teller::Api { exact } => {
            let stamps = state.stamps_mut();
            let read_at = stamps.read_at();
            let news = stamps.admit_read(given, &stamp, exact);
            // That it was there then is news even where nothing else is.
            if stamps.read_at() == read_at { news } else { news | EXISTS }
        }
    }
}

/// The field that every statement gives: that the object exists.
pub(super) const EXISTS: Fields = 1 << 15;

/// What has a revision.
pub(super) trait Versioned {
    const KIND: Kind;

    fn version(&self) -> &event::Version;
}

macro_rules! versioned {
    ($($told:ident)*) => {
        $(impl Versioned for event::$told {
            const KIND: Kind = Kind::$told;

            fn version(&self) -> &event::Version {
                &self.version
            }
        })*
    };
}
versioned! {
    Port SecurityGroup Rule AddressGroup FloatingIp Forwarding Router Network Subnet RbacPolicy Trunk
    AddressScope SubnetPool FirewallGroup FirewallPolicy FirewallRule LoadBalancer Listener
}
