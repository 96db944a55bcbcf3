//! The rows of whole clouds in order, one address after the other.
//!
//! A cloud with a million ports has twenty million rows: they are never all there at once. What is kept is one small entry for each address
//! of each port; the rows of an address are worked out when their turn comes.

use std::ops::{ControlFlow, RangeBounds};

use ipnet::IpNet;

use crate::model::{Row, Slot, View, address_head, sort_rows};

/// An address of a port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Door {
    head: u128,
    view: u32,
    slot: Slot,
    address: IpNet,
}

/// Calls `each` with the rows of several clouds in the order of contract §4, until it breaks. Only addresses whose [`address_head`] lies
/// within a range are looked at, so that a range can be asked for after another; `keep` says which rows are wanted.
pub fn rows_in_order<V: View>(
    views: &[&V],
    heads: &impl RangeBounds<u128>,
    mut keep: impl FnMut(&V, &Row) -> bool,
    mut each: impl FnMut(Row) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut doors = Vec::new();
    for (number, view) in (0..).zip(views) {
        for slot in view.ports() {
            doors_of(*view, number, slot, heads, &mut doors);
        }
    }
    doors.sort_unstable();
    doors.dedup();
    let mut rows = Vec::new();
    // Texts that begin alike come together, and are told apart by the sort.
    for same in doors.chunk_by(|one, other| one.head == other.head) {
        for door in same {
            let view = views[door.view as usize];
            let before = rows.len();
            view.rows_at(door.slot, door.address, &mut rows);
            let mut place = 0;
            rows.retain(|row| {
                place += 1;
                place <= before || keep(view, row)
            });
        }
        sort_rows(&mut rows);
        for row in rows.drain(..) {
            each(row)?;
        }
    }
    ControlFlow::Continue(())
}

fn doors_of<V: View>(
    view: &V,
    number: u32,
    slot: Slot,
    heads: &impl RangeBounds<u128>,
    doors: &mut Vec<Door>,
) {
    let port = view.port(slot);
    if port.trusted() {
        return;
    }
    let mut door = |address: IpNet| {
        let head = address_head(address);
        if heads.contains(&head) {
            doors.push(Door { head, view: number, slot, address });
        }
    };
    port.fixed_ips.iter().for_each(|fixed| door(fixed.address.into()));
    port.allowed_address_pairs.iter().for_each(|pair| door(*pair));
    let floating = view.floating_ips_to(&port.id);
    floating.iter().filter_map(|floating| floating.floating_ip_address).for_each(|outer| door(outer.into()));
    view.forwardings_to(&port.id).iter().for_each(|(outer, _)| door((*outer).into()));
}
