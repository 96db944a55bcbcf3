//! Which rows of a delta change what can be reached, and which only repeat what is open anyway.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::coverage::covered;
use crate::ids::Id;
use crate::model::{Delta, MemberChange, Row, View};

/// A row that came or went.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedRow {
    /// The row.
    pub row: Row,
    /// Covered by the other rows of its address that are there after the event.
    pub redundant: bool,
    /// For an opened row: covered by what was there before. Two equal rows that came together are redundant to each other and
    /// yet open something; what is to be scanned is decided by this.
    pub covered_before: bool,
}

/// A delta with its rows judged and in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judged {
    /// Rows that came.
    pub opened: Vec<JudgedRow>,
    /// Rows that went.
    pub closed: Vec<JudgedRow>,
    /// Groups used as a source whose addresses changed.
    pub members: Vec<MemberChange>,
}

/// Rows of one address: ports of the same network that share an address (a virtual IP) count together; equal addresses of
/// different networks are different places.
type Place = (Option<Id>, IpNet);

/// Judges a delta against the cloud as it is after the event.
pub fn judge(view: &impl View, delta: Delta) -> Judged {
    let mut places: BTreeMap<Place, Vec<Row>> = BTreeMap::new();
    for row in delta.opened.iter().chain(&delta.closed) {
        let place = (row.network_id.clone(), row.address);
        places.entry(place).or_insert_with_key(|(network, address)| {
            let mut slots = view.neighbours(*address, network.as_ref(), &row.port_id);
            slots.extend(view.port_slot(&row.port_id));
            let mut rows = Vec::new();
            for slot in slots {
                view.rows_of(slot, &mut rows);
            }
            rows.retain(|other| other.address == *address);
            rows
        });
    }
    let at = |row: &Row| places.get(&(row.network_id.clone(), row.address)).map_or(&[][..], Vec::as_slice);
    let mut opened: Vec<JudgedRow> = Vec::with_capacity(delta.opened.len());
    let mut newly: BTreeMap<Place, Vec<&Row>> = BTreeMap::new();
    let mut gone: BTreeMap<Place, Vec<&Row>> = BTreeMap::new();
    for (rows, list) in [(&delta.opened, &mut newly), (&delta.closed, &mut gone)] {
        for row in rows {
            list.entry((row.network_id.clone(), row.address)).or_default().push(row);
        }
    }
    for row in &delta.opened {
        let place = (row.network_id.clone(), row.address);
        let others = at(row).iter().filter(|other| !other.same_exposure(row));
        let came = newly.get(&place).map_or(&[][..], Vec::as_slice);
        let stayed = at(row).iter().filter(|other| !came.iter().any(|row| row.same_exposure(other)));
        let before = stayed.chain(gone.get(&place).into_iter().flatten().copied());
        opened.push(JudgedRow {
            row: row.clone(),
            redundant: covered(row, others),
            covered_before: covered(row, before),
        });
    }
    let closed = delta.closed.iter().map(|row| JudgedRow {
        row: row.clone(),
        redundant: covered(row, at(row).iter()),
        covered_before: true,
    });
    let mut judged = Judged { opened, closed: closed.collect(), members: delta.members };
    for rows in [&mut judged.opened, &mut judged.closed] {
        rows.sort_by_cached_key(|judged| judged.row.sort_key());
    }
    judged
}
