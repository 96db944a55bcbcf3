//! Floating IPs and port forwardings: outer addresses that lead to a port.

use std::collections::BTreeSet;

use super::changes::{Changes, Telling, admit};
use super::cloud::{CloudModel, unmap};
use super::state::State;
use super::table::Slot;
use crate::event::{self, Kind};
use crate::ids::Id;

impl CloudModel {
    pub(super) fn tell_floating_ip(
        &mut self,
        id: &Id,
        told: &event::FloatingIp,
        telling: &Telling,
        changes: &mut Changes,
    ) {
        self.around_floating_ip(id, told.port_id.clone().flatten().as_ref(), changes, |model, changes| {
            let tags_before = model.floating_ips.get(id).map(|floating| floating.tags.clone());
            let slot = model.floating_ips.slot_or_insert(id);
            model.unlink_floating_ip(slot);
            let floating = model.floating_ips.at_mut(slot);
            let news = admit(floating, told, telling);
            floating.take(told, news);
            model.tag_lists.note(tags_before.as_ref(), &mut floating.tags, changes);
            if news != 0 {
                changes.touch(Kind::FloatingIp, id);
            }
            model.link_floating_ip(slot);
        });
        for forwarding in told.forwardings.iter().flatten() {
            let forwarding_id = forwarding_id(id, forwarding);
            if self.may_live(Kind::Forwarding, &forwarding_id, telling, changes) {
                self.remember(Kind::Forwarding, &forwarding_id, changes);
                let told = event::Forwarding { floatingip_id: Some(id.clone()), ..forwarding.clone() };
                self.tell_forwarding(&forwarding_id, &told, telling, changes);
            }
        }
    }

    /// Does something to a floating IP and notes the rows of every port that it leads to, before or after.
    pub(super) fn around_floating_ip(
        &mut self,
        id: &Id,
        also: Option<&Id>,
        changes: &mut Changes,
        act: impl FnOnce(&mut Self, &mut Changes),
    ) {
        let mut ports: BTreeSet<Id> = also.into_iter().cloned().collect();
        ports.extend(self.floating_ips.get(id).and_then(|floating| floating.port_id.clone()));
        for &slot in self.links.forwardings_by_floating.get(id).into_iter().flatten() {
            ports.extend(self.forwardings.at(slot).internal_port_id.clone());
        }
        self.around_ports(&ports, changes, act);
    }

    /// Does something and notes how the rows of these ports change by it.
    pub(super) fn around_ports(
        &mut self,
        ports: &BTreeSet<Id>,
        changes: &mut Changes,
        act: impl FnOnce(&mut Self, &mut Changes),
    ) {
        let rows = |model: &Self, silent: bool| {
            let mut rows = Vec::new();
            for slot in ports.iter().filter_map(|id| model.ports.slot(id)).filter(|_| !silent) {
                model.rows_of_port(slot, &mut rows);
            }
            rows
        };
        let before = rows(self, changes.silent);
        act(self, changes);
        changes.differ(before, rows(self, changes.silent));
    }

    pub(super) fn unlink_floating_ip(&mut self, slot: Slot) {
        let floating = self.floating_ips.at(slot);
        if let Some(port) = &floating.port_id {
            unmap(&mut self.links.floating_by_port, port, slot);
        }
        if let Some(address) = &floating.floating_ip_address {
            unmap(&mut self.links.floating_by_address, address, slot);
        }
    }

    pub(super) fn link_floating_ip(&mut self, slot: Slot) {
        let floating = self.floating_ips.at(slot);
        if let Some(port) = &floating.port_id {
            self.links.floating_by_port.entry(port.clone()).or_default().push(slot);
        }
        if let Some(address) = floating.floating_ip_address {
            self.links.floating_by_address.entry(address).or_default().push(slot);
        }
    }

    pub(super) fn tell_forwarding(
        &mut self,
        id: &Id,
        told: &event::Forwarding,
        telling: &Telling,
        changes: &mut Changes,
    ) {
        if self.gone(Kind::FloatingIp, told.floatingip_id.as_ref(), telling) {
            return self.delete(Kind::Forwarding, id, telling, changes);
        }
        let mut ports: BTreeSet<Id> = told.internal_port_id.iter().cloned().collect();
        ports.extend(self.forwardings.get(id).and_then(|forwarding| forwarding.internal_port_id.clone()));
        self.around_ports(&ports, changes, |model, changes| {
            let slot = model.forwardings.slot_or_insert(id);
            model.unlink_forwarding(slot);
            let forwarding = model.forwardings.at_mut(slot);
            let news = admit(forwarding, told, telling);
            forwarding.take(told, news);
            if news != 0 {
                changes.touch(Kind::Forwarding, id);
            }
            model.link_forwarding(slot);
        });
    }

    pub(super) fn unlink_forwarding(&mut self, slot: Slot) {
        let forwarding = self.forwardings.at(slot);
        if let Some(floating) = &forwarding.floatingip_id {
            unmap(&mut self.links.forwardings_by_floating, floating, slot);
        }
        if let Some(port) = &forwarding.internal_port_id {
            unmap(&mut self.links.forwardings_by_port, port, slot);
        }
    }

    pub(super) fn link_forwarding(&mut self, slot: Slot) {
        let forwarding = self.forwardings.at(slot);
        if let Some(floating) = &forwarding.floatingip_id {
            self.links.forwardings_by_floating.entry(floating.clone()).or_default().push(slot);
        }
        if let Some(port) = &forwarding.internal_port_id {
            self.links.forwardings_by_port.entry(port.clone()).or_default().push(slot);
        }
    }
}

/// The id of a forwarding in a floating IP's list, where older releases give none: then it is what makes it unique, its outer side.
pub(super) fn forwarding_id(floating_ip: &Id, told: &event::Forwarding) -> Id {
    told.version.id.clone().unwrap_or_else(|| {
        let protocol = told.protocol.as_deref().unwrap_or("any");
        let (min, max) = told.external.map_or((0, 0), |range| (range.min, range.max));
        Id::new(&format!("{floating_ip}/{protocol}/{min}-{max}"))
    })
}
