//! Which tags stand for what is admitted at a port of an address.
//!
//! A tag is a word that somebody put on a port, a security group or a floating IP. It stands for what is admitted by way of these, and for
//! nothing that goes another way. What follows from that for a finding is decided in `expected`.

use super::{Admitted, Finding};
use crate::model::{Row, Source, Tags, Via, View};

/// From where a port is admitted, and what carries tags on each way.
#[derive(Clone, Debug, Default)]
pub struct Carried {
    ways: Vec<(Source, [Tags; 3])>,
}

impl Carried {
    /// What carries tags in a cloud where a finding is; nothing of a finding without a port.
    pub fn of(view: &impl View, finding: &Finding) -> Self {
        let Some(at) = finding.port else { return Self::default() };
        let admitted = Admitted::of(view, finding.network_id.as_ref(), finding.address);
        let way = |row: &Row| (row.permission.source.clone(), tags_of(view, row, finding));
        Self { ways: admitted.to(at).map(|(row, _)| way(row)).collect() }
    }

    /// Ways with the tags on each, for tests that have no cloud.
    #[cfg(test)]
    pub(super) fn of_ways(ways: impl IntoIterator<Item = (Source, Tags)>) -> Self {
        let ways = ways.into_iter().map(|(source, tags)| (source, [tags, Tags::default(), Tags::default()]));
        Self { ways: ways.collect() }
    }

    /// Whether all that is admitted is admitted by what carries a tag; none where nothing is admitted. A way without the tag does no harm
    /// if nobody comes by it who does not come by one with the tag: else a tag would make more expected than was meant by it.
    pub fn has(&self, tag: &str) -> Option<bool> {
        if self.ways.is_empty() {
            return None;
        }
        let (tagged, other): (Vec<_>, Vec<_>) =
            self.ways.iter().partition(|(_, carriers)| carriers.iter().any(|tags| tags.has(tag)));
        let is_covered = |source: &Source| tagged.iter().any(|(wide, _)| wide.covers(source));
        Some(!tagged.is_empty() && other.iter().all(|(source, _)| is_covered(source)))
    }
}

/// The tags of a row's port, of the group whose rule it is, and of the floating IP that leads there.
fn tags_of(view: &impl View, row: &Row, finding: &Finding) -> [Tags; 3] {
    let port = view.port_slot(&row.port_id).map(|slot| &view.port(slot).tags);
    let group = row.security_group_id.as_ref().and_then(|id| view.group(id)).map(|group| &group.tags);
    let floating = view.floating_ips_at(finding.address).into_iter().find(|floating| match row.via {
        Via::Floating => floating.port_id.as_ref() == Some(&row.port_id),
        Via::Forwarding => {
            let forwardings = view.forwardings_of(&floating.id);
            forwardings.iter().any(|forwarding| forwarding.internal_port_id.as_ref() == Some(&row.port_id))
        }
        _ => false,
    });
    let floating = floating.map(|floating| &floating.tags);
    [port, group, floating].map(|tags| tags.cloned().unwrap_or_default())
}
