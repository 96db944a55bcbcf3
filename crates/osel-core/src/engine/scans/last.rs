//! What the last scans saw, so that the next one of the same place can be told apart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::plan::Place;
use crate::scan::{ProbeState, Transport};

/// The most places whose last result is remembered, of all scanners together; those of which nothing was heard for longest go. With all
/// their ports this is 20 MB at the very most.
pub const LAST_RESULTS_MAX: usize = 10_000;
/// The most ports of one place that are remembered, open ones before others: enough for what changes of one host, not for all of a sweep.
pub const LAST_PORTS_MAX: usize = 256;

/// Whose result it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct LastKey {
    pub(super) scanner: Arc<str>,
    pub(super) region: Option<Arc<str>>,
    pub(super) place: Place,
}

/// What is known of the ports of a place, whether they are open, by the scans so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LastResult {
    /// The record of the last scan.
    seq: u64,
    ports: Vec<(Transport, u16, bool)>,
}

/// What is otherwise than at the last scan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) newly_open: Vec<(Transport, u16)>,
    pub(super) no_longer_open: Vec<(Transport, u16)>,
    /// The record of the last scan; zero when there was none.
    pub(super) since: u64,
}

#[derive(Debug, Default)]
pub(super) struct LastResults {
    results: BTreeMap<LastKey, LastResult>,
    by_seq: BTreeSet<(u64, LastKey)>,
}

impl LastResults {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&LastKey, &LastResult)> {
        self.results.iter()
    }

    pub(super) fn put(&mut self, key: LastKey, result: LastResult) {
        self.by_seq.insert((result.seq, key.clone()));
        if let Some(before) = self.results.insert(key.clone(), result)
            && self.results.get(&key).is_some_and(|now| now.seq != before.seq)
        {
            self.by_seq.remove(&(before.seq, key));
        }
        while self.results.len() > LAST_RESULTS_MAX
            && let Some((_, oldest)) = self.by_seq.pop_first()
        {
            self.results.remove(&oldest);
        }
    }

    /// Takes what the scan with this record saw, and says what is otherwise than before. A port of which nothing was known is not newly open.
    pub(super) fn note(
        &mut self,
        key: LastKey,
        seq: u64,
        states: &BTreeMap<(Transport, u16), ProbeState>,
    ) -> Difference {
        let known = self.results.get(&key);
        let mut difference =
            Difference { since: known.map_or(0, |known| known.seq), ..Difference::default() };
        let mut ports: BTreeMap<(Transport, u16), bool> = known
            .into_iter()
            .flat_map(|known| &known.ports)
            .map(|&(transport, port, is_open)| ((transport, port), is_open))
            .collect();
        for (port, state) in states {
            let is_open = match state {
                ProbeState::Open => true,
                ProbeState::Closed | ProbeState::Filtered => false,
                ProbeState::OpenFiltered | ProbeState::NotProbed => continue,
            };
            match (ports.insert(*port, is_open), is_open) {
                (Some(false), true) => difference.newly_open.push(*port),
                (Some(true), false) => difference.no_longer_open.push(*port),
                _ => {}
            }
        }
        if ports.is_empty() {
            return difference;
        }
        let of = |wanted: bool| ports.iter().filter(move |(_, is_open)| **is_open == wanted);
        let kept = of(true).chain(of(false)).take(LAST_PORTS_MAX);
        let ports = kept.map(|(&(transport, port), &is_open)| (transport, port, is_open)).collect();
        self.put(key, LastResult { seq, ports });
        difference
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> LastKey {
        let [.., a, b, c] = number.to_be_bytes();
        let place = Place { network_id: None, address: [10, a, b, c].into() };
        LastKey { scanner: "test".into(), region: None, place }
    }

    fn states(ports: &[(u16, ProbeState)]) -> BTreeMap<(Transport, u16), ProbeState> {
        ports.iter().map(|&(port, state)| ((Transport::Tcp, port), state)).collect()
    }

    #[test]
    fn what_was_not_looked_at_is_no_difference() {
        use ProbeState::{Closed, Filtered, NotProbed, Open};
        let mut last = LastResults::default();
        let first = last.note(key(1), 10, &states(&[(22, Open), (80, Closed), (443, NotProbed)]));
        assert_eq!(first, Difference::default(), "there was nothing to compare with");
        let second = last.note(key(1), 20, &states(&[(80, Open), (443, Open), (22, NotProbed)]));
        assert_eq!(second.newly_open, [(Transport::Tcp, 80)]);
        assert_eq!((&second.no_longer_open[..], second.since), (&[][..], 10));
        let third = last.note(key(1), 30, &states(&[(22, Filtered), (80, Open)]));
        assert_eq!((third.no_longer_open, third.since), (vec![(Transport::Tcp, 22)], 20));
        assert_eq!(last.note(key(2), 40, &states(&[(80, Open)])), Difference::default(), "another place");
    }

    #[test]
    fn the_oldest_results_go_and_open_ports_stay() {
        let mut last = LastResults::default();
        for number in 0..LAST_RESULTS_MAX + 3 {
            last.note(key(number), number as u64 + 1, &states(&[(22, ProbeState::Open)]));
        }
        assert_eq!((last.results.len(), last.by_seq.len()), (LAST_RESULTS_MAX, LAST_RESULTS_MAX));
        assert!(!last.results.contains_key(&key(2)) && last.results.contains_key(&key(3)));
        let mut many: Vec<_> = (100..700).map(|port| (port, ProbeState::Closed)).collect();
        many.push((700, ProbeState::Open));
        last.note(key(3), 1 << 40, &states(&many));
        let kept = &last.results[&key(3)].ports;
        let tcp = Transport::Tcp;
        assert_eq!(kept[..3], [(tcp, 22, true), (tcp, 700, true), (tcp, 100, false)]);
        assert_eq!(kept.len(), LAST_PORTS_MAX);
    }
}
