//! Lines that wait to be handed over, in the order of the trail.

use std::collections::VecDeque;

use super::words::LineId;
use crate::pace::Moment;

/// One line; the caller holds its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) id: LineId,
    pub(super) bytes: usize,
}

/// How many lines from a place make a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    pub(super) count: usize,
    /// More lines would not change it.
    pub(super) is_full: bool,
}

/// Lines in the order of their ids, each with when it came; what has come back has none, since it has waited before.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue(VecDeque<(Piece, Option<Moment>)>);

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// When the first of them has waited so long for more; long ago for what has come back.
    pub(super) fn due(&self, linger_micros: u64) -> Option<Moment> {
        let (_, came) = self.0.front()?;
        Some(came.map_or(Moment::default(), |came| came.plus(linger_micros)))
    }

    /// The records whose lines wait.
    pub(super) fn records(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|(piece, _)| piece.id.seq)
    }

    /// Adds one that follows all others.
    pub(super) fn push(&mut self, piece: Piece, moment: Moment) {
        self.0.push_back((piece, Some(moment)));
    }

    /// Takes back what was handed over, to where it was.
    pub(super) fn put_back(&mut self, pieces: Vec<Piece>) {
        let Some(first) = pieces.first() else { return };
        let at = self.0.partition_point(|(piece, _)| piece.id < first.id);
        let behind = self.0.split_off(at);
        self.0.extend(pieces.into_iter().map(|piece| (piece, None)));
        self.0.extend(behind);
    }

    /// The lines from `at` on that make a batch of so many lines and bytes at most: one at least, if there is one, and no part of a record
    /// where whole records can be had, so that a place between two batches is one between two records.
    pub(super) fn reach(&self, at: usize, items: usize, bytes: usize) -> Reach {
        let (mut count, mut size, mut is_full) = (0, 0_usize, false);
        for (piece, _) in self.0.iter().skip(at) {
            size = size.saturating_add(piece.bytes);
            is_full = count >= items || (count > 0 && size > bytes);
            if is_full {
                break;
            }
            count += 1;
        }
        if is_full {
            let seq = |index: usize| self.0.get(at + index).map(|(piece, _)| piece.id.seq);
            let next = seq(count);
            let of_next = (0..count).rev().take_while(|&index| seq(index) == next).count();
            count -= if of_next < count { of_next } else { 0 };
        }
        Reach { count, is_full: is_full || count == items }
    }

    /// Takes so many from `at` on.
    pub(super) fn take(&mut self, at: usize, count: usize) -> Vec<Piece> {
        let at = at.min(self.0.len());
        let end = at.saturating_add(count).min(self.0.len());
        self.0.drain(at..end).map(|(piece, _)| piece).collect()
    }

    /// Forgets those that are not wanted.
    pub(super) fn retain(&mut self, is_wanted: impl Fn(LineId) -> bool) {
        self.0.retain(|(piece, _)| is_wanted(piece.id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::Clock;

    fn queue(lines: &[(u64, u32, usize)]) -> Queue {
        let mut queue = Queue::default();
        for &(seq, line, bytes) in lines {
            queue.push(Piece { id: LineId { seq, line }, bytes }, Clock::default().moment());
        }
        queue
    }

    #[test]
    fn a_batch_ends_between_records_where_it_can() {
        let queue = queue(&[(1, 0, 10), (2, 0, 10), (2, 1, 10), (3, 0, 10), (3, 1, 10), (3, 2, 10)]);
        let reach = |at, items, bytes| {
            let Reach { count, is_full } = queue.reach(at, items, bytes);
            (count, is_full)
        };
        assert_eq!(reach(0, 9, 100), (6, false));
        assert_eq!(reach(0, 6, 100), (6, true));
        assert_eq!(reach(0, 5, 100), (3, true));
        assert_eq!(reach(0, 2, 100), (1, true));
        assert_eq!(reach(0, 9, 25), (1, true));
        // One line alone may have more, and a record that is too long is divided.
        assert_eq!(reach(0, 9, 5), (1, true));
        assert_eq!(reach(3, 2, 100), (2, true));
        assert_eq!(reach(6, 2, 100), (0, false));
    }

    #[test]
    fn what_comes_back_goes_to_where_it_was() {
        let mut queue = queue(&[(1, 0, 1), (2, 0, 1), (2, 1, 1), (3, 0, 1)]);
        let second = queue.take(1, 1);
        let rest = queue.take(1, 9);
        queue.put_back(rest);
        queue.put_back(second);
        assert_eq!(queue.records().collect::<Vec<_>>(), [1, 2, 2, 3]);
        let ids: Vec<String> = queue.take(0, 9).iter().map(|piece| piece.id.to_string()).collect();
        assert_eq!(ids, ["1", "2", "2-1", "3"]);
        assert!(queue.is_empty() && queue.due(0).is_none());
    }
}
