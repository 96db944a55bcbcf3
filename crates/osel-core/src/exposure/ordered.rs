//! The rows of whole clouds in order, one address after the other.
//!
//! A cloud with a million ports has twenty million rows: they are never all there at once. What is kept is one small entry for each address
//! of each port; the rows of an address are worked out when its turn comes, a few addresses together, so that a port with thousands of
//! them is not gone through again for each.

use std::ops::ControlFlow;

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

/// How many addresses have their rows worked out together: a port is gone through once for that many of its own, and a first row still
/// comes at once.
const DOORS_TOGETHER: usize = 1000;

/// Calls `each` with the rows of several clouds in the order of contract §4, until it breaks. Only addresses that are `wanted` are looked
/// at, so that a part can be asked for after another; `keep` says which of their rows are.
pub fn rows_in_order<V: View>(
    views: &[&V],
    wanted: impl Fn(IpNet) -> bool,
    mut keep: impl FnMut(&V, &Row) -> bool,
    mut each: impl FnMut(Row) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut doors = Vec::new();
    for (number, view) in (0..).zip(views) {
        for slot in view.ports() {
            doors_of(*view, number, slot, &wanted, &mut doors);
        }
    }
    doors.sort_unstable();
    doors.dedup();
    let mut rows = Vec::new();
    let mut rest = &mut doors[..];
    while !rest.is_empty() {
        let (some, others) = rest.split_at_mut(together(rest));
        rest = others;
        some.sort_unstable_by_key(|door| (door.view, door.slot, door.address));
        for port in some.chunk_by(|one, other| (one.view, one.slot) == (other.view, other.slot)) {
            let (view, before) = (views[port[0].view as usize], rows.len());
            let is_one = |address: IpNet| port.binary_search_by_key(&address, |door| door.address).is_ok();
            view.rows_where(port[0].slot, &is_one, &mut rows);
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

/// How many of these are taken together. Texts that begin alike are, and told apart by the sort.
fn together(doors: &[Door]) -> usize {
    let some = doors.len().min(DOORS_TOGETHER);
    let last = doors[some - 1].head;
    some + doors[some..].iter().take_while(|door| door.head == last).count()
}

fn doors_of<V: View>(
    view: &V,
    number: u32,
    slot: Slot,
    wanted: &impl Fn(IpNet) -> bool,
    doors: &mut Vec<Door>,
) {
    let port = view.port(slot);
    if port.trusted() {
        return;
    }
    let mut door = |address: IpNet| {
        if wanted(address) {
            doors.push(Door { head: address_head(address), view: number, slot, address });
        }
    };
    port.fixed_ips.iter().for_each(|fixed| door(fixed.address.into()));
    port.allowed_address_pairs.iter().for_each(|pair| door(*pair));
    let floating = view.floating_ips_to(&port.id);
    floating.iter().filter_map(|floating| floating.floating_ip_address).for_each(|outer| door(outer.into()));
    view.forwardings_to(&port.id).iter().for_each(|(outer, _)| door((*outer).into()));
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::event::{Object, Port};
    use crate::ids::Id;
    use crate::model::{CloudModel, ModelOptions};
    use crate::time::Timestamp;

    /// Somebody may give a port tens of thousands of addresses: work that grew with their square or cube would not end here.
    #[test]
    fn a_port_with_very_many_addresses_is_listed() {
        const PAIRS: u32 = 30_000;
        let pairs = (0..PAIRS).map(|number| IpNet::from(std::net::IpAddr::from(Ipv4Addr::from(number << 4))));
        let port = Port {
            version: crate::event::Version { id: Some(Id::new("p")), ..Default::default() },
            allowed_address_pairs: Some(pairs.collect()),
            port_security_enabled: Some(false),
            ..Port::default()
        };
        let mut cloud = CloudModel::new(None, ModelOptions::default());
        let at = Timestamp::EPOCH;
        cloud.merge_read(at, at, true, &[Object::Port(port)], false);
        let list = |wanted: &dyn Fn(IpNet) -> bool| {
            let mut rows = Vec::new();
            let _ = rows_in_order(
                &[&cloud],
                wanted,
                |_, _| true,
                |row| {
                    rows.push(row);
                    ControlFlow::Continue(())
                },
            );
            rows
        };
        let all = list(&|_| true);
        assert_eq!(all.len(), PAIRS as usize);
        assert_eq!(all, crate::exposure::rows(&cloud));
        let one = all[17_000].address;
        assert_eq!(list(&|address| address == one), [all[17_000].clone()]);
    }
}
